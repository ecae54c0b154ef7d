"""How likely the outcome is right: a calibrated probability, from what the evidence looked like.

A logistic model over few signals, each of which can only raise the confidence; `make calibrate`
fits it to the bundled questions. Nothing that the program does to an answer depends on it, except
the routing and the words beside the answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rag.answer.alignment import coverage
from rag.answer.answer import Confidence
from rag.answer.draft import Draft
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.kinds import Kind
from rag.answer.question import Question
from rag.answer.select import Choice, has_quantity

# Made by `make calibrate` from the bundled questions, where the answerer without a model answers.
INTERCEPT = -1.013
COEFFICIENTS: Mapping[str, float] = {
    "factual": 1.014,
    "said": 1.984,
    "sentence_margin": 2.324,
    "one_paper": 0.747,
}
RECORDED = 0.93  # answers from the listing's records: share right, with one of each kind added
REFUSED = 0.96  # refusals that rest on rules: the same
# Bounds of the levels. Share right, cross-validated: high 90 %, medium 80 %, low 58 %.
HIGH, LOW = 0.85, 0.70
AGREED = 0.45  # consistency that sampled answers reach when they say the same in other words; not calibrated
SPOKEN_OF = 0.6  # match of a question's word from which a sentence speaks of it
ARMS = ("dense", "words", "rerank")
# Kinds of questions that ask for a single fact, and what it is.
FACTUAL: Mapping[Kind, str] = {
    "number": "a number",
    "date": "a date",
    "which_paper": "a paper",
    "definition": "a definition",
    "yes_no": "a yes or no",
}


def evidence_signals(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], choices: Sequence[Choice]
) -> dict[str, float]:
    """What speaks for quotes `choices` from `papers`, best first, by name; nothing for no quotes.

    `factual` says whether a single fact is asked for, `said` is the share of the question's words
    that a quote speaks of, `sentence_margin` how much more of the question its best quote covers
    than the first paper's best sentence left out, `one_paper` whether all quotes are of one paper.

    Told to readers only: `number_stated` (a number is asked for, and the best quote has one),
    `paper_margin` (as `sentence_margin`, between papers), and `agreement`, the share of the rankings
    (meaning, words, reranker) that put a quoted paper first.
    """
    if not papers or not choices:
        return {}
    lead, quoted = papers[0], {choice.evidence.paper.paper_id for choice in choices}
    others = [paper for paper in evidence.papers if paper.paper.paper_id not in quoted]
    best = max(choices, key=lambda choice: choice.score)
    matches = np.max([choice.evidence.sentence_matches[choice.sentence.position] for choice in choices], axis=0)
    signals = {
        "factual": float(question.kind in FACTUAL),
        "said": float(np.mean(matches >= SPOKEN_OF)) if len(matches) else 0.0,
        "sentence_margin": _sentence_margin(evidence, lead, choices),
        "one_paper": float(len(quoted) == 1),
        "number_stated": float(question.wants_number and has_quantity(best.sentence.text)),
        "paper_margin": evidence.coverage(lead) - max((evidence.coverage(paper) for paper in others), default=0.0),
        "agreement": _agreement(evidence, quoted),
    }
    return {name: round(value, 4) for name, value in signals.items()}


def confidence(draft: Draft) -> float:
    """The chance in [0, 1] that the draft's outcome is right.

    For quotes it is calibrated. A model's text can be no better founded than the quotes of the
    same question; it is less so by the share of its claims without support, and where sampled
    answers differ. A model that refuses where there are quotes is right when they are wrong.
    """
    if not COEFFICIENTS.keys() <= draft.signals.keys():
        return REFUSED if draft.outcome == "refused" else RECORDED
    quotes = logistic(INTERCEPT + sum(weight * draft.signals[name] for name, weight in COEFFICIENTS.items()))
    if draft.outcome == "refused":
        return REFUSED if draft.model is None else 1 - quotes
    claims = [sentence for sentence in draft.sentences if sentence.markers or not sentence.supported]  # no bare "Yes."
    supported = sum(sentence.supported for sentence in claims) / len(claims) if claims else 1.0
    return quotes * supported * min(1.0, draft.signals.get("consistency", 1.0) / AGREED)


def level(probability: float) -> Confidence:
    """The level that people see."""
    return "high" if probability >= HIGH else "low" if probability < LOW else "medium"


def logistic(logit: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else 1 - 1 / (1 + math.exp(logit))


def _sentence_margin(evidence: Evidence, lead: PaperEvidence, choices: Sequence[Choice]) -> float:
    """Coverage by the lead's best quoted sentence less that by its best one left out; 0 where it has no quote."""
    chosen = {c.sentence.position for c in choices if c.evidence.paper.paper_id == lead.paper.paper_id}
    if not chosen:
        return 0.0
    covered = [coverage(evidence.words, matches) for matches in lead.sentence_matches]
    left = [value for position, value in enumerate(covered) if position not in chosen]
    return max(covered[position] for position in chosen) - max(left, default=0.0)


def _agreement(evidence: Evidence, quoted: set[str]) -> float:
    """The share of the rankings in which one of the quoted papers stands first."""
    known = [arm for arm in ARMS if any(arm in paper.ranked.scores for paper in evidence.papers)]
    first = [max(evidence.papers, key=lambda p: p.ranked.scores.get(arm, -math.inf)) for arm in known]
    return sum(paper.paper.paper_id in quoted for paper in first) / max(1, len(known))
