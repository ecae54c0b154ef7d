"""Reading from a disk that takes no writes, because it is full or mounted read-only.

Chroma writes a row at each opening and tantivy locks a file, so an index is read there from a copy in
the temporary folder. SQLite reads a file on a read-only disk when told that nobody changes it.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

ROOM = 1_000_000  # bytes that opening an index may write

log = logging.getLogger(__name__)


def is_read_only(folder: Path) -> bool:
    """Whether the disk of an existing folder is mounted read-only."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False


def copied(build: Path) -> TemporaryDirectory[str] | None:
    """A copy of an index where its own disk takes no writes, gone with the last reference to it; else None."""
    try:
        if not is_read_only(build) and shutil.disk_usage(build).free >= ROOM:
            return None
        copy = TemporaryDirectory(prefix="paperchat-", ignore_cleanup_errors=True)
        shutil.copytree(build, copy.name, dirs_exist_ok=True)
    except OSError as error:  # no room there either: opening the original will tell
        log.warning("The index %s cannot be copied to where it can be opened: %s", build, error)
        return None
    log.warning("The disk of %s takes no writes; the index is read from a copy in %s.", build, copy.name)
    return copy
