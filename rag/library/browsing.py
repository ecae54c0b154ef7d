"""The catalog as people leaf through it: lists in an order, a part at a time, and how many there are of what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Literal

from rag.library.catalog import IN_LIST, PAPER, Catalog, paper_of
from rag.library.filtering import number_date, sql_where
from rag.library.opened import OpenIndexes
from rag.papers import Filters, Paper

Order = Literal["newest", "oldest", "title", "organisation", "relevance"]

EVERYTHING = Filters()
_BY_DATE = "published IS NULL, published DESC, title_key, paper_id"
_SQL_ORDERS: dict[Order, str] = {
    "newest": _BY_DATE,
    "oldest": "published IS NULL, published, title_key, paper_id",
    "title": "title_key, paper_id",
    "organisation": f"organisation IS NULL, organisation COLLATE NOCASE, {_BY_DATE}",
}


class Listing:
    """Lists of the papers of one library."""

    def __init__(self, catalog: Catalog, indexes: OpenIndexes) -> None:
        self._catalog, self._indexes = catalog, indexes

    def page(
        self,
        filters: Filters = EVERYTHING,
        *,
        query: str = "",
        source: str | None = None,
        order: Order = "newest",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Paper], int]:
        """`limit` papers after the first `offset` of those that pass, and how many pass.

        All words of `query` must be in a paper's title, abstract or organisation; the last may be unfinished.
        `source` is the name of a file that must list it. "relevance" without a query is "newest".
        """
        found = self._having(query, filters)
        where, values = _condition(filters, found, source)
        if found is not None and order == "relevance":
            passing = {row[0] for row in self._catalog.rows(f"SELECT paper_id FROM papers WHERE {where}", values)}
            ids = [paper_id for paper_id in found if paper_id in passing]
            shown = ids[offset : offset + limit]
            papers = self._catalog.papers(shown)
            return [papers[paper_id] for paper_id in shown if paper_id in papers], len(ids)
        total = int(self._catalog.rows(f"SELECT count(*) FROM papers WHERE {where}", values)[0][0])
        by = _SQL_ORDERS.get(order, _BY_DATE)
        sql = f"SELECT {PAPER} FROM papers WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?"
        return [paper_of(row) for row in self._catalog.rows(sql, [*values, limit, offset])], total

    def organisations(self) -> list[tuple[str, int]]:
        """Organisations with their numbers of papers, in alphabetical order."""
        sql = (
            "SELECT organisation, count(*) FROM papers WHERE organisation IS NOT NULL "
            "GROUP BY organisation ORDER BY organisation COLLATE NOCASE, organisation"
        )
        return [(row[0], row[1]) for row in self._catalog.rows(sql)]

    def sources(self) -> list[tuple[str, int]]:
        """Files that papers were read from, with the numbers of papers that they list, in alphabetical order."""
        sql = "SELECT source, count(DISTINCT paper_id) FROM entries GROUP BY source ORDER BY source"
        return [(row[0], row[1]) for row in self._catalog.rows(sql)]

    def years(self) -> list[tuple[int, int]]:
        """Years with their numbers of papers, the oldest first; undated papers are left out."""
        dated = "FROM papers WHERE published IS NOT NULL"
        sql = f"SELECT published / 10000 AS year, count(*) {dated} GROUP BY year ORDER BY year"
        return [(row[0], row[1]) for row in self._catalog.rows(sql)]

    def span(self) -> tuple[date, date] | None:
        """The dates of the oldest and of the newest paper; None while there is no dated one."""
        bounds = self._catalog.rows("SELECT min(published), max(published) FROM papers")[0]
        first, last = (number_date(number) for number in bounds)
        return (first, last) if first and last else None

    def _having(self, query: str, filters: Filters) -> list[str] | None:
        """Ids of the papers with the words of the query, best first; None where it has none to look for."""
        if not query.strip():
            return None
        names = [name for name, _ in self.organisations()]
        found: list[str] = self._indexes.words(lambda index: index.containing(query, filters, names), [])
        return found


def _condition(filters: Filters, found: Sequence[str] | None, source: str | None) -> tuple[str, list[int | str]]:
    where, values = sql_where(filters)
    if source is not None:
        where += " AND paper_id IN (SELECT paper_id FROM entries WHERE source = ?)"
        values.append(source)
    if found is not None:
        where += f" AND paper_id {IN_LIST}"
        values.append(json.dumps(list(found)))
    return where, values
