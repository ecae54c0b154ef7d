"""`paperchat ingest`: files, folders and addresses into the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli_common import Json, failures, fillable_library, settings, tell_ingest
from rag.errors import FetchError, SourceError

if TYPE_CHECKING:
    from rag.ingest import IngestRow
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
    from rag.fetch.download import is_url
    from rag.ingest import ingest as ingest_paths
    from rag.ingest import ingest_readings
    from rag.show import progress

    with failures(json_output):
        chosen = settings()
        fetched, failed = _fetched([source for source in sources if is_url(source)], chosen)
        with fillable_library(chosen) as (library, embedder), progress("Embedding papers") as update:
            files = [Path(source) for source in sources if not is_url(source)]
            report = ingest_paths(files, library, embedder, progress=update, most_bytes=chosen.max_file_mb * 1_000_000)
            if fetched:
                more = ingest_readings(fetched, library, embedder, progress=update)
                report = replace(more, rows=(*report.rows, *more.rows), warnings=(*report.warnings, *more.warnings))
            report = replace(report, rows=(*report.rows, *failed))
            refresh(library)
        raise typer.Exit(tell_ingest(report, json_output))


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
