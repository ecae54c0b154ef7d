"""What people call a paper: its id, arXiv id, DOI or title."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from rag.papers import ARXIV_ID, Paper, arxiv_id_in, doi_in, normalised_title, whole_doi

if TYPE_CHECKING:
    from rag.library.catalog import Catalog

Kind = Literal["paper_id", "arxiv_id", "doi", "title"]
LINK = re.compile(r"(?:https?://|doi:|arxiv:|10\.)", re.IGNORECASE)


def names_of(paper: Paper) -> Iterator[tuple[Kind, str]]:
    """All that a paper can be called, as it is compared."""
    yield "paper_id", paper.paper_id
    if paper.arxiv_id:
        yield "arxiv_id", paper.arxiv_id
    if paper.doi:
        yield "doi", paper.doi
    if key := normalised_title(paper.title):
        yield "title", key


def comparable(kind: Kind, key: str) -> str:
    """A name as it is compared: small letters in a DOI, no version in an arXiv id, a title folded."""
    if kind == "title":
        return normalised_title(key)
    if kind == "paper_id":
        return key
    return (whole_doi(key) if kind == "doi" else arxiv_id_in(key)) or ""


def names_in(text: str) -> list[tuple[Kind, str]]:
    """What some text can be the name of, the surest first; a number inside of a title names nothing."""
    text = text.strip()
    if ARXIV_ID.fullmatch(text) or LINK.match(text):
        if doi := whole_doi(text) or doi_in(text):
            return [("doi", doi)]
        if arxiv_id := arxiv_id_in(text):
            return [("arxiv_id", arxiv_id)]
    key = normalised_title(text)
    return [("paper_id", text), *([("title", key)] if key else [])] if text else []  # type: ignore[list-item]


def papers_named(catalog: Catalog, text: str) -> list[Paper]:
    """The papers that are called so; several only where they share a title, arXiv id or DOI."""
    for kind, key in [("paper_id", text.strip()), *names_in(text)]:
        if kind == "paper_id":
            found = list(catalog.papers([key]).values())
        elif kind == "title":
            found = catalog.papers_titled([key]).get(key, [])
        else:
            found = catalog.papers_identified(kind, [key]).get(key, [])
        if found:
            return found
    return []
