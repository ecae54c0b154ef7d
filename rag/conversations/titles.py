"""Titles: a question, or what a person types, as one short line of plain text."""

from __future__ import annotations

import re
import textwrap

MAX_TITLE = 60  # characters of a title made from a question
MAX_GIVEN = 120  # characters of a title that a person gives
UNTITLED = "New conversation"

_JOINERS = "\u200c\u200d"  # invisible, and part of how Persian, Hindi and emoji are written
# Marks of Markdown, where they stand as marks: "2 * 3", "snake_case" and "<EOS>" are none.
_LINE_MARK = re.compile(r"^(?:#{1,6}|[-*+>]|\d{1,3}[.)])\s+", re.MULTILINE)
_AROUND = re.compile(r"(?<!\w)(\*\*\*|\*\*|\*|__|~~|`+)(?=\S)(.+?)(?<=\S)\1(?!\w)")


def title_of(question: str) -> str:
    """A question as the title of its conversation: one line, at most `MAX_TITLE` characters, cut at a word."""
    text = _LINE_MARK.sub("", question[: 20 * MAX_TITLE])
    return _cut(_AROUND.sub(r"\2", _one_line(text)), MAX_TITLE)


def given_title(text: str) -> str:
    """A title as a person gave it, on one line of at most `MAX_GIVEN` characters."""
    return _cut(_one_line(text[: 20 * MAX_GIVEN]), MAX_GIVEN)


def _one_line(text: str) -> str:
    """Without what cannot be seen: line breaks, control characters, marks that reorder a line."""
    return " ".join("".join(c if c.isprintable() or c in _JOINERS else " " for c in text).split())


def _cut(line: str, longest: int) -> str:
    if not line.strip(_JOINERS):
        return UNTITLED
    if len(line) <= longest:
        return line
    whole_words = textwrap.shorten(line, longest, placeholder="…", break_on_hyphens=False)
    return whole_words if len(whole_words) > longest // 2 else f"{line[: longest - 1].rstrip()}…"
