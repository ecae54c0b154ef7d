"""Asking in a tab: what is shown, kept, stopped, asked again, and under which limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_helpers import (
    ScriptedEngine,
    Silent,
    owner,
    raises,
    request_of,
    says,
    services_of,
    told,
    views,
)
from patience import soon

from rag.answer.answer import Event, Turn
from rag.errors import PaperchatError
from rag.papers import Filters
from ui.asking import UNEXPECTED
from ui.chat import Chat
from ui.keeping import Keeping
from ui.recording import IN_A_COPY
from ui.services import Services
from ui.session import Session
from ui.view import READY, View, Views

MINE = owner()


def chat_of(engine: ScriptedEngine, folder: Path) -> tuple[Chat, Services]:
    services = services_of(engine, folder)
    return Chat(services), services


async def again(chat: Chat, session: Session, browser: str = "a", **data: Any) -> list[View]:
    return [view async for view in chat.again(session, told(**data), request_of(browser))]


def kept(services: Services, session: Session) -> list[tuple[str, str, str]]:
    assert session.conversation.id is not None
    turns = services.conversations.load(session.conversation.id)[1]
    return [(turn.question, turn.text, turn.problem) for turn in turns]


def test_an_answer_ends_in_the_chat_and_its_turns_are_the_history_of_the_next(tmp_path: Path) -> None:
    drawn = threading.Event()

    def once_drawn() -> Iterator[Event]:
        assert drawn.wait(30)
        yield from says("First answer")()

    async def first_views() -> list[View]:
        shown = []
        async for view in chat.ask("One?", session, request_of("a")):
            shown.append(view)
            drawn.set()
        return shown

    engine, session = ScriptedEngine(once_drawn, says("Second answer")), Session()
    chat, services = chat_of(engine, tmp_path)
    first = asyncio.run(first_views())
    assert "Searching" in first[0].now or "Loading" in first[0].now
    assert "First answer" in first[-1].now
    second = asyncio.run(views(chat, "Two?", session))
    assert "First answer" in second[-1].past
    assert "Second answer" in second[-1].now
    assert "First answer" not in second[-1].now, "streaming redraws the latest turn only"
    assert engine.asked == [("One?", []), ("Two?", [Turn("user", "One?"), Turn("assistant", "First answer")])]
    assert kept(services, session) == [("One?", "First answer", ""), ("Two?", "Second answer", "")]
    assert [summary.title for summary in services.conversations.list(MINE)] == ["One?"]


def test_expected_failures_are_their_own_sentence_and_unexpected_ones_a_plain_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ScriptedEngine(raises(PaperchatError("It broke.", "Mend it.")), raises(KeyError("secret")), says("Well"))
    (chat, services), session = chat_of(engine, tmp_path), Session()
    for question in ("One?", "Two?", "Three?"):
        asyncio.run(views(chat, question, session))
    assert [turn.problem for turn in session.conversation.turns] == ["It broke. Mend it.", UNEXPECTED, None]
    assert [problem for _, _, problem in kept(services, session)] == ["It broke. Mend it.", UNEXPECTED, ""]
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert engine.asked[-1][1] == [], "turns without an answer are no history"


def test_stop_ends_a_silent_answer_at_once_and_the_next_question_is_taken(tmp_path: Path) -> None:
    silent = Silent()
    engine = ScriptedEngine(silent, says("Next"))
    (chat, _), session = chat_of(engine, tmp_path), Session()

    async def stop_and_go_on() -> None:
        asking = asyncio.create_task(views(chat, "One?", session))
        while not session.conversation.turns or not session.conversation.turns[0].text:
            await asyncio.sleep(0.01)
        with soon(1):
            stopped = chat.stop(session)
            await asking
        assert "Stopped." in stopped.now
        await views(chat, "Two?", session)

    asyncio.run(stop_and_go_on())
    first, second = engine.cancelled
    assert first is not None
    assert first.is_set(), "which ends the model's request at once, although it is silent"
    assert second is not None
    assert not second.is_set()
    silent.go_on.set()
    assert silent.closed.wait(30), "the engine's generator is closed too"
    assert [turn.text for turn in session.conversation.turns] == ["Word", "Next"]


def test_a_person_who_goes_away_stops_the_answer_and_what_was_written_is_kept(tmp_path: Path) -> None:
    silent = Silent()
    (chat, services), session = chat_of(ScriptedEngine(silent), tmp_path), Session()

    async def leave() -> None:
        asking = chat.ask("One?", session, request_of())
        while "Word" not in (await anext(asking)).now:
            pass
        await asking.aclose()  # type: ignore[attr-defined]
        silent.go_on.set()
        while not services.conversations.load(session.conversation.id or "")[1][0].stopped:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave(), 30))
    assert session.conversation.turns[0].stopped
    assert silent.closed.wait(30)
    assert kept(services, session) == [("One?", "Word", "")]


def test_a_second_question_waits_for_the_first_and_blank_ones_are_nothing(tmp_path: Path) -> None:
    silent = Silent()
    engine = ScriptedEngine(silent)
    (chat, _), session = chat_of(engine, tmp_path), Session()

    async def ask_twice() -> None:
        asking = asyncio.create_task(views(chat, "One?", session))
        while not session.conversation.turns:
            await asyncio.sleep(0.01)
        assert await views(chat, "Two?", session) == [View()]
        silent.go_on.set()
        await asking

    asyncio.run(ask_twice())
    assert asyncio.run(views(chat, " \n", session)) == [View()]
    assert [question for question, _ in engine.asked] == ["One?"]


def test_a_new_chat_shows_nothing_of_the_old_one_even_of_an_answer_under_way(tmp_path: Path) -> None:
    silent = Silent()
    (chat, services), session = chat_of(ScriptedEngine(silent), tmp_path), Session()

    async def begin_anew() -> list[View]:
        asking = asyncio.create_task(views(chat, "One?", session))
        while not session.conversation.turns:
            await asyncio.sleep(0.01)
        fresh = chat.new(session)
        assert "pc-welcome" in fresh.now
        silent.go_on.set()
        return await asking

    seen = asyncio.run(begin_anew())
    assert session.conversation.turns == []
    assert "pc-welcome" in seen[-1].now, "what of the old one was on its way is drawn over"
    assert READY["submit_btn"] not in [view.box.get("submit_btn") for view in seen], "the button is back already"
    assert [summary.title for summary in services.conversations.list(MINE)] == ["One?"], "it is in the list"


def test_whoever_must_wait_is_told_how_many_are_before(tmp_path: Path) -> None:
    silent = [Silent(), Silent(), Silent()]
    engine = ScriptedEngine(*silent, says("At last"))
    engine.settings = engine.settings.model_copy(update={"answerer": "local"})
    chat, _ = chat_of(engine, tmp_path)
    sessions = [Session() for _ in range(3)]

    async def in_place(number: int, place: int | None) -> None:
        async with asyncio.timeout(30):
            while not (turns := sessions[number].conversation.turns) or turns[0].waiting != place or not engine.asked:
                await asyncio.sleep(0.01)

    async def three_at_once() -> list[list[View]]:
        tasks = []
        for number, session in enumerate(sessions):
            tasks.append(asyncio.create_task(views(chat, f"{number}?", session)))
            await in_place(number, number or None)
        chat.stop(sessions[1])  # who leaves makes room
        await in_place(2, 1)
        await asyncio.sleep(0.2)  # it is drawn
        for one in silent:
            one.go_on.set()
        return await asyncio.gather(*tasks)

    seen = asyncio.run(three_at_once())
    assert any("1 person is before you" in str(view.now) for view in seen[2])
    assert [question for question, _ in engine.asked] == ["0?", "2?"], "a stopped one is never asked"


def test_retry_replaces_the_turn_and_all_after_it_on_the_disk_too(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(says("Old"), says("Later"), says("New")), Session()
    chat, services = chat_of(engine, tmp_path)
    for question in ("One?", "Two?"):
        asyncio.run(views(chat, question, session))
    asyncio.run(again(chat, session, act="retry", turn="1"))
    assert engine.asked[-1] == ("One?", [])
    assert kept(services, session) == [("One?", "New", "")]


def test_an_edited_question_replaces_its_turn(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(says("Old"), says("Later"), says("New")), Session()
    chat, services = chat_of(engine, tmp_path)
    for question in ("One?", "Two?"):
        asyncio.run(views(chat, question, session))
    session.conversation.editing = 2
    asyncio.run(views(chat, "Two, rather?", session))
    assert engine.asked[-1] == ("Two, rather?", [Turn("user", "One?"), Turn("assistant", "Old")])
    assert [question for question, _, _ in kept(services, session)] == ["One?", "Two, rather?"]
    assert session.conversation.editing is None


def test_a_filter_taken_away_leaves_the_others_and_the_scope_is_given_up_with_it(tmp_path: Path) -> None:
    filters = Filters(organisation="Kyutai", min_authors=2, paper_ids=("p",))
    engine, session = ScriptedEngine(says("Few", filters=filters), says("More"), says("All")), Session()
    session.conversation.scope = Filters(paper_ids=("p",))
    chat, _ = chat_of(engine, tmp_path)
    asyncio.run(views(chat, "One?", session))
    assert engine.limits[0] == (None, Filters(paper_ids=("p",)))
    asyncio.run(again(chat, session, act="unfilter", turn="1", field="authors"))
    assert engine.limits[1] == (Filters(organisation="Kyutai", paper_ids=("p",)), Filters())
    assert session.conversation.scope == Filters(paper_ids=("p",))
    asyncio.run(again(chat, session, act="retry", turn="1"))
    assert engine.limits[2] == engine.limits[1], "a retry keeps the limits"


def test_the_rewritten_question_can_be_taken_back(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(says("Old"), says("About that"), says("Bare"), says("Once more")), Session()
    chat, _ = chat_of(engine, tmp_path)
    for question in ("One?", "And it?"):
        asyncio.run(views(chat, question, session))
    asyncio.run(again(chat, session, act="unrewrite", turn="2"))
    assert engine.as_typed == [False, False, True]
    asyncio.run(again(chat, session, act="retry", turn="2"))
    assert engine.as_typed[-1], "a retry is asked in the same way"


@pytest.mark.parametrize(
    "data", [{}, {"act": "retry"}, {"act": "retry", "turn": "7"}, {"act": "drop table", "turn": 1}]
)
def test_what_a_browser_makes_up_is_nothing(tmp_path: Path, data: dict[str, Any]) -> None:
    engine, session = ScriptedEngine(says("One")), Session()
    chat, _ = chat_of(engine, tmp_path)
    asyncio.run(views(chat, "One?", session))
    assert asyncio.run(again(chat, session, **data)) == [View()]


def test_going_on_in_somebody_elses_conversation_makes_a_copy(tmp_path: Path) -> None:
    engine, theirs, mine = ScriptedEngine(says("First"), says("Second"), says("Other")), Session(), Session()
    chat, services = chat_of(engine, tmp_path)
    asyncio.run(views(chat, "One?", theirs, browser="b"))
    link = theirs.conversation.id
    assert link is not None

    async def open_link() -> list[tuple[Any, ...]]:
        services.warmup._done.set()
        return [view async for view in chat.opened(mine, request_of(chat=link))]

    assert "First" in str(asyncio.run(open_link())[-1])
    asyncio.run(again(chat, mine, act="retry", turn="1"))
    assert mine.conversation.id != link
    assert kept(services, theirs) == [("One?", "First", "")]
    assert kept(services, mine) == [("One?", "Second", "")]
    asyncio.run(views(chat, "Two?", mine))
    assert [summary.title for summary in services.conversations.list(MINE)] == ["One?"]


def test_two_tabs_of_one_conversation_lose_nothing_of_each_other(tmp_path: Path) -> None:
    engine = ScriptedEngine(says("First"), says("Second"), says("Other"), says("Third"))
    (chat, services), one, two = chat_of(engine, tmp_path), Session(), Session()
    asyncio.run(views(chat, "One?", one))
    Keeping(services, Views(services)).show(two, one.conversation.id or "")
    asyncio.run(views(chat, "Two?", one))
    seen = asyncio.run(views(chat, "Else?", two))
    assert IN_A_COPY in seen[-1].chats
    assert two.conversation.id != one.conversation.id
    asyncio.run(views(chat, "Three?", one))
    assert [question for question, _, _ in kept(services, one)] == ["One?", "Two?", "Three?"]
    assert [question for question, _, _ in kept(services, two)] == ["One?", "Else?"]


def test_a_retry_in_a_tab_that_missed_a_turn_takes_nothing_away(tmp_path: Path) -> None:
    engine = ScriptedEngine(says("First"), says("Second"), says("Again"))
    (chat, services), one, two = chat_of(engine, tmp_path), Session(), Session()
    asyncio.run(views(chat, "One?", one))
    Keeping(services, Views(services)).show(two, one.conversation.id or "")
    asyncio.run(views(chat, "Two?", one))
    asyncio.run(again(chat, two, act="retry", turn="1"))
    assert [text for _, text, _ in kept(services, one)] == ["First", "Second"]
    assert [text for _, text, _ in kept(services, two)] == ["Again"]


def test_a_conversation_deleted_in_another_tab_goes_on_in_a_copy(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(says("First"), says("Second")), Session()
    chat, services = chat_of(engine, tmp_path)
    asyncio.run(views(chat, "One?", session))
    services.conversations.delete(session.conversation.id or "", MINE)
    asyncio.run(views(chat, "Two?", session))
    assert [text for _, text, _ in kept(services, session)] == ["First", "Second"]


@pytest.mark.parametrize("error", [PaperchatError("The disk is full.", "Make room."), RuntimeError("unforeseen")])
def test_what_cannot_be_kept_is_still_answered_and_the_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine, session = ScriptedEngine(says("First"), says("Second"), says("Third")), Session()
    chat, services = chat_of(engine, tmp_path)
    asyncio.run(views(chat, "One?", session))

    def fail(*_: Any) -> None:
        if session.conversation.turns[-1].answer or isinstance(error, PaperchatError):
            raise error

    monkeypatch.setattr(services.conversations, "save_turn", fail)
    for number, word in ((2, "Second"), (3, "Third")):
        seen = asyncio.run(asyncio.wait_for(views(chat, f"{number}?", session), 30))
        assert word in seen[-1].now
    assert services.turnstiles.of("quotes").in_use == 0
    assert ("not being kept: The disk is full." in seen[-1].chats) == isinstance(error, PaperchatError)


def test_a_question_that_is_too_long_is_neither_asked_nor_kept(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(), Session()
    chat, services = chat_of(engine, tmp_path)
    seen = asyncio.run(views(chat, "long " * 10_000, session))
    assert "at most 4,000 are accepted" in seen[-1].now
    assert engine.asked == []
    assert services.conversations.list(MINE) == []


def test_a_new_chat_begun_at_once_is_not_taken_for_the_one_that_was_asked_in(tmp_path: Path) -> None:
    silent = Silent()
    (chat, services), session = chat_of(ScriptedEngine(silent), tmp_path), Session()

    async def leave_at_once() -> list[View]:
        asking = asyncio.create_task(views(chat, "One?", session))
        await asyncio.sleep(0)  # the question is put on record just now
        chat.new(session)
        silent.go_on.set()
        return await asking

    (seen,) = asyncio.run(leave_at_once())
    assert "pc-welcome" in seen.now, "the fresh page is on show, and no other"
    assert "One?" not in str(seen._replace(chats=""))
    assert session.conversation.id is None
    assert [summary.turns for summary in services.conversations.list(MINE)] == [1]


def test_what_cannot_be_loaded_is_said_and_forgotten_once_it_can(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(), Session()
    chat, services = chat_of(engine, tmp_path)

    async def opened() -> list[tuple[Any, ...]]:
        return [view async for view in chat.opened(session, request_of())]

    services.warmup.start()
    first = asyncio.run(opened())
    assert "The library is empty. Add papers." in str(first[-1])
    assert "Not ready" in str(first[-1])
    engine.library = services.shelf  # type: ignore[attr-defined]
    engine.retrieve = lambda *_, **__: None  # type: ignore[assignment]
    assert "The library is empty" not in str(asyncio.run(opened())[-1])
