"""The page as a program: what it binds, what it opens to whom, and what its handlers do."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Cli
from ui_helpers import answered, free_port, served

from rag.answer.answer import Event, Finished, Searched, TextDelta, Turn
from rag.errors import LibraryEmptyError, PaperchatError, SettingsError
from rag.papers import Filters
from rag.settings import Settings
from ui.app import launch, refuse_open_host, refuse_taken_port, serve
from ui.asking import UNEXPECTED
from ui.chat import Chat
from ui.conversation import Conversation
from ui.page import build_page
from ui.warmup import Warmup

Script = Callable[[], Iterator[Event]]


class ScriptedEngine:
    """Answers each question by the next script; records what it was asked and with which history."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.asked: list[tuple[str, list[Turn]]] = []
        self.cancelled: list[threading.Event | None] = []
        self.settings = Settings(_env_file=None)  # type: ignore[call-arg]

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, cancelled: threading.Event | None = None
    ) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        self.cancelled.append(cancelled)
        return self.scripts.pop(0)()

    def retrieve(self, question: str, history: Sequence[Turn] = (), *, k: int = 10) -> None:
        raise LibraryEmptyError("The library is empty.", "Add papers.")


def says(text: str) -> Script:
    """Streams `text` in two pieces."""

    def events() -> Iterator[Event]:
        yield Searched("searched", Filters(), ())
        yield TextDelta(text[:3])
        yield TextDelta(text[3:])
        yield Finished(answered(text))

    return events


def raises(error: Exception) -> Script:
    """Fails after its first words."""

    def events() -> Iterator[Event]:
        yield TextDelta("Some")
        raise error

    return events


class Silent:
    """Says a word, then nothing until it is let go; knows whether it was closed."""

    def __init__(self) -> None:
        self.go_on, self.closed = threading.Event(), threading.Event()

    def __call__(self) -> Iterator[Event]:
        try:
            yield TextDelta("Word")
            self.go_on.wait(20)
            yield TextDelta(" after word")
            yield Finished(answered("Word after word"))
        finally:
            self.closed.set()


def chat_of(engine: ScriptedEngine) -> Chat:
    return Chat(engine, Warmup(engine))  # type: ignore[arg-type]


async def views(chat: Chat, question: str, conversation: Conversation) -> list[tuple[Any, ...]]:
    return [view async for view in chat.ask(question, conversation)]


# --- handlers -------------------------------------------------------------------------------------


def test_an_answer_ends_in_the_chat_and_its_turns_are_the_history_of_the_next() -> None:
    engine, conversation = ScriptedEngine(says("First answer"), says("Second answer")), Conversation()
    chat = chat_of(engine)
    first = asyncio.run(views(chat, "One?", conversation))
    asyncio.run(views(chat, "Two?", conversation))
    assert "Searching" in first[0][0] or "Loading" in first[0][0]
    assert "First answer" in first[-1][0]
    assert engine.asked == [("One?", []), ("Two?", [Turn("user", "One?"), Turn("assistant", "First answer")])]


def test_expected_failures_are_their_own_sentence_and_unexpected_ones_a_plain_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = ScriptedEngine(raises(PaperchatError("It broke.", "Mend it.")), raises(KeyError("secret")), says("Well"))
    chat, conversation = chat_of(engine), Conversation()
    for question in ("One?", "Two?", "Three?"):
        asyncio.run(views(chat, question, conversation))
    assert [turn.problem for turn in conversation.turns] == ["It broke. Mend it.", UNEXPECTED, None]
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert engine.asked[-1][1] == [], "turns without an answer are no history"


def test_stop_ends_a_silent_answer_at_once_and_the_next_question_is_taken() -> None:
    silent = Silent()
    engine = ScriptedEngine(silent, says("Next"))
    chat, conversation = chat_of(engine), Conversation()

    async def stop_and_go_on() -> float:
        asking = asyncio.create_task(views(chat, "One?", conversation))
        while not conversation.turns or not conversation.turns[0].text:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        stopped = chat.stop(conversation)
        await asking
        took = time.monotonic() - began
        assert "Stopped." in stopped[0]
        await views(chat, "Two?", conversation)
        return took

    assert asyncio.run(stop_and_go_on()) < 1
    first, second = engine.cancelled
    assert first is not None
    assert first.is_set(), "which ends the model's request at once, although it is silent"
    assert second is not None
    assert not second.is_set()
    silent.go_on.set()
    assert silent.closed.wait(5), "the engine's generator is closed too"
    assert [turn.text for turn in conversation.turns] == ["Word", "Next"]


def test_a_person_who_goes_away_stops_the_answer() -> None:
    silent = Silent()
    chat, conversation = chat_of(ScriptedEngine(silent)), Conversation()

    async def leave() -> None:
        asking = chat.ask("One?", conversation)
        await anext(asking)
        await anext(asking)  # the first word is there
        await asking.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    silent.go_on.set()
    assert conversation.turns[0].stopped
    assert silent.closed.wait(5)


def test_a_second_question_waits_for_the_first_and_blank_ones_are_nothing() -> None:
    silent = Silent()
    engine = ScriptedEngine(silent)
    chat, conversation = chat_of(engine), Conversation()

    async def ask_twice() -> None:
        asking = asyncio.create_task(views(chat, "One?", conversation))
        while not conversation.turns:
            await asyncio.sleep(0.01)
        assert await views(chat, "Two?", conversation) == [chat.unchanged()]
        silent.go_on.set()
        await asking

    asyncio.run(ask_twice())
    assert asyncio.run(views(chat, " \n", conversation)) == [chat.unchanged()]
    assert [question for question, _ in engine.asked] == ["One?"]


def test_clearing_forgets_everything_even_an_answer_under_way() -> None:
    silent = Silent()
    chat, conversation = chat_of(ScriptedEngine(silent)), Conversation()

    async def clear() -> list[tuple[Any, ...]]:
        asking = asyncio.create_task(views(chat, "One?", conversation))
        while not conversation.turns:
            await asyncio.sleep(0.01)
        chat.clear(conversation)
        return await asking

    seen = asyncio.run(clear())
    silent.go_on.set()
    assert conversation.turns == []
    assert "Ask" not in [view[2].get("submit_btn") for view in seen], "clearing has given the button back already"


# --- what is open to whom -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_is_served(host: str) -> None:
    refuse_open_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_any_other_host_is_refused_with_the_reason(host: str) -> None:
    with pytest.raises(SettingsError, match="no log-in") as refused:
        refuse_open_host(host)
    assert "127.0.0.1" in refused.value.remedy


def test_serving_refuses_before_anything_is_loaded(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PaperchatError, match=str(port)) as refused:
            refuse_taken_port("127.0.0.1", port)
        assert "PAPERCHAT_PORT" in refused.value.remedy
        with pytest.raises(PaperchatError, match=f"Port {port} is taken"):
            serve(Settings(_env_file=None, home=home, port=port))  # type: ignore[call-arg]
    with pytest.raises(SettingsError):
        serve(Settings(_env_file=None, home=home, host="0.0.0.0"))  # type: ignore[call-arg]


def test_the_command_says_in_one_line_that_a_port_is_taken(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("serve", PAPERCHAT_PORT=str(taken.getsockname()[1]))
    assert done.returncode != 0
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "PAPERCHAT_PORT" in done.stderr


@pytest.fixture
def page() -> Iterator[tuple[str, Any]]:
    """The page of an engine without a library, served by this process, which reaches loopback only."""
    engine = ScriptedEngine()
    warmup = Warmup(engine)  # type: ignore[arg-type]
    blocks = build_page(engine, warmup)  # type: ignore[arg-type]
    url = launch(blocks, Settings(_env_file=None, port=free_port()))  # type: ignore[call-arg]
    yield url, blocks
    blocks.close(verbose=False)


def test_nothing_of_gradio_is_open_that_the_page_does_not_need(page: tuple[str, Any]) -> None:
    url, blocks = page
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        assert client.get("/").status_code == 200
        assert client.get("/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
        closed = ["/monitoring", "/gradio_api/runs", "/gradio_api/mcp/sse", "/gradio_api/file=/etc/passwd"]
        closed += ["/gradio_api/file=pyproject.toml", f"/gradio_api/file={Path(__file__)}"]
        assert {path: client.get(path).status_code for path in closed if client.get(path).status_code < 400} == {}
        html = client.get("/").text
    assert re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["'](?:https?:)?//""", html) == []
    assert blocks.allowed_paths == []
    assert blocks.share is False
    assert blocks.analytics_enabled is False
    assert {function.api_visibility for function in blocks.fns.values()} == {"private"}
    asks = [function for function in blocks.fns.values() if function.name == "ask"]
    assert {function.concurrency_limit for function in asks} == {4}
    assert {function.concurrency_id for function in asks} == {"ask"}, "one limit over all ways to ask"


def test_an_empty_library_is_a_sentence_on_the_page_and_the_server_ends_by_itself(home: Path) -> None:
    began = time.monotonic()
    with served(home) as url:
        up = time.monotonic() - began
        assert httpx.get(url, timeout=10, trust_env=False).status_code == 200
    assert up < 20, "heavy models load behind the page"


def test_warm_up_keeps_the_problem_for_the_page() -> None:
    engine = ScriptedEngine()
    warmup = Warmup(engine)  # type: ignore[arg-type]
    assert not warmup.done()
    warmup.start()
    warmup.wait(5)
    assert warmup.done()
    assert warmup.problem == "The library is empty. Add papers."
    chat, conversation = Chat(engine, warmup), Conversation()  # type: ignore[arg-type]
    assert "Not ready" in chat.status()

    async def opened() -> list[tuple[Any, ...]]:
        return [view async for view in chat.opened(conversation)]

    assert any("The library is empty. Add papers." in str(part) for part in asyncio.run(opened())[-1])
