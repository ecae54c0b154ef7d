"""What a question asks for and the papers found do not give: a name, a detail, an amount, or a thing.

Each is looked for in whole abstracts, not only in the sentences chosen: "the abstract does not say"
has to be true of all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.answer.amounts import Amount, amounts_asked, counts, states_number, states_value, wants_value
from rag.answer.attributes import missing_details, thing_asked
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import mentions, names
from rag.answer.question import Question
from rag.terms import terms

SAME_THING = 0.65  # similarity from which a sentence speaks of what is counted
SPOKEN = 0.3  # share of a thing's words that a paper must speak of
ABSENT = 0.45  # similarity below which a paper does not speak of a word at all

_AUX = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|must)"
# Whatever a dataset holds is an example of it.
_COUNTABLE = frozenset(
    term
    for word in ("example", "sample", "instance", "item", "case", "entry", "point", "piece", "kind", "type")
    for term in terms(word)
)
# What is called a benchmark in the question may be a dataset or a task in the paper.
_EVALUATED_ON = frozenset(term for word in ("benchmark", "dataset", "task", "corpus") for term in terms(word))
_PROPOSING = r"\b(?:propos|introduc|present|invent|develop)\w*"
_OURS = re.compile(
    r"\b(?:(?:propos|introduc|present|invent|develop|call|term|nam|dubb)\w*|we|our|"
    r"this (?:paper|work|article|report|study) (?:\w+ly )?(?:describ|detail|document|outlin|releas|unveil)\w*)"
    r"\b[^.;]{0,80}$",
    re.I,
)
# What stands before these is no comparison of the thing itself: "Based on this, we propose Q".
_OWN_CLAUSE = re.compile(
    r".*\b(?:we|(?:propos|introduc|invent|develop|describ)es?|presents?|called|termed|named|dubbed|our(?=\s*$))\b",
    re.I | re.S,
)
_IS_PROPOSED = re.compile(
    r"\s*(?:\([^)]*\)\s*)?(?:is|was)\s+(?:here(?:by)?\s+|then\s+|thus\s+|therefore\s+)?"
    r"(?:introduced|proposed|presented|developed)\b(?!\s+(?:by|in (?:\[|\d)))",
    re.I,
)
_COMPARED = re.compile(
    r"\b(?:outperform\w*|compar\w*|surpass\w*|exceed\w*|beat\w*|than|over|against|like|such as|us(?:e|es|ed|ing)|"
    r"based on|buil[dt]\w* on|train\w*|tun(?:e|es|ed|ing))\b[^.;]{0,60}$",
    re.I,
)
_PROPOSES = re.compile(
    r"\b(?:propos|introduc|present|invent|develop|call|term|nam|dubb|describ)\w*\b[^.;]{0,80}$", re.I
)
_SHARE = re.compile(r"\b(?:percent\w*|share|fraction|ratio|factor)\b", re.I)  # any number may be one
_NOUNS = r"(?:[\w-]+\s+){0,3}?[\w-]+?"
_USES = re.compile(
    r"\b(?:us(?:e|es|ing|ed)|appl(?:y|ies)|employ(?:s|ed)?|rel(?:y|ies) on|exploit(?:s|ed)?|"
    rf"(?:train|evaluat|test)ed on)\s+(?!(?:by|to|for|in|as|it|on)\b)(?P<thing>{_NOUNS})"
    r"(?=\s+(?:to|for|in|on|at|when|while|as|during|from|of|with|by|and|or|instead|inside)\b|[?.,;:]|$)|"
    # "X's agent" is something that X has; "what's new" is not.
    r"(?<!\bwhat)(?<!\bwho)(?<!\bhow)(?<!\bwhere)(?<!\bthat)(?<!\bit)(?<!\bhere)(?<!\bthere)(?<!\blet)"
    rf"['’]s\s+(?P<own>{_NOUNS})"
    rf"(?=\s+(?:{_AUX}|to|for|in|on|at|of|and|work\w*|pick\w*|help\w*|handl\w*|reduc\w*|improv\w*)\b|[?.,;:]|$)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing: the reason as a reader is told it, its signal, and the question's words for it.

    With a `fatal` one nothing that the papers say is of use.
    """

    reason: str
    signal: str
    words: str
    fatal: bool = False


def find_gap(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> Gap | None:
    """What the question asks for and `papers`, the best first, do not give; the gravest, or None."""
    return (
        _not_proposed(question, papers)
        or _missing_names(question, papers)
        or _another_s(question, papers)
        or _missing_attribute(question, evidence, papers)
    )


def own_words(question: Question) -> str:
    """The question as it was searched, without what it inherits from the conversation."""
    return question.query[: question.focus]


def _not_proposed(question: Question, papers: Sequence[PaperEvidence]) -> Gap | None:
    """The name in "which paper proposed X" where the papers only use X."""
    if question.shape != "papers" and not re.search(r"\bwh(?:ich|at) paper\b", question.asked, re.I):
        return None
    asked = own_words(question)
    for name in names(question.own):
        wanted = re.search(rf"{_PROPOSING}.{{0,60}}{re.escape(name)}", asked, re.I)
        if wanted and not any(_brings(paper, name, _PROPOSES) for paper in papers):
            reason = f"Papers here mention “{name}”, but none of those found proposes it."
            return Gap(reason, "not_proposed", name, fatal=True)
    return None


def _brings(paper: PaperEvidence, name: str, says: re.Pattern[str] = _OURS) -> bool:
    """Whether `name` is the paper's own: its title is about it, its code's address has it, or a sentence `says` so
    before it ("we propose")."""
    plain = rf"(?<![\w-]){re.escape(name)}(?![\w-])"  # no part of "CATNAP-XS"
    if re.search(rf"\w\.\w+/\S{{0,200}}/{re.escape(name)}(?![\w-])", paper.paper.abstract, re.I):
        return True
    short = paper.paper.title.split(":")[0]
    if re.search(plain, short, re.I) and 2 * len(name.split()) >= len(short.split()):
        return True
    found = re.compile(rf"{plain}(?!\s+(?-i:[A-Z][a-z]))", re.I)  # nor of "CATNAP Deep Sleep"
    return any(_is_own(s.text, *match.span(), says) for s in paper.sentences for match in found.finditer(s.text))


def _is_own(sentence: str, start: int, end: int, says: re.Pattern[str]) -> bool:
    """Whether a sentence brings what it names from `start` to `end`: "we propose Q", "Q is introduced"."""
    before = sentence[:start]
    clause = _OWN_CLAUSE.sub("", before, count=1)
    return bool(says.search(before) and not _COMPARED.search(clause)) or bool(_IS_PROPOSED.match(sentence, end))


def _missing_names(question: Question, papers: Sequence[PaperEvidence]) -> Gap | None:
    """Names that no paper mentions: fatal when the thing asked about is unknown, not when a circumstance is."""
    asked = own_words(question)
    own = question.subject or ""  # what a follow-up stands for is known, though another paper is asked for
    missing = [
        name
        for name in names(question.own)
        if not mentions(own, name) and not any(mentions(paper.text, name) for paper in papers)
    ]
    if not missing:
        return None
    listed = " and ".join(f"“{name}”" for name in missing)
    if any(_is_subject(name, asked) for name in missing):
        return Gap(f"None of the papers found mentions {listed}.", "missing_names", " ".join(missing), fatal=True)
    reason = f"{papers[0].read} not mention {listed}."
    return Gap(reason, "missing_names", " ".join(missing))


def _another_s(question: Question, papers: Sequence[PaperEvidence]) -> Gap | None:
    """The name in "how does X do it" where the one paper found only compares itself with X."""
    if question.kind != "how_why" or len(papers) > 1 or question.subject:
        return None
    asked = own_words(question)
    for name in names(question.own):
        if _is_subject(name, asked) and not _brings(papers[0], name) and not mentions(papers[0].paper.title, name):
            reason = f"Papers here mention “{name}”, but none of those found says how it works."
            return Gap(reason, "not_proposed", name, fatal=True)
    return None


def _is_subject(name: str, asked: str) -> bool:
    """Whether the question is about `name`: "does the large X"; not "on X", "which X score"."""
    pattern = rf"\b{_AUX}\s+(?:the\s+)?(?:[\w-]+\s+){{0,2}}?{re.escape(name)}(?!\w|['’]s)"
    return name[0].isalpha() and bool(re.search(pattern, asked, re.I))


def _missing_attribute(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> Gap | None:
    """A detail, an amount or a thing that the question takes the papers to give."""
    abstract = f"{papers[0].read} not"
    if details := missing_details(question.asked, [paper.text for paper in papers]):
        return Gap(f"{abstract} give: {', '.join(details)}.", "missing_details", " ".join(details))
    for amount in amounts_asked(own_words(question)):
        if not _given(amount, question, evidence, papers):
            return Gap(f"{abstract} {_in_words(amount)}.", "missing_amount", amount.words)
    if thing := _unspoken_of(question, evidence, papers):
        return Gap(f"{abstract} speak of “{thing}”.", "missing_thing", thing)
    return None


def _in_words(amount: Amount) -> str:
    if amount.kind == "amount":
        return "say how much or how many: none of its sentences gives a number"
    return f"say how many {amount.words}" if amount.kind == "count" else f"give the {amount.words}"


def _given(amount: Amount, question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> bool:
    """Whether some sentence states the amount; of a thing that no paper brings, it must speak by name."""
    asked = own_words(question)
    foreign = [name for name in names(question.own) if not any(_brings(paper, name) for paper in papers)]
    subjects = [name for name in foreign if _is_subject(name, asked)]
    places = [name for name in foreign if name[0].isalpha() and name not in subjects]
    heads = [i for i, word in enumerate(evidence.words) if amount.start <= word.start < amount.end]
    for paper in papers:
        for sentence, row in zip(paper.sentences, paper.sentence_matches, strict=True):
            if subjects and not any(mentions(sentence.text, name) for name in subjects):
                continue
            matches = {evidence.words[i].term: float(row[i]) for i in heads}
            if _states(amount, sentence.text, asked, matches, places):
                return True
    return False


def _states(amount: Amount, sentence: str, asked: str, matches: Mapping[str, float], places: Sequence[str]) -> bool:
    """Whether one sentence states the amount.

    `matches` are how it matches the counted or measured words, `places` the names on which it may be measured.
    """
    if not states_number(sentence, asked):
        return False
    if amount.kind == "amount" or _SHARE.search(amount.words):
        return True
    if amount.kind == "count":
        *_, head = matches or ("",)
        if head in _COUNTABLE or not matches:
            return True
        nouns = {*matches, *(_EVALUATED_ON if head in _EVALUATED_ON else ())}
        beside = [stated for noun in nouns if (stated := counts(sentence, noun, asked)) is not None]
        return any(beside) if beside else max(matches.values()) >= SAME_THING
    about = [matches[term] for term in amount.anchors if term in matches]
    anchored = any(match >= SAME_THING for match in about) or any(mentions(sentence, name) for name in places)
    return (anchored or not (about or places)) and (not wants_value(asked, amount) or states_value(sentence, asked))


def _unspoken_of(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> str | None:
    """What a named paper is taken to use, to have ("X's agent") or to name ("which corpus"), and nowhere speaks of."""
    asked = own_words(question)
    named = names(question.own)
    if len(papers) > 1 or not any(mentions(papers[0].text, name) for name in named):
        return None
    known = {term for name in named for term in terms(name)}
    spans = [(match.span("thing" if match["thing"] else "own"), SPOKEN) for match in _USES.finditer(asked)]
    if thing := thing_asked(asked):
        spans.append((thing, 0.0))
    for (start, end), enough in spans:
        inside = [i for i, word in enumerate(evidence.words) if start <= word.start < end and word.term not in known]
        spoken = sum(evidence.words[i].weight for i in inside if float(papers[0].matches[i]) >= ABSENT)
        if inside and spoken <= enough * sum(evidence.words[i].weight for i in inside):
            return asked[start:end]
    return None
