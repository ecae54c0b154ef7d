"""The map on the disk: computed when the library has changed, and read in no time otherwise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from rag.atlas.projection import AT_MOST, placed, project, sample
from rag.atlas.records import Atlas, Point, Topic
from rag.atlas.topics import group, telling_words
from rag.errors import SettingsError
from rag.files import write_whole
from rag.library.catalog import Catalog
from rag.library.library import Library
from rag.models.interfaces import Vector

ATLAS = "atlas.json"
PAPERS_AT_ONCE = 500
PATCHES = 0.05  # of the papers on a map may have been placed on it or taken off; then it is drawn anew

log = logging.getLogger(__name__)
_computing = threading.Lock()  # two who open the map at the same time compute it once


def load(library: Library) -> Atlas | None:
    """The stored map of what the library holds now; None where there is none, or one of another state."""
    atlas = _stored(library.folder)
    return atlas if atlas is not None and atlas.generation == library.generation else None


def refresh(library: Library) -> Atlas:
    """The map of what the library holds now, computed and stored where the stored one is of another state.

    Takes half a second for some hundred papers, about ten for many thousand; a few papers more on a large map
    are placed among the others. A map that cannot be
    stored is given all the same, and computed again next time.

    Raises:
        LibraryError: the library cannot be read.
    """
    with _computing:
        stored = _stored(library.folder)
        atlas = stored if stored is not None and stored.generation == library.generation else None
        if atlas is None:
            atlas = (patch(library, stored) if stored else None) or compute(library)
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


def patch(library: Library, atlas: Atlas) -> Atlas | None:
    """An older map with new papers placed on it and deleted ones taken off; None where it is better drawn anew."""
    generation = library.generation
    present = set(_paper_ids(library))
    new, gone = present - atlas.points.keys(), atlas.points.keys() - present
    patched = atlas.patched + len(new) + len(gone)
    kept = sorted(atlas.points.keys() & present)
    if len(kept) <= AT_MOST or patched > PATCHES * len(kept):
        return None
    points = {paper_id: atlas.points[paper_id] for paper_id in kept}
    known, vectors = paper_vectors(library, [kept[i] for i in sample(kept)])
    added, new_vectors = paper_vectors(library, sorted(new))
    if added:
        places = np.array([points[paper_id][:2] for paper_id in known], dtype=np.float32)
        found, nearest = placed(new_vectors, vectors, places)
        for paper_id, (x, y), near in zip(added, found, nearest, strict=True):
            points[paper_id] = Point(float(x), float(y), points[known[near]].topic)
    return _ranked(Atlas(points, atlas.topics, generation, patched))


def _ranked(atlas: Atlas) -> Atlas:
    """The map with the topics' sizes counted, and the topics in order again."""
    sizes = np.bincount([point.topic for point in atlas.points.values()], minlength=len(atlas.topics))
    order = np.argsort(-sizes, kind="stable")
    rank = np.argsort(order)
    points = {i: Point(point.x, point.y, int(rank[point.topic])) for i, point in atlas.points.items()}
    topics = tuple(Topic(atlas.topics[old].words, int(sizes[old])) for old in order)
    return Atlas(points, topics, atlas.generation, atlas.patched)


def paper_vectors(library: Library, paper_ids: Sequence[str] | None = None) -> tuple[list[str], Vector]:
    """The papers (those of `paper_ids`, or all) that have passages of title and abstract, sorted by id, and the
    direction of each one's passage vectors together (n, dim).

    Reads over a connection of its own, so that searches do not wait for it.
    """
    found: dict[str, Vector] = {}
    ids = sorted(_paper_ids(library) if paper_ids is None else paper_ids)
    with closing(Catalog(library.folder)) as catalog:
        for start in range(0, len(ids), PAPERS_AT_ONCE):
            found |= catalog.directions(ids[start : start + PAPERS_AT_ONCE])
    if not found:
        return [], np.empty((0, 0), dtype=np.float32)
    return sorted(found), np.stack([found[paper_id] for paper_id in sorted(found)])


def _paper_ids(library: Library) -> list[str]:
    with closing(Catalog(library.folder)) as catalog:
        return [row[0] for row in catalog.rows("SELECT paper_id FROM papers")]


def _stored(folder: Path) -> Atlas | None:
    try:
        return Atlas.from_json((folder / ATLAS).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("The stored map of the library cannot be read, and is computed anew: %s", error)
        return None
