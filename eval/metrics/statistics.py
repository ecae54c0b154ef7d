"""How sure a figure is, and whether two runs differ: intervals and tests over questions, never over sentences.

Yes/no metrics take McNemar's exact test, others a randomisation test; several tests together are
corrected by Holm's "A Simple Sequentially Rejective Multiple Test Procedure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from eval.metrics.figures import Figure, Metric, Part, Parts
from eval.metrics.resampling import LEVEL, RESAMPLES, TIE, Floats, Ratio, interval, randomisation, resampled_ratios
from eval.rows import Row
from rag.errors import SourceError

POWER = 0.80


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric in two runs over the questions that both asked: `delta` is b - a, with its 95 % interval.

    `n` counts the questions eligible in at least one run; `unpaired` those that only one run
    asked, which are left out. `p` is of the two-sided `test`, `p_holm` corrected over the metrics
    compared together. `better` and `worse` hold the qids where b beats a and the other way round:
    the discordant pairs, for a yes/no metric. Figures are None where a run has no eligible question.
    """

    name: str
    title: str
    group: str
    a: float | None
    b: float | None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    test: str = "none"
    n: int = 0
    unpaired: int = 0
    better: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    detectable: float | None = None
    higher_is_better: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, numbers rounded to six places."""
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


def parts(metric: Metric, rows: Sequence[Row]) -> dict[str, Part]:
    """What each eligible question adds to a metric, by qid.

    Raises:
        SourceError: two rows have the same qid.
    """
    found: dict[str, Part] = {}
    seen: set[str] = set()
    for row in rows:
        if row.gold.qid in seen:
            raise SourceError(f"The run holds question {row.gold.qid} twice.", "Remove one of its rows.")
        seen.add(row.gold.qid)
        part = metric.part(row)
        if part is not None:
            found[row.gold.qid] = part
    return found


def figure(metric: Metric, rows: Sequence[Row], resamples: int = RESAMPLES, seed: int = 0) -> Figure:
    """A metric over rows with its interval; the same seed gives the same interval.

    A share that is 0 or 1 in every question gives the bootstrap nothing to vary, which is no
    certainty: its interval is then Wilson's over questions. Other intervals are None below two questions.
    """
    own = _columns(list(parts(metric, rows).values()))
    head, n = (metric.name, metric.title, metric.group), len(own.totals)
    value = own.value
    if value is None:
        return Figure(*head, None, None, None, 0, higher_is_better=metric.higher_is_better)
    low, high = None, None
    if metric.share and value in (0.0, 1.0) and _all_agree(own):
        low, high = _wilson(value, int(np.count_nonzero(own.counts)))
    elif n > 1:
        low, high = interval(resampled_ratios(own, resamples, seed))
    return Figure(*head, value, low, high, n, detectable(_spread(_influence(own)), n), metric.higher_is_better)


def compare(
    metric: Metric, rows_a: Sequence[Row], rows_b: Sequence[Row], resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Run b against run a, paired by qid.

    A question that only one run has is left out; one that is eligible in one run only (answered
    there, refused here) stays, so that `a` and `b` are the runs' own figures over the same questions.
    """
    both = {row.gold.qid for row in rows_a} & {row.gold.qid for row in rows_b}
    unpaired = len({row.gold.qid for row in (*rows_a, *rows_b)} - both)
    parts_a = {qid: part for qid, part in parts(metric, rows_a).items() if qid in both}
    parts_b = {qid: part for qid, part in parts(metric, rows_b).items() if qid in both}
    return replace(compare_parts(metric, parts_a, parts_b, resamples, seed), unpaired=unpaired)


def compare_parts(
    metric: Metric, parts_a: Parts, parts_b: Parts, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """`compare` on parts alone, as a stored baseline has them; both sides are of the same questions."""
    qids = sorted(parts_a.keys() | parts_b.keys())
    a, b = (_columns([side.get(qid, Part(0.0, 0.0)) for qid in qids]) for side in (parts_a, parts_b))
    gains, losses = _discordant(metric, parts_a, parts_b)
    found = Difference(
        *(metric.name, metric.title, metric.group, a.value, b.value),
        n=len(qids),
        better=gains,
        worse=losses,
        higher_is_better=metric.higher_is_better,
    )
    if a.value is None or b.value is None:
        return found
    low, high = None, None
    if len(qids) > 1:
        low, high = interval(resampled_ratios(b, resamples, seed) - resampled_ratios(a, resamples, seed))
    paired = metric.binary and parts_a.keys() == parts_b.keys()
    return replace(
        found,
        delta=b.value - a.value,
        low=low,
        high=high,
        p=mcnemar(len(gains), len(losses)) if paired else randomisation(a, b, resamples, seed),
        test="McNemar exact" if paired else "randomisation",
        detectable=detectable(_spread(_influence(b) - _influence(a)), len(qids)),
    )


def with_holm(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with `p_holm` over those that have a p."""
    tested = [difference.p for difference in differences if difference.p is not None]
    corrected = iter(holm(tested))
    return [d if d.p is None else replace(d, p_holm=next(corrected)) for d in differences]


def holm(pvalues: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given; each at least its p, at most 1."""
    corrected, highest = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        highest = max(highest, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        corrected[index] = highest
    return corrected


def mcnemar(gains: int, losses: int) -> float:
    """Exact two-sided p of discordant pairs; 1 when there are none."""
    return float(binomtest(gains, gains + losses, 0.5).pvalue) if gains + losses else 1.0


def detectable(sd: float, n: int) -> float | None:
    """The smallest mean difference that `n` pairs find with 80 % power at 5 % two-sided, in `sd`'s unit.

    `sd` is the standard deviation of a question's difference. Normal approximation. None below
    two questions, or where nothing varies.
    """
    if n < 2 or sd <= TIE:
        return None
    return float((norm.ppf(0.5 + LEVEL / 2) + norm.ppf(POWER)) * sd / np.sqrt(n))


# --- sums and spreads ---------------------------------------------------------------------------


def _columns(own: Sequence[Part]) -> Ratio:
    totals = np.array([part.total for part in own], dtype=np.float64)
    return Ratio(totals, np.array([part.count for part in own], dtype=np.float64))


def _influence(ratio: Ratio) -> Floats:
    """How much each question moves the ratio of sums, linearised; for counts of 1, value minus mean."""
    overall = ratio.totals.sum() / ratio.counts.sum()
    return np.asarray((ratio.totals - overall * ratio.counts) / ratio.counts.mean())


def _spread(values: Floats) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _all_agree(ratio: Ratio) -> bool:
    """Whether each question's share is 0, or each is 1; those that count nothing have none."""
    return bool((ratio.totals == 0).all() or (ratio.totals == ratio.counts).all())


def _wilson(value: float, n: int) -> tuple[float, float]:
    found = binomtest(round(value * n), n).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _discordant(metric: Metric, parts_a: Parts, parts_b: Parts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The qids, eligible in both runs, where b is better than a, and where it is worse."""
    sign = 1 if metric.higher_is_better else -1
    gains: list[str] = []
    losses: list[str] = []
    for qid in sorted(parts_a.keys() & parts_b.keys()):
        change = sign * (_share(parts_b[qid]) - _share(parts_a[qid]))
        if abs(change) > TIE:
            (gains if change > 0 else losses).append(qid)
    return tuple(gains), tuple(losses)


def _share(part: Part) -> float:
    return part.total / part.count if part.count else 0.0
