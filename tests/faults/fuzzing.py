"""Trying inputs until the time is over: hypothesis makes them and makes what fails small, some dozen at a time."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from patience import stretched

from faults.reading import SECONDS, TooSlowError, within
from faults.report import ALL

Input = TypeVar("Input")
AT_ONCE = 10
SETTINGS = settings(max_examples=AT_ONCE, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@dataclass(slots=True)
class Tried:
    """How many inputs there were, and the seconds of computing that the slowest took."""

    inputs: int = 0
    slowest: float = 0.0


def fuzz(ways: st.SearchStrategy[Input], use: Callable[[Input], object], *, seconds: float) -> Tried:
    """Use input after input for about so long; the same ones each time, or with FAULTS=all always others.

    `use` fails the test where an input makes it raise, or takes it more than `reading.SECONDS` of an idle machine.
    """
    limit = stretched(SECONDS, time.thread_time)
    tried, end = Tried(), time.monotonic() + seconds
    first = random.randrange(10**9) if ALL else 0
    for number in itertools.count(first):
        if time.monotonic() > end:
            return tried

        @seed(number)
        @SETTINGS
        @given(ways)
        def one(made: Input) -> None:
            began = time.thread_time()
            with within(limit):
                use(made)
            took = time.thread_time() - began
            if took > limit:  # where a library swallowed the interruption
                raise TooSlowError(f"{took:.1f} s")
            tried.inputs += 1
            tried.slowest = max(tried.slowest, took)

        one()
    raise AssertionError("numbers never end")
