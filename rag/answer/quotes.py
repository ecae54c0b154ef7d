"""The answerer without a model: verbatim sentences that answer, each with its marker."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.answer import Citation, Sentence
from rag.answer.draft import Draft
from rag.answer.facets import best_together
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.names import mentions, names
from rag.answer.question import Question
from rag.answer.ranking.naming import is_subject
from rag.answer.refusal import Verdict
from rag.answer.select import Choice, choose, has_quantity, in_reading_order, worth_reading
from rag.papers import Paper
from rag.settings import Style

SPARE = 3  # more sentences to look at where one is too long for what is left
LISTED = 5  # papers in the answer to "which papers ..."
COMPARED = 2  # papers in a comparison, unless three are asked for
CITED_BEFORE = 0.05  # coverage that a paper of the last answer may lack
NEAR_BEST = 0.85  # of the best paper's coverage that another listed paper must reach


def answering_papers(question: Question, evidence: Evidence) -> list[PaperEvidence]:
    """The papers to quote from, best first: one, those compared, or those listed."""
    papers = [p for p in evidence.papers if not (question.elsewhere and p.paper.title == question.subject)]
    papers = papers or list(evidence.papers)
    titled = _titled(question, papers)
    several = question.shape == "compare" or len(titled) > 1
    if question.among:  # "which of them": those papers and no others, where search found them
        papers = [paper for paper in papers if paper.paper.title in question.among] or papers
    if question.shape == "single" and not several:
        return [_naming(question, evidence, papers[:LISTED])]
    if several:
        wanted = 3 if "three" in question.asked.lower() else COMPARED
        return best_together(question, evidence, papers, titled, wanted)
    papers = papers[:LISTED]
    best = max(evidence.coverage(paper) for paper in papers)
    return [p for i, p in enumerate(papers) if i < 2 or evidence.coverage(p) >= NEAR_BEST * best]


def select(
    question: Question, evidence: Evidence, papers: Sequence[PaperEvidence], style: Style = "standard"
) -> list[Choice]:
    """The sentences to quote, in reading order."""
    limit, words = _room(question, len(papers), style)
    return in_reading_order(
        [
            choice
            for paper in papers
            for choice in _stating_numbers(
                question, choose(question, evidence, paper, len(paper.sentences)), limit, words
            )
        ]
    )


def _stating_numbers(question: Question, choices: Sequence[Choice], limit: int, words: int) -> list[Choice]:
    """Those of the choices worth reading; where a number is asked for and none of them states one, the best that does
    comes first."""
    kept = worth_reading(choices[: limit + SPARE], limit, words)
    if not question.wants_number or any(has_quantity(choice.sentence.text) for choice in kept):
        return kept
    stating = [choice for choice in choices if has_quantity(choice.sentence.text)][:1]
    return [*stating, *kept][:limit]


def _room(question: Question, papers: int, style: Style) -> tuple[int, int]:
    """How many sentences of each paper, and how many words of them; the first sentence is never cut."""
    if style == "short" or papers > COMPARED + 1:
        return 1, 0
    longer = 2 if style == "detailed" else 1
    if papers > 1:
        return 3 * longer, 75 * longer
    return (4 * longer, 120 * longer) if question.kind == "how_why" else (3 * longer, 90 * longer)


def write(question: Question, choices: Sequence[Choice], verdict: Verdict, style: Style = "standard") -> Draft:
    """Join the quotes to text that leads with the paper, each quote with its marker; a line for each paper."""
    papers = list(dict.fromkeys(choice.evidence.paper.paper_id for choice in choices))
    citations = tuple(_citation(papers.index(choice.evidence.paper.paper_id) + 1, choice) for choice in choices)
    sentences: list[Sentence] = []
    blocks: list[str] = []
    for number in range(1, len(papers) + 1):
        own = [citation for citation in citations if citation.n == number]
        quoted = [f"“{citation.quote}” [{number}]" for citation in own]
        if style == "bullets":
            blocks += [f"{heading(own[0].paper)}:", *(f"- {text}" for text in quoted)]
        else:
            quoted[0] = f"{heading(own[0].paper)}: {quoted[0]}"
            blocks.append(("- " if len(papers) > 1 else "") + " ".join(quoted))
        sentences += [Sentence(text, (number,), 1.0, True) for text in quoted]
    opening = f"{verdict.reason}\n\n" if verdict.outcome in ("partial", "corrected") else ""
    reason = verdict.reason or "Every sentence is quoted verbatim from the paper that it names."
    text = opening + "\n".join(blocks)
    return Draft(text, verdict.outcome, reason, tuple(sentences), citations, signals=verdict.signals)


def _citation(number: int, choice: Choice) -> Citation:
    paper, sentence = choice.evidence.paper, choice.sentence
    return Citation(number, paper, sentence.text, sentence.start, sentence.end, 1.0, sentence.passage)


def heading(paper: Paper) -> str:
    """How an answer leads with a paper: “Title” (June 2024)."""
    if not paper.published:
        return f"“{paper.title}”"
    month = "" if paper.date_of == "year" else f"{paper.published:%B} "
    return f"“{paper.title}” ({month}{paper.published.year})"


def _naming(question: Question, evidence: Evidence, papers: Sequence[PaperEvidence]) -> PaperEvidence:
    """The best paper, or the best of those that mention more of the names asked about; one that
    the last answer cited goes before another that covers the question no better."""
    asked = names(question.own)
    known = [sum(mentions(paper.text, name) for name in asked) for paper in papers]
    best = papers[known.index(max(known))]
    cited = [p for p, n in zip(papers, known, strict=True) if p.paper.title in question.cited and n == max(known)]
    return cited[0] if cited and evidence.coverage(cited[0]) >= evidence.coverage(best) - CITED_BEFORE else best


def _titled(question: Question, papers: Sequence[PaperEvidence]) -> list[PaperEvidence]:
    """The papers whose titles have names that the question's own words name, in the order named."""
    titled: dict[str, PaperEvidence] = {}
    for name in names(question.own):
        named = next((paper for paper in papers if is_subject(name, paper.paper)), None)
        if named:
            titled.setdefault(named.paper.paper_id, named)
    return list(titled.values())
