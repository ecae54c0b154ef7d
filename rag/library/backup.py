"""One file that holds the whole library.

A backup is the catalog, copied by SQLite while others read and write: papers, full texts, passages,
embeddings, listings and the block list. The indexes are not in it: `restore.py`, the way back, builds them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import LibraryError
from rag.library.catalog import BUSY_SECONDS, CATALOG
from rag.library.sqlite_files import Progress, copy, faults

if TYPE_CHECKING:
    from rag.library.library import Library

COUNTED = ("papers", "passages", "bodies", "blocked")


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds, or what was restored; `aside` is where the damaged library before it was put."""

    file: str
    counts: Mapping[str, int]
    bytes: int
    aside: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"file": self.file, **self.counts, "bytes": self.bytes, "aside": self.aside}


def backup(library: Library, file: Path, *, force: bool = False, progress: Progress | None = None) -> Copied:
    """Copy the library into one file, while others read and write it; looked through before it gets its name.

    `progress` is called with (pages done, all pages).

    Raises:
        LibraryError: the file exists (without `force`), lies in the library, or cannot be written; or the
            library is damaged.
    """
    check_target(library.folder, file, force)
    with drafted(file) as draft, as_library_error(file):
        with (
            closing(sqlite3.connect(library.folder / CATALOG, timeout=BUSY_SECONDS, isolation_level=None)) as source,
            closing(sqlite3.connect(draft, isolation_level=None)) as target,
        ):
            copy(source, target, progress)
            target.execute("DELETE FROM indexes")
            target.execute("PRAGMA journal_mode = DELETE")  # one file, not three
            wrong = faults(target)
            counts = counts_of(target)
        if wrong:
            raise LibraryError(
                f"The library {library.folder} is damaged: {'; '.join(wrong)}.", "Run `paperchat library repair` first."
            )
    return Copied(str(file), counts, file.stat().st_size)


def check_target(folder: Path, file: Path, force: bool) -> None:
    """Refuse to write over anything unasked, and over the library in any case.

    Raises:
        LibraryError: the file exists (without `force`), or lies in the library.
    """
    if file.resolve().is_relative_to(folder.resolve()):
        raise LibraryError(f"{file} lies in the library itself.", "Choose a place outside of it.")
    if file.is_dir() or (file.exists() and not force):
        raise LibraryError(f"{file} exists already.", "Choose another name, or give --force to replace it.")


@contextmanager
def drafted(file: Path) -> Iterator[Path]:
    """A place to write a file that gets its name only when it is whole and on the disk.

    Raises:
        LibraryError: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        yield draft
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise LibraryError(
            f"{file} cannot be written: {error.strerror or error}.", "Check free space and permissions."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def counts_of(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows the telling tables have; 0 for those that an older schema has not."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] if table in tables else 0
        for table in COUNTED
    }


@contextmanager
def as_library_error(place: Path) -> Iterator[None]:
    """SQLite's and the system's failures at a place, as people are told them."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"{place} cannot be used: {error}.", "Check free space and permissions.") from error
    except OSError as error:
        raise LibraryError(
            f"{place} cannot be used: {error.strerror or error}.", "Check free space and permissions."
        ) from error
