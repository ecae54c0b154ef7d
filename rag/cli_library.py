"""`paperchat library`: what it holds, whether it is sound, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import typer

from rag.cli_common import Json, failures, settings
from rag.errors import LibraryError

if TYPE_CHECKING:
    from rag.library.check import Report
    from rag.library.library import Library

app = typer.Typer(help="Look after the library: stats, verify, repair, rebuild.", no_args_is_help=True)


@app.command()
def stats(json_output: Json = False) -> None:
    """Count papers, passages, entries, duplicates and sources."""
    from rag.batch import print_json
    from rag.show import show_stats

    with failures(json_output), _library() as library:
        found = library.stats().as_dict()
        if json_output:
            print_json(found)
        else:
            show_stats(found)


@app.command()
def verify(json_output: Json = False) -> None:
    """Check every store against the catalog, passage by passage; nothing is changed."""
    with failures(json_output), _library() as library:
        _end(library.verify(), json_output)


@app.command()
def repair(json_output: Json = False) -> None:
    """Build what `verify` finds wrong anew from the catalog, without embedding, and verify again."""
    with failures(json_output), _library() as library:
        _end(library.repair(), json_output)


@app.command()
def rebuild(json_output: Json = False) -> None:
    """Cut and embed every paper anew, as after a change of embedder; the old library serves until the end."""
    from rag.batch import print_json
    from rag.ingest import rebuild as rebuild_all
    from rag.models.embedder import load_embedder
    from rag.show import progress, show_stats

    with failures(json_output), _library() as library:
        embedder = load_embedder(settings())
        with progress("Embedding papers") as update:
            rebuild_all(library, embedder, progress=update)
        found = library.stats().as_dict()
        if json_output:
            print_json(found)
        else:
            show_stats(found)


@contextmanager
def _library() -> Iterator[Library]:
    """The library as it was built: looking at it needs no embedder."""
    from rag.library.library import Library

    with closing(Library.open(settings().library_folder)) as library:
        yield library


def _end(report: Report, json_output: bool) -> None:
    from rag.batch import print_json
    from rag.show import show_checks

    if json_output:
        print_json(report.as_dict())
    else:
        show_checks([_as_check(check.name, check.ok, check.detail) for check in report.checks])
    if not report.ok:
        raise typer.Exit(LibraryError.exit_code)


def _as_check(name: str, ok: bool, detail: str) -> dict[str, str]:
    remedy = "" if ok else "Run `paperchat library repair`; for the catalog, ingest the sources into a new folder."
    return {"name": name, "severity": "ok" if ok else "error", "message": detail, "remedy": remedy}
