"""What the tests of the chat's handlers share: an engine that answers by script, and services around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from ui_helpers import PAPER, answered

from rag.answer.answer import Event, Finished, Searched, TextDelta, Turn
from rag.conversations import ConversationStore
from rag.errors import LibraryEmptyError
from rag.feedback import FeedbackStore
from rag.papers import Filters, Paper
from rag.settings import Settings
from ui.services import Services
from ui.session import Session
from ui.turnstile import Turnstiles
from ui.view import View
from ui.warmup import Warmup
from ui.web.owner import owner_of

Script = Callable[[], Iterator[Event]]


class ScriptedEngine:
    """Answers each question by the next script; records what it was asked, and how."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.asked: list[tuple[str, list[Turn]]] = []
        self.limits: list[tuple[Filters | None, Filters | None]] = []
        self.as_typed: list[bool] = []
        self.cancelled: list[threading.Event | None] = []
        self.settings = Settings(_env_file=None)  # type: ignore[call-arg]

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        filters: Filters | None = None,
        within: Filters | None = None,
        as_typed: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        self.limits.append((filters, within))
        self.as_typed.append(as_typed)
        self.cancelled.append(cancelled)
        return self.scripts.pop(0)()

    def retrieve(self, question: str, history: Sequence[Turn] = (), *, k: int = 10) -> None:
        raise LibraryEmptyError("The library is empty.", "Add papers.")


class OnePaper:
    """A shelf with one paper."""

    def count(self) -> int:
        return 1

    def paper(self, paper_id: str) -> Paper:
        return PAPER


def services_of(engine: ScriptedEngine, folder: Path) -> Services:
    """Services with real stores in `folder`."""
    given: Any = engine
    shelf: Any = OnePaper()
    return Services(
        engine=given,
        warmup=Warmup(given),
        shelf=shelf,
        conversations=ConversationStore(folder / "conversations.sqlite3"),
        feedback=FeedbackStore(folder / "feedback.jsonl"),
        turnstiles=Turnstiles(),
    )


def request_of(browser: str = "a", **query: str) -> Any:
    """A request of one browser, known by its cookie."""
    return SimpleNamespace(headers={}, cookies={"paperchat": browser * 22}, query_params=query)


def owner(browser: str = "a") -> str:
    """Whose conversations those of a browser are."""
    return owner_of(request_of(browser))


def told(**data: Any) -> gr.EventData:
    """What the page says was pressed."""
    return gr.EventData(target=None, _data=data)


def says(text: str, **fields: Any) -> Script:
    """Streams `text` in two pieces."""

    def events() -> Iterator[Event]:
        yield Searched("searched", Filters(), ())
        yield TextDelta(text[:3])
        yield TextDelta(text[3:])
        yield Finished(answered(text, **fields))

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
            self.go_on.wait(60)
            yield TextDelta(" after word")
            yield Finished(answered("Word after word"))
        finally:
            self.closed.set()


async def views(chat: Any, question: str, session: Session, browser: str = "a") -> list[View]:
    """All views of one question."""
    return [view async for view in chat.ask(question, session, request_of(browser))]
