"""The vector index: one Chroma folder, written once by one process and then only read.

Chroma loses vectors when two processes write one folder, and a reader never sees another process's
writes. So a published folder is never written again: a writer works in
a copy, and readers move over to it (`builds.py`). The client is made without Chroma's process-wide
cache of systems, so that each `Library` holds its own and lets it go when nothing uses it any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.library.filtering import chroma_where, date_number
from rag.library.records import IndexDamagedError
from rag.models.interfaces import Vector
from rag.papers import Filters, Paper, Passage

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection
    from chromadb.api.types import Where
    from chromadb.config import System

COLLECTION = "passages"
# Graph parameters: recall@20 is 0.97 with Chroma's defaults and 1.00 with these.
# sync_threshold 2 has every batch in the segment's files, so that readers have nothing to catch up; a writer
# of many sets it higher until it is done, for the files are written whole each time.
SYNCED, MOST_UNSYNCED = 2, 20_000
HNSW = {
    "space": "cosine",
    "ef_construction": 400,
    "ef_search": 400,
    "max_neighbors": 32,
    "batch_size": SYNCED,
    "sync_threshold": SYNCED,
}
SAME = 1e-4  # cosine distance of a vector to itself, with float32's error
CLOSE = 0.05  # cosine distance up to which two passages may be of two versions of one paper
NEIGHBOURS, MANY_NEIGHBOURS = 5, 1000
IDS_PER_CALL = 500
IDS_PER_QUERY = 10_000


class VectorIndex:
    """One Chroma collection of passages; queries are safe for threads."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Open the index in `folder`, or make an empty one there.

        Raises:
            IndexDamagedError: there is none, or Chroma cannot read it.
        """
        if not create and not (folder / "chroma.sqlite3").is_file():  # Chroma would make an empty one
            raise IndexDamagedError(f"no vector index in {folder}")
        self._system, self._collection, self.max_batch = _connect(folder, create)

    def close(self) -> None:
        """Let go of the files. Only for the writer's own; a reader's goes when its last query has ended."""
        self._system.stop()

    def nearest(self, vector: Vector, k: int, filters: Filters) -> list[tuple[str, float]]:
        """The `k` best (passage_id, cosine), best first.

        Whose passages they are is for the catalog to say: Chroma takes three times as long where it is asked.
        """
        hits = [
            (passage_id, 1.0 - distance)
            for part in _parts(filters)
            for passage_id, distance in self._near(vector[None, :], k, chroma_where(part))[0]
        ]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]

    def put_off_files(self, changes: int) -> None:
        """Before the first of so many changes: have the files written when they are done, or every 20,000.

        Whoever does so opens the index once more and lets it `settle`.
        """
        rounds = -(-changes // MOST_UNSYNCED)
        self._sync_after(max(SYNCED, -(-changes // max(rounds, 1))))

    def settle(self, dimension: int) -> None:
        """Right after opening: have all that was put off written to the files, and every change from now on."""
        self._sync_after(SYNCED)
        if dimension:  # the first query reads what the files lack from Chroma's log, and writes them
            self._near(np.ones((1, dimension), dtype=np.float32), 1)

    def put(self, papers: Sequence[Paper], passages: Sequence[Passage], vectors: Vector) -> None:
        """Make these passages (n) with their vectors (n, dim) the only ones of these papers."""
        with _as_damage():
            stale = self._ids_of(self._known(passages)) - {passage.passage_id for passage in passages}
            self._delete(sorted(stale))
        self._upsert(papers, passages, vectors)

    def renew(self, papers: Sequence[Paper], passages: Sequence[Passage], vectors: Vector) -> None:
        """Take some passages of these papers out and put them in again: mends what queries do not reach."""
        with _as_damage():
            self._delete([passage.passage_id for passage in passages])
        self._upsert(papers, passages, vectors)

    def remove(self, paper_ids: Sequence[str]) -> None:
        """Take papers out."""
        with _as_damage():
            self._delete(sorted(self._ids_of(paper_ids)))

    def ids(self) -> set[str]:
        """All passage ids."""
        with _as_damage():
            return set(self._collection.get(include=[])["ids"])

    def unreachable(self, ids: Sequence[str], vectors: Vector) -> list[str]:
        """Which of these passages a query with their own vector (n, dim) does not bring back."""
        return self.surveyed(ids, vectors)[0]

    def surveyed(self, ids: Sequence[str], vectors: Vector) -> tuple[list[str], list[tuple[str, str]]]:
        """`unreachable`, and pairs of each passage with others that are all but the same, as few as are nearest."""
        missing: list[str] = []
        close: list[tuple[str, str]] = []
        for rows in _slices(len(ids), IDS_PER_CALL):
            for passage_id, near in zip(ids[rows], self._near(vectors[rows], NEIGHBOURS), strict=True):
                if not _is_among(passage_id, near):
                    missing.append(passage_id)
                close += [(passage_id, other) for other, distance in near if distance <= CLOSE and other != passage_id]
        if missing:  # equal texts crowd each other out of a short list: look again, further
            at = {passage_id: row for row, passage_id in enumerate(ids)}
            missing = [
                passage_id for passage_id in missing if not self._is_far_among(passage_id, vectors[at[passage_id]])
            ]
        return missing, close

    def _is_far_among(self, passage_id: str, vector: Vector) -> bool:
        near = self._near(vector[None, :], MANY_NEIGHBOURS)[0]
        own = any(other == passage_id for other, _ in near)
        crowded = len(near) == MANY_NEIGHBOURS and near[-1][1] <= SAME
        return _is_among(passage_id, near) or (crowded and not own)

    def _near(self, vectors: Vector, k: int, where: Where | None = None) -> list[list[tuple[str, float]]]:
        """For each vector the `k` nearest (passage_id, cosine distance), nearest first."""
        with _as_damage():
            found = self._collection.query(query_embeddings=vectors, n_results=k, where=where, include=["distances"])
        rows = zip(found["ids"], found["distances"] or [], strict=True)
        return [list(zip(ids, distances, strict=True)) for ids, distances in rows]

    def _sync_after(self, changes: int) -> None:
        """Chroma minds it when it reads the segment: before the first query or change after opening."""
        configuration: Any = {"hnsw": {"sync_threshold": changes}}
        with _as_damage():
            self._collection.modify(configuration=configuration)

    def _upsert(self, papers: Sequence[Paper], passages: Sequence[Passage], vectors: Vector) -> None:
        """Never Chroma's `add`: it keeps the old row of a known id and says nothing."""
        data = {paper.paper_id: _metadata(paper) for paper in papers}
        with _as_damage():
            for rows in _slices(len(passages), self.max_batch):
                self._collection.upsert(
                    ids=[passage.passage_id for passage in passages[rows]],
                    embeddings=vectors[rows],
                    metadatas=[data[passage.paper_id] for passage in passages[rows]],
                )

    def _known(self, passages: Sequence[Passage]) -> list[str]:
        """The papers of these passages that have some in the index already: the first has the same id in every version.

        To look for all that a paper has takes Chroma seconds in a large index, to look for an id no time.
        """
        first = {passage.passage_id: passage.paper_id for passage in passages if passage.ordinal == 0}
        found: list[str] = []
        for rows in _slices(len(first), IDS_PER_CALL):
            found += self._collection.get(ids=list(first)[rows], include=[])["ids"]
        return [first[passage_id] for passage_id in found]

    def _ids_of(self, paper_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for rows in _slices(len(paper_ids), IDS_PER_CALL):
            wanted: Any = {"paper_id": {"$in": list(paper_ids[rows])}}
            found |= set(self._collection.get(where=wanted, include=[])["ids"])
        return found

    def _delete(self, ids: Sequence[str]) -> None:
        for rows in _slices(len(ids), IDS_PER_CALL):
            self._collection.delete(ids=list(ids[rows]))


def _connect(folder: Path, create: bool) -> tuple[System, Collection, int]:
    from chromadb.api import ServerAPI
    from chromadb.api.models.Collection import Collection
    from chromadb.config import Settings, System

    settings = Settings(is_persistent=True, persist_directory=str(folder), anonymized_telemetry=False)
    with _as_damage():
        system = System(settings)
        server = system.instance(ServerAPI)  # type: ignore[type-abstract]  # Chroma's registry makes the concrete one
        system.start()
        if create:
            configuration: Any = {"hnsw": HNSW, "embedding_function": None}
            model = server.create_collection(COLLECTION, configuration=configuration, get_or_create=True)
        else:
            model = server.get_collection(COLLECTION)
        return system, Collection(client=server, model=model, embedding_function=None), server.get_max_batch_size()


@contextmanager
def _as_damage() -> Iterator[None]:
    """Chroma's failures as one: its Rust side raises its own errors, and RuntimeError or OSError for files."""
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, RuntimeError, OSError) as error:
        raise IndexDamagedError(f"the vector index fails: {error}") from error


def _is_among(passage_id: str, near: Sequence[tuple[str, float]]) -> bool:
    return any(other == passage_id and distance <= SAME for other, distance in near)


def _metadata(paper: Paper) -> dict[str, str | int]:
    """What filters need; a missing field is a missing key, which no range matches."""
    fields: dict[str, str | int | None] = {
        "paper_id": paper.paper_id,
        "published": date_number(paper.published),
        "organisation": paper.organisation,
        "n_authors": paper.n_authors,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _parts(filters: Filters) -> Iterator[Filters]:
    """The filters in parts that Chroma's SQLite takes: it refuses more than 32,766 values in a query."""
    ids = filters.paper_ids
    if ids is None or len(ids) <= IDS_PER_QUERY:
        yield filters
    else:
        unique = tuple(dict.fromkeys(ids))
        yield from (replace(filters, paper_ids=unique[rows]) for rows in _slices(len(unique), IDS_PER_QUERY))


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
