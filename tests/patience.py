"""How long a test may wait: limits that catch hangs and blow-ups, and not a machine that is busy or slow.

A fixed number of seconds fails now and then where nothing is wrong: other processes take the cores, a virtual
machine is held up, and even the processor time of one and the same work doubles. So limits are given as on an idle
machine, and stretched by how slow this one is just now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean

Clock = Callable[[], float]

IDLE_S = 0.011  # what `_work` takes on an idle core of an Intel Xeon (Cascade Lake) at 2.5 GHz, under CPython 3.11
SLACK = 2.0  # noisy neighbours come and go within what is measured


@contextmanager
def soon(seconds: float, clock: Clock = time.monotonic) -> Iterator[None]:
    """Assert that the body takes less than so many seconds of an idle machine, by this clock."""
    limit = stretched(seconds, clock)
    began = clock()
    yield
    took = clock() - began
    if took >= limit:  # it may have become slower meanwhile, and now a closer look is worth its time
        limit = max(limit, stretched(seconds, clock, runs=30))
    slow = limit / seconds / SLACK
    assert took < limit, f"took {took:.2f} s, at most {limit:.2f} s here: the machine is {slow:.1f} times slower"


def stretched(seconds: float, clock: Clock = time.monotonic, *, runs: int = 3) -> float:
    """What may become of so many seconds of an idle machine on this one, now."""
    return seconds * SLACK * slowness(clock, runs)


def slowness(clock: Clock = time.monotonic, runs: int = 3) -> float:
    """How many times longer than on an idle core Python takes for its work just now, by this clock; at least 1.

    The mean and not the median: a machine that stands still now and then, as a container does at its quota, is slow.
    """
    return max(1.0, fmean(_timed(clock) for _ in range(runs)) / IDLE_S)


def _timed(clock: Clock) -> float:
    began = clock()
    _work()
    return clock() - began


def _work() -> int:
    """A bit of all: calls, memory, hashes."""
    return len({str(number): number for number in range(40_000)})
