"""What people see in the terminal. Text from papers is shown as it is and never interpreted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from rag.answer.answer import Answer, Citation, Event, Finished, Searched, TextDelta
from rag.answer.explained import level_in_words
from rag.errors import PaperchatError
from rag.papers import Paper

if TYPE_CHECKING:
    from rag.answer.retrieve import Retrieval
    from rag.ingest import IngestReport, IngestRow

# Control characters could move the cursor or retitle the window, direction marks could reorder a line.
_HARMFUL = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


OUTCOMES = ("added", "updated", "unchanged", "merged", "blocked", "failed")
SHOWN = ("dense", "words", "fused", "rerank")  # scores beside a paper; --explain tells all
MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("error", "bold red")}


def plain(text: str) -> str:
    """The same text with every character that could steer a terminal made visible instead."""
    return text.translate(_HARMFUL)


def console(*, stderr: bool = False) -> Console:
    """A console that neither interprets markup nor colours numbers."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_error(error: PaperchatError) -> None:
    """One line on stderr: what happened and what to do."""
    console(stderr=True).print(Text(plain(f"paperchat: {error}").replace("\n", " ")), soft_wrap=True)


def show_answer(events: Generator[Event, None, None] | Iterator[Event], question: str) -> Answer | None:
    """Print an answer as it streams, then its evidence; None when the stream ends before the answer does."""
    out, err = console(), console(stderr=True)
    answer = None
    with closing(events) if isinstance(events, Generator) else nullcontext():
        with err.status("Searching the papers") if err.is_terminal else nullcontext():
            first = next(events, None)
        while first is not None:
            if isinstance(first, Searched):
                _show_search(out, question, first)
            elif isinstance(first, TextDelta):
                out.print(Text(plain(first.text)), end="", soft_wrap=True)
            elif isinstance(first, Finished):
                answer = first.answer
            first = next(events, None)
    if answer is not None:
        _show_evidence(out, answer)
    return answer


def _show_search(out: Console, question: str, searched: Searched) -> None:
    if searched.query_used != question:
        _note(out, f"Searched for: {searched.query_used}")
    if searched.filters:
        _note(out, f"Only papers {searched.filters.in_words()}")


def _show_evidence(out: Console, answer: Answer) -> None:
    out.print()
    why = "" if answer.reason in answer.answer else answer.reason
    _note(out, " ".join(part for part in (f"{level_in_words(answer)}.", why, answer.route) if part))
    for sentence in answer.sentences:
        if not sentence.supported:
            _note(out, f"Not supported by its source: {sentence.text} {sentence.note}".rstrip())
    for n, cited in groupby(sorted(answer.citations, key=_marker), key=_marker):
        citations = list(cited)
        out.print()
        _line(out, Text.assemble((f"[{n}] ", "bold cyan"), heading(citations[0].paper)))
        for citation in citations:
            where = f" ({citation.where})" if citation.where else ""
            _line(out, Text.assemble((f"“{one_line(citation.quote)}”", "italic"), where), indent=4)
    missing = [paper for paper in answer.nearest if paper.title not in answer.answer]
    if answer.refused and missing:
        out.print("\nNearest papers:")
        for paper in missing:
            _line(out, Text.assemble("- ", heading(paper)), indent=2)


def show_retrieval(found: Retrieval, question: str) -> None:
    """The papers found, best first, each with the scores that `SHOWN` names and its ranks by them."""
    out = console()
    if found.query_used != question:
        _note(out, f"Searched for: {found.query_used}")
    if found.filters:
        _note(out, f"Only papers {found.filters.in_words()}")
    if not found.papers:
        out.print("No paper was found.")
    for ranked in found.papers:
        _line(out, Text.assemble((f"{ranked.rank:3}. ", "bold cyan"), heading(ranked.paper)))
        scores = "  ".join(_score(name, ranked.scores) for name in SHOWN if name in ranked.scores)
        _line(out, Text(f"{ranked.score:.4f}  {scores}", style="dim"), indent=5)


def _score(name: str, scores: Mapping[str, float]) -> str:
    rank = scores.get(f"{name}_rank")
    return f"{name} {scores[name]:.3g}" + ("" if rank is None else f" (rank {rank:.0f})")


def show_ingest(report: IngestReport) -> None:
    """How many papers had which outcome, and every row that a person should look at."""
    out = console()
    counts = Counter[str](row.outcome for row in report.rows)
    for row in report.rows:
        if row.reason and row.outcome != "merged":
            _line(out, Text(plain(f"{row.outcome}: {_reason(row)}").replace("\n", " ")))
    out.print(
        ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]) or "Nothing to read."
    )


def _reason(row: IngestRow) -> str:
    """Why, with the file and the item, each named once."""
    if row.reason.startswith(row.item):
        return row.reason
    if Path(row.item).name != row.source:
        return f"{row.source}: {row.item}: {row.reason}"
    # A file, of which the reason may know the name alone.
    known = row.reason.startswith(row.source)
    return row.item + (row.reason.removeprefix(row.source) if known else f": {row.reason}")


def show_warnings(report: IngestReport) -> None:
    """What was odd about the files, on stderr: file, line and what it is. Told once, not at each unchanged run."""
    err = console(stderr=True)
    fresh = {row.source for row in report.rows if row.outcome not in ("unchanged", "failed")}
    known = {row.source for row in report.rows if row.outcome == "unchanged"} - fresh
    for warning in report.warnings:
        if warning.source not in known:
            place = warning.source if warning.line is None else f"{warning.source}:{warning.line}"
            _line(err, Text(plain(f"warning: {place}: {warning.message}").replace("\n", " ")))


def show_stats(stats: Mapping[str, Any]) -> None:
    """What the library holds, a line for each count."""
    for name, value in stats.items():
        _line(console(), Text.assemble((f"{name:<12}", "dim"), plain(str(value))))


def show_checks(checks: Iterable[Mapping[str, Any]]) -> None:
    """A line for each check (`name`, `severity`, `message`, `remedy`), problems with what to do."""
    out = console()
    for check in checks:
        mark, style = MARKS[check["severity"]]
        _line(out, Text.assemble((f"{mark:<8}", style), f"{check['name']}: ", plain(check["message"])))
        if check["remedy"]:
            _line(out, Text(plain(check["remedy"]), style="dim"), indent=8)


def _marker(citation: Citation) -> int:
    return citation.n


def heading(paper: Paper) -> Text:
    """A paper's title and date."""
    return Text.assemble((one_line(paper.title), "bold"), f" ({paper.dated or 'undated'})")


def one_line(text: str) -> str:
    """`plain` text without line breaks."""
    return " ".join(plain(text).split())


def _note(out: Console, text: str) -> None:
    _line(out, Text(plain(text), style="dim"))


def _line(out: Console, text: Text, indent: int = 0) -> None:
    """Wrapped in a terminal; left whole in a pipe, where the next program wants its lines whole."""
    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, indent)))
    else:
        out.print(Text.assemble(" " * indent, text), soft_wrap=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the rate and the time left, in a terminal only; gives `update(done, total)`."""
    err = console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(label, total=None, rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.1f}/s" if speed else "")

        yield update
