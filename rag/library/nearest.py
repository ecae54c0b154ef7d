"""The nearest passages of the papers that pass some filters.

Chroma looks through all metadata for a filter, half a second and more in a library of 100,000 papers. Where a
good part of the papers passes, it is quicker to ask for more passages than are wanted and to let the catalog say
which of them belong to papers that pass: the `k` nearest of those are the `k` nearest of all that pass.
"""

from __future__ import annotations

import json

from rag.library.catalog import IN_LIST, Catalog
from rag.library.filtering import sql_where
from rag.library.opened import OpenIndexes
from rag.library.records import Hit
from rag.models.interfaces import Vector
from rag.papers import Filters

WIDEST = 4000  # passages asked for at most: some 30 ms
SPARE = 2.0  # times as many as would do if what passes were spread evenly
EVERYTHING = Filters()


def nearest(catalog: Catalog, indexes: OpenIndexes, vector: Vector, k: int, filters: Filters) -> list[Hit]:
    """The `k` passages of papers that pass with the highest cosine to `vector` (dim,), best first."""
    if filters and (wide := _wide(catalog, k, filters)):
        hits = _passing(catalog, _found(catalog, indexes, vector, wide, EVERYTHING), filters)
        if len(hits) >= k:
            return hits[:k]
    return _found(catalog, indexes, vector, k, filters)


def _wide(catalog: Catalog, k: int, filters: Filters) -> int:
    """How many passages to ask for so that `k` of them pass; 0 where that would be too many."""
    passing = catalog.count_papers(filters)
    if not passing:
        return 0
    wide = int(k * SPARE * catalog.count("papers") / passing)
    return wide if wide <= WIDEST else 0


def _found(catalog: Catalog, indexes: OpenIndexes, vector: Vector, k: int, filters: Filters) -> list[Hit]:
    """Hits without passages that the catalog, which is written first, has no more."""
    found: list[tuple[str, float]] = indexes.vectors(lambda index: index.nearest(vector, k, filters), [])
    owners = catalog.owners([passage_id for passage_id, _ in found])
    return [Hit(passage_id, owners[passage_id], score) for passage_id, score in found if passage_id in owners]


def _passing(catalog: Catalog, hits: list[Hit], filters: Filters) -> list[Hit]:
    where, values = sql_where(filters)
    sql = f"SELECT paper_id FROM papers WHERE paper_id {IN_LIST} AND {where}"
    passing = {row[0] for row in catalog.rows(sql, [json.dumps(list({hit.paper_id for hit in hits})), *values])}
    return [hit for hit in hits if hit.paper_id in passing]
