"""Retrieval figures of a TREC run file against judgements: of any system, without a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eval.formats.trec import read_qrels, read_run
from eval.metrics.resampling import RESAMPLES, Ratio, interval, resampled_ratios
from eval.metrics.retrieval import run_counts, score_run
from eval.rows import SCHEMA


def score_files(qrels: Path, run: Path, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Mean of each measure over the queries with a relevant document, with its 95 % interval over queries.

    `counts` says how many queries that are, and what was left out or counts as 0.

    Raises:
        SourceError: a file is missing or malformed (names the line), or they do not belong together.
    """
    judged, ranked = read_qrels(qrels), read_run(run)
    figures = {
        name: _mean(list(values.values()), resamples, seed) for name, values in score_run(judged, ranked).items()
    }
    return {"schema": SCHEMA, "figures": figures, "counts": run_counts(judged, ranked)}


def _mean(values: list[float], resamples: int, seed: int) -> dict[str, Any]:
    totals = np.array(values, dtype=np.float64)
    ratio = Ratio(totals, np.ones_like(totals))
    low, high = interval(resampled_ratios(ratio, resamples, seed)) if len(values) > 1 else (None, None)
    shown = {"value": float(totals.mean()), "low": low, "high": high}
    return {key: None if value is None else round(value, 6) for key, value in shown.items()} | {"n": len(values)}
