"""Reader of Markdown: front matter gives title, authors and date, headings make sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from rag.errors import SourceError
from rag.papers import arxiv_id_in
from rag.readers.blocks import Block, clean, heading_block, text_block
from rag.readers.document import Document, entry, names
from rag.readers.fields import doi_of
from rag.readers.plain import is_prose, paragraphs
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

SUFFIXES = {".md", ".markdown", ".mdown", ".mkd"}
UNSAID = {".txt", ".text", ""}
MAX_CHARACTERS = 10_000_000
MAX_FRONT = 20_000
MAX_MARKS = 40_000  # each takes up to 0.05 ms; a book has fewer
MARKS = re.compile(r"[\n\[\]*_`|>#!&<\\]")
FRONT = re.compile(r"\s*---[ \t]*\n(?P<yaml>(?:.*\n){1,200}?)(?:---|\.\.\.)[ \t]*(?:\n|$)")
HEADINGS = re.compile(r"^#{1,6} \S", re.MULTILINE)
ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def recognises(raw: Raw) -> bool:
    """Whether it is prose whose name says Markdown, or, where the name says nothing, that begins like it."""
    if raw.suffix not in SUFFIXES | UNSAID or is_binary(raw.data):
        return False
    if raw.suffix in SUFFIXES:
        return is_prose(raw.text) or FRONT.match(raw.text[:MAX_FRONT]) is not None or _has_heading(raw.text)
    text = raw.text[:MAX_FRONT].lstrip()
    begins = FRONT.match(text) is not None or text.startswith("# ")
    return begins and len(HEADINGS.findall(raw.text[: 10 * MAX_FRONT])) >= 2 and is_prose(raw.text)


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The one paper of a file, and what was odd.

    Raises:
        SourceError: it holds no text, or too much.
    """
    text = raw.text
    if len(text) > MAX_CHARACTERS:
        raise SourceError(f"{raw.name} has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read.", "Split it.")
    problems = list(raw.problems)
    front = FRONT.match(text[:MAX_FRONT])
    facts = _facts(front["yaml"], problems) if front else {}
    rest = text[front.end() :] if front else text
    if len(MARKS.findall(rest)) > MAX_MARKS:
        problems.append(Problem(1, "There are too many marks for Markdown: it was read as plain text."))
        blocks = paragraphs(rest)
    else:
        blocks = _blocks(rest)
    title = _one(facts, "title")
    found = Document(
        blocks,
        title=title,
        abstract=_one(facts, "abstract", "summary"),
        authors=names(_many(facts, "authors", "author")),
        published=_day(_one(facts, "date", "published"), today),
        arxiv_id=arxiv_id_in(_one(facts, "arxiv", "arxiv_id", "eprint")),
        doi=doi_of(_one(facts, "doi")),
        problems=problems,
    )
    one, odd = entry(found, raw.name)
    return [one], odd


def _has_heading(text: str) -> bool:
    return HEADINGS.search(text) is not None


def _facts(text: str, problems: list[Problem]) -> dict[str, Any]:
    """The front matter, every value as text; none where it is no YAML."""
    import yaml  # type: ignore[import-untyped]

    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # builds text, lists and mappings only
    except (yaml.YAMLError, RecursionError, ValueError):
        problems.append(Problem(1, "The front matter is no valid YAML and was left out."))
        return {}
    return {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else {}


def _one(facts: dict[str, Any], *keys: str) -> str:
    return next((clean(value) for key in keys if isinstance(value := facts.get(key), str) and value.strip()), "")


def _many(facts: dict[str, Any], *keys: str) -> list[str]:
    """A list of names, or of mappings with a name, or one text with commas."""
    value: Any = next((facts[key] for key in keys if facts.get(key)), [])
    if isinstance(value, str):
        return re.split(r"\s*[;,]\s*|\s+and\s+", value)
    listed = value if isinstance(value, list) else [value]
    named = [one.get("name") if isinstance(one, dict) else one for one in listed[:10_000]]
    return [name for name in named if isinstance(name, str)]


def _day(text: str, today: date) -> date | None:
    found = ISO_DATE.match(text)
    try:
        day = date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
    return day if day and day <= today + timedelta(days=1) else None


def _blocks(text: str) -> list[Block]:
    """Headings and paragraphs; what is raw HTML is left out, code and tables are kept as text."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"maxNesting": 20}).enable("table").parse(text)
    blocks: list[Block] = []
    row: list[str] | None = None
    heading = False
    for token in tokens:
        if token.type == "heading_open":
            heading = True
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            blocks.append(text_block(" | ".join(filter(None, row))))
            row = None
        elif token.type == "inline":
            line = _inline(token.children or [])
            if row is not None:
                row.append(clean(line))
            else:
                blocks.append(heading_block(line) if heading else text_block(line))
            heading = False
        elif token.type in ("fence", "code_block"):
            blocks.append(text_block(token.content))
    return [block for block in blocks if block.text]


def _inline(children: Sequence[Any]) -> str:
    return "".join(_pieces(children))


def _pieces(children: Iterable[Any]) -> Iterable[str]:
    for child in children:
        if child.type in ("text", "code_inline", "text_special"):
            yield child.content
        elif child.type in ("softbreak", "hardbreak"):
            yield " "
        elif child.type == "image":
            yield f" {child.content} "
