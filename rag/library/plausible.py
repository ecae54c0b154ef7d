"""Whether rows saved from a damaged catalog are what was written: by hashes, texts and the form of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rag.library.catalog import PAPER, Catalog, paper_of
from rag.library.codec import belong, unpack_all, unpack_body


def drop_implausible(new: Catalog, table: str) -> int:
    """Delete rows of a table that cannot be what was written; returns how many."""
    if table not in _CHECKS:
        return 0
    wrong = list(_CHECKS[table](new))
    new.write(f"DELETE FROM {table} WHERE rowid = ?", [(number,) for number in wrong])
    return len(wrong)


def _implausible_papers(new: Catalog) -> Iterator[int]:
    for number, content_hash, *row in _each(new, f"SELECT rowid, content_hash, {PAPER} FROM papers"):
        try:
            good = paper_of(row).content_hash == content_hash
        except (ValueError, TypeError):
            good = False
        if not good:
            yield number


def _implausible_bodies(new: Catalog) -> Iterator[int]:
    sql = "SELECT bodies.rowid, text, parts, body_hash FROM bodies JOIN papers USING (paper_id)"
    for number, text, parts, body_hash in _each(new, sql, "bodies.rowid"):
        try:
            good = unpack_body(text, parts).content_hash == body_hash
        except (ValueError, TypeError):
            good = False
        if not good:
            yield number


def _implausible_passages(new: Catalog) -> Iterator[int]:
    sql = (
        'SELECT p.rowid, p.text, p.start, p."end", CASE WHEN p.in_body THEN b.text ELSE papers.abstract END '
        "FROM passages p JOIN papers USING (paper_id) LEFT JOIN bodies b USING (paper_id)"
    )
    for number, text, start, end, source in _each(new, sql, "p.rowid"):
        if not isinstance(start, int) or not isinstance(end, int) or (source or "")[start:end] != text:
            yield number


def _implausible_embeddings(new: Catalog) -> Iterator[int]:
    dimension = new.dimension
    for number, vector, levels, scales, spans in _each(
        new, "SELECT rowid, vector, levels, scales, spans FROM embeddings"
    ):
        try:
            (one,) = unpack_all([(vector, levels, scales, spans)])
            fits = belong(one) and len(one.vector) in (dimension, dimension or -1)
            good = fits and bool(np.isfinite(one.vector).all() and np.isfinite(one.tokens).all())
        except (ValueError, TypeError):
            good = False
        if not good:
            yield number


_CHECKS: dict[str, Callable[[Catalog], Iterator[int]]] = {
    "papers": _implausible_papers,
    "bodies": _implausible_bodies,
    "passages": _implausible_passages,
    "embeddings": _implausible_embeddings,
}


def _each(new: Catalog, sql: str, number: str = "rowid") -> Iterator[Sequence[Any]]:
    """Rows a part at a time; nothing is written meanwhile."""
    last = 0
    while rows := new.rows(f"{sql} WHERE {number} > ? ORDER BY 1 LIMIT 100", (last,)):
        yield from rows
        last = rows[-1][0]
