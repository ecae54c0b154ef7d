"""The sentences of retrieved papers, each with its place in the abstract and its token vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.chunking import sentences
from rag.models.interfaces import Encoded, Vector
from rag.papers import Paper, Passage
from rag.terms import terms


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """One verbatim sentence: `paper.abstract[start:end] == text`.

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


def evidence_sentences(
    paper: Paper, passages: Sequence[Passage], encoded: Mapping[str, Encoded]
) -> tuple[EvidenceSentence, ...]:
    """All sentences of a paper's abstract, token vectors taken from the passage that holds each."""
    found = []
    for position, span in enumerate(sentences(paper.abstract)):
        tokens: Vector = np.zeros((0, 0), dtype=np.float32)
        for passage in passages:
            if passage.start <= span.start and span.end <= passage.end and passage.passage_id in encoded:
                tokens = _within(encoded[passage.passage_id], span.start - passage.start, span.end - passage.start)
                break
        found.append(
            EvidenceSentence(paper, position, span.text, span.start, span.end, frozenset(terms(span.text)), tokens)
        )
    return tuple(found)


def _within(encoded: Encoded, start: int, end: int) -> Vector:
    rows = (encoded.spans[:, 0] >= start) & (encoded.spans[:, 1] <= end)
    return encoded.tokens[rows]
