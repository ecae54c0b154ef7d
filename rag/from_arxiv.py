"""Papers of arXiv into the library: what its API lists, and the full texts of their PDFs when asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from rag.errors import FetchError, FetchUnreachableError, LibraryError, SourceError
from rag.fetch.arxiv import Arxiv, Page, Search, missing
from rag.ingest import IngestReport, IngestRow, ingest_readings
from rag.library.library import Library
from rag.models.interfaces import Embedder
from rag.papers import Paper, arxiv_id_in
from rag.readers import SourceReading, read_file
from rag.readers.source import Raw

SOURCE = "arXiv"
DOCUMENTS = "documents"


def add_from_arxiv(
    search: Search,
    library: Library,
    embedder: Embedder,
    arxiv: Arxiv,
    *,
    pdfs: Path | None = None,
    today: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """Put what arXiv lists for `search` into the library, page by page, then their PDFs, kept in the folder `pdfs`.

    An id that arXiv does not know, or a PDF that cannot be had or read, is a row; the rest goes on. `progress`
    is called with (PDFs dealt with, PDFs).

    Raises:
        FetchError: arXiv cannot be asked, or refuses the search.
        LibraryError: the library is being written by another process, or cannot be.
        ModelError: the embedder cannot be used.
    """
    pages: list[Page] = []
    report = IngestReport(())
    for page in arxiv.search(search):
        pages.append(page)
        report = _both(report, ingest_readings([_reading(page)], library, embedder))
    unknown = missing(search.ids, [entry for page in pages for entry in page.feed.entries])
    report = _failed(report, [(one, "arXiv knows no paper of this id.") for one in unknown])
    if pdfs is None:
        return report
    versions = [version for page in pages for version in page.feed.versions]
    for n, version in enumerate(versions):
        if progress:
            progress(n, len(versions))
        try:
            report = _both(report, ingest_readings([_document(arxiv, version, pdfs, today)], library, embedder))
        except FetchUnreachableError as error:
            return _failed(report, [(one, str(error)) for one in versions[n:]])
        except (FetchError, SourceError) as error:
            report = _failed(report, [(version, str(error))])
    return report


def delete_documents(home: Path, papers: Iterable[Paper]) -> list[Path]:
    """Delete what was fetched of these papers, in every version; returns the files.

    Raises:
        LibraryError: a file cannot be deleted.
    """
    folder, found = home / DOCUMENTS, []
    for arxiv_id in {paper.arxiv_id for paper in papers if paper.arxiv_id}:
        name = arxiv_id.replace("/", "_")
        found += [file for file in folder.glob("*.pdf") if re.fullmatch(rf"{re.escape(name)}(v\d+)?", file.stem)]
    for file in found:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise LibraryError(
                f"{file} cannot be deleted: {error.strerror or error}.", "Delete it yourself; the paper is gone."
            ) from error
    return sorted(found)


def _reading(page: Page) -> SourceReading:
    return SourceReading(page.name, Raw(page.name, page.data).sha256, page.feed.entries, page.feed.problems)


def _document(arxiv: Arxiv, version: str, folder: Path, today: date | None) -> SourceReading:
    """A PDF as it reads, under the id that it was asked for with: its own text may not show one."""
    reading = read_file(arxiv.pdf(version, folder), today=today)
    arxiv_id = arxiv_id_in(version)
    return replace(
        reading, entries=tuple(replace(e, paper=replace(e.paper, arxiv_id=arxiv_id)) for e in reading.entries)
    )


def _both(one: IngestReport, other: IngestReport) -> IngestReport:
    return IngestReport((*one.rows, *other.rows), (*one.warnings, *other.warnings))


def _failed(report: IngestReport, failures: list[tuple[str, str]]) -> IngestReport:
    rows = [IngestRow(item, SOURCE, "failed", reason) for item, reason in failures]
    return replace(report, rows=(*report.rows, *rows))
