"""The vector index: one Chroma folder, written once by one process and then only read.

Chroma loses vectors when two processes write one folder, and a reader never sees another process's
writes (docs/stack.md, facts 1 and 2). So a published folder is never written again: a writer works in
a copy, and readers move over to it (`builds.py`). The client is made without Chroma's process-wide
cache of systems, so that each `Library` holds its own and lets it go when nothing uses it any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.library.filtering import chroma_where, date_number
from rag.library.records import IndexDamagedError
from rag.models.interfaces import Vector
from rag.papers import Filters, Paper, Passage

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection
    from chromadb.api.types import Where
    from chromadb.config import System

COLLECTION = "passages"
# Graph parameters: recall@20 is 0.97 with Chroma's defaults and 1.00 with these (docs/stack.md).
# sync_threshold 2 has every batch in the segment's files, so that readers have nothing to catch up.
HNSW = {
    "space": "cosine",
    "ef_construction": 400,
    "ef_search": 400,
    "max_neighbors": 32,
    "batch_size": 2,
    "sync_threshold": 2,
}
SAME = 1e-4  # cosine distance of a vector to itself, with float32's error
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

    def nearest(self, vector: Vector, k: int, filters: Filters) -> list[tuple[str, str, float]]:
        """The `k` best (passage_id, paper_id, cosine), best first."""
        hits = [hit for part in _parts(filters) for hit in self._nearest(vector, k, chroma_where(part))]
        return sorted(hits, key=lambda hit: (-hit[2], hit[0]))[:k]

    def _nearest(self, vector: Vector, k: int, where: Where | None) -> list[tuple[str, str, float]]:
        with _as_damage():
            found = self._collection.query(
                query_embeddings=vector[None, :], n_results=k, where=where, include=["metadatas", "distances"]
            )
        metadatas, distances = found["metadatas"] or [[]], found["distances"] or [[]]
        rows = zip(found["ids"][0], metadatas[0], distances[0], strict=True)
        return [(passage_id, str(data["paper_id"]), 1.0 - distance) for passage_id, data, distance in rows]

    def put(self, papers: Sequence[Paper], passages: Sequence[Passage], vectors: Vector) -> None:
        """Make these passages (n) with their vectors (n, dim) the only ones of these papers."""
        with _as_damage():
            stale = self._ids_of([paper.paper_id for paper in papers]) - {passage.passage_id for passage in passages}
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
        missing = []
        for rows in _slices(len(ids), IDS_PER_CALL):
            missing += self._not_found(ids[rows], vectors[rows], NEIGHBOURS)
        if not missing:
            return []
        # Equal texts crowd each other out of a short list: look again, further.
        again = [i for i, passage_id in enumerate(ids) if passage_id in set(missing)]
        return [
            passage_id for i in again for passage_id in self._not_found([ids[i]], vectors[i : i + 1], MANY_NEIGHBOURS)
        ]

    def _upsert(self, papers: Sequence[Paper], passages: Sequence[Passage], vectors: Vector) -> None:
        """Never Chroma's `add`: it keeps the old row of a known id and says nothing (docs/stack.md, fact 3)."""
        data = {paper.paper_id: _metadata(paper) for paper in papers}
        with _as_damage():
            for rows in _slices(len(passages), self.max_batch):
                self._collection.upsert(
                    ids=[passage.passage_id for passage in passages[rows]],
                    embeddings=vectors[rows],
                    metadatas=[data[passage.paper_id] for passage in passages[rows]],
                )

    def _not_found(self, ids: Sequence[str], vectors: Vector, k: int) -> list[str]:
        with _as_damage():
            found = self._collection.query(query_embeddings=vectors, n_results=k, include=["distances"])
        missing = []
        for passage_id, near, distances in zip(ids, found["ids"], found["distances"] or [], strict=True):
            own = dict(zip(near, distances, strict=True)).get(passage_id)
            crowded = k == MANY_NEIGHBOURS and len(near) == k and max(distances) <= SAME
            if (own is None and not crowded) or (own is not None and own > SAME):
                missing.append(passage_id)
        return missing

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
