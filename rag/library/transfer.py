"""A library written into one file of lines, and the lines of such a file; `importing.py` takes them in."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rag.errors import LibraryError
from rag.library import blocking
from rag.library.backup import check_target, drafted
from rag.library.blocking import Block
from rag.library.catalog import IN_LIST, Catalog
from rag.library.portable import (
    Header,
    block_line,
    end_line,
    header_line,
    header_of,
    item_of,
    record_line,
)
from rag.library.records import Record, SourceEntry
from rag.library.sqlite_files import Progress

if TYPE_CHECKING:
    from rag.library.library import Library

BATCH = 32  # papers held at a time
MAX_LINE = 500_000_000  # characters; a paper of 5,000 passages
GZIP = b"\x1f\x8b"


def export(library: Library, file: Path, *, force: bool = False, progress: Progress | None = None) -> int:
    """Write all that the library holds into one file, compressed where its name ends in .gz; returns how many papers.

    The file is the library as it is now, whoever writes meanwhile. `progress` is called with (papers
    written, all papers).

    Raises:
        LibraryError: the file exists (without `force`) or cannot be written.
    """
    check_target(library.folder, file, force)
    with (
        drafted(file) as draft,
        _writing(draft, file.suffix == ".gz") as out,
        closing(Catalog(library.folder)) as catalog,
    ):
        catalog.rows("BEGIN")  # one snapshot
        ids = [row[0] for row in catalog.rows("SELECT paper_id FROM papers ORDER BY paper_id")]
        header = Header(catalog.meta("fingerprint") or "", catalog.dimension, len(ids))
        out.write(header_line(header) + "\n")
        out.writelines(block_line(block) + "\n" for block in blocking.blocks(catalog))
        for start in range(0, len(ids), BATCH):
            out.writelines(record_line(record) + "\n" for record in _stored(catalog, ids[start : start + BATCH]))
            if progress:
                progress(min(start + BATCH, len(ids)), len(ids))
        out.write(end_line(len(ids)) + "\n")
    return len(ids)


def _stored(catalog: Catalog, ids: Sequence[str]) -> Iterator[Record]:
    """All that is stored of some papers."""
    papers, passages, bodies = catalog.papers(ids), catalog.passages(ids), catalog.bodies(ids)
    encoded = catalog.encoded(passage.passage_id for group in passages.values() for passage in group)
    listed = catalog.rows(
        "SELECT e.paper_id, e.source, s.sha256, e.line, e.content_hash FROM entries e "
        f"JOIN sources s ON s.name = e.source WHERE e.paper_id {IN_LIST} ORDER BY e.source, e.line",
        (json.dumps(list(ids)),),
    )
    entries: dict[str, list[SourceEntry]] = {}
    for paper_id, *entry in listed:
        entries.setdefault(paper_id, []).append(SourceEntry(*entry))
    for paper_id in ids:
        own = passages.get(paper_id, [])
        of = [encoded[passage.passage_id] for passage in own]
        yield Record(papers[paper_id], own, of, entries.get(paper_id, ()), bodies.get(paper_id))


def lines_of(file: Path) -> Iterator[tuple[int, Any]]:
    """(line, header first, then Record, Block, or the ValueError of a line that is neither).

    Raises:
        LibraryError: no exported library, unreadable, or cut off.
    """
    ended = None
    count = 0
    with _reading(file) as stream:
        first = stream.readline(MAX_LINE)
        try:
            yield 1, header_of(first)
        except (LibraryError, ValueError) as error:
            reason, remedy = (error.message, error.remedy) if isinstance(error, LibraryError) else (str(error), "")
            raise LibraryError(f"{file} cannot be imported. {reason}", remedy) from None
        for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), ""), start=2):
            try:
                item: Record | Block | int | ValueError = item_of(line)
            except (ValueError, RecursionError) as error:
                if not line.endswith("\n"):
                    break  # where it was cut off
                item = ValueError(f"line {number} is no paper: {error}")
            if isinstance(item, int):
                ended = item
                break
            count += not isinstance(item, Block)
            yield number, item
    if ended is None or count < ended:  # more than it counts: a line is repeated, which its reader finds
        raise LibraryError(
            f"{file} is cut off: it has {count} papers{'' if ended is None else f' of {ended}'} and no proper end.",
            "What could be read is stored. Export it again, or copy it again, for the rest.",
        )


def _writing(draft: Path, compressed: bool) -> IO[str]:
    if not compressed:
        return draft.open("w", encoding="utf-8")
    return cast("IO[str]", gzip.open(draft, "wt", 1, encoding="utf-8"))  # vectors get no smaller by trying harder


@contextmanager
def _reading(file: Path) -> Iterator[IO[str]]:
    try:
        with file.open("rb") as raw:
            compressed = raw.read(2) == GZIP
        with gzip.open(file, "rt", encoding="utf-8") if compressed else file.open(encoding="utf-8") as stream:
            yield cast("IO[str]", stream)
    except (EOFError, zlib.error, UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise LibraryError(
            f"{file} cannot be read to its end: {error}.", "What could be read is stored. Export or copy it again."
        ) from error
    except OSError as error:
        raise LibraryError(f"{file} cannot be read: {error.strerror or error}.", "Check the path.") from error
