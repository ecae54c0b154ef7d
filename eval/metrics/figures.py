"""What a metric is: for each question a part of a ratio, or nothing where it does not apply.

Every additive figure is a ratio of sums over questions, so that one bootstrap over questions
serves shares, means and F1 alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eval.rows import Row


@dataclass(frozen=True, slots=True)
class Part:
    """What one question adds: the figure is the sum of `total` over the sum of `count`.

    A yes/no metric has total 0 or 1 and count 1. Faithfulness has the supported sentences over
    the check-worthy ones. F1 has 2 TP over 2 TP + FP + FN.
    """

    total: float
    count: float = 1.0


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that is a ratio of sums over questions; `part` gives None where a row is not eligible.

    `exact` metrics must be 100 % (they are deterministic); `binary` ones are yes/no for each
    question, so that McNemar's test applies; `share` is False where a value may lie outside 0 to 1.
    `group` is the heading they stand under, `title` how people read it.
    """

    name: str
    title: str
    group: str
    part: Callable[[Row], Part | None]
    higher_is_better: bool = True
    binary: bool = False
    exact: bool = False
    share: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric over a set of questions, with its 95 % interval (percentile bootstrap over questions).

    `value` is None when no question was eligible; `n` counts the eligible ones. `detectable` is
    the smallest difference that a paired comparison of `n` questions would find with 80 % power
    at 5 %, if two runs differed as much as this one varies.
    """

    name: str
    title: str
    group: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    detectable: float | None = None
    higher_is_better: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, numbers rounded to six places."""
        numbers = {key: getattr(self, key) for key in ("value", "low", "high", "detectable")}
        rounded = {key: None if value is None else round(value, 6) for key, value in numbers.items()}
        return {
            "title": self.title,
            "group": self.group,
            **rounded,
            "n": self.n,
            "higher_is_better": self.higher_is_better,
        }


Parts = Mapping[str, Part]
"""Parts by qid, eligible questions only."""
