"""Reader of CSL JSON, as Zotero, Mendeley and Crossref export it."""

from __future__ import annotations

from datetime import date
from typing import Any

from rag.readers.json_items import JsonItems, first_items
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

MARKED = ("note", "number", "container-title", "archive_location", "archive")


def recognises(raw: Raw) -> bool:
    """Whether one of its first records has authors or a date as only CSL writes them."""
    return any(_is_csl(item) for item in first_items(raw))


def _is_csl(item: dict[str, Any]) -> bool:
    authors = item.get("author")
    named = isinstance(authors, list) and any(
        isinstance(one, dict) and ("family" in one or "literal" in one) for one in authors
    )
    issued = item.get("issued")
    dated = isinstance(issued, dict) and any(name in issued for name in ("date-parts", "raw", "literal"))
    return "title" in item and (named or dated or ("type" in item and "itemType" not in item and "DOI" in item))


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The records in their order."""
    records = Records(today)
    for item in JsonItems(raw.text, records.odd):
        records.add(item.line, _fields(item.value))
    return records.result(raw.problems)


def _fields(item: dict[str, Any]) -> Fields:
    title = item.get("title")
    marked = (item.get(name) for name in MARKED)
    return Fields(
        title=": ".join(str(part) for part in title) if isinstance(title, list) else title,
        abstract=item.get("abstract"),
        authors=item.get("author") or item.get("editor"),
        published=tuple(_date(item.get(name)) for name in ("issued", "published", "created")),
        arxiv=tuple(text for text in marked if isinstance(text, str) and "arxiv" in text.lower()),
        doi=item.get("DOI"),
        url=item.get("URL"),
    )


def _date(value: object) -> object:
    """CSL's date as a text; of a span its beginning."""
    if not isinstance(value, dict):
        return value
    parts = value.get("date-parts")
    if isinstance(parts, list) and parts and isinstance(parts[0], list) and any(parts[0]):
        return "-".join(str(part) for part in parts[0][:3] if part)
    return value.get("raw") or value.get("literal")
