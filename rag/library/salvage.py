"""What can still be read of a damaged catalog, brought into a new one.

SQLite reads around a broken page where it is asked for one row at a time. Every row is looked at for
sense before it is taken: a paper by its hash, a passage against its text, an embedding by its form.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rag.errors import LibraryError
from rag.library.backup import as_library_error
from rag.library.builds import INDEXES, bring_up_to_date
from rag.library.catalog import BUSY_SECONDS, CATALOG, PAPER, Catalog, paper_of
from rag.library.catalog_writes import forget_indexes, next_generation, set_meta
from rag.library.lock import write_lock
from rag.library.migrations import APPLICATION_ID
from rag.library.opened import LOCK_SECONDS
from rag.library.plausible import drop_implausible
from rag.library.restore import replace_damaged, staging
from rag.library.sqlite_files import faults
from rag.papers import normalised_title

Row = tuple[Any, ...]
ROWS = 20  # read at a time
GAP = 20_000  # row numbers without a row after which a table whose end is not known is over
# In the order in which rows need each other; what identifies a row, for tables without row numbers.
TABLES = {
    "meta": "key",
    "papers": "",
    "bodies": "",
    "passages": "",
    "embeddings": "",
    "sources": "name",
    "entries": "source, line",
    "deleted": "paper_id",
    "indexes": "name",
    "blocked": "kind, key",
    "links": "paper_id, other_id",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Table -> rows saved, and rows known to be lost; `titles` of lost papers, in small letters, as far
    as they can be read. `aside` is where the damaged catalog is kept.

    `without_text` are titles of papers that are saved but for their full text; it comes back when their
    documents are ingested again. `incomplete`: papers are without some of their passages;
    `rag.ingest.rebuild` cuts and embeds what is missing.
    """

    aside: str
    saved: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    without_text: list[str] = field(default_factory=list)
    incomplete: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def salvage_if_damaged(folder: Path) -> Salvaged | None:
    """Bring what can be read of a damaged catalog into a new one, which takes its place; None for a sound one.

    The damaged file is kept aside. No library may be open in this process.

    Raises:
        LibraryError: nothing can be read.
        LibraryLockedError: another process is writing, or has the library open.
    """
    if not (folder / CATALOG).exists() or not (wrong := _wrong(folder / CATALOG)):
        return None
    log.warning("The catalog of %s is damaged, saving what can be read: %s", folder, wrong)
    with write_lock(folder, LOCK_SECONDS), as_library_error(folder), staging(folder) as place:
        with closing(Catalog(place)) as new:
            done = _save(folder / CATALOG, new)
            bring_up_to_date(new, place, from_scratch=INDEXES)
            new.checkpoint()
        return replace(done, aside=str(replace_damaged(folder, place)))


def _wrong(file: Path) -> list[str]:
    with as_library_error(file), closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
        return faults(connection)


def _save(file: Path, new: Catalog) -> Salvaged:
    """Copy all rows that can be read and make sense."""
    saved, lost = {}, {}
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as old:
        _check_readable(old, file)
        with new.transaction():
            for table in TABLES:
                saved[table], lost[table] = _save_table(old, new, table)
            if not new.meta("fingerprint"):  # nobody knows by what the embeddings were made
                new.rows("DELETE FROM embeddings")
            titles = _lost_titles(old, new)
            without_text = _complete(new)
            lost["embeddings"] = _drop_halves(new)
    lost = {table: n for table, n in lost.items() if n}
    incomplete = bool(lost.get("passages") or lost.get("embeddings")) or _is_incomplete(new)
    return Salvaged("", saved, lost, titles, without_text, incomplete)


def _lost_titles(old: sqlite3.Connection, new: Catalog) -> list[str]:
    """Titles that the damaged catalog's index of titles knows and the new one does not."""
    kept = {row[0] for row in new.rows("SELECT title_key FROM papers")}
    with suppress(sqlite3.DatabaseError):
        return sorted({row[0] for row in old.execute("SELECT title_key FROM papers INDEXED BY papers_by_title")} - kept)
    return []


def _check_readable(old: sqlite3.Connection, file: Path) -> None:
    try:
        old.execute("PRAGMA writable_schema = ON")  # without it SQLite refuses a file that is cut off
        (application_id,) = old.execute("PRAGMA application_id").fetchone()
        old.execute("SELECT 1 FROM papers LIMIT 1").fetchall()
    except sqlite3.DatabaseError as error:
        application_id, reason = None, str(error)
    else:
        reason = "it is another program's"
    if application_id != APPLICATION_ID:
        raise LibraryError(
            f"Nothing can be read of the catalog {file}: {reason}.",
            "Restore a backup (`paperchat library restore FILE`), or delete the folder and ingest again.",
        )


def _save_table(old: sqlite3.Connection, new: Catalog, table: str) -> tuple[int, int]:
    columns = [row[1] for row in new.rows(f"PRAGMA table_info({table})")]
    there = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}  # an older schema has fewer
    shared = ", ".join(f'"{name}"' for name in columns if name in there)
    if not shared:
        return 0, 0
    lost = _Count()
    rows = _by_key(old, table, shared, TABLES[table], lost) if TABLES[table] else _by_number(old, table, shared, lost)
    sql = f"INSERT OR REPLACE INTO {table} ({shared}) VALUES ({', '.join('?' * (shared.count(',') + 1))})"
    for row in rows:
        try:
            new.rows(sql, row)
        except LibraryError as error:  # its owner is lost, or a value makes no sense
            log.debug("A row of %s is lost: %s", table, error.message)
            lost.n += 1
    lost.n += drop_implausible(new, table)
    return new.count(table), lost.n


@dataclass(slots=True)
class _Count:
    n: int = 0


def _by_number(old: sqlite3.Connection, table: str, columns: str, lost: _Count) -> Iterator[Row]:
    """The rows of a table one by one, past those that cannot be read."""
    end = _last_number(old, table)
    number = missed = 0
    while number < end if end is not None else missed < GAP:
        try:
            rows = old.execute(
                f"SELECT rowid, {columns} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT {ROWS}", (number,)
            ).fetchall()
            if not rows:
                return
            missed = 0
        except sqlite3.DatabaseError:
            number, missed = number + 1, missed + 1
            try:
                rows = old.execute(f"SELECT rowid, {columns} FROM {table} WHERE rowid = ?", (number,)).fetchall()
            except sqlite3.DatabaseError:
                lost.n += 1
                continue
        for row in rows:
            number = row[0]
            yield row[1:]


def _last_number(old: sqlite3.Connection, table: str) -> int | None:
    """The highest row number, by the table itself or by one of its indexes; None where neither can be read."""
    ways = [f"SELECT max(rowid) FROM {table}"]
    with suppress(sqlite3.DatabaseError):
        names = [row[1] for row in old.execute(f"PRAGMA index_list({table})")]
        ways += [f"SELECT max(rowid) FROM {table} INDEXED BY {name} WHERE 1" for name in names]
    for sql in ways:
        with suppress(sqlite3.DatabaseError):
            return int(old.execute(sql).fetchone()[0] or 0)
    return None


def _by_key(old: sqlite3.Connection, table: str, columns: str, key: str, lost: _Count) -> Iterator[Row]:
    """The rows of a table without row numbers, from both ends up to where it cannot be read."""
    for order in (key, ", ".join(f"{name} DESC" for name in key.split(", "))):
        try:
            yield from old.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")
        except sqlite3.DatabaseError:
            lost.n = 1  # at least
        else:
            return


def _complete(new: Catalog) -> list[str]:
    """Mend what follows from losses: numbers of writes, and papers that name a full text that is lost.

    Returns the titles of those papers. Their listings are forgotten, or the document would be taken for read.
    """
    last = max(
        (row[0] or 0) for table in ("papers", "deleted") for row in new.rows(f"SELECT max(generation) FROM {table}")
    )
    set_meta(new, "generation", str(max(new.generation, last)))
    next_generation(new)
    forget_indexes(new)
    without = "body_hash IS NOT NULL AND paper_id NOT IN (SELECT paper_id FROM bodies)"
    papers = [replace(paper_of(row), body_hash=None) for row in new.rows(f"SELECT {PAPER} FROM papers WHERE {without}")]
    rows = [(paper.content_hash, paper.paper_id) for paper in papers]
    new.write("UPDATE papers SET body_hash = NULL, content_hash = ? WHERE paper_id = ?", rows)
    keys = [(normalised_title(title), number) for number, title in new.rows("SELECT rowid, title FROM papers")]
    new.write("UPDATE papers SET title_key = ? WHERE rowid = ?", keys)  # an older schema folded titles otherwise
    new.write("DELETE FROM entries WHERE paper_id = ?", [(paper.paper_id,) for paper in papers])
    return sorted(paper.title for paper in papers)


def _drop_halves(new: Catalog) -> int:
    """Delete passages without embedding, which the indexes could not hold; returns how many."""
    halves = "passage_id NOT IN (SELECT passage_id FROM embeddings)"
    ((n,),) = new.rows(f"SELECT count(*) FROM passages WHERE {halves}")
    new.rows(f"DELETE FROM passages WHERE {halves}")
    return int(n)


def _is_incomplete(new: Catalog) -> bool:
    """Whether a paper is without passages, or has a gap in them."""
    ways = (
        "SELECT 1 FROM papers WHERE paper_id NOT IN (SELECT paper_id FROM passages)",
        "SELECT 1 FROM passages GROUP BY paper_id HAVING count(*) <= max(ordinal)",
    )
    return any(new.rows(f"{sql} LIMIT 1") for sql in ways)
