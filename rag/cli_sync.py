"""`paperchat sync` and `paperchat arxiv`: papers from the network, which nothing else of paperchat ever asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli_common import Json, failures, fillable_library, settings, status, tell_ingest

if TYPE_CHECKING:
    from rag.library.library import Library
    from rag.sync import DayRow, SyncReport

Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but failures, as cron wants it.")]
BaseUrl = Annotated[
    str | None, typer.Option(help="Ask this address instead of the configured one.", metavar="URL", show_default=False)
]


def sync(
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day.", metavar="DATE")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day; default today.", metavar="DATE")
    ] = None,
    base_url: BaseUrl = None,
    quiet: Quiet = False,
    json_output: Json = False,
) -> None:
    """Add the Daily Papers of every day since DATE. Days that are there are not asked for again."""
    from rag.fetch.client import open_client
    from rag.fetch.done import FILE
    from rag.fetch.hf_daily import FIRST_DAY, DailyPapers
    from rag.show import progress
    from rag.sync import alone, days_between, done_days
    from rag.sync import sync as sync_days

    today = datetime.now(UTC).date()
    last = min(until.date() if until else today, today)
    if since.date() > last:
        raise typer.BadParameter(f"{since.date()} is after {last}.", param_hint="--since")
    if last < FIRST_DAY:
        raise typer.BadParameter(f"There are no Daily Papers before {FIRST_DAY}.", param_hint="--until")
    with failures(json_output):
        chosen = settings(hub_url=base_url)
        hub = str(chosen.hub_url)
        with (
            alone(chosen.home),
            open_client(chosen, trusted=(hub,)) as client,
            fillable_library(chosen) as (library, embedder),
        ):
            done = done_days(library, chosen.home / FILE, hub)
            days = days_between(since.date(), last)
            with progress("Syncing days") as update:
                report = sync_days(
                    days, library, embedder, DailyPapers(client, hub), done, today=today, progress=update
                )
            _redraw(library, report.papers)
        _show_sync(report, quiet, json_output)
        raise typer.Exit(status(sum(map(_got_something, report.days)), report.failed))


def arxiv(
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="A paper's id, as 2309.12345; several by repeating.", metavar="ID")
    ] = None,
    query: Annotated[str, typer.Option(help="Words, or arXiv's own query language (ti:, au:, abs:).")] = "",
    category: Annotated[str, typer.Option(help="A category, as cs.CL.")] = "",
    most: Annotated[int, typer.Option("--max", min=1, max=10_000, help="How many papers at most.")] = 100,
    pdf: Annotated[bool, typer.Option("--pdf", help="Fetch the PDFs too, and read their full text.")] = False,
    base_url: BaseUrl = None,
    json_output: Json = False,
) -> None:
    """Add papers from arXiv: by id, or the newest of a query or a category."""
    from rag.fetch.arxiv import Arxiv, Search
    from rag.fetch.client import open_client
    from rag.from_arxiv import DOCUMENTS, add_from_arxiv
    from rag.show import progress

    if bool(ids) == bool(query.strip() or category.strip()):
        raise typer.BadParameter("Give either --id, or --query or --category or both.")
    with failures(json_output):
        chosen = settings(arxiv_url=base_url)
        search = Search(tuple(ids or ()), query, category.strip(), most)
        search.terms()  # a wrong id is told before anything is loaded
        address = str(chosen.arxiv_url)
        with open_client(chosen, trusted=(address,)) as client, fillable_library(chosen) as (library, embedder):
            folder = chosen.home / DOCUMENTS if pdf else None
            with progress("Fetching PDFs") as update:
                found = Arxiv(client, address)
                report = add_from_arxiv(search, library, embedder, found, pdfs=folder, progress=update)
            _redraw(library, [row.outcome for row in report.rows])
        raise typer.Exit(tell_ingest(report, json_output))


def _got_something(day: DayRow) -> bool:
    """Whether not all of a day failed."""
    return day.outcome != "failed" and (not day.rows or any(row.outcome != "failed" for row in day.rows))


def _redraw(library: Library, outcomes: object) -> None:
    """Draw the map of the library anew where there is something new."""
    from rag.atlas import refresh

    assert isinstance(outcomes, list | dict)
    if "added" in outcomes or "updated" in outcomes:
        refresh(library)


def _show_sync(report: SyncReport, quiet: bool, json_output: bool) -> None:
    """A line for each day with something to say, and the sum."""
    from rag.batch import print_json
    from rag.show import console, plain

    err = console(stderr=True)
    for day in report.days:
        wrong = [f"{row.item}: {row.reason}" for row in day.rows if row.outcome == "failed"]
        for reason in [day.reason, *wrong] if day.reason else wrong:
            err.print(plain(f"{day.day}: {reason}").replace("\n", " "), soft_wrap=True)
    if json_output:
        for day in report.days:
            print_json(day.as_dict())
    elif not quiet:
        console().print(summary(report), soft_wrap=True)


def summary(report: SyncReport) -> str:
    """The whole run in a line: "31 days: 3 synced, 28 known. Papers: 40 added, 2 unchanged."."""
    from collections import Counter

    days = Counter(day.outcome for day in report.days)
    line = f"{len(report.days)} day{'s' if len(report.days) != 1 else ''}"
    told = ", ".join(f"{n} {outcome}" for outcome, n in days.items())
    papers = ", ".join(f"{n} {outcome}" for outcome, n in report.papers.items())
    return f"{line}: {told}." + (f" Papers: {papers}." if papers else " No paper is new.")
