"""From an answer to its row: what was retrieved, and how far each sentence is supported by what.

Everything is scored with `rag.answer.grounding`, the check that the product itself uses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eval.metrics.correctness import MARKER
from eval.questions import GoldQuestion
from eval.rows import Retrieved, Row, SentenceMeasure
from rag.answer.alignment import Idf
from rag.answer.answer import Answer, Citation, RetrievedPassage, Sentence
from rag.answer.grounding import Grounder
from rag.answer.quotes import heading
from rag.answer.records import FROM_COUNT, FROM_RECORD
from rag.answer.verify import ABSENCE, EMPTY
from rag.chunking import sentences
from rag.models.interfaces import Embedder
from rag.papers import Paper

TEXTS = 10  # retrieved papers whose passages a row keeps
# What the program says from its records or about its own search: no passage could support it.
UNWORTHY = frozenset({EMPTY, ABSENCE, FROM_COUNT, FROM_RECORD})
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


class Measurer:
    """Measures answers with one embedder and one set of word weights. For one thread.

    Each answer has a grounder of its own, for that keeps what it has encoded: what a row says, and
    how long it took, depends on no other row.
    """

    def __init__(self, idf: Idf, embedder: Embedder) -> None:
        self._idf = idf
        self._embedder = embedder
        self._grounder = Grounder(idf, embedder)

    def row(self, gold: GoldQuestion, answer: Answer) -> Row:
        """All that the figures need of one answer."""
        self._grounder = Grounder(self._idf, self._embedder)
        read = _as_read(answer)
        context = [read[passage.paper.paper_id] for passage in answer.passages]
        started = time.perf_counter()
        supports = [self._in_context(sentence, answer.citations, context) for sentence in answer.sentences]
        grounding_ms = round((time.perf_counter() - started) * 1000, 2)
        return Row(
            gold=gold,
            answer=answer.as_dict(),
            retrieved=retrieved(answer),
            abstracts={paper.paper_id: paper.abstract for paper in (*context, *(c.paper for c in answer.citations))},
            sentences=tuple(self._with_citations(measured, answer.citations, read) for measured in supports),
            similarity=self.similarity(_said(answer), gold.gold_answer),
            grounding_ms=grounding_ms if supports else None,
        )

    def sentences(self, text: str, contexts: Sequence[str]) -> tuple[SentenceMeasure, ...]:
        """The sentences of another system's answer against the contexts that it was given; nothing is cited."""
        self._grounder = Grounder(self._idf, self._embedder)
        found = []
        for span in sentences(text):
            support = self._grounder.text_support(span.text, contexts)
            worthy = self._grounder.worthy(span.text)
            found.append(SentenceMeasure(text=span.text, worthy=worthy, context=support.score, note=support.note))
        return tuple(found)

    def similarity(self, text: str, reference: str) -> float | None:
        """Cosine of two texts in [-1, 1]; None where one is empty."""
        if not text.strip() or not reference.strip():
            return None
        one, other = self._embedder.encode([text, reference])
        return round(float(np.dot(one.vector, other.vector)), 6)

    def _in_context(
        self, sentence: Sentence, citations: Sequence[Citation], context: Sequence[Paper]
    ) -> SentenceMeasure:
        """A sentence against the whole context; one that cannot be checked is not looked up."""
        claim = claim_of(sentence.text, citations)
        worthy = sentence.note not in UNWORTHY and self._grounder.worthy(claim)
        if not worthy:
            return SentenceMeasure(text=claim, worthy=False, markers=sentence.markers, note=sentence.note)
        support = self._grounder.text_support(claim, [_document(paper, claim) for paper in context])
        score = round(support.score, 6)
        return SentenceMeasure(text=claim, worthy=True, markers=sentence.markers, context=score, note=support.note)

    def _with_citations(
        self, measured: SentenceMeasure, citations: Sequence[Citation], read: Mapping[str, Paper]
    ) -> SentenceMeasure:
        """The same with its support by what it cites: together, each alone, and all without each."""
        if not measured.worthy or not measured.markers:
            return measured
        cited = {citation.n: read[citation.paper.paper_id] for citation in citations}
        known: dict[frozenset[str], float] = {frozenset(): 0.0}

        def score(markers: Sequence[int]) -> float:
            papers = {cited[n].paper_id: cited[n] for n in markers if n in cited}
            key = frozenset(papers)
            if key not in known:
                documents = [_document(paper, measured.text) for paper in papers.values()]
                known[key] = round(self._grounder.text_support(measured.text, documents).score, 6)
            return known[key]

        markers = measured.markers
        return measured.model_copy(
            update={
                "cited": score(markers),
                "alone": tuple(score([n]) for n in markers),
                "without": tuple(score([*markers[:i], *markers[i + 1 :]]) for i in range(len(markers))),
            }
        )


def _as_read(answer: Answer) -> dict[str, Paper]:
    """The answer's papers by id, the passages of full texts that it shows or cites put behind the abstracts."""
    shown = [(p.paper, p.passage if p.passage.in_body else None) for p in answer.passages]
    cited = [(c.paper, c.passage) for c in answer.citations]
    papers = {paper.paper_id: paper for paper, _ in (*shown, *cited)}
    bodies = dict.fromkeys((p.paper_id, p.text) for _, p in (*shown, *cited) if p)
    for paper_id, text in bodies:
        paper = papers[paper_id]
        papers[paper_id] = replace(paper, abstract=f"{paper.abstract}\n\n{text}")
    return papers


def claim_of(sentence: str, citations: Sequence[Citation]) -> str:
    """What a sentence claims: without markers, and without what the program writes around a quote.

    The frame (“Title” (June 2024): “...”) is taken off only where the cited paper bears that
    title and that date; otherwise it stays and has to be supported like any other words.
    """
    claim = " ".join(MARKER.sub("", sentence.removeprefix("- ")).split())
    for citation in citations:
        quoted = f"“{' '.join(MARKER.sub('', citation.quote).split())}”"
        if claim.endswith(quoted) and claim.removesuffix(quoted).rstrip() in _frames(citation.paper):
            return citation.quote
    return claim


def retrieved(answer: Answer) -> tuple[Retrieved, ...]:
    """What the search found, best first; where records answered without a search, the papers listed."""
    found = sorted((*answer.passages, *answer.left_out), key=lambda p: (-p.scores["score"], p.paper.paper_id))
    if found:
        return tuple(_retrieved(passage, i < TEXTS) for i, passage in enumerate(found))
    papers = list({citation.paper.paper_id: citation.paper for citation in answer.citations}.values())
    return tuple(Retrieved(paper_id=p.paper_id, title=p.title, score=1 / rank) for rank, p in enumerate(papers, 1))


def _retrieved(found: RetrievedPassage, with_text: bool) -> Retrieved:
    return Retrieved(
        paper_id=found.paper.paper_id,
        title=found.paper.title,
        score=found.scores["score"],
        scores=dict(found.scores),
        passage_id=found.passage.passage_id,
        text=found.passage.text if with_text else None,
        left_out=found.left_out,
    )


def _frames(paper: Paper) -> set[str]:
    """What may stand before a quote of this paper (see `quotes.write` and `Composer`)."""
    on_one_line = replace(paper, title=" ".join(paper.title.split()))
    title = f"“{on_one_line.title}”"
    return {"", f"{title}:", f"{heading(on_one_line)}:", f"{title} reports:", "It also reports:"}


def _document(paper: Paper, claim: str) -> str:
    """A paper as evidence: title and abstract; its date only where the claim speaks of that year.

    An empty line keeps the title from running into the first sentence, which would then not be verbatim.
    """
    day, dated = paper.published, ""
    if day and str(day.year) in _YEAR.findall(claim):
        known = {"day": f"on {day.day} {day:%B}", "month": f"in {day:%B}", "year": "in"}[paper.date_of]
        dated = f"Published {known} {day.year}.\n\n"
    return f"{paper.title}\n\n{dated}{paper.abstract}"


def _said(answer: Answer) -> str:
    """The answer without frames and markers, as it is compared with the reference."""
    claims = [claim_of(sentence.text, answer.citations) for sentence in answer.sentences]
    return " ".join(claims) if claims else answer.answer
