"""The library at growing sizes: how fast papers go in, how fast questions are answered, and what it takes.

Every step runs in a process of its own, so that its memory is its own; times of different sizes are from one run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from eval.bench_library.footprint import peak_bytes, size_of
from eval.bench_library.recombined import Recombined, read_sources
from eval.bench_library.timing import spread, timed

SIZES = (1_000, 10_000, 100_000)
ADDED = 250
APART = 10_000_000  # numbers of the added papers, so that they are none of the others
ENCODED = 64  # papers really encoded, to know what encoding adds
QUESTIONS = 120

Tell = Callable[[str], None]


def growth(folder: Path, collection: Path, sizes: Sequence[int], tell: Tell) -> dict[str, Any]:
    """A library in `folder` grown to each of `sizes` in turn, from a BEIR collection's abstracts and questions."""
    tell("The sentences ...")
    recombined = in_a_process(_recombined, collection)
    encoding = in_a_process(_encoding, recombined)
    questions = read_questions(collection)
    found: list[dict[str, Any]] = []
    before = 0
    for size in sizes:
        tell(f"{size} papers: putting them in ...")
        filled = in_a_process(_ingest, folder, recombined, range(before, size))
        tell(f"{size} papers: asking ...")
        asked = in_a_process(_ask, folder, questions, time.time())
        disk = {part: size_of(folder / part) for part in ("catalog.sqlite3", "chroma", "words")}
        tell(f"{size} papers: adding {ADDED} ...")
        first = APART + ADDED * len(found)
        added = in_a_process(_ingest, folder, recombined, range(first, first + ADDED))
        found.append({"papers": size, "filled": filled, "asked": asked, "disk_bytes": disk, "added": added})
        tell(json.dumps(found[-1]))
        before = size
    return {"encoding": encoding, "sizes": found}


def read_questions(collection: Path, at_most: int = QUESTIONS) -> list[str]:
    """The first questions of a BEIR collection."""
    lines = (collection / "queries.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[:at_most]]


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _recombined(collection: Path) -> Recombined:
    from rag.models.embedder import load_embedder
    from rag.settings import load_settings

    return Recombined(read_sources(collection / "corpus.jsonl"), load_embedder(load_settings()))


def _encoding(recombined: Recombined) -> dict[str, Any]:
    """What really encoding recombined papers takes, as ingestion does it: in batches of the passages of 32."""
    from rag.chunking import chunk, embedding_text
    from rag.models.embedder import load_embedder
    from rag.settings import load_settings

    embedder = load_embedder(load_settings())
    papers = [recombined.paper(APART - 1 - number) for number in range(ENCODED)]
    texts = [
        embedding_text(paper.title, passage.text)[0]
        for paper in papers
        for passage in chunk(paper, embedder.count_tokens, window=embedder.max_tokens)
    ]
    embedder.encode(texts[:4])
    begun, cpu = time.perf_counter(), time.process_time()
    embedder.encode(texts)
    return {
        "papers": len(papers),
        "passages": len(texts),
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
    }


def _ingest(folder: Path, recombined: Recombined, numbers: range) -> dict[str, Any]:
    """Put papers in as `paperchat ingest` does, and draw the map; what embeddings take is left out of the times."""
    from rag.atlas import refresh
    from rag.ingest import ingest_readings, library_fingerprint
    from rag.library.library import Library
    from rag.readers.source import Entry, SourceReading

    entries = tuple(Entry(recombined.paper(number), line) for line, number in enumerate(numbers, 1))
    reading = SourceReading(f"papers-{numbers.start}.jsonl", f"{numbers}", entries, ())
    recombined.seconds, recombined.texts = 0.0, 0
    begun, cpu = time.perf_counter(), time.process_time()
    library = Library.open(folder, library_fingerprint(recombined))
    report = ingest_readings([reading], library, recombined)
    ended, cpu_ended = time.perf_counter(), time.process_time()
    refresh(library)
    library.close()
    return {
        "papers": sum(row.outcome == "added" for row in report.rows),
        "passages": recombined.texts,
        "seconds": ended - begun - recombined.seconds,
        "cpu_seconds": cpu_ended - cpu - recombined.seconds,
        "map_seconds": time.perf_counter() - ended,
        "peak_bytes": peak_bytes(),
    }


def _ask(folder: Path, questions: Sequence[str], started: float) -> dict[str, Any]:
    """Open the library as the chat does and ask. `started`: when the process was asked for."""
    from rag.answer.pipeline import Paperchat
    from rag.answer.retrieve import Retriever, Switches
    from rag.ingest import library_fingerprint
    from rag.library.library import Library
    from rag.models.embedder import load_embedder
    from rag.models.reranker import LINEAR, load_reranker
    from rag.papers import Filters
    from rag.settings import load_settings

    home = load_settings().model_copy(update={"home": folder.parent})
    chat = Paperchat(home)
    first = chat.ask(questions[0], answerer="quotes")
    up = time.time() - started
    assert first.answer
    answered = timed(lambda question: chat.ask(question, answerer="quotes"), questions[:30])
    chat.close()
    embedder = load_embedder(home)
    library = Library.open(folder, library_fingerprint(embedder))
    plain = Retriever(library, embedder, None, Switches(feedback=False))
    reranked = Retriever(library, embedder, load_reranker(LINEAR))
    everything = Filters()
    ways: dict[str, Callable[[str], Any]] = {
        "encode": lambda question: embedder.encode([question], query=True),
        "retrieve": lambda question: plain.search(question, everything),
        "reranked": lambda question: reranked.search(question, everything),
    }
    times = {name: timed(way, questions) for name, way in ways.items()}
    library.close()
    return {
        "start_up_s": up,
        "answer_ms": spread(answered),
        **{f"{name}_ms": spread(found) for name, found in times.items()},
        "peak_bytes": peak_bytes(),
    }
