"""Whether a question that finds little by itself is still about the paper of the last answer, or changes the topic."""

from __future__ import annotations

from rag.answer.alignment import coverage
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import names
from rag.answer.question import Question

# Set on follow-ups, and on the bundled questions, each asked after an answer from a paper chosen at random.
LEAST = 0.45  # of the question's own words that the paper must cover
LESS = 0.03  # coverage that the paper may lack of what the whole library offers


def still_on_topic(again: Question, in_context: Evidence, alone: Evidence, *, lost: bool) -> bool:
    """Whether `again`, the question asked of its subject's paper, is what was meant.

    It is if that paper covers the question's own words, not those of its title, as well as the best
    paper does that a search without the conversation finds (`alone`); or, where that search is `lost`
    and nothing is named or listed, well enough.
    """
    subject = next((paper for paper in in_context.papers if paper.paper.title == again.subject), None)
    if subject is None:
        return False
    own = _own_coverage(again, in_context, subject)
    best = max((alone.coverage(paper) for paper in alone.papers), default=0.0)
    plain = lost and again.shape == "single" and not names(again.asked)
    return own >= (LEAST if plain else max(LEAST, best - LESS))


def _own_coverage(again: Question, evidence: Evidence, paper: PaperEvidence) -> float:
    own = [i for i, word in enumerate(evidence.words) if word.start < again.focus]
    return coverage([evidence.words[i] for i in own], paper.matches[own])
