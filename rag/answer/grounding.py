"""How far evidence supports a sentence: one training-free score, used by the product and by `eval/`.

Answers are checked with it when they are written, and `paperchat eval` scores with this same
code; `paperchat eval validate-metric` says how well it agrees with people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rag.answer.alignment import Idf
from rag.answer.comparison import AGAINST, NEAREST, Claim, Comparer, Seen, denial, likeness, only
from rag.answer.contradictions import missing_names, missing_numbers, wrong_units
from rag.chunking import sentences
from rag.models.interfaces import Embedder
from rag.terms import content_words

GROUNDING_VERSION = "3"  # raise it whenever a score may change; figures of another version are not comparable
SUPPORTED = 0.7  # score from which a sentence counts as supported; frozen on the labelled dev data

# What is left of a score when the evidence ...
NUMBER_LEFT = 0.5  # ... does not state a number of the claim, or gives it another unit
NAME_LEFT = 0.7  # ... does not mention a name of the claim
NEGATED_LEFT = 0.5  # ... negates what the claim states, or the reverse
_NEGATED = 0.4  # share of a claim's weight from which it counts as wholly negated
UNREADABLE = "the embedder cannot read its words"
_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can carry a lone one; no tokenizer takes it


class HasText(Protocol):
    """Anything with a text: a sentence of an abstract, a passage."""

    @property
    def text(self) -> str:
        """The text itself."""
        ...


@dataclass(frozen=True, slots=True)
class Support:
    """`score` in [0, 1], whether that is enough, the index of the `best` evidence, and why not."""

    score: float
    supported: bool
    best: int | None
    note: str = ""


class Grounder:
    """Checks sentences against evidence, with the library's word weights. Safe for threads."""

    def __init__(self, idf: Idf, embedder: Embedder) -> None:
        self._comparer = Comparer(idf, embedder)

    def support(self, sentence: str, evidence: Sequence[HasText]) -> Support:
        """The best support that any one piece of `evidence` gives to `sentence`.

        A number that the best piece does not state makes the sentence unsupported whatever its
        words say. A sentence without a telling word needs no support.
        """
        text, pieces = _unmarked(sentence), [[_encodable(piece.text)] for piece in evidence]
        if (known := _at_once(text, pieces)) is not None:
            return known
        claim = self._comparer.claim(text)
        if not claim.words:
            return Support(0.0, False, None, UNREADABLE)
        seen = self._comparer.compare(claim, pieces)
        alone = [only(seen, row) for row in range(len(seen.texts))]
        return max((self._judge(claim, one, one.texts[0]) for one in alone), key=lambda support: support.score)

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        """The support of a text of several sentences by documents taken together: its weakest sentence's.

        `best` is the index of the document whose sentence covers it best.
        """
        documents = [_encodable(document) for document in documents]
        split = [[span.text for span in sentences(document)] for document in documents]
        whole = "\n".join(documents)
        found = []
        for span in sentences(_unmarked(text)):
            known = _at_once(_unmarked(span.text), split)
            found.append(known or self._together(self._comparer.claim(_unmarked(span.text)), split, whole))
        return min(found, key=lambda support: support.score, default=Support(1.0, True, None))

    def worthy(self, sentence: str) -> bool:
        """Whether a sentence claims anything that evidence could support."""
        return bool(content_words(_unmarked(sentence)))

    def _together(self, claim: Claim, documents: Sequence[Sequence[str]], whole: str) -> Support:
        if not claim.words:
            return Support(0.0, False, None, UNREADABLE)
        return self._judge(claim, self._comparer.compare(claim, documents), whole)

    def _judge(self, claim: Claim, seen: Seen, whole: str) -> Support:
        """The score of a claim by the evidence seen, of which `whole` is the full text, and why it is not more."""
        score = likeness(claim, seen)
        nearest = [int(row) for row in np.argsort(-seen.coverage, kind="stable")[:NEAREST]]
        best = seen.documents[nearest[0]]
        lean, against = self._comparer.direction(claim, seen, nearest)
        score = float(np.clip(score + lean, 0.0, 1.0))
        note = "its words are not covered by the evidence"
        if lean <= AGAINST / 4:
            note = f"the evidence points the other way than “{against}”"
        if (denied := min(1.0, denial(claim, seen, nearest) / _NEGATED)) > 0:
            score *= 1 - (1 - NEGATED_LEFT) * denied
            note = "the evidence says the opposite of what is negated, or denies it" if denied == 1 else note
        best_match = seen.soft.max(axis=0)
        if strangers := missing_names(claim.text, whole, claim.words, [float(match) for match in best_match]):
            score *= NAME_LEFT
            note = f"the evidence does not mention {', '.join(strangers)}"
        missing = [*sorted(missing_numbers(claim.text, whole)), *wrong_units(claim.text, whole)]
        if missing:
            score *= NUMBER_LEFT
            return Support(score, False, best, f"the evidence does not state {', '.join(missing)}")
        return Support(score, True, best) if score >= SUPPORTED else Support(score, False, best, note)


def _unmarked(sentence: str) -> str:
    return _encodable(_MARKER.sub("", sentence).strip())


def _encodable(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _at_once(claim: str, documents: Sequence[Sequence[str]]) -> Support | None:
    """The verdict that needs no comparison: there is no evidence, nothing is claimed, or it stands there verbatim."""
    if not any(documents):
        return Support(0.0, False, None, "no passage is cited")
    if not content_words(claim):
        return Support(1.0, True, None)
    said = " ".join(claim.split())
    for index, document in enumerate(documents):
        if any(" ".join(text.split()) == said for text in document):
            return Support(1.0, True, index)
    return None
