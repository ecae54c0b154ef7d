"""What was measured, in figures and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.bench_ui.crowd import THINK_S, Crowd, mixed_up
from eval.bench_ui.person import Asked


def asked_figures(asked: Sequence[Asked], expected: Mapping[str, str]) -> dict[str, Any]:
    """Counts of what went wrong, and times in seconds."""
    well = [one for one in asked if not one.problem]
    return {
        "questions": len(asked),
        "errors": len(asked) - len(well),
        "first_errors": [one.problem for one in asked if one.problem][:3],
        "mixed_up": len(mixed_up(asked, expected)),
        "first_words_s": _spread([one.first_words_s for one in well if one.first_words_s is not None]),
        "total_s": _spread([one.total_s for one in well]),
    }


def crowd_figures(found: Crowd, people: int, expected: Mapping[str, str]) -> dict[str, Any]:
    """The same, with the load and the server's memory."""
    before, most, after = found.memory_mib
    return {
        "people": people,
        "seconds": round(found.seconds, 1),
        "think_s": list(THINK_S),
        "questions_per_s": round(len(found.asked) / found.seconds, 2),
        **asked_figures(found.asked, expected),
        "memory_mib": {"before": round(before, 1), "most": round(most, 1), "after": round(after, 1)},
        "growth_mib": round(most - before, 1),
    }


def line_figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """Whether those in line were answered in the order in which they came, and what each was shown."""
    ended = [one.ended for one in asked]
    return {
        "people": len(asked),
        "errors": sum(bool(one.problem) for one in asked),
        "first_errors": [one.problem for one in asked if one.problem][:3],
        "in_order": ended == sorted(ended),
        "places": [one.places for one in asked],
        "saw_their_place": sum(bool(one.places) for one in asked[1:]),
        "only_moved_up": all(one.places == sorted(one.places, reverse=True) for one in asked),
        "total_s": [round(one.total_s, 1) for one in asked],
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The figures as tables."""
    page, local = found["first_page"], found["local"]
    crowds = {"all in one moment": found["burst"], "for two minutes": found["crowd"]}
    usable = "no chromium" if page["usable_s"] is None else f"{page['usable_s']:.1f} s"
    rows = [
        ["questions", *(str(of["questions"]) for of in crowds.values())],
        ["errors", *(str(of["errors"]) for of in crowds.values())],
        ["answers mixed up", *(str(of["mixed_up"]) for of in crowds.values())],
        ["first words, p50 / p95", *(_two(of["first_words_s"]) for of in crowds.values())],
        ["whole answer, p50 / p95", *(_two(of["total_s"]) for of in crowds.values())],
        ["questions a second", "", f"{found['crowd']['questions_per_s']:.1f}"],
        ["memory growth", "", f"{found['crowd']['growth_mib']:.0f} MiB"],
    ]
    places = [
        [str(n), " → ".join(map(str, seen)) or "–", f"{total:.1f} s"]
        for n, (seen, total) in enumerate(zip(local["places"], local["total_s"], strict=True), 1)
    ]
    low, high = THINK_S
    return "\n".join(
        [
            *_table(["from the command", "time"], [["up", f"{page['up_s']:.1f} s"], ["models", _s(page["models_s"])]]),
            f"The first page takes text {usable} after the server is up.",
            "",
            f"{found['crowd']['people']} people ask the quotes answerer; each thinks {low:.0f} to {high:.0f} s.",
            "",
            *_table(["", *crowds], rows),
            f"{local['people']} people ask the local model; answered in order: {'yes' if local['in_order'] else 'NO'}.",
            "",
            *_table(["person", "people before, as shown", "answered after"], places),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)] + [""]


def _spread(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {f"p{q}": round(float(np.percentile(seconds, q)), 3) for q in (50, 95, 100)}


def _two(spread: Mapping[str, float] | None) -> str:
    return f"{spread['p50']:.2f} s / {spread['p95']:.2f} s" if spread else "–"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
