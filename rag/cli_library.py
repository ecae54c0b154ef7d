"""`paperchat library`: what it holds, whether it is sound, how to mend it, and how to take papers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rag import cli_block, cli_transfer
from rag.cli_common import Json, failures, opened_library, settings, status
from rag.errors import LibraryError

if TYPE_CHECKING:
    from rag.library.check import Report
    from rag.library.library import Library
    from rag.library.salvage import Salvaged

NEAR = 80  # rapidfuzz ratio from which a title may be what was meant: "TidalCache" has 90 with its own whole title
OFFERED = 3  # titles
SHORTEST = 3  # characters of a name that says anything

app = typer.Typer(help="Look after the library: check and mend it, back it up, take papers out.", no_args_is_help=True)
app.add_typer(cli_transfer.app)
app.add_typer(cli_block.app, name="block")


@app.command()
def stats(json_output: Json = False) -> None:
    """Count papers, passages, entries, duplicates and sources."""
    from rag.batch import print_json
    from rag.show import show_stats

    with failures(json_output), opened_library() as library:
        found = library.stats().as_dict()
        if json_output:
            print_json(found)
        else:
            show_stats(found)


@app.command()
def verify(json_output: Json = False) -> None:
    """Check every store against the catalog, passage by passage; nothing is changed."""
    with failures(json_output), opened_library() as library:
        _end(library.verify(), json_output)


@app.command()
def repair(json_output: Json = False) -> None:
    """Build what `verify` finds wrong anew from the catalog, and verify again.

    From a damaged catalog all that can be read is saved into a new one; what passages are lost is embedded anew.
    """
    from rag.library.salvage import salvage_if_damaged
    from rag.show_library import show_salvaged

    with failures(json_output):
        saved = salvage_if_damaged(settings().library_folder)
        if saved is not None and not json_output:
            show_salvaged(saved)
        with opened_library() as library:
            if saved is not None and saved.incomplete:
                _embed_anew(library)
            report = library.repair()
        _end(report, json_output, saved)


@app.command()
def rebuild(json_output: Json = False) -> None:
    """Cut and embed every paper anew, as after a change of embedder; the old library serves until the end."""
    from rag.batch import print_json
    from rag.show import show_stats

    with failures(json_output), opened_library() as library:
        _embed_anew(library)
        found = library.stats().as_dict()
        if json_output:
            print_json(found)
        else:
            show_stats(found)


@app.command()
def gc(json_output: Json = False) -> None:
    """Take away what nothing needs any more: old index builds, leftovers of killed processes, free space."""
    from rag.batch import print_json
    from rag.library.collecting import collect
    from rag.show_library import show_collected

    with failures(json_output), opened_library() as library:
        done = collect(library)
        print_json(done.as_dict()) if json_output else show_collected(done)


@app.command()
def delete(
    names: Annotated[
        list[str], typer.Argument(help="Ids, arXiv ids, DOIs or titles of papers.", metavar="ID|TITLE...")
    ],
    block: Annotated[bool, typer.Option("--block", help="Refuse these papers from now on.")] = False,
    reason: Annotated[str, typer.Option(help="Why they are blocked.")] = "",
    json_output: Json = False,
) -> None:
    """Delete papers for good, from every store, with the PDFs that `paperchat arxiv` fetched of them.

    Without --block they come back when their source is ingested again.
    """
    from rag.atlas import refresh
    from rag.batch import print_json
    from rag.from_arxiv import delete_documents
    from rag.show_library import show_deleted

    with failures(json_output), opened_library() as library:
        chosen, missed = _chosen(library, names)
        gone = library.delete(chosen, block=block, reason=reason)
        files = delete_documents(settings().home, gone)
        if gone:
            refresh(library)  # the map names topics by words of the papers
        if json_output:
            ids, names = [paper.paper_id for paper in gone], [file.name for file in files]
            print_json({"deleted": ids, "blocked": block, "not_deleted": missed, "files": names})
        else:
            show_deleted(gone, block, missed, files)
    raise typer.Exit(status(len(gone), len(missed)))


def _chosen(library: Library, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Ids of the papers that people call so, and why some names choose none."""
    chosen, missed = [], {}
    for name in names:
        found = library.named(name)
        if len(found) == 1:
            chosen.append(found[0].paper_id)
        elif found:
            missed[name] = f"several papers are called so; give an id: {', '.join(paper.paper_id for paper in found)}"
        else:
            missed[name] = f"the library has no such paper{_meant(library, name)}"
    return chosen, missed


def _meant(library: Library, name: str) -> str:
    """The papers whose titles come nearest to a name that no paper has, as a question; empty where none is near."""
    from rapidfuzz import fuzz, process

    from rag.papers import normalised_title

    key = normalised_title(name)
    if len(key) < SHORTEST:
        return ""
    papers = {paper.paper_id: paper for paper in library.find()}
    titles = {paper_id: normalised_title(paper.title) for paper_id, paper in papers.items()}
    near = process.extract(key, titles, scorer=fuzz.WRatio, score_cutoff=NEAR, limit=OFFERED)
    offers = " or ".join(f"“{papers[paper_id].title}” ({paper_id})" for _, _, paper_id in near)
    return f". Did you mean {offers}?" if offers else ""


def _embed_anew(library: Library) -> None:
    from rag.ingest import rebuild as rebuild_all
    from rag.models.embedder import load_embedder
    from rag.show import progress

    embedder = load_embedder(settings())
    with progress("Embedding papers") as update:
        rebuild_all(library, embedder, progress=update)


def _end(report: Report, json_output: bool, saved: Salvaged | None = None) -> None:
    from rag.batch import print_json
    from rag.show import show_checks

    if json_output:
        print_json(report.as_dict() | ({"salvaged": saved.as_dict()} if saved else {}))
    else:
        show_checks([_as_check(check.name, check.ok, check.detail) for check in report.checks])
    if not report.ok:
        raise typer.Exit(LibraryError.exit_code)


def _as_check(name: str, ok: bool, detail: str) -> dict[str, str]:
    remedy = "" if ok else "Run `paperchat library repair`, or restore a backup."
    return {"name": name, "severity": "ok" if ok else "error", "message": detail, "remedy": remedy}
