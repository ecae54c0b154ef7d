"""llama-index's starter as one of the systems."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from eval.bench_retrieval.systems import DEPTH, System
from eval.formats.beir import Document
from rag.errors import ModelError

NEEDED = "llama_index.embeddings.huggingface"


def require_starter() -> None:
    """See that the starter can be made, before anything else takes its time.

    Raises:
        ModelError: what it needs beyond our own dependencies is not installed.
    """
    try:
        importlib.import_module(NEEDED)
    except ImportError as error:
        package = NEEDED.replace(".", "-").replace("_", "-")
        raise ModelError(
            f"The starter needs {package}, which cannot be imported.", f"Run `pip install {package}`."
        ) from error


def starter(documents: Mapping[str, Document], place: Path) -> System:
    """The starter with all documents in an index below `place`, which must stay as long as it is asked."""
    from eval.bench_library.starter import Starter, best_nodes
    from rag.models.embedder import bundled_folder

    index = Starter(bundled_folder(), place / "model").build(documents, place / "index")
    search = index.as_retriever(similarity_top_k=DEPTH).retrieve
    return System(
        lambda query, _: search(query),
        lambda found: sorted(best_nodes(found).items(), key=lambda pair: -pair[1]),
    )
