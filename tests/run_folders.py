"""What the tests of evaluation runs share: a manifest, run folders made by hand, a library without a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from library_helpers import HashEmbedder, fill, paper

from eval.rows import Row
from eval.runs.folder import Manifest, RunFolder
from eval.runs.manifest import grounding_of_now
from rag.ingest import library_fingerprint
from rag.library.library import Library

CREATED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PAPERS = [
    paper(
        "Tilde: a small index",
        "Tilde stores expansion terms for every passage. Its index is 99% smaller than before. It runs without a GPU.",
        published=date(2021, 8, 24),
        n_authors=2,
    ),
    paper(
        "Whales and clicks",
        "Sperm whales encode information in the number of clicks. The regularity of a sequence matters too.",
        published=date(2023, 3, 17),
    ),
    paper("Sparse attention for long text", "Sparse attention reads long documents quickly. Memory stays constant."),
]


def manifest(**fields: Any) -> Manifest:
    """A finished run of no particular system, measured as this paperchat measures."""
    known: dict[str, Any] = {
        "paperchat": "0.1.0",
        "created": CREATED,
        "finished": True,
        "answerer": "quotes",
        "questions": {"file": "dev.jsonl", "n": 2},
        "hashes": {
            "configuration": "c", "prompts": "p", "models": "m", "library": "l", "questions": "q",
        },
        "grounding": grounding_of_now(),
    }  # fmt: skip
    return Manifest(**(known | fields))


def run_folder(path: Path, rows: Sequence[Row], **fields: Any) -> RunFolder:
    """A run folder with these rows, as `run` leaves it before it is scored."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.write_manifest(manifest(**({"questions": {"file": "dev.jsonl", "n": len(rows)}} | fields)))
    folder.append(rows)
    return folder


def small_library(home: Path) -> HashEmbedder:
    """The library of `PAPERS` below `home`, built with the embedder that is given back."""
    embedder = HashEmbedder()
    library = Library.open(home / "library", library_fingerprint(embedder))
    fill(library, PAPERS, embedder)
    library.close()
    return embedder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes; the lock file left out."""
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file() and path.name != ".lock"
    }
