"""A light reranker: the signals of each paper, each on one scale within the question, weighted and added.

The weights were learned from pairs of a relevant and another paper of SciFact's training questions
(`python -m eval.train_reranker`); none may be negative, so that no signal works against itself elsewhere.
What more signals bring is in docs/retrieval-notes.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

import numpy as np

from rag.answer.ranking.rarity import rarity
from rag.models.interfaces import Vector
from rag.papers import Paper
from rag.terms import terms

SIGNALS = ("fused", "rerank", "whole", "feedback", "sequence")
WEIGHTS = "linear.json"


@lru_cache(maxsize=1)
def weights() -> Vector:
    """The shipped weights, in the order of `SIGNALS` (5,)."""
    stored = json.loads(files(__package__).joinpath(WEIGHTS).read_text("utf-8"))["weights"]
    return np.array([stored[name] for name in SIGNALS], dtype=np.float32)


def linear(papers: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Each paper's score among these, from its signals; a signal that it lacks counts 0."""
    if not papers:
        return {}
    found = standardised([[known.get(name, 0.0) for name in SIGNALS] for known in papers.values()])
    return dict(zip(papers, map(float, found @ weights()), strict=True))


def standardised(signals: Sequence[Sequence[float]]) -> Vector:
    """Signals (n_papers, 5) of one question with mean 0 and deviation 1; 0 where all papers have the same."""
    rows = np.array(signals, dtype=np.float32)
    return np.asarray((rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6), dtype=np.float32)


def meaning(question: Vector, moved: Vector, passages: Vector) -> dict[str, float]:
    """What the vectors of a paper's abstract (n, dim) say: `whole`, its mean cosine to the question, and
    `feedback`, the best to the question as feedback has `moved` it."""
    if not len(passages):
        return {"whole": 0.0, "feedback": 0.0}
    return {"whole": float((passages @ question).mean()), "feedback": float((passages @ moved).max())}


class Sequences:
    """Neighbouring terms of a question, and how much of them stands side by side in a paper."""

    def __init__(self, query: str, frequencies: Mapping[str, int], papers: int) -> None:
        """`frequencies`: in how many of the `papers` each term of the query stands."""
        own = list(dict.fromkeys(terms(query)))
        known = [pair for pair in _pairs(own) if all(frequencies.get(term) for term in pair)]
        self._pairs = {pair: sum(rarity(frequencies[term], papers) for term in pair) for pair in known}

    def found(self, paper: Paper) -> float:
        """The share, by how rare the terms are, of pairs that title or abstract have; 0 where there are none."""
        if not self._pairs:
            return 0.0
        there = {*_pairs(terms(paper.title)), *_pairs(terms(paper.abstract))}
        return sum(rarity for pair, rarity in self._pairs.items() if pair in there) / sum(self._pairs.values())


def _pairs(found: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(found))
