"""An answer as its writer leaves it, before the pipeline adds what was searched and how long it took."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from rag.answer.answer import Citation, Outcome, Sentence, TextDelta
from rag.papers import Paper


@dataclass(frozen=True, slots=True)
class Draft:
    """Text with its sentences and citations, the outcome, and why; `route` as in `Answer`."""

    text: str
    outcome: Outcome
    reason: str
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Paper, ...] = ()
    model: str | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    route: str = ""


def refusal(reason: str, nearest: Sequence[Paper] = (), signals: Mapping[str, float] | None = None) -> Draft:
    """A refusal that says why and names the nearest papers."""
    text = f"The papers in this library do not answer that. {reason}"
    if nearest:
        text += " Nearest papers: " + "; ".join(f"“{paper.title}”" for paper in nearest) + "."
    return Draft(text, "refused", reason, nearest=tuple(nearest), signals=signals or {})


Writing = Generator[TextDelta, None, Draft]


def said(draft: Draft) -> Writing:
    """A draft that is complete, given out at once."""
    yield TextDelta(draft.text)
    return draft


def complete(writing: Writing) -> Draft:
    """The draft at the end of the writing; nothing of it is shown on the way."""
    while True:
        try:
            next(writing)
        except StopIteration as done:
            draft: Draft = done.value
            return draft
