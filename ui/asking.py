"""One question, answered in a thread of its own, so that Stop never waits for whoever is writing.

A model may be silent for a minute. Gradio's own way of cancelling waits for it, and takes no new
question from that page until then; so the page watches the turn instead and leaves when told to.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import closing, nullcontext

from rag.answer.answer import Event, Turn
from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from ui.conversation import ChatTurn

log = logging.getLogger(__name__)

REDRAW_S = 0.06  # a model writes faster than a page should be redrawn
LOOK_S = 0.2  # how often to look whether the person has stopped a silent answer
UNEXPECTED = (
    "Something went wrong inside paperchat, and this question has no answer. The server's log says what; "
    "`paperchat doctor` checks the installation. You can ask again."
)


class Asking:
    """Folds the engine's events into a turn, in the background, until they end or the turn is stopped."""

    def __init__(self, engine: Paperchat, turn: ChatTurn, history: Sequence[Turn]) -> None:
        self._engine = engine
        self._turn = turn
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        threading.Thread(target=self._run, name="paperchat-answer", daemon=True).start()

    async def changes(self) -> AsyncIterator[None]:
        """Yields whenever the running turn should be drawn again; ends when it is not running any more."""
        while self._turn.running:
            try:
                await asyncio.wait_for(self._news.wait(), LOOK_S)
            except TimeoutError:
                continue
            self._news.clear()
            if self._turn.running:
                yield
                await asyncio.sleep(REDRAW_S)

    def _run(self) -> None:
        try:
            self._take_all(self._engine.stream(self._turn.question, self._history, cancelled=self._turn.cancelled))
        except PaperchatError as error:
            self._turn.fail(str(error))
        except Exception:
            log.exception("A question could not be answered")
            self._turn.fail(UNEXPECTED)
        self._tell()

    def _take_all(self, events: Iterator[Event]) -> None:
        """A stopped turn ends the request of a model at once, also of one that is silent."""
        with closing(events) if isinstance(events, Generator) else nullcontext():
            for event in events:
                if self._turn.stopped:
                    return
                self._turn.take(event)
                self._tell()

    def _tell(self) -> None:
        """Wake the page; the server may have ended in the meantime."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)
