"""The answerer without a model: verbatim sentences that answer, each with its marker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.answer.answer import Citation, Sentence
from rag.answer.draft import Draft
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import mentions, names
from rag.answer.question import Question
from rag.answer.refusal import Verdict
from rag.answer.select import SENTENCES, Choice, choose, in_reading_order
from rag.models.interfaces import Vector
from rag.papers import Paper

LISTED = 5  # papers in the answer to "which papers ..."
COMPARED = 2  # papers in a comparison, unless three are asked for
CITED_BEFORE = 0.05  # coverage that a paper of the last answer may lack
NEAR_BEST = 0.85  # of the best paper's coverage that another listed paper must reach


def answering_papers(question: Question, evidence: Evidence) -> list[PaperEvidence]:
    """The papers to quote from, best first: one, those compared, or those listed."""
    papers = [p for p in evidence.papers if not (question.elsewhere and p.paper.title == question.subject)]
    papers = papers or list(evidence.papers)
    several = question.shape == "compare" or len(_titled(question, papers)) > 1
    if question.shape == "single" and not several:
        return [_naming(question, evidence, papers[:LISTED])]
    if several:
        wanted = 3 if "three" in question.asked.lower() else COMPARED
        return _compared(question, evidence, papers, wanted)
    papers = papers[:LISTED]
    best = max(evidence.coverage(paper) for paper in papers)
    return [paper for paper in papers if evidence.coverage(paper) >= NEAR_BEST * best]


def select(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> list[Choice]:
    """The sentences to quote, in reading order."""
    if question.shape == "single" and len(papers) == 1:
        return in_reading_order(choose(question, evidence, papers[0]))
    each = {1: SENTENCES, 2: 2, 3: 2}.get(len(papers), 1)
    return in_reading_order([choice for paper in papers for choice in choose(question, evidence, paper, each)])


def write(question: Question, choices: Sequence[Choice], verdict: Verdict) -> Draft:
    """Join the quotes to text that leads with the paper, each quote with its marker."""
    papers = list(dict.fromkeys(choice.evidence.paper.paper_id for choice in choices))
    citations = tuple(
        Citation(
            papers.index(c.evidence.paper.paper_id) + 1,
            c.evidence.paper,
            c.sentence.text,
            c.sentence.start,
            c.sentence.end,
            1.0,
        )
        for c in choices
    )
    sentences: list[Sentence] = []
    blocks: list[str] = []
    for number, paper_id in enumerate(papers, 1):
        own = [citation for citation in citations if citation.paper.paper_id == paper_id]
        quoted = [f"“{citation.quote}” [{number}]" for citation in own]
        quoted[0] = f"{_heading(own[0].paper)}: {quoted[0]}"
        sentences += [Sentence(text, (number,), 1.0, True) for text in quoted]
        blocks.append(("- " if question.shape == "papers" and len(papers) > 1 else "") + " ".join(quoted))
    opening = f"{verdict.reason} " if verdict.outcome in ("partial", "corrected") else ""
    reason = verdict.reason or f"The quoted sentences cover {verdict.signals.get('coverage', 0):.0%} of the question."
    text = opening + "\n\n".join(blocks)
    return Draft(text, verdict.outcome, reason, tuple(sentences), citations, signals=verdict.signals)


def _heading(paper: Paper) -> str:
    date = f" ({paper.published:%B} {paper.published.year})" if paper.published else ""
    return f"“{paper.title}”{date}"


def _naming(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> PaperEvidence:
    """The best paper, or the best of those that mention more of the names asked about; one that
    the last answer cited goes before another that covers the question no better."""
    asked = names(question.query[: question.focus])
    known = [sum(mentions(paper.text, name) for name in asked) for paper in papers]
    best = papers[known.index(max(known))]
    cited = [p for p, n in zip(papers, known, strict=True) if p.paper.title in question.cited and n == max(known)]
    return cited[0] if cited and evidence.coverage(cited[0]) >= evidence.coverage(best) - CITED_BEFORE else best


def _compared(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], wanted: int
) -> list[PaperEvidence]:
    """A paper for each name in the question that stands in a title; then whichever paper ranks
    well and covers what the chosen ones do not."""
    chosen = _titled(question, papers)[:wanted]
    weights = np.array([word.weight for word in evidence.words], dtype=np.float32)
    while len(chosen) < min(wanted, len(papers)):
        covered = np.max([_sure(paper) for paper in chosen], axis=0) if chosen else np.zeros_like(weights)
        left = [paper for paper in papers if not any(paper is other for other in chosen)]
        gains = [float(np.clip(_sure(paper) - covered, 0, 1) @ weights / max(weights.sum(), 1e-9)) for paper in left]
        values = [paper.ranked.score + gain for paper, gain in zip(left, gains, strict=True)]
        chosen.append(left[int(np.argmax(values))])
    return sorted(chosen, key=lambda paper: paper.ranked.rank)


def _titled(question: Question, papers: Sequence[PaperEvidence]) -> list[PaperEvidence]:
    """The papers whose titles have names that the question's own words name, in the order named."""
    titled: dict[str, PaperEvidence] = {}
    for name in names(question.query[: question.focus]):
        named = next((paper for paper in papers if mentions(_short(paper.paper.title), name)), None)
        if named:
            titled.setdefault(named.paper.paper_id, named)
    return list(titled.values())


def _short(title: str) -> str:
    """What a paper calls its subject: the title up to its colon."""
    return title.split(":")[0]


def _sure(paper: PaperEvidence) -> Vector:
    """Word matches with the similarity that any two words have taken away."""
    return np.asarray(np.clip((paper.matches - 0.5) / 0.5, 0, 1), dtype=np.float32)
