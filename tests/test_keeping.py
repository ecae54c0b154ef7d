"""The list of conversations, and what is done at once: open, rename, delete, edit, limit."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from chat_helpers import ScriptedEngine, owner, request_of, says, services_of, told, views
from ui_helpers import PAPER, Reading

from rag.conversations import StoredTurn, Summary
from rag.feedback import judged
from rag.papers import Filters
from ui.chat import Chat
from ui.conversation import INTERRUPTED
from ui.keeping import Keeping
from ui.scope_html import scope_html
from ui.services import Services
from ui.session import Session
from ui.sidebar_html import chats_html
from ui.view import View, Views

MINE = owner()


def keeping_of(services: Services) -> Keeping:
    return Keeping(services, Views(services))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return services_of(ScriptedEngine(says("First"), says("Second")), tmp_path)


def asked(services: Services, *questions: str) -> Session:
    """A session in which these were asked."""
    session = Session()
    for question in questions:
        asyncio.run(views(Chat(services), question, session))
    return session


def test_a_conversation_is_opened_as_it_was_with_its_judgements(services: Services) -> None:
    session = asked(services, "One?", "Two?")
    turn = session.conversation.turns[1]
    assert turn.answer is not None
    services.feedback.append(
        judged(
            "Two?",
            session.conversation.history(before=turn),
            turn.answer,
            "helpful",
            conversation=session.conversation.id or "",
        )
    )
    fresh = Session(owner=MINE)
    view = keeping_of(services).acted(fresh, told(act="open", id=session.conversation.id))
    assert "First" in view.past
    assert "Second" in view.now
    assert 'aria-pressed="true"' in view.now
    assert fresh.conversation.history() == session.conversation.history()
    assert f'data-chat="{session.conversation.id}"' in view.chats


def test_an_answer_that_never_ended_says_so(services: Services) -> None:
    chat = services.conversations.create(MINE, "One?")
    services.conversations.save_turn(chat, MINE, StoredTurn(1, "One?", "2026-01-01T00:00:00+00:00", text="So"), [])
    view = keeping_of(services).acted(Session(owner=MINE), told(act="open", id=chat))
    assert INTERRUPTED in view.now


def test_rename_delete_and_undo(services: Services) -> None:
    session = asked(services, "One?")
    chat, keeping = session.conversation.id, keeping_of(services)
    assert "My name" in keeping.acted(session, told(change="rename", id=chat, value="My name")).chats
    gone = keeping.acted(session, told(act="delete", id=chat))
    assert session.conversation.turns == []
    assert "Deleted “My name”" in gone.chats
    assert "pc-welcome" in gone.now
    back = keeping.acted(session, told(act="restore", id=chat))
    assert "Deleted" not in back.chats
    assert "My name" in back.chats


def test_only_the_owner_changes_a_conversation(services: Services) -> None:
    chat = asked(services, "One?").conversation.id
    other, keeping = Session(owner=owner("b")), keeping_of(services)
    for data in ({"act": "delete"}, {"change": "rename", "value": "Mine now"}):
        view = keeping.acted(other, told(id=chat, **data))
        assert "pc-problem" in view.chats
        assert "One?" not in view.chats
    assert [summary.title for summary in services.conversations.list(MINE)] == ["One?"]
    assert other.deleted is None


def test_conversations_are_found_by_their_words(services: Services) -> None:
    session, keeping = asked(services, "What is quantisation?"), keeping_of(services)
    assert "quantisation" in keeping.search("quantis", session).chats
    assert "No conversation has these words." in keeping.search("zebra", session).chats


def test_editing_puts_the_question_into_the_box_and_can_be_left(services: Services) -> None:
    session, keeping = asked(services, "One?"), keeping_of(services)
    view = keeping.acted(session, told(act="edit", turn="1"))
    assert view.box["value"] == "One?"
    assert "Editing an earlier question" in view.scope
    assert session.conversation.editing == 1
    assert keeping.acted(session, told(act="unedit")).scope == ""


def test_the_next_questions_can_be_limited_to_a_paper_and_set_free(services: Services) -> None:
    session, keeping = Session(owner=MINE), keeping_of(services)
    view = keeping.acted(session, told(act="about", paper=PAPER.paper_id))
    assert "Asking only “Fast X”" in view.scope
    assert session.conversation.scope == Filters(paper_ids=(PAPER.paper_id,))
    assert keeping.acted(session, told(act="unscope")).scope == ""
    assert not session.conversation.scope


def test_a_link_to_nothing_is_a_sentence(services: Services) -> None:
    session = Session()

    async def opened() -> str:
        services.warmup._done.set()
        return str([view async for view in Chat(services).opened(session, request_of(chat="gone"))])

    assert "pc-problem" in asyncio.run(opened())


@pytest.mark.parametrize("data", [{}, {"act": "open"}, {"act": "nonsense"}, {"change": "rename", "id": None}])
def test_what_a_browser_makes_up_changes_nothing(services: Services, data: dict[str, object]) -> None:
    session = asked(services, "One?")
    view = keeping_of(services).acted(session, told(**data))
    assert view == View() or "pc-problem" in view.chats
    assert len(services.conversations.list(MINE)) == 1


def test_the_list_stands_under_days_and_shows_any_title_as_it_is() -> None:
    hostile = "</a><script>alert(1)</script>\" onclick='x' ${1+1} {{x}}"
    days = [
        ("2026-11-21", "Today"),
        ("2026-11-20", "Yesterday"),
        ("2026-11-16", "This week"),
        ("2026-01-01", "Earlier"),
    ]
    chats = [Summary(f"id{i}", MINE, hostile, at, f"{at}T12:00:00+00:00", 1) for i, (at, _) in enumerate(days)]
    reading = Reading(chats_html(chats, current="id1", today=date(2026, 11, 21), deleted=chats[0]))
    assert {tag for tag, _ in reading.tags} <= set(
        "nav p button h2 ul li a span details summary div label input".split()
    )
    assert not [name for _, attributes in reading.tags for name in attributes if name.startswith("on")]
    assert reading.texts("h2") == [heading for _, heading in days]
    assert len(reading.texts("li", "pc-current")) == 1
    assert "<script>alert(1)</script>" in reading.text


def test_nothing_limits_the_next_question_at_first() -> None:
    assert scope_html(Session()) == ""
