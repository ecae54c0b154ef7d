"""What every reader gives: the papers of one file, and what was odd about it."""

from __future__ import annotations

from dataclasses import dataclass

from rag.papers import Paper


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd that the reader met; `line` counts from 1, None where no line is meant."""

    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper as the file lists it; `line` is the line of its title."""

    paper: Paper
    line: int


@dataclass(frozen=True, slots=True)
class SourceReading:
    """All that one file gave: `sha256` is of its bytes, problems are in the order of their lines."""

    name: str
    sha256: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
