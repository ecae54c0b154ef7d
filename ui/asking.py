"""One question, answered in a thread of its own once it is its turn, so that Stop never waits for whoever is writing.

A model may be silent for a minute. Gradio's own way of cancelling waits for it, and takes no new
question from that page until then; so the page watches the turn instead and leaves when told to.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import closing, suppress

from rag.answer.answer import Event, Turn
from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from ui.conversation import ChatTurn
from ui.turnstile import Turnstile
from ui.web.metrics import METRICS

log = logging.getLogger(__name__)

REDRAW_S = 0.06  # a model writes faster than a page should be redrawn
LINGER_S = 0.5
LOOK_S = 0.2  # how often to look whether the person has stopped a silent answer
UNEXPECTED = (
    "Something went wrong inside paperchat, and this question has no answer. The server's log says what; "
    "`paperchat doctor` checks the installation. You can ask again."
)


class Asking:
    """Folds the engine's events into a turn, in the background, until they end or the turn is stopped.

    `keep` is called when nothing more will come, also after a stop; in that thread, if there was one.
    """

    def __init__(
        self,
        engine: Paperchat,
        turnstile: Turnstile,
        turn: ChatTurn,
        history: Sequence[Turn],
        keep: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._turnstile = turnstile
        self._turn = turn
        self._history = history
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._take_turn())

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

    async def ended(self) -> None:
        """Until the last is on record; a model that does not heed a stop is not waited for."""
        self.leave()
        await asyncio.wait({self._task}, timeout=LINGER_S)

    def leave(self) -> None:
        """Nobody looks any more: stop, and give up the place in the queue."""
        self._turn.stop()
        if self._turn.waiting:
            self._task.cancel()

    async def _take_turn(self) -> None:
        """Wait for a place, then work in a thread; the place is free again when the thread has ended."""
        done: asyncio.Future[None] | None = None
        try:
            async with self._turnstile.pass_through(self._moved):
                if self._turn.running:
                    begun = self._loop.create_future()
                    threading.Thread(target=self._run, args=(begun,), name="paperchat-answer", daemon=True).start()
                    done = begun
                    await done
        except RuntimeError:  # no thread could be started
            log.exception("A question could not be begun")
            self._turn.fail(UNEXPECTED)
        finally:
            if done is None:
                await asyncio.to_thread(self._keep)

    def _moved(self, before: int) -> None:
        self._turn.waiting = before or None
        self._news.set()

    def _run(self, done: asyncio.Future[None]) -> None:
        turn = self._turn
        try:
            self._take_all(
                METRICS.watched(
                    self._engine.stream(
                        turn.question,
                        self._history,
                        filters=turn.filters,
                        within=turn.within,
                        as_typed=turn.as_typed,
                        cancelled=turn.cancelled,
                    ),
                    self._engine.settings.effective_answerer,
                )
            )
        except PaperchatError as error:
            turn.fail(str(error))
        except Exception:
            log.exception("A question could not be answered")
            turn.fail(UNEXPECTED)
        try:
            self._keep()
        except Exception:
            log.exception("A turn could not be kept")
        finally:
            self._tell(lambda: None if done.done() else done.set_result(None))

    def _take_all(self, events: Generator[Event]) -> None:
        """A stopped turn ends the request of a model at once, also of one that is silent."""
        with closing(events):
            for event in events:
                if self._turn.stopped:
                    return
                self._turn.take(event)
                self._tell()

    def _tell(self, more: Callable[[], None] | None = None) -> None:
        """Wake the page; the server may have ended in the meantime."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)
            if more:
                self._loop.call_soon_threadsafe(more)
