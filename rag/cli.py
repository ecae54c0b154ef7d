"""paperchat in the terminal. Each command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag import cli_bench, cli_eval, cli_ingest, cli_library, cli_mcp, cli_serve, cli_sync
from rag.cli_common import SOME_FAILED, Json, failures, settings
from rag.errors import PaperchatError

if TYPE_CHECKING:
    from rag.answer.answer import Answer, Turn
    from rag.answer.pipeline import Paperchat

app = typer.Typer(
    help="Answers about research papers, with the evidence for every sentence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(cli_ingest.ingest)
app.command()(cli_sync.sync)
app.command()(cli_sync.arxiv)
app.add_typer(cli_library.app, name="library")
app.add_typer(cli_eval.app, name="eval")
app.add_typer(cli_bench.app, name="bench")

Question = Annotated[str | None, typer.Argument(help="The question; leave it out with --batch.", metavar="[QUESTION]")]
History = Annotated[
    Path | None, typer.Option(help="JSON list of {role, content}: the conversation so far; - reads standard input.")
]
Batch = Annotated[
    Path | None,
    typer.Option(help="JSONL file of {qid, question, history}: a JSON line out for each; - reads standard input."),
]
Answerer = Annotated[
    Literal["auto", "quotes", "openai", "local"] | None,
    typer.Option(help="Who writes the answer; default as configured."),
]
Style = Annotated[
    Literal["standard", "short", "detailed", "plain", "bullets"] | None,
    typer.Option(help="How the answer is written; plain language needs a language model."),
]
Export = Annotated[
    Path | None, typer.Option(help="Write the answer with its citations to a file: .md, .bib or .json.", metavar="FILE")
]


def main() -> None:
    """Entry point of the `paperchat` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a lone surrogate in a paper must not end the program
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="paperchat")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"paperchat {version('paperchat')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    pass


@app.command()
def ask(
    question: Question = None,
    answerer: Answerer = None,
    history: History = None,
    style: Style = None,
    batch: Batch = None,
    export: Export = None,
    json_output: Json = False,
) -> None:
    """Ask a question: the answer, and below it every cited paper's title, date and sentence."""
    from rag.batch import Asked, print_json, run_batch
    from rag.export import export_form, write_export
    from rag.show import show_answer

    _one_of(question, batch, history)
    if batch is not None and export is not None:
        raise typer.BadParameter("A batch has its own output.", param_hint="--export")
    with failures(json_output or batch is not None), _engine() as engine:
        if batch is not None:

            def one(asked: Asked) -> dict[str, Any]:
                return engine.ask(asked.question, asked.history, answerer=answerer, style=style).as_dict()

            _end(run_batch(batch, one))
            return
        if export is not None:
            export_form(export)  # a wrong name is told before anything is asked
        text, turns = question or "", _turns(history)
        answer: Answer | None
        if json_output:
            answer = engine.ask(text, turns, answerer=answerer, style=style)
            print_json(answer.as_dict())
        else:
            answer = show_answer(engine.stream(text, turns, answerer=answerer, style=style), text)
        if export is not None and answer is not None:
            write_export(answer, export)


@app.command()
def retrieve(
    question: Question = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many papers.")] = 10,
    history: History = None,
    batch: Batch = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why each paper stands where it stands; JSON always does.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Find the papers for a question, with the scores and ranks that each part of the search gave them."""
    from rag.batch import Asked, print_json, retrieval_dict, run_batch
    from rag.show import show_retrieval

    _one_of(question, batch, history)
    with failures(json_output or batch is not None), _engine() as engine:
        if batch is not None:

            def found(asked: Asked) -> dict[str, Any]:
                return retrieval_dict(asked.question, engine.retrieve(asked.question, asked.history, k=k))

            _end(run_batch(batch, found))
            return
        text = question or ""
        if explain and not json_output:
            _explain(engine, text, _turns(history), k)
            return
        retrieval = engine.retrieve(text, _turns(history), k=k)
        if json_output:
            print_json(retrieval_dict(text, retrieval))
        else:
            show_retrieval(retrieval, text)


@app.command()
def chat(answerer: Answerer = None, style: Style = None) -> None:
    """Talk in the terminal: follow-up questions know what was said. An empty line or Ctrl-D ends it."""
    from rag.answer.answer import Turn
    from rag.show import show_answer, show_error

    turns: list[Turn] = []
    with failures(False), _engine() as engine:
        while question := _read_question():
            try:
                answer = show_answer(engine.stream(question, turns, answerer=answerer, style=style), question)
            except KeyboardInterrupt:
                typer.echo("\n(stopped)", err=True)
                continue
            except PaperchatError as error:
                show_error(error)
                continue
            if answer is not None:
                turns += [Turn("user", question), Turn("assistant", answer.answer)]
            typer.echo()


@app.command()
def doctor(json_output: Json = False) -> None:
    """Check the installation, the settings, the models and the library; say what to do about each problem."""
    from rag.doctor import diagnose

    raise typer.Exit(_report(diagnose(), json_output))


app.command()(cli_serve.serve)
app.command()(cli_serve.password)
app.command()(cli_mcp.mcp)


def _explain(engine: Paperchat, question: str, turns: Sequence[Turn], k: int) -> None:
    from rag.answer.retrieve import RERANKED
    from rag.show_ranking import show_explained

    def full_text(paper_id: str) -> str:
        body = engine.library.body(paper_id)
        return body.text if body else ""

    # All that are read closely, whatever k: a final score is told against all of them.
    show_explained(engine.retrieve(question, turns, k=max(k, RERANKED)), question, k, full_text)


def _read_question() -> str:
    """One line from the person; empty at the end of input, or when they stop."""
    try:
        return input("\n> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _one_of(question: str | None, batch: Path | None, history: Path | None) -> None:
    if (question is None) == (batch is None):
        raise typer.BadParameter("Give either a question or --batch FILE.")
    if batch is not None and history is not None:
        raise typer.BadParameter("In a batch each line brings its own history.", param_hint="--history")


def _end(complete: bool) -> None:
    if not complete:
        raise typer.Exit(SOME_FAILED)


def _turns(history: Path | None) -> Sequence[Turn]:
    from rag.batch import read_history

    return read_history(history) if history else ()


@contextmanager
def _engine() -> Iterator[Paperchat]:
    from rag.answer.pipeline import Paperchat

    with closing(Paperchat(settings())) as engine:
        yield engine


def _report(checks: Any, json_output: bool) -> int:
    from rag.batch import print_json
    from rag.doctor import as_dict
    from rag.show import show_checks

    found = as_dict(checks)
    if json_output:
        print_json(found)
    else:
        show_checks(found["checks"])
    return 0 if found["ok"] else 1
