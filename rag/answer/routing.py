"""Who answers when the program may choose: quotes at once where they are sure, else a language model.

A plain factual question whose quotes are well supported needs no model to be answered; a model
then only puts the quotes into a sentence of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from rag.answer.answer import Citation, RetrievedPassage, Sentence, TextDelta
from rag.answer.attribution import Grounding
from rag.answer.confidence import FACTUAL, level
from rag.answer.context import Context, pack
from rag.answer.draft import Draft, complete
from rag.answer.generate import generate
from rag.answer.question import Question
from rag.errors import EndpointError, ModelError
from rag.models.interfaces import Generator as TextGenerator
from rag.models.tokens import count_tokens
from rag.papers import Passage
from rag.settings import Style

PHRASE_TOKENS = 120
CONTEXT_TOKENS = 2000  # far more than the few sentences of an answer need
LEAD_IN = "In short: "


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, and why, as a sentence for the reader."""

    kind: Literal["quotes", "model"]
    why: str


def route(question: Question, probability: float, style: Style = "standard") -> Route:
    """Quotes for a factual question that they answer with high confidence; a model for everything else.

    `probability` is the confidence of the quotes, in [0, 1]. Other words, or more of them, only a model has.
    """
    if style in ("plain", "detailed"):
        return Route("model", "The style asks for more than quotes.")
    if question.kind not in FACTUAL:
        return Route("model", "The question asks for more than a single fact.")
    if level(probability) != "high":
        return Route("model", "The quotes alone are not certain enough.")
    return Route("quotes", f"The question asks for {FACTUAL[question.kind]}, and the quotes state it.")


def phrase(
    question: str,
    quoted: Draft,
    generator: TextGenerator,
    grounder: Grounding,
    *,
    today: date,
    cancelled: threading.Event | None = None,
) -> Generator[TextDelta, None, Draft]:
    """The quotes at once, then one short sentence by a model that reads nothing but them.

    The sentence is checked as every model's text is; one that the quotes do not support, or that
    only repeats them, is left out and counted. A model that fails after the quotes were shown
    leaves them as the answer, and the reason says so.
    """
    yield TextDelta(quoted.text)
    context = _only(quoted.citations)
    writing = generate(
        question,
        context,
        generator,
        grounder,
        today=today,
        max_tokens=PHRASE_TOKENS,
        style="short",
        cancelled=cancelled,
    )
    try:
        written = complete(writing)
    except (EndpointError, ModelError) as error:
        return replace(quoted, reason=f"{quoted.reason} The model added nothing: {error.message}".strip())
    if cancelled is not None and cancelled.is_set():
        return quoted
    sentence = _one_sentence(written, quoted.citations)
    if sentence is None:
        return replace(quoted, signals={**quoted.signals, "phrases_left_out": 1.0}, usage=written.usage)
    added = f"\n\n{LEAD_IN}{sentence.text}"
    yield TextDelta(added)
    return replace(
        quoted,
        text=quoted.text + added,
        sentences=(*quoted.sentences, sentence),
        model=written.model,
        usage=written.usage,
    )


def _only(citations: Sequence[Citation]) -> Context:
    """A prompt's context that holds the quotes and nothing else; each keeps its place in the paper."""
    return pack([_as_passage(i, c) for i, c in enumerate(citations)], CONTEXT_TOKENS, count_tokens)


def _as_passage(ordinal: int, cited: Citation) -> RetrievedPassage:
    at, own = cited.passage, f"{cited.paper.paper_id}@{cited.start}"
    if at is not None:
        quoted = replace(at, passage_id=f"{own}#body", text=cited.quote, start=cited.start, end=cited.end)
    else:
        quoted = Passage(own, cited.paper.paper_id, ordinal, cited.quote, cited.start, cited.end)
    return RetrievedPassage(cited.paper, quoted, {})


def _one_sentence(written: Draft, citations: Sequence[Citation]) -> Sentence | None:
    """The model's sentence with the numbers that its papers have among the quotes.

    None where it wrote more than one, or one without support, or what a quote says already.
    """
    if written.outcome != "answered" or len(written.sentences) != 1 or not written.sentences[0].markers:
        return None
    sentence = written.sentences[0]
    numbers = {c.paper.paper_id: c.n for c in citations}
    ours = {c.n: numbers[c.paper.paper_id] for c in written.citations}
    markers = tuple(ours[marker] for marker in sentence.markers)
    before, after = ("".join(f"[{n}]" for n in some) for some in (sentence.markers, markers))
    if any(_letters(c.quote) == _letters(sentence.text.replace(before, "")) for c in citations):
        return None
    return replace(sentence, text=sentence.text.replace(before, after), markers=markers)


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
