"""Which sentences answer: coverage of the question's words, the asked number, and information gain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.evidence import EvidenceSentence
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.question import Question

# Weights set on the development questions (`make eval-dev`); coverage itself lies in [0, 1].
NUMBER_BONUS = 0.2  # for a sentence with a number where one is asked for
CLAIM_BONUS = 0.05  # for a sentence that says what the paper does or finds
DEFINING_BONUS = 0.15  # for "we propose X" where it is asked what something is, or which papers there are
MECHANISM_BONUS = 0.05  # for "by ...ing", "because" where it is asked how or why
BACKGROUND_MALUS = 0.05  # for one that says what was there before
LATE_BONUS = 0.05  # for the last sentence, less for earlier ones: findings come late
DANGLING_MALUS = 0.05  # for "This ..." as long as the sentence before it is not chosen
CONTINUED_BONUS = 0.1  # for "This approach ..." right behind a chosen sentence
REPEATED = 0.5  # how much of a question word's worth is gone once a chosen sentence covers it
SENTENCES = 3  # quotes of an answer from one paper
_QUANTITY = re.compile(
    r"(?<![A-Za-z\d-])\d[\d,.]*(?:\s?(?:%|x\b|times|k\b|[MBT]\b))?|\b(?:half|twice|double[sd]?|tripled?|tenfold)\b"
)
_CLAIM = re.compile(
    r"\b(?:we|our|this (?:paper|work|study|approach|method)|specifically|to (?:this end|address|overcome)|"
    r"propos\w+|introduc\w+|"
    r"present\w*|find|found|show\w*|demonstrat\w+|reveal\w*|achiev\w+|outperform\w*|results?)\b",
    re.I,
)
_DEFINES = re.compile(
    r"\b(?:we|paper|work|study|thesis|article|survey)\s+(?:\w+\s+)?(?:propos|introduc|present|develop|"
    r"describ|review|survey|study|"
    r"investigat|explor|address|call|term)\w*|\b(?:called|dubbed|termed|namely)\b|\bis (?:a|an|the)\b",
    re.I,
)
_MECHANISM = re.compile(
    r"\b(?:by|via|through|from) (?:\w+ly )?\w+ing\b|\b(?:because|since|due to|thereby|thus|stems? from|"
    r"caused by|reason)\b|"
    r"\bvia\b|\b(?:specifically|concretely|key (?:idea|insight))\b",
    re.I,
)
_ASKS_WHAT = re.compile(
    r"^\s*(?:what(?: is|'s| are)\b(?! the\b)|define\b|tell me about\b|explain\b|describe\b|summari[sz]e\b|"
    r"give\b.*\bsummary\b|"
    r"what does .* (?:say|propose|do)\W*$|what is the (?:idea|paper|method|approach|abstract)\b)",
    re.I,
)
_ASKS_HOW = re.compile(
    r"\b(?:how (?:do|does|did|is|are|can|was|were)|why|what (?:is|are) the reasons?|through what|by what means)\b", re.I
)
_BACKGROUND = re.compile(
    r"^(?:However|Recent\w*|Existing|Previous|Traditional\w*|Despite|While|Although|Most|Many|Current\w*|"
    r"Unfortunately)\b|"
    r"\b(?:have|has) (?:been|shown|become|emerged|achieved|demonstrated)\b|\bremain\w*\b|\bchalleng\w+\b",
    re.I,
)
_DANGLES = re.compile(
    r"^(?:This|These|Those|It|Its|They|Their|Such)\b(?! (?:paper|work|study|survey|thesis|article)\b)"
)
_CONTINUES = re.compile(
    r"^(?:This|These|It|Its|They|Such|Specifically|In particular|To do so|To this end|Here|Our|Moreover|"
    r"Furthermore|Notably|Additionally)\b"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen sentence with its score: coverage in [0, 1] plus bonuses."""

    evidence: PaperEvidence
    sentence: EvidenceSentence
    score: float


def has_quantity(text: str) -> bool:
    """Whether the text states a number that is no part of a name ("GPT-4", "v2")."""
    return bool(_QUANTITY.search(text))


def choose(question: Question, evidence: Evidence, paper: PaperEvidence, limit: int = SENTENCES) -> list[Choice]:
    """Up to `limit` sentences of one paper, each adding to what the others cover.

    Greedy information gain as in "MIG: Automatic Data Selection for Instruction Tuning by
    Maximizing Information Gain in Semantic Space", over the question's words.
    """
    weights = np.array([word.weight for word in evidence.words], dtype=np.float32)
    total = max(float(weights.sum()), 1e-9)
    bonus = np.array([_bonus(question, paper, i) for i in range(len(paper.sentences))], dtype=np.float32)
    covered = np.zeros(len(weights), dtype=np.float32)
    chosen: list[Choice] = []
    left = set(range(len(paper.sentences)))
    while left and len(chosen) < limit:
        gains = (paper.sentence_matches * (1 - REPEATED * covered)) @ weights / total + bonus
        best = max(left, key=lambda i: (float(gains[i]), -i))
        left.discard(best)
        covered = np.maximum(covered, paper.sentence_matches[best])
        chosen.append(Choice(paper, paper.sentences[best], float(gains[best])))
        if best + 1 in left and _CONTINUES.search(paper.sentences[best + 1].text):
            bonus[best + 1] += CONTINUED_BONUS
        if best + 1 in left and _DANGLES.search(paper.sentences[best + 1].text):
            bonus[best + 1] += DANGLING_MALUS
    return chosen


def _bonus(question: Question, paper: PaperEvidence, position: int) -> float:
    """What speaks for a sentence besides the words it covers."""
    text = paper.sentences[position].text
    late = LATE_BONUS * position / max(1, len(paper.sentences) - 1)
    asked = question.asked
    defining = DEFINING_BONUS * bool((_ASKS_WHAT.search(asked) or question.shape == "papers") and _DEFINES.search(text))
    mechanism = MECHANISM_BONUS * bool(_ASKS_HOW.search(asked) and _MECHANISM.search(text))
    dangling = DANGLING_MALUS * bool(_DANGLES.search(text))
    number = NUMBER_BONUS * (question.wants_number and has_quantity(text))
    role = CLAIM_BONUS * bool(_CLAIM.search(text)) - BACKGROUND_MALUS * bool(_BACKGROUND.search(text))
    return number + late + defining + mechanism + role - dangling


def in_reading_order(choices: Sequence[Choice]) -> list[Choice]:
    """The best sentence first, the others as they stand in the abstract, papers kept together."""
    papers = list(dict.fromkeys(choice.evidence.paper.paper_id for choice in choices))
    ordered: list[Choice] = []
    for paper_id in papers:
        own = [choice for choice in choices if choice.evidence.paper.paper_id == paper_id]
        ordered += [own[0], *sorted(own[1:], key=lambda choice: choice.sentence.position)]
    return ordered
