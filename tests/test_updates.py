"""Handlers in the one form that Gradio takes without keeping it, and what it keeps otherwise."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, get_type_hints

import gradio as gr
import pytest

from ui.updates import updating


class Shown(NamedTuple):
    text: Any = gr.skip()
    box: Any = gr.skip()


def once(word: str) -> Shown:
    return Shown(word, gr.update(visible=True))


async def later(word: str) -> Shown:
    return Shown(word)


async def stream(word: str, request: gr.Request) -> AsyncIterator[Shown]:
    yield Shown(word)
    yield Shown(box=word)


def test_plain_values_become_updates_and_updates_stay() -> None:
    assert updating(once)("a") == (gr.update(value="a"), gr.update(visible=True))
    assert asyncio.run(updating(later)("a")) == (gr.update(value="a"), gr.skip())

    async def all_of() -> list[Any]:
        return [shown async for shown in updating(stream)("a", None)]

    first, second, last = asyncio.run(all_of())
    assert (first, second) == ((gr.update(value="a"), gr.skip()), (gr.skip(), gr.update(value="a")))
    assert last == (gr.skip(), gr.skip()), "what Gradio sends again when the stream has ended"
    assert updating(lambda: "alone")() == gr.update(value="alone")


def test_closing_the_stream_closes_the_handlers_own() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "word"
        finally:
            closed.append(True)

    async def leave() -> None:
        shown = updating(endless)()
        await anext(shown)
        await shown.aclose()

    asyncio.run(leave())
    assert closed == [True]


@pytest.mark.parametrize("handler", [once, later, stream])
def test_gradio_sees_the_handlers_own_parameters_and_kind(handler: Any) -> None:
    assert inspect.signature(updating(handler)) == inspect.signature(handler)
    assert get_type_hints(updating(handler)) == get_type_hints(handler)
    assert inspect.isasyncgenfunction(updating(handler)) == inspect.isasyncgenfunction(handler)
    assert inspect.iscoroutinefunction(updating(handler)) == inspect.iscoroutinefunction(handler)
