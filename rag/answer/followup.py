"""A follow-up made self-contained by rules: what "it" or "the second one" refers to is written in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.answer import Turn
from rag.answer.names import names
from rag.terms import terms

MAX_TURNS = 12
MAX_ABOUT = 300  # characters of an earlier question that are written in
_NEAREST = "Nearest papers:"  # what follows it in a refusal is an offer, not what "it" stands for
# A title as answers write it: “Title” (October 2022), “Title”: or “Title” was; a quoted sentence has its marker behind.
_TITLE = re.compile(
    r"“(?P<ours>[^“”\n]{3,300})”(?:(?P<sure>\s*\((?:[A-Z][a-z]+ (?:\d{1,2}, )?\d{4}|no date)\)|:)|(?P<marked>\s*\[\d))?"
    r"|(?:\[|\"|\*{1,2})(?P<others>[A-Z0-9$][^\[\]“”\"*\n]{11,300}?)(?:\]|\"|\*{1,2})"
)
_OPENER = re.compile(r"^\s*(?:and|but|so|also|then|what about|how about|what else|why not|really)\b", re.I)
_SUBJECT = re.compile(r"\b(?:it|they|them|he|she|this|that|these|those)\b(?!\s+(?:is|are|was|were)\s+there)", re.I)
_DEMONSTRATIVE = re.compile(
    r"\b(?:this|that|these|those|the same|said|the)\s+(?:paper|papers|method|model|approach|work|study|authors?|"
    r"technique|"
    r"framework|system|benchmark|dataset|result|results)\b",
    re.I,
)
_POSSESSIVE = re.compile(r"\b(?:its|their|his|her)\b", re.I)
_ORDINAL = re.compile(
    r"\bthe\s+(?:(first|second|third|fourth|fifth|last)\s+(?:one|paper|method|model|study|work)|(former|latter))\b",
    re.I | re.A,  # ASCII: "ſecond" is no ordinal that the table has
)
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1, "former": 0, "latter": -1}
_OTHER = re.compile(
    r"\b(?:any\s+)?(?:other|another|further|similar|related)\s+(?:papers?|works?|stud(?:y|ies)|methods?)\b", re.I
)
_ANOTHER = re.compile(
    r"\b(?:any|other|another|further|more|which|what|similar|related|else)\s+(?:\w+\s+)?(?:papers?|works?|stud(?:y|ies)|methods?)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question with its context written in.

    `focus` is how many characters of `text` are the question itself; the rest is inherited.
    `subject` is the title it refers to; `elsewhere` tells that another paper than the subject
    is asked for. `cited` are the titles that the last answer named, whether or not they matter.
    """

    text: str
    focus: int
    cited: tuple[str, ...] = ()
    subject: str | None = None
    elsewhere: bool = False


def make_self_contained(question: str, history: Sequence[Turn]) -> FollowUp:
    """Write the last topic of `history` into a question that leans on it.

    A question that stands on its own (it names things, or has enough content and no pronoun
    pointing back) is left as it is, so a change of topic is not dragged back to the old one.
    """
    turns = list(history)[-MAX_TURNS:]
    pronoun = _leading_pronoun(question)
    ordinal = _ORDINAL.search(question)
    cited = _cited_titles(turns, offered=bool(ordinal))
    if not turns or not _leans(question, pronoun):
        return FollowUp(question, len(question), tuple(cited))
    standing = FollowUp(question, len(question))
    if cited and ordinal:
        place = _PLACES[(ordinal[1] or ordinal[2]).lower()]
        return _written_in(question, ordinal, cited[place], cited) if place < len(cited) else standing
    if cited:
        return _written_in(question, pronoun, cited[0], cited)
    asked = next((turn.content for turn in reversed(turns) if turn.role == "user"), "")
    return replace(standing, text=f"{question} (about: {asked[:MAX_ABOUT]})") if asked else standing


def _leans(question: str, pronoun: re.Match[str] | None) -> bool:
    if _OPENER.match(question) or pronoun or _DEMONSTRATIVE.search(question):
        return True
    named = names(question)
    possessive = _POSSESSIVE.search(question)
    if possessive and not named and len(terms(question[: possessive.start()])) < 4:
        return True
    if _ORDINAL.search(question):
        return True
    return not named and len(terms(question)) <= 3


def _leading_pronoun(question: str) -> re.Match[str] | None:
    """A pronoun that has no noun of its own question to stand for."""
    for match in _SUBJECT.finditer(question):
        before = _OTHER.sub(" ", question[: match.start()])
        if any(name[0].isalpha() for name in names(before)) or len(terms(before)) > 4:
            return None
        if match[0].lower() in ("that", "this", "these", "those") and re.match(r"\s+[a-z]", question[match.end() :]):
            continue  # "the retriever that encodes", "this paper": no pronoun
        return match
    return None


def _written_in(question: str, pronoun: re.Match[str] | None, title: str, cited: Sequence[str]) -> FollowUp:
    """Put the title's short name for the pronoun and the whole title behind the question."""
    short = title.split(":")[0].strip() if ":" in title else title
    text = question
    if pronoun and len(short.split()) <= 5:
        text = question[: pronoun.start()] + short + question[pronoun.end() :]
    focus = len(text)
    elsewhere = bool(_ANOTHER.search(question))
    text = text if title in text else f"{text} (about “{title}”)"
    return FollowUp(text, focus, tuple(cited), title, elsewhere)


def _cited_titles(turns: Sequence[Turn], *, offered: bool) -> list[str]:
    """Titles that the last answer which names any wrote in brackets or quotation marks, in order;
    those that a refusal offers only if `offered`."""
    for turn in reversed(turns):
        if turn.role != "assistant":
            continue
        said = turn.content if offered else turn.content.split(_NEAREST)[0]
        found = [title for match in _TITLE.finditer(said) if (title := _title(match))]
        if found:
            return list(dict.fromkeys(found))
    return []


def _title(match: re.Match[str]) -> str | None:
    text = (match["ours"] or match["others"]).strip()
    if match["sure"] or (match["ours"] and not match["marked"] and len(text) > 11 and text[0].isupper()):
        return text
    return text if len(text) > 11 and _like_a_title(text) else None


def _like_a_title(text: str) -> bool:
    """A quoted sentence ends like one; a title has mostly capitalised words and no full stop."""
    words = [word for word in re.findall(r"[A-Za-z][\w-]*", text) if len(word) > 3]
    capitals = sum(word[0].isupper() for word in words)
    return bool(words) and not text.rstrip().endswith(".") and capitals / len(words) >= 0.5
