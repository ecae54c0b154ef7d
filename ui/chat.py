"""What happens when someone asks, stops, or asks again: Gradio's events on one side, the engine on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from rag.answer.question import clean
from rag.errors import QuestionError
from rag.papers import Filters
from ui.asking import Asking
from ui.conversation import ChatTurn, Conversation
from ui.examples import EXAMPLES
from ui.keeping import Keeping
from ui.recording import Recording
from ui.services import Services
from ui.session import Session
from ui.view import BUSY, READY, View, Views
from ui.web.owner import owner_of

POLL_S = 0.2
# The fields behind each filter that a person can take away.
FILTERS = {
    "published": ("published_from", "published_to"),
    "organisation": ("organisation",),
    "authors": ("min_authors", "max_authors"),
    "paper_ids": ("paper_ids",),
}


class Chat:
    """The event handlers. Services are shared by everyone; a `Session` belongs to one tab."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._views = Views(services)
        self._keeping = Keeping(services, self._views)
        self._recording = Recording(services)

    async def opened(self, session: Session, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """A page was opened, perhaps by the link of a conversation: say what is loading, then what there is to ask."""
        session.owner = owner_of(request)
        if chat := request.query_params.get("chat"):
            await asyncio.to_thread(self._keeping.show, session, chat)
        warmup = self._services.warmup
        await asyncio.to_thread(warmup.again)
        yield await asyncio.to_thread(self._opening, session)
        if warmup.done():
            return
        while not warmup.done():
            await asyncio.sleep(POLL_S)
        yield await asyncio.to_thread(self._opening, session)

    async def ask(self, question: str, session: Session, request: gr.Request) -> AsyncIterator[View]:
        """Answer, redrawing the page as text comes. While one question is being answered, no other is taken."""
        conversation = session.conversation
        if conversation.running or not (question or "").strip():
            yield View()
            return
        session.owner = owner_of(request)
        if conversation.editing is not None:
            conversation.drop(conversation.editing)
        turn = conversation.begin(question)
        turn.within = conversation.scope.narrowed(session.preferences.period)
        async with aclosing(self._answer(session, turn, value="")) as views:
            async for view in views:
                yield view

    async def again(self, session: Session, event: gr.EventData, request: gr.Request) -> AsyncIterator[View]:
        """Retry, search as typed, or search without a filter: the turn and all after it give way to a new one."""
        told: Any = event._data  # comes from the browser: anything may be in it
        act = told.get("act") if isinstance(told, dict) else None
        conversation = session.conversation
        turn = conversation.turn(told.get("turn")) if act in ("retry", "unrewrite", "unfilter") else None
        if turn is None or conversation.running:
            yield View()
            return
        session.owner = owner_of(request)
        conversation.drop(turn.number)
        if act == "unfilter" and turn.answer:
            new = self._without(conversation, turn, str(told.get("field")))
        else:
            new = conversation.begin(turn.question, turn.filters, as_typed=turn.as_typed or act == "unrewrite")
            new.within = turn.within
        async with aclosing(self._answer(session, new)) as views:
            async for view in views:
                yield view

    def stop(self, session: Session) -> View:
        """Stop the answer that is being written; what there is of it stays."""
        session.conversation.stop()
        return self._views.whole(session, **READY)

    def new(self, session: Session) -> View:
        """Begin anew; the conversation so far is in the list."""
        session.conversation.stop()
        session.conversation = Conversation()
        return self._views.whole(session, value="", **READY)

    async def _answer(self, session: Session, turn: ChatTurn, **box: Any) -> AsyncGenerator[View, None]:
        """The views of a turn from the first to the last, as long as the tab shows its conversation."""
        conversation, owner = session.conversation, session.owner

        def keep() -> None:
            self._recording.keep(owner, conversation, turn)

        if self._refused(turn):
            yield await asyncio.to_thread(self._views.whole, session, **box)
            return
        await asyncio.to_thread(keep)  # before it is answered: whatever happens then, the question is not lost
        engine = session.adapted or self._services.engine
        turnstile = self._services.turnstiles.of(engine.settings.effective_answerer)
        asking = Asking(engine, turnstile, turn, conversation.history(before=turn), keep)
        try:
            searched = False
            if session.conversation is conversation:
                yield await asyncio.to_thread(self._views.whole, session, **box, **BUSY)
            async for _ in asking.changes():
                news = turn.searched is not None and not searched
                searched = searched or news
                if session.conversation is conversation:
                    yield self._views.running(session, evidence=news)
            await asking.ended()
        finally:  # also when the person went away
            asking.leave()
        # Another chat may be on show by now: it is drawn again, lest the last words of this one stay over it.
        mine = session.conversation is conversation and turn in conversation.turns
        yield await asyncio.to_thread(self._views.whole, session, **(READY if mine else {}))

    def _refused(self, turn: ChatTurn) -> bool:
        """Whether a question is too long to be asked, or to be kept."""
        try:
            clean(turn.question, self._services.engine.settings.question_chars)
        except QuestionError as error:
            turn.fail(str(error))
        return not turn.running

    def _without(self, conversation: Conversation, turn: ChatTurn, field: str) -> ChatTurn:
        """The question again, under the filters that it had but one."""
        assert turn.answer is not None
        dropped: dict[str, Any] = dict.fromkeys(FILTERS.get(field, ()))
        if "paper_ids" in dropped:
            conversation.scope = Filters()
        return conversation.begin(turn.question, replace(turn.answer.filters, **dropped), as_typed=turn.as_typed)

    def _opening(self, session: Session) -> tuple[Any, ...]:
        """Status, the view, and each example."""
        questions = [*self._services.warmup.examples, *[""] * EXAMPLES][:EXAMPLES]
        buttons = [gr.update(value=question, visible=bool(question)) for question in questions]
        return (self._views.status(session), *self._views.whole(session), *buttons)
