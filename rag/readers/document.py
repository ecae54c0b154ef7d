"""What every document has, whatever its format: from headings and paragraphs to a paper with its full text.

A title, an abstract and sections are found the same way in PDF, DOCX, HTML, Markdown and plain text.
References are left out: a citation of a title is no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePath

from rag.errors import SourceError
from rag.papers import Body, Paper, Part, normalised_title, paper_id_for, with_body
from rag.readers.blocks import Block, clean
from rag.readers.front import (
    is_abstract_heading,
    looks_like_title,
    marked_abstract,
    opening,
    without_keywords,
    without_references,
)
from rag.readers.source import Entry
from rag.readers.text import Problem

MAX_TITLE = 500
MAX_NAME = 100
MAX_TEXT = 20_000_000
SHOWN = 60  # characters of a title quoted in a message
MAX_PROPERTY = 5000
SEPARATOR = re.compile(r"\s*[;,]\s*(?:and\s+)?|\s+and\s+")
NO_NAME = re.compile(r"[0-9@/\\]")
FILE_LIKE = re.compile(
    r"\.(?:docx?|pdf|tex|dvi|ps|indd|rtf|txt|odt|html?|md)\b|^(?:microsoft|untitled|document\d*$)", re.I
)


@dataclass(slots=True)
class Document:
    """What a reader found: blocks in reading order, and what the format itself says about the paper.

    `from_record` says that title and abstract come from fields made for them, not from the text.
    `printed` says that names and addresses stand between the title and the text.
    """

    blocks: list[Block]
    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    published: date | None = None
    arxiv_id: str | None = None
    doi: str | None = None
    url: str | None = None
    from_record: bool = False
    printed: bool = False
    problems: list[Problem] = field(default_factory=list)


def names(values: Iterable[str]) -> tuple[str, ...]:
    """Authors' names in clean text, "Family, Given" turned, each once."""
    found = [clean(value) for value in values]
    turned = [" ".join(reversed(name.split(", "))) if name.count(", ") == 1 else name for name in found]
    return tuple(dict.fromkeys(name for name in turned if name and len(name) <= 100))


def authors_in(text: str) -> tuple[str, ...]:
    """Names from a file's properties, none where one of them is no full name."""
    parts = [part for part in SEPARATOR.split(text[:MAX_PROPERTY]) if part]
    full = all(2 <= len(part.split()) <= 5 and not NO_NAME.search(part) for part in parts)
    return names(parts) if full else ()


def sane_title(title: str) -> str:
    """A title as a file's properties give it, empty where it is a file name or what a program puts there."""
    title = clean(title)
    return "" if FILE_LIKE.search(title) or len(title.split()) < 2 or len(title) > MAX_TITLE else title


def entry(document: Document, name: str) -> tuple[Entry, list[Problem]]:
    """The paper of a document, with its full text behind the abstract where there is more.

    Raises:
        SourceError: there is no text, or far too much.
    """
    blocks = [block for block in document.blocks if block.text]
    if sum(len(block.text) for block in blocks) > MAX_TEXT:
        raise SourceError(f"{name} has over {MAX_TEXT:,} characters of text.", "Split it.")
    if not document.abstract and not any(not block.heading for block in blocks):
        raise SourceError(f"{name} has no text.", "Is it complete?")
    problems = list(document.problems)
    title, blocks = _title(document, blocks, name, problems)
    abstract, blocks = _abstract(document, without_references(blocks, printed=document.printed), title, problems)
    body = _body(blocks)
    paper = Paper(
        paper_id=paper_id_for(title),
        title=title,
        abstract=abstract,
        published=document.published,
        n_authors=len(document.authors) or None,
        authors=document.authors,
        arxiv_id=document.arxiv_id,
        doi=document.doi,
        url=document.url,
        from_document=not document.from_record,
    )
    return Entry(with_body(paper, body) if body else paper, 1, body), problems


def _title(document: Document, blocks: list[Block], name: str, problems: list[Problem]) -> tuple[str, list[Block]]:
    """The title, and the blocks without it."""
    title = clean(document.title)
    if title:
        key = normalised_title(title)
        rest = [b for i, b in enumerate(blocks) if not (i <= 5 or b.heading) or normalised_title(b.text) != key]
        return _cut(title, problems), rest
    first = blocks[0] if blocks else None
    if first and (first.heading or looks_like_title(first.text)) and not is_abstract_heading(first.text):
        return _cut(first.text, problems), blocks[1:]
    stem = clean(PurePath(name).stem.replace("_", " ")) or "Untitled document"
    problems.append(Problem(1, "No title was found in the text: the file's name stands for it."))
    return _cut(stem, problems), blocks


def _cut(title: str, problems: list[Problem]) -> str:
    if len(title) <= MAX_TITLE:
        return title
    problems.append(Problem(1, f"A title of {len(title)} characters was cut to {MAX_TITLE}."))
    return title[:MAX_TITLE].rstrip()


def _abstract(document: Document, blocks: list[Block], title: str, problems: list[Problem]) -> tuple[str, list[Block]]:
    """The abstract, and the blocks behind it."""
    marked = marked_abstract(blocks)
    if document.abstract:
        abstract = clean(document.abstract)
        rest = without_keywords(marked[1] if marked else blocks)
        return abstract, [block for block in rest if block.text != abstract]
    if marked:
        return marked[0], without_keywords(marked[1])
    abstract, rest = opening(without_keywords(blocks), printed=document.printed)
    if abstract:
        problems.append(Problem(1, "No abstract is marked in the text: its opening stands for it."))
    else:
        problems.append(Problem(1, f'"{title[:SHOWN]}" has no abstract.'))
    return abstract, rest


def _body(blocks: Sequence[Block]) -> Body | None:
    """Paragraphs set apart by blank lines, in parts by section and page; None without any."""
    pieces: list[str] = []
    parts: list[Part] = []
    section, length = None, 0
    for block in blocks:
        if block.heading:
            section = block.text
            continue
        if pieces:
            pieces.append("\n\n")
            length += 2
        for offset, page in block.pages:
            if not parts or (parts[-1].section, parts[-1].page) != (section, page):
                parts.append(Part(length + offset, section, page))
        pieces.append(block.text)
        length += len(block.text)
    return Body("".join(pieces), tuple(parts)) if pieces else None
