"""From a question to ranked papers: dense and words, fused, moved by feedback, rolled up to papers, reranked.

Every score and rank is kept, so that a reader can see why a paper stands where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rag.answer.answer import RetrievedPassage
from rag.answer.bodies import passages_in_bodies
from rag.answer.ranking.feedback import PAPERS, moved
from rag.answer.ranking.fusion import best_first, fuse, min_max, roll_up
from rag.answer.ranking.linear import Sequences, linear, meaning
from rag.answer.ranking.naming import Name, bonus, names_in, terms_counted
from rag.answer.ranking.resembling import LOOKED_AT, lifted, shares, unknown_words
from rag.library.library import Library
from rag.library.records import Hit
from rag.models.interfaces import Embedder, Encoded, Reranker, Vector
from rag.models.reranker import LINEAR
from rag.papers import Filters, Paper, Passage
from rag.terms import content_words, terms

DENSE = ("dense", "dense_rank")
POOL = 100  # passages taken from each arm
RERANKED = 50  # papers that the reranker sees
RERANK_WEIGHT = 0.6  # of the final score, the rest being the fused one


@dataclass(frozen=True, slots=True)
class Switches:
    """What a search does. All that is on is what the product does; the bench switches one after the other off.

    `feedback` searches once more, with the question moved towards what was found; `rerank` reads the best papers
    more closely, and `linear` weighs all signals of them rather than the reranker's alone; `named` lifts papers
    that the question names, `resembling` those whose titles have a word that it misspells.
    """

    dense: bool = True
    words: bool = True
    fusion: Literal["min-max", "rrf"] = "min-max"
    feedback: bool = True
    rerank: bool = True
    linear: bool = True
    named: bool = True
    resembling: bool = True


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
    """What a search found, best first. `encoded` is the question as the embedder saw it; `sides` are the parts of
    it that were searched for, too."""

    query_used: str
    filters: Filters
    encoded: Encoded
    papers: tuple[RankedPaper, ...]
    sides: tuple[str, ...] = ()


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
        found = self._found(query, encoded.vector, filters)
        candidates = best_first(found.scores, "fused")[: max(limit, RERANKED)]
        papers = self._library.papers(candidates)
        candidates = [paper_id for paper_id in candidates if paper_id in papers]
        read: dict[str, list[Passage]] = {}
        if self._reranker and candidates:
            read = self._passages(query, encoded.vector, papers, candidates, found.hits)
            self._rerank(query, encoded, {pid: papers[pid] for pid in candidates[:RERANKED]}, read, found)
        in_query = self._names(query) if self._switches.named else []
        for paper_id in candidates:
            known = found.scores[paper_id]
            if named := bonus(in_query, papers[paper_id]):
                known["named"] = named
            known["score"] = known.get("score", known["fused"]) + named
        candidates = sorted(candidates, key=lambda paper_id: (-found.scores[paper_id]["score"], paper_id))[:limit]
        passages = read or self._passages(query, encoded.vector, papers, candidates, found.hits)
        ranked = [
            RankedPaper(
                rank,
                papers[pid],
                _passage(passages[pid], found.best.get(pid)),
                found.scores[pid]["score"],
                found.scores[pid],
                tuple(passage for passage in passages[pid] if passage.in_body),
            )
            for rank, pid in enumerate(candidates, 1)
            if passages[pid]
        ]
        return Retrieval(query, filters, encoded, tuple(ranked))

    def _found(self, query: str, vector: Vector, filters: Filters) -> _Found:
        """All arms fused; and with feedback fused again, the question being where the first papers moved it."""
        on = self._switches
        hits = self._library.nearest_vectors(vector, POOL, filters) if on.dense else []
        words = {hit.paper_id: hit.score for hit in self._library.match_words(query, POOL, filters)} if on.words else {}
        resembling = self._resembling(query, filters) if on.resembling else {}
        scores = fuse(roll_up(hits), words, on.fusion)
        lifted(scores, resembling)
        if not (on.feedback and on.dense and scores):
            return _Found(scores, hits, vector)
        first = self._library.directions(best_first(scores, "fused")[:PAPERS])
        again = moved(query, vector, list(first.values()))
        more = self._library.nearest_vectors(again, POOL, filters)
        anew = fuse(roll_up(more), words, on.fusion, arm="feedback")
        lifted(anew, resembling)
        for paper_id, known in anew.items():
            known.update({name: scores[paper_id][name] for name in DENSE if name in scores.get(paper_id, ())})
        met = {hit.passage_id for hit in hits}
        return _Found(anew, [*hits, *(hit for hit in more if hit.passage_id not in met)], again)

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

    def _resembling(self, query: str, filters: Filters) -> dict[str, float]:
        """Papers whose titles have words that the query misspells, and what share of it these are."""
        frequencies = self._library.document_frequencies(term for *_, term in content_words(query))
        unknown = unknown_words(query, frequencies, self._library.n_documents)
        return shares({word: self._library.titles_like(word, LOOKED_AT, filters) for word in unknown}, unknown)

    def _names(self, query: str) -> list[Name]:
        return names_in(query, self._library.document_frequencies(terms_counted(query)), self._library.n_documents)

    def _rerank(
        self,
        query: str,
        encoded: Encoded,
        head: Mapping[str, Paper],
        passages: Mapping[str, Sequence[Passage]],
        found: _Found,
    ) -> None:
        """Read the papers of `head` more closely: their signals, best passage and `score` into `found`."""
        assert self._reranker
        read = [passage for paper_id in head for passage in passages[paper_id]]
        stored = self._library.encoded([passage.passage_id for passage in read])
        read = [passage for passage in read if passage.passage_id in stored]  # another process may delete meanwhile
        scored = self._reranker.score(
            query, encoded, [passage.text for passage in read], [stored[p.passage_id].tokens for p in read]
        )
        for passage, score in sorted(zip(read, scored, strict=True), key=lambda pair: float(pair[1])):
            found.scores[passage.paper_id]["rerank"] = float(score)
            found.best[passage.paper_id] = passage.passage_id
        by = "rerank"
        if self._switches.linear and self._reranker.name == LINEAR:
            self._weigh(query, encoded.vector, head, passages, stored, found)
            by = "linear"
        reranked = min_max({paper_id: found.scores[paper_id].get(by, 0.0) for paper_id in head})
        fused = min_max({paper_id: found.scores[paper_id]["fused"] for paper_id in head})
        least = min(found.scores[paper_id]["fused"] for paper_id in head)
        for paper_id, known in found.scores.items():
            if paper_id in head:
                known["score"] = RERANK_WEIGHT * reranked[paper_id] + (1 - RERANK_WEIGHT) * fused[paper_id]
            else:  # behind all that were read
                known["score"] = (1 - RERANK_WEIGHT) * (known["fused"] - least)

    def _weigh(
        self,
        query: str,
        vector: Vector,
        head: Mapping[str, Paper],
        passages: Mapping[str, Sequence[Passage]],
        stored: Mapping[str, Encoded],
        found: _Found,
    ) -> None:
        """All signals of the papers of `head`, and what they come to in `linear`."""
        sequences = Sequences(query, self._library.document_frequencies(terms(query)), self._library.n_documents)
        for paper_id, paper in head.items():
            abstract = [passage for passage in passages[paper_id] if not passage.in_body]
            known = found.scores[paper_id]
            said = meaning(vector, found.vector, _vectors(abstract, stored))
            if "feedback_rank" in known:  # the search may have found its full text, which says more
                said["feedback"] = max(said["feedback"], known["feedback"])
            known.update(said)
            known["sequence"] = sequences.found(paper)
        for paper_id, score in linear({paper_id: found.scores[paper_id] for paper_id in head}).items():
            found.scores[paper_id]["linear"] = score


@dataclass(frozen=True, slots=True)
class _Found:
    """What both arms found: scores by paper, hits of the dense arm, where the question stands after feedback, and
    the best passage of each paper."""

    scores: dict[str, dict[str, float]]
    hits: Sequence[Hit]
    vector: Vector
    best: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for hit in self.hits:
            self.best.setdefault(hit.paper_id, hit.passage_id)


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


def _vectors(passages: Sequence[Passage], stored: Mapping[str, Encoded]) -> Vector:
    found = [stored[passage.passage_id].vector for passage in passages if passage.passage_id in stored]
    return np.array(found, dtype=np.float32)
