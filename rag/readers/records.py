"""What all readers of bibliographic records share: fields as found in, papers and problems out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rag.papers import DateOf, Paper, paper_id_for
from rag.readers.fields import abstract_of, arxiv_of, count_of, dated_of, doi_of, line_of, url_of
from rag.readers.hf_dates import LEEWAY
from rag.readers.oddities import Oddities
from rag.readers.source import Entry
from rag.readers.text import Problem

MAX_TITLE = 500
ARXIVS_DOI = "10.48550/arxiv."  # says no more than the arXiv id, and is not that of the publication
MAX_AUTHORS = 6000  # the longest list known has 5,154

OTHERS = re.compile(r"\s*\b(?:et\.?\s?al\.?|and others)\s*$", re.IGNORECASE)
OTHER = {"others", "et al", "et al."}
AND = re.compile(r"\s+and\s+|\s*&\s*")
LISTED = re.compile(r"""'([^']{1,200})'|"([^"]{1,200})\"""")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a record says of its paper, as it stands there: text, numbers or lists, of whatever kind.

    Each of `published` and `arxiv` is tried in turn until one is understood.
    """

    title: object = None
    abstract: object = None
    authors: object = None
    published: tuple[object, ...] = ()
    arxiv: tuple[object, ...] = ()
    doi: object = None
    url: object = None
    organisation: object = None
    comments: object = None
    upvotes: object = None


class Records:
    """Collects entries record by record, and what was odd about them."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.entries: list[Entry] = []
        self.odd = Oddities()

    def add(self, line: int, fields: Fields) -> None:
        """Take a record that begins on `line`; one without a title is lost."""
        title = line_of(fields.title)
        if not title:
            self.odd.lose(line, "a record without a title was left out")
            return
        if len(title) > MAX_TITLE:
            self.odd.note(line, f"a title of more than {MAX_TITLE} characters, which was cut")
            title = title[:MAX_TITLE].rstrip()
        authors, complete = authors_of(fields.authors)
        doi = doi_of(fields.doi)
        dated = self._published(line, fields.published)
        paper = Paper(
            paper_id=paper_id_for(title),
            title=title,
            abstract=abstract_of(fields.abstract),
            published=dated[0] if dated else None,
            date_of=dated[1] if dated else "day",
            n_authors=len(authors) if authors and complete else None,
            organisation=line_of(fields.organisation) or None,
            comments=count_of(fields.comments),
            authors=authors,
            arxiv_id=arxiv_of(*fields.arxiv, fields.doi, fields.url),
            doi=None if doi and doi.startswith(ARXIVS_DOI) else doi,
            url=url_of(fields.url),
            upvotes=count_of(fields.upvotes),
        )
        if not paper.abstract:
            self.odd.note(line, "no abstract: only the title can be found")
        self.entries.append(Entry(paper, line))

    def result(self, before: Iterable[Problem] = ()) -> tuple[list[Entry], list[Problem]]:
        """What a reader returns; `before` is what was odd about the text itself."""
        return self.entries, [*before, *self.odd.problems()]

    def _published(self, line: int, values: Iterable[object]) -> tuple[date, DateOf] | None:
        given = [value for value in values if line_of(value)]
        dated = next((dated for value in given if (dated := dated_of(value))), None)
        if dated is None and given:
            self.odd.note(line, "a date that cannot be read")
        if dated is None or dated[0] <= self.today + LEEWAY:
            return dated
        self.odd.note(line, "a date that is still to come: kept without it")
        return None


def authors_of(value: object) -> tuple[tuple[str, ...], bool]:
    """Names as "Given Family", and whether they are all: not where "et al." or "and others" ends them.

    `value` is a text of names, or a list of texts or of records with a name in one or two fields.
    """
    if isinstance(value, str):
        text = line_of(value)
        complete = OTHERS.search(text) is None
        names = _split(text if complete else OTHERS.sub("", text))
    else:
        given = value if isinstance(value, list | tuple) else ()
        complete = len(given) <= MAX_AUTHORS
        names = [_name(one) for one in given[:MAX_AUTHORS]]
    named = [name for name in names if name]
    kept = [name for name in named[:MAX_AUTHORS] if name.lower() not in OTHER]
    return tuple(dict.fromkeys(kept)), complete and len(kept) == len(named)


def _name(value: object) -> str:
    if isinstance(value, Mapping):
        return _name_of_record(value)
    if isinstance(value, list) and value:  # ["Family", "Given", "Jr."], as arXiv's own records have them
        given, suffix = ([*map(line_of, value[1:3]), "", ""])[:2]
        return " ".join(part for part in (given, line_of(value[0]), suffix) if part)
    return turned(line_of(value))


def _name_of_record(value: Mapping[str, Any]) -> str:
    for given, family in (("given", "family"), ("firstName", "lastName"), ("first_name", "last_name")):
        if whole := f"{line_of(value.get(given))} {line_of(value.get(family))}".strip():
            return whole
    found = next((value[key] for key in ("name", "display_name", "literal", "fullname") if value.get(key)), "")
    return turned(line_of(found))


def turned(name: str) -> str:
    """ "Family, Given" as "Given Family", with "Jr." where BibTeX puts it: between the two."""
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 2:
        return " ".join(part for part in (parts[1], parts[0]) if part)
    if len(parts) == 3:
        return " ".join(part for part in (parts[2], parts[0], parts[1]) if part)
    return name.strip(" ,")


def _split(text: str) -> list[str]:
    """Names out of one text, by what parts them there."""
    if text.startswith("[") and text.endswith("]"):  # a list as Python or JSON writes it
        return [turned(one or other) for one, other in LISTED.findall(text)]
    for mark in (";", "|"):
        if mark in text:
            return [turned(part.strip()) for part in text.split(mark)]
    parts = AND.split(text)
    if len(parts) == 1 or any(_is_list(part) for part in parts):
        return [name for part in parts for name in (_by_commas(part))]
    return [turned(part) for part in parts]


def _by_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if _is_list(text) else [turned(text)]


def _is_list(text: str) -> bool:
    """Whether commas part names here, and not family names from given names: "A B, C D", not "B, A"."""
    parts = text.split(",")
    return len(parts) > 3 or (len(parts) > 1 and all(" " in part.strip() for part in parts if part.strip()))
