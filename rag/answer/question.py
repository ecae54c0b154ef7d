"""What a question asks for: its kind, its filters, and the text to search with. No model needed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from rag.answer.answer import Turn
from rag.answer.followup import FollowUp, about, make_self_contained
from rag.answer.history import TitleLookup, as_written
from rag.answer.kinds import PAPERS, Intent, Kind, Shape, intent_of, kind_of, shape_of, wants_number
from rag.answer.periods import find_period
from rag.errors import QuestionError
from rag.papers import Filters
from rag.terms import terms

_BY = r"\b(?:by|from|of|at)\s+(?:the\s+)?(?:organi[sz]ation\s+|company\s+|lab\s+)?"
_HAS = r"\b(?:did|does|has|have)\s+"  # "what did Kyutai publish"
_N = r"(?:\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten|single|sole)"
_AUTHORS = re.compile(
    r"\b(?:(?P<how>more than|over|at least|fewer than|less than|under|at most|up to|exactly|only|between|from)\s+)?"
    rf"(?:(?P<low>{_N})\s*(?:-|–|\b(?:to|and|or)\b)\s*)?(?P<n>{_N})"
    r"(?:\s*(?P<open>\+|\bor\s+(?:more|fewer|less)\b))?[ -]?authors?(?:ed)?\b",
    re.I | re.A,  # ASCII: "ſix" is no number word
)
_WORD_NUMBERS = {w: i for i, w in enumerate("one two three four five six seven eight nine ten".split(), 1)} | {
    "single": 1,
    "sole": 1,
}
_SOME = r"(?:\d{1,2}|two|three|four|five|ten)"
_COMMANDS = re.compile(
    r"\b(?:what|who|here|there|that)['’]s\b|"
    rf"\b{_SOME}\s+(?=(?:latest|newest|most recent|recent|oldest|earliest)\b)|"
    rf"\b(?:latest|newest|recent|oldest|earliest)\s+{_SOME}\b|"
    r"\b(?:mention|discuss|cover|concern|regard|address|describ|introduc|propos|present|us)(?:s|es|e|ed|ing)?\b|"
    r"\b(?:deals?|dealing|works?|working|focus(?:es|ed|ing)?|talks?|talking|related)\s+(?:with|on|about|to)\b|"
    rf"\b(?:please|list|show|me|give|name|all|the|of|are|is|there|any|do|you|have|in|this|your|our|library|collection|corpus|"
    rf"how many|number|count|which|what|were|was|published|released|listed|appeared|{PAPERS}|latest|newest|"
    rf"most recent|recent|oldest|earliest|"
    rf"new|about|on|with|by|from|that|these|those|here|and|can|tell|know|did|come|came|out|exist|contain|contains|has|it|i|see|we|got|titles?|"
    rf"dates?|dated|organi[sz]ation|company|authors?|more|than|anything|something)\b|[^\w\s-]",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question understood.

    `query` is what is searched, self-contained; its first `focus` characters are the question
    itself, the rest what it inherits from the conversation. `topic` is what is left of a
    request for papers when filters and command words are taken away.
    """

    asked: str
    query: str
    focus: int
    filters: Filters
    intent: Intent
    shape: Shape
    wants_number: bool
    topic: str
    subject: str | None = None
    elsewhere: bool = False
    cited: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    inherited: frozenset[str] = frozenset()

    @property
    def own(self) -> str:
        """What is asked in its own words, without a whole title that was written in."""
        return self.query[: self.focus].replace(f"“{self.subject}”", "")

    @property
    def kind(self) -> Kind:
        """The kind of answer that is wanted."""
        return kind_of(self.asked, self.intent, self.shape)

    @property
    def in_context(self) -> Question | None:
        """The same question asked of the paper that the last answer cited first, for when it
        makes no sense on its own; None when it is about that already."""
        if self.subject or not self.cited:
            return None
        title = self.cited[0]
        query, focus = about(self.query, title)
        inherited = frozenset(terms(title)) - frozenset(terms(self.asked))
        return replace(self, query=query, focus=focus, subject=title, inherited=inherited)


def understand(
    asked: str,
    history: Sequence[Turn] = (),
    *,
    today: date,
    organisations: Collection[str] = (),
    max_chars: int = 4000,
    titles: TitleLookup = as_written,
) -> Question:
    """Clean a question, write its context in, and find its filters and kind.

    `titles` gives the library's title for one that the history shows, or None.

    Raises:
        QuestionError: it is empty, or longer than `max_chars`.
    """
    text = clean(asked, max_chars)
    follow = make_self_contained(text, [replace(turn, content=_readable(turn.content)) for turn in history], titles)
    # "And for Llama?" asks what the question before it asked; a place to look ("in “Title”") is not asked.
    stated = follow.text if follow.focus == len(follow.text) else text
    filters, remainder = _filters(stated, today, organisations)
    topic = _topic(remainder)
    query, focus = _without_filter_words(follow, stated, remainder) if topic else (follow.text, follow.focus)
    intent = intent_of(stated, filtered=bool(filters), topic=topic)
    return Question(
        asked=stated,
        query=query,
        focus=focus,
        filters=filters,
        intent=intent,
        shape=shape_of(stated, intent),
        wants_number=wants_number(stated),
        topic=topic,
        subject=follow.subject,
        elsewhere=follow.elsewhere,
        cited=follow.cited,
        among=follow.among,
        said=follow.said,
        inherited=frozenset(terms(" ".join((follow.subject or "", *follow.among)))) - frozenset(terms(text)),
    )


def rewritten(question: Question, text: str) -> Question:
    """The same question with a self-contained text that a model wrote for it."""
    return replace(question, query=text, focus=len(text))


def clean(asked: str, max_chars: int) -> str:
    """Drop controls and invisible characters, fold white space.

    Raises:
        QuestionError: nothing readable is left, or there is too much of it.
    """
    if len(asked) > max_chars:
        raise QuestionError(
            f"The question has {len(asked):,} characters; at most {max_chars:,} are accepted.",
            "Shorten it, or raise PAPERCHAT_QUESTION_CHARS.",
        )
    text = " ".join(_readable(asked).split())
    if not any(c.isalnum() for c in text):
        raise QuestionError("The question is empty.", "Ask something about the papers in the library.")
    return text


def _readable(text: str) -> str:
    return "".join(c for c in text if c in "\t\n\r\v\f" or unicodedata.category(c)[0] != "C")


def _topic(remainder: str) -> str:
    words = _COMMANDS.sub(" ", remainder).split()
    while words and words[0].lower() in ("a", "an", "at", "be", "been", "for", "into", "or", "to"):
        words.pop(0)
    topic = " ".join(words)
    return topic if terms(topic) else ""


def _filters(text: str, today: date, organisations: Collection[str]) -> tuple[Filters, str]:
    """The filters that a question names, and the question without the words that named them."""
    filters, remainder = Filters(), text
    if period := find_period(text, today):
        filters = replace(filters, published_from=period.first, published_to=period.last)
        remainder = remainder.replace(period.words, " ", 1)
    speaks_of_papers = re.search(rf"\b{PAPERS}\b", text, re.I)
    for name in sorted(organisations, key=len, reverse=True):
        of_papers = rf"{_BY}{re.escape(name)}\b|\b{re.escape(name)}['’]s\s+(?={PAPERS}\b)"
        match = speaks_of_papers and re.search(of_papers, remainder, re.I)
        match = match or re.search(rf"{_HAS}{re.escape(name)}\s+(?:publish|release)(?:ed)?\b", remainder, re.I)
        if match:
            filters = replace(filters, organisation=name)
            remainder = remainder.replace(match[0], " ", 1)
            break
    if speaks_of_papers and (match := _AUTHORS.search(remainder)):
        low, high = _author_bounds(match)
        filters = replace(filters, min_authors=low, max_authors=high)
        remainder = remainder.replace(match[0], " ", 1)
    return filters, remainder


def _author_bounds(match: re.Match[str]) -> tuple[int | None, int | None]:
    n, low = _number(match["n"]), _number(match["low"] or match["n"])
    how = (match["how"] or "").lower()
    if match["low"]:
        return min(low, n), max(low, n)
    if match["open"]:
        return (None, n) if match["open"].lower().endswith(("fewer", "less")) else (n, None)
    if how in ("more than", "over"):
        return n + 1, None
    if how == "at least":
        return n, None
    if how in ("fewer than", "less than", "under"):
        return None, n - 1
    if how in ("at most", "up to"):
        return None, n
    return n, n


def _number(word: str) -> int:
    return _WORD_NUMBERS.get(word.lower()) or int(word)


def _without_filter_words(follow: FollowUp, stated: str, remainder: str) -> tuple[str, int]:
    """Search without the words that became filters, unless little else would be left."""
    short = re.sub(r" (?=[?.!,])", "", " ".join(remainder.split()))
    own, place = follow.text[: follow.focus], follow.text[follow.focus :]
    if place:
        stated, short = stated.rstrip(" ?.!"), short.rstrip(" ?.!")
    if short == stated or own != stated or len(terms(short)) < 2:
        return follow.text, follow.focus
    return short + place, len(short)
