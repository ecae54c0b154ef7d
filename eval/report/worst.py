"""What is wrong with an answer, in words, and which answers of a run are the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eval.metrics.answers import ANSWER_METRICS, worthy_sentences
from eval.metrics.correctness import includes_forbidden, is_correct
from eval.questions import text_includes
from eval.rows import Row, SentenceMeasure
from rag.papers import normalised_title

_METRICS = {metric.name: metric for metric in ANSWER_METRICS}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong, as a reader would say it. `grave` ones make the answer itself wrong."""

    text: str
    grave: bool


def complaints(row: Row, threshold: float) -> list[Complaint]:
    """Everything that is wrong with an answer, gravest first; empty when nothing is.

    `threshold` is the grounding score from which a sentence counts as supported.
    """
    if row.answer is None:
        why = f"{row.fault.type}: {row.fault.message}" if row.fault else "no answer was recorded"
        return [Complaint(f"failed, {why}", True)]
    grave = [Complaint(text, True) for text in _wrong(row)]
    return grave + [Complaint(text, False) for text in _ungrounded(row, threshold)]


def worst(rows: Sequence[Row], threshold: float) -> list[tuple[Row, list[Complaint]]]:
    """The rows with something wrong, worst first: failed, wrong, then by how little of them is supported."""
    found = [(row, complaints(row, threshold)) for row in rows]
    wrong = [(row, complained) for row, complained in found if complained]
    return sorted(wrong, key=lambda pair: _severity(pair[0], pair[1], threshold))


def is_gold(row: Row, title: str) -> bool:
    """Whether a title is that of one of the question's gold papers."""
    return normalised_title(title) in {normalised_title(gold) for gold in row.gold.gold_titles}


def missing(row: Row) -> list[str]:
    """The must-include groups that neither the answer nor a cited title holds."""
    said = " ".join((row.text, *(str(citation.get("title") or "") for citation in row.citations or ())))
    return [wanted for wanted in row.gold.must_include if not text_includes(said, [wanted])]


def weak(sentence: SentenceMeasure, threshold: float) -> bool:
    """Whether a sentence claims something that the retrieved text does not support."""
    return sentence.worthy and sentence.context < threshold


def astray(sentence: SentenceMeasure, threshold: float) -> bool:
    """Whether the retrieved text supports a sentence, but not the part of it that the sentence cites."""
    cites_elsewhere = sentence.cited is not None and sentence.cited < threshold
    return sentence.worthy and sentence.context >= threshold and cites_elsewhere


def _wrong(row: Row) -> Iterator[str]:
    if is_correct(row) is not False:
        return
    if not row.gold.answerable:
        yield "answered, though no paper answers it"
    elif row.refused:
        yield "refused, though a paper answers it"
    elif lacking := missing(row):
        yield f"lacks {_listed(lacking)}"
    if includes_forbidden(row):
        yield "says what a right answer must not"


def _ungrounded(row: Row, threshold: float) -> Iterator[str]:
    worthy = worthy_sentences(row)
    of_all = f"of {len(worthy)} sentence{'s' * (len(worthy) != 1)}"
    if unsupported := sum(weak(sentence, threshold) for sentence in worthy):
        yield f"{unsupported} {of_all} unsupported"
    if row.citations is None:
        return
    if uncited := sum(not sentence.markers for sentence in worthy):
        yield f"{uncited} {of_all} uncited"
    if stray := sum(astray(sentence, threshold) for sentence in worthy):
        yield f"{stray} {of_all} not supported by what it cites"
    if _falls_short(row, "gold_only"):
        yield "cites a paper that is not wanted"
    if _falls_short(row, "quote_fidelity"):
        yield "a quote is not verbatim"


def _falls_short(row: Row, metric: str) -> bool:
    part = _METRICS[metric].part(row)
    return part is not None and part.total < part.count


def _severity(row: Row, wrong: Sequence[Complaint], threshold: float) -> tuple[float, ...]:
    """Sorts worst first; the question's place in the run breaks ties."""
    worthy = worthy_sentences(row)
    share = sum(not weak(sentence, threshold) for sentence in worthy) / len(worthy) if worthy else 1.0
    lowest = min((sentence.context for sentence in worthy), default=1.0)
    return (row.answer is not None, not any(complaint.grave for complaint in wrong), share, lowest)


def _listed(texts: Sequence[str]) -> str:
    """Strings quoted, alternatives as people write them: “a” or “b”, “c”."""
    return ", ".join(" or ".join(f"“{option}”" for option in text.split("|")) for text in texts)
