"""Many people at once: everybody at the same moment, a crowd for a while, a line at the local model."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from eval.bench_ui.person import Asked, ask
from eval.bench_ui.server import Server
from eval.bench_ui.tab import Tab

THINK_S = (4.0, 12.0)  # between reading an answer and the next question, evenly spread
LOOK_S = 1.0  # between two looks at the server's memory
APART_S = 0.3  # from one who has come to the next, so that their order is known


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a crowd was answered, and the server's memory over that time, in MiB: before, the most, after."""

    asked: list[Asked]
    seconds: float
    memory_mib: tuple[float, float, float]


async def alone(url: str, questions: Sequence[str]) -> dict[str, str]:
    """Each question by one person with nobody else there: what the answers are when nothing can be mixed up.

    Raises:
        RuntimeError: one has no answer even so.
    """
    answers = {}
    async with Tab.opened(url) as tab:
        for question in questions:
            asked = await ask(tab, question)
            if asked.problem:
                raise RuntimeError(f"Nobody else was there, and yet: {asked.problem} ({question})")
            answers[question] = asked.text
    return answers


async def burst(url: str, questions: Sequence[str], people: int) -> list[Asked]:
    """Everybody has the page open, and asks at the same moment."""
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab.opened(url)) for _ in range(people)]
        return list(await asyncio.gather(*(ask(tab, questions[n % len(questions)]) for n, tab in enumerate(tabs))))


async def crowd(server: Server, questions: Sequence[str], people: int, seconds: float, seed: int = 0) -> Crowd:
    """`people` come within one think time, and ask and read until the time is over."""
    before = most = server.memory_mib()
    begun = time.monotonic()
    everyone = asyncio.gather(
        *(_person(server.url, random.Random(f"{seed} {n}"), questions, begun + seconds) for n in range(people))
    )
    while not everyone.done():
        await asyncio.wait([everyone], timeout=LOOK_S)
        most = max(most, server.memory_mib())
    asked = [one for person in await everyone for one in person]
    return Crowd(asked, time.monotonic() - begun, (before, most, server.memory_mib()))


async def _person(url: str, chance: random.Random, questions: Sequence[str], until: float) -> list[Asked]:
    asked: list[Asked] = []
    await asyncio.sleep(chance.uniform(0, THINK_S[1]))
    async with Tab.opened(url) as tab:
        while time.monotonic() < until:
            asked.append(await ask(tab, chance.choice(questions)))
            await asyncio.sleep(chance.uniform(*THINK_S))
    return asked


async def line(url: str, questions: Sequence[str], people: int) -> list[Asked]:
    """People who come one shortly after the other, in the order in which they came."""
    came = [asyncio.Event() for _ in range(people)]

    async def comes(number: int, tab: Tab) -> Asked:
        if number:
            await came[number - 1].wait()
            await asyncio.sleep(APART_S)
        return await ask(tab, questions[number % len(questions)], came[number])

    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab.opened(url)) for _ in range(people)]
        return list(await asyncio.gather(*(comes(number, tab) for number, tab in enumerate(tabs))))


def mixed_up(asked: Sequence[Asked], expected: Mapping[str, str]) -> list[Asked]:
    """Those who saw another question than theirs, or another answer than the one it has when asked alone."""
    return [
        one for one in asked if not one.problem and (one.shown != one.question or one.text != expected[one.question])
    ]
