"""A language model for tests: says what it is told to say, and records what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.models.interfaces import Message, Piece

Output = str | Exception | Sequence[Piece] | Callable[[Sequence[Message]], str]


@dataclass
class ScriptedGenerator:
    """Takes its outputs from a queue; a callable gets the messages, so that it can cite their ids.

    Text is streamed in pieces of `piece` characters. `taken` counts the pieces that were asked
    for, `closed` the streams that were closed before their end. `structured` says whether it
    takes a JSON schema. Once `cancelled` is set it writes nothing more.
    """

    outputs: list[Output] = field(default_factory=list)
    model: str = "scripted"
    piece: int = 4
    finish_reason: str = "stop"
    structured: bool = False
    calls: list[list[Message]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    taken: int = 0
    closed: int = 0

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancelled: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """The next output of the queue."""
        self.calls.append(list(messages))
        self.options.append({"max_tokens": max_tokens, **options})
        output = self.outputs.pop(0)
        if callable(output):
            output = output(messages)
        if isinstance(output, Exception):
            raise output
        return self._pieces(output, cancelled or threading.Event())

    def _pieces(self, output: str | Sequence[Piece], cancelled: threading.Event) -> Iterator[Piece]:
        try:
            for piece in self._cut(output) if isinstance(output, str) else output:
                if cancelled.is_set():
                    return
                yield piece
        except GeneratorExit:
            self.closed += 1
            raise

    def _cut(self, output: str) -> Iterator[Piece]:
        for start in range(0, len(output), self.piece):
            self.taken += 1
            yield Piece(output[start : start + self.piece])
        yield Piece(finish_reason=self.finish_reason, usage={"prompt_tokens": 3, "completion_tokens": 2})


def id_of(messages: Sequence[Message], text: str) -> str:
    """The id of the passage in the prompt whose block contains `text`."""
    for block in re.split(r"(?=<passage )", messages[-1].content):
        found = re.search(r'id="(p[0-9a-f]{4})"', block)
        if found and text in block:
            return found[1]
    raise AssertionError(f"no passage with {text!r} in the prompt")


def citing(template: str, **texts: str) -> Callable[[Sequence[Message]], str]:
    """An output in which `{name}` becomes the id of the passage that contains `texts[name]`."""
    return lambda messages: template.format(**{name: id_of(messages, text) for name, text in texts.items()})
