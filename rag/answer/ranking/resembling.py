"""Titles that have a word of the question but for a slip: the third arm of the search, for words that no paper has.

"Sqeezed Attention" and "flashattention" are in no title, and still say which paper is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from rapidfuzz.distance import OSA

from rag.answer.ranking.fusion import best_first
from rag.answer.ranking.rarity import rarity
from rag.papers import Paper
from rag.terms import TERM_PATTERN, content_words

RESEMBLING_WEIGHT = 0.9  # of having all that is asked but for a slip, beside a fused score of 0 to 1
LOOKED_AT = 20  # titles for each word
SHORTEST = 5  # letters; what is shorter is like too much
LONG = 9  # letters, from which on two slips are looked over; "sturdier" is not "studies"
MOST = 8  # words that are looked for


def unknown_words(query: str, frequencies: Mapping[str, int], papers: int) -> dict[str, float]:
    """The words of the query that no paper has, at most `MOST`, and what share of its rarity each is: together at
    most 1. `frequencies` says in how many of the `papers` each term of its content words stands."""
    words = {term: query[start:end].lower() for start, end, term in content_words(query)}
    whole = sum(rarity(frequencies[term], papers) for term in words)
    unknown = [term for term, word in words.items() if not frequencies[term] and len(word) >= SHORTEST][:MOST]
    return {words[term]: rarity(frequencies[term], papers) / whole for term in unknown}


def meant(word: str, title: str) -> str:
    """The word of the title, or the two in a row, that `word` is but for a letter or, in long words, two; "" if none.

    Digits must be the same, GPT-4 is no slip for GPT-5, and so must the first letter: "supervised" is none for
    "unsupervised".
    """
    word = word.lower()
    own: list[str] = re.findall(TERM_PATTERN, title)
    slips = 2 if len(word) >= LONG else 1
    for written in (*own, *(f"{one} {two}" for one, two in pairwise(own))):
        other = written.lower().replace(" ", "")
        alike = word[:1] == other[:1] and _digits(word) == _digits(other)
        if alike and OSA.distance(word, other, score_cutoff=slips) <= slips:
            return written
    return ""


def shares(like: Mapping[str, Mapping[str, Paper]], words: Mapping[str, float]) -> dict[str, float]:
    """Paper id -> the share of what is asked that its title has but for a slip.

    `words` are unknown ones, each with its share; `like` the papers whose titles share most letters with each.
    """
    found: dict[str, float] = {}
    for word, papers in like.items():
        for paper_id, paper in papers.items():
            if meant(word, paper.title):
                found[paper_id] = found.get(paper_id, 0.0) + words[word]
    return found


def lifted(scores: dict[str, dict[str, float]], resembling: Mapping[str, float]) -> None:
    """Add to `fused` of `scores` what resembling titles are worth, also where neither arm found the paper."""
    for paper_id, share in resembling.items():
        known = scores.setdefault(paper_id, {"fused": 0.0})
        known["fused"] += RESEMBLING_WEIGHT * share
        known["resembling"] = share
    if resembling:
        for rank, paper_id in enumerate(best_first(scores, "fused"), 1):
            scores[paper_id]["fused_rank"] = rank


def _digits(word: str) -> str:
    return re.sub(r"\D", "", word)
