"""Which column of a table, or which name in a JSON record, holds what of a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from rag.readers.latex import plain
from rag.readers.records import Fields

# In the order of preference; compared in small letters, letters and digits only.
NAMES: dict[str, tuple[str, ...]] = {
    "title": ("title", "papertitle", "articletitle", "documenttitle", "primarytitle", "ti"),
    "abstract": ("abstract", "abstractnote", "summary", "abstracttext", "paperabstract", "ab"),
    "authors": (
        "authorsparsed", "authors", "author", "authorlist", "authornames", "authorfullnames", "creators", "creator",
        "au",
    ),
    "published": (
        "published", "publisheddate", "publicationdate", "datepublished", "publishedat", "pubdate", "date",
        "releasedate", "versions", "issued", "year", "publicationyear", "pubyear", "py", "created", "updatedate",
    ),
    "arxiv": ("arxivid", "arxiv", "eprint", "archiveid", "arxivurl", "entryid", "extra", "id", "paperid"),
    "doi": ("doi", "doiurl"),
    "url": ("url", "link", "paperurl", "urlabs", "pageurl", "landingpage", "arxivurl", "entryid", "pdfurl", "urlpdf"),
    "organisation": ("organisation", "organization"),
    "comments": ("numcomments",),
    "upvotes": ("upvotes",),
}  # fmt: skip
KNOWN: dict[str, list[tuple[str, int]]] = {}  # the fields that a name may hold, and its rank there
for _field, _names in NAMES.items():
    for _rank, _name in enumerate(_names):
        KNOWN.setdefault(_name, []).append((_field, _rank))
BARE_ARXIV = re.compile(r"(?:arxiv:)?\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7}(?:v\d+)?", re.IGNORECASE)
UNMARKED = ("id", "paperid")  # which hold an arXiv id only where they look like nothing else


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """A column's name for comparing."""
    return re.sub(r"[\W_]", "", name).lower()


def is_header(names: Iterable[str]) -> bool:
    """Whether these are names of columns with papers: a title, and something else that is known."""
    fields = {field for name in names for field, _ in KNOWN.get(normal(name), ())}
    return "title" in fields and len(fields) > 1


def fields_of(record: Mapping[str, Any]) -> Fields:
    """What a record says of its paper, by the names of its columns, whatever their case and spacing."""
    ranked: dict[str, list[tuple[int, Any]]] = {}
    for name, value in record.items():
        if _holds(value):
            for field, rank in KNOWN.get(normal(name), ()):
                ranked.setdefault(field, []).append((rank, value))
    values = {field: [value for _, value in sorted(found, key=_rank_of)] for field, found in ranked.items()}

    def first(field: str) -> Any:
        found = values.get(field)
        return found[0] if found else None

    return Fields(
        title=first("title"),
        abstract=first("abstract"),
        authors=_authors(first("authors")),
        published=tuple(_date(value) for value in values.get("published", ())),
        arxiv=tuple(
            text for rank, value in sorted(ranked.get("arxiv", ()), key=_rank_of) if (text := _arxiv(rank, value))
        ),
        doi=first("doi"),
        url=first("url"),
        organisation=first("organisation"),
        comments=first("comments"),
        upvotes=first("upvotes"),
    )


def _rank_of(ranked: tuple[int, Any]) -> int:
    return ranked[0]


def _holds(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None and value != []


def _arxiv(rank: int, value: object) -> str | None:
    """The text of a column that may hold an arXiv id; of free text and of ids of any kind only where it does."""
    text = str(value).strip() if isinstance(value, str | float) else ""
    name = NAMES["arxiv"][rank]
    if name == "extra" and "arxiv" not in text.lower():
        return None
    return text if name not in UNMARKED or BARE_ARXIV.fullmatch(text) else None


def _authors(value: object) -> object:
    return plain(value) if isinstance(value, str) and "\\" in value else value


def _date(value: object) -> object:
    """A date, or that of the first of arXiv's versions."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return value[0].get("created")
    return value
