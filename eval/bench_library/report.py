"""What was measured of the library, as tables, with what was asked for beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MIB, GIB = 2**20, 2**30


def judged(grown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was asked for of a growing library, what was found, and whether it is met."""
    sizes = grown["sizes"]
    first, last = sizes[0], sizes[-1]
    rates = [rate(grown, one) for one in sizes]
    peak = max(part["peak_bytes"] for one in sizes for part in (one["filled"], one["asked"], one["added"]))
    growing = last["asked"]["retrieve_ms"]["p50"] / first["asked"]["retrieve_ms"]["p50"]
    added = last["added"]["seconds"] + last["added"]["map_seconds"]
    return [
        _row("papers a second at the slowest size / at the fastest", min(rates) / max(rates), 0.85, least=True),
        _row("retrieval p50, largest / smallest", growing, 2.0),
        _row("retrieval with reranking p95, largest, ms", last["asked"]["reranked_ms"]["p95"], 150.0),
        _row("most memory, GiB", peak / GIB, 2.5e9 / GIB),
        _row("start-up to the first answer, largest, s", last["asked"]["start_up_s"], 8.0),
        _row("adding 250 with the map, over their encoding, largest, s", added, 15.0),
    ]


def rate(grown: Mapping[str, Any], one: Mapping[str, Any]) -> float:
    """Papers a second while the library grew to this size, their real encoding counted in."""
    encoding, filled = grown["encoding"], one["filled"]
    encoded = encoding["seconds"] / encoding["passages"] * _passages(filled)
    return float(1.0 / (encoded + filled["seconds"] / filled["papers"]))


def growth_markdown(grown: Mapping[str, Any]) -> str:
    """The figures of a growing library as tables."""
    head = ["", *(f"{one['papers']:,} papers" for one in grown["sizes"])]
    rows = [
        [
            "papers a second, without encoding",
            *(_n(o["filled"]["papers"] / o["filled"]["seconds"]) for o in _of(grown)),
        ],
        ["ms of processor a paper, without encoding", *(_n(_cpu_ms(o["filled"])) for o in _of(grown))],
        ["papers a second, with encoding", *(_n(rate(grown, o)) for o in _of(grown))],
        ["encoding a question, p50 / p95 ms", *(_two(o["asked"]["encode_ms"]) for o in _of(grown))],
        ["retrieval, p50 / p95 ms", *(_two(o["asked"]["retrieve_ms"]) for o in _of(grown))],
        ["retrieval with reranking, p50 / p95 ms", *(_two(o["asked"]["reranked_ms"]) for o in _of(grown))],
        ["whole answer by quotes, p50 / p95 ms", *(_two(o["asked"]["answer_ms"]) for o in _of(grown))],
        ["from the command to the first answer, s", *(_n(o["asked"]["start_up_s"]) for o in _of(grown))],
        ["memory, writing / asking, MiB", *(_memory(o) for o in _of(grown))],
        ["disk, MiB: catalog / vectors / words", *(_disk(o["disk_bytes"]) for o in _of(grown))],
        ["adding 250 papers, without encoding, s", *(_n(o["added"]["seconds"]) for o in _of(grown))],
        ["the map after that, s", *(_n(o["added"]["map_seconds"]) for o in _of(grown))],
    ]
    asked = [[one["what"], f"{one['found']:.2f}", one["asked"], "yes" if one["met"] else "NO"] for one in judged(grown)]
    return "\n".join([*_table(head, rows), *_table(["asked for", "found", "limit", "met"], asked)])


def query_markdown(found: Mapping[str, Any]) -> str:
    """The figures of single questions as a table."""
    rows = [[name, *(f"{ms[q]:.1f}" for q in ("p50", "p95"))] for name, ms in found["ms"].items()]
    ratios = [[name, f"{value:.2f}"] for name, value in found["p50_ratios"].items()]
    head = [f"a question to {found['abstracts']:,} abstracts", "p50 ms", "p95 ms"]
    return "\n".join([*_table(head, rows), *_table(["p50", "ratio"], ratios)])


def _of(grown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(grown["sizes"])


def _passages(filled: Mapping[str, Any]) -> float:
    return float(filled["passages"] / filled["papers"])


def _cpu_ms(filled: Mapping[str, Any]) -> float:
    return float(filled["cpu_seconds"] / filled["papers"] * 1e3)


def _row(what: str, found: float, limit: float, *, least: bool = False) -> dict[str, Any]:
    met = found >= limit if least else found <= limit
    return {"what": what, "found": round(found, 3), "asked": f"{'≥' if least else '≤'} {limit:.3g}", "met": met}


def _memory(one: Mapping[str, Any]) -> str:
    return f"{one['filled']['peak_bytes'] / MIB:.0f} / {one['asked']['peak_bytes'] / MIB:.0f}"


def _disk(parts: Mapping[str, int]) -> str:
    return " / ".join(f"{parts[part] / MIB:.0f}" for part in ("catalog.sqlite3", "chroma", "words"))


def _two(ms: Mapping[str, float]) -> str:
    return f"{ms['p50']:.1f} / {ms['p95']:.1f}"


def _n(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)] + [""]
