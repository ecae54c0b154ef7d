"""The catalog: one SQLite file that is the truth. Here: opening and reading it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.errors import LibraryError
from rag.library.codec import unpack_all, unpack_body, unpack_vector
from rag.library.elsewhere import is_read_only
from rag.library.filtering import number_date, sql_where
from rag.library.migrations import check_owner, migrate
from rag.library.records import IndexState
from rag.library.sqlite_files import faults, is_no_unicode
from rag.models.encoding import unit
from rag.models.interfaces import Encoded, Vector
from rag.papers import Body, Filters, Paper, Passage, normalised_title

CATALOG = "catalog.sqlite3"
BUSY_SECONDS = 10.0
CACHE_KIB = 32 * 1024  # of pages in memory: what stands above the rows of 100,000 papers
SMALLEST = 512  # bytes of an SQLite file
PAPER = (
    "paper_id, title, abstract, published, year_inferred, n_authors, organisation, comments, "
    "authors, arxiv_id, doi, url, upvotes, body_hash, from_document, date_of"
)
PASSAGE = 'passage_id, paper_id, ordinal, text, start, "end", in_body, section, page'
Identity = Literal["arxiv_id", "doi"]
IN_LIST = "IN (SELECT value FROM json_each(?))"


class Catalog:
    """One connection, guarded by one lock: safe for threads, and reads take milliseconds at most."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CATALOG
        self._lock = threading.RLock()
        with self._failures():
            folder.mkdir(parents=True, exist_ok=True)
            # Never open the file by other means than SQLite, not even to look at it: closing it would drop
            # the POSIX locks of all connections in this process, and the last writer's log be lost.
            if self.path.exists() and 0 < self.path.stat().st_size < SMALLEST:  # SQLite would take it for empty
                raise damaged(self.path, "it is not an SQLite file")
            fixed = is_read_only(folder) and self._is_whole()
            address = f"{self.path.absolute().as_uri()}{'?immutable=1' if fixed else ''}"
            self._connection = sqlite3.connect(
                address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._failures():
                check_owner(self._connection, self.path)
                if not fixed:
                    self._write_ahead()
                self._connection.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                self._connection.execute("PRAGMA secure_delete = ON")  # what is deleted leaves no bytes behind
                migrate(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def _write_ahead(self) -> None:
        """Keep a write-ahead log. Of two who ask for the first one at once, SQLite turns one away without waiting."""
        if self._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            return
        import tenacity

        patiently = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_busy),
            stop=tenacity.stop_after_delay(BUSY_SECONDS),
            wait=tenacity.wait_random(0.01, 0.05),
            reraise=True,
        )
        patiently(self._connection.execute, "PRAGMA journal_mode = WAL")

    def _is_whole(self) -> bool:
        """Whether all is in the file itself, and nothing in a write-ahead log beside it."""
        log = self.path.with_name(f"{CATALOG}-wal")
        return self.path.exists() and not (log.exists() and log.stat().st_size)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file, unless readers are busy: who copies the folder has all in it."""
        self.rows("PRAGMA busy_timeout = 200")
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def faults(self) -> list[str]:
        """What is wrong with the file; empty where it is sound.

        Raises:
            LibraryError: it is locked, or cannot be looked at.
        """
        with self._lock, self._failures():
            return faults(self._connection)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query.

        Raises:
            LibraryError: the file is damaged, locked or cannot be written.
        """
        with self._lock, self._failures():
            return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        with self._lock, self._failures():
            self._connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is written inside is on the disk when this ends without an exception."""
        with self._lock:
            with self._failures():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                with self._failures():
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def meta(self, key: str) -> str | None:
        """A value of the table `meta`."""
        rows = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    @property
    def generation(self) -> int:
        """How many writes there have been."""
        return int(self.meta("generation") or 0)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has; 0 before the first."""
        return int(self.meta("dimension") or 0)

    def index_state(self, name: str) -> IndexState | None:
        """The published build of an index; None before the first."""
        rows = self.rows("SELECT name, build, generation, manifest FROM indexes WHERE name = ?", (name,))
        return IndexState(rows[0][0], rows[0][1], rows[0][2], json.loads(rows[0][3])) if rows else None

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """The papers of these ids; unknown ids are left out."""
        rows = self.rows(f"SELECT {PAPER} FROM papers WHERE paper_id {IN_LIST}", (_json(ids),))
        return {row[0]: paper_of(row) for row in rows}

    def papers_titled(self, title_keys: Iterable[str]) -> dict[str, list[Paper]]:
        """Normalised title -> the papers that bear it, in a stable order."""
        rows = self.rows(
            f"SELECT title_key, {PAPER} FROM papers WHERE title_key {IN_LIST} ORDER BY paper_id",
            (_json(title_keys),),
        )
        found: dict[str, list[Paper]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(paper_of(row[1:]))
        return found

    def find(self, filters: Filters, newest_first: bool, limit: int | None) -> list[Paper]:
        """The papers that pass, by date; undated ones last."""
        where, values = sql_where(filters)
        order = f"published IS NULL, published {'DESC' if newest_first else 'ASC'}, title, paper_id"
        sql = f"SELECT {PAPER} FROM papers WHERE {where} ORDER BY {order} LIMIT ?"
        return [paper_of(row) for row in self.rows(sql, [*values, -1 if limit is None else limit])]

    def count_papers(self, filters: Filters) -> int:
        """How many papers pass."""
        where, values = sql_where(filters)
        return int(self.rows(f"SELECT count(*) FROM papers WHERE {where}", values)[0][0])

    def by_author(self, name: str) -> list[Paper]:
        """The papers of which an author's name holds the words of `name`, newest first."""
        wanted = set(normalised_title(name).split())
        if not wanted:
            return []
        longest = max(name.split(), key=len)
        sql = f"SELECT {PAPER} FROM papers WHERE instr(lower(authors), lower(?)) ORDER BY published DESC, paper_id"
        found = [paper_of(row) for row in self.rows(sql, (longest,))]
        return [p for p in found if any(wanted <= set(normalised_title(author).split()) for author in p.authors)]

    def papers_identified(self, column: Identity, keys: Iterable[str]) -> dict[str, list[Paper]]:
        """arXiv id or DOI -> the papers that bear it, in a stable order."""
        rows = self.rows(
            f"SELECT {column}, {PAPER} FROM papers WHERE {column} {IN_LIST} ORDER BY paper_id", (_json(keys),)
        )
        found: dict[str, list[Paper]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(paper_of(row[1:]))
        return found

    def passages(self, paper_ids: Iterable[str], *, in_body: bool = True) -> dict[str, list[Passage]]:
        """Paper id -> its passages in order, those of the full text last, or left out."""
        found: dict[str, list[Passage]] = {}
        which = "" if in_body else "AND NOT in_body"
        sql = f"SELECT {PASSAGE} FROM passages WHERE paper_id {IN_LIST} {which} ORDER BY paper_id, ordinal"
        for row in self.rows(sql, (_json(paper_ids),)):
            found.setdefault(row[1], []).append(_passage_of(row))
        return found

    def count_passages(self, paper_ids: Iterable[str]) -> int:
        """How many passages these papers have."""
        return int(self.rows(f"SELECT count(*) FROM passages WHERE paper_id {IN_LIST}", (_json(paper_ids),))[0][0])

    def passages_by_id(self, passage_ids: Iterable[str]) -> dict[str, Passage]:
        """The passages of these ids; unknown ids are left out."""
        rows = self.rows(f"SELECT {PASSAGE} FROM passages WHERE passage_id {IN_LIST}", (_json(passage_ids),))
        return {row[0]: _passage_of(row) for row in rows}

    def bodies(self, paper_ids: Iterable[str]) -> dict[str, Body]:
        """Paper id -> its full text; papers without one are left out."""
        rows = self.rows(f"SELECT paper_id, text, parts FROM bodies WHERE paper_id {IN_LIST}", (_json(paper_ids),))
        return {row[0]: unpack_body(row[1], row[2]) for row in rows}

    def owners(self, passage_ids: Iterable[str]) -> dict[str, str]:
        """Passage id -> id of its paper; passages that are not there are left out."""
        sql = f"SELECT passage_id, paper_id FROM passages WHERE passage_id {IN_LIST}"
        return dict(self.rows(sql, (_json(passage_ids),)))

    def existing_papers(self, paper_ids: Iterable[str]) -> set[str]:
        """Which of these papers there are."""
        rows = self.rows(f"SELECT paper_id FROM papers WHERE paper_id {IN_LIST}", (_json(paper_ids),))
        return {row[0] for row in rows}

    def encoded(self, passage_ids: Iterable[str]) -> dict[str, Encoded]:
        """Passage id -> its embedding."""
        return self._encoded("passage_id", passage_ids)

    def vectors(self, passage_ids: Sequence[str]) -> Vector:
        """The passage vectors (n, dim) in the order of the ids, all of which must exist."""
        rows = self.rows(f"SELECT passage_id, vector FROM embeddings WHERE passage_id {IN_LIST}", (_json(passage_ids),))
        by_id = {row[0]: unpack_vector(row[1]) for row in rows}
        return np.stack([by_id[i] for i in passage_ids]) if passage_ids else np.empty((0, 0), dtype=np.float32)

    def directions(self, paper_ids: Iterable[str]) -> dict[str, Vector]:
        """Paper id -> where its passages of title and abstract point together (dim,), of length 1."""
        sql = (
            "SELECT paper_id, vector FROM passages JOIN embeddings USING (passage_id) "
            f"WHERE paper_id {IN_LIST} AND NOT in_body ORDER BY paper_id, ordinal"
        )
        sums: dict[str, Vector] = {}
        for paper_id, blob in self.rows(sql, (_json(paper_ids),)):
            sums[paper_id] = sums.get(paper_id, 0.0) + unpack_vector(blob)
        return {paper_id: unit(total) for paper_id, total in sums.items()}

    def encoded_by_text(self, text_keys: Iterable[str]) -> dict[str, Encoded]:
        """`codec.text_key` -> the embedding already made for that text."""
        return self._encoded("text_key", text_keys)

    def _encoded(self, column: str, keys: Iterable[str]) -> dict[str, Encoded]:
        sql = f"SELECT {column}, vector, levels, scales, spans FROM embeddings WHERE {column} {IN_LIST}"
        rows = self.rows(sql, (_json(keys),))
        return dict(zip((row[0] for row in rows), unpack_all([row[1:] for row in rows]), strict=True))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if is_no_unicode(error):
                raise damaged(self.path, "a text in it is no Unicode") from error
            raise LibraryError(
                f"The library's catalog {self.path} cannot be used: {error}.",
                "Check free space and permissions, and that no other program has the file open.",
            ) from error
        except sqlite3.IntegrityError as error:  # what was to be written is wrong, not the file
            raise LibraryError(
                f"The library's catalog {self.path} refuses what was to be written: {error}.",
                "Nothing of it was stored. Run `paperchat library verify`; if it finds nothing, the input is at fault.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, str(error)) from error
        except OSError as error:
            raise LibraryError(
                f"The library {self.path.parent} cannot be used: {error.strerror or error}.",
                "Check the folder's permissions, or choose another with PAPERCHAT_HOME.",
            ) from error


def damaged(path: Path, reason: str) -> LibraryError:
    """The error for a catalog that cannot be read."""
    return LibraryError(
        f"The library's catalog {path} is damaged: {reason}.",
        "Run `paperchat library repair`, which saves what can be read; or restore a backup, or ingest again.",
    )


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def paper_of(row: Sequence[Any]) -> Paper:
    """A row of the columns `PAPER` as a paper."""
    paper_id, title, abstract, published, year_inferred, n_authors, organisation, comments, authors, *later = row
    arxiv_id, doi, url, upvotes, body_hash, from_document, date_of = later
    return Paper(
        paper_id=paper_id,
        title=title,
        abstract=abstract,
        published=number_date(published),
        year_inferred=bool(year_inferred),
        n_authors=n_authors,
        organisation=organisation,
        comments=comments,
        authors=tuple(json.loads(authors)) if authors != "[]" else (),
        arxiv_id=arxiv_id,
        doi=doi,
        url=url,
        upvotes=upvotes,
        body_hash=body_hash,
        from_document=bool(from_document),
        date_of=date_of,
    )


def _passage_of(row: Sequence[Any]) -> Passage:
    passage_id, paper_id, ordinal, text, start, end, in_body, section, page = row
    return Passage(passage_id, paper_id, ordinal, text, start, end, bool(in_body), section, page)


def _json(keys: Iterable[str]) -> str:
    return json.dumps(list(keys))
