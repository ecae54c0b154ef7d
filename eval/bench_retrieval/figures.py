"""Figures of rankings: means over queries, their intervals, and differences of systems, query by query.

nDCG@10 has the gains of trec_eval, which are the grades themselves, as published results of these collections have;
`eval.metrics.retrieval` has 2^grade - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from eval.bench_library.timing import spread
from eval.bench_retrieval.asking import Asked
from eval.bench_retrieval.systems import DEFAULT, PLAIN, Ranking
from eval.formats.trec import Qrels
from eval.metrics.resampling import TIE, Floats, Ratio, interval, resampled_ratios

MEASURES = {"ndcg@10": nDCG @ 10, "recall@10": R @ 10, "recall@100": R @ 100, "mrr@10": RR @ 10}
AGAINST = {"minus_default": DEFAULT, "minus_min_max": PLAIN}

ByQuery = Mapping[str, float]
Values = Mapping[str, ByQuery]
"""Measure -> query -> value."""


def judged(qrels: Qrels) -> Qrels:
    """The judgements of the queries that have a relevant document; what is below 0 is not relevant."""
    relevant = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    return {query: {doc: max(0, grade) for doc, grade in grades.items()} for query, grades in relevant.items()}


def measured(qrels: Qrels, rankings: Mapping[str, Ranking]) -> dict[str, dict[str, float]]:
    """Each of `MEASURES` for each query of `qrels`; 0 where nothing was found for it."""
    run = {query: _places([doc for doc, _ in rankings[query]]) for query in qrels if rankings.get(query)}
    values = {name: dict.fromkeys(qrels, 0.0) for name in MEASURES}
    names = {measure: name for name, measure in MEASURES.items()}
    for found in ir_measures.iter_calc(list(names), qrels, run) if run else ():
        values[names[found.measure]][found.query_id] = float(found.value)
    return values


def summarised(values: Mapping[str, Values], times: Mapping[str, Asked], main: str, seed: int = 0) -> dict[str, Any]:
    """Every system's means and times, and of the measure `main` its interval and the differences from others."""
    drawn = {name: _resampled(of[main], seed) for name, of in values.items()}
    found = {}
    for name, of in values.items():
        figures: dict[str, Any] = {measure: _mean(by_query) for measure, by_query in of.items()}
        figures |= {f"{quantile}_ms": ms for quantile, ms in spread(times[name].seconds).items()}
        figures[f"{main}_interval"] = _interval(drawn[name])
        for key, other in AGAINST.items():
            if other != name:
                figures[key] = _difference(of[main], values[other][main], drawn[name] - drawn[other])
        found[name] = figures
    return found


def _difference(own: ByQuery, other: ByQuery, drawn: Floats) -> dict[str, Any]:
    """How much more `own` has, with the paired interval, and for how many queries it has more or less."""
    changes = [own[query] - other[query] for query in own]
    low, high = _interval(drawn) or (None, None)
    return {
        "delta": _rounded(float(np.mean(changes))),
        "low": low,
        "high": high,
        "better": sum(change > TIE for change in changes),
        "worse": sum(change < -TIE for change in changes),
    }


def _resampled(by_query: ByQuery, seed: int) -> Floats:
    """The mean in each resample of queries; systems draw the same queries, so that differences are paired."""
    totals = np.array(list(by_query.values()), dtype=np.float64)
    return resampled_ratios(Ratio(totals, np.ones_like(totals)), seed=seed)


def _interval(drawn: Floats) -> list[float] | None:
    """The central 95 %; None where every resample is the same, which is no certainty."""
    low, high = interval(drawn)
    if low is None or high is None or float(np.ptp(drawn)) <= TIE:
        return None
    return [_rounded(low), _rounded(high)]


def _mean(by_query: ByQuery) -> float | None:
    return _rounded(float(np.mean(list(by_query.values())))) if by_query else None


def _rounded(value: float) -> float:
    return round(value, 6)


def _places(documents: Sequence[str]) -> dict[str, float]:
    """Scores without ties, which the tools behind ir_measures break in different ways."""
    return {document: float(len(documents) - place) for place, document in enumerate(documents)}
