"""Claims and answers made worse on purpose: `paperchat eval perturb`, and `eval/data/perturbations.json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eval.rows import Row
from eval.runs.score import load_run
from eval.trust.bots import bots_of_items, bots_of_run
from eval.trust.perturb import blind_spots, perturb_files, report
from eval.trust.validate import remembering_grounders
from rag.errors import SettingsError
from rag.models.embedder import load_embedder
from rag.settings import Settings


def spoil(
    settings: Settings,
    data: Sequence[Path],
    run: Path | None,
    limit: int | None,
    seed: int,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """JSON-ready: `perturbations` of each labelled file, `bots` beside its claims and beside the run's answers,
    and the `blind_spots` in words. `limit` is the number of items drawn from each file.

    Raises:
        SettingsError: there is nothing to spoil.
        SourceError: a file or the run is malformed.
    """
    if run is None and not data:
        raise SettingsError("There is nothing to spoil.", "Give --data FILE, --run FOLDER, or both.")
    rows = load_run(run)[1] if run else []
    grounder_for = remembering_grounders(load_embedder(settings))
    perturbed = perturb_files(data, grounder_for, limit=limit, seed=seed, advance=progress)
    bots = bots_of_items(data, grounder_for, seed=seed, **({} if limit is None else {"limit": limit}))
    if run:
        bots += bots_of_run(rows, grounder_for(_texts(rows)), seed=seed)
    return {**report(perturbed, bots), "blind_spots": blind_spots(perturbed)}


def _texts(rows: Sequence[Row]) -> list[str]:
    """The texts of a run's contexts, each once: the documents of its word weights."""
    abstracts = [text for row in rows for text in row.abstracts.values()]
    passages = [found.text for row in rows for found in row.retrieved if found.text]
    return list(dict.fromkeys(abstracts or passages))
