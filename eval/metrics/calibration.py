"""Whether the stated confidence can be trusted: over the answered questions with a confidence.

Risk-coverage and E-AURC as in "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers";
ECE with bins of equal mass as in "Measuring Calibration in Deep Learning". Questions of equal
confidence come in no order: each curve has its expected value over all of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.correctness import is_correct
from eval.metrics.figures import Figure
from eval.metrics.resampling import RESAMPLES, TIE, Floats, Indices, interval, resampled_indices
from eval.rows import Row

GROUP = "Calibration"
BINS = 15
MOST_RISK = 0.05

_TITLES = {
    "aurc": "Area under the risk-coverage curve",
    "e_aurc": "That area beyond the least possible",
    "coverage_at_risk": "Coverage at 5 % risk",
    "ece": "Expected calibration error",
    "brier": "Brier score",
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """Figures in the order of a table, and the curves of a plot.

    `risk_coverage` points are [coverage, risk], `reliability` ones [mean confidence, share right, n].
    """

    figures: tuple[Figure, ...]
    risk_coverage: list[list[float]]
    reliability: list[list[float]]

    def curves(self) -> dict[str, list[list[float]]]:
        """The curves by name, JSON-ready."""
        return {"risk_coverage": self.risk_coverage, "reliability": self.reliability}


def calibration(rows: Sequence[Row], resamples: int = RESAMPLES, seed: int = 0) -> Calibration:
    """Calibration over the rows that were not refused, state a confidence, and are known right or wrong.

    Refused and failed rows are left out: a refusal is not an answer that one could trust. Every
    figure is "not eligible" (None) when no row is left.
    """
    judged = _Judged.of(rows)
    n = len(judged.confidence)
    if not n:
        return Calibration(tuple(_figure(name, None, None, None, 0) for name in _TITLES), [], [])
    everything = np.arange(n)[None]
    values = judged.measures(everything)[:, 0]
    bounds: list[tuple[float, float] | tuple[None, None]] = [(None, None)] * len(_TITLES)
    if n > 1:
        drawn = [judged.measures(np.sort(index, axis=1)) for index in resampled_indices(n, resamples, seed)]
        bounds = [interval(column) for column in np.concatenate(drawn, axis=1)]
    figures = [
        _figure(name, float(v), low, high, n) for name, v, (low, high) in zip(_TITLES, values, bounds, strict=True)
    ]
    risks = _risks(judged.expected_wrong(everything))[0]
    return Calibration(
        tuple(figures),
        [[round((k + 1) / n, 6), round(float(risk), 6)] for k, risk in enumerate(risks)],
        judged.reliability(),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """Answered questions by falling confidence: `wrong` is 0 or 1, `groups` numbers equal confidences; all (n,)."""

    confidence: Floats
    wrong: Floats
    groups: Indices

    @classmethod
    def of(cls, rows: Sequence[Row]) -> _Judged:
        pairs = [
            (row.confidence, correct)
            for row in rows
            if row.answer is not None and not row.refused
            if row.confidence is not None and (correct := is_correct(row)) is not None
        ]
        pairs.sort(key=lambda pair: -pair[0])
        confidence = np.array([stated for stated, _ in pairs], dtype=np.float64)
        wrong = np.array([not correct for _, correct in pairs], dtype=np.float64)
        return cls(confidence, wrong, np.unique(-confidence, return_inverse=True)[1].astype(np.intp))

    def expected_wrong(self, index: Indices) -> Floats:
        """For samples of sorted indices, (m, n): how often the question at each place is wrong, when
        questions of equal confidence stand in any order."""
        width = int(self.groups[-1]) + 1
        cells = self.groups[index] + width * np.arange(len(index))[:, None]
        wrong = np.bincount(cells.ravel(), weights=self.wrong[index].ravel(), minlength=width * len(index))
        return np.asarray((wrong / np.maximum(np.bincount(cells.ravel(), minlength=len(wrong)), 1))[cells])

    def measures(self, index: Indices) -> Floats:
        """The figures of `_TITLES`, in its order, for each sample of sorted indices (m, n): (5, m)."""
        wrong, confidence = self.expected_wrong(index), self.confidence[index]
        risks = _risks(wrong)
        area = risks.mean(axis=1)
        beyond = np.maximum(area - _best_area(wrong.sum(axis=1), index.shape[1]), 0.0)
        gaps = _bin_sums(confidence - (1 - wrong))
        brier = ((confidence - (1 - self.wrong[index])) ** 2).mean(axis=1)
        return np.stack([area, beyond, self._coverage(risks, index), np.abs(gaps).sum(axis=1) / index.shape[1], brier])

    def _coverage(self, risks: Floats, index: Indices) -> Floats:
        """The largest share that a threshold admits at the most risk allowed: equal confidences go together."""
        groups, n = self.groups[index], index.shape[1]
        last = np.concatenate([groups[:, 1:] != groups[:, :-1], np.ones((len(index), 1), dtype=bool)], axis=1)
        admitted = np.where(last & (risks <= MOST_RISK + TIE), np.arange(1, n + 1), 0)
        return np.asarray(admitted.max(axis=1) / n)

    def reliability(self) -> list[list[float]]:
        """For each bin of equal mass: mean confidence, share right, number; least confident first."""
        wrong = self.expected_wrong(np.arange(len(self.wrong))[None])
        sums = (_bin_sums(self.confidence[None])[0], _bin_sums(1 - wrong)[0], _bin_sums(np.ones_like(wrong))[0])
        return [[round(float(c / n), 6), round(float(r / n), 6), int(n)] for c, r, n in zip(*sums, strict=True)][::-1]


def _risks(wrong: Floats) -> Floats:
    """The share wrong among the first k, for each k: (m, n)."""
    return np.asarray(wrong.cumsum(axis=1) / np.arange(1, wrong.shape[1] + 1))


def _best_area(errors: Floats, n: int) -> Floats:
    """The area when every wrong answer stands last: the mean over k of max(0, k - (n - errors)) / k."""
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])
    right = n - np.rint(errors)
    return np.asarray((n - right - right * (harmonic[n] - harmonic[right.astype(np.intp)])) / n)


def _bin_sums(values: Floats) -> Floats:
    """Sums over consecutive bins as equal in size as can be, (m, n) to (m, bins)."""
    n = values.shape[1]
    starts = [block[0] for block in np.array_split(np.arange(n), min(BINS, n))]
    return np.asarray(np.add.reduceat(values, starts, axis=1))


def _figure(name: str, value: float | None, low: float | None, high: float | None, n: int) -> Figure:
    return Figure(name, _TITLES[name], GROUP, value, low, high, n, higher_is_better=name == "coverage_at_risk")
