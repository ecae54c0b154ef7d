"""What was measured as tables, and all of it as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.bench_retrieval.collection import Measured
from eval.bench_retrieval.figures import AGAINST
from eval.bench_retrieval.systems import file_name
from eval.formats.trec import write_run
from rag.files import write_whole

MIB = 2**20
NONE = "–"
TITLES = {
    "ndcg@10": "nDCG@10",
    "hit@1": "hit@1",
    "recall@10": "recall@10",
    "recall@100": "recall@100",
    "mrr@10": "MRR@10",
    "all_gold@5": "all gold@5",
}


def markdown(found: Mapping[str, Any]) -> str:
    """A heading and a table for each collection and each question set; what failed says why."""
    sections = [
        *(_section(one, _of_collection, "ndcg@10") for one in found["collections"]),
        *(_section(one, _of_questions, "hit@1") for one in found["questions"]),
    ]
    return "\n\n".join(sections) + "\n"


def write(folder: Path, found: Mapping[str, Any], measured: Measured | None) -> None:
    """`retrieval.json`, `retrieval.md` and a TREC run `NAME.SYSTEM.run` of each system on what was `measured` last.

    Raises:
        SettingsError, SourceError: the folder cannot be written.
    """
    write_whole(folder / "retrieval.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "retrieval.md", markdown(found))
    if measured is None:
        return
    for system, rankings in measured.rankings.items():
        write_run(folder / f"{measured.figures['name']}.{file_name(system)}.run", rankings)


def _section(one: Mapping[str, Any], described: Any, main: str) -> str:
    heading = f"### {_cell(one['name'])}"
    if "error" in one:
        return f"{heading}\n\nNot measured: {one['error']['message']}"
    others = [name for name in next(iter(one["systems"].values())) if name in TITLES and name != main]
    differences = (f"minus {other}" for other in AGAINST.values())
    head = [
        "system",
        TITLES[main],
        "95 % interval",
        *differences,
        *(TITLES[name] for name in others),
        "p50 ms",
        "p95 ms",
    ]
    rows = [[system, *_row(of, main, others)] for system, of in one["systems"].items()]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([heading, "", described(one), "", *lines])


def _row(of: Mapping[str, Any], main: str, others: Sequence[str]) -> list[str]:
    interval = of[f"{main}_interval"]
    return [
        _share(of[main]),
        NONE if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}",
        *(_difference(of.get(key)) for key in AGAINST),
        *(_share(of[name]) for name in others),
        f"{of['p50_ms']:.1f}",
        f"{of['p95_ms']:.1f}",
    ]


def _of_collection(one: Mapping[str, Any]) -> str:
    became = [
        f"{one['merged']} merged with others" if one["merged"] else "",
        f"{one['refused']} refused" if one["refused"] else "",
        f"{one['blank']} blank" if one["blank"] else "",
    ]
    documents = ", ".join([f"{one['n_docs']:,} documents", *filter(None, became)])
    return (
        f"{documents}; {one['n_queries']:,} queries of `{one['qrels']}`; index {one['index_bytes'] / MIB:.1f} MiB, "
        f"most memory so far {one['peak_bytes'] / MIB:.0f} MiB, filling the library took {one['filling_s']:.1f} s."
    )


def _of_questions(one: Mapping[str, Any]) -> str:
    return f"{one['n']} questions to {one['n_papers']:,} papers; all gold@5 of {one['n_all_gold']}."


def _difference(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    if found["low"] is None:
        return f"{found['delta']:+.4f}"
    return f"{found['delta']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _cell(text: str) -> str:
    return " ".join(text.split())
