"""What the commands share: the --json option, the settings, and how an expected failure ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import PaperchatError

if TYPE_CHECKING:
    from rag.ingest import IngestReport
    from rag.library.library import Library
    from rag.models.interfaces import Embedder
    from rag.settings import Settings

SOME_FAILED = 3

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def settings(**given: object) -> Settings:
    """The settings, read when a command needs them; what is `given` and not None replaces what is configured.

    Raises:
        SettingsError: they are wrong.
    """
    from rag.settings import load_settings

    return load_settings(**given)


@contextmanager
def failures(json_output: bool) -> Iterator[None]:
    """An expected failure is one line on stderr (and an object on stdout for a program), never a traceback."""
    try:
        yield
    except PaperchatError as error:
        from rag.batch import print_json
        from rag.show import show_error

        if json_output:
            print_json({"error": error.as_dict()})
        show_error(error)
        raise typer.Exit(error.exit_code) from None


@contextmanager
def opened_library() -> Iterator[Library]:
    """The library as it was built: looking after it needs no embedder.

    Raises:
        LibraryError: there is none, or it is damaged.
    """
    from rag.library.library import Library

    with closing(Library.open(settings().library_folder)) as library:
        yield library


@contextmanager
def fillable_library(chosen: Settings) -> Iterator[tuple[Library, Embedder]]:
    """The library to put papers into, a new one where there is none, and what embeds them.

    Raises:
        LibraryError: it is damaged, or was built by another embedder.
        ModelError: there is no embedder.
    """
    from rag.ingest import library_fingerprint
    from rag.library.library import Library
    from rag.models.embedder import load_embedder

    embedder = load_embedder(chosen)
    with closing(Library.open(chosen.library_folder, library_fingerprint(embedder))) as library:
        yield library, embedder


def tell_ingest(report: IngestReport, json_output: bool) -> int:
    """Print what became of every listing, and of what was odd; the exit status, which is 1 where there was nothing."""
    from rag.batch import print_json
    from rag.show import show_ingest, show_warnings

    show_warnings(report)
    if json_output:
        for row in report.rows:
            print_json(asdict(row))
    else:
        show_ingest(report)
    return status_of(sum(row.outcome == "failed" for row in report.rows), len(report.rows))


def status_of(failed: int, of: int) -> int:
    """`status` of a command that has nothing to show for it where there was nothing to do."""
    return status(of - failed, failed) if of else 1


def status(done: int, failed: int) -> int:
    """The exit status of a command on several things: 0 all, 3 some failed, 1 all failed."""
    return SOME_FAILED if failed and done else int(failed > 0)
