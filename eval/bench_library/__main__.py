"""`python -m eval.bench_library OUT [PART ...] --collection FOLDER`: OUT/library-PART.json and .md for each part.

The parts: `embedding` (against llama-index's starter), `cold` (a question from a cold start), `query` (single
questions, against the starter), `growth` (libraries of growing size; an hour and 16 GB of disk for 100,000 papers),
which is drawn, too: library-growth.png and .svg. `plot` only draws them anew, from OUT/library-growth.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eval.bench_library.cold import cold, cold_markdown
from eval.bench_library.embedding import bench, embedding_markdown
from eval.bench_library.growth import SIZES, growth
from eval.bench_library.plot import redraw
from eval.bench_library.query import ABSTRACTS, query
from eval.bench_library.report import growth_markdown, judged, query_markdown
from eval.formats.beir import read_collection
from rag.errors import SourceError
from rag.files import write_whole

ROUNDS = 5
PLOT = "plot"
Measured = tuple[dict[str, Any], str]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench_library", description="Measure the library.")
    parser.add_argument("out", type=Path, help="folder for the results")
    parts = [*PARTS, PLOT]
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(parts)}; without any, all")
    parser.add_argument("--collection", type=Path, help="a BEIR collection of abstracts, e.g. SciFact; not for `plot`")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="papers, for `growth`")
    parser.add_argument("--abstracts", type=int, default=ABSTRACTS, help="for `query` and `embedding`")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="for `embedding` and `cold`")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - {*parts}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    measured = [part for part in chosen.parts if part != PLOT]
    if measured and chosen.collection is None:
        parser.error("--collection is missing: it is what libraries are made of")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for part in measured:
        with tempfile.TemporaryDirectory(prefix=f"{part}-", dir=chosen.out, ignore_cleanup_errors=True) as place:
            found, text = PARTS[part](chosen, Path(place))
        write_whole(chosen.out / f"library-{part}.json", json.dumps(found, indent=1) + "\n")
        write_whole(chosen.out / f"library-{part}.md", text)
        print(text, end="")
    if {"growth", PLOT} & {*chosen.parts}:
        try:
            redraw(chosen.out / "library-growth.json")
        except SourceError as error:
            parser.error(str(error))


def _embedding(chosen: argparse.Namespace, place: Path) -> Measured:
    found = bench(read_collection(chosen.collection), chosen.abstracts, chosen.rounds, place)
    return found, embedding_markdown(found)


def _cold(chosen: argparse.Namespace, place: Path) -> Measured:
    found = cold(chosen.rounds)
    return found, cold_markdown(found)


def _query(chosen: argparse.Namespace, place: Path) -> Measured:
    found = query(chosen.collection, chosen.abstracts, _tell)
    return found, query_markdown(found)


def _growth(chosen: argparse.Namespace, place: Path) -> Measured:
    found = growth(place / "library", chosen.collection, chosen.sizes, _tell)
    return {**found, "judged": judged(found)}, growth_markdown(found)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[argparse.Namespace, Path], Measured]] = {
    "embedding": _embedding,
    "cold": _cold,
    "query": _query,
    "growth": _growth,
}

if __name__ == "__main__":
    main()
