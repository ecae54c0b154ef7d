"""The judge set to work: on a run, on labelled files, or both, with one model and one cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from eval.formats.labelled import read_labelled
from eval.judging.cache import JudgeCache
from eval.judging.judge import judge, judge_labelled
from eval.rows import SCHEMA
from eval.runs.score import load_run
from eval.trust.validate import grounder_of, grounders
from rag.errors import SettingsError
from rag.models.embedder import load_embedder
from rag.models.llm import context_budget, make_generator
from rag.settings import Settings

CACHE = "judge.sqlite"  # below PAPERCHAT_HOME


def judge_all(
    settings: Settings,
    kind: Literal["openai", "local"],
    run: Path | None,
    data: Sequence[Path],
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """JSON-ready: under `run` what the judge says of a run, under `files` of each labelled file.

    `limit` is the number of items drawn from each file. What was asked before is not asked again.

    Raises:
        SettingsError: there is nothing to judge, or no endpoint is configured.
        SourceError: a file or the run is malformed.
        EndpointError, ModelError: the judging model failed; verdicts so far are kept.
    """
    if run is None and not data:
        raise SettingsError("There is nothing to judge.", "Give a run folder, --data FILE, or both.")
    rows = load_run(run)[1] if run else []
    files = [(path, read_labelled(path)) for path in data]
    if kind == "openai" and not (settings.openai_base_url or settings.openai_api_key):
        raise SettingsError(
            "The judge needs an endpoint.", "Set OPENAI_BASE_URL or OPENAI_API_KEY, or use --with local."
        )
    generator, budget = make_generator(settings, kind), context_budget(settings, kind)
    grounder_for = grounders(load_embedder(settings))
    with JudgeCache(settings.home / CACHE) as cache:
        of_run = judge(rows, generator, cache, budget_tokens=budget, seed=seed, progress=progress) if run else None
        of_files = [
            {"name": path.stem}
            | judge_labelled(
                items,
                grounder_of(items, grounder_for).text_support,
                generator,
                cache,
                budget_tokens=budget,
                limit=limit,
                seed=seed,
                progress=progress,
            )
            for path, items in files
        ]
    return {"schema": SCHEMA, "run": of_run, "files": of_files}
