"""Whether the grounding score falls when a supported claim is made wrong: `paperchat eval perturb`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from eval.formats.labelled import LabelledItem, read_labelled
from eval.metrics.auroc import auroc, auroc_interval, scored
from eval.metrics.resampling import RESAMPLES
from eval.trust.perturbations import PERTURBATIONS, Edit, Pool, perturb
from eval.trust.validate import SCHEMA, GrounderFor, TextSupport, as_list, grounder_of, rounded
from rag.answer.grounding import GROUNDING_VERSION, SUPPORTED

TARGETS = {
    "number": 0.90,
    "entity": 0.85,
    "negation": 0.85,
    "role_swap": 0.65,
    "citation": 0.99,
    "citation_random": 0.99,
    "splice": 0.97,
}
"""AUROC of clean against perturbed that the score is to reach; the others are only reported."""
ENOUGH = 20  # pairs below which a figure says too little to be held against a target
BLIND = 0.60  # an AUROC below which the score hardly sees an edit


@dataclass(frozen=True, slots=True)
class Pair:
    """A supported item's score, and its score after an edit."""

    item: LabelledItem
    edit: Edit
    clean: float
    edited: float


def perturb_files(
    paths: Sequence[Path],
    grounder_for: GrounderFor,
    *,
    names: Sequence[str] = PERTURBATIONS,
    limit: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """For each file and perturbation how well clean and edited claims are told apart; JSON-ready.

    Only supported items are edited, at most `limit` a file (a seeded sample). Edits take names and
    passages from the whole file. `advance` hears of files' items done and of all of them.

    Raises:
        SourceError: a file is malformed.
    """
    pools = [(path, Pool(read_labelled(path), seed)) for path in paths]
    chosen = [_sample(pool, limit) for _, pool in pools]
    total = sum(len(items) for items in chosen)
    done, found = 0, []
    for (path, pool), items in zip(pools, chosen, strict=True):
        grounder = grounder_of(pool.items, grounder_for)
        pairs: defaultdict[str, list[Pair]] = defaultdict(list)
        for item in items:
            for pair in _pairs(item, names, pool, grounder):
                pairs[pair.edit.name].append(pair)
            done += 1
            advance(done, total)
        found += [outcome(path.stem, name, pairs[name], resamples, seed) for name in names]
    return found


def outcome(file: str, name: str, pairs: Sequence[Pair], resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """One perturbation of one file: how clean and edited scores differ.

    `drop` is the share of pairs whose score falls; `caught`, of those that counted as supported,
    the share that no longer does. `ok` says whether the target is reached, None without a target
    or with fewer than ENOUGH pairs; `blind`, whether the score hardly sees the edit, in ENOUGH
    pairs. `by_form` has n, AUROC and drop for each way in which the edit was made.
    """
    value = _auroc(pairs)
    target = TARGETS.get(name)
    both = scored(
        [pair.clean for pair in pairs] + [pair.edited for pair in pairs],
        [True] * len(pairs) + [False] * len(pairs),
        [pair.item.cluster for pair in pairs] * 2,
    )
    passed = [pair for pair in pairs if pair.clean >= SUPPORTED]
    forms = sorted({pair.edit.form for pair in pairs})
    return {
        "name": file,
        "perturbation": name,
        "n": len(pairs),
        "auroc": rounded(value),
        "auroc_ci": as_list(auroc_interval(both, resamples, seed)),
        "drop": _share([pair.edited < pair.clean for pair in pairs]),
        "caught": _share([pair.edited < SUPPORTED for pair in passed]),
        "target": target,
        "ok": None if value is None or target is None or len(pairs) < ENOUGH else value >= target,
        "blind": value is not None and len(pairs) >= ENOUGH and value < BLIND,
        "by_form": {form: _form([pair for pair in pairs if pair.edit.form == form]) for form in forms},
    }


def report(found: Sequence[dict[str, Any]], bots: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `perturb --json` prints: the perturbations, and the degenerate bots of `eval.trust.bots`."""
    grounding = {"version": GROUNDING_VERSION, "threshold": SUPPORTED}
    return {"schema": SCHEMA, "grounding": grounding, "perturbations": list(found), "bots": list(bots)}


def blind_spots(found: Sequence[dict[str, Any]]) -> list[str]:
    """The perturbations that the score hardly sees, in words for people."""
    return [
        f"{row['perturbation'].replace('_', ' ')} in {row['name']} (AUROC {row['auroc']:.2f}, n = {row['n']})"
        for row in found
        if row["blind"]
    ]


def _sample(pool: Pool, limit: int | None) -> list[LabelledItem]:
    supported = pool.supported()
    if limit is None or len(supported) <= limit:
        return supported
    kept = {item.id for item in Random(f"{pool.seed}:sample").sample(supported, limit)}
    return [item for item in supported if item.id in kept]


def _pairs(item: LabelledItem, names: Sequence[str], pool: Pool, grounder: TextSupport) -> list[Pair]:
    edits = [edit for name in names if (edit := perturb(item, name, pool)) is not None]
    if not edits:
        return []
    clean = grounder.text_support(item.claim, [item.context]).score
    return [
        Pair(item, edit, clean, grounder.text_support(edit.claim, [edit.context]).score)  # one document each
        for edit in edits
    ]


def _auroc(pairs: Sequence[Pair]) -> float | None:
    scores = [pair.clean for pair in pairs] + [pair.edited for pair in pairs]
    return auroc(scored(scores, [True] * len(pairs) + [False] * len(pairs), range(len(scores))))


def _form(pairs: Sequence[Pair]) -> dict[str, Any]:
    return {
        "n": len(pairs),
        "auroc": rounded(_auroc(pairs)),
        "drop": _share([pair.edited < pair.clean for pair in pairs]),
    }


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
