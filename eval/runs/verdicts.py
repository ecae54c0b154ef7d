"""Whether a metric passes: deterministic ones must be 100 %, gated ones no worse than a baseline by a margin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from eval.metrics.figures import Metric
from eval.metrics.statistics import Difference, parts
from eval.rows import Row

_NONE_LEFT = "no question of this run is eligible any more"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One metric of a gate: `ok`, and `reason` in one line. The numbers are None where they do not apply."""

    name: str
    title: str
    kind: Literal["exact", "gated"]
    ok: bool
    reason: str
    value: float | None = None
    baseline: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    margin: float | None = None
    detectable: float | None = None
    n: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, numbers rounded to six places."""
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


def exact_verdicts(metrics: Iterable[Metric], rows: Sequence[Row], before: Collection[str] = ()) -> list[Verdict]:
    """A verdict for each deterministic metric: it passes at 100 %, or when no question is eligible.

    `before` names the metrics for which a baseline had eligible questions: they must have some now.
    """
    return [_exact(metric, rows, metric.name in before) for metric in metrics if metric.exact]


def gated_verdict(difference: Difference, margin: float) -> Verdict:
    """Fails when the interval of run minus baseline lies wholly below minus `margin`, in the metric's
    better direction; also when the run has no eligible question left where the baseline had some."""
    ok, reason = _judged(difference, margin)
    return Verdict(
        name=difference.name,
        title=difference.title,
        kind="gated",
        ok=ok,
        reason=reason,
        value=difference.b,
        baseline=difference.a,
        delta=difference.delta,
        low=difference.low,
        high=difference.high,
        p=difference.p,
        p_holm=difference.p_holm,
        margin=margin,
        detectable=difference.detectable,
        n=difference.n,
    )


def _exact(metric: Metric, rows: Sequence[Row], expected: bool) -> Verdict:
    own = parts(metric, rows)
    short = [qid for qid, part in own.items() if part.total < part.count]
    count = sum(part.count for part in own.values())
    value = sum(part.total for part in own.values()) / count if count else None
    lost = expected and value is None
    reason = _NONE_LEFT if lost else "not eligible" if value is None else "100 %"
    if short:
        reason = f"{value:.2%} where 100 % is due: {', '.join(short[:5])}{' ...' if len(short) > 5 else ''}"
    return Verdict(metric.name, metric.title, "exact", not short and not lost, reason, value=value, n=len(own))


def _judged(difference: Difference, margin: float) -> tuple[bool, str]:
    if difference.a is None:
        return True, "not eligible in the baseline"
    if difference.b is None:
        return False, _NONE_LEFT
    if difference.delta is None or difference.low is None or difference.high is None:
        return True, "too few questions for an interval"
    best = difference.high if difference.higher_is_better else -difference.low
    found = f"{difference.delta:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}], margin {margin:g}"
    return best >= -margin, found if best >= -margin else f"worse by more than the margin: {found}"
