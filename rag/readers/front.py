"""Where a document's title and abstract stand, and where its references begin."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.readers.blocks import NUMBERING, Block

MAX_ABSTRACT = 5000  # characters; a marked abstract goes on in the body from here
MAX_LEAD = 1500  # of the opening that stands for an abstract
LEAST_LEAD = 80
LEAST_LEAD_PAGE = 200  # on a printed page, where names and addresses stand before the text
FRONT_SECTIONS = 12  # keywords under a heading of their own are among the first
BRIEF = 80  # characters of a paragraph that need not be prose
LEAST_ENTRIES = 8  # of a list without a heading
MAX_ENTRIES = 3000
MAX_FRONT = 6000  # characters between title and abstract that may be names and addresses
REFERENCES = re.compile(
    NUMBERING + r"(?:references?(?: and notes| cited)?|bibliography|literature cited|works cited)\W*", re.I
)
# A section that no list of references goes on in.
NEW_SECTION = re.compile(r"(?:[0-9]{1,2}(?:\.[0-9]{1,2}){0,4}|[IVX]{1,5}|[A-Z])[.)]?\s+\S|appendi(?:x|ces)\b", re.I)
LABELLED = re.compile(r"\[[^\]\s]{1,12}\]\s|[0-9]{1,3}[.)]?\s+\S")
LABEL = re.compile(r"(?<!\S)\[[^\]\s]{1,12}\] (?=[A-Z])")
NAMED = re.compile(
    r"(?:[^\W\d_]{1,20}[ -]){0,3}[^\W\d_][\w'’-]{0,30}, (?:[A-Z]\.|[A-Z][a-z]+[,;.]|[A-Z][a-z]+ [A-Z])"
    r"|(?:[A-Z]\.[ -]?){1,3} ?[A-Z][\w'’-]{1,30}|(?:[A-Z][\w'’.-]{1,20} ){1,3}[A-Z][\w'’-]{1,30}(?:,| and |\. [0-9])"
)
DATELESS = re.compile(r"https?://|\bdoi\b|arxiv|\bn\.d\.|in press|to appear|forthcoming|\bpp?\. ?[0-9]", re.I)
ABSTRACT = re.compile(NUMBERING + r"abstract\W*", re.I)
SUMMARY = re.compile(r"(?:executive )?summary\W*", re.I)
BYLINE = re.compile(r"[Bb]y [A-Z][^.!?]{2,120}")
ABSTRACT_OPENS = re.compile(r"(?:Abstract|ABSTRACT)(?:\s?[.:—–-]+\s*|\s+(?=[A-Z][^\n]{300}))")
SUMMARY_WITHIN = 4  # blocks behind the title; one further on closes the paper
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
    """The blocks without lists of references and contents, and without keywords that have a heading.

    A list ends where a section begins that is none, such as an appendix; prose under the heading "References"
    stays. On `printed` pages a list at the end may have no heading.
    """
    kept: list[Block] = []
    listed = False
    for number, section in enumerate(_sections(blocks)):
        head, inside = (section[0], section[1:]) if section[0].heading else (None, section)
        named = head is not None and REFERENCES.fullmatch(head.text) is not None
        goes_on = listed and not (head and NEW_SECTION.match(head.text))
        listed = bool(inside) and (named or goes_on) and _is_list(inside, brief=named)
        front = number < FRONT_SECTIONS and head is not None and KEYWORDS_HEADING.fullmatch(head.text)
        contents = head is not None and CONTENTS.fullmatch(head.text)
        if not (listed or front or contents or (named and not inside)):
            kept += section
    return kept[: _end_of_text(kept)] if printed else kept


def _sections(blocks: Sequence[Block]) -> list[list[Block]]:
    """Each heading with the paragraphs below it."""
    sections: list[list[Block]] = []
    for block in blocks:
        if block.heading or not sections:
            sections.append([])
        sections[-1].append(block)
    return sections


def without_keywords(blocks: Sequence[Block]) -> list[Block]:
    """The blocks without lines of keywords; they end an abstract, so that is looked for before."""
    return [block for block in blocks if not KEYWORDS_LINE.match(block.text) or len(block.text) >= MAX_KEYWORDS]


def _is_list(inside: Sequence[Block], *, brief: bool) -> bool:
    """Whether most of the text is entries; `brief`: or there is no paragraph long enough for prose."""
    text = "\n".join(block.text for block in inside)
    length, signs = len(text), (LABEL, INITIAL, DATELESS)
    if 300 * len(YEAR.findall(text)) >= length and any(300 * len(sign.findall(text)) >= length for sign in signs):
        return True
    entries = sum(len(block.text) for block in inside if _is_reference(block))
    return 2 * entries >= length or (brief and all(len(block.text) < BRIEF for block in inside))


def _end_of_text(blocks: Sequence[Block]) -> int:
    """Where a list of references without a heading begins, at the end; it has many entries."""
    end = start = len(blocks)
    while start and not blocks[start - 1].heading and end - start < MAX_ENTRIES:
        block = blocks[start - 1]
        if not (_is_reference(block) or (len(block.text) < BRIEF and start < end)):
            break
        start -= 1
    while start < end and not _is_reference(blocks[start]):
        start += 1
    years = sum(len(YEAR.findall(block.text)) for block in blocks[start:end])
    entries = sum(map(_is_reference, blocks[start:end]))
    return start if years >= LEAST_ENTRIES and 2 * entries >= end - start else end


def _is_reference(block: Block) -> bool:
    """Whether it is of a list of references: it begins like an entry and has a year, or is full of both."""
    if block.heading:
        return False
    text, length = block.text, len(block.text)
    initials, years = len(INITIAL.findall(text)), len(YEAR.findall(text))
    if initials >= max(1, length / 150) and years >= max(1, length / 300):
        return True
    if LABELLED.match(text):
        return years > 0 or length < BRIEF or DATELESS.search(text) is not None
    return NAMED.match(text) is not None and (years > 0 or DATELESS.search(text) is not None)


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
        if ABSTRACT.fullmatch(block.text) or (block.heading and at < SUMMARY_WITHIN and SUMMARY.fullmatch(block.text)):
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
        if KEYWORDS_INSIDE.search(block.text):
            break
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
    if start < len(blocks) - 1 and BYLINE.fullmatch(blocks[start].text):
        del blocks[start]
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
