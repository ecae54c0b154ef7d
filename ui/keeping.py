"""What happens in the list of conversations, and around a question: open, rename, delete, edit, limit."""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr

from rag.conversations import Summary
from rag.errors import PaperchatError
from rag.feedback import judged, latest
from rag.papers import Filters
from ui.conversation import Conversation
from ui.services import Services
from ui.session import Session
from ui.view import READY, View, Views

log = logging.getLogger(__name__)


class Keeping:
    """Event handlers that are done at once; each returns the whole view."""

    def __init__(self, services: Services, views: Views) -> None:
        self._services = services
        self._views = views

    def acted(self, session: Session, event: gr.EventData) -> View:
        """Something was pressed or written in the list, in a turn, or above the question box."""
        told: Any = event._data  # comes from the browser: anything may be in it
        told = told if isinstance(told, dict) else {}
        name = told.get("act") or told.get("change")
        do = {
            "open": self._open,
            "rename": self._rename,
            "delete": self._delete,
            "restore": self._restore,
            "edit": self._edit,
            "unedit": self._unedit,
            "about": self._about,
            "unscope": self._unscope,
        }.get(str(name))
        if do is None:
            return View()
        session.conversation.problem = ""
        try:
            return do(session, {key: str(value) for key, value in told.items()})
        except PaperchatError as error:
            session.conversation.problem = str(error)
            return View(chats=self._views.chats(session))

    def search(self, words: str, session: Session) -> View:
        """Only conversations with these words."""
        session.looking_for = words or ""
        return View(chats=self._views.chats(session))

    def show(self, session: Session, chat: str) -> None:
        """Put a kept conversation into the tab, in place of the one that it has; one that is gone is said so."""
        session.conversation.stop()
        try:
            summary, turns = self._services.conversations.load(chat)
        except PaperchatError as error:
            session.conversation = Conversation(problem=str(error))
            return
        session.conversation = Conversation.of(summary, turns)
        self._judge(session.conversation)

    def _open(self, session: Session, told: dict[str, str]) -> View:
        self.show(session, told.get("id", ""))
        return self._views.whole(session, value="", **READY)

    def _rename(self, session: Session, told: dict[str, str]) -> View:
        self._services.conversations.rename(told.get("id", ""), session.owner, told.get("value", ""))
        if session.conversation.id == told.get("id"):
            session.conversation.title = told.get("value", "")
        return View(chats=self._views.chats(session))

    def _delete(self, session: Session, told: dict[str, str]) -> View:
        chat, store = told.get("id", ""), self._services.conversations
        summary: Summary = store.load(chat)[0]
        store.delete(chat, session.owner)
        session.deleted = summary
        if session.conversation.id != chat:
            return View(chats=self._views.chats(session))
        session.conversation.stop()
        session.conversation = Conversation()
        return self._views.whole(session, value="", **READY)

    def _restore(self, session: Session, told: dict[str, str]) -> View:
        self._services.conversations.restore(told.get("id", ""), session.owner)
        session.deleted = None
        return View(chats=self._views.chats(session))

    def _edit(self, session: Session, told: dict[str, str]) -> View:
        turn = session.conversation.turn(told.get("turn"))
        if turn is None or session.conversation.running:
            return View()
        session.conversation.editing = turn.number
        return View(box=gr.update(value=turn.question), scope=self._views.scope(session))

    def _unedit(self, session: Session, _: dict[str, str]) -> View:
        session.conversation.editing = None
        return View(box=gr.update(value=""), scope=self._views.scope(session))

    def _about(self, session: Session, told: dict[str, str]) -> View:
        paper = self._services.shelf.paper(told.get("paper", ""))
        session.conversation.scope = Filters(paper_ids=(paper.paper_id,))
        session.conversation.scope_title = paper.title
        return View(scope=self._views.scope(session))

    def _unscope(self, session: Session, _: dict[str, str]) -> View:
        session.conversation.scope = Filters()
        return View(scope=self._views.scope(session))

    def _judge(self, conversation: Conversation) -> None:
        """Turns that were judged show it again."""
        try:
            given = {entry.id: entry for entry in latest(self._services.feedback.read())}
        except PaperchatError as error:
            log.warning("Judgements of answers cannot be shown: %s", error)
            return
        for turn in conversation.turns:
            if turn.answer:
                history, question = conversation.history(before=turn), turn.question.strip()
                entry = judged(question, history, turn.answer, "helpful", conversation=conversation.id or "")
                turn.feedback = given.get(entry.id)
