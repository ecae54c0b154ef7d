"""Days of Daily Papers and papers of arXiv come into the library once, whole, and also after whatever went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from library_helpers import HashEmbedder
from replay_server import (
    FakeClock,
    ReplayServer,
    Reply,
    Script,
    arxiv_error,
    as_json,
    daily_paper,
    entry,
    feed,
    redirect,
    replay,
)
from typer.testing import CliRunner

from rag import cli_sync, from_arxiv
from rag.errors import (
    FetchBusyError,
    FetchError,
    FetchUnreachableError,
    LibraryLockedError,
    SourceError,
)
from rag.fetch.addresses import Gate
from rag.fetch.arxiv import Arxiv, Search, checked_id
from rag.fetch.client import Limits, PoliteClient
from rag.fetch.done import FILE
from rag.fetch.hf_daily import FIRST_DAY, DailyPapers
from rag.fetch.transport import CheckedTransport
from rag.from_arxiv import add_from_arxiv
from rag.ingest import MEND, library_fingerprint
from rag.library.library import Library
from rag.readers import Raw, SourceReading, arxiv_atom
from rag.sync import SyncReport, alone, days_between, done_days, sync

TODAY = date(2024, 5, 10)
DAILY = "/api/daily_papers"
MAY = [date(2024, 5, day) for day in range(1, 6)]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with replay() as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, server: ReplayServer) -> PoliteClient:
    gate = Gate(trusted=frozenset({("127.0.0.1", server.port)}))
    return PoliteClient(
        CheckedTransport(gate, total_s=20), tmp_path / "fetch", clock=FakeClock(), limits=Limits(patience_s=20)
    )


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def library(tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    opened = Library.open(tmp_path / "library", library_fingerprint(embedder))
    yield opened
    opened.close()


Run = Callable[..., SyncReport]


@pytest.fixture
def run(tmp_path: Path, server: ReplayServer, client: PoliteClient, library: Library, embedder: HashEmbedder) -> Run:
    """One run, as the command makes it: the days done are read from the file each time."""

    def once(days: Sequence[date] = MAY, *, today: date = TODAY, into: Library = library, **more: object) -> SyncReport:
        done = done_days(into, tmp_path / FILE, server.url)
        return sync(days, into, embedder, DailyPapers(client, server.url), done, today=today, **more)  # type: ignore[arg-type]

    return once


def by_day(days: dict[int, Script]) -> Script:
    """A hub that lists papers on some days of May, each day under its own ETag."""

    def answer(query: dict[str, str]) -> Reply:
        day = days.get(int(query["date"][-2:]), as_json([]))
        return day(query) if callable(day) else day

    return answer


def two_papers(day: int, upvotes: int = 3) -> Reply:
    papers = [daily_paper(10 * day + n, f"2024-05-{day:02d}", upvotes) for n in range(2)]
    return as_json(papers, etag=f'"{day}-{upvotes}"')


def asked_days(server: ReplayServer) -> list[int]:
    return [int(request.query["date"][-2:]) for request in server.requests]


def outcomes(report: SyncReport) -> list[str]:
    return [day.outcome for day in report.days]


# Days of Daily Papers


def test_the_papers_of_every_day_come_into_the_library_with_what_the_hub_says_of_them(
    run: Run, server: ReplayServer, library: Library
) -> None:
    server.routes[DAILY] = by_day({1: two_papers(1), 3: two_papers(3)})
    report = run()
    assert outcomes(report) == ["synced", "empty", "synced", "empty", "empty"]
    assert report.papers == {"added": 4}
    assert server.requests[0].query == {"date": "2024-05-01", "limit": "100"}
    paper = next(paper for paper in library.find() if paper.arxiv_id == "2405.00030")
    assert paper.title == "Paper number 30 about speech"
    assert paper.published == date(2024, 5, 3)
    assert (paper.authors, paper.organisation) == (("Ada 30", "Bo Bell"), "Acme")
    assert (paper.upvotes, paper.comments) == (3, 2)
    assert "robot number30" in paper.abstract
    assert library.verify().ok


def test_a_second_run_asks_for_nothing_and_changes_nothing(
    run: Run, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    server.routes[DAILY] = by_day({1: two_papers(1)})
    run()
    before, encoded = library.generation, embedder.encoded_texts
    server.requests.clear()
    assert outcomes(run()) == ["known"] * 5
    assert not server.requests
    assert (library.generation, embedder.encoded_texts) == (before, encoded)


def test_the_last_two_days_are_asked_for_again_but_only_for_what_changed(
    run: Run, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    state = {"upvotes": 3}

    def day_five(query: dict[str, str]) -> Reply:
        reply = two_papers(5, state["upvotes"])
        same = server.requests[-1].headers.get("if-none-match") == reply.headers["etag"]
        return Reply(status=304) if same else reply

    server.routes[DAILY] = by_day({4: two_papers(4), 5: day_five})
    assert outcomes(run(today=MAY[-1])) == ["empty", "empty", "empty", "synced", "synced"]
    server.requests.clear()
    encoded = embedder.encoded_texts
    assert outcomes(run(today=MAY[-1])) == ["known", "known", "known", "synced", "unchanged"]
    assert asked_days(server) == [4, 5]
    state["upvotes"] = 99
    assert run(today=MAY[-1]).papers == {"unchanged": 2, "updated": 2}
    assert {paper.upvotes for paper in library.find()} == {3, 99}
    assert embedder.encoded_texts == encoded


def test_a_day_that_was_young_when_asked_is_asked_again_however_much_later(run: Run, server: ReplayServer) -> None:
    server.routes[DAILY] = by_day({5: two_papers(5)})
    run(today=MAY[-1] + timedelta(days=1))
    server.routes[DAILY] = by_day({5: as_json([daily_paper(n) for n in range(50, 54)])})
    report = run(today=MAY[-1] + timedelta(days=30))
    assert report.days[-1].outcome == "synced"
    assert report.papers["added"] == 2
    assert outcomes(run(today=MAY[-1] + timedelta(days=30))) == ["known"] * 5


BAD = (
    Reply(status=500),
    Reply(status=404),
    Reply(b"<html>maintenance</html>", headers={"content-type": "text/html"}),
    Reply(json.dumps([daily_paper(1)]).encode()[:-40]),
    Reply(json.dumps([daily_paper(1)]).encode(), length=10_000),
    as_json({"error": "no such date"}),
    as_json([{"something": "else"}]),
    redirect("http://10.0.0.1/"),
)


def test_a_day_that_fails_is_named_and_the_others_come_and_the_next_run_asks_only_for_it(
    run: Run, server: ReplayServer, library: Library
) -> None:
    days = [MAY[0] + timedelta(days=n) for n in range(2 * len(BAD))]
    bad = {2 * n + 2: reply for n, reply in enumerate(BAD)}
    server.routes[DAILY] = by_day({day: bad.get(day) or two_papers(day) for day in range(1, len(days) + 1)})
    report = run(days, today=days[-1] + timedelta(days=9))
    assert outcomes(report) == ["synced", "failed"] * len(BAD)
    assert all(day.reason for day in report.days[1::2])
    assert report.failed == len(BAD)
    assert len(library.find()) == 2 * len(BAD)
    server.routes[DAILY] = by_day({})
    server.requests.clear()
    assert outcomes(run(days, today=days[-1] + timedelta(days=9))) == ["known", "empty"] * len(BAD)
    assert asked_days(server) == list(bad)


def test_a_listing_without_a_title_costs_neither_its_neighbours_nor_the_day(
    run: Run, server: ReplayServer, library: Library
) -> None:
    broken = daily_paper(2)
    broken["paper"]["title"] = broken["title"] = ""
    server.routes[DAILY] = by_day({1: as_json([daily_paper(1), broken, daily_paper(3)])})
    report = run()
    assert report.days[0].outcome == "synced"
    assert len(library.find()) == 2
    assert report.days[0].rows[-1].outcome == "failed"
    assert "without a title" in report.days[0].rows[-1].reason
    assert report.failed == 1


def test_after_an_interruption_the_next_run_goes_on_from_the_last_day(
    run: Run, server: ReplayServer, library: Library
) -> None:
    server.routes[DAILY] = by_day({day: two_papers(day) for day in range(1, 6)})

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    server.requests.clear()
    assert outcomes(run()) == ["known", "known", "known", "synced", "synced"]
    assert asked_days(server) == [4, 5]
    assert len(library.find()) == 10


def test_a_day_stored_but_not_noted_is_asked_again_and_nothing_is_twice(
    run: Run, server: ReplayServer, library: Library, tmp_path: Path
) -> None:
    server.routes[DAILY] = by_day({1: two_papers(1)})
    run()
    (tmp_path / FILE).unlink()
    report = run()
    assert report.papers == {"unchanged": 2}
    assert len(library.find()) == 2


def test_days_that_a_new_or_restored_library_lacks_are_asked_for_again(
    run: Run, server: ReplayServer, tmp_path: Path, embedder: HashEmbedder
) -> None:
    server.routes[DAILY] = by_day({1: two_papers(1)})
    run()
    server.requests.clear()
    empty = Library.open(tmp_path / "another", library_fingerprint(embedder))
    try:
        assert run(into=empty).papers == {"added": 2}
        assert "if-none-match" not in server.requests[0].headers
    finally:
        empty.close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hub": 1, "days": {"x": {}}}', '{"hub": "x", "days": 3}', "\x00"])
def test_a_broken_note_of_days_costs_only_asking_again(
    text: str, run: Run, server: ReplayServer, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    server.routes[DAILY] = by_day({1: two_papers(1)})
    assert outcomes(run())[0] == "synced"
    assert outcomes(run()) == ["known"] * 5


def test_a_day_with_more_papers_than_a_page_is_read_to_its_end(
    run: Run, server: ReplayServer, library: Library
) -> None:
    papers = [daily_paper(n, title=f"Paper {n} on topic {n * n}") for n in range(230)]

    def page(query: dict[str, str]) -> Reply:
        start = int(query.get("p", "0")) * int(query["limit"])
        return as_json(papers[start : start + 100], etag='"x"')

    server.routes[DAILY] = by_day({1: page})
    assert run(MAY[:1]).papers == {"added": 230}
    assert [request.query.get("p") for request in server.requests] == [None, "1", "2"]
    run(MAY[:1], today=MAY[0])
    assert len(library.find()) == 230


def test_a_hub_that_is_not_there_is_one_error_and_a_hub_that_is_busy_is_left_alone(
    run: Run, server: ReplayServer, client: PoliteClient, library: Library, embedder: HashEmbedder, tmp_path: Path
) -> None:
    server.routes[DAILY] = Reply(status=429, headers={"retry-after": "9999"})
    with pytest.raises(FetchBusyError, match="Try again in 9999 s"):
        run()
    assert len(server.requests) == 3
    server.routes[DAILY] = [as_json([]), Reply(status=429, headers={"retry-after": "9999"})]
    report = run([MAY[0] + timedelta(days=n) for n in range(8)])
    assert outcomes(report) == ["empty"] + ["failed"] * 7
    assert len(server.requests) == 3 + 4
    server.stop()
    with pytest.raises(FetchUnreachableError, match="network"):
        run(MAY[1:])


def test_only_one_sync_runs_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(LibraryLockedError, match="Another"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_there_are_no_days_before_the_first() -> None:
    assert days_between(date(1999, 1, 1), FIRST_DAY) == [FIRST_DAY]
    assert days_between(MAY[0], MAY[-1]) == MAY
    assert days_between(date(1999, 1, 1), date(2000, 1, 1)) == []


# The commands


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, embedder: HashEmbedder) -> Callable[..., tuple[int, str, str]]:
    import typer

    monkeypatch.setattr("rag.models.embedder.load_embedder", lambda _: embedder)
    monkeypatch.setattr("rag.fetch.pacing.PAUSE_S", 0.0)
    app = typer.Typer()
    app.command()(cli_sync.sync)
    app.command()(cli_sync.arxiv)

    def call(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.stdout, result.stderr

    return call


def test_the_sync_command_ends_with_a_status_for_all_some_and_none(
    command: Callable[..., tuple[int, str, str]], server: ReplayServer
) -> None:
    server.routes[DAILY] = by_day({1: two_papers(1), 2: as_json({"error": "no"})})
    days = ("--since", "2024-05-01", "--until", "2024-05-03", "--base-url", server.url)
    status, out, err = command("sync", *days)
    assert status == 3
    assert "3 days: 1 synced, 1 failed, 1 empty. Papers: 2 added." in out
    assert "2024-05-02" in err
    server.routes[DAILY] = by_day({2: two_papers(2)})
    assert command("sync", *days, "--quiet") == (0, "", "")
    status, out, _ = command("sync", *days, "--json")
    assert status == 0
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["known"] * 3
    server.routes[DAILY] = as_json({"error": "no"})
    assert command("sync", "--since", "2024-06-01", "--until", "2024-06-02", "--base-url", server.url)[0] == 1


def test_a_day_with_a_listing_that_is_no_paper_ends_with_3_however_few_days_there_are(
    command: Callable[..., tuple[int, str, str]], server: ReplayServer
) -> None:
    broken = daily_paper(2)
    broken["paper"]["title"] = broken["title"] = ""
    server.routes[DAILY] = by_day({1: as_json([daily_paper(1), broken])})
    days = ("--since", "2024-05-01", "--until", "2024-05-01", "--base-url", server.url)
    status, out, err = command("sync", *days)
    assert status == 3
    assert "1 added, 1 failed" in out
    assert "2024-05-01: line 1: A record without a title" in err
    assert MEND not in err
    assert command("sync", *days)[0] == 0  # a settled day is not asked for again
    server.routes[DAILY] = by_day({2: as_json([broken])})
    days = ("--since", "2024-05-02", "--until", "2024-05-02", "--base-url", server.url)
    assert command("sync", *days)[0] == 1


def test_the_sync_command_says_when_there_is_no_network(
    command: Callable[..., tuple[int, str, str]], server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.fetch.client.FIRST_WAIT_S", 0.0)
    url = server.url
    server.stop()
    status, _, err = command("sync", "--since", "2024-05-01", "--until", "2024-05-02", "--base-url", url)
    assert status == 7
    assert "network is reachable" in err


@pytest.mark.parametrize(
    "arguments", [("sync", "--since", "yesterday"), ("sync", "--since", "2999-01-01"), ("sync",), ("arxiv",)]
)
def test_wrong_options_are_refused_before_anything_is_asked(
    arguments: tuple[str, ...], command: Callable[..., tuple[int, str, str]]
) -> None:
    assert command(*arguments)[0] == 2


def test_a_period_before_the_first_daily_papers_is_told_as_such(command: Callable[..., tuple[int, str, str]]) -> None:
    status, _, err = command("sync", "--since", "2021-01-01", "--until", "2023-05-03")
    assert status == 2
    assert "no Daily Papers before" in " ".join(err.split())
    assert str(FIRST_DAY) in err


def test_the_arxiv_command_adds_papers(command: Callable[..., tuple[int, str, str]], server: ReplayServer) -> None:
    server.routes["/api/query"] = feed([entry(1), entry(2)])
    status, out, _ = command("arxiv", "--category", "cs.CL", "--max", "2", "--base-url", server.url)
    assert (status, out.strip()) == (0, "2 added")
    status, out, _ = command("arxiv", "--id", "2405.00001", "--id", "2405.99999", "--base-url", server.url)
    assert status == 3
    assert "2405.99999" in out
    assert command("arxiv", "--id", "nonsense", "--base-url", server.url)[0] == 7
    nameless = re.sub(r"<title>[^<]*</title>", "<title/>", entry(4))
    server.routes["/api/query"] = feed([entry(3), nameless])
    status, out, _ = command("arxiv", "--category", "cs.CL", "--max", "2", "--base-url", server.url)
    assert status == 3
    assert "An entry without a title was left out" in out
    assert MEND not in out
    assert "1 added, 1 failed" in out


# arXiv


def test_an_arxiv_feed_is_read_as_its_manual_says() -> None:
    feed_bytes = feed([entry(7), entry(8, title="")]).body
    assert arxiv_atom.recognises(Raw("x", feed_bytes))
    entries, problems = arxiv_atom.read(Raw("x.xml", feed_bytes), today=TODAY)
    (one,) = entries
    assert one.paper.title == "Title 7 on two lines & more"
    assert one.paper.abstract == "We show $a < b$ for number7. It holds."
    assert one.paper.authors == ("Ada Lovelace", "Bo Bell")
    assert (one.paper.n_authors, one.paper.published) == (2, date(2024, 5, 3))
    assert (one.paper.arxiv_id, one.paper.doi) == ("2405.00007", "10.1000/xyz.7")
    assert one.paper.url == "https://arxiv.org/abs/2405.00007"
    assert feed_bytes.decode().splitlines()[one.line - 1].startswith("<entry>")
    assert "without a title" in problems[0].message


@pytest.mark.parametrize("day", ["", "soon", "2024-02-31T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_senseless_date_is_none(day: str) -> None:
    body = feed([entry(1)]).body.replace(b"2024-05-03T17:59:59Z", day.encode())
    assert arxiv_atom.read(Raw("x.xml", body), today=TODAY)[0][0].paper.published is None


def test_a_cut_off_arxiv_feed_keeps_the_entries_before_the_cut() -> None:
    body = feed([entry(n) for n in range(5)]).body
    for cut in range(len(body) - 8, len(body) // 2, -97):
        entries, problems = arxiv_atom.read(Raw("x.xml", body[:cut]), today=TODAY)
        assert len(entries) == body[:cut].count(b"</entry>")
        assert "cut off or damaged" in problems[-1].message


def test_entities_and_depth_in_a_feed_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden", encoding="utf-8")
    doctype = f'<!DOCTYPE feed [<!ENTITY a SYSTEM "file://{tmp_path}/secret"><!ENTITY b "{"lol" * 99}">]>\n<feed'
    body = feed([entry(1, title="T &a;" + "&b;" * 99)]).body.replace(b"<feed", doctype.encode(), 1)
    read = arxiv_atom.read(Raw("x.xml", body), today=TODAY)
    assert "hidden" not in str(read)
    assert len(str(read)) < 3000
    deep = feed(["<a>" * 100_000]).body
    assert arxiv_atom.read(Raw("x.xml", deep), today=TODAY)[0] == []


def test_what_only_looks_like_a_feed_is_none() -> None:
    for data in (b"", b"<feed/>", b'{"feed": 1}', b"%PDF-1.4", b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>'):
        assert not arxiv_atom.recognises(Raw("x.xml", data))


@pytest.mark.parametrize(
    ("search", "terms"),
    [
        (Search(ids=("2405.00001", "hep-th/9901001v2")), {"id_list": "2405.00001,hep-th/9901001v2"}),
        (Search(query="speech models"), {"search_query": "all:speech AND all:models"}),
        (Search(query="au:bell AND ti:speech"), {"search_query": "au:bell AND ti:speech"}),
        (Search(category="cs.CL"), {"search_query": "cat:cs.CL"}),
        (Search(query="speech", category="cs.CL"), {"search_query": "(all:speech) AND (cat:cs.CL)"}),
    ],
)
def test_a_search_is_put_as_arxiv_wants_it(search: Search, terms: dict[str, str]) -> None:
    assert search.terms().items() >= terms.items()


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("arXiv:2405.00001v3", "2405.00001v3"),
        ("https://arxiv.org/abs/2405.00001", "2405.00001"),
        ("https://arxiv.org/pdf/2405.00001v2.pdf", "2405.00001v2"),
        (" math.GT/0309136 ", "math.GT/0309136"),
    ],
)
def test_an_arxiv_id_is_found_in_what_people_paste(text: str, bare: str) -> None:
    assert checked_id(text) == bare


@pytest.mark.parametrize("text", ["", "2405", "../../etc/passwd", "2405.00001/x", "2405.00001,2405.00002", "x" * 999])
def test_what_is_no_arxiv_id_is_refused(text: str) -> None:
    with pytest.raises(FetchError, match="no arXiv id"):
        checked_id(text)


@pytest.fixture
def arxiv(client: PoliteClient, server: ReplayServer) -> Arxiv:
    return Arxiv(client, server.url, today=TODAY)


def test_a_long_result_is_asked_for_page_by_page(
    arxiv: Arxiv, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    def page(query: dict[str, str]) -> Reply:
        start, size = int(query["start"]), int(query["max_results"])
        return feed([entry(n, title=f"Title {n} {n * n}") for n in range(start, min(start + size, 130))], total=130)

    server.routes["/api/query"] = page
    report = add_from_arxiv(Search(category="cs.CL", most=500), library, embedder, arxiv)
    assert len(report.rows) == len(library.find()) == 130
    assert [request.query["start"] for request in server.requests] == ["0", "100"]
    add_from_arxiv(Search(category="cs.CL", most=7), library, embedder, arxiv)
    assert server.requests[-1].query["max_results"] == "7"


@pytest.mark.parametrize("bad", [feed([], total=9), Reply(feed([entry(1)]).body[:-30]), Reply(b"<html>busy</html>")])
def test_an_empty_or_broken_page_is_asked_for_again(
    bad: Reply, arxiv: Arxiv, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    server.routes["/api/query"] = [bad, bad, feed([entry(1)])]
    assert [row.outcome for row in add_from_arxiv(Search(query="x"), library, embedder, arxiv).rows] == ["added"]


def test_what_arxiv_says_is_wrong_is_told(
    arxiv: Arxiv, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    server.routes["/api/query"] = arxiv_error("incorrect query <x>")
    with pytest.raises(SourceError, match="incorrect query <x>"):
        add_from_arxiv(Search(query="x"), library, embedder, arxiv)
    assert len(server.requests) == 1


def _a_document(path: Path, **_: object) -> SourceReading:
    """What a reader of PDFs makes of one whose text shows no arXiv id."""
    read, _problems = arxiv_atom.read(Raw(path.name, feed([entry(1)]).body), today=TODAY)
    return SourceReading(path.name, path.name, (replace(read[0], paper=replace(read[0].paper, arxiv_id=None)),), ())


def test_a_pdf_is_fetched_once_a_version_and_ingested_under_its_id(
    arxiv: Arxiv,
    server: ReplayServer,
    library: Library,
    embedder: HashEmbedder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(from_arxiv, "read_file", _a_document)
    server.routes |= {
        "/api/query": feed([entry(1), entry(2, id="http://arxiv.org/abs/hep-th/9901001v1", title="Old one")]),
        "/pdf/2405.00001v2": [redirect("/files/1.pdf")],
        "/files/1.pdf": Reply(b"%PDF-1.5 one"),
        "/pdf/hep-th/9901001v1": Reply(b"<html>being made</html>"),
    }
    for _ in range(2):
        report = add_from_arxiv(Search(query="x"), library, embedder, arxiv, pdfs=tmp_path / "documents")
        failed = [row for row in report.rows if row.outcome == "failed"]
        assert [(row.item, "no PDF" in row.reason) for row in failed] == [("hep-th/9901001v1", True)]
    assert [path.name for path in (tmp_path / "documents").iterdir()] == ["2405.00001v2.pdf"]
    assert server.asked.count("/files/1.pdf") == 1
    assert {paper.arxiv_id for paper in library.find()} == {"2405.00001", "hep-th/9901001"}


def test_a_network_that_goes_away_between_pdfs_leaves_what_is_there(
    arxiv: Arxiv,
    server: ReplayServer,
    library: Library,
    embedder: HashEmbedder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(from_arxiv, "read_file", _a_document)
    server.routes |= {"/api/query": feed([entry(n) for n in range(1, 5)]), "/pdf/2405.00001v2": Reply(b"%PDF-1.5 one")}

    def go_away(done: int, _: int) -> None:
        if done == 1:
            server.stop()

    report = add_from_arxiv(Search(query="x"), library, embedder, arxiv, pdfs=tmp_path / "documents", progress=go_away)
    assert [row.outcome for row in report.rows].count("failed") == 3
    assert all("network" in row.reason for row in report.rows if row.outcome == "failed")
    assert len(library.find()) == 4


def test_a_pdf_that_cannot_be_kept_is_named_with_its_place(
    arxiv: Arxiv, server: ReplayServer, library: Library, embedder: HashEmbedder, tmp_path: Path
) -> None:
    (tmp_path / "documents").touch()
    server.routes |= {"/api/query": feed([entry(1)]), "/pdf/2405.00001v2": Reply(b"%PDF-1.5 one")}
    report = add_from_arxiv(Search(query="x"), library, embedder, arxiv, pdfs=tmp_path / "documents")
    assert "2405.00001v2.pdf cannot be written" in report.rows[-1].reason


def test_ids_that_arxiv_does_not_know_are_named(
    arxiv: Arxiv, server: ReplayServer, library: Library, embedder: HashEmbedder
) -> None:
    server.routes["/api/query"] = feed([entry(1)])
    report = add_from_arxiv(Search(ids=("2405.00001v1", "2405.99999")), library, embedder, arxiv)
    assert [(row.item, row.outcome) for row in report.rows][1:] == [("2405.99999", "failed")]
