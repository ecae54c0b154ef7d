"""Files in, papers and problems out. The reader is picked by what a file holds, not by its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Protocol

from rag.errors import SourceError
from rag.readers import (
    arxiv_atom,
    bibtex,
    csl,
    docx,
    hf_api,
    hf_html,
    hf_listing,
    html,
    json_table,
    markdown,
    openalex,
    pdf,
    plain,
    ris,
    semantic_scholar,
    table,
    zotero_rdf,
)
from rag.readers.source import Entry, Raw, SourceReading
from rag.readers.text import READ, Problem

__all__ = [
    "MAX_BYTES",
    "Entry",
    "Problem",
    "Raw",
    "SourceReading",
    "find_sources",
    "is_document",
    "load",
    "read_file",
    "read_raw",
]

MAX_BYTES = 200_000_000


class Reader(Protocol):
    """A module that reads one format. Nothing in a file may make it raise anything but SourceError."""

    def recognises(self, raw: Raw) -> bool:
        """Whether the file is of this format, by what it holds. Cheap: looks at the beginning where it can."""
        ...

    def read(self, raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
        """Papers in their order, and what was odd.

        Raises:
            SourceError: nothing of it can be read (broken, encrypted).
        """
        ...


DOCUMENTS: tuple[Reader, ...] = (pdf, docx)
# The first that recognises a file reads it: binary formats, then text from the strictest to the most lenient.
READERS: tuple[Reader, ...] = (
    *DOCUMENTS,
    hf_html,
    arxiv_atom,
    hf_api,
    semantic_scholar,
    openalex,
    csl,
    json_table,
    zotero_rdf,
    bibtex,
    ris,
    table,
    html,
    hf_listing,
    markdown,
    plain,
)


def load(path: Path, most_bytes: int = MAX_BYTES) -> Raw:
    """A file's bytes; one of more than `most_bytes` is refused unread.

    Raises:
        SourceError: missing, no regular file, unreadable, or too large.
    """
    return Raw(path.name, _bytes_of(path, most_bytes))


def is_document(raw: Raw) -> bool:
    """Whether it is one paper that takes long to read."""
    return any(reader.recognises(raw) for reader in DOCUMENTS)


def read_file(path: Path, *, today: date | None = None, year: int | None = None) -> SourceReading:
    """Everything that `path` lists, identical entries each time they occur; raises as `load` and `read_raw`."""
    return read_raw(load(path), shown=str(path), today=today, year=year)


def read_raw(raw: Raw, *, shown: str = "", today: date | None = None, year: int | None = None) -> SourceReading:
    """The papers in the bytes of a file, which messages call `shown`.

    `today` bounds dates (the clock's day by default); `year` is the year of dates that a listing
    shows without one, where the listing itself does not tell it right.

    Raises:
        SourceError: empty, not text, no known format, or a list of nothing. Anything less is a
            problem in what is returned, which has no entries where every item of a list is lost.
    """
    shown = shown or raw.name
    if not raw.data.strip():
        raise SourceError(f"{shown} is empty.", READ)
    reader = next((reader for reader in READERS if reader.recognises(raw)), None)
    if reader is None:
        if not raw.text.strip():
            raise SourceError(f"{shown} is empty.", READ)
        raise SourceError(f"{shown} is in no format that paperchat reads.", READ)
    entries, found = reader.read(raw, today=today or date.today(), year=year)
    if not entries and not any(problem.lost for problem in found):
        raise SourceError(f"{shown} lists no paper.", f"Is it complete? {READ}")
    in_order = sorted(found, key=lambda problem: problem.line or 0)
    return SourceReading(raw.name, raw.sha256, tuple(entries), tuple(in_order))


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


def _bytes_of(path: Path, most: int) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path} is a folder that cannot be read.", "Give a file with papers.")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is no regular file.", "Give a file with papers.")
        if status.st_size > most:
            remedy = "Split it, or raise PAPERCHAT_MAX_FILE_MB."
            raise SourceError(f"{path} has {status.st_size:,} bytes; at most {most:,} are read.", remedy)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", "") from error
