"""Fit the confidence to answered questions: `make calibrate` prints what goes into `rag/answer/confidence.py`.

A logistic regression with an L2 penalty whose coefficients cannot be negative, so that no signal
that speaks for an answer lowers its confidence. What it is worth is measured by cross-validation
over questions.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from eval.metrics.calibration import calibration
from eval.metrics.correctness import is_correct
from eval.metrics.figures import Figure
from eval.metrics.resampling import RESAMPLES, Floats
from eval.rows import Row
from eval.runs.score import load_run
from rag.answer.confidence import COEFFICIENTS, HIGH, LOW, logistic
from rag.errors import SourceError

SIGNALS = tuple(COEFFICIENTS)
PENALTY = 5.0  # on coefficients of standardised signals
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Fit:
    """log-odds of being right = `intercept` + `weights` · signals, in the order of `SIGNALS`."""

    intercept: float
    weights: Floats

    def probability(self, signals: Floats) -> float:
        """The chance of being right for one row of signals."""
        return logistic(self.intercept + float(signals @ self.weights))


def calibrate(paths: Sequence[Path], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Coefficients fitted to all runs together, and what they are worth; JSON-ready.

    `before` is how well the confidence stated in the runs is calibrated, `after` the same of the
    new one, cross-validated; `levels` the share right at each level, cross-validated. `recorded`
    and `refused` are the shares right of answers from records and of refusals, by Laplace's rule.

    Raises:
        SourceError: a run is damaged, or holds too few answers of either kind.
    """
    rows = [row for path in paths for row in load_run(path)[1] if is_correct(row) is not None and row.answer]
    quoted = [row for row in rows if not row.refused and _is_quoted(row)]
    right = np.array([bool(is_correct(row)) for row in quoted], dtype=np.float64)
    if min(right.sum(), len(right) - right.sum(), len(right) / FOLDS) < 2:
        raise SourceError(
            f"The runs hold {len(right)} answers by quotes, of which {right.sum():.0f} are right: too few to fit.",
            "Run `paperchat eval run --answerer quotes` on more questions.",
        )
    signals = np.array([[_signals(row)[name] for name in SIGNALS] for row in quoted], dtype=np.float64)
    found = fit(signals, right)
    honest = cross_validated(signals, right, [row.gold.qid for row in quoted])
    restated = [_stating(row, probability) for row, probability in zip(quoted, honest, strict=True)]
    return {
        "intercept": round(found.intercept, 3),
        "coefficients": {name: round(float(w), 3) for name, w in zip(SIGNALS, found.weights, strict=True)},
        "recorded": _laplace([row for row in rows if not row.refused and not _is_quoted(row)]),
        "refused": _laplace([row for row in rows if row.refused]),
        "levels": levels(honest, right),
        "before": _figures(calibration(quoted, resamples).figures),
        "after": _figures(calibration(restated, resamples).figures),
    }


def fit(signals: Floats, right: Floats) -> Fit:
    """Fit `signals` (n, k) to `right` (n,), 0 or 1; a signal that never varies gets the coefficient 0."""
    mean, spread = signals.mean(axis=0), signals.std(axis=0)
    scale = np.where(spread > 1e-9, spread, np.inf)
    columns = np.column_stack([np.ones(len(signals)), (signals - mean) / scale])

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = columns @ weights
        penalised = np.concatenate([[0.0], weights[1:]])
        gradient = columns.T @ (1 / (1 + np.exp(-logits)) - right) + PENALTY * penalised
        value = np.logaddexp(0, logits).sum() - right @ logits + PENALTY / 2 * (penalised @ penalised)
        return float(value), gradient

    bounds = [(None, None)] + [(0.0, None)] * signals.shape[1]
    found: Floats = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[1:] / scale
    return Fit(float(found[0] - mean @ weights), weights)


def cross_validated(signals: Floats, right: Floats, qids: Sequence[str]) -> list[float]:
    """Each question's probability by a fit that has not seen it; the fold is drawn by the qid."""
    folds = np.array([int(hashlib.sha256(qid.encode()).hexdigest(), 16) % FOLDS for qid in qids])
    fits = {fold: fit(signals[folds != fold], right[folds != fold]) for fold in set(folds.tolist())}
    return [fits[int(fold)].probability(row) for fold, row in zip(folds, signals, strict=True)]


def levels(probabilities: Sequence[float], right: Floats) -> dict[str, dict[str, float | int | None]]:
    """How many answers get each level, and the share of them that is right."""
    stated = np.array(probabilities)
    members = {"high": stated >= HIGH, "medium": (stated >= LOW) & (stated < HIGH), "low": stated < LOW}
    return {
        name: {"n": int(own.sum()), "right": round(float(right[own].mean()), 4) if own.any() else None}
        for name, own in members.items()
    }


def _signals(row: Row) -> dict[str, float]:
    return dict((row.answer or {}).get("signals", {}))


def _is_quoted(row: Row) -> bool:
    return set(SIGNALS) <= _signals(row).keys() and (row.answer or {}).get("model") is None


def _stating(row: Row, probability: float) -> Row:
    signals = {**_signals(row), "confidence": probability}
    return row.model_copy(update={"answer": {**(row.answer or {}), "signals": signals}})


def _laplace(rows: Sequence[Row]) -> float:
    """The share right with one right and one wrong added, so that a few rows claim no certainty."""
    return round((sum(bool(is_correct(row)) for row in rows) + 1) / (len(rows) + 2), 3)


def _figures(figures: Sequence[Figure]) -> dict[str, list[float | None]]:
    """Value and interval of each figure by name."""
    return {
        figure.name: [
            None if number is None else round(number, 4) for number in (figure.value, figure.low, figure.high)
        ]
        for figure in figures
    }


if __name__ == "__main__":
    print(json.dumps(calibrate([Path(name) for name in sys.argv[1:]]), indent=2))
