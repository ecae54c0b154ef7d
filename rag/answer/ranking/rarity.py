"""How rare a term is."""

from __future__ import annotations

import math


def rarity(frequency: int, papers: int) -> float:
    """The inverse document frequency of a term that `frequency` of the `papers` have, as BM25 has it; above 0."""
    return math.log(1 + (papers - min(frequency, papers) + 0.5) / (frequency + 0.5))
