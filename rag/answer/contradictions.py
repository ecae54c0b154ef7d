"""What a sentence states and its evidence does not, or denies: numbers, units, names, negations.

Coverage ranks by how much of a sentence stands in the evidence; one wrong figure or one "not"
hardly lowers it. These checks look at the parts on which a reader relies most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.answer.alignment import Word
from rag.answer.names import mentions, names
from rag.answer.polarity import is_negated, negated
from rag.models.interfaces import Encoded
from rag.numbers import stated_numbers, units
from rag.terms import terms

_SAME_NAME = 0.4  # similarity from which a name may be written in another way


def missing_numbers(claim: str, evidence: str) -> frozenset[str]:
    """The numbers, in digits or spelled out, that `claim` states and `evidence` does not."""
    claimed = stated_numbers(claim)
    known = stated_numbers(evidence).union(*units(evidence).values())  # "70B" states "billion" as a unit
    # The 4 of "4th" is no number of its own where the evidence says "fourth".
    return frozenset(number for number in claimed - known if f"{number}th" not in claimed & known)


def wrong_units(claim: str, evidence: str) -> list[str]:
    """Numbers that `evidence` gives in other units only: "100 ms" where it says "100 s"."""
    known = units(evidence)
    return [
        f"{number} {unit}"
        for number, found in units(claim).items()
        for unit in sorted(found)
        if number in known and unit not in known[number]
    ]


def missing_names(claim: str, evidence: str, words: Sequence[Word], best: Sequence[float]) -> list[str]:
    """Names in `claim` that `evidence` neither mentions nor resembles; `best` is each word's best match."""
    missing = []
    for name in names(claim):
        parts = set(terms(name))
        near = min((match for word, match in zip(words, best, strict=True) if word.term in parts), default=1.0)
        if near < _SAME_NAME and not mentions(evidence, name):
            missing.append(name)
    return missing


def polarity_mismatch(claim: str, encoded: Encoded, words: Sequence[Word], evidence: str, seen: Encoded) -> float:
    """Weighted share of the claim's words, in [0, 1], that are negated on one side only.

    Each word is held against the token of the evidence that resembles it most; the better the
    two fit, the more the pair counts.
    """
    here, there = negated(claim), negated(evidence)
    mismatch = total = 0.0
    for word in words:
        similar = encoded.tokens[list(word.rows)].mean(axis=0) @ seen.tokens.T
        at = int(np.argmax(similar))
        start, end = (int(place) for place in seen.spans[at])
        if start < 0:
            continue
        weight = word.weight * max(0.0, float(similar[at])) ** 2
        total += weight
        mismatch += weight * (
            is_negated(here, word.start, word.start + len(word.text)) != is_negated(there, start, end)
        )
    return mismatch / total if total else 0.0
