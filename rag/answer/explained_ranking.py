"""Why a paper stands where it stands: the question's words it has, and what its final score is made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.answer.ranking.fusion import min_max
from rag.answer.retrieve import RERANK_WEIGHT, Retrieval
from rag.chunking import sentences
from rag.papers import Paper, Passage
from rag.terms import TERM_PATTERN, content_words, terms

_WORDS = re.compile(r"\w+(?:[-'’.,]\w+)*")


@dataclass(frozen=True, slots=True)
class Matching:
    """The words of a question that carry its subject, as written there: those that a paper has in title or
    abstract, and those that it lacks."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """What a final score is made of: `fused` and `reranked` times their weights, and the `bonus` of a paper that
    the question names.

    Both are scaled to [0, 1] over the papers that were read closely. `reranked` is None of a paper that was not;
    where none was, `fused` stands as the search left it, with a weight of 1.
    """

    fused: float
    fused_weight: float
    reranked: float | None
    bonus: float

    @property
    def score(self) -> float:
        """The sum: the paper's final score."""
        return self.fused_weight * self.fused + RERANK_WEIGHT * (self.reranked or 0.0) + self.bonus


def subject_words(query: str) -> dict[str, str]:
    """Term of the word index -> the word as the query first writes it, for the words that carry its subject."""
    found: dict[str, str] = {}
    for start, end, term in content_words(query):
        found.setdefault(term, query[start:end])
    return found


def other_words(query: str) -> dict[str, str]:
    """The same for the words that are searched, but say nothing of the subject ("how", "used")."""
    subject = subject_words(query)
    cut = ((terms(word), word) for word in re.findall(TERM_PATTERN, query))
    found: dict[str, str] = {}
    for own, word in cut:
        if own and own[0] not in subject:
            found.setdefault(own[0], word)
    return found


def matching(query: str, paper: Paper) -> Matching:
    """Which of the query's words title or abstract have, by the terms of the word index."""
    there = {*terms(paper.title), *terms(paper.abstract)}
    words = subject_words(query)
    return Matching(
        tuple(word for term, word in words.items() if term in there),
        tuple(word for term, word in words.items() if term not in there),
    )


def places(words: Mapping[str, str], paper: Paper, full_text: str = "") -> dict[str, tuple[str, ...]]:
    """Place (title, abstract, authors, full text, missing) -> those of the `words`, by term, that stand there.

    A place without any is left out.

    Authors and full text are only told of words that neither title nor abstract has, the full text only of those
    that no author is called. `missing` are the words that stand nowhere.
    """
    found = {"title": _having(words, paper.title), "abstract": _having(words, paper.abstract)}
    left = _without(words, {*found["title"], *found["abstract"]})
    found["authors"] = _having(left, ", ".join(paper.authors))
    left = _without(left, found["authors"])
    found["full text"] = _having(left, full_text)
    found["missing"] = tuple(_without(left, found["full text"]).values())
    return {place: there for place, there in found.items() if there}


def _having(words: Mapping[str, str], text: str) -> tuple[str, ...]:
    there = set(terms(text))
    return tuple(word for term, word in words.items() if term in there)


def _without(words: Mapping[str, str], found: Collection[str]) -> dict[str, str]:
    return {term: word for term, word in words.items() if word not in found}


def compositions(found: Retrieval) -> dict[str, Composition]:
    """Paper id -> what its score is made of.

    `found` must hold all papers that were read closely: search for `RERANKED` papers or more.
    """
    read = [ranked for ranked in found.papers if "rerank" in ranked.scores]
    by = "linear" if any("linear" in ranked.scores for ranked in read) else "rerank"
    reranked = min_max({ranked.paper.paper_id: ranked.scores.get(by, 0.0) for ranked in read})
    fused = min_max({ranked.paper.paper_id: ranked.scores["fused"] for ranked in read})
    least = min((ranked.scores["fused"] for ranked in read), default=0.0)
    return {
        ranked.paper.paper_id: Composition(
            fused.get(ranked.paper.paper_id, ranked.scores["fused"] - least),
            1 - RERANK_WEIGHT if read else 1.0,
            reranked.get(ranked.paper.paper_id),
            ranked.scores.get("named", 0.0),
        )
        for ranked in found.papers
    }


def ranks_by(found: Retrieval, score: str) -> dict[str, int]:
    """Paper id -> its rank (from 1) by one of the scores, for the papers that have it."""
    having = [ranked for ranked in found.papers if score in ranked.scores]
    having.sort(key=lambda ranked: (-ranked.scores[score], ranked.paper.paper_id))
    return {ranked.paper.paper_id: rank for rank, ranked in enumerate(having, 1)}


def changes(question: str, query: str) -> list[str]:
    """How the query that was searched differs from the question, in words: “shrnk” became “shrink”."""
    asked, searched = _WORDS.findall(question), _WORDS.findall(query)
    said = []
    for kind, start, end, other_start, other_end in SequenceMatcher(None, asked, searched, False).get_opcodes():
        before, after = " ".join(asked[start:end]), " ".join(searched[other_start:other_end])
        if kind == "replace":
            said.append(f"“{before}” became “{after}”")
        elif kind != "equal":
            said.append(f"“{before}” was left out" if before else f"“{after}” was added")
    return said


def telling_sentence(query: str, passage: Passage) -> str:
    """The sentence of a passage that has most of the query's words, the first of several; empty of an empty one."""
    wanted = subject_words(query).keys()
    spans = sentences(passage.text)
    return max(spans, key=lambda span: len(wanted & set(terms(span.text)))).text if spans else ""
