"""Questions with several sides: their facets, and the papers that together cover them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from rag.answer.alignment import Word
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.question import Question
from rag.models.interfaces import Vector

FACET_SHARE = 0.4  # of covering the question's facets, beside the papers' own scores; set on the bundled questions
POOL = 10  # best papers from which those compared are taken
FEWEST_WORDS = 2  # telling words of a facet; a shorter piece belongs to the one before it

_BORDER = re.compile(r"[,;:?.]\s|\s-+\s|\b(?:and|or|versus|vs\.?|against|while|whereas)\b", re.I)


def facets(text: str, words: Sequence[Word]) -> list[list[int]]:
    """Indices of the telling words of each clause of `text`: "how X does it, and what Y does" has two."""
    cuts = [0, *(match.end() for match in _BORDER.finditer(text)), len(text) + 1]
    found: list[list[int]] = []
    for start, end in pairwise(cuts):
        own = [i for i, word in enumerate(words) if start <= word.start < end]
        if len(own) >= FEWEST_WORDS or (own and not found):
            found.append(own)
        elif own:
            found[-1] += own
    return found


def best_together(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], named: Sequence[PaperEvidence], wanted: int
) -> list[PaperEvidence]:
    """The `wanted` papers that score well and whose best match of each facet is good.

    `named` ones are among them in any case, first and in their order; the others follow by rank.
    """
    kept = list(named[:wanted])
    pool = [paper for paper in papers[:POOL] if not any(paper is other for other in kept)]
    missing = min(wanted - len(kept), len(pool))
    weights = np.array([word.weight for word in evidence.words], dtype=np.float32)
    sides = facets(question.query[: question.focus], evidence.words)
    matches = {id(paper): surely(paper) for paper in (*kept, *pool)}

    def value(added: tuple[PaperEvidence, ...]) -> float:
        chosen = [*kept, *added]
        covered = sum(max(float(matches[id(paper)][side] @ weights[side]) for paper in chosen) for side in sides) / max(
            float(weights.sum()), 1e-9
        )
        return float(np.mean([paper.ranked.score for paper in chosen])) + FACET_SHARE * covered

    best = max(combinations(pool, missing), key=value)
    return [*kept, *sorted(best, key=lambda paper: paper.ranked.rank)]


def surely(paper: PaperEvidence) -> Vector:
    """Word matches (n_words,) with the similarity that any two words have taken away."""
    return np.asarray(np.clip((paper.matches - 0.5) / 0.5, 0, 1), dtype=np.float32)
