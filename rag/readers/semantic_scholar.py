"""Reader of the JSON of Semantic Scholar: single papers, lists, searches, citations, bulk files."""

from __future__ import annotations

from datetime import date
from typing import Any

from rag.readers.json_items import JsonItems, first_items
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

SIGNS = {"paperId", "corpusId", "corpusid", "externalIds", "externalids", "citationCount", "citationcount"}
INNER = ("citingPaper", "citedPaper")


def recognises(raw: Raw) -> bool:
    """Whether one of its first records has names that only Semantic Scholar gives."""
    return any(
        "title" in paper and len(SIGNS & set(paper)) > 0 for item in first_items(raw) for paper in [_paper(item)]
    )


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The papers in their order."""
    records = Records(today)
    for item in JsonItems(raw.text, records.odd):
        records.add(item.line, _fields(_paper(item.value)))
    return records.result(raw.problems)


def _paper(item: dict[str, Any]) -> dict[str, Any]:
    """The paper itself: lists of citations hold it one deeper."""
    return next((item[name] for name in INNER if isinstance(item.get(name), dict)), item)


def _fields(paper: dict[str, Any]) -> Fields:
    ids = paper.get("externalIds") or paper.get("externalids")
    ids = ids if isinstance(ids, dict) else {}
    return Fields(
        title=paper.get("title"),
        abstract=paper.get("abstract"),
        authors=paper.get("authors"),
        published=(paper.get("publicationDate"), paper.get("publicationdate"), paper.get("year")),
        arxiv=(ids.get("ArXiv"),),
        doi=ids.get("DOI") or paper.get("doi"),
        url=paper.get("url"),
    )
