"""Which days have been synced, kept in a small file: a later run asks for the others only."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from rag.fetch.answers import Validators
from rag.files import write_whole

log = logging.getLogger(__name__)

FILE = "sync.json"
SETTLED = timedelta(days=2)  # from then on a day's list does not grow


@dataclass(frozen=True, slots=True)
class Day:
    """One day as it was listed when it was last asked for, on the day `asked`; `sha256` is of what was read."""

    sha256: str
    papers: int
    asked: str
    etag: str = ""
    modified: str = ""


class DoneDays:
    """The days done at one hub. `still_there` tells which of some listings (by sha256) the library has.

    The file is believed only as far as the library confirms it: after a library was restored or begun anew,
    the days that it lost are asked for again.
    """

    def __init__(self, path: Path, hub: str, still_there: Callable[[set[str]], set[str]]) -> None:
        self._path, self._hub = path, hub
        days = _read(path, hub)
        there = still_there({day.sha256 for day in days.values() if day.papers})
        self._days = {at: day for at, day in days.items() if not day.papers or day.sha256 in there}

    def settled(self, day: date) -> bool:
        """Whether a day was asked for when its list had stopped growing."""
        known = self._days.get(day.isoformat())
        return known is not None and known.asked >= (day + SETTLED).isoformat()

    def validators(self, day: date) -> Validators:
        """What asks whether a day's list has changed; false where nothing is known."""
        known = self._days.get(day.isoformat())
        return Validators(known.etag, known.modified) if known else Validators()

    def put(self, day: date, sha256: str, papers: int, validators: Validators, asked: date) -> None:
        """Note that a day's list is in the library.

        Raises:
            SettingsError: the file cannot be written.
        """
        self._days[day.isoformat()] = Day(sha256, papers, asked.isoformat(), validators.etag, validators.modified)
        self._write()

    def unchanged(self, day: date, asked: date) -> None:
        """Note that a known day was asked for again and is the same; raises what `put` does."""
        known = self._days[day.isoformat()]
        self.put(day, known.sha256, known.papers, self.validators(day), asked)

    def _write(self) -> None:
        days = {at: asdict(self._days[at]) for at in sorted(self._days)}
        write_whole(self._path, json.dumps({"hub": self._hub, "days": days}, indent=1) + "\n")


def _read(path: Path, hub: str) -> dict[str, Day]:
    """The days of a file; none where it is missing, of another hub, or broken: then they are asked for again."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        days = {date.fromisoformat(at).isoformat(): Day(**day) for at, day in stored["days"].items()}
        wrong = [day for day in days.values() if not isinstance(day.papers, int)]
        wrong += [day for day in days.values() if not all(isinstance(v, str) for v in _texts(day))]
        if wrong:
            raise ValueError("a day has other fields")
        return days if stored["hub"] == hub else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be used (%s): every day is asked for again.", path, error)
        return {}


def _texts(day: Day) -> tuple[object, ...]:
    return day.sha256, day.asked, day.etag, day.modified
