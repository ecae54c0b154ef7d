"""Papers taken out of the catalog and put back, row by row as they were: nothing is embedded again.

Or deleted for good, so that no byte of theirs stays behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import LibraryError
from rag.library import blocking
from rag.library.builds import INDEXES, bring_up_to_date, leave_no_traces
from rag.library.catalog import IN_LIST, Catalog
from rag.library.catalog_writes import PAPER_COLUMNS, delete_papers, next_generation
from rag.papers import Paper

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """Papers that were taken out, and all that was stored of them; about 150 kB a paper."""

    papers: tuple[Paper, ...] = ()
    fingerprint: str = ""
    rows: tuple[Row, ...] = field(default=(), repr=False)  # of the tables, as they were
    passages: tuple[Row, ...] = field(default=(), repr=False)
    embeddings: tuple[Row, ...] = field(default=(), repr=False)
    entries: tuple[Row, ...] = field(default=(), repr=False)  # with the hash of the file that listed the paper
    bodies: tuple[Row, ...] = field(default=(), repr=False)
    links: tuple[Row, ...] = field(default=(), repr=False)


def take(catalog: Catalog, paper_ids: Iterable[str]) -> Removed:
    """Delete papers, in a transaction of its own; unknown ids are ignored."""
    ids = json.dumps(list(paper_ids))
    of_passages = f"passage_id IN (SELECT passage_id FROM passages WHERE paper_id {IN_LIST})"
    listed = f"SELECT e.*, s.sha256 FROM entries e JOIN sources s ON s.name = e.source WHERE paper_id {IN_LIST}"
    with catalog.transaction():
        rows = catalog.rows(f"SELECT {', '.join(PAPER_COLUMNS)} FROM papers WHERE paper_id {IN_LIST}", (ids,))
        known = [row[0] for row in rows]
        papers = catalog.papers(known)
        removed = Removed(
            papers=tuple(papers[paper_id] for paper_id in known),
            fingerprint=catalog.meta("fingerprint") or "",
            rows=tuple(rows),
            passages=tuple(catalog.rows(f"SELECT * FROM passages WHERE paper_id {IN_LIST}", (ids,))),
            embeddings=tuple(catalog.rows(f"SELECT * FROM embeddings WHERE {of_passages}", (ids,))),
            entries=tuple(catalog.rows(listed, (ids,))),
            bodies=tuple(catalog.rows(f"SELECT * FROM bodies WHERE paper_id {IN_LIST}", (ids,))),
            links=tuple(
                catalog.rows(f"SELECT * FROM links WHERE paper_id {IN_LIST} OR other_id {IN_LIST}", (ids, ids))
            ),
        )
        if known:
            delete_papers(catalog, known, next_generation(catalog))
    return removed


def put_back(catalog: Catalog, removed: Removed) -> int:
    """Restore papers in a transaction of its own; returns how many.

    What has come back in another way since stays as it is now. A file that has been replaced by a newer
    version lists the paper no more.

    Raises:
        LibraryError: the library has been embedded anew since.
    """
    if not removed.papers:
        return 0
    if removed.fingerprint != (catalog.meta("fingerprint") or ""):
        raise LibraryError("The library has been rebuilt since these papers were removed.", "Add their files again.")
    with catalog.transaction():
        present = set(catalog.papers(row[0] for row in removed.rows))
        rows = [row for row in removed.rows if row[0] not in present]
        if not rows:
            return 0
        generation = next_generation(catalog)
        passages = [row for row in removed.passages if row[1] not in present]
        own = {row[0] for row in passages}
        _insert(
            catalog, f"papers ({', '.join(PAPER_COLUMNS)})", [(*row[:-1], generation) for row in rows]
        )  # the indexes must hear of it
        _insert(catalog, "passages", passages)
        _insert(catalog, "embeddings", [row for row in removed.embeddings if row[0] in own])
        _insert(catalog, "bodies", [row for row in removed.bodies if row[0] not in present])
        ends = catalog.papers(paper_id for row in removed.links for paper_id in row[:2])
        _insert(catalog, "links", [row for row in removed.links if {*row[:2]} <= ends.keys()], "OR IGNORE")
        catalog.write("DELETE FROM deleted WHERE paper_id = ?", [(row[0],) for row in rows])
        sources = set(catalog.rows("SELECT name, sha256 FROM sources"))
        entries = [row for row in removed.entries if row[2] not in present and (row[0], row[-1]) in sources]
        _insert(catalog, "entries", [row[:-1] for row in entries], "OR IGNORE")
    return len(rows)


def delete_for_good(catalog: Catalog, folder: Path, papers: Sequence[Paper], *, block: bool, reason: str) -> None:
    """Delete papers from every store; with `block` they are refused from now on. Under the write lock.

    Should it be killed when they are gone from the catalog, whoever mends the indexes finishes it.
    """
    with catalog.transaction():
        generation = next_generation(catalog)
        delete_papers(catalog, [paper.paper_id for paper in papers], generation)
        # Chroma keeps its last change in a queue, with the id of what was deleted: have it write another paper after.
        catalog.write(
            "UPDATE papers SET generation = ? WHERE paper_id = (SELECT min(paper_id) FROM papers)", [(generation,)]
        )
        leave_no_traces(catalog)
        if block:
            blocking.block(catalog, papers, reason)
    bring_up_to_date(catalog, folder)


def forget_deleted(catalog: Catalog) -> int:
    """Drop the ids of deleted papers that no index needs to hear of any more; returns how many."""
    states = [catalog.index_state(name) for name in INDEXES]
    shown = min((state.generation if state else -1) for state in states)
    (before,) = catalog.rows("SELECT count(*) FROM deleted WHERE generation <= ?", (shown,))[0]
    with catalog.transaction():
        catalog.write("DELETE FROM deleted WHERE generation <= ?", [(shown,)])
    return int(before)


def _insert(catalog: Catalog, table: str, rows: Sequence[Row], conflict: str = "") -> None:
    if rows:
        slots = ", ".join("?" * len(rows[0]))
        catalog.write(f"INSERT {conflict} INTO {table} VALUES ({slots})", rows)
