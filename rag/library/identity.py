"""When two listings are one paper, and what is known of it then."""

from __future__ import annotations

from dataclasses import fields

from rapidfuzz import fuzz

from rag.papers import Paper

# By rapidfuzz's `token_ratio`, of the 237 seed papers: abstracts of different papers score 61 at most (one
# pair, two papers of one author on one model, 71; their titles differ), an abstract cut to its half 98 at
# least, and mended typos stay above 90. Asked only of papers whose normalised titles are equal.
SAME_TEXT = 65.0


def likeness(one: Paper, other: Paper) -> float:
    """How alike two abstracts are, 0 to 100; 100 for equal ones."""
    return 100.0 if one.abstract == other.abstract else fuzz.token_ratio(one.abstract, other.abstract)


def combine(known: Paper, newer: Paper) -> Paper:
    """`newer` over `known`, under the known id: what `newer` does not show stays as it was known.

    A date whose year was printed stays when `newer` has only one whose year was inferred.
    """
    merged = {
        field.name: getattr(known if getattr(newer, field.name) is None else newer, field.name)
        for field in fields(Paper)
    }
    keep_date = known.published is not None and (
        newer.published is None or (newer.year_inferred and not known.year_inferred)
    )
    dated = known if keep_date else newer
    merged |= {"paper_id": known.paper_id, "published": dated.published, "year_inferred": dated.year_inferred}
    return Paper(**merged)


def changes(before: Paper, after: Paper) -> list[str]:
    """Names of the fields that differ."""
    return [field.name for field in fields(Paper) if getattr(before, field.name) != getattr(after, field.name)]


def storable(paper: Paper) -> bool:
    """Whether its text is Unicode that can be stored: no halves of surrogate pairs."""
    try:
        f"{paper.title}{paper.abstract}{paper.organisation}".encode()
    except UnicodeEncodeError:
        return False
    return True
