"""Looking whether the library is what it should be, in every store, passage by passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import LibraryError
from rag.library import blocking
from rag.library.builds import VECTORS, WORDS, build_folder, changed_files, check_sizes
from rag.library.catalog import Catalog
from rag.library.codec import belong
from rag.library.naming import comparable
from rag.library.records import IndexDamagedError
from rag.library.vectors import VectorIndex
from rag.library.words import WordIndex

SHOWN = 5
STEP = 1000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at; `broken` names the indexes that a repair builds anew.

    `damaged` says that SQLite cannot read all of the catalog: what it still can is saved by `salvage.py`.
    """

    checks: tuple[Check, ...]
    broken: tuple[str, ...] = ()
    damaged: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks], "broken": list(self.broken)}


def verify(catalog: Catalog, folder: Path) -> Report:
    """Check the catalog, then each index against it. Nothing is changed.

    A catalog that SQLite cannot read is all that is looked at: what it would say of the rest is worth nothing.
    """
    integrity = _integrity(catalog)
    if not integrity.ok:
        return Report((integrity,), damaged=True)
    truth = [integrity, _offsets(catalog), _embeddings(catalog), _bodies(catalog), _links(catalog), _blocked(catalog)]
    ids = [row[0] for row in catalog.rows("SELECT passage_id FROM passages ORDER BY passage_id")]
    papers = _paper_ids(catalog)
    vectors, words = _vector_checks(catalog, folder, ids), _word_checks(catalog, folder, papers)
    broken = [name for name, checks in ((VECTORS, vectors), (WORDS, words)) if not all(c.ok for c in checks)]
    return Report((*truth, *vectors, *words), tuple(broken))


def _integrity(catalog: Catalog) -> Check:
    try:
        faults = catalog.faults()[:SHOWN]
    except LibraryError as error:
        faults = [error.message]
    return Check("catalog: SQLite integrity", not faults, "; ".join(faults) or "sound")


def _offsets(catalog: Catalog) -> Check:
    total, wrong = 0, []
    for ids in _steps(_paper_ids(catalog)):
        papers, bodies = catalog.papers(ids), catalog.bodies(ids)
        for passage in (p for group in catalog.passages(ids).values() for p in group):
            total += 1
            body = bodies.get(passage.paper_id)
            source = (body.text if body else "") if passage.in_body else papers[passage.paper_id].abstract
            if source[passage.start : passage.end] != passage.text:
                wrong.append(passage.passage_id)
    return _check("catalog: passages verbatim in their text", wrong, total)


def _bodies(catalog: Catalog) -> Check:
    """A full text is the one that its paper names, and its parts follow each other without gap."""
    total, wrong = 0, []
    for ids in _steps(_paper_ids(catalog)):
        papers, bodies = catalog.papers(ids), catalog.bodies(ids)
        total += len(bodies)
        for paper_id, paper in papers.items():
            body = bodies.get(paper_id)
            starts = [part.start for part in body.parts] if body else [0]
            in_order = starts[:1] == [0] and all(a <= b for a, b in pairwise(starts))
            if paper.body_hash != (body.content_hash if body else None) or not in_order:
                wrong.append(paper_id)
    return _check("catalog: full texts as their papers name them", wrong, total)


def _links(catalog: Catalog) -> Check:
    """Two versions of a work know of each other."""
    pairs = {(row[0], row[1]) for row in catalog.rows("SELECT paper_id, other_id FROM links")}
    wrong = sorted(f"{one} and {other}" for one, other in pairs if one == other or (other, one) not in pairs)
    return _check("catalog: links in both directions", wrong, len(pairs))


def _blocked(catalog: Catalog) -> Check:
    """The names on the block list are written as papers' names are compared."""
    listed = blocking.blocks(catalog)
    wrong = [block.key for block in listed if block.key != comparable(block.kind, block.key)]
    return _check("catalog: block list in order", wrong, len(listed))


def _embeddings(catalog: Catalog) -> Check:
    dimension = catalog.dimension
    without = catalog.rows("SELECT passage_id FROM passages EXCEPT SELECT passage_id FROM embeddings")
    wrong = [row[0] for row in without]
    ids = [row[0] for row in catalog.rows("SELECT passage_id FROM embeddings ORDER BY passage_id")]
    for some in _steps(ids):
        for passage_id, encoded in catalog.encoded(some).items():
            fits = encoded.vector.shape == (dimension,) and belong(encoded)
            if not fits or not np.isfinite(encoded.vector).all() or not np.isfinite(encoded.tokens).all():
                wrong.append(passage_id)
    return _check("catalog: an embedding for every passage", wrong, len(ids) + len(without))


def _vector_checks(catalog: Catalog, folder: Path, ids: Sequence[str]) -> list[Check]:
    state = catalog.index_state(VECTORS)
    if state is None:
        return [Check("vectors: index present", not ids, "none built yet")]
    try:
        check_sizes(folder, state)
        changed = changed_files(folder, state)
        if changed:  # Chroma may crash the process on damaged files: do not open them
            return [_check("vectors: files as published", changed, len(state.manifest))]
        with closing(VectorIndex(build_folder(folder, state))) as index:
            found = index.ids()
            lost = [i for some in _steps(ids) for i in index.unreachable(some, catalog.vectors(some))]
    except IndexDamagedError as error:
        return [Check("vectors: index readable", False, str(error))]
    return [
        Check("vectors: files as published", True, f"{len(state.manifest)} files"),
        _up_to_date("vectors", catalog, state.generation),
        _same_ids("vectors", "passages", set(ids), found),
        _check("vectors: every one reachable by query", lost, len(ids)),
    ]


def _word_checks(catalog: Catalog, folder: Path, ids: Sequence[str]) -> list[Check]:
    state = catalog.index_state(WORDS)
    if state is None:
        return [Check("words: index present", not ids, "none built yet")]
    try:
        index = WordIndex(build_folder(folder, state))
        found, lost = index.ids(), index.missing(ids)
    except IndexDamagedError as error:
        return [Check("words: index readable", False, str(error))]
    return [
        _up_to_date("words", catalog, state.generation),
        _same_ids("words", "papers", set(ids), found),
        _check("words: every paper found once", lost, len(ids)),
    ]


def _up_to_date(name: str, catalog: Catalog, generation: int) -> Check:
    want = catalog.generation
    return Check(f"{name}: up to date", generation == want, f"generation {generation} of {want}")


def _same_ids(name: str, what: str, want: set[str], found: set[str]) -> Check:
    differ = sorted(want ^ found)
    detail = f"{len(found)} of {len(want)}" + (f", differing: {', '.join(differ[:SHOWN])}" if differ else "")
    return Check(f"{name}: same {what} as the catalog", not differ, detail)


def _check(name: str, wrong: Sequence[str], total: int) -> Check:
    if not wrong:
        return Check(name, True, f"all {total}")
    more = ", ..." if len(wrong) > SHOWN else ""
    return Check(name, False, f"{len(wrong)} of {total} wrong: {', '.join(wrong[:SHOWN])}{more}")


def _paper_ids(catalog: Catalog) -> list[str]:
    return [row[0] for row in catalog.rows("SELECT paper_id FROM papers ORDER BY paper_id")]


def _steps(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + STEP] for start in range(0, len(ids), STEP))
