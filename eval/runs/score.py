"""Every figure of a run, computed from its rows and its manifest alone: no library, no model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.formats.trec import write_run
from eval.metrics.answers import ANSWER_METRICS
from eval.metrics.calibration import calibration
from eval.metrics.correctness import is_correct
from eval.metrics.figures import Metric
from eval.metrics.resampling import RESAMPLES
from eval.metrics.retrieval import RETRIEVAL_METRICS, run_of
from eval.metrics.statistics import figure, parts
from eval.report.report import run_report, write_report
from eval.rows import SCHEMA, Row
from eval.runs.folder import ROWS, Manifest, RunFolder, spare_runs
from eval.runs.junit import junit_xml
from eval.runs.manifest import grounding_of_now
from eval.runs.verdicts import exact_verdicts
from rag.errors import SettingsError, SourceError

METRICS: tuple[Metric, ...] = (*ANSWER_METRICS, *RETRIEVAL_METRICS)
SUMMARY, TREC, JUNIT, REPORT = "summary.json", "run.trec", "junit.xml", "report.html"
# What `validate-metric --json` and `perturb --json` found, for the grounding score as it is.
AGREEMENT, PERTURBATIONS = (
    Path(__file__).parents[1] / "data" / name for name in ("agreement.json", "perturbations.json")
)
BY_TYPE = ("faithfulness", "citation_recall", "paper_hit@5")
BY_TURN = ("right", "faithfulness", "citation_recall", "paper_hit@5", "paper_ndcg@10")


def load_run(path: Path) -> tuple[Manifest, list[Row]]:
    """The manifest and rows of a run whose sentences were measured as this paperchat measures.

    Raises:
        SettingsError: it is of another version.
        SourceError: it is damaged, holds no row, or is no run folder.
    """
    folder = RunFolder(path)
    manifest, rows = folder.manifest(), folder.rows()
    if dict(manifest.grounding) != grounding_of_now():
        raise SettingsError(
            f"The run in {path} was measured with grounding {_named(manifest.grounding)}; "
            f"this paperchat has {_named(grounding_of_now())}.",
            "Run again into another folder.",
        )
    if not rows:
        raise SourceError(f"The run in {path} holds no row.", "Go on with it: `paperchat eval run --out` that folder.")
    asked = manifest.questions.get("n")
    if manifest.finished and len(rows) != asked:
        raise SourceError(
            f"{folder.file(ROWS)} holds {len(rows)} of the {asked} rows of a finished run.",
            "It was cut or changed: restore it, or run again into another folder.",
        )
    return manifest, rows


def score(path: Path, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Compute and write `summary.json`, `run.trec`, `junit.xml` and `report.html` of a run; returns the summary.

    Raises as `load_run` does.
    """
    folder = RunFolder(path)
    manifest, rows = load_run(path)
    with folder.locked():
        summary = summarise(manifest, rows, resamples)
        write_run(folder.file(TREC), run_of(rows))
        folder.write(JUNIT, junit_xml(rows, exact_verdicts(METRICS, rows)))
        write_report(folder.file(REPORT), run_report(summary, rows))
        folder.write(SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return summary


def report(path: Path, out: Path | None = None) -> Path:
    """Write the page of a run to `out`, or into its folder; returns where. Raises as `load_run` and `spare_runs` do."""
    page = out or path / REPORT
    spare_runs(page)
    manifest, rows = load_run(path)
    write_report(page, run_report(summarise(manifest, rows), rows))
    return page


def summarise(manifest: Manifest, rows: Sequence[Row], resamples: int = RESAMPLES) -> dict[str, Any]:
    """What `summary.json` holds; equal rows and seed give an equal summary."""
    calibrated = calibration(rows, resamples, manifest.seed)
    figures = [figure(metric, rows, resamples, manifest.seed) for metric in METRICS]
    return {
        "schema": SCHEMA,
        "manifest": manifest.as_dict(),
        "n": len(rows),
        "failed": sum(row.answer is None for row in rows),
        "figures": {found.name: found.as_dict() for found in (*figures, *calibrated.figures)},
        "by_type": {name: _of_type(own) for name, own in sorted(_grouped(rows, lambda row: row.gold.type).items())},
        "by_turn": {
            name: _values(own, BY_TURN) | {"n": len(own)} for name, own in sorted(_grouped(rows, turn_of).items())
        },
        "latency_ms": latency(rows),
        "words": words(rows),
        "tokens": tokens(rows),
        "curves": calibrated.curves(),
        "agreement": known_of_grounding(AGREEMENT, "files", manifest.grounding),
        "perturbations": known_of_grounding(PERTURBATIONS, "perturbations", manifest.grounding),
        "bots": known_of_grounding(PERTURBATIONS, "bots", manifest.grounding),
    }


def turn_of(row: Row) -> str:
    """Which question of its conversation it is, from "1"."""
    return str(1 + sum(turn.role == "user" for turn in row.gold.history))


def words(rows: Sequence[Row]) -> dict[str, float]:
    """How long answers are, in words as white space parts them; refusals are left out, and none is no length."""
    lengths = [len(row.text.split()) for row in rows if row.answer and row.outcome != "refused"]
    if not lengths:
        return {}
    return {"p50": float(np.percentile(lengths, 50)), "p90": float(np.percentile(lengths, 90)), "n": len(lengths)}


def latency(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Milliseconds of each stage of an answer, and of the grounding score of its sentences."""
    stages: dict[str, list[float]] = {}
    for row in rows:
        timings = (row.answer or {}).get("timings_ms") or {}
        own = dict(timings) if row.grounding_ms is None else {**timings, "grounding": row.grounding_ms}
        for stage, ms in own.items():
            stages.setdefault(stage, []).append(float(ms))
    return {
        stage: {
            "p50": round(float(np.percentile(times, 50)), 2),
            "p95": round(float(np.percentile(times, 95)), 2),
            "n": len(times),
        }
        for stage, times in stages.items()
    }


def tokens(rows: Sequence[Row]) -> dict[str, int]:
    """Tokens over all questions, as the models counted them."""
    total: dict[str, int] = {}
    for row in rows:
        for name, n in ((row.answer or {}).get("usage") or {}).items():
            total[name] = total.get(name, 0) + int(n)
    return total


def known_of_grounding(path: Path, key: str, grounding: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What a bundled file knows of this grounding score under `key`; None if it is of another, or absent."""
    if not path.is_file():
        return None
    known = json.loads(path.read_text(encoding="utf-8"))
    return list(known[key]) if known["grounding"] == dict(grounding) else None


def _of_type(rows: Sequence[Row]) -> dict[str, Any]:
    """`right` as [right, known]: a right answer, or a refusal where that is right."""
    known = [correct for row in rows if (correct := is_correct(row)) is not None]
    return {"n": len(rows), "right": [sum(known), len(known)], **_values(rows, BY_TYPE)}


def _values(rows: Sequence[Row], names: Iterable[str]) -> dict[str, float]:
    """The named figures that any of these rows is eligible for."""
    values = {}
    for metric in METRICS:
        own = list(parts(metric, rows).values()) if metric.name in names else []
        if (count := sum(part.count for part in own)) > 0:
            values[metric.name] = round(sum(part.total for part in own) / count, 6)
    return values


def _grouped(rows: Sequence[Row], key: Any) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _named(grounding: Mapping[str, Any]) -> str:
    return f"{grounding.get('version')} at threshold {grounding.get('threshold')}"
