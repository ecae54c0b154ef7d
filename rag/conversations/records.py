"""What is kept of a conversation: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.answer.answer import Answer
from rag.papers import Filters


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One question and what came of it.

    `number` orders the turns of a conversation. `asked_at`, ISO 8601 in UTC with microseconds, tells them
    apart, also when two tabs go on in one conversation. `text` is what had been written, also where there
    is no whole `answer`. `problem` says why there is none; `stopped` that the person wanted no more.

    The rest is how it was asked, so that it can be asked again: `filters` in place of those that the
    question names, `within` around whatever it names, `as_typed` without the conversation's context.
    """

    number: int
    question: str
    asked_at: str
    text: str = ""
    answer: Answer | None = None
    problem: str = ""
    stopped: bool = False
    filters: Filters | None = None
    within: Filters = field(default_factory=Filters)
    as_typed: bool = False


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
