"""All collections and question sets of one command, one after the other; one that is bad does not stop the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval.bench_retrieval.collection import Bar, Bench, Measured, Tell, measure
from eval.bench_retrieval.places import made_folder
from eval.bench_retrieval.questions import measure_questions
from eval.bench_retrieval.report import write
from eval.bench_retrieval.starter import require_starter
from eval.questions import question_path
from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from rag.models.embedder import load_embedder
from rag.models.reranker import load_reranker
from rag.settings import Settings

Fail = Callable[[PaperchatError], None]
Task = tuple[str, str, Callable[[], Measured]]


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: BEIR folders with their judgements `qrels`, and question sets by name or path.

    `keep` is a folder for the libraries, `out` one for the results; None keeps neither.
    """

    collections: tuple[Path, ...] = ()
    questions: tuple[str, ...] = ()
    qrels: str = "test"
    starter: bool = False
    keep: Path | None = None
    out: Path | None = None


def run(settings: Settings, order: Order, bar: Bar, tell: Tell, fail: Fail) -> dict[str, Any]:
    """The figures of all, as JSON has them. Files are written after each, so that a stop loses one.

    What fails beside others is told to `fail` and stands in the result as its `error`.

    Raises:
        PaperchatError: there was one thing to measure, and it failed; or nothing can be written.
    """
    for folder in (order.keep, order.out):
        if folder is not None:
            made_folder(folder)
    if order.starter:
        require_starter()
    embedder = load_embedder(settings)
    bench = Bench(embedder, load_reranker(settings.reranker), bar, tell, order.keep, order.starter)
    found: dict[str, Any] = {
        "embedder": embedder.fingerprint,
        "reranker": settings.reranker,
        "collections": [],
        "questions": [],
    }
    with closing(Paperchat(settings, embedder=embedder)) as engine:
        tasks = _tasks(bench, engine, order)
        for kind, name, work in tasks:
            measured = None
            try:
                measured = work()
                found[kind].append(measured.figures)
            except PaperchatError as error:
                if len(tasks) == 1:
                    raise
                fail(error)
                found[kind].append({"name": name, "error": error.as_dict()})
            if order.out is not None:
                write(order.out, found, measured)
    return found


def counts(found: Mapping[str, Any]) -> tuple[int, int]:
    """How many were measured, and how many could not be."""
    every = [*found["collections"], *found["questions"]]
    failed = sum("error" in one for one in every)
    return len(every) - failed, failed


def _tasks(bench: Bench, engine: Paperchat, order: Order) -> list[Task]:
    folders = _named([folder.resolve().name or "collection" for folder in order.collections])
    sets = _named([question_path(questions).stem for questions in order.questions])
    return [
        *(
            ("collections", name, partial(measure, bench, folder, order.qrels, name))
            for name, folder in zip(folders, order.collections, strict=True)
        ),
        *(
            ("questions", name, partial(measure_questions, bench, engine, questions, name))
            for name, questions in zip(sets, order.questions, strict=True)
        ),
    ]


def _named(names: Sequence[str]) -> Iterator[str]:
    """The same names, those that come again numbered: files are called by them."""
    seen = Counter[str]()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"
