"""What happens when someone asks, stops or clears: Gradio's events on one side, the engine on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from rag.answer.pipeline import Paperchat
from ui.asking import Asking
from ui.conversation import Conversation
from ui.escape import escaped
from ui.evidence_html import evidence_html
from ui.examples import EXAMPLES
from ui.turns_html import LOADING, WAITING, conversation_html
from ui.warmup import Warmup

POLL_S = 0.2
Update = tuple[Any, ...]


class Chat:
    """The event handlers. The engine is shared by everyone; a `Conversation` belongs to one tab."""

    def __init__(self, engine: Paperchat, warmup: Warmup) -> None:
        self._engine = engine
        self._warmup = warmup

    async def ask(self, question: str, conversation: Conversation) -> AsyncIterator[Update]:
        """Answer, redrawing the page as text comes. While one question is being answered, no other is taken."""
        if conversation.running or not (question or "").strip():
            yield self.unchanged()
            return
        history = conversation.history()
        turn = conversation.begin(question)
        try:
            yield self._view(conversation, box=gr.update(value="", submit_btn=False, stop_btn="Stop"))
            async for _ in Asking(self._engine, turn, history).changes():
                yield self._view(conversation)
        finally:  # also when the person went away
            turn.stop()
        if conversation.turns and conversation.turns[-1] is turn:
            yield self._view(conversation, box=gr.update(submit_btn="Ask", stop_btn=False))

    def stop(self, conversation: Conversation) -> Update:
        """Stop the answer that is being written; what there is of it stays."""
        conversation.stop()
        return self._view(conversation, box=gr.update(submit_btn="Ask", stop_btn=False))

    def clear(self, conversation: Conversation) -> Update:
        """Begin anew."""
        conversation.clear()
        return self._view(conversation, box=gr.update(value="", submit_btn="Ask", stop_btn=False))

    async def opened(self, conversation: Conversation) -> AsyncIterator[Update]:
        """A page was opened: say what is loading, then what there is to ask."""
        yield self._opening(conversation)
        if self._warmup.done():
            return
        while not self._warmup.done():
            await asyncio.sleep(POLL_S)
        yield self._opening(conversation)

    def status(self) -> str:
        """The line beside the name: loading, ready or not."""
        warmup = self._warmup
        if not warmup.done():
            text = "Loading the models…"
        elif warmup.problem:
            text = "Not ready"
        else:
            text = f'{warmup.papers:,} papers<span class="pc-status-more"> · {escaped(self._answerer())}</span>'
        return f'<span class="pc-status" role="status">{text}</span>'

    def turns_html(self, conversation: Conversation) -> str:
        """The conversation as the page shows it now."""
        waiting = WAITING if self._warmup.done() else LOADING
        return conversation_html(conversation.turns, waiting=waiting, problem=self._warmup.problem)

    def unchanged(self) -> Update:
        """The outputs of a handler that has nothing to show."""
        return (gr.skip(), gr.skip(), gr.skip(), gr.skip())

    def _answerer(self) -> str:
        settings = self._engine.settings
        return {
            "quotes": "answers in verbatim quotes",
            "auto": f"answers in quotes and by {settings.openai_model}",
            "openai": f"answers by {settings.openai_model}",
            "local": "answers by the local model",
        }[settings.effective_answerer]

    def _view(self, conversation: Conversation, box: Any = None) -> Update:
        """Conversation, evidence, question box, and the row of examples that an empty chat shows."""
        return (
            self.turns_html(conversation),
            evidence_html(conversation.turns),
            gr.skip() if box is None else box,
            gr.update(visible=not conversation.turns and bool(self._warmup.examples)),
        )

    def _opening(self, conversation: Conversation) -> Update:
        """Status, conversation, the row of examples, and each example."""
        questions = [*self._warmup.examples, *[""] * EXAMPLES][:EXAMPLES]
        shown = bool(self._warmup.examples) and not conversation.turns
        buttons = [gr.update(value=question, visible=bool(question)) for question in questions]
        return (self.status(), self.turns_html(conversation), gr.update(visible=shown), *buttons)
