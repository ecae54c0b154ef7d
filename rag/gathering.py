"""Files to what they hold, some at a time, so that what was read is stored before the next is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.errors import SourceError
from rag.library.library import Library
from rag.placing import IngestRow
from rag.readers import Raw, SourceReading, find_sources, is_document, load, read_raw

GROUP_BYTES = 20_000_000  # of files that are read before what they hold is stored
GROUP_DOCUMENTS = 8  # of those that take long to read
INCOMPLETE = ""  # the content hash of a document that could not be read to its end: it is read again


@dataclass(slots=True)
class Group:
    """Some files: what they hold, rows of documents that are there already, and of files that cannot be read."""

    readings: list[SourceReading] = field(default_factory=list)
    known: list[IngestRow] = field(default_factory=list)
    failed: list[IngestRow] = field(default_factory=list)


def groups(paths: Iterable[Path], library: Library, most_bytes: int) -> Iterator[Group]:
    """The files in groups, each stored before the next is read: an interruption costs one of them."""
    group, size, names = Group(), 0, dict[str, str]()
    for path in find_sources(paths):
        try:
            raw = load(path, most_bytes)
            if row := _known_document(raw, library):
                group.known.append(row)
                continue
            group.readings.append(_named_apart(read_raw(raw, shown=str(path)), path, names))
            size += GROUP_BYTES // GROUP_DOCUMENTS if is_document(raw) else len(raw.data)
        except SourceError as error:
            group.failed.append(IngestRow(str(path), path.name, "failed", str(error)))
        if size >= GROUP_BYTES:
            yield group
            group, size = Group(), 0
    yield group


def _known_document(raw: Raw, library: Library) -> IngestRow | None:
    """The row of a document that was read before, whole: it is not read again, which takes seconds."""
    if not is_document(raw):
        return None
    entries = list(library.known_entries({raw.sha256}).values())
    papers = library.papers([entries[0][0]]) if len(entries) == 1 and entries[0][1] != INCOMPLETE else {}
    return next((IngestRow(p.title, raw.name, "unchanged", paper_id=i) for i, p in papers.items()), None)


def _named_apart(reading: SourceReading, path: Path, names: dict[str, str]) -> SourceReading:
    """Two files of one name at once are two sources: the second is called by its folder too, or by its path."""
    for name in (reading.name, f"{path.resolve().parent.name}/{path.name}", str(path.resolve())):
        if names.setdefault(name, reading.sha256) == reading.sha256:
            return replace(reading, name=name)
    return reading
