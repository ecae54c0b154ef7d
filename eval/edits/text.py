"""What the edits of a claim share: how a change is made so that the sentence stays grammatical."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MARKER = re.compile(r"\[\d+(?:\s*[,–-]\s*\d+)*\]")
_WORD = re.compile(r"[^\W\d_]+")
_HEADLINE = 0.7  # share of longer words with a capital, the first word aside, that makes a headline
_FEWEST = 4  # of them


@dataclass(frozen=True, slots=True)
class Change:
    """A claim that was made wrong; `form` names the way, so that figures can be told apart by it."""

    form: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is to become `new`."""

    form: str
    start: int
    end: int
    new: str


def applied(text: str, span: Span) -> Change:
    """The change made, with "a" and "an" before it set right and a first capital kept."""
    new = span.new
    old = text[span.start : span.end]
    if old[:1].isupper() and new[:1].islower() and not text[: span.start].strip():
        new = new[:1].upper() + new[1:]
    before, after = text[: span.start], text[span.end :]
    if not new:
        before, after = before.rstrip(), (after if after[:1] in {"", " ", ".", ","} else f" {after}")
    return Change(span.form, _articles(before, new or after.lstrip()) + new + after)


def outside_markers(text: str, start: int, end: int) -> bool:
    """Whether a stretch touches no citation marker."""
    return all(end <= found.start() or start >= found.end() for found in MARKER.finditer(text))


def is_headline(text: str) -> bool:
    """Whether capitals say nothing about names, because most words carry them."""
    words = [word for word in _WORD.findall(text)[1:] if len(word) > 3]
    return len(words) >= _FEWEST and sum(word[0].isupper() for word in words) >= _HEADLINE * len(words)


def matched_case(old: str, new: str) -> str:
    """`new` in the case of `old`: upper, capitalised, or as it is."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def alternatives(words: Iterable[str]) -> str:
    """A regular expression for any of `words`, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def _articles(before: str, following: str) -> str:
    """`before` with a last "a" or "an" that fits what follows (by its first letter)."""
    found = re.search(r"\b(an?)(\s+)$", before, re.IGNORECASE)
    if not found or not following:
        return before
    wanted = "an" if following[0].lower() in "aeiou" else "a"
    return before[: found.start()] + matched_case(found[1][0], wanted) + found[2]
