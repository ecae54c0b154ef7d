"""What an answer is: the typed result, its parts, and the events by which it streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rag.papers import Filters, Paper, Passage
from rag.settings import Style

Outcome = Literal["answered", "partial", "corrected", "refused"]
AnswererKind = Literal["quotes", "openai", "local"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A passage with its paper and every score and rank it got on the way.

    `scores` hold what each part of the search said of the paper; what did not see it is absent. `dense` is the
    cosine of its best passage to the question, `words` BM25, `feedback` the cosine to the question as the papers
    found first moved it, `fused` the arms together; `dense_rank`, `words_rank`, `feedback_rank` and `fused_rank`
    are its ranks by them. Of a paper that was read closely `rerank` is the reranker's score of its best passage;
    where the reranker is `linear`, `whole` is the mean cosine of its abstract's passages, `sequence` the share of
    the question's neighbouring terms that stand side by side in it, and `linear` all signals weighed; `feedback` is
    then told also where that search did not find it, without a rank. `named` is what a name in the question adds,
    `resembling` the share of the question, in words that no paper has, that its title has but for a slip, a part of
    `fused`. Of a paper that only a side of the question found, `dense` is said of that side.
    `score` is the final one.
    `left_out` says why a candidate is not in the context; None means that it is.
    """

    paper: Paper
    passage: Passage
    scores: Mapping[str, float]
    left_out: str | None = None


def place_in_words(passage: Passage) -> str:
    """Where a passage stands: "abstract", or its place in the full text ("page 4, section “Methods”")."""
    if not passage.in_body:
        return "abstract"
    page = f"page {passage.page}" if passage.page is not None else ""
    section = f"section “{passage.section}”" if passage.section else ""
    return ", ".join(part for part in (page, section) if part) or "full text"


@dataclass(frozen=True, slots=True)
class Citation:
    """Marker `[n]`: one paper and the sentence of it that supports the answer.

    Without a `passage` the quote stands in the abstract: `paper.abstract[start:end] == quote`. With one it
    stands in the paper's full text, whose characters the offsets count, and that passage of it holds the
    quote: `passage.text[start - passage.start : end - passage.start] == quote`. `support` is the grounding
    score in [0, 1] of the answer's sentence against this quote.
    """

    n: int
    paper: Paper
    quote: str
    start: int
    end: int
    support: float
    passage: Passage | None = None

    @property
    def where(self) -> str:
        """Where in the full text the quote begins, in words ("page 4, section 2 Methods"); empty for the abstract."""
        return place_in_words(self.passage) if self.passage else ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the answer with its markers, and whether its citations support it."""

    text: str
    markers: tuple[int, ...]
    support: float
    supported: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole result. `answer` is text with `[n]` markers; `reason` says why in one sentence.

    `confidence` is the level of `signals["confidence"]`, the calibrated chance that the outcome is
    right. `route` says why this answerer was taken where the program chose it; `language` names
    the answer's language where it is not English.
    """

    question: str
    query_used: str
    filters: Filters
    answer: str
    outcome: Outcome
    reason: str
    answerer: AnswererKind
    model: str | None = None
    citations: tuple[Citation, ...] = ()
    passages: tuple[RetrievedPassage, ...] = ()
    left_out: tuple[RetrievedPassage, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    nearest: tuple[Paper, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    confidence: Confidence = "medium"
    style: Style = "standard"
    route: str = ""
    language: str = ""

    @property
    def refused(self) -> bool:
        """Whether the papers were found not to answer the question."""
        return self.outcome == "refused"

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract documented in the README; keys are never renamed or removed."""
        return {
            "question": self.question,
            "query_used": self.query_used,
            "filters": self.filters.as_dict(),
            "answer": self.answer,
            "outcome": self.outcome,
            "refused": self.refused,
            "reason": self.reason,
            "citations": [_citation_dict(citation) for citation in self.citations],
            "passages": [
                {"paper_id": p.paper.paper_id, "title": p.paper.title, "text": p.passage.text, "scores": dict(p.scores)}
                for p in self.passages
            ],
            "answerer": self.answerer,
            "model": self.model,
            "timings_ms": dict(self.timings_ms),
            "usage": dict(self.usage),
            "sentences": [
                {
                    "text": s.text,
                    "markers": list(s.markers),
                    "support": round(s.support, 4),
                    "supported": s.supported,
                    "note": s.note,
                }
                for s in self.sentences
            ],
            "nearest": [{"paper_id": p.paper_id, "title": p.title, "published": dated(p)} for p in self.nearest],
            "signals": dict(self.signals),
            "confidence": self.confidence,
            "style": self.style,
            "route": self.route,
            "language": self.language,
        }


def _citation_dict(citation: Citation) -> dict[str, Any]:
    return {
        "n": citation.n,
        "paper_id": citation.paper.paper_id,
        "title": citation.paper.title,
        "published": dated(citation.paper),
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
        "support": round(citation.support, 4),
        "in_full_text": _place_dict(citation.passage) if citation.passage else None,
    }


def _place_dict(passage: Passage) -> dict[str, Any]:
    return {
        "page": passage.page,
        "section": passage.section,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
    }


def dated(paper: Paper) -> str | None:
    """A paper's date as JSON has it: ISO as far as it is known ("2021-08-14", "2021-08", "2021"), or None."""
    return paper.dated or None


# --- events, in the order in which they come: Searched, TextDelta*, Finished -------------------


@dataclass(frozen=True, slots=True)
class Searched:
    """Retrieval is done: what was searched, under which filters, and what was found."""

    query_used: str
    filters: Filters
    passages: tuple[RetrievedPassage, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer, already checked: append it to what came before."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event. `answer.answer` equals all deltas joined."""

    answer: Answer


Event = Searched | TextDelta | Finished
