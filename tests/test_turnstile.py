"""The queue at an answerer: first come, first served, each with a place, whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.turnstile import SLOTS, Turnstile, Turnstiles


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


async def settle() -> None:
    """Until nobody has anything to do but wait."""
    for _ in range(10):
        await asyncio.sleep(0)


class People:
    """Everyone who goes through one turnstile, what each was told, and in which order they got through."""

    def __init__(self, slots: int) -> None:
        self.turnstile = Turnstile(slots)
        self.entered: list[int] = []
        self.told: dict[int, list[int]] = {}
        self.go: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def comes(self, who: int) -> None:
        self.told[who], self.go[who] = [], asyncio.Event()
        self.tasks[who] = asyncio.create_task(self._passes(who))
        await settle()

    async def leaves(self, who: int) -> None:
        self.go[who].set()
        await settle()

    async def gives_up(self, who: int) -> None:
        self.tasks[who].cancel()
        await settle()

    async def _passes(self, who: int) -> None:
        async with self.turnstile.pass_through(self.told[who].append):
            self.entered.append(who)
            await self.go[who].wait()


def test_whoever_comes_first_is_through_first_and_each_knows_the_place() -> None:
    async def test() -> None:
        people = People(1)
        for who in range(4):
            await people.comes(who)
        assert people.entered == [0]
        assert (people.turnstile.in_use, people.turnstile.waiting) == (1, 3)
        assert people.told == {0: [0], 1: [1], 2: [2], 3: [3]}
        for who in range(4):
            await people.leaves(who)
        assert people.entered == [0, 1, 2, 3]
        assert people.told == {0: [0], 1: [1, 0], 2: [2, 1, 0], 3: [3, 2, 1, 0]}
        assert (people.turnstile.in_use, people.turnstile.waiting) == (0, 0)

    run(test())


def test_as_many_as_there_are_slots_are_through_at_once() -> None:
    async def test() -> None:
        people = People(2)
        for who in range(4):
            await people.comes(who)
        assert people.entered == [0, 1]
        assert people.told[3] == [2], "two must leave before the second in line is through"
        await people.leaves(1)
        assert people.entered == [0, 1, 2]
        assert people.turnstile.in_use == 2

    run(test())


def test_a_newcomer_never_takes_the_slot_of_whoever_waits() -> None:
    async def test() -> None:
        people = People(1)
        await people.comes(0)
        await people.comes(1)
        people.go[0].set()
        while people.tasks[0] in asyncio.all_tasks():
            await asyncio.sleep(0)
        await people.comes(2)  # the slot is free, in a sense: the one who waited has not woken yet
        assert people.entered == [0, 1]

    run(test())


def test_whoever_gives_up_leaves_the_line_and_the_others_move_up() -> None:
    async def test() -> None:
        people = People(1)
        for who in range(4):
            await people.comes(who)
        await people.gives_up(1)
        assert people.told[3] == [3, 2]
        await people.leaves(0)
        assert people.entered == [0, 2]

    run(test())


def test_a_slot_given_to_somebody_who_gives_up_in_that_moment_goes_on() -> None:
    async def test() -> None:
        people = People(1)
        for who in range(3):
            await people.comes(who)
        people.go[0].set()
        while people.turnstile.waiting == 2:
            await asyncio.sleep(0)
        people.tasks[1].cancel()  # it has the slot, and has not woken yet
        await settle()
        assert people.entered == [0, 2]
        await people.leaves(2)
        assert people.turnstile.in_use == 0

    run(test())


def test_a_slot_comes_back_after_an_error_inside_and_after_one_of_the_listener() -> None:
    async def test() -> None:
        turnstile = Turnstile(1)

        def broken(_: int) -> None:
            raise RuntimeError("cannot draw")

        with pytest.raises(RuntimeError, match="cannot draw"):
            async with turnstile.pass_through(broken):
                pytest.fail("it could not be told that it was its turn")
        with pytest.raises(ValueError, match="no answer"):
            async with turnstile.pass_through():
                raise ValueError("no answer")
        assert turnstile.in_use == 0

    run(test())


def test_a_listener_that_fails_while_waiting_hurts_nobody_else() -> None:
    async def test() -> None:
        people = People(1)
        await people.comes(0)

        def broken(place: int) -> None:
            if place < 2:
                raise RuntimeError("cannot draw")

        await people.comes(1)

        async def third() -> None:
            async with people.turnstile.pass_through(broken):
                pytest.fail("it had failed before")

        task = asyncio.create_task(third())
        await settle()
        await people.comes(3)
        await people.leaves(0)
        with pytest.raises(RuntimeError, match="cannot draw"):
            await task
        await people.leaves(1)
        assert people.entered == [0, 1, 3]

    run(test())


Steps = st.lists(st.tuples(st.sampled_from(["comes", "leaves", "gives_up"]), st.integers(0, 30)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), Steps)
def test_any_order_of_events_keeps_the_line(slots: int, steps: list[tuple[str, int]]) -> None:
    """Against a plain list: who is through, and every place that was told."""

    async def test() -> None:
        people = People(slots)
        line: list[int] = []  # the oracle: the first `slots` of it are through
        came = 0
        for what, pick in steps:
            if what == "comes":
                line.append(came)
                await people.comes(came)
                came += 1
            elif what == "leaves" and line:
                through = line[:slots]
                line.remove(who := through[pick % len(through)])
                await people.leaves(who)
            elif what == "gives_up" and line:
                line.remove(who := line[pick % len(line)])
                await people.gives_up(who)
            assert people.turnstile.in_use == len(line[:slots])
            assert people.turnstile.waiting == len(line[slots:])
            assert [people.told[who][-1] for who in line] == [max(0, at - slots + 1) for at in range(len(line))]
        assert people.entered == sorted(people.entered), "nobody was overtaken"
        assert all(told == sorted(told, reverse=True) for told in people.told.values()), "nobody fell back"
        for task in people.tasks.values():
            task.cancel()
        await settle()
        assert people.turnstile.in_use == people.turnstile.waiting == 0

    run(test())


def test_each_answerer_has_its_own_turnstile() -> None:
    turnstiles = Turnstiles()
    assert len({id(turnstiles.of(kind)) for kind in SLOTS}) == len(SLOTS)
    assert turnstiles.of("local").slots == 1, "llama.cpp writes one answer at a time"
    with pytest.raises(ValueError, match="needs a slot"):
        Turnstile(0)
