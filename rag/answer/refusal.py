"""Whether the papers found answer the question at all: answered, partial, corrected or refused.

Several signals decide, each of which can be named to the reader: nothing covers the question's
words, a name that the paper never mentions, a detail or number that its abstract lacks, a fact
that no listing shows, a premise that the paper denies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rag.answer.alignment import coverage
from rag.answer.answer import Outcome
from rag.answer.attributes import missing_details, never_listed
from rag.answer.draft import Draft, refusal
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import mentions, names
from rag.answer.question import Question
from rag.answer.select import Choice, has_quantity
from rag.terms import terms

# Calibrated on the development questions (`make eval-dev`), read by nothing else.
RELEVANCE_FLOOR = 0.74  # of coverage of the question's words + COSINE_SHARE * cosine, best paper
NAMED_FLOOR = 0.65  # the same where the best paper mentions a name that the question names
ALONE = 0.90  # from which a question is not taken for a follow-up
COSINE_SHARE = 0.5
NEAREST = 3  # papers that a refusal names

_NEEDS = re.compile(
    r"^\s*(?:why|how come|for what reason)\b.*\b(?:need|requir|rel[yi]|depend|must|necessary|have to|use)\w*", re.I
)
_DENIAL = (
    r"\b(?:without|no|not|never|neither|nor|free of|avoid\w*|eliminat\w*|obviat\w*|independent of|"
    r"instead of|rather than)\b"
)
SAME_THING = 0.65  # similarity from which a sentence speaks of what is counted
# Whatever a dataset holds is an example of it.
_COUNTABLE = frozenset(
    term
    for word in ("example", "sample", "instance", "item", "case", "entry", "point", "piece", "kind", "type")
    for term in terms(word)
)
_PROPOSES = r"\b(?:propos|introduc|present|invent|develop|call|term|nam)\w*"
_CLAUSE = r"(?:^|[,.;:?]\s*|\band\s+)(?:(?:on|in|by|to|with|at|from|for|across|over|of)\s+)?"
_HOW_MUCH = re.compile(
    rf"{_CLAUSE}how (?:much|many)\b|" + r"\bby how\b|\bperce?a?nta?ge\b|"
    r"\bwhat (?:[\w@-]+ ){0,4}?(?:share|fraction|score|number|accuracy|latency|throughput|ratio|factor|bleu|f1|"
    r"fid|auc|ndcg(?:@\d+)?|mrr(?:@\d+)?)\b",
    re.I,
)
_HOW_MANY = re.compile(
    _CLAUSE + r"how many\s+((?:[\w-]+\s+){0,4}?[\w-]+)(?=\s+(?:(?:in|of|on|to|by|for|per|with|from|at)\b(?!-)|"
    r"do|does|did|is|are|was|were|has|have|had|can|could|will|would|it|they|the|a|an|this|that|there|and|must|should)\b|[?,.]|$)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, why in one sentence, and the signals that decided."""

    outcome: Outcome
    reason: str
    signals: Mapping[str, float] = field(default_factory=dict)


def hopeless(question: Question, evidence: Evidence) -> Draft | None:
    """A refusal that needs no sentence to be chosen first, or None."""
    nearest = [paper.paper for paper in evidence.papers[:NEAREST]]
    if kind := never_listed(question.asked):
        return refusal(f"The listings that this library was read from give no {kind}.", nearest)
    if not evidence.papers:
        limit = " that passes the filters" if question.filters else ""
        return refusal(f"No paper{limit} was found.")
    signals = relevance(question, evidence)
    if not any(re.search(r"[^\W\d]{2}", word.text) for word in evidence.words):
        return refusal(
            "The question names nothing that could be searched for: ask about a paper, a method or a result."
        )
    named = any(mentions(evidence.papers[0].text, name) for name in names(question.query[: question.focus]))
    if signals["relevance"] < (NAMED_FLOOR if named else RELEVANCE_FLOOR):
        return refusal("No paper in the library covers what the question asks about.", nearest, signals)
    return None


def stands_alone(question: Question, evidence: Evidence) -> bool:
    """Whether a question in a conversation is clear without it: papers cover it well, or it names one."""
    if not evidence.papers or not evidence.words:
        return False
    named = any(mentions(evidence.papers[0].text, name) for name in names(question.asked))
    return named or relevance(question, evidence)["relevance"] >= ALONE


def relevance(question: Question, evidence: Evidence) -> dict[str, float]:
    """How near the best papers are to the question: `coverage` of its words, `cosine`, and both as `relevance`.

    `confidence` is the relevance on a scale from 0 to 1. A question about several
    papers may be covered by them together.
    """
    together = 1 if question.shape == "single" else 3
    matches = np.max([paper.matches for paper in evidence.papers[:together]], axis=0)
    covered = coverage(evidence.words, matches)
    cosine = evidence.papers[0].ranked.scores.get("dense", 0.0)
    near = covered + COSINE_SHARE * cosine
    signals = {"coverage": covered, "cosine": cosine, "relevance": near, "confidence": near / (1 + COSINE_SHARE)}
    return {name: round(value, 4) for name, value in signals.items()}


def judge(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], choices: Sequence[Choice]
) -> Verdict:
    """The verdict on the sentences chosen from `papers`, best paper first."""
    signals = {
        **relevance(question, evidence),
        "sentence": round(max((choice.score for choice in choices), default=0.0), 4),
    }
    texts = [paper.text for paper in papers]
    if not choices:
        return Verdict("refused", f"“{papers[0].paper.title}” has no abstract in the library to quote from.", signals)
    if stranger := _not_proposed_here(question, papers):
        return Verdict("refused", f"Papers here mention “{stranger}”, but none of those found proposes it.", signals)
    if missing := _missing_names(question, texts):
        return _about_missing_names(question, missing, papers, signals)
    if details := missing_details(question.asked, texts):
        return Verdict(
            "refused", f"The abstract of “{papers[0].paper.title}” does not give: {', '.join(details)}.", signals
        )
    if gap := _missing_quantity(question, evidence, choices):
        return Verdict("refused", f"The abstract of “{papers[0].paper.title}” does not say {gap}.", signals)
    if denied := _denied_premise(question, papers[0]):
        return Verdict("corrected", f"That premise does not hold: the abstract denies {denied}.", signals)
    return Verdict("answered", "", signals)


def _missing_names(question: Question, texts: Sequence[str]) -> list[str]:
    asked = names(question.query[: question.focus])
    return [name for name in asked if not any(mentions(text, name) for text in texts)]


def _not_proposed_here(question: Question, papers: Sequence[PaperEvidence]) -> str | None:
    """The name in "which paper proposed X" when the papers only use X: no title has it, and no sentence proposes it."""
    if question.shape != "papers" and not re.search(r"\bwh(?:ich|at) paper\b", question.asked, re.I):
        return None
    if not re.search(_PROPOSES, question.asked, re.I):
        return None
    for name in names(question.query[: question.focus]):
        proposing = (
            s.text
            for p in papers
            for s in p.sentences
            if re.search(rf"{_PROPOSES}.{{0,80}}$", _before(s.text, name), re.I)
        )
        if not any(mentions(p.paper.title, name) for p in papers) and not any(proposing):
            return name
    return None


def _before(text: str, name: str) -> str:
    """What stands in `text` before `name`; nothing where the name does not occur."""
    return text[: text.lower().find(name.lower())] if name.lower() in text.lower() else ""


def _about_missing_names(
    question: Question, missing: Sequence[str], papers: Sequence[PaperEvidence], signals: Mapping[str, float]
) -> Verdict:
    """Refuse when the thing asked about is unknown; answer in part when only a circumstance is."""
    present = [name for name in names(question.query[: question.focus]) if name not in missing]
    listed = " and ".join(f"“{name}”" for name in missing)
    subject = any(mentions(paper.paper.title, name) or name in paper.text for paper in papers for name in present)
    if present and subject and len(missing) < len(present) + 1:
        return Verdict("partial", f"The abstract of “{papers[0].paper.title}” does not mention {listed}.", signals)
    return Verdict("refused", f"None of the papers found mentions {listed}.", signals)


def _missing_quantity(question: Question, evidence: Evidence, choices: Sequence[Choice]) -> str | None:
    """What number is asked for and not stated by any chosen sentence; None when nothing is missing."""
    asked = question.query[: question.focus]
    stating = [choice for choice in choices if has_quantity(choice.sentence.text)]
    if _HOW_MUCH.search(asked) and not stating:
        return "how much or how many: none of its sentences on this gives a number"
    for match in _HOW_MANY.finditer(asked):
        heads = [i for i, w in enumerate(evidence.words) if match.start(1) <= w.start < match.end(1)]
        heads = [i for i in heads if evidence.words[i].term not in _COUNTABLE]
        rows = [c.evidence.sentence_matches[c.sentence.position] for c in stating]
        if heads and not any(row[i] >= SAME_THING for row in rows for i in heads):
            return f"how many {match[1]}"
    return None


def _denied_premise(question: Question, lead: PaperEvidence) -> str | None:
    """What a "why does it need X" question takes for granted and the abstract denies ("without X")."""
    if not _NEEDS.search(question.asked):
        return None
    for words in re.findall(
        r"[\w]+(?:-[\w]+)+|[a-z]{5,}",
        re.split(r"\b(?:need|requir|rel[yi]|depend|must|have to|use)\w*", question.asked)[-1],
    ):
        if re.search(rf"{_DENIAL}(?:\W+\w+){{0,3}}\W+{re.escape(words)}", lead.paper.abstract, re.I):
            return f"“{words}”"
    return None
