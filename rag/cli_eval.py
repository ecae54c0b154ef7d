"""`paperchat eval`: offline runs, their figures, and how far the figures can be trusted.

Each command takes its options, makes one call into `eval/`, and prints.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rag import cli_trust
from rag.cli_common import Json, failures, settings
from rag.errors import SettingsError, SourceError

app = typer.Typer(help="Measure answers: run, score, compare, gate.", no_args_is_help=True)

Answerer = Annotated[
    Literal["auto", "quotes", "openai", "local"] | None,
    typer.Option(help="Who writes the answers; default: the settings'."),
]
Run = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every resampling.")]
Page = Annotated[Path | None, typer.Option("--out", help="Write the HTML page there.")]


@app.command()
def run(
    questions: Annotated[str, typer.Option(help="dev, more, fresh, followups, or a path.")] = "dev",
    answerer: Answerer = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: a new one below PAPERCHAT_HOME.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first questions.")] = None,
    qrels: Annotated[str, typer.Option(help="Which judgements of a BEIR folder.")] = "test",
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Ask a question set and measure every answer; the same command goes on with an interrupted --out folder."""
    with failures(json_output):
        from eval.runs.run import Order
        from eval.runs.run import run as run_all
        from eval.runs.score import score as score_run
        from rag.show import progress

        order = Order(questions, qrels, answerer, out, limit, seed)
        with progress("Asking") as update:
            folder = run_all(settings(), order, update, _tell)
        _show_run(score_run(folder.path), folder.path, json_output)


@app.command()
def score(folder: Run, json_output: Json = False) -> None:
    """Compute figures, report and all other files of a run anew, from its rows alone."""
    with failures(json_output):
        from eval.runs.score import score as score_run

        _show_run(score_run(folder), folder, json_output)


@app.command()
def report(folder: Run, out: Page = None, json_output: Json = False) -> None:
    """Write a run's HTML page; it needs no other file and no network."""
    with failures(json_output):
        from eval.runs.score import report as write_page

        _wrote(write_page(folder, out), json_output)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="The run folder to compare with.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="The run folder that may be better.", metavar="B")],
    out: Page = None,
    json_output: Json = False,
) -> None:
    """Compare two runs question by question: intervals, tests, and what could have been detected."""
    with failures(json_output):
        from eval.runs.compare import compare_runs
        from rag.show_eval import put, show_comparison

        found = compare_runs(a, b, out)
        put(found, json_output, lambda: show_comparison(found, (str(a), str(b))))


@app.command()
def gate(
    folder: Run,
    baseline: Annotated[Path | None, typer.Option(help="The stored baseline; default: the bundled one.")] = None,
    policy: Annotated[Path | None, typer.Option(help="TOML with the gated metrics and margins.")] = None,
    save_baseline: Annotated[bool, typer.Option("--save-baseline", help="Store this run as --baseline.")] = False,
    json_output: Json = False,
) -> None:
    """Exit 1 when a run is worse than the baseline by more than a margin, or a deterministic metric is below 100 %."""
    with failures(json_output):
        from eval.runs import gate as gates
        from rag.show_eval import put, show_gate

        if save_baseline:
            _wrote(gates.save_baseline(folder, baseline), json_output)
            return
        try:
            found = gates.gate(folder, baseline or gates.BASELINE, policy or gates.POLICY)
        except SourceError as error:  # exit 1 says that the run is worse
            raise SettingsError(error.message, error.remedy) from None
        put(found, json_output, lambda: show_gate(found))
        if not found["ok"]:
            raise typer.Exit(1)


@app.command("import")
def import_run(
    file: Annotated[Path, typer.Argument(help="ragas records: JSONL.", metavar="FILE")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: a new one below PAPERCHAT_HOME.")] = None,
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Measure the answers of another system, from its ragas records."""
    with failures(json_output):
        from eval.runs.exchange import import_ragas
        from eval.runs.score import score as score_run

        chosen = settings()
        now = datetime.now(UTC)
        folder = import_ragas(chosen, file, out or chosen.home / "runs" / f"{now:%Y-%m-%dT%H-%M-%SZ}-{file.stem}", seed)
        _show_run(score_run(folder.path), folder.path, json_output)


@app.command()
def export(
    folder: Run,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[Literal["ragas", "trec"], typer.Option("--format", help="Which format.")] = "ragas",
    json_output: Json = False,
) -> None:
    """Write a run for other tools: ragas records, or a TREC run file."""
    with failures(json_output):
        from eval.runs.exchange import export as export_run

        export_run(folder, form, out)
        _wrote(out, json_output)


@app.command()
def retrieval(
    qrels: Annotated[Path, typer.Option(help="Judgements: TREC or BEIR.")],
    run_file: Annotated[Path, typer.Option("--run", help="A TREC run file.")],
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Score a TREC run file of any system against judgements."""
    with failures(json_output):
        from eval.metrics.retrieval_files import score_files
        from rag.show_eval import put, show_files

        found = score_files(qrels, run_file, seed=seed)
        put(found, json_output, lambda: show_files(found))


app.command("validate-metric")(cli_trust.validate_metric)
app.command("perturb")(cli_trust.perturb)
app.command("scripted")(cli_trust.scripted)
app.command("judge")(cli_trust.judge)
app.command("import-feedback")(cli_trust.import_feedback)


def _show_run(summary: dict[str, Any], folder: Path, json_output: bool) -> None:
    from rag.show_eval import put, show_run

    put({"run": str(folder), **summary}, json_output, lambda: show_run(summary, str(folder)))


def _wrote(path: Path, json_output: bool) -> None:
    from rag.show_eval import put

    put({"file": str(path)}, json_output, lambda: typer.echo(f"Wrote {path}"))


def _tell(message: str) -> None:
    typer.echo(f"paperchat: {message}", err=True)
