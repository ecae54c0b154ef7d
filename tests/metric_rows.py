"""Rows made by hand, for the tests of metrics and statistics."""

from __future__ import annotations

from typing import Any

from eval.questions import GoldQuestion
from eval.rows import Fault, Retrieved, Row, SentenceMeasure
from rag.answer.grounding import SUPPORTED

PAPER = "TILDEv2: Fast Passage Re-ranking"
ABSTRACT = "We propose TILDEv2. Indexes are 99\\% smaller."
YES, NO = SUPPORTED, SUPPORTED - 0.01


def gold(qid: str = "q1", **changes: Any) -> GoldQuestion:
    """An answerable question about `PAPER`."""
    fields = {
        "question": "How much smaller are the indexes?",
        "history": (),
        "answerable": True,
        "type": "factoid_number",
        "gold_titles": (PAPER,),
        "must_include": ("99%",),
        "must_not_include": (),
        "gold_answer": "99% smaller.",
    }
    return GoldQuestion(qid=qid, **(fields | changes))


def citation(
    n: int = 1, title: str = PAPER, quote: str = "Indexes are 99\\% smaller.", start: int = 20
) -> dict[str, Any]:
    """A citation of the JSON contract, whose quote stands at its offsets unless told otherwise."""
    end = start + len(quote)
    return {"n": n, "paper_id": title.lower()[:8], "title": title, "quote": quote, "start": start, "end": end}


def sentence(
    context: float = YES,
    *,
    markers: tuple[int, ...] = (1,),
    cited: float | None = YES,
    alone: tuple[float, ...] = (YES,),
    without: tuple[float, ...] = (0.0,),
    worthy: bool = True,
) -> SentenceMeasure:
    """A sentence with one citation that supports it."""
    return SentenceMeasure(
        text="s", worthy=worthy, context=context, markers=markers, cited=cited, alone=alone, without=without
    )


def row(
    text: str = "They are 99% smaller [1].",
    outcome: str = "answered",
    *,
    asked: GoldQuestion | None = None,
    sentences: tuple[SentenceMeasure, ...] = (),
    citations: list[dict[str, Any]] | None = None,
    confidence: float | None = None,
    contexts: tuple[str, ...] = (),
    **fields: Any,
) -> Row:
    """A row of a run that cites, with no citation unless given."""
    signals = {} if confidence is None else {"confidence": confidence}
    return Row(
        gold=asked or gold(),
        answer={"answer": text, "outcome": outcome, "citations": citations or [], "signals": signals},
        sentences=sentences,
        retrieved=tuple(Retrieved(paper_id=str(i), title=f"P{i}", score=1.0, text=t) for i, t in enumerate(contexts)),
        **fields,
    )


def failed(asked: GoldQuestion | None = None) -> Row:
    """A question whose endpoint gave no answer."""
    return Row(gold=asked or gold(), fault=Fault(type="EndpointError", message="No answer."))
