"""A fair queue at each answerer: who comes first is answered first, and everybody knows their place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rag.settings import AnswererName

Moved = Callable[[int], None]

# How many questions each answerer works on at once.
SLOTS: dict[AnswererName, int] = {
    "quotes": 2,  # pure computing: more at a time only makes each slower, and first words come later for all
    "local": 1,  # llama.cpp writes one answer at a time, with all its threads
    "openai": 16,  # the endpoint does the work; so many streams are what one is usually allowed
    "auto": 16,  # half of the questions go to the endpoint, and a quoted one is short
}


class Turnstile:
    """Lets `slots` through at a time, strictly in the order in which they came.

    For one event loop only: nothing here is safe for threads.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"a turnstile needs a slot, not {slots}")
        self.slots = slots
        self._in_use = 0
        self._line: deque[_Waiting] = deque()

    @property
    def in_use(self) -> int:
        """How many are through and have not left yet."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    @asynccontextmanager
    async def pass_through(self, moved: Moved | None = None) -> AsyncIterator[None]:
        """Wait for your turn, and hold a slot inside the `async with`.

        `moved(n)` is called in your own task when you begin to wait and whenever that changes: `n` must
        leave before it is your turn (with one slot: so many people are before you); 0 is your turn.
        Whoever is cancelled while waiting leaves the line, and the others move up.
        """
        tell = moved or _nobody
        await self._enter(tell)
        try:
            tell(0)
            yield
        finally:
            self._leave()

    async def _enter(self, moved: Moved) -> None:
        if self._in_use < self.slots:  # nobody waits while a slot is free, so nobody is overtaken here
            self._in_use += 1
            return
        mine = _Waiting()
        self._line.append(mine)
        try:
            while not mine.admitted:
                moved(self._line.index(mine) + 1)
                await mine.news.wait()
                mine.news.clear()
        except BaseException:  # cancelled, perhaps just after the slot was given
            if mine.admitted:
                self._leave()
            else:
                self._line.remove(mine)
                self._tell_all()
            raise

    def _leave(self) -> None:
        """The slot goes straight to the first in line, so that nobody who comes now can take it."""
        if not self._line:
            self._in_use -= 1
            return
        first = self._line.popleft()
        first.admitted = True
        first.news.set()
        self._tell_all()

    def _tell_all(self) -> None:
        for waiting in self._line:
            waiting.news.set()


class Turnstiles:
    """One turnstile for each answerer, shared by the page and the HTTP API."""

    def __init__(self) -> None:
        self._of = {kind: Turnstile(slots) for kind, slots in SLOTS.items()}

    def of(self, kind: AnswererName) -> Turnstile:
        """The turnstile of an answerer (`Settings.effective_answerer`)."""
        return self._of[kind]


@dataclass(slots=True, eq=False)
class _Waiting:
    """Somebody in line; `news` wakes them to look at their place again."""

    admitted: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


def _nobody(_place: int) -> None:
    """Nobody wants to know."""
