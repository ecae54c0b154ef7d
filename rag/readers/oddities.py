"""What was odd about a file's records, said once for all records that it is true of."""

from __future__ import annotations

from rag.readers.text import Problem

MAX_NAMED = 50  # problems that are named one by one; a file of 100,000 bad records needs no 100,000 messages


class Oddities:
    """Collects problems in the order met."""

    def __init__(self) -> None:
        self._said: list[Problem] = []
        self._more, self._more_line = 0, 0
        self._noted: dict[str, tuple[int, int]] = {}  # how many records each is true of, the line of the first

    def say(self, line: int, message: str) -> None:
        """One thing that is wrong on one line."""
        if len(self._said) < MAX_NAMED:
            self._said.append(Problem(line, message[0].upper() + message[1:] + "."))
            return
        self._more_line = self._more_line or line
        self._more += 1

    def note(self, line: int, what: str) -> None:
        """Something that is true of the record on `line`, and maybe of many: "no abstract"."""
        count, first = self._noted.get(what, (0, line))
        self._noted[what] = (count + 1, first)

    def problems(self) -> list[Problem]:
        """All of them."""
        found = list(self._said)
        if self._more:
            found.append(Problem(self._more_line, f"{self._more:,} more such problems from this line on."))
        for what, (count, line) in self._noted.items():
            whose = "The record on this line" if count == 1 else f"{count:,} records, the first on this line"
            found.append(Problem(line, f"{whose}: {what}."))
        return found
