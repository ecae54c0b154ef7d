"""Embedding throughput: our whole ingestion against llama-index's starter, on the same abstracts in the same run.

The starter is `VectorStoreIndex.from_documents` with `HuggingFaceEmbedding` and `ChromaVectorStore`, the model the
same all-MiniLM-L6-v2. Ours is `ingest_readings` into a `Library`: cut, encoded with token vectors, stored, both
indexes published. The rounds take turns, so that what else the machine does bears on both.

`python -m eval.bench_library.embedding COLLECTION [--papers N] [--rounds N]` prints the figures as JSON; without
`--papers` the whole collection is taken and nDCG@10 of the dense search alone is told too.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from scipy import stats

from eval.bench_library.filling import filled
from eval.bench_library.starter import Starter
from eval.formats.beir import Collection, Document
from eval.metrics.retrieval import score_run
from rag.chunking import embedding_text
from rag.ingest import library_fingerprint
from rag.library.library import Library
from rag.models.embedder import embedder_folder, load_embedder
from rag.models.interfaces import Embedder
from rag.settings import load_settings

WARM_UP = 4  # papers before the first round
DEPTH = 50  # passages asked for, so that ten papers are among them


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a round took: on the clock, and of the processors."""

    wall_s: float
    cpu_s: float


def bench(collection: Collection, papers: int | None, rounds: int, folder: Path) -> dict[str, Any]:
    """The figures; libraries and indexes are made below `folder`."""
    documents = dict(list(collection.documents.items())[:papers])
    settings = load_settings()
    embedder = load_embedder(settings)
    starter = Starter(embedder_folder(settings), folder / "model")
    few = dict(list(documents.items())[:WARM_UP])
    ingested(few, embedder, folder / "ours-loaded")  # what is imported and loaded once is no part of the rate
    starter.build(few, folder / "theirs-loaded")
    ours, pure, theirs = [], [], []
    for number in range(rounds):
        library, index = folder / f"ours-{number}", folder / f"theirs-{number}"
        ours.append(_timed(partial(ingested, documents, embedder, library)))
        pure.append(_timed(_encoding(library, embedder)))
        theirs.append(_timed(partial(starter.build, documents, index)))
        _tell(f"round {number + 1}: ours {ours[-1]}, pure encoding {pure[-1]}, the starter {theirs[-1]}")
    found: dict[str, Any] = {
        "papers": len(documents),
        "rounds": rounds,
        "ours_papers_per_s": _interval([len(documents) / one.wall_s for one in ours]),
        "starter_papers_per_s": _interval([len(documents) / one.wall_s for one in theirs]),
        "ratio": _interval([b.wall_s / a.wall_s for a, b in zip(ours, theirs, strict=True)]),
        "ratio_of_cpu": _interval([b.cpu_s / a.cpu_s for a, b in zip(ours, theirs, strict=True)]),
        "overhead": _interval([a.wall_s / b.wall_s - 1 for a, b in zip(ours, pure, strict=True)]),
        "overhead_of_cpu": _interval([a.cpu_s / b.cpu_s - 1 for a, b in zip(ours, pure, strict=True)]),
    }
    if papers is None:
        found["ndcg@10"] = {
            "ours": _ndcg(collection, our_ranking(collection, embedder, folder / "ours-0")),
            "starter": _ndcg(collection, starter.ranking(collection.queries, folder / "theirs-0", DEPTH)),
        }
    return found


def embedding_markdown(found: Mapping[str, Any]) -> str:
    """The same as a table."""
    names = {
        "ours_papers_per_s": "our ingestion, papers/s",
        "starter_papers_per_s": "llama-index's starter, papers/s",
        "ratio": "times the starter's rate",
        "ratio_of_cpu": "the same by processor time",
        "overhead": "ingestion over pure encoding",
        "overhead_of_cpu": "the same by processor time",
    }
    lines = [f"| {found['papers']} abstracts, {found['rounds']} rounds | mean | 95 % interval |", "| --- | --- | --- |"]
    for key, name in names.items():
        lines.append("| {} | {mean:.3g} | {low:.3g} to {high:.3g} |".format(name, **found[key]))
    if quality := found.get("ndcg@10"):
        lines.append(
            f"| nDCG@10, dense alone: ours, the starter's | {quality['ours']:.4f}, {quality['starter']:.4f} | |"
        )
    return "\n".join([*lines, ""])


def ingested(documents: Mapping[str, Document], embedder: Embedder, folder: Path) -> None:
    """All documents into a new library."""
    filled(folder, documents, "0" * 64, embedder).library.close()


def our_ranking(collection: Collection, embedder: Embedder, folder: Path) -> dict[str, dict[str, float]]:
    """Query -> document -> cosine of its best passage, by the vector search alone."""
    library = Library.open(folder, library_fingerprint(embedder))
    ids: dict[str, list[str]] = {}
    for doc_id, one in collection.documents.items():
        ids.setdefault(one.title, []).append(doc_id)
    titles = {paper.paper_id: paper.title for paper in library.find()}
    run: dict[str, dict[str, float]] = {}
    for query in collection.qrels:
        (asked,) = embedder.encode([collection.queries[query]], query=True)
        best: dict[str, float] = {}
        for hit in library.nearest_vectors(asked.vector, DEPTH):
            for doc_id in ids[titles[hit.paper_id]]:
                best[doc_id] = max(best.get(doc_id, -1.0), hit.score)
        run[query] = best
    library.close()
    return run


def _encoding(folder: Path, embedder: Embedder) -> Callable[[], object]:
    """Encoding the very passages of a library, 32 papers at a time as ingestion does, and nothing else."""
    library = Library.open(folder)
    papers = library.find()
    passages = library.passages([paper.paper_id for paper in papers])
    library.close()
    batches = [
        [embedding_text(p.title, one.text)[0] for p in papers[at : at + 32] for one in passages[p.paper_id]]
        for at in range(0, len(papers), 32)
    ]

    def encode() -> None:
        for batch in batches:
            embedder.encode(batch)

    return encode


def _ndcg(collection: Collection, run: Mapping[str, Mapping[str, float]]) -> float:
    values = score_run(collection.qrels, run)["ndcg@10"]
    return statistics.fmean(values.values())


def _timed(work: Callable[[], object]) -> Timed:
    wall, cpu = perf_counter(), process_time()
    work()
    return Timed(perf_counter() - wall, process_time() - cpu)


def _interval(values: Sequence[float]) -> dict[str, float]:
    """Mean of the rounds and the 95 % interval of it."""
    mean = statistics.fmean(values)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else 0.0
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
