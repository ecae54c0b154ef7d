"""Ask every question of a set, measure every answer, and keep each row the moment it is there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eval.questions import GoldQuestion, question_path, question_set
from eval.rows import Fault, Row
from eval.runs.folder import RunFolder
from eval.runs.manifest import manifest_of
from eval.runs.measure import Measurer
from rag.answer.alignment import Idf
from rag.answer.pipeline import Paperchat
from rag.errors import EndpointError, PaperchatError, QuestionError
from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder
from rag.papers import normalised_title
from rag.settings import AnswererName, Settings

GIVE_UP = 3  # endpoint failures in a row after which the run is not worth going on

Ask = Callable[[GoldQuestion], Row]
Progress = Callable[[int, int], None]
Tell = Callable[[str], None]


class Interrupted(PaperchatError):
    """The run was stopped with Ctrl-C; the rows so far are kept."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: `questions` is a bundled set's name or a path, `qrels` the judgements of a BEIR folder.

    `out` None is a new folder below the settings' `home`.
    """

    questions: str = "dev"
    qrels: str = "test"
    answerer: AnswererName | None = None
    out: Path | None = None
    limit: int | None = None
    seed: int = 0


def run(settings: Settings, order: Order, progress: Progress, tell: Tell) -> RunFolder:
    """Run, or go on with, one question set; the folder then holds a row for every question.

    `tell` gets what a person should know: that a run goes on, that a torn line was dropped.

    Raises:
        SettingsError: the folder holds another run, or another process writes it.
        Interrupted: Ctrl-C; says how to go on.
        PaperchatError: a failure that no question could escape (no library, no model, no endpoint).
    """
    source, every = question_path(order.questions), question_set(order.questions, order.qrels)
    questions = every[: order.limit]
    kind = order.answerer or settings.effective_answerer
    now = datetime.now(UTC).replace(microsecond=0)
    folder = RunFolder(order.out or settings.home / "runs" / f"{now:%Y-%m-%dT%H-%M-%SZ}-{kind}")
    begun = folder.begun()
    day = (begun.created if begun else now).date()  # "last month" means the same when a run goes on
    embedder = load_embedder(settings)
    with closing(Paperchat(settings, embedder=embedder, clock=lambda: day)) as engine:
        wanted = manifest_of(engine, embedder, kind, source, every, len(questions), order.seed, now)
        _tell_strangers(engine, questions, tell)
        with folder.locked():
            manifest = folder.begin(wanted)
            left = _left(folder, questions, tell)
            if left:
                before, total = len(questions) - len(left), len(questions)
                progress(before, total)
                with _stoppable(folder, order, total, tell):
                    _warm(engine, left[0], kind)
                    ask = _asking(engine, embedder, kind)
                    answer_all(folder, left, ask, lambda done: progress(before + done, total))
            folder.write_manifest(manifest.model_copy(update={"finished": True}))
    return folder


def answer_all(folder: RunFolder, questions: Sequence[GoldQuestion], ask: Ask, update: Callable[[int], None]) -> None:
    """Ask one after the other and append each row; a failing endpoint makes a row with its fault.

    Raises:
        EndpointError: three questions in a row failed; none of their rows is kept, so that they are asked again.
    """
    down: list[Row] = []  # until a question gets through, the endpoint may be down altogether
    for number, gold in enumerate(questions, 1):
        try:
            row = ask(gold)
        except EndpointError as error:
            down.append(_failed(gold, error))
            if len(down) == GIVE_UP:
                raise
            continue
        except QuestionError as error:
            row = _failed(gold, error)
        folder.append([*down, row])
        down = []
        update(number)
    folder.append(down)


def _failed(gold: GoldQuestion, error: PaperchatError) -> Row:
    return Row(gold=gold, fault=Fault(type=type(error).__name__, message=error.message, remedy=error.remedy))


def _left(folder: RunFolder, questions: Sequence[GoldQuestion], tell: Tell) -> list[GoldQuestion]:
    """The questions that have no row yet."""
    if folder.drop_torn_line():
        tell("The last row was not written to its end; its question is asked again.")
    done = {row.gold.qid for row in folder.rows()}
    left = [gold for gold in questions if gold.qid not in done]
    if done:
        tell(f"{folder.path} holds {len(done)} of {len(questions)} answers; {len(left)} questions are left.")
    return left


@contextmanager
def _stoppable(folder: RunFolder, order: Order, total: int, tell: Tell) -> Iterator[None]:
    """Whoever stops a run, a person or an endpoint that fails, is told how to go on; Ctrl-C becomes an error."""
    try:
        yield
    except EndpointError:
        tell(f"{len(folder.rows())} of {total} answers are kept. Go on with: {_command(order, folder.path)}")
        raise
    except KeyboardInterrupt:
        message = f"Stopped after {len(folder.rows())} of {total} questions."
        raise Interrupted(message, f"Go on with: {_command(order, folder.path)}") from None


def _asking(engine: Paperchat, embedder: Embedder, kind: AnswererName) -> Ask:
    idf = Idf(engine.library.document_frequencies, engine.library.n_documents)
    measurer = Measurer(idf, embedder)

    def ask(gold: GoldQuestion) -> Row:
        return measurer.row(gold, engine.ask(gold.question, gold.history, answerer=kind))

    return ask


def _tell_strangers(engine: Paperchat, questions: Sequence[GoldQuestion], tell: Tell) -> None:
    """Say how many gold papers the library lacks: their questions can only fail."""
    titles = {title for gold in questions if gold.answerable for title in gold.gold_titles}
    known = engine.library.papers_titled([normalised_title(title) for title in titles])
    strangers = sorted(title for title in titles if normalised_title(title) not in known)
    if strangers:
        tell(f"The library lacks {len(strangers)} of {len(titles)} gold papers, “{strangers[0]}” for one.")


def _warm(engine: Paperchat, gold: GoldQuestion, kind: AnswererName) -> None:
    """Load all models before the clock runs; an endpoint is not asked for that."""
    with suppress(QuestionError):  # it will be a row with that fault
        engine.ask(gold.question, gold.history, answerer=kind if kind == "local" else "quotes")


def _command(order: Order, folder: Path) -> str:
    words = ["paperchat", "eval", "run", "--questions", order.questions, "--out", str(folder)]
    words += ["--qrels", order.qrels] if order.qrels != "test" else []
    words += ["--answerer", order.answerer] if order.answerer else []
    words += ["--limit", str(order.limit)] if order.limit is not None else []
    words += ["--seed", str(order.seed)] if order.seed else []
    return shlex.join(words)
