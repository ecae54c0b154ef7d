"""A follow-up made self-contained by rules: what "it", "the second one" or "and for Llama?" refers to is written in.

The outcome reads as a person would have asked it of someone who has not heard the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer import ellipsis
from rag.answer import referring as refer
from rag.answer.answer import Turn
from rag.answer.history import ASKED_CHARS, TitleLookup, as_written, cited_titles, last_asked, quoted, recent
from rag.answer.names import mentions, names

_OPENER = re.compile(
    r"^\s*(?:(?:and|but|so|also|then|ok(?:ay)?|well|right|yes|hm+|thanks|thank you|great|actually)\b[\s,.!–-]*)+", re.I
)
_ABOUT = re.compile(r"^\s*(?:(?:and|but)\s+)?(?:what|how)\s+about\b|^\s*(?:what else|really)\b", re.I)
_CLAUSE = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might)\b|"
    r"^\s*(?:which|what|who)\s+\w+\s+\w+s\b|^\s*(?:list|show|give|compare|name|explain|describe|define)\b",
    re.I,
)
_GIVEN = re.compile(r"\bthe\s+[a-z-]+(?:\s+[a-z-]+)?\s*[?.!,]*$|\bthe\s+[a-z]+,", re.I)  # "the throughput?"
_OTHERS = re.compile(
    r"\b(?:any|other|another|further|more|which|what|similar|related|else)\s+(?:\w+\s+)?(?:papers?|works?|stud(?:y|ies)|methods?)\b",
    re.I,
)
_OF_PAPERS = re.compile(
    r"\b(?:papers?|articles?|publications?|studies)\b.*\b(?:are|is|were|there|about|on)\b|\bhow many papers\b", re.I
)
_FOR_PAPERS = re.compile(r"\b(?:which|what|how many|list|show|latest|newest|oldest|are there)\b.*\bpapers?\b", re.I)
_ASKS = re.compile(rf"{_OPENER.pattern[:-1]}*(?:how|what|which|who|where|when|why)\b", re.I)
_END = re.compile(r"\s*[?.!]*\s*$")
NO_MORE_THAN = 3  # papers that "they" or "which of them" spells out


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question with its context written in.

    `text` is the whole question; its first `focus` characters are asked, what follows is only where to look.
    `subject` is the title it refers to, `among` the titles it chooses from or compares; `elsewhere` tells that another
    paper than the subject is asked for. `cited` are the titles that the last answer named, whether or not
    they matter. `said` are sentences that were quoted already, where more than those is asked for.
    """

    text: str
    focus: int
    cited: tuple[str, ...] = ()
    subject: str | None = None
    elsewhere: bool = False
    among: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


def make_self_contained(question: str, history: Sequence[Turn], titles: TitleLookup = as_written) -> FollowUp:
    """Write what a question leans on into it; a question that stands on its own stays as it is.

    `titles` gives the library's title for a title that the conversation shows, or None: a title that the
    library does not have is no source, whoever wrote it.
    """
    turns = recent(history)
    standing = FollowUp(question, len(question))
    if not turns:
        return standing
    asked = last_asked(turns)
    before = make_self_contained(_folded(turns[asked].content), turns[:asked], titles) if asked is not None else None
    cited = cited_titles(turns, titles)
    offered = _in_order(cited_titles(turns, titles, offered=True), before)
    if chosen := _chosen(question, offered, before):
        return replace(chosen, cited=offered)
    if before and (again := _asked_again(question, before, cited, turns)):
        return again
    if len(cited) > 1 and (together := _together(question, _in_order(cited, before))):
        return replace(together, cited=cited)
    if not _leans(question):
        return replace(standing, cited=() if refer.ordinal(question) else cited)
    if cited:
        return replace(_of_paper(question, cited[0]), cited=cited)
    return _of_question(question, before) if before else standing


def about(question: str, title: str) -> tuple[str, int]:
    """A question asked of one paper: `… in “Title”?`, and how many characters of it are the question."""
    end = _END.search(question)
    assert end
    asked = question[: end.start()]
    mark = end[0].strip() or ("?" if _CLAUSE.search(question) else "")
    return f"{asked} in “{title}”{mark}", len(asked)


def _folded(text: str) -> str:
    return " ".join(text.split())[:ASKED_CHARS]


def _in_order(cited: Sequence[str], before: FollowUp | None) -> tuple[str, ...]:
    return refer.in_order_asked(cited, before.text) if before else tuple(cited)


def _asked_again(question: str, before: FollowUp, cited: tuple[str, ...], turns: Sequence[Turn]) -> FollowUp | None:
    """The question before, asked of something else, for its reason, or for more."""
    earlier = before.text
    if text := ellipsis.corrected(question, earlier):
        return FollowUp(text, len(text))
    if text := ellipsis.carried_on(question, earlier):
        return _still_about(text, cited, earlier)
    # The rest asks the same question further, which finds its papers as it found them before.
    same = FollowUp("", 0, (), before.subject, before.elsewhere, before.among)
    if text := ellipsis.reasoned(question, earlier):
        return replace(same, text=text, focus=len(text))
    if text := ellipsis.expanded(question, earlier):
        return replace(same, text=text, focus=len(text), said=quoted(turns))
    return None


def _still_about(text: str, cited: tuple[str, ...], earlier: str) -> FollowUp:
    """A question that came of the one before: about the same paper, unless its name was exchanged for another."""
    if len(cited) != 1 or _OF_PAPERS.search(earlier):
        return FollowUp(text, len(text), cited)
    title = cited[0]
    if f"“{title}”" in text or _names_it(text, title):
        return FollowUp(text, len(text), cited, title)
    if _names_it(earlier, title):
        return FollowUp(text, len(text))  # another paper is asked for by name
    whole, focus = about(text, title)
    return FollowUp(whole, focus, cited, title)


def _names_it(text: str, title: str) -> bool:
    short = refer.short_name(title)
    return any(mentions(title, name) for name in names(text)) or bool(short and short.lower() in text.lower())


def _chosen(question: str, cited: tuple[str, ...], before: FollowUp | None) -> FollowUp | None:
    """A question about one of the papers before: "the second one", "the one about layers", "which of them"."""
    if before and (text := ellipsis.narrowed(question, before.text)):
        return _standing(text)
    found, ordinal = refer.described(question, cited), refer.ordinal(question)
    if found:
        span, title = found
    elif ordinal and cited and refer.place(ordinal) < len(cited):
        span, title = ordinal.span(), cited[refer.place(ordinal)]
    elif len(cited) > 1 and (text := refer.which_of(question, cited[:NO_MORE_THAN])):
        return replace(_standing(text), among=cited[:NO_MORE_THAN])
    else:
        return None
    chosen = _with(question, span, refer.called(title), title)
    corrected = before and ellipsis.corrected(chosen.text, before.text)
    return replace(chosen, text=corrected, focus=len(corrected)) if corrected else chosen


def _standing(text: str) -> FollowUp:
    """A question in which nothing refers to another any more."""
    text = _without_opener(text)
    return FollowUp(text, len(text))


def _with(question: str, span: tuple[int, int], words: str, title: str) -> FollowUp:
    text = question[: span[0]] + words + question[span[1] :]
    return replace(_standing(text), subject=title, elsewhere=bool(_OTHERS.search(question)))


def _leans(question: str) -> bool:
    if refer.ordinal(question):
        return False  # "the fifth one" of three
    if refer.pointer(question) or refer.demonstrative(question) or refer.one(question):
        return True
    named = any(name[0].isalpha() for name in names(question))
    if ellipsis.DEFINES.match(question) or _FOR_PAPERS.search(question):
        return False
    if not refer.content(question) and not _ASKS.match(question):
        return False  # "ok", "not that one": nothing that could be asked of a paper
    opened = _OPENER.match(question) or _ABOUT.match(question)
    if opened and not (named and _CLAUSE.search(question)):
        return True
    if named:
        return False
    return refer.content(question) <= 1 or (refer.content(question) <= 3 and bool(_GIVEN.search(question)))


def _together(question: str, cited: tuple[str, ...]) -> FollowUp | None:
    """ "How do they differ?" asked of several papers."""
    match = refer.several(question)
    if match is None:
        return None
    among = cited[:NO_MORE_THAN]
    text = question[: match.start()] + refer.joined(among) + question[match.end() :]
    return replace(_standing(text), among=among)


def _of_paper(question: str, title: str) -> FollowUp:
    """The paper's name in the pronoun's place; where that is no sentence, "in “Title”" behind the question."""
    elsewhere = bool(_OTHERS.search(question))
    pointed = refer.demonstrative(question)
    if pointed and pointed["kind"].lower() in ("paper", "work", "study", "article"):
        return _with(question, pointed.span(), _the_paper(title), title)
    match = None if pointed else refer.pointer(question)
    if match and (text := refer.put_for(question, match, title)):
        return replace(_standing(text), subject=title, elsewhere=elsewhere)
    whole, focus = about(question, title)
    return FollowUp(whole, focus, subject=title, elsewhere=elsewhere)


def _the_paper(title: str) -> str:
    short = refer.short_name(title)
    return f"the {short} paper" if short else f"the paper “{title}”"


def _of_question(question: str, before: FollowUp) -> FollowUp:
    """No paper was cited: the one thing that the question before names or asks to define is meant, or all of it."""
    named = [name for name in names(before.text) if name[0].isalpha()]
    defined = ellipsis.DEFINES.match(before.text)
    topic = named[0] if len(named) == 1 else defined["what"] if defined and not named else None
    match = refer.pointer(question)
    if topic and match and (text := refer.put_for(question, match, topic)):
        return _standing(text)
    return FollowUp(f"{question} (asked after: {before.text[:ASKED_CHARS]})", len(question))


def _without_opener(text: str) -> str:
    """ "And how many authors ..." -> "How many authors ..."."""
    rest = _OPENER.sub("", text)
    return rest[:1].upper() + rest[1:] if text[:1].isupper() and rest != text else rest
