"""`paperchat bench`: how well the search finds what is judged relevant, as shipped and without each of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli_common import Json, failures, settings, status

app = typer.Typer(help="Measure the search on labelled collections.", no_args_is_help=True)

Collections = Annotated[
    list[Path] | None,
    typer.Option(
        "--collection", help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/; several may follow.", metavar="DIR"
    ),
]
More = Annotated[list[Path] | None, typer.Argument(help="More folders for --collection.", metavar="DIR")]
Questions = Annotated[
    list[str] | None,
    typer.Option(
        help="A question set for the configured library: dev, more, fresh, followups, or JSONL; may be given again."
    ),
]
Qrels = Annotated[str, typer.Option(help="Which judgements of the folders: qrels/NAME.tsv.", metavar="NAME")]
Keep = Annotated[
    Path | None,
    typer.Option(help="Keep the collections' libraries in this folder, for the next run.", metavar="FOLDER"),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write retrieval.json, retrieval.md and TREC runs to this folder.", metavar="FOLDER"),
]


@app.callback()
def _bench() -> None:
    pass


@app.command()
def retrieval(
    collection: Collections = None,
    more: More = None,
    questions: Questions = None,
    qrels: Qrels = "test",
    starter: Annotated[bool, typer.Option("--starter", help="Measure llama-index's starter, too (slow).")] = False,
    keep: Keep = None,
    out: Out = None,
    json_output: Json = False,
) -> None:
    """Ask judged queries of collections: nDCG, recall and times of the search, of its arms, and without each part."""
    collections = (*(collection or []), *(more or []))
    if not collections and not questions:
        raise typer.BadParameter("Give --collection DIR, --questions FILE, or both.")
    with failures(json_output):
        from eval.bench_retrieval.report import markdown
        from eval.bench_retrieval.run import Order, counts, run
        from rag.show import plain, progress, show_error
        from rag.show_eval import put

        order = Order(collections, tuple(questions or ()), qrels, starter, keep, out)
        found = run(settings(), order, progress, _tell, show_error)
        put(found, json_output, lambda: typer.echo(plain(markdown(found)), nl=False))
    raise typer.Exit(status(*counts(found)))


def _tell(message: str) -> None:
    typer.echo(f"paperchat: {message}", err=True)
