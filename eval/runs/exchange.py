"""Runs from and for other tools: ragas records in and out, TREC runs out."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from eval.formats.jsonl import write_jsonl
from eval.formats.trec import write_run
from eval.metrics.retrieval import run_of
from eval.runs.folder import Manifest, RunFolder, spare_runs
from eval.runs.manifest import grounding_of_now, hash_of, hash_of_questions
from eval.runs.measure import Measurer
from eval.runs.ragas import ragas_records, read_ragas, rows_from_ragas
from eval.runs.score import load_run
from rag.answer.alignment import idf_of
from rag.models.embedder import load_embedder
from rag.settings import Settings


def import_ragas(settings: Settings, source: Path, out: Path, seed: int = 0) -> RunFolder:
    """Make a run folder of another system's answers; words are weighed by the contexts of the file itself.

    Raises:
        SourceError: the file is missing, or a row is malformed (names file, line and reason).
        SettingsError: `out` holds something already.
    """
    records = read_ragas(source)
    embedder = load_embedder(settings)
    contexts = dict.fromkeys(text for _, record in records for text in record.retrieved_contexts)
    measurer = Measurer(idf_of(contexts), embedder)
    manifest = Manifest(
        paperchat=version("paperchat"),
        created=datetime.now(UTC).replace(microsecond=0),
        system="imported",
        answerer=source.stem,
        seed=seed,
        questions={"file": source.name, "n": len(records)},
        hashes={
            "answers": hash_of(record.model_dump_json() for _, record in records),
            "models": hash_of([embedder.fingerprint]),
            "questions": hash_of_questions(gold for gold, _ in records),
        },
        grounding=grounding_of_now(),
    )
    folder = RunFolder(out)
    with folder.locked():
        folder.begin_new(manifest)
        for row in rows_from_ragas(records, measurer.sentences):
            similarity = measurer.similarity(row.text, row.gold.gold_answer)
            folder.append([row.model_copy(update={"similarity": similarity})])
        folder.write_manifest(manifest.model_copy(update={"finished": True}))
    return folder


def export(run: Path, form: Literal["ragas", "trec"], out: Path) -> int:
    """Write a run for other tools; returns the number of its questions. Raises as `load_run` and `spare_runs` do."""
    spare_runs(out)
    _, rows = load_run(run)
    if form == "ragas":
        write_jsonl(out, ragas_records(rows))
    else:
        write_run(out, run_of(rows))
    return len(rows)
