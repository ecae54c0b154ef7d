"""How far two raters agree on yes or no, beyond chance: raw agreement, Cohen's kappa, balanced accuracy.

Kappa is that of "A Coefficient of Agreement for Nominal Scales". Intervals draw clusters
(questions), never single sentences, since sentences of one answer stand and fall together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eval.metrics.resampling import RESAMPLES, Floats, interval, resampled_indices

Estimate = dict[str, float | None]
"""`value` with its 95 % interval `low` to `high`; None where it is undefined."""


def agreement(
    first: Sequence[bool], second: Sequence[bool], clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """`n`, raw `agreement` and `kappa` of two raters; `clusters` names what each item belongs to."""
    tables = _tables(first, second, clusters)
    return {
        "n": len(first),
        "agreement": _estimate(_raw, tables, resamples, seed),
        "kappa": _estimate(_kappa, tables, resamples, seed),
    }


def accuracy(
    truth: Sequence[bool], said: Sequence[bool], clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """`n`, balanced accuracy `bacc` and `kappa` of a rater against the truth; bacc needs both classes."""
    tables = _tables(truth, said, clusters)
    return {
        "n": len(truth),
        "bacc": _estimate(_balanced, tables, resamples, seed),
        "kappa": _estimate(_kappa, tables, resamples, seed),
    }


def share(said: Sequence[bool], clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The share of yes."""
    return _estimate(_raw, _tables(said, [True] * len(said), clusters), resamples, seed)


def _tables(first: Sequence[bool], second: Sequence[bool], clusters: Sequence[str]) -> Floats:
    """Counts of (yes, yes), (yes, no), (no, yes) and (no, no) for each cluster: (clusters, 4)."""
    order = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    tables = np.zeros((len(order), 4))
    for one, other, cluster in zip(first, second, clusters, strict=True):
        tables[order[cluster], 2 * (not one) + (not other)] += 1
    return tables


def _estimate(measure: Callable[[Floats], Floats], tables: Floats, resamples: int, seed: int) -> Estimate:
    """`measure` takes pooled tables, (m, 4), to one value each, nan where it is undefined."""
    if not len(tables):
        return {"value": None, "low": None, "high": None}
    value = float(measure(tables.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    drawn = [measure(tables[rows].sum(axis=1)) for rows in resampled_indices(len(tables), resamples, seed)]
    low, high = interval(np.concatenate(drawn))
    return {"value": round(value, 6), "low": _rounded(low), "high": _rounded(high)}


def _raw(tables: Floats) -> Floats:
    return _divided(tables[:, 0] + tables[:, 3], tables.sum(axis=1))


def _kappa(tables: Floats) -> Floats:
    n = tables.sum(axis=1)
    observed = _raw(tables)
    first_yes = _divided(tables[:, 0] + tables[:, 1], n)
    second_yes = _divided(tables[:, 0] + tables[:, 2], n)
    chance = first_yes * second_yes + (1 - first_yes) * (1 - second_yes)
    return _divided(observed - chance, 1 - chance)


def _balanced(tables: Floats) -> Floats:
    found = _divided(tables[:, 0], tables[:, 0] + tables[:, 1])
    rejected = _divided(tables[:, 3], tables[:, 2] + tables[:, 3])
    return (found + rejected) / 2


def _divided(totals: Floats, counts: Floats) -> Floats:
    return np.asarray(np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
