"""Taking away what nothing needs any more: old builds, leftovers of killed processes, free pages."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.library.builds import INDEXES, build_folder
from rag.library.catalog import Catalog
from rag.library.lock import HOLDER
from rag.library.opened import writing
from rag.library.removal import forget_deleted
from rag.library.restore import ASIDE, STAGING

if TYPE_CHECKING:
    from rag.library.library import Library

WORTH_IT = 0.1  # share of free pages from which the catalog is written anew


@dataclass(frozen=True, slots=True)
class Collected:
    """What was taken away; `freed` is bytes on the disk. `damaged` is the folder of catalogs put aside, or ""."""

    builds: int = 0
    leftovers: int = 0
    deleted: int = 0
    sources: int = 0
    freed: int = 0
    damaged: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def collect(library: Library) -> Collected:
    """Take away what nothing needs any more: builds of an index that are not in use, what killed processes
    left, the ids of deleted papers, files that list no paper any more, and the catalog's free pages where
    that pays. Readers may go on; damaged catalogs that were put aside stay.

    Raises:
        LibraryLockedError: another process is writing.
        LibraryError: the disk is full or cannot be written.
    """
    folder = library.folder
    with writing(folder) as catalog:
        before = _size(folder)
        builds = [place for name in INDEXES for place in _unused(catalog, folder, name)]
        leftovers = [folder / STAGING, *folder.glob(f"{HOLDER}.*"), *folder.glob(".*.json.*")]
        gone = [place for place in leftovers if place.exists()]
        for place in [*builds, *gone]:
            shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
        deleted, sources = forget_deleted(catalog), _forget_sources(catalog)
        (free,), (pages,) = *catalog.rows("PRAGMA freelist_count"), *catalog.rows("PRAGMA page_count")
        if free >= pages * WORTH_IT:
            catalog.rows("VACUUM")
        catalog.checkpoint()
        freed = before - _size(folder)
    damaged = folder / ASIDE
    return Collected(len(builds), len(gone), deleted, sources, max(0, freed), str(damaged) if damaged.is_dir() else "")


def _unused(catalog: Catalog, folder: Path, name: str) -> list[Path]:
    state = catalog.index_state(name)
    keep = build_folder(folder, state) if state else None
    return [place for place in (folder / name).iterdir() if place != keep] if (folder / name).is_dir() else []


def _forget_sources(catalog: Catalog) -> int:
    """Drop files that list no paper any more."""
    unlisted = "name NOT IN (SELECT source FROM entries)"
    with catalog.transaction():
        ((n,),) = catalog.rows(f"SELECT count(*) FROM sources WHERE {unlisted}")
        catalog.rows(f"DELETE FROM sources WHERE {unlisted}")
    return int(n)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
