"""What handlers return, in the one form that Gradio takes without keeping it, and without showing it again later.

A component that is sometimes given a plain value and sometimes an update is registered anew by Gradio 6.31 at
each change of form, and stays in memory for as long as the tab: a large page, with every question.

When a generator ends, Gradio sends what it gave last once more, over what was drawn meanwhile: a search of the
library, a new chat. So the last that is given changes nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from functools import wraps
from typing import Any

import gradio as gr

Handler = Callable[..., Any]


def updating(handler: Handler) -> Handler:
    """The handler, whose plain values are made updates; it may return them, await them, or yield them."""
    if inspect.isasyncgenfunction(handler):

        @wraps(handler)
        async def stream(*arguments: Any) -> AsyncIterator[Any]:
            nothing = None
            async with aclosing(handler(*arguments)) as shown:
                async for values in shown:
                    yield _updates(values)
                    nothing = _nothing(values)
            if nothing is not None:
                yield nothing

        return stream
    if inspect.iscoroutinefunction(handler):

        @wraps(handler)
        async def later(*arguments: Any) -> Any:
            return _updates(await handler(*arguments))

        return later
    if inspect.isgeneratorfunction(handler):

        @wraps(handler)
        def follow(*arguments: Any) -> Iterator[Any]:
            nothing = None
            with closing(handler(*arguments)) as shown:
                for values in shown:
                    yield _updates(values)
                    nothing = _nothing(values)
            if nothing is not None:
                yield nothing

        return follow

    @wraps(handler)
    def once(*arguments: Any) -> Any:
        return _updates(handler(*arguments))

    return once


def _updates(values: Any) -> Any:
    return tuple(map(_update, values)) if isinstance(values, tuple) else _update(values)


def _nothing(values: Any) -> Any:
    return tuple(gr.skip() for _ in values) if isinstance(values, tuple) else gr.skip()


def _update(value: Any) -> Any:
    is_update = isinstance(value, dict) and value.get("__type__") == "update"
    return value if is_update else gr.update(value=value)
