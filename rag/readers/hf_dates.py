"""The dates of a Daily Papers page, which shows the year only where it is not the current one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATE = re.compile(r"\s*([A-Za-z]{3,9})\.?\s+([0-9]{1,2})(?:,\s*([0-9]{4}))?(?:\s+(\S+))?\s*")
COMMENTS = re.compile(r"[0-9]{1,6}")
LEEWAY = timedelta(days=1)  # a paper may be of tomorrow in another time zone


@dataclass(frozen=True, slots=True)
class DateLine:
    """The line below the dot: "Nov 7, 2024 2". `rest` is what follows the date and is no number."""

    text: str
    month: int
    day: int
    year: int | None
    comments: int | None
    rest: str | None

    def in_year(self, year: int) -> date | None:
        """The day in `year`, None where the calendar has no such day."""
        try:
            return date(year, self.month, self.day)
        except ValueError:
            return None


def parse_date_line(line: str) -> DateLine | None:
    """The date that `line` consists of; None for any other line. The day may not exist: see `in_year`."""
    found = DATE.fullmatch(line)
    if found is None or found[1][:3].lower() not in MONTHS:
        return None
    number = found[4] is not None and COMMENTS.fullmatch(found[4]) is not None
    return DateLine(
        text=line.strip(),
        month=MONTHS.index(found[1][:3].lower()) + 1,
        day=int(found[2]),
        year=int(found[3]) if found[3] else None,
        comments=int(found[4]) if number else None,
        rest=None if number else found[4],
    )


def page_year(dates: Iterable[DateLine], today: date) -> int | None:
    """The year of the dates without one: one more than the last printed year, as the site prints all but the
    current year. Never from the clock, which only bounds it: printed dates that are still to come do not count.
    None when the page prints no year, because then nothing on it says when it was saved.
    """
    printed = [line.year for line in dates if line.year and not is_future(line.in_year(line.year), today)]
    printed = [year for year in printed if year <= today.year]
    return min(max(printed) + 1, today.year) if printed else None


def is_future(day: date | None, today: date) -> bool:
    """Whether `day` is still to come, with a day's leeway for time zones."""
    return day is not None and day - today > LEEWAY


def resolve(line: DateLine, year: int | None, today: date) -> tuple[date | None, str | None]:
    """The day that `line` means, with `year` for a line without one, or None and the reason."""
    if line.year is None and year is None:
        return None, f"the page prints no year at all, so the year of '{line.text}' cannot be known"
    day = line.in_year(line.year if line.year is not None else year or 0)
    if day is None:
        return None, f"'{line.text}' is no day of the calendar"
    if is_future(day, today):
        return None, f"{day.isoformat()} is later than today, {today.isoformat()}"
    return day, None
