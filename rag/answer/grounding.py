"""Whether evidence supports a sentence: word coverage, numbers, and MiniLM's token similarity.

The one grounding score: answers are checked with it when they are written, and `eval/` scores
with this same code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rag.answer.alignment import Idf, coverage, telling_words, word_matches
from rag.models.interfaces import Embedder
from rag.numbers import quantities
from rag.terms import terms

SUPPORTED = 0.75  # coverage from which a sentence counts as supported
SHORTLIST = 3  # evidence sentences that are compared by the embedder
_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")


class HasText(Protocol):
    """Anything with a text: a sentence of an abstract, a passage."""

    @property
    def text(self) -> str:
        """The text itself."""
        ...


@dataclass(frozen=True, slots=True)
class Support:
    """`score` in [0, 1], whether that is enough, the index of the `best` evidence, and why not."""

    score: float
    supported: bool
    best: int | None
    note: str = ""


class Grounder:
    """Checks sentences against evidence, with the library's word weights."""

    def __init__(self, idf: Idf, embedder: Embedder) -> None:
        self._idf = idf
        self._embedder = embedder

    def support(self, sentence: str, evidence: Sequence[HasText]) -> Support:
        """The best support that any one piece of `evidence` gives to `sentence`.

        A number that the best evidence does not state makes the sentence unsupported whatever
        its words say. A sentence without a telling word needs no support.
        """
        claim = _MARKER.sub("", sentence).strip()
        if not evidence:
            return Support(0.0, False, None, "no passage is cited")
        encoded = self._embedder.encode([claim], query=True)[0]
        words = telling_words(claim, encoded, self._idf)
        if not words:
            return Support(1.0, True, None)
        shortlist = self._shortlist(claim, evidence)
        scores = []
        for index, piece in zip(shortlist, self._embedder.encode([evidence[i].text for i in shortlist]), strict=True):
            matches = word_matches(words, encoded.tokens, frozenset(terms(evidence[index].text)), piece.tokens)
            scores.append(coverage(words, matches))
        missing = [quantities(claim) - quantities(evidence[i].text) for i in shortlist]
        best = int(np.argmax([score - 0.5 * bool(gap) for score, gap in zip(scores, missing, strict=True)]))
        score = max(0.0, scores[best] - 0.5 * bool(missing[best]))
        if missing[best]:
            note = f"the cited sentence does not state {', '.join(sorted(missing[best]))}"
            return Support(score, False, shortlist[best], note)
        if score < SUPPORTED:
            return Support(score, False, shortlist[best], "its words are not covered by the cited sentence")
        return Support(score, True, shortlist[best])

    def _shortlist(self, claim: str, evidence: Sequence[HasText]) -> list[int]:
        """The pieces that share most weight of words with the claim."""
        wanted = set(terms(claim))
        weights = {term: self._idf(term)[0] for term in wanted}
        shared = [sum(weights[t] for t in wanted & set(terms(piece.text))) for piece in evidence]
        return sorted(range(len(evidence)), key=lambda i: (-shared[i], i))[:SHORTLIST]
