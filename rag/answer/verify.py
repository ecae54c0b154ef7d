"""Each sentence of a model against the passages: citations kept, added, moved, or the claim called unsupported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.answer.context import Context
from rag.answer.markers import Taken
from rag.chunking import SentenceSpan, sentences
from rag.papers import Paper
from rag.terms import terms

NEAR = 0.35  # support from which a quote stands close enough to replace an unsupported sentence
PART = 0.3  # support that each of several papers must give to a sentence that compares them
SHORT = 3  # telling words below which a sentence must bear on the question
ABSENCE = "says what the papers do not say"
EMPTY = "claims nothing"
UNSUPPORTED = "not supported by the passages"

_ABSENCE = re.compile(
    r"\b(?:passages?|papers?|abstracts?|texts?|sources?|context|authors?|it|they|which)\b[^.]{0,60}?"
    r"\b(?:do|does|did|is|are)(?: not|n['’]t)\b[^.]{0,30}?"
    r"\b(?:say|state|stated|mention|mentioned|specify|specified|give|given|report|reported|provide|provided|include"
    r"|contain|disclose|name|discuss|describe)\b",
    re.IGNORECASE,
)
# "BM25", "GPT-4", "ImageNet-1K": a digit inside a name is no quantity, yet as easily wrong as one.
_NUMBERED_NAME = re.compile(r"\b[^\W\d_][\w-]*\d(?:[\w.-]*\w)?")
_MONTHS = "January February March April May June July August September October November December".split()


class Supporting(Protocol):
    """How far some evidence supports a sentence; `best` is the index of the best piece."""

    @property
    def score(self) -> float: ...
    @property
    def supported(self) -> bool: ...
    @property
    def best(self) -> int | None: ...
    @property
    def note(self) -> str: ...


class Grounding(Protocol):
    """The part of `Grounder` that is used here."""

    def support(self, sentence: str, evidence: Sequence[SentenceSpan], /) -> Supporting: ...


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a paper: `paper.abstract[start:end] == text`."""

    paper: Paper
    text: str
    start: int
    end: int
    support: float


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence after the check.

    `change` is what happened to its citations, for counting; a `neutral` one says nothing that
    the passages could support.
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
        self._grounder = grounder
        self._sentences = {name: sentences(p.passage.text) for name, p in context.by_id.items()}

    def check(self, taken: Taken) -> Checked:
        """The sentence with the citations that it deserves.

        A few words that have nothing to do with the question are no answer, even if a passage
        holds them: this is what a model writes that obeys "reply only with the word ...".
        """
        checked = self._against_passages(taken)
        short = len(set(terms(taken.claim))) < SHORT
        if (
            checked.quotes
            and short
            and not any(self._bears_on_question(quote, taken.claim) for quote in checked.quotes)
        ):
            return Checked(taken.text, taken.claim, (), 0.0, False, "has nothing to do with the question")
        return checked

    def _against_passages(self, taken: Taken) -> Checked:
        if taken.stranger:
            return Checked(taken.text, taken.claim, (), 0.0, False, f"names {taken.stranger}, whom no passage names")
        for name in _NUMBERED_NAME.findall(taken.claim):
            if _letters_and_digits(name) not in self._known:
                return Checked(taken.text, taken.claim, (), 0.0, False, f"names {name}, which no passage names")
        cited, score, note = self._by_its_own(taken)
        if cited:
            change = "citations_removed" if len(cited) < len(taken.ids) else ""
            return Checked(taken.text, taken.claim, cited, score, True, change=change, cited_itself=True)
        if not taken.ids and self._claims_nothing(taken):
            return Checked(taken.text, taken.claim, (), 1.0, True, EMPTY, neutral=True)
        if found := self._elsewhere(taken):
            done = "moved" if taken.ids else "added"
            return Checked(
                taken.text, taken.claim, (found,), found.support, True, f"citation {done}", f"citations_{done}"
            )
        if _ABSENCE.search(taken.claim) and not re.search(r"\d", taken.claim):
            return Checked(taken.text, taken.claim, (), score, True, ABSENCE, neutral=True)
        return Checked(taken.text, taken.claim, (), score, False, note or UNSUPPORTED)

    def nearest_quote(self, taken: Taken) -> Quote | None:
        """The passage sentence nearest to the claim; None when none is near, or it does not bear on the question."""
        owners, evidence = self._all(taken, list(self._sentences))
        if not evidence:
            return None
        found = self._grounder.support(taken.claim, evidence)
        if found.best is None or found.score < NEAR:
            return None
        owner, i = owners[found.best]
        quote = self._quote(owner, i, found.score)
        return quote if self._bears_on_question(quote) else None

    def _bears_on_question(self, quote: Quote, claim: str = "") -> bool:
        return bool(self._asked & {*terms(quote.text), *terms(claim)})

    def _by_its_own(self, taken: Taken) -> tuple[tuple[Quote, ...], float, str]:
        """Quotes from the passages that the sentence cites itself, if they support it."""
        own = {name: self._grounder.support(taken.claim, self._evidence(name, taken)) for name in taken.ids}
        good = [name for name in own if own[name].supported]
        best = max((support.score for support in own.values()), default=0.0)
        if not good and len(own) > 1 and min(support.score for support in own.values()) >= PART:
            # A comparison: no paper alone holds both sides.
            together = self._grounder.support(taken.claim, self._all(taken, list(own))[1])
            good, best = (list(own), together.score) if together.supported else ([], best)
        quotes = tuple(self._quote(name, own[name].best or 0, own[name].score) for name in good)
        return quotes, best, next((support.note for support in own.values()), "")

    def _claims_nothing(self, taken: Taken) -> bool:
        """Whether the grounder sees no telling word ("Yes."): supported by anything, best by nothing."""
        found = self._grounder.support(taken.claim, self._all(taken, list(self._sentences))[1])
        return found.supported and found.best is None

    def _elsewhere(self, taken: Taken) -> Quote | None:
        """A quote that supports the sentence from a passage that it does not cite."""
        owners, evidence = self._all(taken, [name for name in self._sentences if name not in taken.ids])
        if not evidence:
            return None
        found = self._grounder.support(taken.claim, evidence)
        if not found.supported or found.best is None:
            return None
        name = owners[found.best][0]
        # Alone, so that numbers of one paper cannot vouch for words of another.
        alone = self._grounder.support(taken.claim, self._evidence(name, taken))
        return self._quote(name, alone.best or 0, alone.score) if alone.supported else None

    def _all(self, taken: Taken, names: Sequence[str]) -> tuple[list[tuple[str, int]], list[SentenceSpan]]:
        owners = [(name, i) for name in names for i in range(len(self._sentences[name]))]
        return owners, [span for name in names for span in self._evidence(name, taken)]

    def _evidence(self, name: str, taken: Taken) -> Sequence[SentenceSpan]:
        """A passage's sentences; with its date where the claim speaks of that year, for the prompt showed it."""
        published = self._context.by_id[name].paper.published
        if published is None or not re.search(rf"\b{published.year}\b", taken.claim):
            return self._sentences[name]
        day = f" ({published.isoformat()}, published {published.day} {_MONTHS[published.month - 1]} {published.year})"
        return [replace(span, text=span.text + day) for span in self._sentences[name]]

    def _quote(self, name: str, i: int, support: float) -> Quote:
        passage, span = self._context.by_id[name], self._sentences[name][i]
        start = passage.passage.start
        return Quote(passage.paper, span.text, start + span.start, start + span.end, support)


def _letters_and_digits(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
