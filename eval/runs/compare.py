"""Two runs of the same questions, metric by metric, with intervals and tests over paired questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eval.metrics.resampling import RESAMPLES
from eval.metrics.statistics import compare, with_holm
from eval.report.report import compare_report, write_report
from eval.rows import SCHEMA
from eval.runs.folder import spare_runs
from eval.runs.score import METRICS, load_run
from rag.errors import SettingsError


def compare_runs(a: Path, b: Path, page: Path | None = None, resamples: int = RESAMPLES) -> dict[str, Any]:
    """The differences b - a of every metric, p values corrected by Holm over all of them; writes the `page`.

    Questions that only one of the runs has answered are left out and counted (`unpaired`).

    Raises:
        SettingsError: the runs are of different question sets, one is of another version, or `page` belongs to a run.
        SourceError: one of them is no run, or damaged.
    """
    if page is not None:
        spare_runs(page)
    manifest_a, rows_a = load_run(a)
    manifest_b, rows_b = load_run(b)
    asked = [{row.gold.qid: (row.gold.question, row.gold.history) for row in rows} for rows in (rows_a, rows_b)]
    common = asked[0].keys() & asked[1].keys()
    if other := sorted(qid for qid in common if asked[0][qid] != asked[1][qid]):
        names = f"{manifest_a.questions.get('file')} and {manifest_b.questions.get('file')}"
        raise SettingsError(
            f"The runs are of different questions ({names}): {other[0]} asks something else.",
            "Compare two runs of the same question set.",
        )
    if not common:
        raise SettingsError("The runs have no question in common.", "Go on with the runs until they share some.")
    found = with_holm([compare(metric, rows_a, rows_b, resamples, manifest_a.seed) for metric in METRICS])
    differences = [difference.as_dict() for difference in found]
    if page is not None:
        html = compare_report(differences, manifest_a.as_dict(), manifest_b.as_dict(), rows_a, rows_b)
        write_report(page, html)
    return {
        "schema": SCHEMA,
        "a": manifest_a.as_dict(),
        "b": manifest_b.as_dict(),
        "n": len(common),
        "differences": differences,
    }
