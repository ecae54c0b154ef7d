"""Questions drawn again and again, and runs swapped question by question; everything else is arithmetic.

The bootstrap is the percentile one of "An Introduction to the Bootstrap", the test the approximate
randomisation of "Computer-Intensive Methods for Testing Hypotheses". Both take figures that are
ratios of sums over questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

RESAMPLES = 10_000
LEVEL = 0.95
TIE = 1e-12  # a difference that only rounding makes
_CHUNK = 2_000_000  # numbers held at a time
_EXACT = 12  # questions up to which all 2**n swaps are counted instead of drawn


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums: `totals` and `counts` by question, (n,) each, questions in one order."""

    totals: Floats
    counts: Floats

    @property
    def value(self) -> float | None:
        """The sum of totals over the sum of counts; None where nothing is counted."""
        count = float(self.counts.sum())
        return float(self.totals.sum()) / count if count > 0 else None


def resampled_indices(n: int, resamples: int, seed: int) -> Iterator[Indices]:
    """Questions drawn with replacement, (chunk, n) at a time; the same for the same n and seed."""
    rng = np.random.default_rng(seed)
    for size in _chunks(n, resamples):
        yield rng.integers(0, n, size=(size, n), dtype=np.intp)


def resampled_ratios(ratio: Ratio, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The ratio in each resample of questions, (resamples,); nan where nothing is counted."""
    return np.concatenate(
        [
            _divided(ratio.totals[drawn].sum(axis=1), ratio.counts[drawn].sum(axis=1))
            for drawn in resampled_indices(len(ratio.totals), resamples, seed)
        ]
    )


def interval(values: Floats) -> tuple[float, float] | tuple[None, None]:
    """The central 95 % of resampled values; those that a resample left undefined do not count."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def randomisation(a: Ratio, b: Ratio, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p that swapping two runs question by question gives a difference as large as theirs.

    Exact over all swaps of few questions; else drawn, with the one that was seen counted in. A
    swap that leaves a run nothing to count speaks against a difference.
    """
    n = len(a.totals)
    observed = _swapped(a, b, np.zeros((1, n)))[0]
    exact = n <= _EXACT
    extreme = drawn = 0
    for swaps in _all_swaps(n) if exact else _drawn_swaps(n, resamples, seed):
        extreme += int(np.sum(~(_swapped(a, b, swaps) < observed - TIE)))
        drawn += len(swaps)
    return extreme / drawn if exact else (extreme + 1) / (drawn + 1)


def _swapped(a: Ratio, b: Ratio, swaps: Floats) -> Floats:
    """How far apart the runs are after each row of 0/1 `swaps`, (m, n): (m,)."""
    total, count = swaps @ (b.totals - a.totals), swaps @ (b.counts - a.counts)
    ratio_a = _divided(a.totals.sum() + total, a.counts.sum() + count)
    ratio_b = _divided(b.totals.sum() - total, b.counts.sum() - count)
    return np.abs(ratio_b - ratio_a)


def _all_swaps(n: int) -> Iterator[Floats]:
    yield ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _drawn_swaps(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    for size in _chunks(n, resamples):
        yield rng.integers(0, 2, size=(size, n)).astype(np.float64)


def _chunks(n: int, resamples: int) -> Iterator[int]:
    """Sizes that add up to `resamples`, each few enough rows of `n` numbers."""
    most = max(1, _CHUNK // max(n, 1))
    yield from (min(most, resamples - start) for start in range(0, resamples, most))


def _divided(totals: Floats, counts: Floats) -> Floats:
    return np.asarray(np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > TIE))
