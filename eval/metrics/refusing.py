"""Refusals: found where the papers do not answer, and only there. Positive means "should refuse".

A failed row is no refusal: it is a miss where one was due. It is left out of the rates of bad
answers, so that failing never looks like restraint.
"""

from __future__ import annotations

from eval.metrics.figures import Metric, Part
from eval.rows import Row

GROUP = "Refusal"


def _precision(row: Row) -> Part | None:
    return Part(float(not row.gold.answerable)) if row.refused else None


def _recall(row: Row) -> Part | None:
    return None if row.gold.answerable else Part(float(row.refused))


def _f1(row: Row) -> Part:
    """2 TP over 2 TP + FP + FN; a question rightly answered adds nothing to either."""
    wanted, refused = not row.gold.answerable, row.refused
    return Part(2.0 * (wanted and refused), float(wanted) + float(refused))


def _over_refusal(row: Row) -> Part | None:
    return Part(float(row.refused)) if row.gold.answerable and row.answer is not None else None


def _hedged(row: Row) -> Part | None:
    if not row.gold.answerable or row.answer is None:
        return None
    return Part(float(row.outcome in ("partial", "corrected")))


def _wrong_on_unanswerable(row: Row) -> Part | None:
    return None if row.gold.answerable or row.answer is None else Part(float(row.outcome == "answered"))


REFUSAL_METRICS: tuple[Metric, ...] = (
    Metric("refusal_precision", "Refusals that were due", GROUP, _precision, binary=True),
    Metric("refusal_recall", "Unanswerable questions refused", GROUP, _recall, binary=True),
    Metric("refusal_f1", "Refusal F1", GROUP, _f1),
    Metric("over_refusal", "Answerable questions refused", GROUP, _over_refusal, higher_is_better=False, binary=True),
    Metric(
        "hedged",
        "Answerable questions answered in part or corrected",
        GROUP,
        _hedged,
        higher_is_better=False,
        binary=True,
    ),
    Metric(
        "wrong_on_unanswerable",
        "Unanswerable questions answered all the same",
        GROUP,
        _wrong_on_unanswerable,
        higher_is_better=False,
        binary=True,
    ),
)
