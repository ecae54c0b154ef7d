"""Versions of one another: papers of different ids whose abstracts are nearly the same are linked, never merged."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from rag.library.catalog import IN_LIST, Catalog
from rag.library.identity import likeness

# `identity.likeness` of abstracts: two versions of a paper are above it, two papers of one group on one
# model (71 at most among the seed papers) far below.
SAME_VERSION = 90.0
PAPERS_PER_STEP = 500
Pair = tuple[str, str]  # ids in order


def pairs_of_papers(catalog: Catalog, close: Sequence[tuple[str, str]]) -> set[Pair]:
    """The pairs of different papers to which pairs of passages belong."""
    if not close:
        return set()
    owners = catalog.owners({passage_id for pair in close for passage_id in pair})
    pairs = {_ordered(owners[one], owners[other]) for one, other in close if one in owners and other in owners}
    return {pair for pair in pairs if pair[0] != pair[1]}


def link(catalog: Catalog, paper_ids: Sequence[str], pairs: Collection[Pair]) -> None:
    """Link these papers anew, in the caller's transaction: those `pairs` whose abstracts bear it out."""
    for start in range(0, len(paper_ids), PAPERS_PER_STEP):
        ids = json.dumps(paper_ids[start : start + PAPERS_PER_STEP])
        catalog.rows(f"DELETE FROM links WHERE paper_id {IN_LIST} OR other_id {IN_LIST}", (ids, ids))
    versions = _versions(catalog, sorted(pairs))
    rows = [row for one, other, value in versions for row in ((one, other, value), (other, one, value))]
    catalog.write("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", rows)


def versions_of(catalog: Catalog, paper_id: str) -> list[tuple[str, float]]:
    """The papers that are versions of this one, and how alike their abstracts are (0 to 100), likest first."""
    sql = "SELECT other_id, likeness FROM links WHERE paper_id = ? ORDER BY likeness DESC, other_id"
    return [(row[0], row[1]) for row in catalog.rows(sql, (paper_id,))]


def _versions(catalog: Catalog, pairs: Sequence[Pair]) -> Iterator[tuple[str, str, float]]:
    for start in range(0, len(pairs), PAPERS_PER_STEP):
        some = pairs[start : start + PAPERS_PER_STEP]
        papers = catalog.papers({paper_id for pair in some for paper_id in pair})
        for one, other in some:
            if one in papers and other in papers and papers[one].abstract and papers[other].abstract:
                value = likeness(papers[one], papers[other])
                if value >= SAME_VERSION:
                    yield one, other, value


def _ordered(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
