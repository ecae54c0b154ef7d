"""Asynchronous sources read from ordinary code: one private event loop, and a stop that always works.

A blocking HTTP client cannot be stopped while it connects, waits for headers or sleeps between
two tries; a task of an event loop can be cancelled at each of these.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future, wait
from functools import lru_cache
from typing import Final, TypeVar

T = TypeVar("T")

_STARTING = threading.Lock()  # two threads may miss an empty cache together
POLL_S = 0.05  # between two looks at whether somebody has pressed Stop


class _End:
    """What stands for "no more items"."""


_END: Final = _End()


def blocking(source: AsyncGenerator[T, None], cancelled: threading.Event | None = None) -> Iterator[T]:
    """The items of `source`, each asked for when it is wanted.

    Closing the iterator, or setting `cancelled` while it waits, cancels the source at its current
    `await`, so that its `finally` runs at once; the iterator then just ends. Errors of the source
    come through.
    """
    loop = _loop()
    step: Future[T | _End] | None = None
    try:
        while not (cancelled and cancelled.is_set()):
            step = asyncio.run_coroutine_threadsafe(_next(source), loop)
            while not step.done() and not (cancelled and cancelled.is_set()):
                wait([step], POLL_S)
            if cancelled and cancelled.is_set():
                return
            if isinstance(item := step.result(), _End):
                return
            yield item
    finally:
        if step is None or step.done():
            asyncio.run_coroutine_threadsafe(source.aclose(), loop)
        else:
            step.cancel()  # ends the source too


async def _next(source: AsyncGenerator[T, None]) -> T | _End:
    return await anext(source, _END)


def _loop() -> asyncio.AbstractEventLoop:
    """The loop of this process, in a thread that ends with it; the same one for threads that ask at once."""
    with _STARTING:
        return _started_loop()


@lru_cache(maxsize=1)
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="paperchat-event-loop", daemon=True).start()
    return loop
