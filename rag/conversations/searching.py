"""What is searched for in conversations: any text a person types, made into a query that SQLite takes."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_WORDS = 32
_MARKER = re.compile(r" ?\[\d+\]")


def fts_query(typed: str) -> str:
    """Every word must occur, as it is or as the beginning of one; empty where nothing can be looked for.

    Each word is quoted, so that none is an operator; SQLite takes accents and punctuation off.
    """
    words = [word for word in _plain(typed).split() if any(c.isalnum() for c in word)]
    return " ".join(f'"{word}"*' for word in (w.replace('"', '""') for w in words[:MAX_WORDS]))


def searchable(said: Iterable[str]) -> str:
    """Questions and answers as one plain text: also what a snippet is cut from, so without markers."""
    return "\n".join(" ".join(_plain(_MARKER.sub("", text)).split()) for text in said)


def _plain(text: str) -> str:
    """Without control characters; SQLite's own functions end at a NUL."""
    return "".join(c if c >= " " and c != "\x7f" else " " for c in text)
