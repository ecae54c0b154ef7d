"""Files in, papers and problems out. The reader is picked by what a file holds, not by its name."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Protocol

from rag.errors import SourceError
from rag.readers import hf_listing
from rag.readers.source import Entry, Problem, SourceReading
from rag.readers.text import read_text

__all__ = ["MAX_BYTES", "Entry", "Problem", "SourceReading", "find_sources", "read_file"]

MAX_BYTES = 200_000_000


class Reader(Protocol):
    """A module that reads one format from clean text."""

    EXPECTED: str

    def recognises(self, text: str) -> bool:
        """Whether `text` is of this format."""
        ...

    def read(self, text: str, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
        """Papers in their order, and what was odd."""
        ...


READERS: tuple[Reader, ...] = (hf_listing,)


def read_file(path: Path, *, today: date | None = None, year: int | None = None) -> SourceReading:
    """Everything that `path` lists, identical entries each time they occur.

    `today` bounds dates (the clock's day by default); `year` is the year of dates that a listing
    shows without one, where the listing itself does not tell it right.

    Raises:
        SourceError: missing, no regular file, unreadable, too large, empty, not text, no known
            format, or without any paper. Anything less is a problem in what is returned.
    """
    data = _bytes_of(path)
    text, problems = read_text(data, path.name)
    if not text.strip():
        raise SourceError(f"{path} is empty.", f"Give {_expected()}.")
    reader = next((reader for reader in READERS if reader.recognises(text)), None)
    if reader is None:
        raise SourceError(f"{path} is in no format that paperchat reads.", f"Give {_expected()}.")
    entries, found = reader.read(text, today=today or date.today(), year=year)
    if not entries:
        raise SourceError(f"{path} lists no paper.", f"Give {_expected()}; is it complete?")
    in_order = sorted([*problems, *found], key=lambda problem: problem.line or 0)
    return SourceReading(path.name, hashlib.sha256(data).hexdigest(), tuple(entries), tuple(in_order))


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """Files as given, and the files in given folders, sorted, each once.

    In folders, hidden files and folders and links that lead outside are skipped. What is missing,
    or a folder that cannot be opened, stays in the list, so that `read_file` says so.
    """
    found: list[Path] = []
    for path in paths:
        found.extend(_files_in(path) if path.is_dir() else [path])
    return list(dict.fromkeys(found))


def _files_in(folder: Path) -> list[Path]:
    closed: list[Path] = []
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    home = os.path.realpath(folder)
    return sorted(closed + [path for path in found if Path(os.path.realpath(path)).is_relative_to(home)])


def _bytes_of(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path} is a folder that cannot be read.", "Give a text file.")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is no regular file.", "Give a text file.")
        if status.st_size > MAX_BYTES:
            raise SourceError(f"{path} has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read.", "Split it.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", "") from error


def _expected() -> str:
    return " or ".join(reader.EXPECTED for reader in READERS)
