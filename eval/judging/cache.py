"""Replies of judging models, kept so that the same question is never asked twice, not even after Ctrl-C."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from rag.errors import SourceError

SCHEMA = 1
WAIT_S = 30.0  # for another process that writes


class JudgeCache:
    """One SQLite file; each reply is on disk before the next question is asked. For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
        try:
            self._check_schema()
        except SourceError:
            self._database.close()
            raise

    def __enter__(self) -> JudgeCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def get(self, key: str) -> str | None:
        """The reply under `key`, if there is one.

        Raises:
            SourceError: the file is damaged.
        """
        with self._failures():
            found = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def put(self, key: str, model: str, reply: str) -> None:
        """Keep a reply; the last one counts.

        Raises:
            SourceError: the file cannot be written.
        """
        row = (key, model, reply.encode("utf-8", "replace").decode(), datetime.now(UTC).isoformat(timespec="seconds"))
        with self._failures():
            self._database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", row)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _check_schema(self) -> None:
        with self._failures():
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                columns = "key TEXT PRIMARY KEY, model TEXT NOT NULL, reply TEXT NOT NULL, at TEXT NOT NULL"
                self._database.execute(f"CREATE TABLE IF NOT EXISTS replies ({columns})")
                self._database.execute(f"PRAGMA user_version = {SCHEMA}")
        if version not in (0, SCHEMA):
            raise SourceError(
                f"The judge's cache {self.path} is of version {version}, not {SCHEMA}.", "Delete it, or name another."
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            remedy = "Check free space and permissions; a damaged cache can be deleted, the replies are asked again."
            raise SourceError(f"The judge's cache {self.path} cannot be used: {error}.", remedy) from error


def cache_key(*parts: Any) -> str:
    """A hash of everything that decides a reply (JSON values)."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
