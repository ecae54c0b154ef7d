"""Turns in the file: answers packed, for one has the abstracts of fifty papers in it, and read with care."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rag.answer.answer import Answer
from rag.answer.stored import dump_answer, load_answer
from rag.conversations.records import StoredTurn
from rag.errors import PaperchatError
from rag.papers import Filters

TURN_COLUMNS = "number, question, asked_at, text, answer, problem, stopped, limits"
UNREADABLE = "The kept answer cannot be read: the file is damaged here. Ask the question again."


@dataclass(frozen=True, slots=True)
class _Limits:
    filters: Filters | None = None
    within: Filters = field(default_factory=Filters)
    as_typed: bool = False


_LIMITS = TypeAdapter(_Limits)


def storable(text: str) -> str:
    """Halves of surrogate pairs, which a browser may send and no file can hold, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def row_of(turn: StoredTurn) -> tuple[Any, ...]:
    """A turn as a row of `TURN_COLUMNS`."""
    return (
        turn.number,
        storable(turn.question),
        storable(turn.asked_at),
        storable(turn.text),
        None if turn.answer is None else _pack(turn.answer),
        storable(turn.problem),
        turn.stopped,
        _dump_limits(turn),
    )


def turn_of(row: Sequence[Any]) -> StoredTurn:
    """A row as a turn; an answer that cannot be read takes nothing else with it."""
    number, question, asked_at, text, packed, problem, stopped, kept = row
    answer = None
    if packed is not None:
        try:
            answer = load_answer(zlib.decompress(packed).decode("ascii"))
        except (PaperchatError, zlib.error, TypeError, ValueError) as error:
            problem = str(error) if isinstance(error, PaperchatError) else UNREADABLE
    limits = _load_limits(kept)
    return StoredTurn(
        number,
        question,
        asked_at,
        text,
        answer,
        problem,
        bool(stopped),
        filters=limits.filters,
        within=limits.within,
        as_typed=limits.as_typed,
    )


def _pack(answer: Answer) -> bytes:
    """An answer as bytes, about a third of its text."""
    return zlib.compress(dump_answer(answer).encode("ascii"))


def _dump_limits(turn: StoredTurn) -> str:
    filters = None if turn.filters is None else turn.filters.as_dict()
    limits = {"filters": filters, "within": turn.within.as_dict(), "as_typed": turn.as_typed}
    return storable(json.dumps(limits, ensure_ascii=False))


def _load_limits(kept: object) -> _Limits:
    """How a question was asked; where that cannot be read, as questions mostly are."""
    try:
        return _LIMITS.validate_python(json.loads(str(kept)))
    except (ValidationError, ValueError, RecursionError):
        return _Limits()
