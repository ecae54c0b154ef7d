"""One BEIR collection: into a library, asked by every system, and scored."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from eval.bench_library.filling import Filled, filled, is_blank
from eval.bench_library.footprint import peak_bytes, size_of
from eval.bench_retrieval.asking import Asked, Query, asked
from eval.bench_retrieval.figures import judged, measured, summarised
from eval.bench_retrieval.places import library_place, sha256_of
from eval.bench_retrieval.starter import starter
from eval.bench_retrieval.systems import DEPTH, Ranking, scored_papers, systems
from eval.formats.beir import CORPUS, Collection, read_collection
from rag.answer.retrieve import Retrieval
from rag.embedding import Progress
from rag.errors import SourceError
from rag.ingest import library_fingerprint
from rag.models.interfaces import Embedder, Reranker
from rag.papers import Filters

Bar = Callable[[str], AbstractContextManager[Progress]]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What the measuring of all collections shares. `keep` is a folder for libraries; None makes temporary ones."""

    embedder: Embedder
    reranker: Reranker | None
    bar: Bar
    tell: Tell
    keep: Path | None = None
    starter: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures as JSON has them, and every system's ranking of documents by query."""

    figures: dict[str, Any]
    rankings: Mapping[str, Mapping[str, Ranking]]


def measure(bench: Bench, folder: Path, qrels: str, name: str) -> Measured:
    """Every system on the judged queries of one BEIR folder.

    Raises:
        SourceError: a file is missing or malformed, or the judgements call nothing relevant.
        ModelError: the embedder cannot be used.
        LibraryError: a kept library is damaged, or another process writes it.
    """
    collection = read_collection(folder, qrels)
    relevant = judged(collection.qrels)
    if not relevant:
        raise SourceError(f"The judgements {qrels!r} of {folder} call no document relevant.", "Choose other qrels.")
    sha256 = sha256_of(folder / CORPUS)
    with library_place(bench.keep, name, library_fingerprint(bench.embedder), sha256) as place:
        bench.tell(f"{name}: {len(collection.documents)} documents into a library ...")
        begun = perf_counter()
        with bench.bar(f"{name}: embedding") as progress:
            made = filled(place, collection.documents, sha256, bench.embedder, progress)
        filling_s = perf_counter() - begun
        with closing(made.library):
            found = _ask(bench, made, collection, relevant, name)
            papers = made.library.count()
        values = {system: measured(relevant, one.rankings) for system, one in found.items()}
        figures = {
            "name": name,
            "folder": str(folder),
            "qrels": qrels,
            **_counts(collection, made, papers),
            "n_queries": len(relevant),
            "without_relevant": len(collection.qrels) - len(relevant),
            "filling_s": round(filling_s, 1),
            "index_bytes": size_of(place),
            "peak_bytes": peak_bytes(),
            "systems": summarised(values, found, "ndcg@10"),
        }
    return Measured(figures, {system: one.rankings for system, one in found.items()})


def _ask(
    bench: Bench, made: Filled, collection: Collection, relevant: Mapping[str, Any], name: str
) -> dict[str, Asked]:
    documents = made.documents()

    def as_documents(found: Retrieval) -> Ranking:
        return [(doc, score) for paper, score in scored_papers(found) for doc in documents.get(paper, ())][:DEPTH]

    named = systems(made.library, bench.embedder, bench.reranker, as_documents)
    queries = {query: Query(text, Filters()) for query, text in collection.queries.items() if query in relevant}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        if bench.starter:
            bench.tell(f"{name}: the same into the starter's index ...")
            named["starter"] = starter(collection.documents, Path(place))
        bench.tell(f"{name}: {len(queries)} queries to {len(named)} systems ...")
        with bench.bar(f"{name}: asking") as progress:
            return asked(named, queries, progress)


def _counts(collection: Collection, made: Filled, papers: int) -> dict[str, int]:
    """What became of the documents. Those that are blank are not found, as those that the library refused."""
    blank = sum(is_blank(one) for one in collection.documents.values())
    return {
        "n_docs": len(collection.documents),
        "n_papers": papers,
        "merged": len(made.papers) - len(set(made.papers.values())),
        "refused": len(collection.documents) - blank - len(made.papers),
        "blank": blank,
    }
