"""Which passages of a paper's full text are read for a question: the nearest by meaning, and those with its words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from rag.library.library import Library
from rag.library.records import Hit
from rag.models.interfaces import Vector
from rag.papers import Filters, Passage
from rag.terms import content_words, terms

NEAREST = 4  # passages of each full text by their vectors
WORDED = 2  # and by the question's words, which a number or a name deep in a paper needs
LOOKED_INTO = 5  # full texts that are looked into whatever the search of the whole library found in them


def passages_in_bodies(
    library: Library, query: str, vector: Vector, having: Sequence[str], dense: Sequence[Hit]
) -> dict[str, list[Passage]]:
    """Paper id -> passages of its full text in reading order, for papers `having` one, best paper first.

    Args:
        vector: the query's (dim,).
        dense: the nearest passages of the whole library, nearest first.
    """
    met = _in_body(library, [hit for hit in dense if hit.paper_id in having])
    first = having[:LOOKED_INTO]
    unmet = tuple(paper_id for paper_id in first if paper_id not in met)
    met |= _in_body(library, library.nearest_vectors(vector, NEAREST * len(unmet), Filters(paper_ids=unmet)))
    found = {paper_id: passages[:NEAREST] for paper_id, passages in met.items()}
    for paper_id, passages in library.passages(first).items():
        found.setdefault(paper_id, []).extend(_with_words(query, [p for p in passages if p.in_body]))
    return {paper_id: _in_reading_order(passages) for paper_id, passages in found.items()}


def _in_body(library: Library, hits: Sequence[Hit]) -> dict[str, list[Passage]]:
    """Those of the passages found that belong to full texts, by paper, in the order found."""
    passages = library.passages_by_id([hit.passage_id for hit in hits])
    found: dict[str, list[Passage]] = {}
    for hit in hits:
        if hit.passage_id in passages and passages[hit.passage_id].in_body:
            found.setdefault(hit.paper_id, []).append(passages[hit.passage_id])
    return found


def _with_words(query: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that together have most of the query's telling words, by how rare each is within this text.

    Each adds to what the ones before it have, so that the one place of a name is not lost behind common words.
    """
    left = {term for _, _, term in content_words(query)}
    own = [left & set(terms(passage.text)) for passage in passages]
    having = Counter(term for each in own for term in each)
    rarity = {term: math.log((len(passages) + 1) / (count + 0.5)) for term, count in having.items()}
    found: list[Passage] = []
    while len(found) < WORDED and left & having.keys():
        best = max(range(len(passages)), key=lambda i: (sum(rarity[term] for term in own[i] & left), -i))
        if not own[best] & left:
            break
        found.append(passages[best])
        left -= own[best]
    return found


def _in_reading_order(passages: Iterable[Passage]) -> list[Passage]:
    return sorted({passage.passage_id: passage for passage in passages}.values(), key=attrgetter("ordinal"))
