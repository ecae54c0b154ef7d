"""The patience of tests: what takes too long fails with its figures, and a slow machine is given its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import patience
import pytest
from patience import IDLE_S, SLACK, slowness, soon


def clock_of(*times: float) -> Callable[[], float]:
    """A clock that shows these times, one after the other."""
    showing: Iterator[float] = iter(times)
    return lambda: next(showing)


def slow(monkeypatch: pytest.MonkeyPatch, *times: float) -> None:
    """A machine so many times slower than an idle one, at each measuring."""
    measured = iter(times)
    monkeypatch.setattr(patience, "slowness", lambda _clock, _runs: next(measured))


def test_what_takes_too_long_fails_and_says_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 1.0, 1.5)
    told = r"took 30\.00 s, at most 6\.00 s here: the machine is 1\.5 times slower"
    with pytest.raises(AssertionError, match=told), soon(2, clock_of(100, 130)):
        pass


def test_what_is_quick_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with soon(60):  # by the real clock
        pass
    slow(monkeypatch, 1.0)
    with soon(2, clock_of(100, 101.9)):
        pass


@pytest.mark.parametrize("times", [(5.0, 1.0), (1.0, 5.0)], ids=["before", "after"])
def test_a_slow_machine_stretches_the_limit(times: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, *times)
    with soon(2, clock_of(0, 2 * SLACK * 5 - 0.1)):
        pass


def test_a_failure_of_the_body_is_told_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), soon(2):
        raise ZeroDivisionError


def test_halts_make_a_machine_slow_and_a_quick_one_shortens_nothing() -> None:
    assert slowness(clock_of(0, IDLE_S, 0, 7 * IDLE_S, 0, IDLE_S)) == pytest.approx(3)
    assert slowness(clock_of(*[0, IDLE_S / 9] * 3)) == 1
