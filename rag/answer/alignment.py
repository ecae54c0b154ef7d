"""How well a text covers a question: late interaction weighted by how telling each word is.

Each word of the question counts by its IDF. A word that stands in the text counts fully; else
its best-matching token does (MaxSim, as in "ColBERT: Efficient and Effective Passage Search via
Contextualized Late Interaction over BERT"). One score serves sentence choice and refusal alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.ranking.rarity import rarity
from rag.models.interfaces import Encoded, Vector
from rag.terms import content_words, terms

INHERITED_WEIGHT = 0.4  # of a word that stands for what the conversation was about


@dataclass(frozen=True, slots=True)
class Word:
    """One telling word of a question: its place, term, weight, and the rows of its tokens.

    `unknown` words stand in no passage of the library.
    """

    text: str
    start: int
    term: str
    weight: float
    rows: tuple[int, ...]
    unknown: bool


class Idf:
    """Inverse document frequency of terms in the library, as BM25 has it."""

    def __init__(self, frequencies: Callable[[Sequence[str]], Mapping[str, int]], documents: int) -> None:
        self._frequencies = frequencies
        self._documents = max(documents, 1)
        self._known: dict[str, int] = {}

    def __call__(self, term: str) -> tuple[float, int]:
        """A term's weight and how many passages have it; a term that none has weighs most."""
        if term not in self._known:
            self._known.update(self._frequencies([term]))
        count = min(self._known.get(term, 0), self._documents)
        return rarity(count, self._documents), count


def idf_of(texts: Iterable[str]) -> Idf:
    """Word weights from texts alone, each a document: for evidence that stands in no library."""
    documents = 0
    frequencies: Counter[str] = Counter()
    for text in texts:
        documents += 1
        frequencies.update(set(terms(text)))
    return Idf(lambda wanted: {term: frequencies[term] for term in wanted}, documents)


def telling_words(
    text: str,
    encoded: Encoded,
    idf: Idf,
    *,
    focus: int | None = None,
    inherited: frozenset[str] = frozenset(),
) -> list[Word]:
    """The words of `text` that carry its subject, with their weights and token rows.

    Words that a follow-up takes from the conversation count less: those past the character
    `focus`, and terms in `inherited`. A word that the embedder cut off is left out.
    """
    words = []
    for start, end, term in content_words(text):
        rows = np.flatnonzero((encoded.spans[:, 0] >= start) & (encoded.spans[:, 1] <= end))
        own = (focus is None or start < focus) and term not in inherited
        if len(rows):
            weight, count = idf(term)
            weight *= 1.0 if own else INHERITED_WEIGHT
            words.append(Word(text[start:end], start, term, weight, tuple(int(r) for r in rows), count == 0))
    return words


def word_matches(
    words: Sequence[Word], question_tokens: Vector, text_terms: frozenset[str] | set[str], text_tokens: Vector
) -> Vector:
    """Match in [0, 1] of each question word with a text of tokens (n, dim): 1 where it stands there."""
    if not len(text_tokens):
        return np.array([float(word.term in text_terms) for word in words], dtype=np.float32)
    best = np.clip((question_tokens @ text_tokens.T).max(axis=1), 0.0, 1.0)
    return np.array(
        [1.0 if word.term in text_terms else float(best[list(word.rows)].mean()) for word in words], dtype=np.float32
    )


def coverage(words: Sequence[Word], matches: Vector) -> float:
    """Weighted mean of the matches; 0 when the question has no telling word."""
    total = sum(word.weight for word in words)
    return float(sum(word.weight * float(m) for word, m in zip(words, matches, strict=True)) / total) if total else 0.0
