"""A claim held against evidence, sentence by sentence: which words each covers, denies, or turns round.

Every score here is training-free: words that stand in the evidence, MiniLM's token similarity for
those that do not (MaxSim, as in "ColBERT: Efficient and Effective Passage Search via Contextualized
Late Interaction over BERT"), weighted by IDF; and contrasts with the claim's own opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.alignment import Idf, Word, telling_words, word_matches
from rag.answer.contradictions import polarity_mismatch
from rag.answer.polarity import opposites
from rag.models.interfaces import Embedder, Encoded, Vector
from rag.terms import terms

SHORTLIST = 4  # sentences of the evidence that the embedder compares
NEAREST = 3  # of them that are looked at for negation and direction
SOFT = 0.7  # share of token similarity in coverage; the rest is for words that stand there
WHOLE = 0.6  # share of coverage by all the evidence together; the rest is for its best two sentences in a row
COSINE = 0.2  # share of the nearest sentence's similarity in the likeness
AGAINST, FOR = -0.3, 0.05  # most that a direction ("increases") can take away, or add
_NEAR_BEST = 0.85  # of the best sentence's coverage: from there on a sentence can speak for the claim
_OPPOSITES = 3  # words of a claim whose opposites are tried
_KEPT = 4096  # texts whose encoding is kept


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence to be checked: its text, its encoding, and its telling words with their weights."""

    text: str
    encoded: Encoded
    words: list[Word]
    weights: Vector


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence that was compared: one row a sentence, in the order in which they stand.

    `documents` (n,) and `places` (n,) say where each stands; `soft` and `exact` (n, words) match
    each word of the claim; `coverage` (n,) is each sentence's own.
    """

    texts: list[str]
    documents: list[int]
    places: list[int]
    encoded: list[Encoded]
    soft: Vector
    exact: Vector
    coverage: Vector


@dataclass(frozen=True, slots=True)
class _Turned:
    """A claim with one word replaced by its opposite: the word stood from `start` to `end`, its opposite to `past`."""

    text: str
    start: int
    end: int
    past: int


class Comparer:
    """Compares claims with evidence, with the library's word weights. Safe for threads."""

    def __init__(self, idf: Idf, embedder: Embedder) -> None:
        self._idf = idf
        self._embedder = embedder
        self._kept: dict[str, Encoded] = {}

    def claim(self, text: str) -> Claim:
        """A sentence with its telling words, of which it may have none."""
        encoded = self._encoded([text])[0]
        words = telling_words(text, encoded, self._idf)
        return Claim(text, encoded, words, np.array([word.weight for word in words], dtype=np.float32))

    def compare(self, claim: Claim, documents: Sequence[Sequence[str]]) -> Seen:
        """Match the claim's words with the sentences that share most weight with it."""
        weights = {word.term: word.weight for word in claim.words}
        every = [(d, place, text) for d, document in enumerate(documents) for place, text in enumerate(document)]
        shared = [sum(weights.get(term, 0.0) for term in set(terms(text))) for _, _, text in every]
        kept = sorted(sorted(range(len(every)), key=lambda i: (-shared[i], i))[:SHORTLIST])
        texts = [every[i][2] for i in kept]
        # The opposites are wanted next: one call of the embedder costs less than two.
        encoded = self._encoded([*texts, *(turned.text for turned in _turned_round(claim))])[: len(texts)]
        soft = np.stack([word_matches(claim.words, claim.encoded.tokens, frozenset(), e.tokens) for e in encoded])
        exact = np.array([[word.term in set(terms(text)) for word in claim.words] for text in texts], dtype=np.float32)
        matches = SOFT * soft + (1 - SOFT) * exact
        coverage = matches @ claim.weights / claim.weights.sum()
        return Seen(texts, [every[i][0] for i in kept], [every[i][1] for i in kept], encoded, soft, exact, coverage)

    def direction(self, claim: Claim, seen: Seen, nearest: Sequence[int]) -> tuple[float, str]:
        """How much nearer the evidence is to the claim's directions than to their opposites, and the worst word."""
        turned = _turned_round(claim)
        tokens = np.concatenate([seen.encoded[i].tokens for i in nearest])
        lean, against = 0.0, ""
        for other, encoded in zip(turned, self._encoded([other.text for other in turned]), strict=True):
            own = _nearness(claim.encoded, other.start, other.end, tokens)
            opposite = _nearness(encoded, other.start, other.past, tokens)
            if own is not None and opposite is not None and (not against or own - opposite < lean):
                lean, against = own - opposite, claim.text[other.start : other.end]
        return float(np.clip(lean, AGAINST, FOR)), against

    def _encoded(self, texts: Sequence[str]) -> list[Encoded]:
        """Encodings, kept: the sentences of one answer are held against the same passages."""
        # A new dictionary each time: another thread may be reading the old one.
        kept = self._kept if len(self._kept) + len(texts) <= _KEPT else {}
        new = [text for text in dict.fromkeys(texts) if text not in kept]
        if new:
            kept = self._kept = kept | dict(zip(new, self._embedder.encode(new), strict=True))
        return [kept[text] for text in texts]


def _turned_round(claim: Claim) -> list[_Turned]:
    return [
        _Turned(claim.text[:start] + other + claim.text[end:], start, end, start + len(other))
        for start, end, other in opposites(claim.text)[:_OPPOSITES]
    ]


def likeness(claim: Claim, seen: Seen) -> float:
    """Coverage by the best two sentences in a row and by all, mixed with the nearest sentence's similarity."""
    matches = SOFT * seen.soft + (1 - SOFT) * seen.exact
    following = [
        i + 1 < len(seen.texts)
        and seen.documents[i + 1] == seen.documents[i]
        and seen.places[i + 1] == seen.places[i] + 1
        for i in range(len(seen.texts))
    ]
    windows = [np.maximum(row, matches[i + 1]) if following[i] else row for i, row in enumerate(matches)]
    total = claim.weights.sum()
    window = max(float(row @ claim.weights / total) for row in windows)
    whole = float(matches.max(axis=0) @ claim.weights / total)
    cosine = max(float(claim.encoded.vector @ encoded.vector) for encoded in seen.encoded)
    return (1 - COSINE) * (WHOLE * whole + (1 - WHOLE) * window) + COSINE * cosine


def denial(claim: Claim, seen: Seen, nearest: Sequence[int]) -> float:
    """Share of the claim that is negated on one side only, by the kindest of the sentences that cover it best."""
    best = float(seen.coverage[nearest[0]])
    speaking = [i for i in nearest if seen.coverage[i] >= _NEAR_BEST * best]
    return min(
        polarity_mismatch(claim.text, claim.encoded, claim.words, seen.texts[i], seen.encoded[i]) for i in speaking
    )


def _nearness(encoded: Encoded, start: int, end: int, tokens: Vector) -> float | None:
    """Mean of the best similarity of the tokens from `start` to `end`; None where the embedder cut them off."""
    rows = (encoded.spans[:, 0] >= start) & (encoded.spans[:, 1] <= end) & (encoded.spans[:, 0] >= 0)
    return float((encoded.tokens[rows] @ tokens.T).max(axis=1).mean()) if rows.any() else None


def only(seen: Seen, row: int) -> Seen:
    """One sentence of the evidence by itself."""
    one = slice(row, row + 1)
    return Seen(
        seen.texts[one], seen.documents[one], seen.places[one], seen.encoded[one],
        seen.soft[one], seen.exact[one], seen.coverage[one],
    )  # fmt: skip
