"""Reader of the JSON of the Hugging Face hub's `daily_papers` and `papers` addresses.

An element of `daily_papers` holds the paper under "paper" and what the listing adds beside it; the
page of a single paper and lists of search results hold the paper itself.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from rag.errors import SourceError
from rag.readers.fields import arxiv_of
from rag.readers.json_items import JsonItems, first_items
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw, SourceReading
from rag.readers.text import Problem

PAGES = "https://huggingface.co/papers/"


def recognises(raw: Raw) -> bool:
    """Whether its first records are papers as this interface gives them."""
    return any(is_listing(item) for item in first_items(raw))


def is_listing(item: dict[str, Any]) -> bool:
    """Whether a record is an element of `daily_papers`, or a paper of the hub."""
    paper = item.get("paper")
    if isinstance(paper, dict):
        return "id" in paper and ("title" in paper or "title" in item)
    return "id" in item and "title" in item and "upvotes" in item and ("summary" in item or "publishedAt" in item)


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The papers in their order, and what was odd. An empty list of papers gives none and is no problem."""
    entries, problems = from_json(raw.text, today)
    return entries, [*raw.problems, *problems]


def read_bytes(data: bytes, name: str, *, today: date | None = None) -> SourceReading:
    """The papers of one answer of the hub, called `name`; a day without papers gives none.

    Raises:
        SourceError: it is no JSON, or JSON that is no list of papers of the hub.
    """
    raw = Raw(name, data)
    remedy = "It may be an error page, or the interface has changed."
    if raw.text.strip() != "[]" and not recognises(raw):
        raise SourceError(f"{name} is not the JSON of Hugging Face's daily_papers.", remedy)
    entries, problems = read(raw, today=today or date.today())
    return SourceReading(name, raw.sha256, tuple(entries), tuple(sorted(problems, key=lambda one: one.line or 0)))


def from_json(text: str, today: date, line: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """Papers and problems of a text of JSON; `line` is that of all of them where the text stands in another."""
    records = Records(today)
    for item in JsonItems(text, records.odd):
        records.add(line or item.line, fields_of(item.value))
    return records.result()


def fields_of(item: dict[str, Any]) -> Fields:
    """What an element of a listing says of its paper."""
    paper = item["paper"] if isinstance(item.get("paper"), dict) else item
    arxiv_id = arxiv_of(paper.get("id"))
    return Fields(
        title=paper.get("title") or item.get("title"),
        abstract=paper.get("summary") or item.get("summary"),
        authors=paper.get("authors"),
        published=(paper.get("publishedAt"), item.get("publishedAt")),
        arxiv=(arxiv_id,),
        url=f"{PAGES}{arxiv_id}" if arxiv_id else None,
        organisation=_organisation(item.get("organization") or paper.get("organization")),
        comments=item.get("numComments"),
        upvotes=paper.get("upvotes"),
    )


def _organisation(value: object) -> object:
    """The name that the page shows."""
    return (value.get("fullname") or value.get("name")) if isinstance(value, dict) else value
