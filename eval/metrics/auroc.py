"""How well a score tells two classes apart: AUROC and balanced accuracy, with bootstrap intervals.

AUROC is the Mann-Whitney statistic of "On a Test of Whether One of Two Random Variables Is
Stochastically Larger than the Other", ties counting half. Clusters (questions) are drawn with
replacement, since items of one question are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.metrics.resampling import RESAMPLES, Floats, interval, resampled_indices

_CHUNK = 4_000_000  # weights held at a time

Interval = tuple[float, float] | tuple[None, None]


@dataclass(frozen=True, slots=True)
class Scored:
    """Items with a score, a class (`positive`) and the cluster each belongs to; (n,) each."""

    scores: Floats
    positive: npt.NDArray[np.bool_]
    clusters: npt.NDArray[np.intp]

    @property
    def both(self) -> bool:
        """Whether there are items of both classes."""
        return bool(self.positive.any() and not self.positive.all())


def scored(scores: Sequence[float], positive: Sequence[bool], clusters: Sequence[Hashable]) -> Scored:
    """Items for `auroc` and `balanced_accuracy`; equal `clusters` are drawn together."""
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return Scored(
        np.asarray(scores, dtype=np.float64),
        np.asarray(positive, dtype=np.bool_),
        np.asarray([numbers[cluster] for cluster in clusters], dtype=np.intp),
    )


def auroc(items: Scored) -> float | None:
    """The chance that a positive item scores above a negative one; None where a class is empty."""
    return float(_aurocs(items)(np.ones((1, len(items.scores))))[0]) if items.both else None


def auroc_interval(items: Scored, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Its 95 % percentile interval; None twice where a class is empty."""
    return _interval(items, _aurocs(items), resamples, seed) if items.both else (None, None)


def balanced_accuracy(items: Scored, threshold: float) -> float | None:
    """The mean of both classes' share on the right side of `threshold`; None where a class is empty."""
    return float(_accuracies(items, threshold)(np.ones((1, len(items.scores))))[0]) if items.both else None


def balanced_accuracy_interval(items: Scored, threshold: float, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Its 95 % percentile interval; None twice where a class is empty."""
    return _interval(items, _accuracies(items, threshold), resamples, seed) if items.both else (None, None)


_Statistic = Callable[[Floats], Floats]
"""Weights of items (k, n) to k values."""


def _aurocs(items: Scored) -> _Statistic:
    """Weighted AUROC: negative weight below each score level, half of that at it."""
    order = np.argsort(items.scores, kind="stable")
    ordered = items.scores[order]
    levels = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    positive = items.positive[order]

    def values(weights: Floats) -> Floats:
        own = weights[:, order]
        above = np.add.reduceat(np.where(positive, own, 0.0), levels, axis=1)
        below = np.add.reduceat(np.where(positive, 0.0, own), levels, axis=1)
        won = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
        return _divided(won, np.asarray(above.sum(axis=1) * below.sum(axis=1)))

    return values


def _accuracies(items: Scored, threshold: float) -> _Statistic:
    passed = items.scores >= threshold

    def values(weights: Floats) -> Floats:
        found = _divided(weights @ (passed & items.positive), weights @ items.positive)
        kept = _divided(weights @ (~passed & ~items.positive), weights @ ~items.positive)
        return np.asarray((found + kept) / 2)

    return values


def _interval(items: Scored, statistic: _Statistic, resamples: int, seed: int) -> Interval:
    drawn = [statistic(weights) for weights in _weights(items.clusters, resamples, seed)]
    return interval(np.concatenate(drawn))


def _weights(clusters: npt.NDArray[np.intp], resamples: int, seed: int) -> Iterator[Floats]:
    """How often each item is drawn, (k, n) at a time."""
    n_clusters = int(clusters.max()) + 1
    rows = max(1, _CHUNK // len(clusters))
    for drawn in resampled_indices(n_clusters, resamples, seed):
        for at in range(0, len(drawn), rows):
            some = drawn[at : at + rows]
            cells = some + np.arange(len(some))[:, None] * n_clusters
            counts = np.bincount(cells.ravel(), minlength=len(some) * n_clusters).reshape(len(some), n_clusters)
            yield counts[:, clusters].astype(np.float64)


def _divided(totals: Floats, counts: Floats) -> Floats:
    """Quotients, nan where a resample drew nothing of a class."""
    quotients: Floats = np.full(len(totals), np.nan)
    np.divide(totals, counts, out=quotients, where=counts > 0)
    return quotients
