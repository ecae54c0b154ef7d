"""The sentences of retrieved papers, each with its place in the abstract or full text and its token vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from rag.chunking import SentenceSpan, sentences
from rag.models.interfaces import Encoded, Vector
from rag.papers import Paper, Passage
from rag.terms import terms


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """One verbatim sentence: `paper.abstract[start:end] == text`, or so in the full text, in that `passage` of it.

    `tokens` (n, dim) are its token vectors as the embedder saw them inside their passage, so
    a sentence that says only "it" still knows what its passage is about.
    """

    paper: Paper
    position: int
    text: str
    start: int
    end: int
    terms: frozenset[str]
    tokens: Vector
    passage: Passage | None = None


def evidence_sentences(
    paper: Paper, passages: Sequence[Passage], encoded: Mapping[str, Encoded]
) -> tuple[EvidenceSentence, ...]:
    """All sentences of a paper's abstract and then those of its full text's `passages`, in order.

    Token vectors are taken from the passage that holds each; a sentence that two passages share comes once.
    """
    of_abstract = [passage for passage in passages if not passage.in_body]
    placed: dict[tuple[bool, int], tuple[SentenceSpan, Passage | None]] = {}
    for span in sentences(paper.abstract):
        holding = (p for p in of_abstract if p.start <= span.start and span.end <= p.end and p.passage_id in encoded)
        placed[False, span.start] = (span, next(holding, None))
    for passage in sorted((p for p in passages if p.in_body), key=attrgetter("ordinal")):
        for span in sentences(passage.text):
            moved = SentenceSpan(span.text, passage.start + span.start, passage.start + span.end)
            placed.setdefault((True, moved.start), (moved, passage))
    return tuple(
        EvidenceSentence(
            paper,
            position,
            span.text,
            span.start,
            span.end,
            frozenset(terms(span.text)),
            _tokens(encoded, passage, span),
            passage if in_body else None,
        )
        for position, ((in_body, _), (span, passage)) in enumerate(placed.items())
    )


def _tokens(encoded: Mapping[str, Encoded], passage: Passage | None, span: SentenceSpan) -> Vector:
    if passage is None or passage.passage_id not in encoded:
        return np.zeros((0, 0), dtype=np.float32)
    return _within(encoded[passage.passage_id], span.start - passage.start, span.end - passage.start)


def _within(encoded: Encoded, start: int, end: int) -> Vector:
    rows = (encoded.spans[:, 0] >= start) & (encoded.spans[:, 1] <= end)
    return encoded.tokens[rows]
