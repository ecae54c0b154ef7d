"""The map on the disk: computed when the library has changed, and read in no time otherwise."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import closing
from pathlib import Path

import numpy as np

from rag.atlas.projection import project, sample
from rag.atlas.records import Atlas, Point, Topic
from rag.atlas.topics import group, telling_words
from rag.errors import SettingsError
from rag.files import write_whole
from rag.library.catalog import Catalog
from rag.library.codec import unpack_vector
from rag.library.library import Library
from rag.models.interfaces import Vector

ATLAS = "atlas.json"
PAPERS_AT_ONCE = 500
PASSAGE_VECTORS = (
    "SELECT passages.paper_id, embeddings.vector FROM passages JOIN embeddings USING (passage_id) "
    "WHERE passages.paper_id IN (SELECT value FROM json_each(?)) ORDER BY passages.paper_id, passages.ordinal"
)

log = logging.getLogger(__name__)
_computing = threading.Lock()  # two who open the map at the same time compute it once


def load(library: Library) -> Atlas | None:
    """The stored map of what the library holds now; None where there is none, or one of another state."""
    atlas = _stored(library.folder)
    return atlas if atlas is not None and atlas.generation == library.generation else None


def refresh(library: Library) -> Atlas:
    """The map of what the library holds now, computed and stored where the stored one is of another state.

    Takes half a second for some hundred papers, about ten for many thousand. A map that cannot be
    stored is given all the same, and computed again next time.

    Raises:
        LibraryError: the library cannot be read.
    """
    with _computing:
        atlas = load(library)
        if atlas is None:
            atlas = compute(library)
            try:
                write_whole(library.folder / ATLAS, atlas.as_json())
            except SettingsError as error:
                log.warning("The map of the library was not stored: %s", error.message)
        return atlas


def compute(library: Library) -> Atlas:
    """The map, computed anew; equal papers give an equal map, on one machine."""
    generation = library.generation  # first: what is written meanwhile makes the map one of an older state
    ids, vectors = paper_vectors(library)
    chosen = sample(ids)
    if not ids:
        return Atlas({}, (), generation)
    from threadpoolctl import threadpool_limits

    # Sums over several threads come out a little different each time, and t-SNE makes much of a little.
    with threadpool_limits(1):
        places, topics = project(vectors, chosen), group(vectors, chosen)
    papers = library.papers([ids[i] for i in chosen])
    present = [i for i in chosen if ids[i] in papers]  # without those deleted since
    texts = [(papers[ids[i]].title, papers[ids[i]].abstract) for i in present]
    sizes = np.bincount(topics)
    words = telling_words(texts, topics[present], len(sizes))
    points = {i: Point(float(x), float(y), int(t)) for i, (x, y), t in zip(ids, places, topics, strict=True)}
    return Atlas(points, tuple(Topic(w, int(n)) for w, n in zip(words, sizes, strict=True)), generation)


def paper_vectors(library: Library) -> tuple[list[str], Vector]:
    """The papers that have passages, sorted by id, and the direction of each one's passage vectors together (n, dim).

    Reads over a connection of its own, so that searches do not wait for it.
    """
    sums: dict[str, Vector] = {}
    ids = sorted(paper.paper_id for paper in library.find())
    with closing(Catalog(library.folder)) as catalog:
        for start in range(0, len(ids), PAPERS_AT_ONCE):
            for paper_id, blob in catalog.rows(PASSAGE_VECTORS, (json.dumps(ids[start : start + PAPERS_AT_ONCE]),)):
                sums[paper_id] = sums.get(paper_id, 0.0) + unpack_vector(blob)
    if not sums:
        return [], np.empty((0, 0), dtype=np.float32)
    directions = np.stack([sums[paper_id] for paper_id in sorted(sums)])
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return sorted(sums), (directions / np.maximum(lengths, 1e-12)).astype(np.float32)


def _stored(folder: Path) -> Atlas | None:
    try:
        return Atlas.from_json((folder / ATLAS).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("The stored map of the library cannot be read, and is computed anew: %s", error)
        return None
