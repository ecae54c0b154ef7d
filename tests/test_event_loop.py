"""An asynchronous source read from ordinary code: item by item, and stopped wherever it waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import pytest
from patience import soon

from rag.models import event_loop
from rag.models.event_loop import blocking


class Source:
    """Counts what was asked for, and tells when it was closed."""

    def __init__(self, items: int, *, pause: float = 0.0, error: Exception | None = None) -> None:
        self.asked = 0
        self.begun, self.closed = threading.Event(), threading.Event()
        self._items, self._pause, self._error = items, pause, error

    async def stream(self) -> AsyncGenerator[int, None]:
        try:
            for n in range(self._items):
                self.asked = n + 1
                self.begun.set()
                await asyncio.sleep(self._pause)
                yield n
            if self._error:
                raise self._error
        finally:
            await asyncio.sleep(0)  # closing a connection has to wait too
            self.closed.set()


def test_items_come_in_order_and_the_source_is_closed() -> None:
    source = Source(5)
    assert list(blocking(source.stream())) == [0, 1, 2, 3, 4]
    assert source.closed.wait(30)


def test_nothing_is_read_ahead() -> None:
    source = Source(1000)
    items = blocking(source.stream())
    assert [next(items), next(items)] == [0, 1]
    time.sleep(0.05)
    assert source.asked == 2


def test_closing_between_two_items_closes_the_source() -> None:
    source = Source(5)
    items = blocking(source.stream())
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert source.closed.wait(30)


def test_stop_while_it_waits_ends_both() -> None:
    source, stop = Source(5, pause=60), threading.Event()
    stopping = threading.Thread(target=lambda: source.begun.wait(30) and stop.set())
    with soon(0.5):
        stopping.start()
        assert list(blocking(source.stream(), stop)) == []
        assert source.closed.wait(30)


def test_a_stopped_source_is_never_begun() -> None:
    source, stop = Source(5), threading.Event()
    stop.set()
    assert list(blocking(source.stream(), stop)) == []
    assert source.asked == 0


@pytest.mark.parametrize("error", [ValueError("broken"), TimeoutError("too late")])
def test_an_error_comes_through_after_the_items_before_it(error: Exception) -> None:
    items = blocking(Source(2, error=error).stream())
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(type(error), match=str(error)):
        next(items)


def test_it_works_inside_a_running_loop() -> None:
    async def notebook() -> list[int]:
        return list(blocking(Source(3).stream()))

    assert asyncio.run(notebook()) == [0, 1, 2]


def test_threads_that_ask_at_once_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    event_loop._started_loop.cache_clear()
    made = []

    def slowly() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", slowly)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: list(blocking(Source(2).stream())), range(8)))
    assert found == [[0, 1]] * 8
    assert len(made) == 1


def test_an_error_that_a_stop_has_overtaken_is_not_raised() -> None:
    stop = threading.Event()

    async def failing() -> AsyncGenerator[int, None]:
        stop.set()
        raise ValueError("broken")
        yield 0

    assert list(blocking(failing(), stop)) == []
