"""Which passages support a claim, and the fewest of their sentences that do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.answer.context import Context
from rag.answer.figures import misplaced
from rag.answer.grounding import NUMBER_LEFT
from rag.chunking import SentenceSpan, sentences
from rag.papers import Paper, Passage
from rag.terms import content_words, terms

WORDS_A_SENTENCE = 3  # telling words of a claim for each sentence that it may draw on
UNSUPPORTED = "not supported by the passages"
PART = 0.3  # share of a claim's words that a run must hold itself, whatever the title or another passage adds
# Longer runs cost the embedder time. Of 40 claims by people that only a run supports, all had this share of their
# words in it, and none in a run that was not among the first two by that share.
SHARE, BEST_RUNS = 0.5, 2
# Sentences in a row that are looked at together, with the paper's title before them or not: names stand in titles,
# and authors begin a new sentence for a number.
_RUNS = ((1, False), (1, True), (2, True), (3, True))
_MONTHS = "January February March April May June July August September October November December".split()
# Where a comparison goes over from one paper to the next.
_TURN = re.compile(r";\s+|,?\s+(?:while|whereas)\s+|,\s+(?:but|and)\s+(?=(?:the|an?|its|[A-Z])\b)")


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
    """One to three sentences of a paper: `paper.abstract[start:end] == text`, or so in its full text's `passage`."""

    paper: Paper
    text: str
    start: int
    end: int
    support: float
    passage: Passage | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The best support of a claim: its score, quotes where it is enough, the note where it is not."""

    score: float
    quotes: tuple[Quote, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """Sentences in a row of the passage `name`: from `start` to `end` of its text."""

    name: str
    start: int
    end: int


class Attribution:
    """Looks for the support of claims in the passages of one context."""

    def __init__(self, context: Context, grounder: Grounding) -> None:
        self._passages = context.by_id
        self._grounder = grounder
        self._sentences = {name: sentences(p.passage.text) for name, p in context.by_id.items()}

    def by_one(self, claim: str, names: Sequence[str] | None = None) -> Found:
        """The shortest run of sentences of one passage that supports the claim; of all passages without `names`."""
        wanted = list(self._sentences) if names is None else names
        words = _words(claim)
        best = Found(0.0)
        for length, titled in _RUNS:
            if length > max(1, len(words) // WORDS_A_SENTENCE):
                break
            runs = self._runs(wanted, length)
            if length > 1 or titled:
                runs = self._by_share(words, claim, runs, SHARE)[:BEST_RUNS]
            if runs:
                found, at = self._check(claim, [self._text(claim, run, titled) for run in runs])
                if at is not None and not found.note:
                    return replace(found, quotes=(self._quote(runs[at], found.score),))
                best = best if best.note and best.score >= found.score else found
        return best

    def by_parts(self, claim: str, names: Sequence[str]) -> Found:
        """Support of each part of a comparison or a list by one of these passages; nothing where it has no parts."""
        parts = _TURN.split(claim)
        if len(parts) < 2 or any(len(content_words(part)) < WORDS_A_SENTENCE for part in parts):
            return Found(0.0)
        found = [self.by_one(part, names) for part in parts]
        if not all(one.quotes for one in found):
            return Found(0.0)
        return Found(min(one.score for one in found), tuple(dict.fromkeys(q for one in found for q in one.quotes)))

    def together(self, claim: str, names: Sequence[str]) -> Found:
        """Support by the nearest runs of several passages as one text, where each holds a part of the claim."""
        best, words = Found(0.0), _words(claim)
        for length in range(1, _RUNS[-1][0] + 1):
            nearest = [self._by_share(words, claim, self._runs([name], length), PART)[:1] for name in names]
            if len(names) < 2 or not all(nearest):
                continue
            runs = [run for (run,) in nearest]
            found, _ = self._check(claim, [" ".join(self._text(claim, run, titled=True) for run in runs)])
            if not found.note:
                return replace(found, quotes=tuple(self._quote(run, found.score) for run in runs))
            best = max(best, found, key=lambda one: one.score)
        return best

    def _by_share(self, words: frozenset[str], claim: str, runs: Sequence[_Run], least: float) -> list[_Run]:
        """The runs that hold at least this share of a claim's words, the one with most first.

        The title counts with them, but not alone: it is no sentence that a reader could check.
        """

        def share(run: _Run, titled: bool) -> float:
            return len(words & set(terms(self._text(claim, run, titled)))) / max(1, len(words))

        shares = [(share(run, titled=True), run) for run in runs if share(run, titled=False) >= PART]
        return [run for held, run in sorted(shares, key=lambda pair: -pair[0]) if held >= least]

    def nearest(self, claim: str) -> Quote | None:
        """The single sentence that is nearest to the claim, however far; None where it or the context is empty."""
        runs = self._runs(list(self._sentences), 1)
        if not runs:
            return None
        found, at = self._check(claim, [self._text(claim, run, titled=False) for run in runs])
        return None if at is None else self._quote(runs[at], found.score)

    def _check(self, claim: str, texts: Sequence[str]) -> tuple[Found, int | None]:
        """The support by the best text, without quotes, and which text that is; a note where it is not enough."""
        found = self._grounder.support(claim, [SentenceSpan(text, 0, len(text)) for text in texts])
        if not found.supported or found.best is None:
            return Found(found.score, note=found.note or UNSUPPORTED), found.best
        if wrong := misplaced(claim, texts[found.best]):
            return Found(
                found.score * NUMBER_LEFT, note=f"the evidence states {wrong[0]} of something else"
            ), found.best
        return Found(found.score), found.best

    def _runs(self, names: Sequence[str], length: int) -> list[_Run]:
        """All runs of so many sentences; a passage of fewer is one run."""
        runs = []
        for name in names:
            spans = self._sentences[name]
            for first in range(max(1, len(spans) - length + 1) if spans else 0):
                runs.append(_Run(name, spans[first].start, spans[first : first + length][-1].end))
        return runs

    def _text(self, claim: str, run: _Run, titled: bool) -> str:
        """The run as evidence; with what the claim itself says of the paper's date, for the prompt showed it."""
        passage = self._passages[run.name]
        text = passage.passage.text[run.start : run.end]
        if told := _told_date(claim, passage.paper):
            text += f" (published {told})"
        return f"{passage.paper.title}. {text}" if titled else text

    def _quote(self, run: _Run, support: float) -> Quote:
        paper, passage = self._passages[run.name].paper, self._passages[run.name].passage
        start, end = passage.start + run.start, passage.start + run.end
        in_body = passage if passage.in_body else None
        return Quote(paper, passage.text[run.start : run.end], start, end, support, in_body)


def _told_date(claim: str, paper: Paper) -> str:
    """As much of a paper's date as a claim tells; never a number more, which would vouch for another of the claim."""
    published, known = paper.published, paper.date_of
    if published is None or not re.search(rf"\b{published.year}\b", claim):
        return ""
    if known == "day" and (iso := published.isoformat()) in claim:
        return iso
    day, month = published.day, _MONTHS[published.month - 1]
    if known == "year" or not re.search(rf"\b{month}\b", claim):
        return str(published.year)
    beside = rf"\b{day}(?:st|nd|rd|th)?(?: of)? {month}\b|\b{month} {day}(?:st|nd|rd|th)?\b"
    exact = known == "day" and re.search(beside, claim)
    return f"{day} {month} {published.year}" if exact else f"{month} {published.year}"


def _words(claim: str) -> frozenset[str]:
    """A claim's telling words, as the index has them."""
    return frozenset(term for _, _, term in content_words(claim))
