"""What it is worth to a paper that the question names it, or names what it alone mentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.answer.names import mentions, names
from rag.answer.ranking.rarity import rarity
from rag.papers import Paper
from rag.terms import content_words, terms

SUBJECT_WORDS = 5  # before a title's colon, up to which they are a name rather than a sentence
NAMED_BONUS = 0.1  # for a paper whose subject the question names, on a scale of 0 to 1
COINED_BONUS = 0.3  # where no other paper mentions that name
MENTIONED_BONUS = 0.2  # for the only paper that mentions a name, whatever its subject
WHOLE_SHARE = 1 / 3  # of the question's rarity, from which on a name is what it is about


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a question; `coined` if one paper alone has it, `weight` in [0, 1] says how much the question is
    about it: a gene in a long claim is less than "TILDEv2" in "What is TILDEv2?"."""

    text: str
    coined: bool
    weight: float


def terms_counted(query: str) -> list[str]:
    """The terms whose frequencies `names_in` needs."""
    return [*_content(query), *(term for name in names(query) for term in terms(name))]


def names_in(query: str, frequencies: Mapping[str, int], papers: int) -> list[Name]:
    """The names in a question; `frequencies` says in how many of the `papers` each term stands."""
    found = []
    for name in names(query):
        own = set(terms(name))
        whole = sum(rarity(frequencies[term], papers) for term in {*_content(query), *own})
        share = sum(rarity(frequencies[term], papers) for term in own) / whole if whole else 0.0
        coined = min((frequencies[term] for term in own), default=0) == 1
        found.append(Name(name, coined, min(1.0, share / WHOLE_SHARE)))
    return found


def bonus(in_query: Sequence[Name], paper: Paper) -> float:
    """The most that a name in the question is worth to the paper."""
    return max((name.weight * _worth(name, paper) for name in in_query), default=0.0)


def _worth(name: Name, paper: Paper) -> float:
    if is_subject(name.text, paper):
        return COINED_BONUS if name.coined else NAMED_BONUS
    return MENTIONED_BONUS if name.coined and mentions(f"{paper.title}\n{paper.abstract}", name.text) else 0.0


def is_subject(name: str, paper: Paper) -> bool:
    """Whether `name` is what the paper calls its subject: its title begins with it, or has it in a short part
    before the colon. "GPU" somewhere in a long title names no paper."""
    short = paper.title.split(":")[0]
    words = short.split()
    if len(words) > SUBJECT_WORDS and not mentions(words[0], name):  # first: it is the cheaper look
        return False
    return mentions(short, name)


def _content(query: str) -> list[str]:
    return [term for _, _, term in content_words(query)]
