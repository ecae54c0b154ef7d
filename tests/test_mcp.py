"""The tools of `paperchat mcp`, called by the SDK's own client: in a process of its own, and on scripted engines."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from conftest import child_environment
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult
from patience import soon

from rag.answer.answer import Answer, Citation, Event, Finished, Sentence, Turn
from rag.errors import EndpointError, LibraryEmptyError
from rag.mcp_server import build_server
from rag.papers import Filters, Paper

COMMAND = ["-c", "from rag.cli import main; main()", "mcp"]
PAPER = Paper("fast-x", "Fast X", "We study X. Indexes are 99% smaller than <EOS> ones.", date(2021, 8, 19))
QUESTION = "How much smaller are TILDEv2's indexes?"


class Process:
    """A client of one `paperchat mcp` that is running."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.portal, self.client = portal, client

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return self.portal.call(lambda: self.client.call_tool(tool, arguments))

    def result(self, tool: str, **arguments: Any) -> dict[str, Any]:
        done = self.call(tool, **arguments)
        assert not done.is_error, done.content
        assert done.structured_content is not None
        return done.structured_content


@pytest.fixture(scope="module")
def process(seed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("mcp")
    environment = child_environment() | {"PAPERCHAT_HOME": str(seed_home)}
    started = StdioServerParameters(command=sys.executable, args=COMMAND, env=environment, cwd=folder)
    with (folder / "stderr").open("w") as log, start_blocking_portal() as portal:
        client = Client(stdio_client(started, errlog=log))
        with portal.wrap_async_context_manager(client):
            yield Process(portal, client)


def test_it_tells_what_it_offers(process: Process) -> None:
    tools = {tool.name: tool for tool in process.portal.call(process.client.list_tools).tools}
    assert set(tools) == {"search_papers", "ask_papers", "get_paper"}
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema
        assert tool.annotations
        assert tool.annotations.read_only_hint is True
    k = tools["search_papers"].input_schema["properties"]["k"]
    assert (k["minimum"], k["maximum"], k["default"]) == (1, 50, 10)
    found = (tools["search_papers"].output_schema or {})["$defs"]["FoundPaper"]["properties"]
    assert "ordered" in found["score"]["description"]
    assert process.client.server_info
    assert process.client.server_info.name == "paperchat"
    assert "never as instructions" in (process.client.instructions or "")


def test_an_answer_carries_the_sentences_that_support_it(process: Process) -> None:
    answer = process.result("ask_papers", question=QUESTION)
    assert "99%" in answer["answer"]
    assert answer["outcome"] == "answered"
    first = answer["citations"][0]
    paper = process.result("get_paper", paper_id=first["paper_id"])
    assert first["quote"] in paper["abstract"]
    assert (first["title"], first["published"]) == (paper["title"], paper["published"])


def test_what_the_papers_do_not_say_is_refused_with_papers_that_come_near(process: Process) -> None:
    answer = process.result("ask_papers", question="Who won the 2022 FIFA World Cup?", answerer="quotes")
    assert answer["outcome"] == "refused"
    assert answer["nearest"]


def test_a_search_finds_papers_within_the_dates(process: Process) -> None:
    found = process.result("search_papers", query="retrieval", k=5, published_from="2023-01-01")
    assert 0 < len(found["papers"]) <= 5
    assert [paper["rank"] for paper in found["papers"]] == list(range(1, len(found["papers"]) + 1))
    assert all(paper["published"] >= "2023-01-01" for paper in found["papers"])
    assert found["filters"] == {"published_from": "2023-01-01"}
    assert {(*paper["matched"], *paper["missing"]) for paper in found["papers"]} == {("retrieval",)}
    assert found["papers"][0]["matched"] == ["retrieval"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("get_paper", {"paper_id": "no such paper"}, "Find ids with search_papers"),
        ("ask_papers", {"question": "  "}, "question"),
        ("ask_papers", {"question": QUESTION, "answerer": "nobody"}, "answerer"),
        ("ask_papers", {"question": QUESTION, "answerer": "openai"}, "OPENAI_BASE_URL"),
        ("search_papers", {"query": "retrieval", "k": 0}, "greater than or equal to 1"),
        ("search_papers", {"query": "x", "published_from": "2024-01-02", "published_to": "2024-01-01"}, "Swap"),
    ],
)
def test_a_fault_is_a_tool_error_that_says_what_to_do(
    process: Process, tool: str, arguments: dict[str, Any], says: str
) -> None:
    done = process.call(tool, **arguments)
    assert done.is_error
    assert says in " ".join(part.text for part in done.content if part.type == "text")


def test_many_calls_at_once_each_get_their_own_answer(process: Process) -> None:
    titles = {p["paper_id"]: p["title"] for p in process.result("search_papers", query="video", k=8)["papers"]}

    async def all_at_once() -> list[CallToolResult]:
        calls = [process.client.call_tool("get_paper", {"paper_id": paper_id}) for paper_id in titles]
        return await asyncio.gather(*calls)

    done = process.portal.call(all_at_once)
    assert [(d.structured_content or {})["title"] for d in done] == list(titles.values())


def test_wrong_settings_end_it_with_a_sentence_and_nothing_on_stdout(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, *COMMAND],
        env=child_environment() | {"PAPERCHAT_SOURCES": "many"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "PAPERCHAT_SOURCES" in done.stderr


# --- on scripted engines, in this process -------------------------------------------------------


class ScriptedEngine:
    """Streams what it is told to, and remembers with what it was asked."""

    def __init__(self, script: Callable[[threading.Event], Iterator[Event]]) -> None:
        self._script = script
        self.library = self
        self.asked: list[dict[str, Any]] = []

    def stream(self, question: str, history: Sequence[Turn] = (), **options: Any) -> Iterator[Event]:
        self.asked.append({"question": question, **options})
        return self._script(options["cancelled"])

    def retrieve(self, question: str, **options: Any) -> Any:
        if "within" in options:
            self.asked.append({"question": question, **options})
        raise LibraryEmptyError("The library is empty.", "Add papers.")

    def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        return {PAPER.paper_id: PAPER} if PAPER.paper_id in ids else {}


def call(engine: ScriptedEngine, tool: str, **arguments: Any) -> CallToolResult:
    async def ask() -> CallToolResult:
        async with Client(build_server(engine)) as client:  # type: ignore[arg-type]
            return await asyncio.wait_for(client.call_tool(tool, arguments), 30)

    return asyncio.run(ask())


def test_everything_of_an_answer_arrives() -> None:
    quote = "Indexes are 99% smaller than <EOS> ones."
    sentences = (Sentence("Smaller.", (1,), 1.0, True), Sentence("And red.", (), 0.0, False))
    at = PAPER.abstract.index(quote)
    full = Answer(
        "What?",
        "What?",
        Filters(),
        "Smaller. [1] And red.",
        "partial",
        "Because.",
        "quotes",
        citations=(Citation(1, PAPER, quote, at, at + len(quote), 1.0),),
        sentences=sentences,
        nearest=(PAPER,),
    )
    engine = ScriptedEngine(lambda _: iter([Finished(full)]))
    got = call(engine, "ask_papers", question="What?", answerer="quotes").structured_content
    assert got
    assert engine.asked[0]["answerer"] == "quotes"
    assert got["citations"] == [
        {
            "n": 1,
            "paper_id": "fast-x",
            "title": "Fast X",
            "published": "2021-08-19",
            "quote": quote,
            "where": "",
            "support": 1.0,
        }
    ]
    assert got["unsupported"] == ["And red."]
    assert got["nearest"] == [{"paper_id": "fast-x", "title": "Fast X", "published": "2021-08-19"}]
    record = call(engine, "get_paper", paper_id="fast-x").structured_content
    assert record
    assert record["abstract"] == PAPER.abstract
    assert (record["authors"], record["arxiv_id"], record["doi"], record["url"]) == ([], None, None, None)


def test_a_paper_comes_with_its_authors_identifiers_and_date_as_far_as_they_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: dict[str, Any] = {"arxiv_id": "2108.00001", "doi": "10.1/x", "url": "https://example.org"}
    paper = replace(PAPER, authors=("Ada Fern",), date_of="month", body_hash="ab", **known)
    engine = ScriptedEngine(lambda _: iter(()))
    monkeypatch.setattr(engine, "papers", lambda _: {"fast-x": paper})
    record = call(engine, "get_paper", paper_id="fast-x").structured_content
    assert record
    assert record | known | {"authors": ["Ada Fern"], "has_full_text": True, "published": "2021-08"} == record


def test_the_dates_of_a_search_reach_the_engine() -> None:
    engine = ScriptedEngine(lambda _: iter(()))
    done = call(engine, "search_papers", query="x", k=3, published_to="2024-05-01")
    assert done.is_error
    assert "The library is empty. Add papers." in str(done.content)
    assert engine.asked == [{"question": "x", "k": 3, "within": Filters(published_to=date(2024, 5, 1))}]


def test_an_endpoint_that_fails_is_told_and_a_crash_is_not_shown() -> None:
    def fails(_: threading.Event) -> Iterator[Event]:
        raise EndpointError("The endpoint refused the key.", "Set OPENAI_API_KEY.")

    def crashes(_: threading.Event) -> Iterator[Event]:
        raise RuntimeError("secret of the inside")

    assert "Set OPENAI_API_KEY." in str(call(ScriptedEngine(fails), "ask_papers", question="x").content)
    done = call(ScriptedEngine(crashes), "ask_papers", question="x")
    assert done.is_error
    assert "secret" not in str(done.content)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_program_that_does_not_wait_stops_the_model(mode: str) -> None:
    began, stopped = threading.Event(), threading.Event()

    def silent(cancelled: threading.Event) -> Iterator[Event]:
        began.set()
        if cancelled.wait(60):
            stopped.set()
        yield from ()

    async def ask() -> None:
        async with Client(build_server(ScriptedEngine(silent)), mode=mode) as client:  # type: ignore[arg-type]
            asking = asyncio.create_task(client.call_tool("ask_papers", {"question": "x"}))
            assert await asyncio.to_thread(began.wait, 30)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(stopped.wait, 30), "while the server goes on"

    asyncio.run(ask())


def test_it_ends_when_its_input_ends_and_says_nothing(home: Path) -> None:
    with soon(15):
        done = subprocess.run(
            [sys.executable, *COMMAND],
            env={**child_environment(), "PAPERCHAT_HOME": os.fspath(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0
    assert done.stdout == ""
    assert "is empty" in done.stderr or done.stderr == ""
