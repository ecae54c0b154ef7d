"""From a question to ranked papers: dense and words, fused, rolled up to papers, reranked.

Every score and rank is kept, so that a reader can see why a paper stands where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rag.answer.answer import RetrievedPassage
from rag.answer.bodies import passages_in_bodies
from rag.answer.names import mentions, names
from rag.library.library import Library
from rag.library.records import Hit
from rag.models.interfaces import Embedder, Encoded, Reranker, Vector
from rag.papers import Filters, Paper, Passage

POOL = 100  # passages taken from each arm
RERANKED = 50  # papers that the reranker sees
DENSE_WEIGHT = 0.5  # of min-max fusion; best on SciFact train, see README
RRF_K = 60  # as its paper has it
SUBJECT_WORDS = 5  # before a title's colon, up to which they are a name rather than a sentence
NAMED_BONUS = 0.3  # for a paper that the question names, on a scale of 0 to 1
RERANK_WEIGHT = 0.6  # of the final score, the rest being the fused one


@dataclass(frozen=True, slots=True)
class Switches:
    """What a search does. All that is on is what the product does; the bench switches one after the other off."""

    dense: bool = True
    words: bool = True
    fusion: Literal["min-max", "rrf"] = "min-max"
    rerank: bool = True


SHIPPED = Switches()


@dataclass(frozen=True, slots=True)
class RankedPaper:
    """One paper at its rank (from 1), its best passage, and all scores of the way there.

    `in_body` are the passages of its full text that were found, in reading order.
    """

    rank: int
    paper: Paper
    passage: Passage
    score: float
    scores: Mapping[str, float]
    in_body: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, best first. `encoded` is the question as the embedder saw it."""

    query_used: str
    filters: Filters
    encoded: Encoded
    papers: tuple[RankedPaper, ...]


class Retriever:
    """Hybrid search over one library."""

    def __init__(
        self, library: Library, embedder: Embedder, reranker: Reranker | None, switches: Switches = SHIPPED
    ) -> None:
        self._library = library
        self._embedder = embedder
        self._reranker = reranker if switches.rerank else None
        self._switches = switches

    def search(self, query: str, filters: Filters, limit: int = RERANKED) -> Retrieval:
        """The best papers for `query` among those that pass `filters`.

        The same filters act before ranking in both arms. Fewer than `limit` papers come back
        when fewer were found by either arm.
        """
        encoded = self._embedder.encode([query], query=True)[0]
        on = self._switches
        dense = self._library.nearest_vectors(encoded.vector, POOL, filters) if on.dense else []
        words = self._library.match_words(query, POOL, filters) if on.words else []
        scores = fuse(roll_up(dense), {hit.paper_id: hit.score for hit in words}, on.fusion)
        candidates = sorted(scores, key=lambda paper_id: (-scores[paper_id]["fused"], paper_id))[: max(limit, RERANKED)]
        papers = self._library.papers(candidates)
        candidates = [paper_id for paper_id in candidates if paper_id in papers]
        passages = self._passages(query, encoded.vector, papers, candidates, dense)
        best = _best_passages(dense)
        if self._reranker and candidates:
            self._rerank(query, encoded, {pid: passages[pid] for pid in candidates[:RERANKED]}, scores, best)
        for paper_id in candidates:
            scores[paper_id]["score"] = _final(scores[paper_id], named(query, papers[paper_id]))
        candidates.sort(key=lambda paper_id: (-scores[paper_id]["score"], paper_id))
        ranked = [
            RankedPaper(
                rank,
                papers[pid],
                _passage(passages[pid], best.get(pid)),
                scores[pid]["score"],
                scores[pid],
                tuple(passage for passage in passages[pid] if passage.in_body),
            )
            for rank, pid in enumerate(candidates[:limit], 1)
            if passages[pid]
        ]
        return Retrieval(query, filters, encoded, tuple(ranked))

    def _passages(
        self, query: str, vector: Vector, papers: Mapping[str, Paper], candidates: Sequence[str], dense: Sequence[Hit]
    ) -> dict[str, list[Passage]]:
        """The candidates' abstracts in passages, and behind them what is read of their full texts."""
        found = {paper_id: list[Passage]() for paper_id in candidates}
        found |= self._library.passages(candidates, in_body=False)
        if having := [paper_id for paper_id in candidates if papers[paper_id].body_hash]:
            for paper_id, passages in passages_in_bodies(self._library, query, vector, having, dense).items():
                found[paper_id] += passages
        return found

    def _rerank(
        self,
        query: str,
        encoded: Encoded,
        head: Mapping[str, Sequence[Passage]],
        scores: dict[str, dict[str, float]],
        best: dict[str, str],
    ) -> None:
        """Mix the reranker's best passage of each paper of `head` with the fused score, into `score` and `best`."""
        assert self._reranker
        passages = [passage for group in head.values() for passage in group]
        stored = self._library.encoded([p.passage_id for p in passages])
        found = self._reranker.score(
            query, encoded, [p.text for p in passages], [stored[p.passage_id].tokens for p in passages]
        )
        for passage, score in sorted(zip(passages, found, strict=True), key=lambda pair: float(pair[1])):
            scores[passage.paper_id]["rerank"] = float(score)
            best[passage.paper_id] = passage.passage_id
        reranked = _min_max({paper_id: scores[paper_id].get("rerank", 0.0) for paper_id in head})
        fused = _min_max({paper_id: scores[paper_id]["fused"] for paper_id in head})
        for paper_id, known in scores.items():
            if paper_id in head:
                known["score"] = RERANK_WEIGHT * reranked[paper_id] + (1 - RERANK_WEIGHT) * fused[paper_id]
            else:
                known["score"] = (1 - RERANK_WEIGHT) * known["fused"]


def roll_up(hits: Sequence[Hit]) -> dict[str, float]:
    """Each paper's best passage score, in rank order."""
    papers: dict[str, float] = {}
    for hit in hits:
        papers[hit.paper_id] = max(hit.score, papers.get(hit.paper_id, hit.score))
    return papers


def fuse(
    dense: Mapping[str, float], words: Mapping[str, float], by: Literal["min-max", "rrf"] = "min-max"
) -> dict[str, dict[str, float]]:
    """Fusion of two arms: scores and ranks per paper, `fused` in [0, 1].

    A paper that an arm did not find counts 0 there. `rrf` is "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods": it knows ranks only.
    """
    part = _min_max if by == "min-max" else _reciprocal
    dense_part, words_part = part(dense), part(words)
    scores: dict[str, dict[str, float]] = {}
    for name, arm in (("dense", dense), ("words", words)):
        for rank, paper_id in enumerate(sorted(arm, key=lambda pid: (-arm[pid], pid)), 1):
            scores.setdefault(paper_id, {}).update({name: arm[paper_id], f"{name}_rank": rank})
    for paper_id, known in scores.items():
        known["fused"] = DENSE_WEIGHT * dense_part.get(paper_id, 0.0) + (1 - DENSE_WEIGHT) * words_part.get(
            paper_id, 0.0
        )
    for rank, paper_id in enumerate(sorted(scores, key=lambda pid: (-scores[pid]["fused"], pid)), 1):
        scores[paper_id]["fused_rank"] = rank
    return scores


def as_context(
    papers: Sequence[RankedPaper], keep: int, cited: Collection[str] = ()
) -> tuple[tuple[RetrievedPassage, ...], tuple[RetrievedPassage, ...]]:
    """The best passages of the first `keep` papers and of those cited; and the rest with why not."""
    reason = f"only the best {keep} papers are used"
    kept = [p for p in papers if p.rank <= keep or p.paper.paper_id in cited]
    rest = [p for p in papers if p.rank > keep and p.paper.paper_id not in cited]
    return (
        tuple(RetrievedPassage(p.paper, p.passage, p.scores) for p in kept),
        tuple(RetrievedPassage(p.paper, p.passage, p.scores, f"rank {p.rank}: {reason}") for p in rest),
    )


def _passage(passages: Sequence[Passage], best: str | None) -> Passage:
    """The passage that was found best; the first of a paper found by its words alone."""
    return next((passage for passage in passages if passage.passage_id == best), passages[0])


def _best_passages(hits: Sequence[Hit]) -> dict[str, str]:
    best: dict[str, str] = {}
    for hit in hits:
        best.setdefault(hit.paper_id, hit.passage_id)
    return best


def _min_max(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    values = np.array(list(scores.values()))
    low, span = float(values.min()), float(values.max() - values.min())
    return {key: (value - low) / span if span > 1e-12 else 1.0 for key, value in scores.items()}


def _reciprocal(scores: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(scores, key=lambda key: (-scores[key], key))
    return {key: (RRF_K + 1) / (RRF_K + rank) for rank, key in enumerate(ranked, 1)}


def named(query: str, paper: Paper) -> bool:
    """Whether the query names the paper: a name in it is what the paper calls its subject."""
    return any(is_subject(name, paper) for name in names(query))


def is_subject(name: str, paper: Paper) -> bool:
    """Whether `name` is what the paper calls its subject: its title begins with it, or has it in a short part
    before the colon. "GPU" somewhere in a long title names no paper."""
    short = paper.title.split(":")[0]
    words = short.split()
    if len(words) > SUBJECT_WORDS and not mentions(words[0], name):  # first: it is the cheaper look
        return False
    return mentions(short, name)


def _final(scores: Mapping[str, float], is_named: bool) -> float:
    return scores.get("score", scores["fused"]) + NAMED_BONUS * is_named
