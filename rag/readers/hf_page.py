"""Lines of a Daily Papers page to sections: blocks of text, each section ended by a footer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.hf_dates import DateLine, parse_date_line

AUTHORS = re.compile(r"\W*([0-9][0-9,]{0,8})\s+authors?\W*", re.IGNORECASE)
DOT = re.compile(r"\s*[·∙⋅•]\s*")
ORGANISATION = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s+(\S.*))?")  # a slug, then perhaps a name
MAX_ORGANISATION = 120
# Compared without case, spaces and punctuation: dumps glue and space these lines in their own ways.
HEAD_LINES = {"new", "subscribe", "dailypapers", "gettrendingpapersinyouremailinbox", "byakandtheresearchcommunity"}
MAX_HEAD_LINE = 60  # characters
HEAD_MARKS = ("daily papers", "get trending papers in your email inbox", "and the research community")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text without a blank line between them; `line` is the first one's number."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Footer:
    """What stands below an abstract; `line` is its first line's number."""

    line: int
    n_authors: int | None = None
    organisation: str | None = None
    date: DateLine | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The blocks above one footer, usually a title and an abstract; the page's last may have no footer."""

    blocks: tuple[Block, ...]
    footer: Footer | None


def looks_like_a_page(text: str) -> bool:
    """Whether `text` has the head of such a page, or at least one footer with its date."""
    head = text[:2000].lower()
    marks = [mark for mark in HEAD_MARKS if mark in head]
    if len(marks) > 1 or any(len(line) <= MAX_HEAD_LINE and marks[0] in line for line in head.split("\n") if marks):
        return True  # a text that speaks of Daily Papers in a sentence is none
    lines = text.split("\n")
    return any(DOT.fullmatch(line) and parse_date_line("".join(lines[i + 1 : i + 2])) for i, line in enumerate(lines))


def sections(text: str) -> list[Section]:
    """The sections of a page in order; head lines are left out wherever they stand (pages can be joined)."""
    lines = text.split("\n")
    airy = any(not line.strip() for line in lines[:-1])  # without blank lines, each line is a block
    footers = _footers(lines, airy)
    found: list[Section] = []
    blocks: list[Block] = []
    at, head = 0, False
    while at < len(lines):
        if at in footers:
            footer, at = footers[at]
            found.append(Section(tuple(blocks), footer))
            blocks, head = [], False
            continue
        end = _block_end(lines, at, footers, airy)
        block = Block("\n".join(lines[at:end]).strip(), at + 1)
        if _is_head_line(block.text):
            if blocks:
                found.append(Section(tuple(blocks), None))
            blocks, head = [], True
        elif block.text and not (head and parse_date_line(block.text)):
            blocks.append(block)
            head = False
        at = end
    return [*found, Section(tuple(blocks), None)] if blocks else found


def _block_end(lines: Sequence[str], start: int, footers: dict[int, tuple[Footer, int]], airy: bool) -> int:
    end = start + 1
    while airy and lines[start].strip() and end < len(lines) and lines[end].strip() and end not in footers:
        end += 1
    return end


def _is_head_line(text: str) -> bool:
    return len(text) < 100 and re.sub(r"\W", "", text).lower() in HEAD_LINES


def _footers(lines: Sequence[str], airy: bool) -> dict[int, tuple[Footer, int]]:
    """Each footer by the index of its first line, with the index past its last."""
    found: dict[int, tuple[Footer, int]] = {}
    at = past = 0  # past: the line after the footer before
    while at < len(lines):
        start = at
        authors = AUTHORS.fullmatch(lines[at])
        organisation = None if authors or at == past else _organisation_above(lines, at, airy)
        if authors:
            at = _next(lines, at) if _next(lines, at, DOT) else at
        elif not DOT.fullmatch(lines[at]):
            at += 1
            continue
        below = _next(lines, at)
        day = parse_date_line(lines[below]) if below else None
        at = past = below + 1 if day else at + 1
        if organisation:
            start -= 1
        n_authors = int(authors[1].replace(",", "")) if authors else None
        found[start] = (Footer(start + 1, n_authors, organisation, day), at)
    return found


def _next(lines: Sequence[str], at: int, pattern: re.Pattern[str] | None = None) -> int:
    """Index of the next line, over one blank line at most; 0 when there is none or it does not match."""
    for below in (at + 1, at + 2):
        if below < len(lines) and lines[below].strip():
            return below if pattern is None or pattern.fullmatch(lines[below]) else 0
    return 0


def _organisation_above(lines: Sequence[str], dot: int, airy: bool) -> str | None:
    """The organisation on the line above the dot: its display name, or its slug when that is all.

    It stands directly above the dot with a blank line before it, as an abstract never does.
    """
    if not DOT.fullmatch(lines[dot]) or dot < 2 or (airy and lines[dot - 2].strip()):
        return None
    line = lines[dot - 1]
    found = ORGANISATION.fullmatch(line)
    if found is None or len(line) > MAX_ORGANISATION or line.rstrip().endswith((".", ":", "?")):
        return None
    return (found[2] or found[1]).strip()
