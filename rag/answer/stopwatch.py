"""Milliseconds spent in each stage of an answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up the time of named stages; `timings_ms` has them, the marks, and the total since creation."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; a stage entered twice adds up."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + (time.perf_counter() - started) * 1000

    def mark(self, name: str) -> None:
        """The time since creation at which something happened first; a later mark of that name is ignored."""
        self._stages.setdefault(name, (time.perf_counter() - self._start) * 1000)

    @property
    def timings_ms(self) -> dict[str, float]:
        """Stages and marks in order of first use, then `total`."""
        total = (time.perf_counter() - self._start) * 1000
        return {name: round(ms, 2) for name, ms in (*self._stages.items(), ("total", total))}
