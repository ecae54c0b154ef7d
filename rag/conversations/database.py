"""The SQLite file of the kept conversations: opened safely, one transaction a change, failures as sentences."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rag.conversations.schema import migrate, roll_back
from rag.errors import PaperchatError

BUSY_S = 10.0
PRIVATE = 0o600  # conversations are nobody else's business
SMALLEST = 512  # bytes of an SQLite file


class Database:
    """One connection, guarded by one lock: safe for threads; SQLite's own locks make it safe for processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._changing = False  # inside a transaction
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f"{path.name}.lock"), timeout=BUSY_S, mode=PRIVATE):
                self._open()

    def _open(self) -> None:
        """Two processes that turn a new file into a write-ahead one at once would get in each other's way."""
        _make_private(self.path)
        # Never open the file by other means than SQLite: closing it would drop the locks of this process.
        if 0 < self.path.stat().st_size < SMALLEST:  # SQLite would take it for an empty one
            raise sqlite3.DatabaseError("it is not an SQLite file")
        self._connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA secure_delete = ON")  # deleted means overwritten
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk
            migrate(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement.

        Raises:
            PaperchatError: the file is damaged, locked for too long, or cannot be written.
        """
        with self._lock, self._failures():
            return self._settled().execute(sql, parameters).fetchall()

    def changed(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it has changed."""
        with self._lock, self._failures():
            return self._settled().execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is written inside is on the disk when this ends without an exception."""
        with self._lock:
            with self._failures():
                self._settled().execute("BEGIN IMMEDIATE")
            self._changing = True
            try:
                yield
                with self._failures():
                    self._connection.execute("COMMIT")
            except BaseException as error:
                roll_back(self._connection, error)
                raise
            finally:
                self._changing = False

    def empty_log(self) -> None:
        """Move the write-ahead log into the file, unless somebody is reading: it may hold what was overwritten."""
        with self._lock, self._failures():
            self._settled().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the connection; the last one to do so moves the write-ahead log into the file."""
        with self._lock, self._failures():
            self._connection.close()

    def _settled(self) -> sqlite3.Connection:
        """The connection, without a change that could not be undone when it failed: it would go on in the next."""
        if self._connection.in_transaction and not self._changing:
            self._connection.execute("ROLLBACK")
        return self._connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # our own mistake, not the file's
        except (sqlite3.OperationalError, Timeout) as error:
            raise PaperchatError(
                f"The conversations in {self.path} cannot be used: {error}.",
                "Check free space and permissions, and that no other program has the file open.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise PaperchatError(
                f"The conversations in {self.path} are damaged: {error}.",
                "Restore the file from a backup, or move it away: paperchat then begins a new one.",
            ) from error
        except OSError as error:
            raise PaperchatError(
                f"The conversations in {self.path} cannot be used: {error.strerror or error}.",
                "Check the folder's permissions, or choose another with PAPERCHAT_HOME.",
            ) from error


def _make_private(path: Path) -> None:
    """The file may be read by its owner only, from its first byte on; its log gets the same rights from SQLite."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE)
