"""A library put in place of another: a backup restored, whatever state the old one is in."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import LibraryError, LibraryLockedError
from rag.library.backup import Copied, as_library_error, counts_of
from rag.library.builds import INDEXES, NONE, bring_up_to_date, build_folder
from rag.library.catalog import BUSY_SECONDS, CATALOG, Catalog
from rag.library.catalog_writes import put_index_state, set_meta
from rag.library.lock import write_lock
from rag.library.opened import LOCK_SECONDS
from rag.library.sqlite_files import Progress, copy, faults, in_use, opened_catalog

STAGING = "incoming"  # what is being made ready to take the library's place; nothing of worth if left behind
ASIDE = "damaged"  # catalogs that could not be read are kept here, each in a folder named by its time

log = logging.getLogger(__name__)


def restore(folder: Path, file: Path, *, force: bool = False, progress: Progress | None = None) -> Copied:
    """Put a backup in place of the library in `folder`; `progress` is called with (pages done, all pages).

    The indexes are built first and then all is exchanged in one transaction: until then the old library
    serves, also if this is interrupted, and running chats see the new one at their next question. A
    damaged library is put aside, not overwritten. No library may be open in this process.

    Raises:
        LibraryError: the file is no sound backup, or the library holds papers (without `force`).
        LibraryLockedError: another process is writing, or has a damaged library open.
    """
    _check_sound(file)
    with as_library_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with write_lock(folder, LOCK_SECONDS), as_library_error(folder):
        aside = _put_aside_if_damaged(folder)
        with closing(Catalog(folder)) as live:
            if (n := live.count("papers")) and not force:
                raise LibraryError(
                    f"The library {folder} holds {n} papers already.", "Give --force to put the backup in their place."
                )
            with staging(folder) as place:
                counts = _stage(file, place, live, progress)
                _exchange(place, live)
            bring_up_to_date(live, folder)
            live.checkpoint()
    return Copied(str(file), counts, file.stat().st_size, str(aside or ""))


def put_aside(folder: Path) -> Path:
    """Move a catalog with its log out of the way; returns where to. Under the write lock, open nowhere.

    Raises:
        LibraryLockedError: another process has it open.
    """
    if in_use(folder / CATALOG):
        raise LibraryLockedError(
            f"The damaged library {folder} is open in another process.", "Stop the chat and other commands first."
        )
    aside = folder / ASIDE / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S-%f")
    aside.mkdir(parents=True)
    for suffix in ("-wal", "-shm", ""):  # a log must never meet another catalog of its name
        if (part := folder / f"{CATALOG}{suffix}").exists():
            part.replace(aside / part.name)
    log.warning("The damaged catalog of %s is kept in %s.", folder, aside)
    return aside


def _check_sound(file: Path) -> None:
    with opened_catalog(file) as found:
        if wrong := faults(found):
            raise LibraryError(f"{file} is damaged: {'; '.join(wrong)}.", "Take another backup.")


def _put_aside_if_damaged(folder: Path) -> Path | None:
    catalog = folder / CATALOG
    if not catalog.exists() or not catalog.stat().st_size:
        return None
    try:
        with closing(sqlite3.connect(catalog, timeout=BUSY_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM papers").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):  # which is a file of another program: `Catalog` refuses it
            raise
    except sqlite3.DatabaseError as error:
        log.warning("The catalog of %s is damaged: %s", folder, error)
        return put_aside(folder)
    return None


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A name for a folder beside the catalog, which is gone at the end. Under the write lock."""
    place = folder / STAGING
    shutil.rmtree(place, ignore_errors=True)  # a killed one's
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _stage(file: Path, place: Path, live: Catalog, progress: Progress | None) -> dict[str, int]:
    """The backup as a library of its own, of the newest schema, its indexes built under numbers that are free."""
    place.mkdir()
    with opened_catalog(file) as source, closing(sqlite3.connect(place / CATALOG, isolation_level=None)) as target:
        copy(source, target, progress)
        counts = counts_of(target)
    with closing(Catalog(place)) as staged:
        with staged.transaction():
            # Whoever remembers what he saw by the generation must not take this for it.
            set_meta(staged, "generation", str(max(staged.generation, live.generation) + 1))
            for name in INDEXES:
                build = (live.index_state(name) or NONE).build
                put_index_state(staged, replace(NONE, name=name, build=build, generation=-1))
        bring_up_to_date(staged, place, from_scratch=INDEXES)
        staged.checkpoint()
    return counts


def _exchange(place: Path, live: Catalog) -> None:
    folder = live.path.parent
    with closing(Catalog(place)) as staged:
        for name in INDEXES:
            state = staged.index_state(name)
            assert state
            ready = build_folder(folder, state)
            shutil.rmtree(ready, ignore_errors=True)  # a killed writer's
            ready.parent.mkdir(exist_ok=True)
            build_folder(place, state).replace(ready)
    with (
        closing(sqlite3.connect(place / CATALOG, isolation_level=None)) as source,
        closing(sqlite3.connect(live.path, timeout=BUSY_SECONDS, isolation_level=None)) as target,
    ):
        copy(source, target)
