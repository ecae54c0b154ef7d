"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rag.errors import SettingsError


def write_whole(path: Path, text: str) -> None:
    """Write a file so that there is never a half of it: a draft beside it takes its place.

    Raises:
        SettingsError: the place cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(text.encode("utf-8", "backslashreplace"))
        os.replace(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise SettingsError(f"Cannot write {path}: {error.strerror or error}.", "Choose another place.") from None
