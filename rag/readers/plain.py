"""Reader of plain text: prose whose first line may be a title; garbage is refused."""

from __future__ import annotations

import re
from datetime import date

from rag.errors import SourceError
from rag.readers.blocks import NUMBERING, Block, clean, heading_block, text_block
from rag.readers.document import Document, entry
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

SUFFIXES = {".txt", ".text", ""}
SAMPLE = 20_000  # characters looked at
MAX_CHARACTERS = 20_000_000
LEAST = 200  # characters of prose
LEAST_SENTENCES = 2
LEAST_LETTERS = 0.75  # of what is no space; tables, code and logs have less
MOST_SIGNS = 0.05
WORD = (2.0, 15.0)  # mean length of words with letters; random ones are longer
SENTENCE_END = re.compile(r"[。！？]|[^\W_][.!?][\"'”’)\]]*(?=\s|$)")
SIGNS = re.compile(r"[{}<>=|\\;@#$%^&*~`_\[\]/+]")
LETTERS = re.compile(r"[^\W\d_]+")
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")  # scripts that set no space between words
HEADING = re.compile(
    NUMBERING + r"(?:abstract|introduction|background|related work|methods?|results|discussion|conclusions?"
    r"|references|bibliography|acknowledge?ments?|appendix)\W?",
    re.I,
)
NUMBERED = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2}){0,3}\.?\s+[A-Z][^.]{1,80}")
MAX_CAPITALS = 80


def is_prose(text: str) -> bool:
    """Whether text reads as sentences, by its letters, words and sentence ends."""
    sample = text[:SAMPLE].strip()
    solid = [character for character in sample if not character.isspace()]
    if len(sample) < LEAST or not solid:
        return False
    letters = sum(map(str.isalpha, solid))
    if letters < LEAST_LETTERS * len(solid) or len(SIGNS.findall(sample)) > MOST_SIGNS * len(solid):
        return False
    words = LETTERS.findall(sample)
    spaced = len(UNSPACED.findall(sample)) < 0.3 * letters
    plausible = not spaced or WORD[0] <= letters / max(1, len(words)) <= WORD[1]
    return plausible and len(SENTENCE_END.findall(sample)) >= LEAST_SENTENCES


def recognises(raw: Raw) -> bool:
    """Whether it is prose, and no name says that it is something else."""
    return raw.suffix in SUFFIXES and not is_binary(raw.data) and is_prose(raw.text)


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The one paper of a text, and what was odd.

    Raises:
        SourceError: it holds no text, or too much.
    """
    if len(raw.text) > MAX_CHARACTERS:
        reason = f"{raw.name} has {len(raw.text):,} characters; at most {MAX_CHARACTERS:,} are read."
        raise SourceError(reason, "Split it.")
    found = Document(paragraphs(raw.text), problems=list(raw.problems))
    one, odd = entry(found, raw.name)
    return [one], odd


def paragraphs(text: str) -> list[Block]:
    """Paragraphs between blank lines, without which each line is one; short lines of known words are headings."""
    airy = re.search(r"\n[ \t]*\n", text.strip()) is not None
    pieces = re.split(r"\n[ \t]*\n", text) if airy else text.split("\n")
    blocks: list[Block] = []
    for piece in filter(str.strip, pieces):
        first, _, rest = piece.strip().partition("\n")
        if _is_heading(clean(first)):
            blocks += [heading_block(first), text_block(rest)]
        else:
            blocks.append(text_block(piece))
    return [block for block in blocks if block.text]


def _is_heading(line: str) -> bool:
    capitals = line.isupper() and 4 <= len(line) <= MAX_CAPITALS and not line.endswith((".", ","))
    return bool(HEADING.fullmatch(line) or NUMBERED.fullmatch(line)) or capitals
