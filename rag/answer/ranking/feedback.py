"""Pseudo-relevance feedback: the question's vector is moved towards the papers that were found first.

Its papers are picked by both arms, and what it finds is fused with the words again: before and after, as
"To Interpolate or not to Interpolate: PRF, Dense and Sparse Retrievers" has it. Dense feedback picked by the dense
arm alone harms questions that state a claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.models.encoding import unit
from rag.models.interfaces import Vector
from rag.terms import terms

PAPERS = 3
WEIGHT = 0.4  # of what was found, against the question itself
SHORT = 20  # terms of a question that feedback helps in full; one that says more needs less


def moved(query: str, vector: Vector, papers: Sequence[Vector]) -> Vector:
    """The vector (dim,) of `query` moved towards `papers`, each the direction (dim,) of its abstract; of length 1."""
    if not papers:
        return vector
    weight = WEIGHT * min(1.0, SHORT / max(1, len(terms(query))))
    return unit((1 - weight) * vector + weight * unit(np.mean(papers, axis=0)))
