"""Seeded edits that turn a supported claim into a wrong one, or take its evidence away.

They answer whether the grounding score can fail: for each, the score of what people found
supported is held against the score of the same item after the edit. Claims are changed in the
ways that a careless reader or a model goes wrong; nothing is chosen by what the score sees.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from eval.edits.names import Gazetteer, wrong_name
from eval.edits.negation import wrong_direction, wrong_polarity
from eval.edits.numbers import wrong_number
from eval.edits.roles import swapped_roles
from eval.edits.text import Change
from eval.edits.units import wrong_unit
from eval.formats.labelled import LabelledItem
from rag.chunking import sentences

_SAME_TEXT = 0.6  # Jaccard similarity of words from which two contexts are one text
_SPLICED_WORDS = (8, 40)  # fewest and most words of a sentence that is spliced in
_LEANING = re.compile(
    r"(?:it|its|this|these|those|that|they|their|he|she|his|her|however|but|and|also|additionally|moreover|furthermore|"
    r"thus|therefore|such|another|yes|no|yeah|i|we|our|title|\W)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """A perturbed item: its `claim` is not supported by its `context`.

    `name` is the perturbation, `form` the way it was done (`confused` is one form of `number`).
    """

    name: str
    form: str
    claim: str
    context: str


class Pool:
    """The items of one file, from which edits take other names, sentences and passages.

    Edits are made for `supported` items (label 1); the others lend what they have.
    """

    def __init__(self, items: Sequence[LabelledItem], seed: int = 0) -> None:
        self.items = tuple(items)
        self.seed = seed
        self.gazetteer = Gazetteer([*dict.fromkeys(item.context for item in items), *(item.claim for item in items)])
        self._words = {item.context: frozenset(re.findall(r"\w+", item.context.lower())) for item in items}
        self._by_question: defaultdict[str, list[LabelledItem]] = defaultdict(list)
        self._by_group: defaultdict[str, list[LabelledItem]] = defaultdict(list)
        self._supporting: defaultdict[str, set[str]] = defaultdict(set)
        for item in items:
            self._by_question[item.question.strip().lower()].append(item)
            self._by_group[item.group].append(item)
            if item.label == 1:
                self._supporting[_normal(item.claim)].add(item.context)
        self._permuted = self._permutation()

    def supported(self) -> list[LabelledItem]:
        """The items that people found supported, in the file's order."""
        return [item for item in self.items if item.label == 1]

    def related(self, item: LabelledItem, rng: Random) -> tuple[str, str] | None:
        """Another context on the same question, else of the same group, with which of the two it is.

        None where the file states neither. Contexts that people found to support the same claim,
        or that are mostly the same text, do not count.
        """
        for form, key, index in (
            ("same_question", item.question.strip().lower(), self._by_question),
            ("same_group", item.group, self._by_group),
        ):
            if key:
                contexts = dict.fromkeys(other.context for other in index[key] if self._foreign(item, other.context))
                if contexts:
                    return form, rng.choice(list(contexts))
        return None

    def distractors(self, item: LabelledItem, n: int, rng: Random) -> list[str]:
        """Up to `n` other contexts, those on the same question first, as a search would bring them."""
        same = self._by_question[item.question.strip().lower()] if item.question.strip() else []
        near = list(dict.fromkeys(other.context for other in same if self._foreign(item, other.context)))
        far = list(dict.fromkeys(other.context for other in self.items if self._is_unrelated(item, other)))
        found = rng.sample(near, min(n, len(near)))
        others = [context for context in far if context not in found]
        return found + rng.sample(others, min(n - len(found), len(others)))

    def unrelated(self, item: LabelledItem, rng: Random) -> LabelledItem | None:
        """A random other item: another question (where questions are stated), another context."""
        for other in rng.sample(self.items, len(self.items)):
            if self._is_unrelated(item, other):
                return other
        return None

    def permuted(self, item: LabelledItem) -> str | None:
        """The context that `item` gets when the contexts of all supported items change places."""
        return self._permuted.get(item.id)

    def _permutation(self) -> dict[str, str]:
        supported = self.supported()
        order = Random(f"{self.seed}:permutation").sample(supported, len(supported))
        permuted = {}
        for at, item in enumerate(order):
            following = (*order[at + 1 :], *order[:at])
            other = next((other for other in following if self._is_unrelated(item, other)), None)
            if other is not None:
                permuted[item.id] = other.context
        return permuted

    def _is_unrelated(self, item: LabelledItem, other: LabelledItem) -> bool:
        same_question = item.question and item.question.strip().lower() == other.question.strip().lower()
        same_claim = _normal(item.claim) == _normal(other.claim)
        return not same_question and not same_claim and self._foreign(item, other.context)

    def _foreign(self, item: LabelledItem, context: str) -> bool:
        if context == item.context or not context.strip() or context in self._supporting[_normal(item.claim)]:
            return False
        own, other = self._words[item.context], self._words[context]
        return len(own & other) < _SAME_TEXT * len(own | other)


def perturb(item: LabelledItem, name: str, pool: Pool) -> Edit | None:
    """The perturbation `name` of a supported item; None when the item has nothing that it edits.

    Deterministic for the pool's seed, the name and the item's id: other items' edits do not matter.

    Raises:
        KeyError: there is no perturbation `name` (see `PERTURBATIONS`).
    """
    edit = _EDITS[name](item, pool, Random(f"{pool.seed}:{name}:{item.id}"))
    if edit is None or (edit.claim, edit.context) == (item.claim, item.context):
        return None
    return edit


_Editor = Callable[[LabelledItem, Pool, Random], Edit | None]


def _claim_edit(name: str, change: Callable[[LabelledItem, Pool, Random], Change | None]) -> _Editor:
    def edit(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
        changed = change(item, pool, rng)
        return Edit(name, changed.form, changed.text, item.context) if changed else None

    return edit


def _citation(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
    found = pool.related(item, rng)
    return Edit("citation", found[0], item.claim, found[1]) if found else None


def _random_citation(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
    other = pool.unrelated(item, rng)
    return Edit("citation_random", "random", item.claim, other.context) if other else None


def _splice(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
    """A sentence of another item's claim or context put after, before, or joined to the claim."""
    for _ in range(20):
        other = pool.unrelated(item, rng)
        if other is None:
            return None
        source = other.claim if other.label == 1 and rng.random() < 0.5 else other.context
        fitting = [s.text for s in sentences(source) if _stands_alone(s.text) and s.text not in item.context]
        if fitting:
            foreign = re.sub(r"\s+", " ", re.sub(r"\s*\[\d+\]", "", rng.choice(fitting)))
            form = rng.choice(("after", "after", "before", "joined"))
            return Edit("splice", form, _spliced(item.claim.strip(), foreign, form, pool), item.context)
    return None


def _spliced(claim: str, foreign: str, form: str, pool: Pool) -> str:
    foreign = foreign if foreign[-1] in ".!?\"'" else f"{foreign}."
    if form == "before":
        return f"{foreign} {claim}"
    if form == "after":
        return f"{claim} {foreign}" if claim[-1] in ".!?\"']" else f"{claim}. {foreign}"
    first = foreign.split()[0]
    keeps = pool.gazetteer.is_name(first) or not first.istitle()
    return f"{claim.rstrip('.!?')}, and {foreign if keeps else foreign[0].lower() + foreign[1:]}"


def _stands_alone(sentence: str) -> bool:
    fewest, most = _SPLICED_WORDS
    words = sentence.split()
    whole = sentence[-1:] in {".", "]"} and "?" not in sentence and sentence.count("(") == sentence.count(")")
    return whole and fewest <= len(words) <= most and not _LEANING.match(sentence)


def _empty(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
    return Edit("empty", "empty", item.claim, "")


def _shuffled(item: LabelledItem, pool: Pool, rng: Random) -> Edit | None:
    context = pool.permuted(item)
    return Edit("shuffled", "permuted", item.claim, context) if context is not None else None


def _normal(text: str) -> str:
    return " ".join(text.lower().split())


_EDITS: dict[str, _Editor] = {
    "number": _claim_edit("number", lambda item, pool, rng: wrong_number(item.claim, item.context, rng)),
    "unit": _claim_edit("unit", lambda item, pool, rng: wrong_unit(item.claim, item.context, rng)),
    "entity": _claim_edit(
        "entity", lambda item, pool, rng: wrong_name(item.claim, item.context, item.question, pool.gazetteer, rng)
    ),
    "negation": _claim_edit("negation", lambda item, pool, rng: wrong_polarity(item.claim, rng)),
    "direction": _claim_edit("direction", lambda item, pool, rng: wrong_direction(item.claim, rng)),
    "role_swap": _claim_edit(
        "role_swap", lambda item, pool, rng: swapped_roles(item.claim, pool.gazetteer.is_name, rng)
    ),
    "citation": _citation,
    "citation_random": _random_citation,
    "splice": _splice,
    "empty": _empty,
    "shuffled": _shuffled,
}
PERTURBATIONS: tuple[str, ...] = tuple(_EDITS)
"""The names of all perturbations, in the order in which they are reported."""
