"""What goes into the library and what comes out: plain frozen data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag.models.interfaces import Encoded
from rag.papers import Body, Paper, Passage


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One listing of a paper: which file (name and content hash), which line, and how it read there."""

    source: str
    sha256: str
    line: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """A paper with all that is stored of it; `encoded[i]` belongs to `passages[i]`.

    `body` is the full text that `paper.body_hash` names; both are there or neither.
    """

    paper: Paper
    passages: Sequence[Passage]
    encoded: Sequence[Encoded]
    entries: Sequence[SourceEntry] = ()
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found by its vector; `score` is the cosine."""

    passage_id: str
    paper_id: str
    score: float


@dataclass(frozen=True, slots=True)
class PaperHit:
    """One paper found by its words; `score` is BM25."""

    paper_id: str
    score: float


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """What the library holds. `duplicates` are the listings of a paper beyond its first."""

    papers: int
    passages: int
    entries: int
    duplicates: int
    sources: int
    fingerprint: str
    generation: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class IndexState:
    """Which build of an index is in use, the generation it shows, and its files as they were published."""

    name: str
    build: int
    generation: int
    manifest: dict[str, str]


class IndexDamagedError(Exception):
    """An index cannot be used; it can be rebuilt from the catalog. Never leaves `rag.library`."""
