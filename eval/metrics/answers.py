"""Figures of an answer: faithful to its context, rightly cited, verbatim where it quotes, and no empty talk.

Scores come from the row (`SentenceMeasure`); what counts as supported is the product's own
threshold. `ANSWER_METRICS` is the whole registry, with correctness and refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from eval.metrics.correctness import CORRECTNESS_METRICS, plain_text
from eval.metrics.figures import Metric, Part
from eval.metrics.refusing import REFUSAL_METRICS
from eval.rows import Row, SentenceMeasure
from rag.answer.grounding import SUPPORTED
from rag.papers import normalised_title
from rag.terms import terms

# --- faithfulness: the sentences of an answer against all that was retrieved for it ------------


def worthy_sentences(row: Row) -> list[SentenceMeasure]:
    """The check-worthy sentences of an answer; none where it was refused or failed."""
    if row.answer is None or row.refused:
        return []
    return [sentence for sentence in row.sentences if sentence.worthy]


def _per_sentence(value: Callable[[SentenceMeasure], float]) -> Callable[[Row], Part | None]:
    """A metric's part: the sum of `value` over an answer's check-worthy sentences, and their number."""

    def part(row: Row) -> Part | None:
        worthy = worthy_sentences(row)
        return Part(sum(map(value, worthy)), len(worthy)) if worthy else None

    return part


def _supported(sentence: SentenceMeasure) -> float:
    return float(sentence.context >= SUPPORTED)


def _strict(row: Row) -> Part | None:
    worthy = worthy_sentences(row)
    return Part(float(all(map(_supported, worthy)))) if worthy else None


# --- citations, as in "Enabling Large Language Models to Generate Text with Citations" (ALCE) --


def _cites(part: Callable[[Row], Part | None]) -> Callable[[Row], Part | None]:
    """The same part, but nothing for a system that does not cite at all."""
    return lambda row: None if row.citations is None else part(row)


def _cited_support(sentence: SentenceMeasure) -> float:
    return float(sentence.cited is not None and sentence.cited >= SUPPORTED)


def right_citations(sentence: SentenceMeasure) -> list[bool]:
    """For each marker of a sentence whether it is right: the sentence's citations support it
    together, and this one does so alone, or the others do not without it."""
    together = bool(_cited_support(sentence))
    return [
        together and (alone >= SUPPORTED or without < SUPPORTED)
        for alone, without in zip(sentence.alone, sentence.without, strict=True)
    ]


def _citation_precision(row: Row) -> Part | None:
    """Markers count in check-worthy sentences; those that point nowhere are wrong in any."""
    if row.answer is None or row.refused:
        return None
    right = [verdict for sentence in worthy_sentences(row) for verdict in right_citations(sentence)]
    known = {citation.get("n") for citation in row.citations or ()}
    idle = [marker for sentence in row.sentences if not sentence.worthy for marker in sentence.markers]
    count = len(right) + sum(marker not in known for marker in idle)
    return Part(sum(right), count) if count else None


def _gold_papers(row: Row) -> tuple[set[str], set[str]] | None:
    """Normalised titles cited and gold; None where no gold paper is known or nothing was answered."""
    if not row.gold.answerable or not row.gold.gold_titles or row.answer is None or row.refused:
        return None
    cited = {normalised_title(str(citation.get("title") or "")) for citation in row.citations or ()}
    return cited, {normalised_title(title) for title in row.gold.gold_titles}


def _gold_precision(row: Row) -> Part | None:
    papers = _gold_papers(row)
    return Part(len(papers[0] & papers[1]), len(papers[0])) if papers and papers[0] else None


def _gold_recall(row: Row) -> Part | None:
    papers = _gold_papers(row)
    return Part(len(papers[0] & papers[1]), len(papers[1])) if papers else None


def _gold_only(row: Row) -> Part | None:
    papers = _gold_papers(row)
    return Part(float(papers[0] <= papers[1])) if papers and papers[0] else None


def _gold_cited(row: Row) -> Part | None:
    papers = _gold_papers(row)
    return Part(float(bool(papers[0] & papers[1]))) if papers and papers[0] else None


def _quote_fidelity(row: Row) -> Part | None:
    """A quote whose abstract the row does not hold is not verbatim; a citation may quote nothing."""
    quotes = [citation for citation in row.citations or () if citation.get("quote")]
    right = [_is_verbatim(row.abstracts.get(str(quote.get("paper_id"))), quote) for quote in quotes]
    return Part(sum(right), len(right)) if right else None


def _is_verbatim(abstract: str | None, citation: dict[str, object]) -> bool:
    start, end, quote = citation.get("start"), citation.get("end"), citation.get("quote")
    if isinstance(place := citation.get("in_full_text"), dict):  # offsets count the full text, of which this is a part
        abstract, first = place["text"], place["start"]
        start, end = (at - first if isinstance(at, int) else at for at in (start, end))
    if abstract is None or not isinstance(start, int) or not isinstance(end, int):
        return False
    return start >= 0 and abstract[start:end] == quote


# --- style: what an answer that only looks good does -------------------------------------------


def context_words(row: Row) -> Counter[str]:
    """How often each term stands in the context that the answer was written from."""
    texts = dict.fromkeys(item.text for item in row.retrieved if item.text and item.left_out is None)
    return Counter(term for text in texts for term in terms(text))


def _context_copied(row: Row) -> Part | None:
    """The share of the context's words, each as often as it stands there, that the answer repeats."""
    if row.answer is None or row.refused or not (context := context_words(row)):
        return None
    copied = context & Counter(terms(plain_text(row)))
    return Part(copied.total() / context.total())


def _beyond_question(row: Row) -> Part | None:
    """The share of the answer's distinct terms that its question does not have."""
    if row.answer is None or row.refused:
        return None
    said = set(terms(plain_text(row)))
    return Part(len(said - set(terms(row.gold.question))) / len(said) if said else 0.0)


def _citations_per_sentence(row: Row) -> Part | None:
    worthy = worthy_sentences(row)
    return Part(sum(len(sentence.markers) for sentence in worthy), len(worthy)) if worthy else None


def _failed(row: Row) -> Part:
    return Part(float(row.answer is None))


FAITHFULNESS, CITATIONS, STYLE, RUN = "Faithfulness", "Citations", "Style", "Run"

FAITHFULNESS_METRICS: tuple[Metric, ...] = (
    Metric("faithfulness", "Sentences that the context supports", FAITHFULNESS, _per_sentence(_supported)),
    Metric("faithfulness_soft", "Mean support by the context", FAITHFULNESS, _per_sentence(lambda s: s.context)),
    Metric("faithfulness_strict", "Answers with every sentence supported", FAITHFULNESS, _strict, binary=True),
)
CITATION_METRICS: tuple[Metric, ...] = (
    Metric(
        "citation_recall", "Sentences that their citations support", CITATIONS, _cites(_per_sentence(_cited_support))
    ),
    Metric("citation_precision", "Citations that support or are needed", CITATIONS, _cites(_citation_precision)),
    Metric("citation_accuracy_precision", "Cited papers that are gold", CITATIONS, _cites(_gold_precision)),
    Metric("citation_accuracy_recall", "Gold papers that are cited", CITATIONS, _cites(_gold_recall)),
    Metric("gold_cited", "Answers that cite a gold paper", CITATIONS, _cites(_gold_cited), binary=True),
    Metric("gold_only", "Answers that cite gold papers only", CITATIONS, _cites(_gold_only), binary=True),
    Metric("quote_fidelity", "Quotes verbatim at their offsets", CITATIONS, _quote_fidelity, exact=True),
)
STYLE_METRICS: tuple[Metric, ...] = (
    Metric("context_copied", "Context's words repeated", STYLE, _context_copied, higher_is_better=False),
    Metric("beyond_question", "Answer's words beyond the question's", STYLE, _beyond_question),
    Metric(
        "citations_per_sentence",
        "Citations a sentence",
        STYLE,
        _cites(_citations_per_sentence),
        higher_is_better=False,
        share=False,
    ),
)
RUN_METRICS: tuple[Metric, ...] = (
    Metric("failed", "Questions that failed", RUN, _failed, higher_is_better=False, binary=True),
)
ANSWER_METRICS: tuple[Metric, ...] = (
    *FAITHFULNESS_METRICS,
    *CITATION_METRICS,
    *CORRECTNESS_METRICS,
    *REFUSAL_METRICS,
    *STYLE_METRICS,
    *RUN_METRICS,
)
"""Every metric of an answer, in the order in which a table shows them; names are unique."""
