"""A library put in place of another: a backup restored, whatever state the old one is in."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import LibraryError, LibraryLockedError
from rag.library import blocking
from rag.library.backup import Copied, as_library_error, counts_of
from rag.library.blocking import BLOCK, Block, BlockList
from rag.library.builds import INDEXES, NONE, bring_up_to_date, build_folder
from rag.library.catalog import BUSY_SECONDS, CATALOG, Catalog
from rag.library.catalog_writes import delete_papers, put_index_state, set_meta
from rag.library.lock import write_lock
from rag.library.migrations import check_owner
from rag.library.opened import LOCK_SECONDS
from rag.library.sqlite_files import Progress, copy, faults, in_use, opened_catalog
from rag.papers import Filters

STAGING = "incoming"  # what is being made ready to take the library's place; nothing of worth if left behind
ASIDE = "damaged"  # catalogs that could not be read are kept here, each in a folder named by its time
LOGS = ("-wal", "-shm")

log = logging.getLogger(__name__)


def restore(folder: Path, file: Path, *, force: bool = False, progress: Progress | None = None) -> Copied:
    """Put a backup in place of the library in `folder`; `progress` is called with (pages done, all pages).

    The indexes are built first and then all is exchanged in one step: until then the old library
    serves, also if this is interrupted, and running chats see the new one at their next question. A
    damaged library is put aside, not overwritten. The block list of the old library stays, beside the
    backup's, and what was deleted and blocked since the backup does not come back. No library may be
    open in this process.

    Raises:
        LibraryError: the file is no sound backup, or the library holds papers (without `force`).
        LibraryLockedError: another process is writing, or has a damaged library open.
    """
    _check_sound(file)
    with as_library_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with write_lock(folder, LOCK_SECONDS), as_library_error(folder), staging(folder) as place:
        aside = None
        if _is_damaged(folder):
            _check_unused(folder)
            counts = _stage(file, place, None, _readable_blocks(folder / CATALOG), progress)
            aside = replace_damaged(folder, place)
        with closing(Catalog(folder)) as live:
            if aside is None:
                _check_empty(live, force)
                counts = _stage(file, place, live, blocking.blocks(live), progress)
                _exchange(place, live)
            bring_up_to_date(live, folder)
            live.checkpoint()
    return Copied(str(file), counts, file.stat().st_size, str(aside or ""))


def replace_damaged(folder: Path, place: Path) -> Path:
    """Put the library made ready in `place` where a damaged one is; returns where the damaged catalog is kept.

    At every moment there is a catalog; where this fails it is the damaged one, as it was. Under the write
    lock, both open nowhere.

    Raises:
        LibraryLockedError: another process has the damaged one open.
        OSError: the disk is full, or refuses.
    """
    _check_unused(folder)
    _move_builds(place, folder)
    catalog, aside = folder / CATALOG, folder / ASIDE / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S-%f")
    aside.mkdir(parents=True)
    try:
        try:
            os.link(catalog, aside / CATALOG)
        except OSError:  # a disk without links
            shutil.copy2(catalog, aside / CATALOG)
        _move_logs(folder, aside)  # a log must never meet another catalog of its name
        (place / CATALOG).replace(catalog)
    except BaseException:
        _move_logs(aside, folder)
        shutil.rmtree(aside, ignore_errors=True)
        raise
    log.warning("The damaged catalog of %s is kept in %s.", folder, aside)
    return aside


def _move_logs(source: Path, target: Path) -> None:
    for suffix in LOGS:
        if (part := source / f"{CATALOG}{suffix}").exists():
            part.replace(target / part.name)


def _check_unused(folder: Path) -> None:
    if in_use(folder / CATALOG):
        raise LibraryLockedError(
            f"The damaged library {folder} is open in another process.", "Stop the chat and other commands first."
        )


def _check_empty(live: Catalog, force: bool) -> None:
    if (n := live.count("papers")) and not force:
        raise LibraryError(
            f"The library {live.path.parent} holds {n} papers already.",
            "Give --force to put the backup in their place.",
        )


def _check_sound(file: Path) -> None:
    with opened_catalog(file) as found:
        if wrong := faults(found):
            raise LibraryError(f"{file} is damaged: {'; '.join(wrong)}.", "Take another backup.")


def _is_damaged(folder: Path) -> bool:
    """Whether there is a catalog that is not sound.

    Raises:
        LibraryError: it is another program's.
    """
    catalog = folder / CATALOG
    if not catalog.exists() or not catalog.stat().st_size:
        return False
    with closing(sqlite3.connect(catalog, timeout=BUSY_SECONDS)) as connection:
        if not (wrong := faults(connection)):
            return False
        with suppress(sqlite3.DatabaseError):  # damaged so much that nobody can tell whose it is
            check_owner(connection, catalog)
    log.warning("The catalog of %s is damaged: %s", folder, "; ".join(wrong))
    return True


def _readable_blocks(catalog: Path) -> list[Block]:
    """The block list of a damaged catalog, as far as it can be read."""
    found: list[Block] = []
    try:
        with closing(sqlite3.connect(catalog, timeout=BUSY_SECONDS)) as connection:
            for row in connection.execute(f"SELECT {BLOCK} FROM blocked"):
                found.append(Block(*row))
    except sqlite3.DatabaseError as error:
        log.warning("The block list of %s cannot be read to its end: %s", catalog, error)
    return found


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A name for a folder beside the catalog, which is gone at the end. Under the write lock."""
    place = folder / STAGING
    shutil.rmtree(place, ignore_errors=True)  # a killed one's
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _stage(
    file: Path, place: Path, live: Catalog | None, refused: Sequence[Block], progress: Progress | None
) -> Mapping[str, int]:
    """The backup as a library of its own, of the newest schema, its indexes built under numbers that are free.

    `live` is the library whose place it takes, None for one that cannot be read; `refused` its block list.
    """
    place.mkdir()
    with opened_catalog(file) as source, closing(sqlite3.connect(place / CATALOG, isolation_level=None)) as target:
        copy(source, target, progress)
    with closing(Catalog(place)) as staged:
        with staged.transaction():
            # Whoever remembers what he saw by the generation must not take this for it.
            generation = max(staged.generation, live.generation if live else 0) + 1
            set_meta(staged, "generation", str(generation))
            for name in INDEXES:
                build = ((live and live.index_state(name)) or NONE).build
                put_index_state(staged, replace(NONE, name=name, build=build, generation=-1))
            _keep_out(staged, live, refused, generation)
        bring_up_to_date(staged, place, from_scratch=INDEXES)
        staged.checkpoint()
    with closing(sqlite3.connect(place / CATALOG)) as connection:
        return counts_of(connection)


def _keep_out(staged: Catalog, live: Catalog | None, refused: Sequence[Block], generation: int) -> None:
    """Both block lists together, and nothing of what was deleted and blocked since the backup.

    A paper that the library held in spite of its block list stays, as it would have without a restore.
    """
    if not refused:
        return
    blocking.put(staged, refused)
    listed = BlockList(refused)
    blocked = [paper.paper_id for paper in staged.find(Filters(), newest_first=True, limit=None) if listed.why(paper)]
    held = live.existing_papers(blocked) if live else set()
    if gone := [paper_id for paper_id in blocked if paper_id not in held]:
        log.warning("Left out, for they are on the block list: %s", ", ".join(gone))
        delete_papers(staged, gone, generation)


def _exchange(place: Path, live: Catalog) -> None:
    _move_builds(place, live.path.parent)
    with (
        closing(sqlite3.connect(place / CATALOG, isolation_level=None)) as source,
        closing(sqlite3.connect(live.path, timeout=BUSY_SECONDS, isolation_level=None)) as target,
    ):
        copy(source, target)


def _move_builds(place: Path, folder: Path) -> None:
    with closing(Catalog(place)) as staged:
        for name in INDEXES:
            state = staged.index_state(name)
            assert state
            ready = build_folder(folder, state)
            shutil.rmtree(ready, ignore_errors=True)  # a killed writer's
            ready.parent.mkdir(exist_ok=True)
            build_folder(place, state).replace(ready)
