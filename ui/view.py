"""What the page shows of a session, as the values of its components."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import gradio as gr

from rag.errors import PaperchatError
from ui.escape import escaped
from ui.evidence_html import evidence_html
from ui.scope_html import scope_html
from ui.services import Services
from ui.session import Session
from ui.sidebar_html import chats_html
from ui.turns_html import LOADING, WAITING, conversation_html

READY, BUSY = {"submit_btn": "Ask", "stop_btn": False}, {"submit_btn": False, "stop_btn": "Stop"}


class View(NamedTuple):
    """A value for each component that events redraw, in the order in which the page lists them."""

    past: Any = gr.skip()
    now: Any = gr.skip()
    evidence: Any = gr.skip()
    box: Any = gr.skip()
    examples: Any = gr.skip()
    scope: Any = gr.skip()
    chats: Any = gr.skip()


class Views:
    """Draws sessions. Earlier turns and the latest are two components, so that streaming redraws only one."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def whole(self, session: Session, **box: Any) -> View:
        """Everything; `box` are properties of the question box that change."""
        past, now = self.turns(session)
        return View(
            past=past,
            now=now,
            evidence=evidence_html(session.conversation.turns),
            box=gr.update(**box) if box else gr.skip(),
            examples=self.examples(session),
            scope=self.scope(session),
            chats=self.chats(session),
        )

    def running(self, session: Session, *, evidence: bool) -> View:
        """What changes while an answer is written."""
        turns = session.conversation.turns
        return View(now=self._drawn(session, slice(-1, None)), evidence=evidence_html(turns) if evidence else gr.skip())

    def turns(self, session: Session) -> tuple[str, str]:
        """The turns before the latest, and the latest (or a welcome)."""
        earlier = session.conversation.turns[:-1]
        return self._drawn(session, slice(-1)) if earlier else "", self._drawn(session, slice(-1, None))

    def chats(self, session: Session) -> str:
        """The list of the person's conversations, as they are searching it."""
        conversation, problem = session.conversation, session.conversation.problem
        try:
            listed = self._services.conversations.list(session.owner, session.looking_for) if session.owner else []
        except PaperchatError as error:
            listed, problem = [], str(error)
        return chats_html(
            listed,
            current=conversation.id,
            today=date.today(),
            query=session.looking_for,
            deleted=session.deleted,
            problem=problem,
        )

    def scope(self, session: Session) -> str:
        """What the next question is limited to."""
        return scope_html(session)

    def examples(self, session: Session) -> Any:
        """The row of examples, which an empty chat shows."""
        return gr.update(visible=not session.conversation.turns and bool(self._services.warmup.examples))

    def status(self, session: Session) -> str:
        """The line that says what there is to ask, and who answers in this tab."""
        warmup = self._services.warmup
        if not warmup.done():
            text = "Loading the models…"
        elif warmup.problem:
            text = "Not ready"
        else:
            text = f"{self._services.shelf.count():,} papers · {escaped(self._answerer(session))}"
        return f'<span class="pc-status" role="status">{text}</span>'

    def _drawn(self, session: Session, which: slice) -> str:
        warmup = self._services.warmup
        waiting = WAITING if warmup.done() else LOADING
        turns, latest = session.conversation.turns[which], which.stop is None
        return conversation_html(turns, waiting=waiting, problem=warmup.problem, latest=latest)

    def _answerer(self, session: Session) -> str:
        settings = (session.adapted or self._services.engine).settings
        return {
            "quotes": "verbatim quotes",
            "auto": f"quotes and {settings.openai_model}",
            "openai": settings.openai_model,
            "local": "the local model",
        }[settings.effective_answerer]
