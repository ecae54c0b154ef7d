"""What the HTTP API takes and gives, as its documentation shows it."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.answer.answer import Searched, Turn, dated
from rag.answer.retrieve import Retrieval
from rag.batch import retrieval_dict
from rag.papers import Filters, Paper
from rag.settings import AnswererName, Style

DATED = 'As far as the date is known: "2021-08-14", "2021-08", "2021"; null without one.'


class _Given(BaseModel):
    """A misspelt field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Message(_Given):
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str


class FiltersGiven(_Given):
    """Which papers may be used; dates are inclusive. What the question itself asks for narrows it further."""

    published_from: date | None = None
    published_to: date | None = None
    organisation: str | None = Field(None, description="As the library lists it.", examples=["Kyutai"])
    min_authors: int | None = Field(None, ge=0)
    max_authors: int | None = Field(None, ge=0)
    paper_ids: list[str] | None = Field(None, max_length=10_000)

    def filters(self) -> Filters:
        """As the engine takes them."""
        ids = None if self.paper_ids is None else tuple(self.paper_ids)
        return Filters(**{**dict(self), "paper_ids": ids})


class _Question(_Given):
    question: str = Field(examples=["Which papers speed up attention?"])
    history: list[Message] = Field(default=[], max_length=200, description="The conversation so far, oldest first.")
    filters: FiltersGiven | None = None

    def turns(self) -> tuple[Turn, ...]:
        """The history as the engine takes it."""
        return tuple(Turn(message.role, message.content) for message in self.history)

    def within(self) -> Filters | None:
        """The filters as the engine takes them."""
        return self.filters.filters() if self.filters else None


class AskRequest(_Question):
    """A question, and how it is to be answered."""

    answerer: AnswererName | None = Field(None, description="Who writes the answer; left out, as configured.")
    style: Style | None = Field(None, description="How the answer is written; left out, as configured.")
    stream: bool = Field(True, description="Server-sent events as the answer comes; false gives it whole, as JSON.")


class RetrieveRequest(_Question):
    """What to look for."""

    k: int = Field(10, ge=1, le=100, description="How many papers.")


class PaperOut(BaseModel):
    """A paper as its source lists it."""

    paper_id: str
    title: str
    abstract: str
    published: str | None = Field(description=DATED)
    year_inferred: bool
    n_authors: int | None
    organisation: str | None
    authors: list[str] = Field(description="Empty where only their number is known.")
    arxiv_id: str | None = Field(description="Without a version.")
    doi: str | None
    url: str | None
    has_full_text: bool = Field(description="Whether the library holds more of it than the abstract.")

    @classmethod
    def of(cls, paper: Paper) -> PaperOut:
        """From the library's."""
        return cls(
            paper_id=paper.paper_id,
            title=paper.title,
            abstract=paper.abstract,
            published=dated(paper),
            year_inferred=paper.year_inferred,
            n_authors=paper.n_authors,
            organisation=paper.organisation,
            authors=list(paper.authors),
            arxiv_id=paper.arxiv_id,
            doi=paper.doi,
            url=paper.url,
            has_full_text=paper.body_hash is not None,
        )


class PaperDetails(BaseModel):
    """A paper, and the sources that list it."""

    paper: PaperOut
    sources: list[str]


class PapersOut(BaseModel):
    """A part of a list of papers."""

    total: int = Field(description="How many the whole list has.")
    offset: int
    limit: int
    papers: list[PaperOut]


class RankedOut(BaseModel):
    """A paper that was found, with what each part of the search gave it."""

    rank: int
    paper_id: str
    title: str
    published: str | None = Field(description=DATED)
    score: float = Field(
        description="What the papers are ordered by, highest first; it compares papers of one search only."
    )
    scores: dict[str, float] = Field(
        description="What each part of the search said: dense, words, feedback, fused (each with NAME_rank), rerank, "
        "whole, sequence, linear, named; absent where a part did not see the paper. And score, as above."
    )
    matched: list[str] = Field(description="The question's words that title or abstract have.")
    missing: list[str] = Field(description="The question's words that neither has.")


class RetrieveResponse(BaseModel):
    """The papers that were found, best first."""

    question: str
    query_used: str
    filters: dict[str, Any]
    sides: list[str] = Field(description="The parts of the question that were searched for, too; mostly none.")
    papers: list[RankedOut]

    @classmethod
    def of(cls, question: str, found: Retrieval) -> RetrieveResponse:
        """From the engine's."""
        return cls.model_validate(retrieval_dict(question, found))


class CitationOut(BaseModel):
    """Marker [n]: `quote` is the text from `start` to `end` of the abstract, or of the full text."""

    n: int
    paper_id: str
    title: str
    published: str | None = Field(description=DATED)
    quote: str
    start: int
    end: int
    support: float = Field(ge=0, le=1)
    in_full_text: dict[str, Any] | None = Field(description="The passage of the full text; null for the abstract.")


class SentenceOut(BaseModel):
    """A sentence of the answer, and whether its citations support it."""

    text: str
    markers: list[int]
    support: float
    supported: bool
    note: str


class AnswerOut(BaseModel):
    """An answer with its evidence, as `paperchat ask --json` prints it."""

    question: str
    query_used: str = Field(description="What was searched for; differs from the question in a follow-up.")
    filters: dict[str, Any]
    answer: str = Field(description="Text with [n] markers.")
    outcome: Literal["answered", "partial", "corrected", "refused"]
    refused: bool
    reason: str
    citations: list[CitationOut]
    passages: list[dict[str, Any]]
    answerer: Literal["quotes", "openai", "local"]
    model: str | None
    timings_ms: dict[str, float]
    usage: dict[str, int]
    sentences: list[SentenceOut]
    nearest: list[dict[str, Any]] = Field(description="After a refusal: the papers that come nearest.")
    signals: dict[str, float]
    confidence: Literal["high", "medium", "low"]
    style: Style
    route: str
    language: str


class Problem(BaseModel):
    """What happened, and what to do about it."""

    type: str
    message: str
    remedy: str
    retryable: bool


class ErrorOut(BaseModel):
    """Every failure has this form."""

    error: Problem


def searched_dict(searched: Searched) -> dict[str, Any]:
    """The `searched` event."""
    papers = [
        {"paper_id": found.paper.paper_id, "title": found.paper.title, "published": dated(found.paper)}
        for found in searched.passages
    ]
    return {"query_used": searched.query_used, "filters": searched.filters.as_dict(), "papers": papers}
