"""One request at a time to each host, with a pause between two, also among several processes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from rag.errors import FetchBusyError, FetchError

PAUSE_S = 1.0
ARXIV_PAUSE_S = 3.0  # what arXiv asks of programs


class Clock(Protocol):
    """Time as the client sees it; tests bring their own."""

    def now(self) -> float:
        """Seconds that only ever grow."""
        ...

    def wall(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's time."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


def pause_for(host: str) -> float:
    """Seconds between the end of a request to a host and the next."""
    return ARXIV_PAUSE_S if host == "arxiv.org" or host.endswith(".arxiv.org") else PAUSE_S


class Pacing:
    """Keeps the pace of all processes that share a folder: a lock file and the time of the last request a host."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    @contextmanager
    def turn(self, host: str, patience_s: float) -> Iterator[None]:
        """Wait until `host` may be asked, at most `patience_s` for others that are asking it.

        Raises:
            FetchBusyError: another process did not finish in that time.
            FetchError: the folder cannot be written.
        """
        stamp = self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', host.lower())[:100]}.asked"
        lock = FileLock(stamp.with_suffix(".lock"), timeout=patience_s, thread_local=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(poll_interval=0.05)
        except Timeout:
            raise FetchBusyError(f"Another paperchat is asking {host}.", "Try again when it has finished.") from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._wait(stamp, pause_for(host))
            yield
            self._sign(stamp)
        except BaseException:
            with suppress(FetchError):  # what failed first is what is told
                self._sign(stamp)
            raise
        finally:
            lock.release()

    def _wait(self, stamp: Path, pause_s: float) -> None:
        since = self._clock.wall() - stamp.stat().st_mtime if stamp.exists() else pause_s
        wait_s = min(pause_s - since, pause_s)  # a clock that went backwards costs one pause, no more
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def _sign(self, stamp: Path) -> None:
        try:
            stamp.touch()
            os.utime(stamp, (self._clock.wall(), self._clock.wall()))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> FetchError:
        what = f"{self._folder} cannot be written: {error.strerror or error}."
        return FetchError(what, "Make room, or check the folder's permissions.")
