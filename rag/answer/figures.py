"""Numbers that evidence states of something else: "5.3% on BEIR, 8.7% on COCO" for the reverse.

Whether a number stands in the evidence is told by `rag.answer.contradictions`; here its neighbours are
compared. Only words that are nearly the same around another number count against a sentence, so that
a freely worded one is left in peace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.numbers import quantities

REACH = 6  # tokens on either side of a number that are its neighbours
SAME_PLACE = 0.7  # share of a number's neighbours that also stand around another number of the evidence
CLEARLY = 0.2  # by which that place must fit better than any place of the number itself

# A full stop ends a clause only before a capital or at the end: not in "vs. 2.6".
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[^\W\d_]+|%|[;:]|\.(?=\s+[A-Z]|\s*$)")
_STOPS = frozenset(";:.")

Neighbours = Mapping[tuple[int, str], float]
"""The weight of each word by its side, -1 or 1: nearer ones weigh more."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a number stands."""

    number: str
    near: Neighbours


def misplaced(claim: str, evidence: str) -> list[str]:
    """Numbers of `claim` that stand in `evidence`, but where the words around them surround another number there."""
    known = _places(evidence)
    return [place.number for place in _places(claim) if _is_misplaced(place, known)]


def _is_misplaced(place: _Place, known: Sequence[_Place]) -> bool:
    own = max((_likeness(place.near, other.near) for other in known if other.number == place.number), default=None)
    if own is None:
        return False
    others = max((_likeness(place.near, other.near) for other in known if other.number != place.number), default=0.0)
    return others >= SAME_PLACE and others - own >= CLEARLY


def _places(text: str) -> list[_Place]:
    """The numbers of a text with their neighbours; other numbers hold a place and say nothing."""
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    found = []
    for at, token in enumerate(tokens):
        number = next(iter(quantities(token)), None) if token[0].isdigit() else None
        if number is not None:
            near = {**_side(tokens[at + 1 : at + 1 + REACH], 1), **_side(tokens[max(0, at - REACH) : at][::-1], -1)}
            found.append(_Place(number, near))
    return found


def _side(tokens: Sequence[str], side: int) -> dict[tuple[int, str], float]:
    """Words on one side, nearest first, up to the end of the clause."""
    near: dict[tuple[int, str], float] = {}
    for distance, token in enumerate(tokens, 1):
        if token in _STOPS:
            break
        if not token[0].isdigit():
            near.setdefault((side, token), 1 / distance)
    return near


def _likeness(one: Neighbours, other: Neighbours) -> float:
    """Share in [0, 1] of the weight of `one` that `other` has too; 0 without neighbours."""
    total = sum(one.values())
    return sum(min(weight, other.get(word, 0.0)) for word, weight in one.items()) / total if total else 0.0
