"""One question to the same abstracts: encoding it alone, our retrieval, and that of llama-index's starter."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eval.bench_library.growth import Tell, read_questions
from eval.bench_library.timing import interleaved, spread
from eval.formats.beir import Document, read_collection

ABSTRACTS = 1_000
K = 10  # papers asked for


def query(collection: Path, abstracts: int, tell: Tell) -> dict[str, Any]:
    """Times of single questions, taken in turns in one process, on the first `abstracts` of a BEIR collection."""
    from eval.bench_library.filling import filled
    from rag.answer.retrieve import Retriever, Switches
    from rag.models.embedder import load_embedder
    from rag.models.reranker import LINEAR, load_reranker
    from rag.papers import Filters
    from rag.settings import load_settings

    documents = dict(list(read_collection(collection).documents.items())[:abstracts])
    embedder = load_embedder(load_settings())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        tell(f"{len(documents)} abstracts into a library ...")
        library = filled(Path(place) / "library", documents, "corpus", embedder).library
        plain = Retriever(library, embedder, None, Switches(feedback=False))
        reranked = Retriever(library, embedder, load_reranker(LINEAR))
        calls: dict[str, Callable[[str], Any]] = {
            "encode": lambda question: embedder.encode([question], query=True),
            "retrieve": lambda question: plain.search(question, Filters(), K),
            "reranked": lambda question: reranked.search(question, Filters(), K),
        }
        if importlib.util.find_spec("llama_index.embeddings.huggingface") is not None:
            tell("The same into the starter's index ...")
            calls["starter"] = _starter(Path(place) / "starter", documents)
        tell("Asking ...")
        times = interleaved(calls, read_questions(collection))
        library.close()
    found = {name: spread(seconds) for name, seconds in times.items()}
    ratios = {f"retrieve / {other}": _ratio(found, other) for other in ("encode", "starter") if other in found}
    return {"abstracts": len(documents), "k": K, "ms": found, "p50_ratios": ratios}


def _starter(folder: Path, documents: Mapping[str, Document]) -> Callable[[str], Any]:
    from eval.bench_library.starter import Starter
    from rag.models.embedder import bundled_folder

    retriever = Starter(bundled_folder(), folder / "model").build(documents, folder / "index")
    return retriever.as_retriever(similarity_top_k=K).retrieve


def _ratio(found: dict[str, dict[str, float]], other: str) -> float:
    return round(found["retrieve"]["p50"] / found[other]["p50"], 3)
