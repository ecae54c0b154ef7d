"""Each sentence of a model against the passages: citations kept, added, moved, or the claim called unsupported."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from rag.answer.attribution import UNSUPPORTED, Attribution, Found, Grounding, Quote
from rag.answer.context import Context
from rag.answer.markers import Taken
from rag.terms import content_words, terms

NEAR = 0.35  # support from which a quote stands close enough to replace an unsupported sentence
BETTER = 0.2  # by which another paper must support a sentence better than the cited one to be cited instead
SHORT = 3  # telling words below which a sentence must bear on the question
ABSENCE = "says what the papers do not say"
EMPTY = "claims nothing"
ITSELF = "speaks of the model, not of the papers"

_SAY = (
    "say state stated mention mentioned specify specified give given report reported provide provided include contain "
    "disclose name discuss describe answer"
).split()
_SOURCES = "passage passages paper papers abstract abstracts text texts source sources context author authors".split()
_ABSENCE = re.compile(
    rf"\b(?:{'|'.join(_SOURCES)})\b[^.]{{0,60}}?\b(?:do|does|did|is|are)(?: not|n['’]t)\b[^.]{{0,30}}?"
    rf"\b(?:{'|'.join(_SAY)})\b",
    re.IGNORECASE,
)
# What such a sentence may hold beside the question's own words; anything more is a claim about the world.
_OF_ABSENCE = frozenset(
    term
    for word in (
        *_SAY,
        *_SOURCES,
        *"question information detail details evidence value number figure exact specific specifically explicit "
        "explicitly direct directly enough sufficient clear clearly however unfortunately available retrieved "
        "shown listed following don doesn didn isn aren".split(),  # "don't" is cut in two
    )
    for term in terms(word)
)
# "BM25", "GPT-4", "ImageNet-1K": a digit inside a name is no quantity, yet as easily wrong as one.
_NUMBERED_NAME = re.compile(r"\b[^\W\d_][\w-]*\d(?:[\w.-]*\w)?")
# A paper says "we"; a model that says "I" speaks of itself, most likely because a passage told it to.
_ITSELF = re.compile(
    r"\bI(?:['’]m|['’]ve|['’]ll| am| was| will| have| must| can| shall| obey)\b|\b(?:[Mm]y|[Mm]yself)\b"
)
# "Yes: ..." and "No, ..." open an answer; only what follows can stand in a passage.
_POLAR = re.compile(r"^\W*(?:yes|no|not really)\s*[,;:.!–—]+(?:\s+|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence after the check.

    `change` is what happened to its citations, for counting; a `neutral` one says what the papers
    lack, or only yes or no in other words, which no passage could support.
    """

    text: str
    claim: str
    quotes: tuple[Quote, ...]
    support: float
    supported: bool
    note: str = ""
    change: str = ""
    cited_itself: bool = False
    neutral: bool = False


class Verifier:
    """Checks sentences against one context."""

    def __init__(self, question: str, context: Context, grounder: Grounding) -> None:
        self._asked = frozenset(terms(question))
        shown = "".join(f"{p.paper.title} {p.passage.text} " for p in context.by_id.values())
        self._known = _letters_and_digits(f"{question} {shown}")
        self._context = context
        self._attribution = Attribution(context, grounder)

    def check(self, taken: Taken) -> Checked:
        """The sentence with the citations that it deserves.

        A few words from a sentence that has nothing to do with the question are no answer: this is
        what a model writes that obeys "reply only with the word ...".
        """
        bare = replace(taken, claim=_POLAR.sub("", taken.claim))
        checked = replace(self._against_passages(bare), claim=taken.claim)
        short = len(set(terms(taken.claim))) < SHORT
        if checked.quotes and short and not any(self._bears_on_question(quote) for quote in checked.quotes):
            return Checked(taken.text, taken.claim, (), 0.0, False, "has nothing to do with the question")
        return checked

    def _against_passages(self, taken: Taken) -> Checked:
        if (stranger := self._stranger(taken)) is not None:
            return Checked(taken.text, taken.claim, (), 0.0, False, stranger)
        if not content_words(taken.claim):
            # "No, it does not." answers without a source; a bare "No." only opens what follows.
            return Checked(taken.text, taken.claim, (), 1.0, True, EMPTY, neutral=bool(taken.claim))
        own = self._by_its_own(taken)
        if own.quotes and (other := self._better(taken, own)) is None:
            cited = {quote.paper.paper_id for quote in own.quotes}
            removed = any(self._context.by_id[name].paper.paper_id not in cited for name in taken.ids)
            change = "citations_removed" if removed else ""
            return Checked(taken.text, taken.claim, own.quotes, own.score, True, change=change, cited_itself=True)
        found = other if own.quotes else self._elsewhere(taken)
        if found is not None:
            done = "moved" if taken.ids else "added"
            change = f"citations_{done}"
            return Checked(taken.text, taken.claim, found.quotes, found.score, True, f"citation {done}", change)
        if self._says_only_what_is_absent(taken.claim):
            return Checked(taken.text, taken.claim, (), own.score, True, ABSENCE, neutral=True)
        return Checked(taken.text, taken.claim, (), own.score, False, own.note or UNSUPPORTED)

    def nearest_quote(self, taken: Taken) -> Quote | None:
        """The passage sentence nearest to the claim; None when none is near, or it does not bear on the question."""
        quote = self._attribution.nearest(taken.claim)
        return quote if quote is not None and quote.support >= NEAR and self._bears_on_question(quote) else None

    def _says_only_what_is_absent(self, claim: str) -> bool:
        """Whether a claim says that the papers lack what was asked for, and nothing else."""
        words = {term for _, _, term in content_words(claim)}
        return _ABSENCE.search(claim) is not None and words <= self._asked | _OF_ABSENCE

    def _bears_on_question(self, quote: Quote) -> bool:
        return not self._asked.isdisjoint(terms(quote.text))

    def _stranger(self, taken: Taken) -> str | None:
        """Why no passage could hold the sentence: it names somebody or something unknown, or the model itself."""
        if taken.stranger:
            return f"names {taken.stranger}, whom no passage names"
        for name in _NUMBERED_NAME.findall(taken.claim):
            if _letters_and_digits(name) not in self._known:
                return f"names {name}, which no passage names"
        itself = _ITSELF.search(taken.claim)
        return ITSELF if itself and _letters_and_digits(taken.claim) not in self._known else None

    def _by_its_own(self, taken: Taken) -> Found:
        """The support by the passages that the sentence cites itself, without those that hardly matter to it."""
        parts = self._attribution.by_parts(taken.claim, taken.ids)
        if len({quote.paper.paper_id for quote in parts.quotes}) > 1:
            return parts  # a comparison: one paper alone may seem to hold both sides
        found = [self._attribution.by_one(taken.claim, [name]) for name in taken.ids]
        best = max(found, key=lambda one: (bool(one.quotes), one.score), default=Found(0.0))
        if best.quotes:
            good = [one for one in found if one.quotes and one.score > best.score - BETTER]
            return Found(best.score, tuple(quote for one in good for quote in one.quotes))
        together = parts if parts.quotes else self._attribution.together(taken.claim, taken.ids)
        return together if together.quotes else best

    def _better(self, taken: Taken, own: Found) -> Found | None:
        """Support by a paper that fits the sentence far better than those that it cites."""
        if own.score + BETTER > 1.0:
            return None
        found = self._attribution.by_one(taken.claim, self._others({quote.paper.paper_id for quote in own.quotes}))
        return found if found.quotes and found.score >= own.score + BETTER else None

    def _elsewhere(self, taken: Taken) -> Found | None:
        """Support by a passage that the sentence does not cite."""
        names = [name for name in self._context.by_id if name not in taken.ids]
        found = self._attribution.by_one(taken.claim, names)
        return found if found.quotes else None

    def _others(self, papers: Collection[str]) -> list[str]:
        return [name for name, passage in self._context.by_id.items() if passage.paper.paper_id not in papers]


def _letters_and_digits(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
