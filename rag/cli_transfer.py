"""`paperchat library backup|restore|export|import`: the library in one file, and out of it again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rag.cli_common import Json, failures, opened_library, settings, status

app = typer.Typer()

Target = Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")]
Source = Annotated[Path, typer.Argument(help="The file to read.", metavar="FILE")]
Replace = Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")]


@app.command()
def backup(file: Target, force: Replace = False, json_output: Json = False) -> None:
    """Copy the library into one file, while others read and write it. Conversations and settings are not in it."""
    from rag.batch import print_json
    from rag.library.backup import backup as write_backup
    from rag.show import progress
    from rag.show_library import show_copied

    with failures(json_output), opened_library() as library:
        with progress("Copying pages") as update:
            done = write_backup(library, file, force=force, progress=update)
        print_json(done.as_dict()) if json_output else show_copied("Backed up", done)


@app.command()
def restore(
    file: Source,
    force: Annotated[bool, typer.Option("--force", help="Even where the library holds papers: they are lost.")] = False,
    json_output: Json = False,
) -> None:
    """Put a backup in place of the library. The old one serves until the new one is ready; a damaged one is kept."""
    from rag.batch import print_json
    from rag.library.restore import restore as read_backup
    from rag.show import progress
    from rag.show_library import show_copied

    with failures(json_output):
        with progress("Copying pages") as update:
            done = read_backup(settings().library_folder, file, force=force, progress=update)
        print_json(done.as_dict()) if json_output else show_copied("Restored", done)


@app.command()
def export(file: Target, force: Replace = False, json_output: Json = False) -> None:
    """Write papers, full texts and vectors as lines of JSON for another machine; compressed if FILE ends in .gz."""
    from rag.batch import print_json
    from rag.library.transfer import export as write_export
    from rag.show import progress
    from rag.show_library import show_exported

    with failures(json_output), opened_library() as library:
        with progress("Writing papers") as update:
            papers = write_export(library, file, force=force, progress=update)
        print_json({"file": str(file), "papers": papers}) if json_output else show_exported(file, papers)


@app.command(name="import")
def import_(file: Source, json_output: Json = False) -> None:
    """Add the papers of an exported library. Vectors of the same embedder are taken as they are."""
    from rag.batch import print_json
    from rag.embedding import records
    from rag.ingest import library_fingerprint
    from rag.library.importing import import_into
    from rag.library.library import Library
    from rag.models.embedder import load_embedder
    from rag.show import progress
    from rag.show_library import show_imported

    with failures(json_output):
        chosen = settings()
        embedder = load_embedder(chosen)
        library = Library.open(chosen.library_folder, library_fingerprint(embedder))
        with closing(library), progress("Importing papers") as update:
            done = import_into(
                library, file, lambda papers, bodies: records(papers, embedder, bodies, library), progress=update
            )
        print_json(done.as_dict()) if json_output else show_imported(done)
    failed = len(done.failures)
    raise typer.Exit(status(done.counts.total() - failed, failed))
