"""Which sentences of a paper answer: coverage of the question's words, the asked number, and information gain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.evidence import EvidenceSentence
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.kinds import asks_how, asks_what, names_only
from rag.answer.names import mentions, names
from rag.answer.question import Question
from rag.models.interfaces import Vector
from rag.terms import terms

# Weights set on the bundled questions (`make eval-dev`); coverage itself lies in [0, 1].
TELLING = 0.5  # share of a word's weight that shrinks with the sentences of the abstract that have it
NUMBER_BONUS = 0.2  # for a sentence with a number where one is asked for
CLAIM_BONUS = 0.05  # for a sentence that says what the paper does or finds
DEFINING_BONUS = 0.15  # for "we propose X" where it is asked what something is, or which papers there are
INTRODUCING_BONUS = 0.1  # for "we introduce X, which ..." where it is asked what the named X is or how it works
MECHANISM_BONUS = 0.1  # for "by ...ing", "because" where it is asked how or why
BACKGROUND_MALUS = 0.05  # for one that says what was there before
OPENING_MALUS = 0.05  # for the first sentence, which sets the scene
LATE_BONUS = 0.05  # for the last sentence, less for earlier ones: findings come late
DANGLING_MALUS = 0.05  # for "This ..." as long as the sentence before it is not chosen
CONTINUED_BONUS = 0.1  # for "This approach ..." right behind a chosen sentence
FOLLOWING = 0.15  # share of the coverage of the sentence before, whose subject goes on
TITLED = 0.2  # of the weight of a word of the title where a full text is read, whose sentences do not repeat it
SAID_MALUS = 0.3  # for a sentence that the last answer quoted: "tell me more" asks for others
LINK_MALUS = 0.2  # for "our code is available at" where nobody asked for it
SECOND, LATER = 0.45, 0.55  # of the best sentence's score that the second and later ones must reach
NEAR = 80  # characters between "we propose" and the name
REPEATED = 0.5  # how much of a question word's worth is gone once a chosen sentence covers it
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
    r"investigat|explor|address|call|term)\w*|\bby (?:introduc|propos|present)ing\b|"
    r"\b(?:called|dubbed|termed|namely)\b|\bis (?:a|an|the)\b",
    re.I,
)
_MECHANISM = re.compile(
    r"\b(?:by|via|through|from) (?:\w+ly )?\w+ing\b|\b(?:because|since|due to|thereby|thus|stems? from|"
    r"caused by|reason)\b|"
    r"\bvia\b|\b(?:specifically|concretely|key (?:idea|insight))\b",
    re.I,
)
_INTRODUCES = re.compile(r"\b(?:propos|introduc|present|develop)\w*\b", re.I)
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
_LINK = re.compile(r"https?://|\bgithub\b|\b(?:code|data\w*|models?|weights)\b.{0,60}\b(?:publicly )?available\b", re.I)
_ASKS_LINK = re.compile(
    r"\b(?:code|github|link|url|repository|open[- ]?sourced?|available|released?|public\w*)\b", re.I
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


def choose(question: Question, evidence: Evidence, paper: PaperEvidence, limit: int) -> list[Choice]:
    """Up to `limit` sentences of one paper, each adding to what the others cover, best first.

    Greedy information gain as in "MIG: Automatic Data Selection for Instruction Tuning by
    Maximizing Information Gain in Semantic Space", over the question's words.
    """
    weights = _weights(evidence, paper)
    total = max(float(weights.sum()), 1e-9)
    plain = paper.sentence_matches @ weights / total
    bonus = np.array([_bonus(question, paper, i) for i in range(len(paper.sentences))], dtype=np.float32)
    bonus[1:] += FOLLOWING * plain[:-1]
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


def worth_reading(choices: Sequence[Choice], limit: int, words: int) -> list[Choice]:
    """The first of `choices` and, in their order, others that add enough: at most `limit`, of `words` words in all."""
    kept = list(choices[:1])
    left = words - sum(_length(choice) for choice in kept)
    for place, choice in enumerate(choices[1:]):
        adds_enough = choice.score >= (SECOND if place == 0 else LATER) * choices[0].score
        if len(kept) < limit and adds_enough and _length(choice) <= left:
            kept.append(choice)
            left -= _length(choice)
    return kept


def _length(choice: Choice) -> int:
    return len(choice.sentence.text.split())


def _weights(evidence: Evidence, paper: PaperEvidence) -> Vector:
    """What each word (n_words,) is worth within this paper: a word in every sentence tells none apart."""
    weights = np.array([word.weight for word in evidence.words], dtype=np.float32)
    if not len(paper.sentences) or not len(weights):
        return weights
    n, having = len(paper.sentences), (paper.sentence_matches >= 1).sum(axis=0)
    rarity = np.log((n + 1) / (having + 0.5)) / np.log((n + 1) / 0.5)
    weights = weights * (1 - TELLING + TELLING * rarity)
    if any(passage.in_body for passage in paper.passages):
        title = set(terms(paper.paper.title))
        weights = weights * np.array([TITLED if word.term in title else 1 for word in evidence.words])
    return np.asarray(weights, dtype=np.float32)


def _bonus(question: Question, paper: PaperEvidence, position: int) -> float:
    """What speaks for and against a sentence besides the words it covers."""
    text, asked = paper.sentences[position].text, question.asked
    presents = asks_what(asked) or question.shape == "papers" or names_only(asked)
    explains = presents or asks_how(asked) or question.shape == "compare"
    signs = (
        (NUMBER_BONUS, question.wants_number and has_quantity(text)),
        (DEFINING_BONUS, presents and _DEFINES.search(text)),
        (INTRODUCING_BONUS, explains and _introduces(text, names(question.own))),
        (MECHANISM_BONUS, asks_how(asked) and _MECHANISM.search(text)),
        (CLAIM_BONUS, _CLAIM.search(text)),
        (-BACKGROUND_MALUS, _BACKGROUND.search(text)),
        (-DANGLING_MALUS, _DANGLES.search(text)),
        (-LINK_MALUS, _LINK.search(text) and not _ASKS_LINK.search(asked)),
        (-OPENING_MALUS, position == 0),
        (-SAID_MALUS, text in question.said),
    )
    late = LATE_BONUS * position / max(1, len(paper.sentences) - 1)
    return late + sum(weight for weight, holds in signs if holds)


def _introduces(text: str, named: Sequence[str]) -> bool:
    """Whether a sentence presents one of the things named: "we propose X", "introduces a framework, called X"."""
    verb = _INTRODUCES.search(text)
    return verb is not None and any(mentions(text[verb.end() : verb.end() + NEAR], name) for name in named)


def in_reading_order(choices: Sequence[Choice]) -> list[Choice]:
    """The best sentence first, the others as they stand in the abstract, papers kept together."""
    papers = list(dict.fromkeys(choice.evidence.paper.paper_id for choice in choices))
    ordered: list[Choice] = []
    for paper_id in papers:
        own = [choice for choice in choices if choice.evidence.paper.paper_id == paper_id]
        ordered += [own[0], *sorted(own[1:], key=lambda choice: choice.sentence.position)]
    return ordered
