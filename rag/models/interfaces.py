"""The small interfaces behind which models stand, so that any can be replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Spans = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as the embedder sees it.

    `vector` (dim,) and each row of `tokens` (n_tokens, dim) have unit length. `spans` (n_tokens, 2)
    are each token's first and past-the-last character in the text it belongs to; (-1, -1) for
    tokens that stand for none of it (special tokens, the title put before a passage). As a library gives it
    back there are the tokens of content words only, and their length is what makes cosines right.
    """

    vector: Vector
    tokens: Vector
    spans: Spans


class Embedder(Protocol):
    """Text to vectors. Thread-safe: implementations hold their own lock."""

    @property
    def fingerprint(self) -> str:
        """Names the model by what decides its vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special ones included."""
        ...

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, as documents or as questions; cut at `max_tokens`."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones."""
        ...


class Reranker(Protocol):
    """A second opinion on (question, passage) pairs; higher is better, scale is its own."""

    @property
    def name(self) -> str:
        """What to call it in reports."""
        ...

    def score(self, question: str, question_encoded: Encoded, texts: Sequence[str], tokens: Sequence[Vector]) -> Vector:
        """Scores (n,) for n passages given as texts and as their token vectors."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message for an LLM."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a generated text. The last piece carries `finish_reason` and maybe `usage`."""

    text: str = ""
    finish_reason: str | None = None
    usage: dict[str, int] | None = None


def close_stream(pieces: Iterator[Piece]) -> None:
    """Stop a model that may still be writing."""
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


class Generator(Protocol):
    """A language model that streams text."""

    @property
    def model(self) -> str:
        """The model's name as reports show it."""
        ...

    @property
    def structured(self) -> bool:
        """Whether it is worth asking it for JSON by a schema (the option `response_format`)."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancelled: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """Generate at temperature 0 unless `options` say otherwise.

        Closing the iterator, or setting `cancelled`, stops the generation at once, also while
        nothing comes; once `cancelled` is set the iterator just ends.

        Raises:
            EndpointError: with `EndpointBusyError` where a later try may work, and
                `SchemaRefusedError` where the same without a schema may.
            ModelError: the model's file is missing or unusable.
        """
        ...
