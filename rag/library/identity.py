"""When two listings are one paper, and what is known of it then."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rapidfuzz import fuzz

from rag.papers import Body, Paper, normalised_title

# By rapidfuzz's `token_ratio`, of the 237 seed papers: abstracts of different papers score 61 at most (one
# pair, two papers of one author on one model, 71; their titles differ), an abstract cut to its half 98 at
# least, and mended typos stay above 90. Asked only of papers whose normalised titles are equal.
SAME_TEXT = 65.0
TELLING_TITLE = 20  # characters of a title that two papers are not likely to share


def likeness(one: Paper, other: Paper) -> float:
    """How alike two abstracts are, 0 to 100; 100 for equal ones."""
    return 100.0 if one.abstract == other.abstract else fuzz.token_ratio(one.abstract, other.abstract)


def same_work(one: Paper, other: Paper) -> float:
    """How surely two papers of one title are one, 0 to 100; 0 where they are not.

    Two arXiv ids are two papers. Where one of them has no abstract, or only what a document's opening stands for,
    the title decides if it is long enough to be nobody else's.
    """
    if one.arxiv_id and other.arxiv_id and one.arxiv_id != other.arxiv_id:
        return 0.0
    alike = likeness(one, other)
    if alike >= SAME_TEXT:
        return alike
    unsure = one.from_document or other.from_document or not one.abstract.strip() or not other.abstract.strip()
    return SAME_TEXT if unsure and len(normalised_title(one.title)) >= TELLING_TITLE else 0.0


def combine(known: Paper, newer: Paper) -> Paper:
    """`newer` over `known`, under the known id: what `newer` does not show stays as it was known.

    A date whose year was printed stays when `newer` has only one whose year was inferred. What was found in a
    document's text never takes the place of what a record says.
    """
    if newer.from_document != known.from_document:
        weaker, stronger = (newer, known) if newer.from_document else (known, newer)
    else:
        weaker, stronger = known, newer
    merged = {field.name: _shown(getattr(stronger, field.name), getattr(weaker, field.name)) for field in fields(Paper)}
    dated = _dated(weaker, stronger)
    merged |= {
        "paper_id": known.paper_id,
        "published": dated.published,
        "year_inferred": dated.year_inferred,
        "date_of": dated.date_of,
        "body_hash": newer.body_hash or known.body_hash,
        "from_document": known.from_document and newer.from_document,
    }
    return Paper(**merged)


def _shown(value: Any, otherwise: Any) -> Any:
    """A field's value, or the other where it says nothing."""
    return otherwise if value is None or value in ((), "") else value


def _dated(weaker: Paper, stronger: Paper) -> Paper:
    """The one of the two whose date is kept."""
    if stronger.published is None:
        return weaker
    if weaker.published is None:
        return stronger
    less_exact = len(stronger.dated) < len(weaker.dated) and weaker.dated.startswith(stronger.dated)
    return weaker if less_exact or (stronger.year_inferred and not weaker.year_inferred) else stronger


def changes(before: Paper, after: Paper) -> list[str]:
    """Names of the fields that differ."""
    return [field.name for field in fields(Paper) if getattr(before, field.name) != getattr(after, field.name)]


def storable(paper: Paper, body: Body | None = None) -> bool:
    """Whether its text is Unicode that can be stored: no halves of surrogate pairs."""
    sections = [part.section or "" for part in body.parts] if body else []
    values = [getattr(paper, field.name) for field in fields(Paper)]
    text = [value for value in (*values, *paper.authors, *sections, body and body.text) if isinstance(value, str)]
    try:
        "".join(text).encode()
    except UnicodeEncodeError:
        return False
    return True
