"""What a reader is given, and what it gives: the papers of one file, and what was odd about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from rag.papers import Body, Paper
from rag.readers.text import Problem, read_text

HEAD = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper as the file lists it; `line` is where its record begins, counted from 1. `body` is its full text."""

    paper: Paper
    line: int
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class SourceReading:
    """All that one file gave: `sha256` is of its bytes, problems are in the order of their lines."""

    name: str
    sha256: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


class Raw:
    """The bytes of one file under its name, and, where a reader asks for it, the clean text of them."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    @property
    def suffix(self) -> str:
        """The name's ending in small letters: ".pdf"; a hint, never the proof."""
        return PurePath(self.name).suffix.lower()

    @cached_property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def text(self) -> str:
        """Clean text with "\\n" line ends.

        Raises:
            SourceError: the bytes are no text at all.
        """
        return self._read[0]

    @property
    def problems(self) -> list[Problem]:
        """What had to be changed to get the text.

        Raises:
            SourceError: the bytes are no text at all.
        """
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[str, list[Problem]]:
        return read_text(self.data, self.name)
