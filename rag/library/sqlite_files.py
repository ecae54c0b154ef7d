"""Whole SQLite files: copied while others write, looked through, and made small again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.errors import LibraryError
from rag.library.migrations import APPLICATION_ID, MIGRATIONS

Progress = Callable[[int, int], None]
PAGES_PER_STEP = 4096  # 16 MB: how often a copy says how far it is
LOCKED_BYTES = 0x40000002, 510  # where SQLite's readers hold their lock (its file format, "locking")
SHOWN = 5


def copy(source: sqlite3.Connection, target: sqlite3.Connection, progress: Progress | None = None) -> None:
    """Put all of `source` in place of what `target` holds, as one transaction of the target.

    The source is read as it is now: who writes to it meanwhile neither waits nor is seen. `progress` is
    called with (pages done, all pages).
    """

    def told(_: int, left: int, pages: int) -> None:
        if progress:
            progress(pages - left, pages)

    source.execute("BEGIN")  # one snapshot; without it SQLite would begin again at every write of another
    try:
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(target, pages=PAGES_PER_STEP, progress=told)
    finally:
        source.execute("ROLLBACK")


def faults(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file that is open; empty where it is sound.

    Raises:
        sqlite3.OperationalError: it could not look, which is no fault of the file.
    """
    try:
        found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({SHOWN})") if row[0] != "ok"]
        found += [f"row without its owner in {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
        return found or _no_unicode(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return [str(error)]


def _no_unicode(connection: sqlite3.Connection) -> list[str]:
    """Tables with a text that is none: SQLite takes any bytes for one, and only reading them tells."""
    found = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        texts = [f'"{row[1]}"' for row in connection.execute(f'PRAGMA table_info("{table}")') if row[2] == "TEXT"]
        try:
            for _ in connection.execute(f'SELECT {", ".join(texts) or "1"} FROM "{table}"'):
                pass
        except sqlite3.OperationalError as error:
            if not is_no_unicode(error):
                raise
            found.append(f"a text in {table} is no Unicode")
    return found


def is_no_unicode(error: sqlite3.Error) -> bool:
    """Whether reading a text failed because its bytes are none: the one such error that is Python's, not SQLite's."""
    return str(error).startswith("Could not decode")


@contextmanager
def opened_catalog(file: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a catalog, for reading only.

    Raises:
        LibraryError: there is none, it is no file of ours, or one of a newer paperchat.
    """
    if not file.is_file():
        raise LibraryError(f"There is no file {file}.", "Give a file made by `paperchat library backup`.")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as found:
            _check_ours(found, file)
            yield found
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"{file} cannot be read as a library: {error}.", "Take another backup.") from error


def _check_ours(connection: sqlite3.Connection, file: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise LibraryError(f"{file} is no backup of a library.", "Give a file made by `paperchat library backup`.")
    applied = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name")]
    if applied != [name for name, _ in MIGRATIONS][: len(applied)]:
        raise LibraryError(f"{file} was written by a newer paperchat (schema {applied[-1]}).", "Update paperchat.")


def compact(file: Path) -> None:
    """Write an SQLite file anew without what has been deleted from it; nobody else may have it open.

    Raises:
        OSError: the disk is full, or somebody has it open.
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise OSError(f"{file} cannot be written anew: {error}") from error


def in_use(file: Path) -> bool:
    """Whether another process has a catalog open, which then must not be moved.

    Only for a file that this process has not open itself: looking drops its own locks on it.
    """
    try:
        import fcntl
    except ImportError:  # Windows, which lets nobody move an open file anyway
        return False
    with file.open("r+b") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKED_BYTES[1], LOCKED_BYTES[0], os.SEEK_SET)
        except OSError:
            return True
    return False
