"""An LLM as judge beside the offline metric: what it finds supported, and with whom it agrees.

Optional, cached, and never part of the gate: its verdicts change with the model behind it
("Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena" lists how they err).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from eval.formats.labelled import LabelledItem
from eval.judging.ask import Document, Judge
from eval.judging.cache import JudgeCache
from eval.metrics.raters import accuracy, agreement, share
from eval.metrics.resampling import RESAMPLES
from eval.rows import Row, SentenceMeasure
from rag.answer.grounding import SUPPORTED, Support
from rag.answer.prompts import JUDGE_VERSION
from rag.models.interfaces import Generator

Progress = Callable[[int, int], None]
Offline = Callable[[str, Sequence[str]], Support]
"""The offline metric: `Grounder.text_support`."""

EVIDENCE = "Evidence"  # stands as the title of a text that has none


def judge(
    rows: Sequence[Row],
    generator: Generator,
    cache: JudgeCache,
    *,
    budget_tokens: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Ask about each check-worthy sentence of a run's answers (not of refusals) against its context.

    JSON-ready: `supported` is the share that the judge finds supported, `with_offline` its agreement
    with the offline metric at its threshold, `disagreements` the sentences on which they differ.
    Intervals are over questions. An interruption keeps every verdict in the cache.

    Raises:
        EndpointError, ModelError, SourceError: see `Judge.verdict`.
    """
    asked = Judge(generator, cache, budget_tokens)
    worthy = [(row, sentence) for row in rows if not row.refused for sentence in row.sentences if sentence.worthy]
    verdicts = _all(asked, [(sentence.text, context_of(row)) for row, sentence in worthy], progress)
    judged = [(row, sentence, v) for (row, sentence), v in zip(worthy, verdicts, strict=True) if v is not None]
    said = [verdict for _, _, verdict in judged]
    offline = [sentence.context >= SUPPORTED for _, sentence, _ in judged]
    clusters = [row.gold.qid for row, _, _ in judged]
    return {
        **_about(asked, len(worthy), len(judged)),
        "threshold": SUPPORTED,
        "supported": {**share(said, clusters, resamples=resamples, seed=seed), "n": len(judged)},
        "with_offline": agreement(said, offline, clusters, resamples=resamples, seed=seed),
        "disagreements": [_differing(*each) for each in judged if each[2] != (each[1].context >= SUPPORTED)],
    }


def judge_labelled(
    items: Sequence[LabelledItem],
    offline: Offline,
    generator: Generator,
    cache: JudgeCache,
    *,
    budget_tokens: int,
    limit: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Ask about claims that people have labelled; the offline metric is held against the same items.

    `limit` draws that many items by `seed`. JSON-ready: `judge` and `offline` each with balanced
    accuracy and kappa against the labels, `with_offline` the agreement of the two.

    Raises:
        EndpointError, ModelError, SourceError: see `Judge.verdict`.
    """
    asked = Judge(generator, cache, budget_tokens)
    drawn = list(items) if limit is None or limit >= len(items) else random.Random(seed).sample(list(items), limit)
    claims = [(item.claim, [Document(EVIDENCE, item.context)] if item.context.strip() else []) for item in drawn]
    verdicts = _all(asked, claims, progress)
    judged = [(item, verdict) for item, verdict in zip(drawn, verdicts, strict=True) if verdict is not None]
    labels, said = [item.label == 1 for item, _ in judged], [verdict for _, verdict in judged]
    scored = [offline(item.claim, [item.context]).score >= SUPPORTED for item, _ in judged]
    clusters = [item.cluster for item, _ in judged]
    return {
        **_about(asked, len(drawn), len(judged)),
        "threshold": SUPPORTED,
        "judge": accuracy(labels, said, clusters, resamples=resamples, seed=seed),
        "offline": accuracy(labels, scored, clusters, resamples=resamples, seed=seed),
        "with_offline": agreement(said, scored, clusters, resamples=resamples, seed=seed),
    }


def context_of(row: Row) -> list[Document]:
    """What the answer was written from: each paper's abstract where the row has it, else its passage."""
    texts = [(found, row.abstracts.get(found.paper_id) or found.text) for found in row.retrieved if not found.left_out]
    return [Document(found.title, text) for found, text in texts if text]


def _all(
    asked: Judge, claims: Sequence[tuple[str, Sequence[Document]]], progress: Progress | None
) -> list[bool | None]:
    verdicts = []
    for done, (claim, documents) in enumerate(claims, start=1):
        verdicts.append(asked.verdict(claim, documents))
        if progress:
            progress(done, len(claims))
    return verdicts


def _about(asked: Judge, claims: int, judged: int) -> dict[str, Any]:
    return {"model": asked.model, "prompt": JUDGE_VERSION, "claims": claims, "judged": judged, **asdict(asked.tally)}


def _differing(row: Row, sentence: SentenceMeasure, verdict: bool) -> dict[str, Any]:
    return {"qid": row.gold.qid, "sentence": sentence.text, "judge": verdict, "offline": sentence.context}
