"""The gate: a run against a stored baseline, question by question, within the margins of a policy."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.metrics.figures import Metric, Part
from eval.metrics.resampling import RESAMPLES
from eval.metrics.statistics import compare_parts, parts, with_holm
from eval.rows import SCHEMA, Row
from eval.runs.folder import Manifest, RunFolder, spare_runs
from eval.runs.junit import junit_xml
from eval.runs.score import JUNIT, METRICS, load_run
from eval.runs.verdicts import Verdict, exact_verdicts, gated_verdict
from rag.errors import SettingsError, SourceError
from rag.files import write_whole

DATA = Path(__file__).parents[1] / "data"
POLICY, BASELINE = DATA / "gate.toml", DATA / "baseline_dev.json"
_POLICY_FORM = "Give a table [margins] with lines like `faithfulness = 0.01`; see the bundled gate.toml."


@dataclass(frozen=True, slots=True)
class Baseline:
    """A stored run: what each question added to each metric, and what the run was."""

    manifest: Manifest
    n: int
    parts: Mapping[str, Mapping[str, Part]]


def gate(run: Path, baseline: Path = BASELINE, policy: Path = POLICY, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Judge a run; its `junit.xml` then holds the verdicts.

    JSON-ready: `ok`, the `verdicts`, and `notes` on what differs from the baseline and is allowed to.

    Raises:
        SourceError: the baseline or the policy is missing or damaged.
        SettingsError: run and baseline cannot be compared, or the policy names an unknown metric.
    """
    margins = read_policy(policy)
    known = read_baseline(baseline)
    manifest, rows = load_run(run)
    _check_comparable(run, manifest, len(rows), baseline, known)
    gated = [(_metric(name, policy), margin) for name, margin in margins.items()]
    verdicts = [
        *exact_verdicts(METRICS, rows, [name for name, own in known.parts.items() if own]),
        *_gated(gated, known, rows, baseline, resamples, manifest.seed),
    ]
    folder = RunFolder(run)
    with folder.locked():
        folder.write(JUNIT, junit_xml(rows, verdicts))
    return {
        "schema": SCHEMA,
        "ok": all(verdict.ok for verdict in verdicts),
        "verdicts": [verdict.as_dict() for verdict in verdicts],
        "notes": _notes(manifest, known.manifest),
    }


def save_baseline(run: Path, baseline: Path | None) -> Path:
    """Store a finished run as the baseline, with the parts of every metric; returns the file.

    Raises:
        SettingsError: the run is not finished, of another version, or has failed questions, or the place cannot be
            written.
        SourceError: the run is damaged.
    """
    if baseline is None:
        raise SettingsError("Storing a baseline needs a place.", "Give --baseline FILE.")
    spare_runs(baseline)
    manifest, rows = load_run(run)
    _check_finished(run, manifest, len(rows))
    if failed := [row.gold.qid for row in rows if row.fault is not None]:
        raise SettingsError(
            f"{len(failed)} questions of {run} failed ({failed[0]} first).", "Run them again before storing a baseline."
        )
    content = {
        "schema": SCHEMA,
        "manifest": manifest.as_dict(),
        "n": len(rows),
        "parts": {
            metric.name: {qid: [part.total, part.count] for qid, part in sorted(_kept(metric, rows).items())}
            for metric in METRICS
        },
    }
    write_whole(baseline, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    return baseline


def read_baseline(path: Path) -> Baseline:
    """A stored baseline.

    Raises:
        SourceError: it is missing (says how to make one) or damaged.
        SettingsError: it is of another version.
    """
    make = "Make one from a run that is good: `paperchat eval gate RUN --baseline FILE --save-baseline`."
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise SettingsError(f"The baseline {path} is of another version of paperchat.", make)
        stored = {
            name: {qid: Part(float(total), float(count)) for qid, (total, count) in own.items()}
            for name, own in found["parts"].items()
        }
        return Baseline(Manifest.model_validate(found["manifest"]), int(found["n"]), stored)
    except OSError as error:
        raise SourceError(f"There is no baseline {path}: {error.strerror}.", make) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"The baseline {path} is damaged: {error}.", make) from None


def read_policy(path: Path) -> dict[str, float]:
    """Metric -> margin, in the order of the file.

    Raises:
        SourceError: the file is missing or no policy.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"Cannot read the policy {path}: {error.strerror}.", _POLICY_FORM) from None
    except ValueError as error:
        raise SourceError(f"The policy {path} is no TOML: {error}.", _POLICY_FORM) from None
    margins = found.get("margins")
    if not isinstance(margins, dict) or not margins or set(found) != {"margins"}:
        raise SourceError(f"The policy {path} is not one table [margins].", _POLICY_FORM)
    for name, margin in margins.items():
        if isinstance(margin, bool) or not isinstance(margin, (int, float)) or not 0 <= margin < math.inf:
            raise SourceError(f"The policy {path}: the margin of {name} is no number from 0.", _POLICY_FORM)
    return {name: float(margin) for name, margin in margins.items()}


def _kept(metric: Metric, rows: Sequence[Row]) -> dict[str, Part]:
    """Parts as a baseline keeps them: what is held against one must be rounded alike."""
    return {qid: Part(round(part.total, 6), part.count) for qid, part in parts(metric, rows).items()}


def _gated(
    gated: Sequence[tuple[Metric, float]],
    known: Baseline,
    rows: Sequence[Row],
    baseline: Path,
    resamples: int,
    seed: int,
) -> list[Verdict]:
    differences = []
    for metric, _ in gated:
        if metric.name not in known.parts:
            raise SettingsError(f"The baseline {baseline} has no {metric.name}.", "Make it anew with --save-baseline.")
        before, now = known.parts[metric.name], _kept(metric, rows)
        differences.append(compare_parts(metric, before, now, resamples, seed))
    return [gated_verdict(found, margin) for found, (_, margin) in zip(with_holm(differences), gated, strict=True)]


def _metric(name: str, policy: Path) -> Metric:
    for metric in METRICS:
        if metric.name == name:
            return metric
    names = ", ".join(metric.name for metric in METRICS)
    raise SettingsError(f"The policy {policy} names an unknown metric: {name}.", f"There are: {names}.")


def _check_comparable(run: Path, manifest: Manifest, n: int, path: Path, baseline: Baseline) -> None:
    _check_finished(run, manifest, n)
    again = "Run the baseline's questions, or make a baseline of these with --save-baseline."
    if manifest.hashes.get("questions") != baseline.manifest.hashes.get("questions") or n != baseline.n:
        raise SettingsError(f"The run in {run} and the baseline {path} are of different questions.", again)
    if dict(manifest.grounding) != dict(baseline.manifest.grounding):
        raise SettingsError(f"The baseline {path} was measured by another grounding score.", again)


def _check_finished(run: Path, manifest: Manifest, n: int) -> None:
    if not manifest.finished or n != manifest.questions.get("n"):
        asked = f"{n} of {manifest.questions.get('n')} questions"
        raise SettingsError(
            f"The run in {run} is not finished ({asked}).", "Go on with it: the same `paperchat eval run` with --out."
        )


def _notes(manifest: Manifest, baseline: Manifest) -> list[str]:
    """What else differs between run and baseline: often the very thing that is being tried."""
    differing = [name for name, value in manifest.hashes.items() if baseline.hashes.get(name) != value]
    if manifest.answerer != baseline.answerer:
        differing.insert(0, "answerer")
    return [f"Other than in the baseline: {', '.join(differing)}."] if differing else []
