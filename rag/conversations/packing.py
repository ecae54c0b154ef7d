"""Answers in the file: packed, for one has the abstracts of fifty papers in it, and read with care."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from rag.answer.answer import Answer
from rag.answer.stored import dump_answer, load_answer
from rag.conversations.records import StoredTurn
from rag.errors import PaperchatError

UNREADABLE = "The kept answer cannot be read: the file is damaged here. Ask the question again."


def pack(answer: Answer) -> bytes:
    """An answer as bytes, about a third of its text."""
    return zlib.compress(dump_answer(answer).encode("ascii"))


def turn_of(row: Sequence[Any]) -> StoredTurn:
    """A row as a turn; an answer that cannot be read takes nothing else with it."""
    number, question, asked_at, text, packed, problem, stopped = row
    answer = None
    if packed is not None:
        try:
            answer = load_answer(zlib.decompress(packed).decode("ascii"))
        except (PaperchatError, zlib.error, TypeError, ValueError) as error:
            problem = str(error) if isinstance(error, PaperchatError) else UNREADABLE
    return StoredTurn(number, question, asked_at, text, answer, problem, bool(stopped))
