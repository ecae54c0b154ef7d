"""A run, or the difference of two, as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.metrics.correctness import is_correct
from eval.report.page import number, render
from eval.report.plots import reliability, risk_coverage
from eval.report.worst import Complaint, complaints, is_gold, worst
from eval.rows import Row
from rag.files import write_whole

HEADLINE = ("right", "faithfulness", "citation_recall", "refusal_f1", "paper_hit@5")
SHOWN = 20  # of the worst answers
LISTED = 10  # of the papers retrieved for one: those whose text a row holds

Values = Mapping[str, Any]


def run_report(summary: Values, rows: Sequence[Row]) -> str:
    """The page of one run: its figures with intervals, and its worst answers sentence by sentence.

    `summary` is what `summary.json` holds. Where it has `perturbations` or `bots` (the rows of
    `perturb --json`), the page also shows what the metrics are known to miss.
    """
    manifest, figures = summary["manifest"], summary["figures"]
    bad = worst(rows, _threshold(manifest))
    latency = summary.get("latency_ms") or {}
    return render(
        "report.html.j2",
        name=_name(manifest),
        manifest=manifest,
        n=summary["n"],
        failed=summary["failed"],
        headline=[(name, figures[name]) for name in HEADLINE if figures.get(name, {}).get("value") is not None],
        total_ms=latency.get("total"),
        groups=_grouped(list(figures.values())),
        grounding_group=figures.get("faithfulness", {}).get("group"),
        agreement=summary.get("agreement"),
        perturbations=summary.get("perturbations"),
        blind=_blind(summary.get("perturbations") or ()),
        bots=summary.get("bots"),
        curves=_curves(summary.get("curves") or {}),
        types=_by_type(summary.get("by_type") or {}, figures),
        turns=_by_turn(summary.get("by_turn") or {}, figures),
        latency=latency,
        slowest=max((time["p95"] for time in latency.values()), default=0.0) or 1.0,
        tokens=summary.get("tokens") or {},
        words=summary.get("words") or {},
        threshold=_threshold(manifest),
        n_bad=len(bad),
        worst=[_bad_answer(row, wrong) for row, wrong in bad[:SHOWN]],
        made=_made(manifest),
    )


def compare_report(
    differences: Sequence[Values], manifest_a: Values, manifest_b: Values, rows_a: Sequence[Row], rows_b: Sequence[Row]
) -> str:
    """The page of run B against run A: each difference with its interval, and the questions that changed sides.

    `differences` are those of `eval.metrics.statistics.Difference.as_dict()`.
    """
    known = [difference for difference in differences if difference["delta"] is not None]
    ends = [abs(d[end]) for d in known for end in ("low", "high", "delta") if d[end] is not None]
    made_a, made_b = dict(_made(manifest_a)), dict(_made(manifest_b))
    keys = list(dict.fromkeys([*made_a, *made_b]))
    return render(
        "compare.html.j2",
        name_a=_name(manifest_a),
        name_b=_name(manifest_b),
        manifest_a=manifest_a,
        manifest_b=manifest_b,
        groups=_grouped(differences),
        reach=max(ends, default=0.0) or 1.0,
        clear=[difference for difference in known if verdict(difference) != "no clear difference"],
        n_compared=len(known),
        verdict=verdict,
        changed=[(key, made_a.get(key, ""), made_b.get(key, "")) for key in keys if made_a.get(key) != made_b.get(key)],
        gained=_changed_sides(rows_a, rows_b, manifest_a, manifest_b, better=True),
        lost=_changed_sides(rows_a, rows_b, manifest_a, manifest_b, better=False),
    )


def write_report(path: Path, html: str) -> None:
    """Write a page as a whole.

    Raises:
        SettingsError: the place cannot be written.
    """
    write_whole(path, html)


def verdict(difference: Values) -> str:
    """better, worse, or no clear difference: where the interval and the corrected p both exclude chance."""
    p = difference["p"] if difference["p_holm"] is None else difference["p_holm"]
    low, high = difference["low"], difference["high"]
    if low is None or p is None or p >= 0.05 or low <= 0 <= high:
        return "no clear difference"
    return "better" if (low > 0) == difference["higher_is_better"] else "worse"


# --- what the templates show --------------------------------------------------------------------


def _blind(perturbations: Sequence[Values]) -> list[tuple[str, list[Values]]]:
    """What the score hardly sees or sees less than is wanted: each perturbation with the files where that is so."""
    found: dict[str, list[Values]] = {}
    for spoilt in perturbations:
        if spoilt["ok"] is False or spoilt["blind"]:
            found.setdefault(str(spoilt["perturbation"]).replace("_", " "), []).append(spoilt)
    return list(found.items())


def _threshold(manifest: Values) -> float:
    return float(manifest["grounding"]["threshold"])


def _name(manifest: Values) -> str:
    if manifest.get("system") == "imported":
        return f"{manifest.get('answerer') or 'Another system'} (imported)"
    return str(manifest["answerer"])


def _grouped(figures: Sequence[Values]) -> list[tuple[str, list[Values]]]:
    """Figures under their headings, in the order in which each heading first comes."""
    groups: dict[str, list[Values]] = {}
    for figure in figures:
        groups.setdefault(str(figure["group"]), []).append(figure)
    return list(groups.items())


def _curves(curves: Values) -> list[dict[str, Any]]:
    """The plots for which there are points, each with what it shows and how to read it."""
    drawn = {
        "reliability": (
            "Does the confidence hold?",
            "Dots on the dashed line are right as often as they say; below it, less often.",
            reliability,
        ),
        "risk_coverage": (
            "What would answering less often win?",
            "The share of wrong answers when only the surest are given.",
            risk_coverage,
        ),
    }
    return [
        {"title": title, "told": told, "svg": draw(curves[name])}
        for name, (title, told, draw) in drawn.items()
        if curves.get(name)
    ]


def _title(name: str, figures: Mapping[str, Values]) -> str:
    return str(figures[name]["title"]) if name in figures else name.replace("_", " ")


def _by_type(types: Mapping[str, Values], figures: Mapping[str, Values]) -> dict[str, Any]:
    """Rows of kinds of question, columns of metrics; a cell is a share, told as `k of n` where that is known."""
    metrics = list(dict.fromkeys(name for kind in types.values() for name in kind if name != "n"))
    rows = [
        {"name": name.replace("_", " "), "n": kind["n"], "cells": [_cell(kind.get(metric)) for metric in metrics]}
        for name, kind in sorted(types.items(), key=lambda item: (-item[1]["n"], item[0]))
    ]
    columns = ["Right" if metric == "right" else _title(metric, figures) for metric in metrics]
    return {"columns": columns, "rows": rows}


def _cell(found: Sequence[float] | float | None) -> dict[str, Any] | None:
    if isinstance(found, (int, float)):
        return {"value": found, "told": number(found)}
    if not found or not found[1]:
        return None
    return {"value": found[0] / found[1], "told": f"{found[0]:g} of {found[1]:g}"}


def _by_turn(turns: Mapping[str, Values], figures: Mapping[str, Values]) -> dict[str, Any]:
    """Rows of metrics, columns of turns; `change` is the last turn less the first."""
    order = sorted(turns, key=int)
    metrics = list(dict.fromkeys(name for turn in order for name in turns[turn] if name != "n"))
    rows = []
    for metric in metrics:
        cells = [turns[turn].get(metric) for turn in order]
        first, last = cells[0], cells[-1]
        change = None if first is None or last is None else last - first
        rows.append({"title": _title(metric, figures), "cells": cells, "change": change})
    return {"columns": [(turn, turns[turn].get("n")) for turn in order], "rows": rows}


def _bad_answer(row: Row, wrong: Sequence[Complaint]) -> dict[str, Any]:
    places = [place for place, paper in enumerate(row.retrieved, 1) if is_gold(row, paper.title)]
    return {"row": row, "complaints": wrong, "gold_places": places, "listed": row.retrieved[:LISTED]}


def _changed_sides(
    rows_a: Sequence[Row], rows_b: Sequence[Row], manifest_a: Values, manifest_b: Values, better: bool
) -> list[dict[str, Any]]:
    """The questions that only one run got right: B where `better`, else A."""
    before = {row.gold.qid: row for row in rows_a}
    pairs = [(before[row.gold.qid], row) for row in rows_b if row.gold.qid in before]
    return [
        {
            "gold": a.gold,
            "sides": [
                {"row": a, "complaints": complaints(a, _threshold(manifest_a))},
                {"row": b, "complaints": complaints(b, _threshold(manifest_b))},
            ],
        }
        for a, b in pairs
        if (is_correct(a), is_correct(b)) == (not better, better)
    ]


def _made(manifest: Values) -> list[tuple[str, str]]:
    """Everything that makes a run what it is, as rows of a table."""
    grounding, questions = manifest["grounding"], manifest["questions"]
    stated = {
        "paperchat": manifest["paperchat"],
        "answerer": manifest["answerer"],
        "seed": manifest["seed"],
        "questions": f"{questions['file']}, {questions['n']}",
        "grounding score": f"version {grounding['version']}, threshold {grounding['threshold']}",
        **{f"hash of the {name}": value for name, value in manifest["hashes"].items()},
        **_flat(manifest.get("configuration") or {}),
    }
    return [(key, "none" if value in (None, "") else str(value)) for key, value in stated.items()]


def _flat(settings: Values, above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
