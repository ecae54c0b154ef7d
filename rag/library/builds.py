"""Bringing the two indexes to what the catalog says, and publishing them.

An index lives in `<library>/<name>/<build>`; the catalog's table `indexes` says which build is in use
and which generation it shows, so that publishing is one SQLite transaction. There is one way in which
an index is written: everything that changed in the catalog since the index's generation is applied to
it. The end of a write, the mending after a crash between catalog and index, and a rebuild (everything
changed since nothing) are the same code. All of it runs under the write lock.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from rag.errors import LibraryError
from rag.library.catalog import Catalog
from rag.library.catalog_writes import changed_since, put_index_state, set_meta
from rag.library.links import Pair, link, pairs_of_papers
from rag.library.records import IndexDamagedError, IndexState
from rag.library.traces import wipe
from rag.library.vectors import VectorIndex
from rag.library.words import WordIndex
from rag.models.interfaces import Vector
from rag.papers import Paper, Passage

VECTORS, WORDS = "chroma", "words"
INDEXES = (VECTORS, WORDS)
CHROMA_FILE = "chroma.sqlite3"
PRISTINE = "published.sqlite3"  # a copy of it that nobody opens, for the next build to start from
PAPERS_PER_STEP = 500
TRACES = "traces"  # in the catalog's `meta`: there may be traces of what was deleted for good
NONE = IndexState("", 0, 0, {})

log = logging.getLogger(__name__)


def build_folder(folder: Path, state: IndexState) -> Path:
    """Where a build lives."""
    return folder / state.name / f"{state.build:06d}"


def bring_up_to_date(catalog: Catalog, folder: Path, *, from_scratch: Sequence[str] = ()) -> None:
    """Make both indexes show the catalog's generation, `from_scratch` ones as new builds.

    Raises:
        LibraryError: an index stays wrong even when built anew.
    """
    traces = catalog.meta(TRACES) is not None
    _update_vectors(catalog, folder, VECTORS in from_scratch)
    _update_words(catalog, folder, WORDS in from_scratch or traces)
    if traces:
        with catalog.transaction():
            catalog.write("DELETE FROM deleted WHERE generation <= ?", [(catalog.generation,)])
            catalog.write("DELETE FROM meta WHERE key = ?", [(TRACES,)])
    _sweep(catalog, folder)


def leave_no_traces(catalog: Catalog) -> None:
    """Have nothing left of deleted papers when the indexes are brought up to date next, by whomever.

    Tantivy keeps the words of a deleted paper until its segment is merged, so its index is written anew.
    Runs inside the caller's transaction.
    """
    set_meta(catalog, TRACES, "1")


def is_behind(catalog: Catalog) -> bool:
    """Whether an index shows less than the catalog holds: a writer is at work, or was killed."""
    generation = catalog.generation
    return any((catalog.index_state(name) or NONE).generation != generation for name in INDEXES)


def check_sizes(folder: Path, state: IndexState) -> None:
    """Compare the published vector files with their sizes: Chroma answers wrongly from a truncated one.

    Raises:
        IndexDamagedError: a file is missing or has another size.
    """
    build = build_folder(folder, state)
    for name, fact in state.manifest.items():
        file = build / name
        if not file.is_file() or file.stat().st_size != int(fact.split(":")[0]):
            raise IndexDamagedError(f"{file} is missing or truncated")


def changed_files(folder: Path, state: IndexState) -> list[str]:
    """Published vector files whose content is not what was published; a slow `check_sizes`."""
    now = _manifest(build_folder(folder, state))
    return sorted(name for name in state.manifest.keys() | now.keys() if state.manifest.get(name) != now.get(name))


def _update_vectors(catalog: Catalog, folder: Path, from_scratch: bool) -> None:
    state, target = catalog.index_state(VECTORS), catalog.generation
    if state is not None and state.generation >= 0 and not from_scratch:
        try:
            check_sizes(folder, state)
            written, deleted = changed_since(catalog, state.generation)
            if not written and not deleted and (build_folder(folder, state) / CHROMA_FILE).is_file():
                _publish(catalog, replace(state, generation=target))
            else:
                _build_vectors(catalog, folder, state, written, deleted)
            return
        except (IndexDamagedError, OSError) as error:
            log.warning("The vector index is rebuilt from the catalog: %s", error)
    written, _ = changed_since(catalog, 0)
    try:
        _build_vectors(catalog, folder, replace(state or NONE, name=VECTORS), written, (), anew=True)
    except (IndexDamagedError, OSError) as error:
        raise LibraryError(
            f"The vector index of {folder} cannot be built: {error}.",
            "Check free space and permissions, then run `paperchat library repair`.",
        ) from error


def _build_vectors(
    catalog: Catalog,
    folder: Path,
    old: IndexState,
    written: Sequence[str],
    deleted: Sequence[str],
    anew: bool = False,
) -> None:
    """The next build: a copy of the `old` one with the changes, or one from nothing; checked, then published."""
    new = IndexState(VECTORS, old.build + 1, catalog.generation, {})
    place = build_folder(folder, new)
    with _new_build(place):
        if anew:
            place.mkdir(parents=True)
        else:
            _copy(build_folder(folder, old), place)
        with closing(VectorIndex(place, create=anew)) as index:
            index.put_off_files(catalog.count_passages(written))
            index.remove(deleted)
            for papers, passages, vectors in _contents(catalog, written):
                index.put(papers, passages, vectors)
        with closing(VectorIndex(place)) as index:
            index.settle(catalog.dimension)
            _check_and_link(catalog, index, written)
        wipe(place, deleted=bool(deleted))
        shutil.copy2(place / CHROMA_FILE, place / PRISTINE)
        _publish(catalog, replace(new, manifest=_manifest(place)))


@contextmanager
def _new_build(place: Path) -> Iterator[None]:
    """A clean place for a build. One that fails is taken away, or the full disk that it failed on would stay full."""
    shutil.rmtree(place, ignore_errors=True)  # a killed writer's
    try:
        yield
    except Exception:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _check_and_link(catalog: Catalog, index: VectorIndex, written: Sequence[str]) -> None:
    """Every vector must come back to a query with itself. What comes back beside it may be
    of another version of the paper."""
    pairs: set[Pair] = set()
    for papers, passages, vectors in _contents(catalog, written):
        ids = [passage.passage_id for passage in passages]
        lost, near = index.surveyed(ids, vectors)
        pairs |= pairs_of_papers(catalog, near)
        if lost:
            log.warning("%d vectors were not reachable by query; putting them in again.", len(lost))
            rows = [row for row, passage_id in enumerate(ids) if passage_id in set(lost)]
            index.renew(papers, [passages[row] for row in rows], vectors[rows])
            if index.unreachable(ids, vectors):
                raise IndexDamagedError("vectors stay out of reach of queries")
    if written:
        with catalog.transaction():
            link(catalog, written, pairs)


def _update_words(catalog: Catalog, folder: Path, from_scratch: bool) -> None:
    state, target = catalog.index_state(WORDS), catalog.generation
    if state is not None and state.generation >= 0 and not from_scratch:
        try:
            index = WordIndex(build_folder(folder, state))
            written, deleted = changed_since(catalog, state.generation)
            if written or deleted:
                _put_words(catalog, index, written, deleted)
            _publish(catalog, replace(state, generation=target))
            return
        except IndexDamagedError as error:
            log.warning("The word index is rebuilt from the catalog: %s", error)
    new = IndexState(WORDS, (state or NONE).build + 1, target, {})
    place = build_folder(folder, new)
    try:
        with _new_build(place):
            place.mkdir(parents=True)
            _put_words(catalog, WordIndex(place, create=True), changed_since(catalog, 0)[0], ())
    except (IndexDamagedError, OSError) as error:
        raise LibraryError(
            f"The word index of {folder} cannot be built: {error}.",
            "Check free space and permissions, then run `paperchat library repair`.",
        ) from error
    _publish(catalog, new)


def _put_words(catalog: Catalog, index: WordIndex, written: Sequence[str], deleted: Sequence[str]) -> None:
    index.put((), deleted)
    for start in range(0, len(written), PAPERS_PER_STEP):
        papers = catalog.papers(written[start : start + PAPERS_PER_STEP])
        having = catalog.bodies(paper.paper_id for paper in papers.values() if paper.body_hash)
        index.put(list(papers.values()), bodies={paper_id: body.text for paper_id, body in having.items()})


def _contents(catalog: Catalog, paper_ids: Sequence[str]) -> Iterator[tuple[list[Paper], list[Passage], Vector]]:
    """Papers with their passages and vectors (n, dim), some hundred papers at a time."""
    for start in range(0, len(paper_ids), PAPERS_PER_STEP):
        ids = paper_ids[start : start + PAPERS_PER_STEP]
        passages = [passage for group in catalog.passages(ids).values() for passage in group]
        vectors = catalog.vectors([passage.passage_id for passage in passages])
        yield list(catalog.papers(ids).values()), passages, vectors


def _publish(catalog: Catalog, state: IndexState) -> None:
    if catalog.index_state(state.name) != state:
        with catalog.transaction():
            put_index_state(catalog, state)


def _copy(source: Path, target: Path) -> None:
    """Copy a Chroma folder that readers may have open: its SQLite file as it was when published, since every
    opening writes a row into it (and a second SQLite library on it would break locks)."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(f"{CHROMA_FILE}*", PRISTINE))
    shutil.copy2(source / PRISTINE, target / CHROMA_FILE)


def _manifest(build: Path) -> dict[str, str]:
    """Every file but SQLite's own -> "size:hash"."""
    files = (file for file in build.rglob("*") if file.is_file() and not file.name.startswith(CHROMA_FILE))
    return {str(file.relative_to(build)): _fact(file) for file in sorted(files)}


def _fact(file: Path) -> str:
    with file.open("rb") as stream:
        return f"{file.stat().st_size}:{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"


def _sweep(catalog: Catalog, folder: Path) -> None:
    """Delete builds that are not in use: superseded ones (who still reads one keeps its open files) and killed ones."""
    for name in INDEXES:
        state = catalog.index_state(name)
        keep = build_folder(folder, state) if state else None
        for place in (folder / name).iterdir() if (folder / name).is_dir() else ():
            if place != keep:
                shutil.rmtree(place, ignore_errors=True)
