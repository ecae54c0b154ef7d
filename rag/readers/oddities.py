"""What was odd about a file's records, said once for all records that it is true of."""

from __future__ import annotations

from collections import Counter

from rag.readers.text import Problem

MAX_NAMED = 50  # problems that are named one by one; a file of 100,000 bad records needs no 100,000 messages


class Oddities:
    """Collects problems in the order met."""

    def __init__(self) -> None:
        self._said: list[Problem] = []
        self._met = Counter[bool]()  # by whether they cost an item
        self._beyond: dict[bool, int] = {}  # the line of the first that is not named
        self._noted: dict[str, tuple[int, int]] = {}  # how many records each is true of, the line of the first

    def say(self, line: int, message: str, *, lost: bool = False) -> None:
        """One thing that is wrong on one line."""
        self._met[lost] += 1
        if self._met[lost] <= MAX_NAMED:
            self._said.append(Problem(line, message[0].upper() + message[1:] + ".", lost))
        else:
            self._beyond.setdefault(lost, line)

    def lose(self, line: int, message: str) -> None:
        """An item on a line that cannot be taken as a paper."""
        self.say(line, message, lost=True)

    def note(self, line: int, what: str) -> None:
        """Something that is true of the record on `line`, and maybe of many: "no abstract"."""
        count, first = self._noted.get(what, (0, line))
        self._noted[what] = (count + 1, first)

    def problems(self) -> list[Problem]:
        """All of them."""
        found = list(self._said)
        for lost, line in self._beyond.items():
            found.append(Problem(line, f"{self._met[lost] - MAX_NAMED:,} more such problems from this line on.", lost))
        for what, (count, line) in self._noted.items():
            whose = "The record on this line" if count == 1 else f"{count:,} records, the first on this line"
            found.append(Problem(line, f"{whose}: {what}."))
        return found
