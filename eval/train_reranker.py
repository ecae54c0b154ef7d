"""`make train-reranker COLLECTION=FOLDER`: the weights of the linear reranker, learned from judged questions.

Pairs of a relevant and another paper among what the product's own search found; the loss is the logistic one on the
difference of their scores, each question counting the same, as "Learning to Rank using Gradient Descent" has it, with
weights that may not be negative. The same collection and library give the same weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import rag.answer.ranking
from eval.bench_library.filling import filled
from eval.bench_retrieval.places import library_place, sha256_of
from eval.formats.beir import CORPUS, read_collection
from rag.answer.ranking.linear import SIGNALS, WEIGHTS, standardised
from rag.answer.retrieve import RERANKED, Retriever
from rag.errors import PaperchatError, SourceError
from rag.files import write_whole
from rag.ingest import library_fingerprint
from rag.library.library import Library
from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder, Vector
from rag.models.reranker import LINEAR, load_reranker
from rag.papers import Filters
from rag.settings import load_settings

PENALTY = 1e-6  # on the squares of the weights, against the mean loss of a pair

Examples = Sequence[tuple[Vector, Sequence[bool]]]
"""For each question the signals (n_papers, n_signals) of what was found, and which of it is relevant."""


def learned(examples: Examples) -> dict[str, float]:
    """Weights by signal, the largest being 1.

    Raises:
        SourceError: no question has both a relevant and another paper among what was found, or no signal tells
            them apart.
    """
    differences, shares = _pairs(examples)
    if not len(differences):
        raise SourceError("No question has a relevant paper among those found.", "Give other judgements.")

    def loss(weights: Vector) -> tuple[float, Vector]:
        margins = differences @ weights
        slope = -(shares / (1 + np.exp(margins))) @ differences
        value = float(shares @ np.logaddexp(0, -margins)) + PENALTY * float(weights @ weights)
        return value, slope + 2 * PENALTY * weights

    start = np.full(len(SIGNALS), 0.1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(SIGNALS)).x
    if not found.max() > 0:
        raise SourceError("No signal tells relevant papers from others.", "Give other judgements.")
    return {name: round(float(weight / found.max()), 3) for name, weight in zip(SIGNALS, found, strict=True)}


def _pairs(examples: Examples) -> tuple[Vector, Vector]:
    """Differences of signals (n_pairs, n_signals), and what share of the whole each pair has (n_pairs,)."""
    made, shares = [np.zeros((0, len(SIGNALS)))], [np.zeros(0)]
    for signals, relevant in examples:
        rows, is_relevant = standardised(signals.tolist()).astype(np.float64), np.array(relevant, dtype=bool)
        pairs = (rows[is_relevant][:, None] - rows[~is_relevant][None]).reshape(-1, len(SIGNALS))
        if len(pairs):
            made.append(pairs)
            shares.append(np.full(len(pairs), 1 / len(pairs)))
    together = np.concatenate(shares)
    return np.concatenate(made), together / max(together.sum(), 1)


def examples(
    library: Library, embedder: Embedder, queries: Mapping[str, str], relevant: Mapping[str, set[str]]
) -> Iterator[tuple[Vector, list[bool]]]:
    """What the product's search finds for each query, as examples; `relevant` are paper ids by query."""
    retriever = Retriever(library, embedder, load_reranker(LINEAR))
    for query, papers in relevant.items():
        if found := retriever.search(queries[query], Filters(), RERANKED).papers:
            signals = np.array([[one.scores.get(name, 0.0) for name in SIGNALS] for one in found], dtype=np.float32)
            yield signals, [one.paper.paper_id in papers for one in found]


def main() -> None:
    """Learn from what the command line names, and store the weights where the product reads them."""
    parser = argparse.ArgumentParser(prog="python -m eval.train_reranker", description="Learn the linear reranker.")
    parser.add_argument("collection", type=Path, help="a BEIR folder")
    parser.add_argument("--qrels", default="train", help="which judgements to learn from")
    parser.add_argument("--keep", type=Path, help="a folder for the library, to be used again")
    chosen = parser.parse_args()
    try:
        embedder = load_embedder(load_settings())
        collection = read_collection(chosen.collection, chosen.qrels)
        sha256 = sha256_of(chosen.collection / CORPUS)
        made_of = library_fingerprint(embedder), sha256
        with library_place(chosen.keep, chosen.collection.name, *made_of) as place:
            made = filled(place, collection.documents, sha256, embedder)
            with closing(made.library):
                judged = {
                    query: {made.papers[doc] for doc, grade in grades.items() if grade > 0 and doc in made.papers}
                    for query, grades in collection.qrels.items()
                }
                relevant = {query: papers for query, papers in judged.items() if papers}
                weights = learned(list(examples(made.library, embedder, collection.queries, relevant)))
    except PaperchatError as error:
        sys.exit(str(error))
    about = f"{chosen.collection.name}, {chosen.qrels}: {len(relevant)} questions"
    stored = Path(rag.answer.ranking.__path__[0]) / WEIGHTS
    write_whole(stored, json.dumps({"learned_from": about, "weights": weights}, indent=1) + "\n")
    print(json.dumps(weights))


if __name__ == "__main__":
    main()
