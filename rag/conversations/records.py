"""What is kept of a conversation: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass

from rag.answer.answer import Answer


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One question and what came of it.

    `number` orders the turns of a conversation and tells them apart. `asked_at` is ISO 8601 in UTC.
    `text` is what had been written, also where there is no whole `answer`. `problem` says why there
    is none; `stopped` that the person wanted no more.
    """

    number: int
    question: str
    asked_at: str
    text: str = ""
    answer: Answer | None = None
    problem: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation as a list shows it; `created` and `updated` are ISO 8601 in UTC.

    `turns` counts them. `snippet` is plain text around what a search has found; empty without a search.
    """

    conversation_id: str
    owner: str
    title: str
    created: str
    updated: str
    turns: int
    snippet: str = ""
