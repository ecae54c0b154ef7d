"""Two arms of a search made one list: scores of different kinds are brought to one scale and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from rag.library.records import Hit

DENSE_WEIGHT = 0.5  # of min-max fusion; docs/retrieval-notes.md has what other weights do
RRF_K = 60  # as its paper has it


def roll_up(hits: Sequence[Hit]) -> dict[str, float]:
    """Each paper's best passage score, in rank order."""
    papers: dict[str, float] = {}
    for hit in hits:
        papers[hit.paper_id] = max(hit.score, papers.get(hit.paper_id, hit.score))
    return papers


def fuse(
    dense: Mapping[str, float],
    words: Mapping[str, float],
    by: Literal["min-max", "rrf"] = "min-max",
    *,
    arm: str = "dense",
) -> dict[str, dict[str, float]]:
    """Fusion of two arms: scores and ranks per paper, `fused` in [0, 1]; the first is called `arm`.

    A paper that an arm did not find counts 0 there. `rrf` is "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods": it knows ranks only.
    """
    part = min_max if by == "min-max" else _reciprocal
    dense_part, words_part = part(dense), part(words)
    scores: dict[str, dict[str, float]] = {}
    for name, found in ((arm, dense), ("words", words)):
        for rank, paper_id in enumerate(_ranked(found), 1):
            scores.setdefault(paper_id, {}).update({name: found[paper_id], f"{name}_rank": rank})
    for paper_id, known in scores.items():
        known["fused"] = DENSE_WEIGHT * dense_part.get(paper_id, 0.0) + (1 - DENSE_WEIGHT) * words_part.get(
            paper_id, 0.0
        )
    for rank, paper_id in enumerate(_ranked({paper_id: known["fused"] for paper_id, known in scores.items()}), 1):
        scores[paper_id]["fused_rank"] = rank
    return scores


def best_first(scores: Mapping[str, Mapping[str, float]], by: str) -> list[str]:
    """Paper ids by one of their scores, ties by id."""
    return _ranked({paper_id: known[by] for paper_id, known in scores.items()})


def min_max(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores on a scale from 0 for the least to 1 for the best; all 1 where they are equal."""
    if not scores:
        return {}
    values = np.array(list(scores.values()))
    low, span = float(values.min()), float(values.max() - values.min())
    return {key: (value - low) / span if span > 1e-12 else 1.0 for key, value in scores.items()}


def _reciprocal(scores: Mapping[str, float]) -> dict[str, float]:
    return {key: (RRF_K + 1) / (RRF_K + rank) for rank, key in enumerate(_ranked(scores), 1)}


def _ranked(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda key: (-scores[key], key))
