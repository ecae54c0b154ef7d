"""Days of Daily Papers into the library: each day is fetched, read, ingested and noted before the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from rag.errors import FetchBusyError, FetchError, LibraryError, LibraryLockedError, SourceError
from rag.fetch.done import DoneDays
from rag.fetch.hf_daily import FIRST_DAY, DailyPapers
from rag.ingest import IngestRow, IngestWarning, ingest_readings
from rag.library.library import Library
from rag.models.interfaces import Embedder
from rag.readers import hf_api

LOCK = "sync.lock"
STOP_AFTER = 3  # days in a row that the hub is too busy for, or not there
NOT_ASKED = "not asked for: the hub failed too often"
DayOutcome = Literal["synced", "unchanged", "empty", "known", "failed"]


@dataclass(frozen=True, slots=True)
class DayRow:
    """What became of one day; "known" was settled before and not asked for. `rows` are its listings."""

    day: date
    outcome: DayOutcome
    reason: str = ""
    rows: tuple[IngestRow, ...] = ()
    warnings: tuple[IngestWarning, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """JSON-ready, with counts of its papers' outcomes."""
        papers = Counter(row.outcome for row in self.rows)
        return {"day": self.day.isoformat(), "outcome": self.outcome, "reason": self.reason, "papers": dict(papers)}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A row for each day, the oldest first."""

    days: tuple[DayRow, ...]

    @property
    def papers(self) -> Counter[str]:
        """How many listings had which outcome."""
        return Counter(row.outcome for day in self.days for row in day.rows)

    @property
    def failed(self) -> int:
        """How many days failed, or have a paper that did."""
        return sum(day.outcome == "failed" or any(row.outcome == "failed" for row in day.rows) for day in self.days)


def days_between(since: date, until: date) -> list[date]:
    """Every day of a period, both ends included; none before the first Daily Papers."""
    first = max(since, FIRST_DAY)
    return [first + timedelta(days=n) for n in range((until - first).days + 1)]


def done_days(library: Library, path: Path, hub: str) -> DoneDays:
    """The days that a file says are done and the library still has."""
    return DoneDays(path, hub, lambda hashes: {sha256 for sha256, _ in library.known_entries(hashes)})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One sync at a time: cron may start the next while one still waits.

    Raises:
        LibraryLockedError: another is at work.
        LibraryError: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise LibraryLockedError("Another `paperchat sync` is at work.", "Try again when it has finished.") from None
    except OSError as error:
        raise LibraryError(
            f"{folder} cannot be written: {error.strerror or error}.", "Check its permissions."
        ) from error
    try:
        yield
    finally:
        lock.release()


def sync(
    days: Sequence[date],
    library: Library,
    embedder: Embedder,
    hub: DailyPapers,
    done: DoneDays,
    *,
    today: date,
    progress: Callable[[int, int], None] | None = None,
) -> SyncReport:
    """Bring `days` into the library, but for those that are settled; one that fails gets a row and the others go on.

    After an interruption the next run goes on from the last day. `progress` is called with (dealt with, all).

    Raises:
        FetchBusyError: the hub answered for no day at all (FetchUnreachableError: nobody is there).
        LibraryError: the library is being written by another process, or cannot be.
        ModelError: the embedder cannot be used.
    """
    rows: list[DayRow] = []
    busy: list[FetchBusyError] = []  # in a row
    for n, day in enumerate(days):
        if progress:
            progress(n, len(days))
        if done.settled(day):
            rows.append(DayRow(day, "known"))
        elif len(busy) >= STOP_AFTER:
            rows.append(DayRow(day, "failed", NOT_ASKED))
        else:
            try:
                rows.append(_sync_day(day, library, embedder, hub, done, today))
                busy = []
            except FetchBusyError as error:
                busy.append(error)
                rows.append(DayRow(day, "failed", str(error)))
            except (FetchError, SourceError) as error:
                rows.append(DayRow(day, "failed", str(error)))
    if busy and not any(row.outcome in {"synced", "unchanged", "empty"} for row in rows):
        raise busy[0]
    return SyncReport(tuple(rows))


def _sync_day(day: date, library: Library, embedder: Embedder, hub: DailyPapers, done: DoneDays, today: date) -> DayRow:
    listing = hub.day(day, done.validators(day))
    if listing is None:
        done.unchanged(day, today)
        return DayRow(day, "unchanged")
    if not listing.papers:
        done.put(day, "", 0, listing.validators, today)
        return DayRow(day, "empty")
    reading = hf_api.read_bytes(listing.data, f"daily_papers-{day}.json", today=today)
    if not reading.entries:
        raise SourceError(f"None of the {listing.papers} papers of {day} can be read.", "Check PAPERCHAT_HUB_URL.")
    report = ingest_readings([reading], library, embedder)
    done.put(day, reading.sha256, len(reading.entries), listing.validators, today)
    return DayRow(day, "synced", rows=report.rows, warnings=report.warnings)
