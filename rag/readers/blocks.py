"""Headings and paragraphs in clean text: what a document is made of, whatever its format."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rag.readers.text import ESCAPES, INVISIBLE, OTHER_BREAKS, SURROGATE

MAX_SECTION = 200  # characters of a heading
NUMBERING = r"(?:(?:[0-9]{1,2}(?:\.[0-9]{1,2}){0,4}|[IVX]{1,5}|[A-Z])[.)]?\s+)?"
# Characters of symbol fonts, and what is no character.
PRIVATE = re.compile("[\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]")
SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading or a paragraph in clean text; `pages` says from which character on it stands on which page."""

    text: str
    heading: bool = False
    pages: tuple[tuple[int, int | None], ...] = ((0, None),)


def clean(text: str) -> str:
    """One line of composed characters (NFC), without controls, invisible characters and symbols of private fonts."""
    text = OTHER_BREAKS.sub(" ", ESCAPES.sub("", text))
    text = PRIVATE.sub("", SURROGATE.sub("", INVISIBLE.sub("", text)))
    return SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


def text_block(text: str, page: int | None = None) -> Block:
    """A paragraph that stands on one page."""
    return Block(clean(text), pages=((0, page),))


def heading_block(text: str, page: int | None = None) -> Block:
    """A heading; one too long to be one is a paragraph."""
    line = clean(text)
    return Block(line, heading=len(line) <= MAX_SECTION, pages=((0, page),))
