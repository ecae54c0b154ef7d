"""An answer as it comes, for the event loop: the engine works in a thread, and stops when nobody listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass

from rag.answer.answer import Event
from ui.turnstile import Turnstile

Start = Callable[[threading.Event], Iterator[Event]]  # given what is set when the answer is not wanted any more


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many others are before this question."""

    before: int


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more comes, and what went wrong, if anything did."""

    error: Exception | None = None


News = Event | Waiting | _End


async def in_turn(turnstile: Turnstile, start: Start) -> AsyncGenerator[Event | Waiting]:
    """The place in the queue whenever it changes, then the events of the answer.

    Closing this leaves the queue, or stops the model; the slot is free when the thread has ended.

    Raises:
        PaperchatError: as the engine does.
    """
    answering = _Answering(turnstile, start)
    task = asyncio.create_task(answering.run())
    try:
        while not isinstance(news := await answering.inbox.get(), _End):
            yield news
        if news.error is not None:
            raise news.error
    finally:
        answering.cancelled.set()
        if not answering.begun:
            task.cancel()


class _Answering:
    """One answer, from its place in the queue to its end."""

    def __init__(self, turnstile: Turnstile, start: Start) -> None:
        self.inbox: asyncio.Queue[News] = asyncio.Queue()
        self.cancelled = threading.Event()
        self.begun = False
        self._turnstile = turnstile
        self._start = start
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Wait, then work in a thread of its own: a pool's threads would keep the process from ending.

        However it ends, its slot is free again, and then its end is told.
        """
        end = _End()
        try:
            async with self._turnstile.pass_through(self._moved):
                self.begun = True
                done: asyncio.Future[_End] = self._loop.create_future()
                threading.Thread(target=self._work, args=(done,), name="paperchat-api", daemon=True).start()
                end = await done
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            end = _End(error)  # no thread could be had
        finally:
            self.inbox.put_nowait(end)

    def _moved(self, before: int) -> None:
        if before:
            self.inbox.put_nowait(Waiting(before))

    def _work(self, done: asyncio.Future[_End]) -> None:
        end = _End(RuntimeError("An answer broke off"))
        try:
            events = self._start(self.cancelled)
            with closing(events) if isinstance(events, Generator) else nullcontext():
                for event in events:
                    if self.cancelled.is_set():
                        break
                    self._call(self.inbox.put_nowait, event)
            end = _End()
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            end = _End(error)
        finally:
            self._call(lambda: None if done.done() else done.set_result(end))

    def _call(self, function: Callable[..., object], *values: object) -> None:
        with suppress(RuntimeError):  # the server has ended in the meantime
            self._loop.call_soon_threadsafe(function, *values)
