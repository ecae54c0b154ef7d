"""Which passages a language model gets to read: few that cover the question, the best sentences first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.answer.answer import RetrievedPassage
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.select import Choice

LEAST_PAPERS = 2  # a second opinion, should the first paper be the wrong one
# Share of the question's words, by weight, that a further paper must add. On the bundled questions
# this halves the prompt (2660 -> 1340 tokens) and keeps 170 of 171 complete sets of gold sentences.
LEAST_GAIN = 0.02


def passages_to_read(choices: Sequence[Choice], evidence: Evidence, papers: int) -> list[RetrievedPassage]:
    """All passages at hand of the papers chosen from, and of those of the first `papers` that cover more, best first.

    A passage that holds a chosen sentence goes before any other, then rank decides; so a budget
    for few passages keeps what the answerer without a model would have quoted.
    """
    read = _covering(choices, evidence, papers)
    holding = {
        passage.passage_id: order
        for order, choice in reversed(list(enumerate(choices)))
        for passage in choice.evidence.passages
        if passage.in_body == (choice.sentence.passage is not None)
        and passage.start <= choice.sentence.start
        and choice.sentence.end <= passage.end
    }
    ranked = [(paper, passage) for paper in read for passage in paper.passages]
    ranked.sort(key=lambda pair: (holding.get(pair[1].passage_id, len(choices)), pair[0].ranked.rank, pair[1].ordinal))
    return [RetrievedPassage(paper.paper, passage, paper.ranked.scores) for paper, passage in ranked]


def _covering(choices: Sequence[Choice], evidence: Evidence, papers: int) -> list[PaperEvidence]:
    """The papers chosen from, then in order of rank those that cover words which none before them does."""
    chosen = {choice.evidence.paper.paper_id for choice in choices}
    weights = np.array([word.weight for word in evidence.words], dtype=np.float32)
    weights /= max(float(weights.sum()), 1e-9)
    covered = np.zeros(len(weights), dtype=np.float32)
    read: list[PaperEvidence] = []
    for paper in sorted(evidence.papers, key=lambda p: (p.paper.paper_id not in chosen, p.ranked.rank)):
        gain = float(np.maximum(paper.matches - covered, 0) @ weights)
        near = paper.ranked.rank <= papers and (len(read) < LEAST_PAPERS or gain >= LEAST_GAIN)
        if paper.paper.paper_id in chosen or near:
            read.append(paper)
            covered = np.maximum(covered, paper.matches)
    return read
