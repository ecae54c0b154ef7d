"""Reader of the Atom feeds that arXiv's API answers with, saved or fetched."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from rag.errors import SourceError
from rag.papers import Paper, arxiv_id_in, paper_id_for, whole_doi
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

ATOM, ARXIV, SEARCH = (
    "{http://www.w3.org/2005/Atom}",
    "{http://arxiv.org/schemas/atom}",
    "{http://a9.com/-/spec/opensearch/1.1/}",
)
MARK = re.compile(r"<feed\b[^>]{0,1000}http://www\.w3\.org/2005/Atom")
DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")  # names an encoding, which text has no more
ENTRY = re.compile(r"<entry\b")
HEAD = 4096
ERRORS = "/api/errors"  # in the id of an entry that is no paper but says what is wrong
MAX_TITLE = 500
CHECK = "Fetch it again, or check the ids and the query."


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed lists.

    `total` is how many papers the whole search has, `versions` each entry's id with its version. `whole` is
    false where the feed is cut off or damaged.
    """

    total: int | None
    entries: tuple[Entry, ...]
    versions: tuple[str, ...]
    problems: tuple[Problem, ...]
    whole: bool


def recognises(raw: Raw) -> bool:
    """Whether it begins as an Atom feed that names arXiv."""
    if is_binary(raw.data):
        return False
    head = raw.text[:HEAD]
    return bool(MARK.search(head)) and "arxiv.org" in head


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The papers of a feed in their order, and what was odd.

    Raises:
        SourceError: it is arXiv's word for an error, or no text.
    """
    feed = read_feed(raw, today=today)
    return list(feed.entries), list(feed.problems)


def read_feed(raw: Raw, *, today: date) -> Feed:
    """A feed with what only programs want of it; raises what `read` does."""
    lines = [found.start() for found in ENTRY.finditer(raw.text)]
    entries: list[Entry] = []
    versions: list[str] = []
    problems = list(raw.problems)
    total, rows, whole, at, line = None, 0, True, 0, 1
    try:
        for element in _elements(raw.text):
            if element.tag == f"{SEARCH}totalResults":
                total = int(found[0]) if (found := re.findall(r"\d{1,12}", element.text or "")) else None
                continue
            if rows < len(lines):
                line, at = line + raw.text.count("\n", at, lines[rows]), lines[rows]
            rows += 1
            if ERRORS in _text(element, "id"):
                raise SourceError(f"arXiv says: {_text(element, 'summary')[:300] or 'error'}.", CHECK)
            if (paper := _paper(element, today)) is None:
                problems.append(Problem(line, "An entry without a title was left out.", lost=True))
                continue
            entries.append(Entry(paper, line))
            versions.append(_text(element, "id").partition("/abs/")[2])
    except _DamagedError as error:
        whole = False
        problems.append(
            Problem(error.line, f"{raw.name} is cut off or damaged here ({error}); papers before were kept.", lost=True)
        )
    return Feed(total, tuple(entries), tuple(versions), tuple(problems), whole)


class _DamagedError(Exception):
    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def _elements(text: str) -> Iterator[Element]:
    """The feed's entries and its total, in order; no entities but those of XML itself.

    Raises:
        _DamagedError: it is no clean XML from here on.
    """
    from lxml.etree import XMLSyntaxError, iterparse

    source = io.BytesIO(DECLARATION.sub("", text, count=1).encode("utf-8", "replace"))
    wanted = (f"{ATOM}entry", f"{SEARCH}totalResults")
    try:
        # Without huge_tree, what is nested deeper than 256 or longer than 10 MB in one piece is refused.
        for _, element in iterparse(source, tag=wanted, resolve_entities=False, no_network=True):
            yield element
            element.clear()
    except XMLSyntaxError as error:
        raise _DamagedError(error.msg, error.lineno or None) from None


def _paper(entry: Element, today: date) -> Paper | None:
    title = _text(entry, "title")[:MAX_TITLE].rstrip()
    if not title:
        return None
    authors = tuple(name for author in entry.findall(f"{ATOM}author") if (name := _text(author, "name")))
    arxiv_id = arxiv_id_in(_text(entry, "id"))
    return Paper(
        paper_id=paper_id_for(title),
        title=title,
        abstract=_text(entry, "summary"),
        published=_date(entry, today),
        n_authors=len(authors) or None,
        authors=authors,
        arxiv_id=arxiv_id,
        doi=whole_doi(_text(entry, "doi", ARXIV)),
        url=f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else None,
    )


def _text(element: Element, name: str, namespace: str = ATOM) -> str:
    """A field on one line; arXiv breaks long ones."""
    return " ".join((element.findtext(namespace + name) or "").split())


def _date(entry: Element, today: date) -> date | None:
    """The day of the first version; None where it is none, or in the future."""
    try:
        day = date.fromisoformat(_text(entry, "published")[:10])
    except ValueError:
        return None
    return day if day <= today else None
