"""`Filters` in the dialect of each store: SQLite, Chroma and tantivy must admit the same papers."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from tantivy import FieldType, Occur, Query, Schema

from rag.papers import Filters

if TYPE_CHECKING:
    from chromadb.api.types import Where

WITHOUT_EFFECT = 0.0  # the score a filter adds to a match


def date_number(day: date | None) -> int | None:
    """YYYYMMDD, which sorts as dates do; None stays None."""
    return None if day is None else day.year * 10_000 + day.month * 100 + day.day


def number_date(number: int | None) -> date | None:
    """The inverse of `date_number`."""
    return None if number is None else date(number // 10_000, number // 100 % 100, number % 100)


def sql_where(filters: Filters) -> tuple[str, list[int | str]]:
    """A condition on the table `papers` and its parameters."""
    parts = ["1"]
    values: list[int | str] = []
    for field, low, high in _ranges(filters):
        if low is not None:
            parts.append(f"{field} >= ?")
            values.append(low)
        if high is not None:
            parts.append(f"{field} <= ?")
            values.append(high)
    if filters.organisation is not None:
        parts.append("organisation = ?")
        values.append(filters.organisation)
    if filters.paper_ids is not None:
        parts.append("paper_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(filters.paper_ids))
    return " AND ".join(parts), values


def chroma_where(filters: Filters) -> Where | None:
    """Chroma's condition on a passage's metadata; None for no filter. `paper_ids` must not be empty."""
    parts: list[Any] = []
    for field, low, high in _ranges(filters):
        parts += [{field: {"$gte": low}}] if low is not None else []
        parts += [{field: {"$lte": high}}] if high is not None else []
    if filters.organisation is not None:
        parts.append({"organisation": {"$eq": filters.organisation}})
    if filters.paper_ids is not None:
        parts.append({"paper_id": {"$in": list(dict.fromkeys(filters.paper_ids))}})
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"$and": parts}


def word_clauses(filters: Filters, schema: Schema) -> list[tuple[Occur, Query]]:
    """Tantivy's conditions: each must hold and none changes a score."""
    queries = []
    for field, low, high in _ranges(filters):
        if low is not None or high is not None:
            queries.append(Query.range_query(schema, field, FieldType.Integer, low, high))
    if filters.organisation is not None:
        queries.append(Query.term_query(schema, "organisation", filters.organisation, "basic"))
    if filters.paper_ids is not None:
        queries.append(Query.term_set_query(schema, "paper_id", list(filters.paper_ids)))
    return [(Occur.Must, Query.const_score_query(query, WITHOUT_EFFECT)) for query in queries]


def _ranges(filters: Filters) -> tuple[tuple[str, int | None, int | None], ...]:
    return (
        ("published", date_number(filters.published_from), date_number(filters.published_to)),
        ("n_authors", filters.min_authors, filters.max_authors),
    )
