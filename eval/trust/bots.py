"""Degenerate bots: answers that are no good but score well somewhere, and the metric that must catch each.

A real system stands beside each bot: a run's own answers, or claims that people found supported,
each citing its passage among others on the same question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from eval.edits.text import MARKER
from eval.formats.labelled import LabelledItem, read_labelled
from eval.metrics.answers import ANSWER_METRICS
from eval.metrics.figures import Metric
from eval.metrics.resampling import RESAMPLES
from eval.metrics.statistics import compare
from eval.questions import GoldQuestion
from eval.rows import Retrieved, Row, SentenceMeasure
from eval.trust.perturbations import Pool
from eval.trust.validate import GrounderFor, TextSupport, grounder_of, rounded
from rag.chunking import sentences

REFUSAL = "The papers do not answer this question."
PASSAGES = 5  # in the context of a claim, its own included
_LONGEST = 3000  # characters of a passage that a bot's context takes
_METRICS = {metric.name: metric for metric in ANSWER_METRICS}


@dataclass(frozen=True, slots=True)
class Bot:
    """A way to answer without answering; `make` turns a real row into the bot's."""

    name: str
    caught_by: str
    make: Callable[[Row, TextSupport], Row]


def refuse_all(row: Row, grounder: TextSupport) -> Row:
    """Refuses whatever is asked."""
    return _answered(row, REFUSAL, outcome="refused")


def copy_context(row: Row, grounder: TextSupport) -> Row:
    """Hands back all that was retrieved: every word of it is supported."""
    return _answered(row, "\n".join(_context(row).values()), citations=row.citations)


def cite_everything(row: Row, grounder: TextSupport) -> Row:
    """The same answer, each sentence of which cites every paper of the context."""
    papers = _context(row)
    titles = {found.paper_id: found.title for found in row.retrieved}
    citations = [{"n": n, "paper_id": key, "title": titles[key]} for n, key in enumerate(papers, 1)]
    documents = dict(enumerate(papers.values(), 1))
    measured = tuple(
        _cited(sentence, tuple(documents), documents, grounder) if sentence.worthy else sentence
        for sentence in row.sentences
    )
    marks = "".join(f"[{n}]" for n in documents)
    text = " ".join(f"{sentence.text} {marks}" for sentence in row.sentences)
    return _answered(row, text, citations=citations, measured=measured)


def cite_nothing(row: Row, grounder: TextSupport) -> Row:
    """The same answer without a citation."""
    bare = {"markers": (), "cited": None, "alone": (), "without": ()}
    measured = tuple(sentence.model_copy(update=bare) for sentence in row.sentences)
    return _answered(row, re.sub(rf"\s*{MARKER.pattern}", "", row.text), measured=measured)


def repeat_question(row: Row, grounder: TextSupport) -> Row:
    """Says the question over again."""
    return _answered(row, row.gold.question)


BOTS: tuple[Bot, ...] = (
    Bot("refuse_all", "over_refusal", refuse_all),
    Bot("copy_context", "context_copied", copy_context),
    Bot("cite_everything", "citation_precision", cite_everything),
    Bot("cite_nothing", "citation_recall", cite_nothing),
    Bot("repeat_question", "beyond_question", repeat_question),
)


def bots_of_items(
    paths: Sequence[Path],
    grounder_for: GrounderFor,
    *,
    limit: int = 40,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Each bot against supported claims of labelled files, at most `limit` a file; see `against`.

    Raises:
        SourceError: a file is malformed.
    """
    found = []
    for path in paths:
        pool = Pool(read_labelled(path), seed)
        grounder = grounder_of(pool.items, grounder_for)
        fitting = [item for item in pool.supported() if len(item.context) <= _LONGEST]
        chosen = Random(f"{seed}:bots").sample(fitting, min(limit, len(fitting)))
        rows = [real_row(item, pool, grounder) for item in chosen]
        found += [{"name": path.stem, **result} for result in against(rows, grounder, resamples, seed)]
    return found


def bots_of_run(
    rows: Sequence[Row], grounder: TextSupport, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[dict[str, Any]]:
    """Each bot against the answers of a run; refused and failed questions are left out. See `against`."""
    real = [row for row in rows if row.answer is not None and not row.refused]
    return [{"name": "run", **result} for result in against(real, grounder, resamples, seed)]


def against(
    real: Sequence[Row], grounder: TextSupport, resamples: int = RESAMPLES, seed: int = 0
) -> list[dict[str, Any]]:
    """For each bot the metric that must catch it: the `real` figure, the bot's `value`, and `ok`.

    `delta` is bot - real with its paired 95 % interval over questions. `ok` says whether that
    interval lies wholly on the bad side of 0; None where fewer than two questions are eligible.
    Questions without a text are left out of `repeat_question`.
    """
    results = []
    for bot in BOTS:
        metric = _METRICS[bot.caught_by]
        rows = [row for row in real if bot.make is not repeat_question or row.gold.question.strip()]
        results.append(
            {"bot": bot.name, **_compared(metric, rows, [bot.make(row, grounder) for row in rows], resamples, seed)}
        )
    return results


def real_row(item: LabelledItem, pool: Pool, grounder: TextSupport) -> Row:
    """A supported claim as the answer of a system that cites its passage, found among others."""
    rng = Random(f"{pool.seed}:context:{item.id}")
    texts = [item.context, *(text[:_LONGEST] for text in pool.distractors(item, PASSAGES - 1, rng))]
    rng.shuffle(texts)
    own = texts.index(item.context)
    retrieved = tuple(
        Retrieved(paper_id=f"{item.id}#{place}", title=f"Passage {place + 1}", score=1 / (place + 1), text=text)
        for place, text in enumerate(texts)
    )
    documents = {1: item.context}
    measured = []
    for span in sentences(MARKER.sub("", item.claim)):
        score = grounder.text_support(span.text, texts).score
        plain = SentenceMeasure(text=span.text, worthy=True, context=score)
        measured.append(_cited(plain, (1,), documents, grounder))
    gold = GoldQuestion(item.id, item.question, (), True, "labelled", (f"Passage {own + 1}",), (), ())
    citation = {"n": 1, "paper_id": f"{item.id}#{own}", "title": f"Passage {own + 1}"}
    answer = {"answer": " ".join(f"{m.text} [1]" for m in measured), "outcome": "answered", "citations": [citation]}
    return Row(gold=gold, answer=answer, retrieved=retrieved, sentences=tuple(measured))


def _compared(metric: Metric, real: Sequence[Row], bots: Sequence[Row], resamples: int, seed: int) -> dict[str, Any]:
    found = compare(metric, real, bots, resamples, seed)
    ok = None
    if found.low is not None and found.high is not None:
        ok = found.high < 0 if metric.higher_is_better else found.low > 0
    figures = {"real": found.a, "value": found.b, "delta": found.delta, "low": found.low, "high": found.high}
    return {
        "metric": metric.name,
        "title": metric.title,
        **{key: rounded(value) for key, value in figures.items()},
        "n": found.n,
        "ok": ok,
    }


def _context(row: Row) -> dict[str, str]:
    """The text of each paper in the answer's context: its abstract where the row holds it, else its passage."""
    return {
        found.paper_id: f"{found.title}\n{row.abstracts[found.paper_id]}"
        if found.paper_id in row.abstracts
        else found.text
        for found in row.retrieved
        if found.text and found.left_out is None
    }


def _cited(
    sentence: SentenceMeasure, markers: tuple[int, ...], documents: dict[int, str], grounder: TextSupport
) -> SentenceMeasure:
    """The sentence with other citations: its support by all of them, by each, and by all without each."""

    def score(kept: Sequence[int]) -> float:
        return grounder.text_support(sentence.text, [documents[n] for n in kept]).score if kept else 0.0

    return sentence.model_copy(
        update={
            "markers": markers,
            "cited": score(markers),
            "alone": tuple(score([n]) for n in markers),
            "without": tuple(score([m for m in markers if m != n]) for n in markers),
        }
    )


def _answered(
    row: Row,
    text: str,
    *,
    outcome: str | None = None,
    citations: Sequence[dict[str, Any]] | None = None,
    measured: tuple[SentenceMeasure, ...] = (),
) -> Row:
    """The row with another answer to the same question from the same context."""
    outcome = outcome or row.outcome
    answer = {
        **(row.answer or {}),
        "answer": text,
        "outcome": outcome,
        "refused": outcome == "refused",
        "citations": list(citations or []),
    }
    return row.model_copy(update={"answer": answer, "sentences": measured})
