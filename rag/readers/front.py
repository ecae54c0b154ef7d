"""Where a document's title and abstract stand, and where its references begin."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.readers.blocks import NUMBERING, Block

MAX_ABSTRACT = 5000  # characters; a marked abstract goes on in the body from here
MAX_LEAD = 1500  # of the opening that stands for an abstract
LEAST_LEAD = 80
LEAST_LEAD_PAGE = 200  # on a printed page, where names and addresses stand before the text
LEAST_BEFORE = 0.3  # share of the text that stands before the references
MAX_FRONT = 6000  # characters between title and abstract that may be names and addresses
REFERENCES = re.compile(
    NUMBERING + r"(?:references?(?: and notes| cited)?|bibliography|literature cited|works cited)\W*", re.I
)
ABSTRACT = re.compile(NUMBERING + r"abstract\W*", re.I)
ABSTRACT_OPENS = re.compile(r"(?:Abstract|ABSTRACT)(?:\s?[.:—–-]+\s*|\s+(?=[A-Z][^\n]{300}))")
FRONT_BLOCKS = 60  # the abstract is marked among the first
KEYWORDS = re.compile(
    r"(?:key\s?words(?: and phrases)?|index terms|ccs concepts|general terms|jel classification)\b(?! and)", re.I
)
KEYWORDS_HEADING = re.compile(KEYWORDS.pattern + r"\W*", re.I)
KEYWORDS_LINE = re.compile(KEYWORDS.pattern + r"\s?[:—–]", re.I)
MAX_KEYWORDS = 1000
KEYWORDS_INSIDE = re.compile(r"\s(?:Keywords|Key words|Index Terms)\s?[:—–]")
CONTENTS = re.compile(r"(?:table of )?contents", re.I)
SENTENCE_END = re.compile(r"[。！？]|(?<=[a-z)\]”\"])[.!?][”\")\]]*(?=\s|$)")
FIRST_SECTION = re.compile(NUMBERING + r"(?:introduction|background|motivation)\W*|[1I]\.?\s.*", re.I)
INITIAL = re.compile(r"\b[A-Z]\.")
YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


def without_references(blocks: Sequence[Block], *, printed: bool = False) -> list[Block]:
    """The blocks before the last list of references; an earlier list, contents and keywords are left out up to
    the next heading. On `printed` pages a list may have no heading."""
    lists = [i for i, block in enumerate(blocks) if block.heading and REFERENCES.fullmatch(block.text)]
    end = lists[-1] if lists else len(blocks)
    before = sum(len(block.text) for block in blocks[:end])
    if before < LEAST_BEFORE * sum(len(block.text) for block in blocks):
        end = len(blocks)  # a heading of that name in a table of contents
    while printed and not lists and end and _is_reference(blocks[end - 1]):
        end -= 1
    kept: list[Block] = []
    skipping = False
    for block in blocks[:end]:
        if block.heading:
            skipping = any(pattern.fullmatch(block.text) for pattern in (REFERENCES, CONTENTS, KEYWORDS_HEADING))
        keywords = KEYWORDS_LINE.match(block.text) and len(block.text) < MAX_KEYWORDS
        if not skipping and not keywords:
            kept.append(block)
    return kept


def _is_reference(block: Block) -> bool:
    """Whether it is of a list of references: full of initials and years."""
    length = len(block.text)
    initials, years = len(INITIAL.findall(block.text)), len(YEAR.findall(block.text))
    return not block.heading and initials >= max(1, length / 150) and years >= max(1, length / 300)


def looks_like_title(text: str) -> bool:
    """Whether a document's first line can be its title."""
    return 2 <= len(text) <= 250 and not text.endswith((".", ";", ",", ":"))


def is_abstract_heading(text: str) -> bool:
    """Whether it is the word alone."""
    return ABSTRACT.fullmatch(text) is not None


def marked_abstract(blocks: list[Block]) -> tuple[str, list[Block]] | None:
    """An abstract under its heading, or behind the word; names and addresses above it are left out."""
    for at, block in enumerate(blocks[:FRONT_BLOCKS]):
        opens = None if block.heading else ABSTRACT_OPENS.match(block.text)
        if ABSTRACT.fullmatch(block.text):
            inside, rest = _until_heading(blocks[at + 1 :])
        elif opens and len(block.text) > opens.end():
            own = Block(block.text[opens.end() :].lstrip())
            inside, rest = _until_heading([own, *blocks[at + 1 :]])
        else:
            continue
        if inside:
            front = blocks[:at]
            long = sum(len(one.text) for one in front) > MAX_FRONT
            abstract = KEYWORDS_INSIDE.split("\n\n".join(one.text for one in inside))[0].strip()
            return abstract, [*(front if long else []), *rest]
    return None


def _until_heading(blocks: list[Block]) -> tuple[list[Block], list[Block]]:
    """Paragraphs up to a heading, to keywords or to a length no abstract has, and what follows without keywords."""
    taken = length = 0
    for block in blocks:
        length += len(block.text)
        if block.heading or KEYWORDS.match(block.text) or (taken and length > MAX_ABSTRACT):
            break
        taken += 1
    rest = blocks[taken:]
    while rest and KEYWORDS.match(rest[0].text):
        behind = 1
        if rest[0].heading:  # its words stand below
            behind += next((i for i, block in enumerate(rest[1:]) if block.heading), 0)
        rest = rest[behind:]
    return blocks[:taken], rest


def opening(blocks: list[Block], *, printed: bool) -> tuple[str, list[Block]]:
    """The opening paragraphs and what follows them; from a printed page, the first real paragraph."""
    start = next((i for i, block in enumerate(blocks) if not block.heading), len(blocks))
    if printed:
        start = next((i for i, block in enumerate(blocks) if _is_prose(block)), start)
    end, length = start, 0
    while end < len(blocks) and not blocks[end].heading and length < LEAST_LEAD:
        length += len(blocks[end].text)
        end += 1
    if length > MAX_LEAD and end - start > 1:
        end -= 1
    abstract = "\n\n".join(block.text for block in blocks[start:end])
    before = [block for block in blocks[:start] if block.heading] if not printed else _headings(blocks[:start])
    if len(abstract) > MAX_LEAD:
        return "", blocks if not printed else [*before, *blocks[start:]]
    return abstract, [*before, *blocks[end:]]


def _headings(blocks: Sequence[Block]) -> list[Block]:
    """The heading of the first section, if the text begins in it: other headings above it are names."""
    return [block for block in blocks if block.heading and FIRST_SECTION.fullmatch(block.text)][-1:]


def _is_prose(block: Block) -> bool:
    note = block.text[:1] in "∗*†‡§¶"
    return (
        not block.heading
        and not note
        and len(block.text) >= LEAST_LEAD_PAGE
        and len(SENTENCE_END.findall(block.text)) >= 2
    )
