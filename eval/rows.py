"""The row of a run: one question, its answer, and all that is needed to recompute every figure.

A row is written once, by `run`; figures, thresholds and reports are computed from rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eval.questions import GoldQuestion

SCHEMA: Literal[1] = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


class Retrieved(_Record):
    """One paper that was retrieved, in rank order; `text` is its passage (kept for the first ten)."""

    paper_id: str
    title: str
    score: float
    scores: Mapping[str, float] = Field(default_factory=dict)
    passage_id: str | None = None
    text: str | None = None
    left_out: str | None = None


class SentenceMeasure(_Record):
    """Grounding of one sentence of the answer, each a score in [0, 1] of `Grounder.support`.

    `context` is against all retrieved text of the answer's context; `cited` against the union of
    what the sentence cites (None where it cites nothing); `alone[i]` against its i-th citation
    only and `without[i]` against all its citations but the i-th, in the order of `markers`.
    A marker that points nowhere scores 0 alone. `worthy` is False for a sentence that claims
    nothing which could be checked (or that the program itself writes around quotes).
    """

    text: str
    worthy: bool
    markers: tuple[int, ...] = ()
    context: float = 0.0
    cited: float | None = None
    alone: tuple[float, ...] = ()
    without: tuple[float, ...] = ()
    note: str = ""


class Fault(_Record):
    """Why a question got no answer: the error's type, message and remedy, as the user sees them."""

    type: str
    message: str
    remedy: str = ""


class Row(_Record):
    """One question of a run.

    `answer` is the JSON contract of the README (`Answer.as_dict()`), None when it failed with
    `fault`. `abstracts` holds the abstract of each cited paper by id, so that quotes can be
    checked again at their offsets. `similarity` is the cosine of the answer with the reference,
    `grounding_ms` what the grounding of all its sentences against the context took.
    For answers of another system (`eval import`) `answer` has no `citations` key.
    """

    schema_version: Literal[1] = SCHEMA
    gold: GoldQuestion
    answer: dict[str, Any] | None = None
    fault: Fault | None = None
    retrieved: tuple[Retrieved, ...] = ()
    abstracts: Mapping[str, str] = Field(default_factory=dict)
    sentences: tuple[SentenceMeasure, ...] = ()
    similarity: float | None = None
    grounding_ms: float | None = None

    @property
    def text(self) -> str:
        """The answer's text, with its markers; empty when it failed."""
        return str(self.answer["answer"]) if self.answer else ""

    @property
    def outcome(self) -> str:
        """answered, partial, corrected, refused, or failed."""
        return str(self.answer["outcome"]) if self.answer else "failed"

    @property
    def refused(self) -> bool:
        """Whether the answer was a refusal."""
        return self.outcome == "refused"

    @property
    def citations(self) -> list[dict[str, Any]] | None:
        """The citations of the contract; None where the system does not cite."""
        return self.answer.get("citations") if self.answer else None

    @property
    def confidence(self) -> float | None:
        """The product's confidence in [0, 1], before it answered or refused; None where it states none."""
        value = (self.answer or {}).get("signals", {}).get("confidence")
        return None if value is None else float(value)
