"""Whether the papers found answer the question at all: answered, partial, corrected or refused.

Several signals decide, each of which can be named to the reader: nothing covers the question's
words, a premise that the paper denies, something asked for that no paper gives (see gaps.py), a
fact that no listing shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rag.answer.alignment import coverage
from rag.answer.answer import Outcome
from rag.answer.attributes import IN_FULL_TEXT, never_listed
from rag.answer.draft import Draft, refusal
from rag.answer.facets import facets
from rag.answer.gaps import SAME_THING, Gap, find_gap, own_words
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import mentions, names
from rag.answer.premises import denied
from rag.answer.question import Question
from rag.answer.select import Choice
from rag.papers import Filters
from rag.terms import terms

# Calibrated on the development questions (`make eval-dev`), read by nothing else.
RELEVANCE_FLOOR = 0.74  # of coverage of the question's words + COSINE_SHARE * cosine, best paper
NAMED_FLOOR = 0.65  # the same where a good paper mentions a name that the question names
SUBJECT_FLOOR = 0.45  # the same where a follow-up refers to a paper
FEW_WORDS, WORDY, MOST_WORDS = 6, 0.05, 4  # telling words; what each further one takes off the floor; how many do
ALONE = 0.90  # from which a question is not taken for a follow-up
COSINE_SHARE = 0.5
NEAREST = 3  # papers that a refusal names
LOOKED_AT = 5  # best papers, one of which may be called what the question names
CLAUSE = 0.75  # share of a clause's own words from which a quote answers that clause
IN_FULL = 2  # best papers of which one has a full text, so that it may say what listings do not
USEFUL = 0.5  # share of the question's other words from which a quote helps beside what is missing
TELLING = 2.0  # weight of these words from which it does: "train" alone says little


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, why in one sentence, and the signals that decided.

    `quotes` are the sentences to show in place of those chosen, where others are better: the one
    that denies a premise, or the one nearest to what is missing. None where the chosen ones stand.
    """

    outcome: Outcome
    reason: str
    signals: Mapping[str, float] = field(default_factory=dict)
    quotes: tuple[Choice, ...] = ()


def hopeless(question: Question, evidence: Evidence) -> Draft | None:
    """A refusal that needs no sentence to be chosen first, or None."""
    nearest = [paper.paper for paper in evidence.papers[:NEAREST]]
    in_full = any(paper.paper.body_hash for paper in evidence.papers[:IN_FULL])
    if (kind := never_listed(question.asked)) and not (in_full and kind in IN_FULL_TEXT):
        return refusal(f"The listings that this library was read from give no {kind}.", nearest, {"never_listed": 1.0})
    if not evidence.papers:
        limit = " that passes the filters" if question.filters else ""
        return refusal(f"No paper{limit} was found.")
    signals = relevance(question, evidence)
    if not any(re.search(r"[^\W\d]{2}", word.text) for word in evidence.words):
        return refusal(
            "The question names nothing that could be searched for: ask about a paper, a method or a result."
        )
    if signals["relevance"] < _floor(question, evidence, bool(signals["named"])):
        return refusal(_not_covered(question.filters), nearest, signals)
    return None


def _not_covered(filters: Filters) -> str:
    if filters.paper_ids is not None:
        return "None of the papers that the question is limited to covers what it asks about."
    return f"No paper {filters.in_words() or 'in the library'} covers what the question asks about."


def _floor(question: Question, evidence: Evidence, named: bool) -> float:
    """The relevance below which nothing answers. A long question is put in words of its own, few of which the right
    paper has, and what is off topic is asked in few; a follow-up has its paper already."""
    if question.subject and not question.elsewhere:
        return SUBJECT_FLOOR
    if named:
        return NAMED_FLOOR
    return RELEVANCE_FLOOR - WORDY * min(max(0, len(evidence.words) - FEW_WORDS), MOST_WORDS)


def stands_alone(question: Question, evidence: Evidence) -> bool:
    """Whether a question in a conversation is clear without it: papers cover it well, or it names one."""
    if not evidence.papers or not evidence.words:
        return False
    named = any(mentions(evidence.papers[0].text, name) for name in names(question.asked))
    return named or relevance(question, evidence)["relevance"] >= ALONE


def relevance(question: Question, evidence: Evidence) -> dict[str, float]:
    """How near the best papers are to the question: `coverage` of its words, `cosine`, and both as `relevance`.

    `named` is 1 where one of them has a name that the question names. A question about several papers
    may be covered by them together; one about a paper called by its name is held against that paper too.
    """
    looked_at = list(evidence.papers[:1] if question.shape == "single" else evidence.papers[:3])
    named = _named(question, evidence)
    if named and question.shape == "single":
        looked_at = [max(looked_at[0], named, key=evidence.coverage)]
    covered = coverage(evidence.words, np.max([paper.matches for paper in looked_at], axis=0))
    cosine = looked_at[0].ranked.scores.get("dense", 0.0)
    near = covered + COSINE_SHARE * cosine
    signals = {"coverage": covered, "cosine": cosine, "relevance": near, "named": float(named is not None)}
    return {name: round(value, 4) for name, value in signals.items()}


def judge(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], choices: Sequence[Choice]
) -> Verdict:
    """The verdict on the sentences chosen from `papers`, best paper first."""
    signals = {
        **relevance(question, evidence),
        "sentence": round(max((choice.score for choice in choices), default=0.0), 4),
    }
    if not choices:
        return Verdict("refused", f"“{papers[0].paper.title}” has no abstract in the library to quote from.", signals)
    if denial := _denied(question, evidence, papers[0], choices, signals):
        return denial
    gap = find_gap(question, evidence, papers)
    if gap is None:
        return Verdict("answered", "", signals)
    signals[gap.signal] = 1.0
    own = [choice for choice in choices if choice.evidence is papers[0]]  # the reason speaks of that paper
    nearest = None if gap.fatal else _nearest(gap, question, evidence, own or choices)
    if nearest is None:
        return Verdict("refused", gap.reason, signals)
    return Verdict("partial", gap.reason, signals, (nearest,))


def _named(question: Question, evidence: Evidence) -> PaperEvidence | None:
    """The best paper whose title has a name of the question; else the best, if it mentions one."""
    asked = names(question.own)
    for paper in evidence.papers[:LOOKED_AT]:
        if any(mentions(paper.paper.title, name) for name in asked):
            return paper
    best = evidence.papers[0]
    return best if any(mentions(best.text, name) for name in asked) else None


def _denied(
    question: Question,
    evidence: Evidence,
    lead: PaperEvidence,
    choices: Sequence[Choice],
    signals: Mapping[str, float],
) -> Verdict | None:
    """What the lead paper denies, its sentence first: a premise is corrected, a "does X ...?" answered."""
    weights = {word.term: word.weight for word in evidence.words}
    denial = denied(own_words(question), [sentence.text for sentence in lead.sentences], weights)
    if denial is None:
        return None
    others = [choice for choice in choices if choice.sentence is not lead.sentences[denial.position]]
    quotes = (Choice(lead, lead.sentences[denial.position], choices[0].score), *others[:1])
    source = "The full text" if lead.sentences[denial.position].passage else "The abstract"
    if denial.asked:
        return Verdict("answered", f"{source} denies “{denial.words}”.", {**signals, "denied": 1.0}, quotes)
    reason = f"That premise does not hold: {source.lower()} denies “{denial.words}”."
    return Verdict("corrected", reason, {**signals, "denied_premise": 1.0}, quotes)


def _nearest(gap: Gap, question: Question, evidence: Evidence, choices: Sequence[Choice]) -> Choice | None:
    """The chosen sentence that is of use without what is missing, if there is one.

    Of use is one that speaks of most of the question's other words, names aside, or of a whole
    clause of its own ("..., and how much lower is its FID?").
    """
    known = {term for name in names(question.own) for term in terms(name)} | set(terms(gap.words))
    rest = [i for i, word in enumerate(evidence.words) if word.term not in known]
    total = sum(evidence.words[i].weight for i in rest)
    best = max(choices, key=lambda choice: _said(choice, rest, evidence))
    if _said(best, rest, evidence) >= max(USEFUL * total, TELLING):
        return best
    sides = facets(own_words(question), evidence.words)
    for side in sides:
        if not {evidence.words[i].term for i in side} & set(terms(gap.words)):
            best = max(choices, key=lambda choice: _said(choice, side, evidence))
            if _said(best, side, evidence) >= max(CLAUSE * sum(evidence.words[i].weight for i in side), TELLING):
                return best
    return choices[0] if len(sides) > 1 else None  # the other side of the question may be answered


def _said(choice: Choice, words: Sequence[int], evidence: Evidence) -> float:
    """The weight of those of the question's words, given by index, that the sentence speaks of."""
    row = choice.evidence.sentence_matches[choice.sentence.position]
    return sum(evidence.words[i].weight for i in words if row[i] >= SAME_THING)
