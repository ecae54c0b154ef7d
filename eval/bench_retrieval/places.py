"""Where the libraries of collections lie: kept from run to run, or for one run only."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import SettingsError

KEY = 16  # characters of a hash that tell kept libraries apart


@contextmanager
def library_place(keep: Path | None, name: str, *made_of: str) -> Iterator[Path]:
    """The folder of a library below `keep`, one for each that is `made_of` the same; without `keep` a temporary one."""
    if keep is not None:
        yield keep / f"{name}-{hashlib.sha256(chr(0).join(made_of).encode()).hexdigest()[:KEY]}"
        return
    with tempfile.TemporaryDirectory(prefix="paperchat-bench-", ignore_cleanup_errors=True) as place:
        yield Path(place) / "library"


def made_folder(folder: Path) -> Path:
    """The folder, which is made where there is none.

    Raises:
        SettingsError: that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"Cannot make the folder {folder}: {error.strerror}.", "Choose another place.") from error
    return folder


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
