"""How far `paperchat eval`'s figures can be trusted: agreement with people, spoilt answers, a judge, feedback.

The commands hang on `cli_eval.app`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag.cli_common import Json, failures, settings

if TYPE_CHECKING:
    from rag.feedback import Feedback

Data = Annotated[list[Path], typer.Option("--data", help="Labelled items: JSONL; several may follow.")]
More = Annotated[list[Path] | None, typer.Argument(help="More files for --data.", metavar="FILE")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every drawing.")]
Sample = Annotated[int | None, typer.Option("--limit", min=1, help="Draw at most so many items from each file.")]


def validate_metric(data: Data, more: More = None, seed: Seed = 0, json_output: Json = False) -> None:
    """Hold the grounding score against what people found supported: AUROC and balanced accuracy by file."""
    with failures(json_output):
        from eval.trust.validate import grounders, report
        from eval.trust.validate import validate_metric as validate
        from rag.models.embedder import load_embedder
        from rag.show import progress
        from rag.show_eval import put, show_agreement

        embedder = load_embedder(settings())
        with progress("Scoring") as update:
            found = report(validate([*data, *(more or [])], grounders(embedder), seed=seed, advance=update))
        put(found, json_output, lambda: show_agreement(found))


def perturb(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Labelled items: JSONL; several may follow.")
    ] = None,
    more: More = None,
    run: Annotated[Path | None, typer.Option(help="A run folder: the bots imitate its answers too.")] = None,
    limit: Sample = None,
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Spoil supported claims and answers: the score must fall, and every bot must be told apart."""
    with failures(json_output):
        from eval.trust.spoil import spoil
        from rag.show import progress
        from rag.show_eval import put, show_spoilt

        with progress("Scoring") as update:
            found = spoil(settings(), [*(data or []), *(more or [])], run, limit, seed, update)
        put(found, json_output, lambda: show_spoilt(found))


def scripted(
    questions: Annotated[str, typer.Option(help="dev, more, or JSONL with gold sentences.")] = "dev",
    structured: Annotated[bool, typer.Option("--structured", help="The scripted model writes JSON.")] = False,
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Let a scripted model answer rightly and wrongly: right answers must pass untouched, wrong ones be caught."""
    with failures(json_output):
        from eval.questions import question_set
        from eval.trust.scripted import scripted_run, table
        from rag.answer.pipeline import Paperchat
        from rag.show import progress
        from rag.show_eval import put, show_scripted

        chosen = settings()
        with progress("Asking") as update:
            results = scripted_run(
                lambda generator: Paperchat(chosen, generator=generator),
                question_set(questions),
                seed,
                structured=structured,
                advance=update,
            )
        found = table(results)
        put(found, json_output, lambda: show_scripted(found))


def judge(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="A run folder; more files for --data.", metavar="RUN")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Labelled items: JSONL; several may follow.")
    ] = None,
    judge_with: Annotated[
        Literal["openai", "local"],
        typer.Option("--with", help="The model that judges: the settings' endpoint, or local."),
    ] = "openai",
    limit: Sample = None,
    seed: Seed = 0,
    json_output: Json = False,
) -> None:
    """Ask a language model what is supported, and with whom it agrees; verdicts are kept and never part of the gate."""
    with failures(json_output):
        from eval.judging.session import judge_all
        from rag.show import progress
        from rag.show_eval import put, show_judged

        files = [*(data or []), *(path for path in paths or [] if path.is_file())]
        folders = [path for path in paths or [] if not path.is_file()]
        if len(folders) > 1:
            raise typer.BadParameter("Give one run folder.", param_hint="RUN")
        with progress("Judging") as update:
            found = judge_all(settings(), judge_with, folders[0] if folders else None, files, limit, seed, update)
        put(found, json_output, lambda: show_judged(found))


def import_feedback(
    out: Annotated[Path | None, typer.Option(help="The question set; default: in PAPERCHAT_HOME.")] = None,
    yes: Annotated[list[str] | None, typer.Option("--yes", help="Confirm this row; several may follow.")] = None,
    more: Annotated[list[str] | None, typer.Argument(help="More rows for --yes.", metavar="ID")] = None,
    json_output: Json = False,
) -> None:
    """Make questions of what people judged in the browser, row by row as you confirm."""
    with failures(json_output):
        from eval.feedback import check_confirmed
        from eval.feedback import import_feedback as import_confirmed
        from rag.feedback import FEEDBACK
        from rag.show_eval import put

        home = settings().home
        file, ids = out or home / "questions_feedback.jsonl", {*(yes or []), *(more or [])}
        check_confirmed(home / FEEDBACK, ids)

        def confirm(entry: Feedback) -> bool:
            return entry.id in ids if ids or json_output else _confirmed(entry)

        found: dict[str, Any] = {"file": str(file), "added": import_confirmed(home / FEEDBACK, file, confirm)}
        none = "" if (home / FEEDBACK).is_file() else ". No judgements yet: they come from the buttons under an answer."
        put(found, json_output, lambda: typer.echo(f"{found['added']} questions added to {file}{none}"))


def _confirmed(entry: Feedback) -> bool:
    from eval.feedback import described
    from rag.show import plain

    typer.echo(plain(described(entry)))
    return typer.confirm("Make a question of this?")
