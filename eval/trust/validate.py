"""Whether the grounding score agrees with people: `paperchat eval validate-metric`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from eval.formats.labelled import LabelledItem, read_labelled
from eval.metrics.auroc import (
    Interval,
    Scored,
    auroc,
    auroc_interval,
    balanced_accuracy,
    balanced_accuracy_interval,
    scored,
)
from eval.metrics.resampling import RESAMPLES
from rag.answer.alignment import Idf, idf_of
from rag.answer.grounding import GROUNDING_VERSION, SUPPORTED, Grounder, Support
from rag.models.interfaces import Embedder

SCHEMA = 1


class TextSupport(Protocol):
    """What scores a text against documents, as `Grounder` does."""

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        """The support of `text` by `documents`."""
        ...


GrounderFor = Callable[[Iterable[str]], TextSupport]
"""Makes the score for one file, with word weights from the file's contexts."""


class _Cold:
    """The product's own score, with nothing kept from one item to the next, so that each takes its time."""

    def __init__(self, idf: Idf, embedder: Embedder) -> None:
        self._idf, self._embedder = idf, embedder

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        """See `Grounder.text_support`."""
        return Grounder(self._idf, self._embedder).text_support(text, documents)


def grounders(embedder: Embedder) -> GrounderFor:
    """The product's own score over any texts, with their word weights."""
    return lambda texts: _Cold(idf_of(texts), embedder)


def remembering_grounders(embedder: Embedder) -> GrounderFor:
    """The same score, faster where texts recur, as they do under edits; no use for timing it."""
    return lambda texts: Grounder(idf_of(texts), embedder)


def grounder_of(items: Iterable[LabelledItem], grounder_for: GrounderFor) -> TextSupport:
    """The score for a file's items: each distinct context is a document of its word weights."""
    return grounder_for(list(dict.fromkeys(item.context for item in items)))


def validate_metric(
    paths: Sequence[Path],
    grounder_for: GrounderFor,
    *,
    threshold: float = SUPPORTED,
    resamples: int = RESAMPLES,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """For each file how well the score agrees with its labels; JSON-ready.

    `auroc` (ranking) and `bacc` (balanced accuracy at `threshold`) with 95 % intervals over
    questions, None where all labels are equal; `by_raw` holds supported items against each raw
    label that is unsupported; `p95_ms` and `p50_ms` are the time an item takes. All files are read
    before anything is scored. `advance` hears of items done and of all items.

    Raises:
        SourceError: a file is malformed.
    """
    files = [(path, read_labelled(path)) for path in paths]
    total = sum(len(items) for _, items in files)
    done, found = 0, []
    for path, items in files:
        grounder = grounder_of(items, grounder_for)
        grounder.text_support(items[0].claim, [items[0].context])  # models warm before the clock runs
        scores, times = [], []
        for item in items:
            started = time.perf_counter()
            scores.append(grounder.text_support(item.claim, [item.context]).score)
            times.append((time.perf_counter() - started) * 1000)
            done += 1
            advance(done, total)
        found.append(agreement(path.stem, items, scores, times, threshold, resamples, seed))
    return found


def agreement(
    name: str,
    items: Sequence[LabelledItem],
    scores: Sequence[float],
    times_ms: Sequence[float],
    threshold: float = SUPPORTED,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """What one file says of the score: see `validate_metric`."""
    everything = _scored(items, scores)
    return {
        "name": name,
        "n": len(items),
        "supported": sum(item.label for item in items),
        "questions": len({item.cluster for item in items}),
        "auroc": rounded(auroc(everything)),
        "auroc_ci": as_list(auroc_interval(everything, resamples, seed)),
        "bacc": rounded(balanced_accuracy(everything, threshold)),
        "bacc_ci": as_list(balanced_accuracy_interval(everything, threshold, resamples, seed)),
        "threshold": threshold,
        "p50_ms": round(float(np.percentile(times_ms, 50)), 1),
        "p95_ms": round(float(np.percentile(times_ms, 95)), 1),
        "by_raw": _by_raw(items, scores, resamples, seed),
    }


def report(files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `validate-metric --json` prints, and `eval/data/agreement.json` keeps."""
    return {
        "schema": SCHEMA,
        "grounding": {"version": GROUNDING_VERSION, "threshold": SUPPORTED},
        "files": list(files),
    }


def rounded(value: float | None) -> float | None:
    """A figure to four places, or none."""
    return None if value is None else round(value, 4)


def as_list(bounds: Interval) -> list[float] | None:
    """An interval as JSON has it."""
    low, high = bounds
    return None if low is None or high is None else [round(low, 4), round(high, 4)]


def _by_raw(
    items: Sequence[LabelledItem], scores: Sequence[float], resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Supported items against those of each raw label that means unsupported."""
    labels = sorted({item.raw for item in items if item.label == 0 and item.raw})
    found = {}
    for raw in labels:
        kept = [i for i, item in enumerate(items) if item.label == 1 or item.raw == raw]
        some = _scored([items[i] for i in kept], [scores[i] for i in kept])
        found[raw] = {
            "n": sum(items[i].label == 0 for i in kept),
            "auroc": rounded(auroc(some)),
            "auroc_ci": as_list(auroc_interval(some, resamples, seed)),
        }
    return found


def _scored(items: Sequence[LabelledItem], scores: Sequence[float]) -> Scored:
    return scored(scores, [item.label == 1 for item in items], [item.cluster for item in items])
