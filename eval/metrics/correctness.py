"""Whether an answer says what the gold row says it must: strings, token F1, similarity; each reported apart."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from eval.metrics.figures import Metric, Part
from eval.questions import text_includes
from eval.rows import Row

GROUP = "Correctness"
MARKER = re.compile(r"\s*\[(?:\d+(?:\s*,\s*\d+)*|unsupported)\]")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def plain_text(row: Row) -> str:
    """The answer's text without its markers."""
    return MARKER.sub("", row.text)


def includes_all_wanted(row: Row) -> bool:
    """Whether the answer, or a title it cites, holds every must-include string (`eval.questions`' rule)."""
    return text_includes(_searched(row), row.gold.must_include)


def includes_forbidden(row: Row) -> bool:
    """Whether the answer, or a title it cites, holds a must-not-include string."""
    return any(text_includes(_searched(row), [text]) for text in row.gold.must_not_include)


def is_right(row: Row) -> bool | None:
    """Not refused, every string that a right answer must hold and none that it must not.

    None for a question that cannot be answered, or that names no such strings.
    """
    if not row.gold.answerable or not (row.gold.must_include or row.gold.must_not_include):
        return None
    return _answered(row) and includes_all_wanted(row) and not includes_forbidden(row)


def is_correct(row: Row) -> bool | None:
    """Right where the question can be answered; refused, partial or corrected where it cannot.

    None where the row does not say what is right. A failed row is never correct.
    """
    if row.gold.answerable:
        return is_right(row)
    return row.outcome in ("refused", "partial", "corrected")


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of words, as in "SQuAD: 100,000+ Questions for Machine
    Comprehension of Text": case, punctuation and articles do not count. In [0, 1]."""
    said, wanted = squad_tokens(answer), squad_tokens(reference)
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))


def squad_tokens(text: str) -> list[str]:
    """Lower-cased words without punctuation and articles. SQuAD's script drops the punctuation and
    symbols of ASCII; those of all scripts are dropped here, since quotes are typographic."""
    kept = "".join(char for char in text.lower() if unicodedata.category(char)[0] not in "PS")
    return _ARTICLES.sub(" ", kept).split()


def _answered(row: Row) -> bool:
    return row.answer is not None and not row.refused


def _searched(row: Row) -> str:
    titles = (str(citation.get("title") or "") for citation in row.citations or ())
    return " ".join((row.text, *titles))


def _right(row: Row) -> Part | None:
    right = is_right(row)
    return None if right is None else Part(float(right))


def _must_include(row: Row) -> Part | None:
    if not row.gold.answerable or not row.gold.must_include:
        return None
    return Part(float(_answered(row) and includes_all_wanted(row)))


def _must_not_include(row: Row) -> Part | None:
    if not row.gold.must_not_include or row.answer is None:
        return None
    return Part(float(_answered(row) and includes_forbidden(row)))


def _token_f1(row: Row) -> Part | None:
    """A refusal says nothing of the reference, whatever words it shares: 0."""
    if not row.gold.answerable or not row.gold.gold_answer:
        return None
    return Part(token_f1(plain_text(row), row.gold.gold_answer) if _answered(row) else 0.0)


def _similarity(row: Row) -> Part | None:
    """Of what was answered only: the likeness of a refusal to the reference means nothing."""
    if not row.gold.answerable or not row.gold.gold_answer or not _answered(row) or row.similarity is None:
        return None
    return Part(row.similarity)


CORRECTNESS_METRICS: tuple[Metric, ...] = (
    Metric("right", "Right answers", GROUP, _right, binary=True),
    Metric("must_include", "Every must-include in the answer", GROUP, _must_include, binary=True),
    Metric(
        "must_not_include",
        "A must-not-include in the answer",
        GROUP,
        _must_not_include,
        higher_is_better=False,
        binary=True,
    ),
    Metric("token_f1", "Token F1 with the reference", GROUP, _token_f1),
    Metric("similarity", "Similarity to the reference", GROUP, _similarity, share=False),
)
