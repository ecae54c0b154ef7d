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
SAME_WORDS = 90.0  # of abstracts that are surely one: a preprint and its publication have DOIs of their own
LIKE_TITLES = 80.0  # of titles that may name one paper
TELLING_TITLE = 20  # characters of a title that two papers are not likely to share
YEARS_APART = 2  # of a preprint and its publication


def likeness(one: Paper, other: Paper) -> float:
    """How alike two abstracts are, 0 to 100; 100 for equal ones."""
    return 100.0 if one.abstract == other.abstract else fuzz.token_ratio(one.abstract, other.abstract)


def same_work(one: Paper, other: Paper) -> float:
    """How surely two papers of one title are one, 0 to 100; 0 where they are not.

    Two arXiv ids are two papers, and so are two DOIs unless the abstracts are the same. Where an abstract is
    missing, or one may be only what a document's opening stands for, a long title decides if nothing speaks
    against it; a short one ("Editorial") only if everything that both say is the same.
    """
    if _differ(one.arxiv_id, other.arxiv_id):
        return 0.0
    if one.abstract.strip() and other.abstract.strip():
        alike = likeness(one, other)
        if alike >= (SAME_WORDS if _differ(one.doi, other.doi) else SAME_TEXT):
            return alike
        if one.from_document == other.from_document:
            return 0.0
    if _differ(one.doi, other.doi) or not _may_be_one(one, other):
        return 0.0
    telling = len(normalised_title(one.title)) >= TELLING_TITLE
    return SAME_TEXT if telling or _say_the_same(one, other) else 0.0


def bears_out(one: Paper, other: Paper) -> bool:
    """Whether two papers of one DOI may be one. A document's page may name the DOI of something else."""
    if _differ(one.arxiv_id, other.arxiv_id):
        return False
    if not one.from_document and not other.from_document:
        return True
    titles = fuzz.token_set_ratio(normalised_title(one.title), normalised_title(other.title))
    return titles >= LIKE_TITLES or (bool(one.abstract.strip()) and likeness(one, other) >= SAME_TEXT)


def _differ(one: object, other: object) -> bool:
    return bool(one and other and one != other)


def _may_be_one(one: Paper, other: Paper) -> bool:
    """Whether neither years nor authors speak against it."""
    if one.published and other.published and abs(one.published.year - other.published.year) > YEARS_APART:
        return False
    mine, theirs = _families(one), _families(other)
    return not mine or not theirs or bool(mine & theirs)


def _families(paper: Paper) -> set[str]:
    """The last word of each author's name."""
    return {words[-1] for name in paper.authors if (words := normalised_title(name).split())}


def _say_the_same(one: Paper, other: Paper) -> bool:
    """Whether no field that both show differs, and they agree in more than the title."""
    names = [field.name for field in fields(Paper) if field.name not in ("paper_id", "title", "from_document")]
    if any(_differ(getattr(one, name), getattr(other, name)) for name in names):
        return False
    if one.authors != other.authors or one.published != other.published:
        return False
    alone = not one.authors and not one.published
    return not alone or (one.abstract == other.abstract and one.body_hash == other.body_hash)


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
