"""Reader of RIS files, as reference managers and publishers export them.

A record is lines of a tag and its value from "TY" to "ER". Read by ourselves: the format is small, and a
record without its end, or a tag in the wrong place, must not take others with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

LINE = re.compile(r"([A-Z][A-Z0-9]) {1,2}-(?: (.*))?")
START = re.compile(r"^TY {1,2}- *\w+\s*$", re.MULTILINE)  # a type is one word; a title that begins so has more
BEFORE = 2000  # characters that a program may write above the first record

Tags = dict[str, list[str]]


def recognises(raw: Raw) -> bool:
    """Whether it is text with the first line of a record near its beginning."""
    return not is_binary(raw.data) and START.search(raw.text[:BEFORE]) is not None


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The records in their order."""
    records = Records(today)
    for line, tags, ended in _records(raw.text):
        if tags is None:
            records.odd.lose(line, "a record without its beginning (TY) was left out")
            continue
        if not ended:
            records.odd.say(line, "a record without its end (ER) was kept as far as it goes")
        records.add(line, _fields(tags))
    return records.result(raw.problems)


def _records(text: str) -> Iterator[tuple[int, Tags | None, bool]]:
    """Each record's first line, its values by tag (None without a beginning), and whether it has an end."""
    tags: dict[str, list[list[str]]] = {}
    start, stray, value = 0, 0, [""]
    for number, line in enumerate(text.split("\n"), 1):
        found = LINE.fullmatch(line.rstrip())
        tag = found[1] if found else None
        if tag in ("TY", "ER"):
            if start:
                yield start, _joined(tags), tag == "ER"
            elif stray:
                yield stray, None, tag == "ER"
            start = stray = 0
        elif found and not start:
            stray = stray or number
        if tag == "TY":
            start, tags, value = number, {}, []
        elif found:
            value = [found[2] or ""]
            tags.setdefault(found[1], []).append(value)
        else:
            value.append(line)  # goes on with the value above
    if start:
        yield start, _joined(tags), False
    elif stray:
        yield stray, None, False


def _joined(tags: dict[str, list[list[str]]]) -> Tags:
    return {tag: ["\n".join(lines).strip() for lines in values] for tag, values in tags.items()}


def _fields(tags: Tags) -> Fields:
    def first(*names: str) -> str:
        return next((value for name in names for value in tags.get(name, ()) if value), "")

    return Fields(
        title=first("TI", "T1", "CT", "BT"),
        abstract=first("AB", "N2"),
        authors=[name for tag in ("AU", "A1") for name in tags.get(tag, ())],
        published=tuple(tags.get("DA", []) + tags.get("PY", []) + tags.get("Y1", [])),
        arxiv=tuple(
            text
            for tag in ("AN", "M1", "M3", "C1", "C7", "JO", "N1")
            for text in tags.get(tag, ())
            if "arxiv" in text.lower()
        ),
        doi=first("DO") or next((text for text in tags.get("UR", ()) if "doi.org/" in text), None),
        url=first("UR", "L2", "LK"),
    )
