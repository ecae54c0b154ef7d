"""Reader of works in the JSON of OpenAlex, whose abstracts come as an index of words."""

from __future__ import annotations

from datetime import date
from typing import Any

from rag.readers.json_items import JsonItems, first_items
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem


def recognises(raw: Raw) -> bool:
    """Whether one of its first records is a work."""
    return any(
        "abstract_inverted_index" in item or "authorships" in item or "openalex.org/W" in str(item.get("id"))
        for item in first_items(raw)
    )


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The works in their order."""
    records = Records(today)
    for item in JsonItems(raw.text, records.odd):
        records.add(item.line, _fields(item.value))
    return records.result(raw.problems)


def _fields(work: dict[str, Any]) -> Fields:
    ids = _dict(work.get("ids"))
    places = [_dict(work.get("primary_location")), *map(_dict, _list(work.get("locations")))]
    urls = [place.get(name) for place in places for name in ("landing_page_url", "pdf_url")]
    return Fields(
        title=work.get("title") or work.get("display_name"),
        abstract=words_in_order(work.get("abstract_inverted_index")) or work.get("abstract"),
        authors=[_author(_dict(one)) for one in _list(work.get("authorships"))],
        published=(work.get("publication_date"), work.get("publication_year")),
        arxiv=tuple(url for url in urls if isinstance(url, str) and "arxiv" in url.lower()),
        doi=work.get("doi") or ids.get("doi"),
        url=urls[0] or work.get("doi") or work.get("id"),
    )


def words_in_order(index: object) -> str:
    """The text of an index of words: each word with the places at which it stands."""
    pairs = [
        (place, word)
        for word, places in _dict(index).items()
        for place in _list(places)
        if isinstance(place, int) and not isinstance(place, bool)
    ]
    return " ".join(word for _, word in sorted(pairs))


def _author(authorship: dict[str, Any]) -> object:
    return _dict(authorship.get("author")).get("display_name") or authorship.get("raw_author_name")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
