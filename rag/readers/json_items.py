"""The records of a JSON file, one after the other, each with its line, as far as the file can be read.

A file is an array of records, an object with such an array under a known name, or one record after
another, as on the lines of a JSONL file. It is read piece by piece, in linear time, so that a cut or
broken file gives what is whole.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rag.readers.oddities import Oddities
from rag.readers.source import HEAD, Raw
from rag.readers.text import is_binary

WRAPPERS = (
    "data",
    "results",
    "items",
    "papers",
    "dailyPapers",
    "works",
    "records",
    "recommendedPapers",
    "trendingPapers",
)
MAX_BROKEN = 100  # broken records that are stepped over
LOOK = 3  # records that a format is told by

DECODER = json.JSONDecoder(strict=False)
SPACE = re.compile(r"[ \t\r\n]*")
BEGINNING = re.compile(r"""\[\s*(?:[\[{\]"]|null|$)|\{\s*(?:"|\}|$)""")
RECORDS = re.compile(r"\[\s*\{")
OPENING = re.compile(r'(\[?)([ \t\r\n]*)\{\s*("[^"\n]{0,80}")\s*:')


@dataclass(frozen=True, slots=True)
class Item:
    """One record and the line on which it begins."""

    line: int
    value: dict[str, Any]


def looks_like_json(raw: Raw) -> bool:
    """Whether it is text that begins as JSON with records does."""
    return not is_binary(raw.data) and BEGINNING.match(raw.text[:HEAD].lstrip()) is not None


def first_items(raw: Raw) -> list[dict[str, Any]]:
    """The first few records, to tell the format by; none where it is no JSON."""
    return [item.value for item in islice(JsonItems(raw.text, patience=LOOK), LOOK)] if looks_like_json(raw) else []


@dataclass(slots=True)
class JsonItems:
    """Iterate over it for the records; what could not be read is said to `odd` as lost."""

    text: str
    odd: Oddities = field(default_factory=Oddities)
    patience: int = sys.maxsize  # broken lines that are stepped over
    _counted: tuple[int, int] = (0, 1)  # a place in the text, and its line
    _cut: bool = False  # whether what was decoded last ended with the text

    def __iter__(self) -> Iterator[Item]:
        at = self._next(0)
        if self.text.startswith("[", at):
            return self._array(at)
        if self._by_lines(at):
            return self._lines(at)
        array = self._wrapped(at)
        return self._sequence(at) if array is None else self._array(array)

    def _by_lines(self, at: int) -> bool:
        """Whether one of the first two lines is a whole record, with more below or above it."""
        first = self.text.find("\n", at)
        if first < 0 or self._next(first) == len(self.text):
            return False
        second = self.text.find("\n", self._next(first))
        lines = (self.text[at:first], self.text[first : second if second >= 0 else len(self.text)])
        return any(isinstance(_whole(line), dict) for line in lines)

    def _lines(self, start: int) -> Iterator[Item]:
        broken = 0
        while start < len(self.text) and broken <= self.patience:
            end = self.text.find("\n", start)
            end = len(self.text) if end < 0 else end
            if line := self.text[start:end].strip():
                value = _whole(line)
                if value is None:
                    broken += 1
                    self._say(start, "this line is no valid JSON and was left out")
                else:
                    yield from self._unwrapped(start, value)
            start = end + 1

    def _sequence(self, at: int) -> Iterator[Item]:
        """Values one after the other; mostly one."""
        while at < len(self.text):
            decoded = self._decode(at)
            if decoded is None:
                self._say(at, "the file is cut off here" if self._cut else "from here on this is no valid JSON")
                return
            yield from self._unwrapped(at, decoded[0])
            at = self._next(decoded[1])

    def _unwrapped(self, at: int, value: Any) -> Iterator[Item]:
        """A record, or the records of a page of results that stand in one value."""
        if isinstance(value, dict) and isinstance(value.get("message"), dict):  # Crossref's envelope
            value = value["message"]
        values = [value]
        if isinstance(value, dict) and "title" not in value:
            values = next((value[name] for name in WRAPPERS if isinstance(value.get(name), list)), values)
        for one in values:
            yield from self._record(at, one)

    def _record(self, at: int, value: Any) -> Iterator[Item]:
        if isinstance(value, dict):
            yield Item(self._line(at), value)
        else:
            self._say(at, "an element that is no record was left out")

    def _wrapped(self, at: int) -> int | None:
        """Where the array of records begins that an object holds under one of the known names."""
        if not self.text.startswith("{", at):
            return None
        while True:
            key = self._decode(self._next(at + 1))
            if key is None or not self.text.startswith(":", at := self._next(key[1])):
                return None
            at = self._next(at + 1)
            if key[0] in WRAPPERS and RECORDS.match(self.text, at):
                return at
            value = self._decode(at)
            if value is None or key[0] == "title" or not self.text.startswith(",", at := self._next(value[1])):
                return None

    def _array(self, at: int) -> Iterator[Item]:
        again = self._mark(at)
        at, broken = self._next(at + 1), 0
        while not self.text.startswith("]", at):
            decoded = self._decode(at)
            if decoded is not None:
                yield from self._record(at, decoded[0])
                at = self._next(decoded[1])
                if self.text.startswith(",", at):
                    at = self._next(at + 1)
                if self.text.startswith(("{", "]", "[", '"', "n"), at):
                    continue
            found = again.search(self.text, at + 1) if again and broken < min(MAX_BROKEN, self.patience) else None
            self._say(at, self._what(at, found is not None))
            if found is None:
                return
            at, broken = found.start(1), broken + 1

    def _what(self, at: int, more: bool) -> str:
        if more:
            return "a record that is no valid JSON was left out"
        if at >= len(self.text):
            return "the file is cut off: its list does not end"
        if self._cut:
            return "the file is cut off: it ends within this record"
        return "from here on this is no valid JSON"

    def _mark(self, at: int) -> re.Pattern[str] | None:
        """What a record of this array begins like: on a line of the same indent, or with the same first name."""
        first = OPENING.match(self.text, at)
        if first is None:
            return None
        if "\n" in first[2]:
            return re.compile("\n" + re.escape(first[2].rpartition("\n")[2]) + r"(\{)")
        return re.compile(r",\s{0,100}(\{\s{0,100}" + re.escape(first[3]) + ")")

    def _decode(self, at: int) -> tuple[Any, int] | None:
        """The value at a place and the place behind it; None where there is none that is valid."""
        try:
            value, end = DECODER.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            self._cut = error.msg.startswith("Unterminated") or self._next(error.pos) == len(self.text)
            return None
        except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists in lists
            self._cut = False
            return None
        return value, end

    def _next(self, at: int) -> int:
        """The place of what follows the blank space here."""
        found = SPACE.match(self.text, at)
        return found.end() if found else at

    def _line(self, at: int) -> int:
        place, line = self._counted
        if at >= place:
            line += self.text.count("\n", place, at)
        else:
            line = self.text.count("\n", 0, at) + 1
        self._counted = (at, line)
        return line

    def _say(self, at: int, message: str) -> None:
        self.odd.lose(self._line(at), message)


def _whole(line: str) -> Any:
    """The value that a line consists of; None where it is none."""
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
