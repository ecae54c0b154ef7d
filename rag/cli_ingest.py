"""`paperchat ingest`: files, folders and addresses into the library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli_common import SOME_FAILED, Json, failures, settings
from rag.errors import FetchError, SourceError

if TYPE_CHECKING:
    from rag.ingest import IngestReport, IngestRow
    from rag.readers import SourceReading
    from rag.settings import Settings


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files (PDF, DOCX, HTML, Markdown, text, BibTeX, RIS, CSV, JSON), folders of them, or http addresses.",
            metavar="PATH|URL...",
        ),
    ],
    json_output: Json = False,
) -> None:
    """Add papers to the library. What is already there and unchanged costs nothing."""
    from rag.atlas import refresh
    from rag.batch import print_json
    from rag.fetch.download import is_url
    from rag.ingest import ingest as ingest_paths
    from rag.ingest import ingest_readings, library_fingerprint
    from rag.library.library import Library
    from rag.models.embedder import load_embedder
    from rag.show import progress, show_ingest, show_warnings

    with failures(json_output):
        chosen = settings()
        embedder = load_embedder(chosen)
        fetched, failed = _fetched([source for source in sources if is_url(source)], chosen)
        library = Library.open(chosen.library_folder, library_fingerprint(embedder))
        with closing(library), progress("Embedding papers") as update:
            files = [Path(source) for source in sources if not is_url(source)]
            report = ingest_paths(files, library, embedder, progress=update, most_bytes=chosen.max_file_mb * 1_000_000)
            if fetched:
                more = ingest_readings(fetched, library, embedder, progress=update)
                report = replace(more, rows=(*report.rows, *more.rows), warnings=(*report.warnings, *more.warnings))
            report = replace(report, rows=(*report.rows, *failed))
            refresh(library)
        show_warnings(report)
        if json_output:
            for row in report.rows:
                print_json(asdict(row))
        else:
            show_ingest(report)
        raise typer.Exit(_status(report))


def _fetched(urls: Sequence[str], chosen: Settings) -> tuple[list[SourceReading], list[IngestRow]]:
    """What stands at addresses; a row for each that could not be had or read."""
    from rag.fetch.addresses import without_secrets
    from rag.fetch.client import open_client
    from rag.fetch.download import read_url
    from rag.ingest import IngestRow

    readings: list[SourceReading] = []
    failed: list[IngestRow] = []
    if not urls:
        return readings, failed
    with open_client(chosen) as client:
        for url in urls:
            try:
                readings.append(read_url(url, client))
            except (FetchError, SourceError) as error:
                kept = without_secrets(url)
                failed.append(IngestRow(kept, kept, "failed", str(error)))
    return readings, failed


def _status(report: IngestReport) -> int:
    """0 all, 3 some, 1 none."""
    failed = sum(row.outcome == "failed" for row in report.rows)
    if failed < len(report.rows):
        return SOME_FAILED if failed else 0
    return 1
