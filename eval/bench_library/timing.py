"""Times of calls, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

WARM_UP = 5  # calls before the first that counts


def timed(call: Callable[[str], Any], questions: Sequence[str]) -> list[float]:
    """Seconds that `call` takes for each question."""
    for question in questions[:WARM_UP]:
        call(question)
    return [_seconds(call, question) for question in questions]


def interleaved(calls: Mapping[str, Callable[[str], Any]], questions: Sequence[str]) -> dict[str, list[float]]:
    """Seconds that each of `calls` takes for each question, in turns: what slows the machine slows all of them."""
    for call in calls.values():
        timed(call, questions[:WARM_UP])
    times: dict[str, list[float]] = {name: [] for name in calls}
    for question in questions:
        for name, call in calls.items():
            times[name].append(_seconds(call, question))
    return times


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p95 in milliseconds."""
    return {f"p{q}": round(float(np.percentile(seconds, q)) * 1e3, 2) for q in (50, 95)}


def _seconds(call: Callable[[str], Any], question: str) -> float:
    begun = perf_counter()
    call(question)
    return perf_counter() - begun
