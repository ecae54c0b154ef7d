"""What a question asks for: its kind, its filters, and the text to search with. No model needed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Literal

from rag.answer.answer import Turn
from rag.answer.followup import make_self_contained
from rag.answer.names import names
from rag.answer.periods import find_period
from rag.errors import QuestionError
from rag.papers import Filters
from rag.terms import terms

Intent = Literal["content", "count", "list", "latest", "oldest"]
Shape = Literal["single", "papers", "compare"]

_PAPERS = r"(?:papers?|articles?|publications?|works|preprints?|studies|entries)"
_COUNT = re.compile(
    rf"\bhow many (?:of (?:these|the|those) )?(?:different )?(?:[\w-]+ )?{_PAPERS}\b|\bnumber of {_PAPERS}\b|"
    rf"\bcount (?:of )?(?:the )?{_PAPERS}\b",
    re.I,
)
_LATEST = re.compile(r"\b(?:latest|newest|most recent|recent(?:ly)?|what(?:'s| is) new)\b", re.I)
_OLDEST = re.compile(rf"\b(?:oldest|earliest|first published)\b(?=.*\b{_PAPERS}\b)", re.I)
_LIST = re.compile(
    rf"\b(?:list|show|give|name|enumerate)\b[^.?]*\b{_PAPERS}\b|\b(?:which|what|any|"
    rf"are there(?: any)?)\s+(?:of (?:these|the) )?(?:[\w-]+ ){{0,2}}?{_PAPERS}\b",
    re.I,
)
_COMPARE = re.compile(
    rf"\b(?:two|three|2|3)\s+(?:[\w-]+\s+){{0,6}}?(?:{_PAPERS}|methods|approaches|models|interventions|benchmarks|datasets|techniques)\b|"
    rf"\beach (?:one|of|{_PAPERS})\b|\bone\b.{{0,80}}\bthe other\b|\bwhich paper\b.{{0,120}}\band which\b|"
    rf"\brespectively\b|"
    r"\bwhat does each\b|\b(?:these|those) two\b|\bboth of (?:these|the|those)\b|\bthe one (?:with|that|using|"
    r"which|on)\b",
    re.I,
)
_ONE_PAPER = re.compile(r"\b(?:which|what)\s+(?:[\w-]+\s+){0,2}?paper\b", re.I)
_APPROACHES = re.compile(
    r"\b(?:which|what)\s+(?:[\w-]+ )?(?:approaches|methods|works|techniques|frameworks|models)\b", re.I
)
_CONTRAST = re.compile(r"\bboth\b|\bcompar\w+|\bdiffer\w*|\bversus\b|\bvs\b|\band\b|\bbetween\b|\bor\b", re.I)
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
_NUMBER = re.compile(
    r"\bhow (?:much|many|far|large|big|fast|long|few|small|often|high|low|deep|accurate)\b|\bby how\b|"
    r"\bwhat (?:[\w-]+ ){0,4}?(?:percentage|percent|share|fraction|score|speed-?up|size|number|rate|length|"
    r"accuracy|latency|"
    r"throughput|lift|gain|improvement|reduction|ratio|factor|cost|savings?|amount|bleu|f1|fid|auc|map|ndcg(?:@\d+)?|mrr(?:@\d+)?)\b|"
    r"\bperce?a?nta?ge\b|\bup to what\b|\bwhat (?:speedup|score|length)\b",
    re.I,
)
_SOME = r"(?:\d{1,2}|two|three|four|five|ten)"
_COMMANDS = re.compile(
    r"\b(?:what|who|here|there|that)['’]s\b|"
    rf"\b{_SOME}\s+(?=(?:latest|newest|most recent|recent|oldest|earliest)\b)|"
    rf"\b(?:latest|newest|recent|oldest|earliest)\s+{_SOME}\b|"
    r"\b(?:mention|discuss|cover|concern|regard|address|describ|introduc|propos|present|us)(?:s|es|e|ed|ing)?\b|"
    r"\b(?:deals?|dealing|works?|working|focus(?:es|ed|ing)?|talks?|talking|related)\s+(?:with|on|about|to)\b|"
    rf"\b(?:please|list|show|me|give|name|all|the|of|are|is|there|any|do|you|have|in|this|your|our|library|collection|corpus|"
    rf"how many|number|count|which|what|were|was|published|released|listed|appeared|{_PAPERS}|latest|newest|"
    rf"most recent|recent|oldest|earliest|"
    rf"new|about|on|with|by|from|that|these|those|here|and|can|tell|know|did|come|came|out|exist|contain|contains|has|it|i|see|we|got|titles?|"
    rf"organi[sz]ation|company|authors?|more|than|anything|something)\b|[^\w\s-]",
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

    @property
    def in_context(self) -> Question | None:
        """The same question asked of the paper that the last answer cited first, for when it
        makes no sense on its own; None when it is about that already."""
        if self.subject or not self.cited:
            return None
        title = self.cited[0]
        return replace(self, query=f"{self.query} (about “{title}”)", subject=title)


def understand(
    asked: str,
    history: Sequence[Turn] = (),
    *,
    today: date,
    organisations: Collection[str] = (),
    max_chars: int = 4000,
) -> Question:
    """Clean a question, write its context in, and find its filters and kind.

    Raises:
        QuestionError: it is empty, or longer than `max_chars`.
    """
    text = clean(asked, max_chars)
    follow = make_self_contained(text, [replace(turn, content=_readable(turn.content)) for turn in history])
    filters, remainder = _filters(text, today, organisations)
    query, focus = _without_filter_words(follow.text, follow.focus, text, remainder)
    topic = _topic(remainder)
    intent = _intent(text, filters, topic)
    return Question(
        asked=text,
        query=query,
        focus=focus,
        filters=filters,
        intent=intent,
        shape=_shape(text, intent),
        wants_number=bool(_NUMBER.search(text)),
        topic=topic,
        subject=follow.subject,
        elsewhere=follow.elsewhere,
        cited=follow.cited,
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
    speaks_of_papers = re.search(rf"\b{_PAPERS}\b", text, re.I)
    for name in sorted(organisations, key=len, reverse=True):
        of_papers = rf"{_BY}{re.escape(name)}\b|\b{re.escape(name)}['’]s\s+(?={_PAPERS}\b)"
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


def _without_filter_words(query: str, focus: int, text: str, remainder: str) -> tuple[str, int]:
    """Search without the words that became filters, unless nothing else would be left."""
    short = re.sub(r" (?=[?.!,])", "", " ".join(remainder.split()))
    if short == text or not query.startswith(text) or len(terms(short)) < 2:
        return query, focus
    return short + query[len(text) :], len(short)


def _intent(text: str, filters: Filters, topic: str) -> Intent:
    if _COUNT.search(text):
        return "count"
    if _OLDEST.search(text):
        return "oldest"
    if _LATEST.search(text) and re.search(rf"\b{_PAPERS}\b|\bnew\b", text, re.I):
        return "latest"
    bare_request = bool(filters) and not topic
    return "list" if bare_request or _LIST.search(text) else "content"


def _shape(text: str, intent: Intent) -> Shape:
    named = names(text)
    if _COMPARE.search(text) or (len(named) >= 2 and _joined_by_contrast(text, named)):
        return "compare"
    if _ONE_PAPER.search(text):
        return "single"
    return "papers" if intent != "content" or _APPROACHES.search(text) else "single"


def _joined_by_contrast(text: str, named: Sequence[str]) -> bool:
    """ "both HNeRV and NeRV++", "VPTQ vs PV-Tuning": two names with little but a contrast between."""
    strong = re.search(r"\bboth\b|\bcompar\w+|\bdiffer\w*|\bversus\b|\bvs\b", text, re.I)
    for first, second in pairwise(named):
        between = text[text.find(first) + len(first) : text.rfind(second)]
        if strong and len(between) <= 40 and _CONTRAST.search(between):
            return True
    return False
