"""Which passages a language model gets to read: those with the best sentences first."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.answer import RetrievedPassage
from rag.answer.gather import Evidence
from rag.answer.select import Choice
from rag.library.library import Library


def passages_to_read(
    choices: Sequence[Choice], evidence: Evidence, library: Library, papers: int
) -> list[RetrievedPassage]:
    """All passages of the first `papers` papers and of those chosen from, best first.

    A passage that holds a chosen sentence goes before any other, then rank decides; so a budget
    for few passages keeps what the answerer without a model would have quoted.
    """
    chosen = {choice.evidence.paper.paper_id for choice in choices}
    read = [p for p in evidence.papers if p.ranked.rank <= papers or p.paper.paper_id in chosen]
    stored = library.passages([paper.paper.paper_id for paper in read])
    holding = {
        passage.passage_id: order
        for order, choice in reversed(list(enumerate(choices)))
        for passage in stored.get(choice.evidence.paper.paper_id, [])
        if passage.start <= choice.sentence.start and choice.sentence.end <= passage.end
    }
    ranked = [(paper, passage) for paper in read for passage in stored.get(paper.paper.paper_id, [])]
    ranked.sort(key=lambda pair: (holding.get(pair[1].passage_id, len(choices)), pair[0].ranked.rank, pair[1].ordinal))
    return [RetrievedPassage(paper.paper, passage, paper.ranked.scores) for paper, passage in ranked]
