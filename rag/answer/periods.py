"""Dates in a question made into a range of publication dates, without a model."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

# ASCII: else "ſ" counts as an s and "ſix" as a number word that no table has.
_FLAGS = re.IGNORECASE | re.ASCII
MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
MONTHS |= {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
_MONTH = r"(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_YEAR = r"(?:19|20)\d{2}"
_DAY = rf"{_YEAR}-\d{{2}}-\d{{2}}"
_POINT = rf"(?:{_DAY}|{_MONTH}\s+\d{{1,2}},?\s+{_YEAR}|{_MONTH},?\s+(?:of\s+)?{_YEAR}|{_YEAR})"
# "up to 2000 tokens", "in 2048 dimensions", "before 2000 steps": what is counted is no year.
_NO_COUNT = (
    r"(?![-\w]|[.,]\d|\s*(?:%|x\b|times\b)|\s+(?:tokens?|words?|dimensions?|dims?|examples?|samples?|images?|videos?|"
    r"steps?|epochs?|iterations?|hours?|days?|seconds?|classes|categories|languages?|questions?|queries|documents?|"
    r"sentences?|characters?|layers?|heads?|neurons?|parameters?|gpus?|pixels?|frames?|nodes?|users?|annotators?|"
    r"instances?|pairs?|vectors?)\b)"
)
_UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "couple of": 2, "few": 3}
_COUNT = r"(?P<count>\d{1,3}|" + "|".join(_COUNTS) + r")"

_PAPERS = r"(?:papers?|articles?|publications?|works?|preprints?|studies|entries)"
_BETWEEN = re.compile(
    rf"\b(?:between|from)\s+(?P<a>{_POINT})\s+(?:and|to|until|till|through)\s+(?P<b>{_POINT}){_NO_COUNT}", _FLAGS
)
_SPAN = re.compile(rf"\b(?:in|from|during)?\s*(?P<a>{_POINT})\s*(?:-|–|--|\bto\b)\s*(?P<b>{_POINT}){_NO_COUNT}", _FLAGS)
_EITHER = re.compile(
    rf"\b(?:in|from|of|during)\s+(?P<a>{_YEAR})\s+(?:and|or)\s+(?:in\s+)?(?P<b>{_YEAR}){_NO_COUNT}", _FLAGS
)
_SINCE = re.compile(
    r"\b(?P<how>since|after|before|until|up to|no later than|prior to|older than|newer than)\s+"
    rf"(?P<a>{_POINT}){_NO_COUNT}",
    _FLAGS,
)
_OR_LATER = re.compile(
    rf"\b(?:(?:in|from|of)\s+)?(?P<a>{_POINT})\s+or\s+(?P<how>later|newer|earlier|older|before)\b", _FLAGS
)
_LAST_N = re.compile(
    rf"\b(?:in\s+|from\s+|over\s+|within\s+|during\s+)?(?:the\s+)?(?:last|past|previous)\s+{_COUNT}\s+(?P<unit>day|week|month|year)s?\b",
    _FLAGS,
)
_LAST = re.compile(
    r"\b(?:in\s+|from\s+|during\s+)?(?:the\s+)?(?P<which>last|past|previous|this|current)\s+(?P<unit>week|month|year)\b(?:'s)?",
    _FLAGS,
)
_TODAY = re.compile(r"\b(?:from\s+)?(?P<which>today|yesterday)(?:'s)?\b", _FLAGS)
_IN = re.compile(
    rf"\b(?:(?:published|released|listed|dated|appeared)\s+)?(?:in|from|of|during|on)\s+(?:the\s+year\s+)?(?P<a>{_POINT}){_NO_COUNT}",
    _FLAGS,
)
_ADJECTIVE = re.compile(rf"\b(?P<a>{_POINT})(?=\s+(?:[\w-]+\s+){{0,2}}?{_PAPERS}\b)", _FLAGS)
_ABOUT_PAPERS = re.compile(rf"\b{_PAPERS}\b|\b(?:publish|propos|introduc|appear|releas|new)\w*", _FLAGS)


@dataclass(frozen=True, slots=True)
class Period:
    """An inclusive range of days and the words of the question that asked for it."""

    first: date | None
    last: date | None
    words: str


def find_period(question: str, today: date) -> Period | None:
    """The publication period that a question asks for, or None.

    A bare year is a period only where the question speaks of papers ("papers in 2023",
    "2023 papers"): the year in "the 2022 World Cup" or "ImageNet 2012" is part of a name.
    """
    for pattern in (_BETWEEN, _SPAN):
        if (match := pattern.search(question)) and (pattern is _BETWEEN or _ABOUT_PAPERS.search(question)):
            return _between(match)
    if (match := _OR_LATER.search(question)) and _ABOUT_PAPERS.search(question):
        return _one_sided(match)
    if (match := _EITHER.search(question)) and _ABOUT_PAPERS.search(question):
        return _between(match) if _adjacent(match) else None
    if (match := _SINCE.search(question)) and (match["how"].lower() == "since" or _ABOUT_PAPERS.search(question)):
        return _one_sided(match)
    if match := _LAST_N.search(question):
        count = _COUNTS.get(match["count"].lower()) or int(match["count"])
        return Period(today - timedelta(days=count * _UNITS[match["unit"].lower()]), today, match[0])
    if match := _LAST.search(question):
        return Period(*_calendar_unit(match["which"].lower(), match["unit"].lower(), today), match[0])
    if (match := _TODAY.search(question)) and _ABOUT_PAPERS.search(question):
        day = today - timedelta(days=match["which"].lower() == "yesterday")
        return Period(day, day, match[0])
    for pattern in (_ADJECTIVE, _IN):
        if (match := pattern.search(question)) and (pattern is _ADJECTIVE or _ABOUT_PAPERS.search(question)):
            return Period(*_point(match["a"]), match[0])
    return None


def _between(match: re.Match[str]) -> Period:
    first, last = sorted((_point(match["a"]), _point(match["b"])))
    return Period(first[0], last[1], match[0])


def _adjacent(match: re.Match[str]) -> bool:
    """Whether "2022 or 2023" has no year between; any other pair is no range, so no filter."""
    return abs(int(match["a"]) - int(match["b"])) == 1


def _one_sided(match: re.Match[str]) -> Period:
    first, last = _point(match["a"])
    how = match["how"].lower()
    if how in ("since", "later", "newer"):
        return Period(first, None, match[0])
    if how in ("after", "newer than"):
        return Period(last + timedelta(days=1), None, match[0])
    if how in ("until", "up to", "no later than", "earlier", "older") or "or" in match[0].lower().split():
        return Period(None, last, match[0])
    return Period(None, first - timedelta(days=1), match[0])


def _calendar_unit(which: str, unit: str, today: date) -> tuple[date, date]:
    """ "last month" is the calendar month before this one; "this month" runs to today."""
    if unit == "week":
        monday = today - timedelta(days=today.weekday())
        return (
            (monday, today)
            if which in ("this", "current")
            else (monday - timedelta(days=7), monday - timedelta(days=1))
        )
    first = today.replace(day=1) if unit == "month" else today.replace(month=1, day=1)
    if which in ("this", "current"):
        return first, today
    end = first - timedelta(days=1)
    return (end.replace(day=1) if unit == "month" else end.replace(month=1, day=1)), end


def _point(text: str) -> tuple[date, date]:
    """First and last day of a day, a month or a year written in a question."""
    year_match = re.search(_YEAR, text)
    assert year_match, text
    year = int(year_match[0])
    if re.fullmatch(_DAY, text):
        parts = [int(part) for part in text.split("-")]
        return _whole_days(parts[0], parts[1], parts[2])
    month = next((MONTHS[word.lower()] for word in re.findall(r"[A-Za-z]+", text) if word.lower() in MONTHS), None)
    if month is None:
        return date(year, 1, 1), date(year, 12, 31)
    day = re.search(r"\b(\d{1,2})\b", text)
    return _whole_days(year, month, int(day[1]) if day else None)


def _whole_days(year: int, month: int, day: int | None) -> tuple[date, date]:
    """A day that does not exist (February 30) stands for its whole month."""
    month = min(max(month, 1), 12)
    length = calendar.monthrange(year, month)[1]
    if day is None or not 1 <= day <= length:
        return date(year, month, 1), date(year, month, length)
    return date(year, month, day), date(year, month, day)
