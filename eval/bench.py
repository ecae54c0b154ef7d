"""`make bench-answers`: every answerer on the bundled questions in one run, as JSON and as Markdown.

Quality comes from the suite's own runs, times from the same answers on this machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import AnyHttpUrl

from eval.metrics.correctness import is_right
from eval.questions import question_set
from eval.runs.run import Order, run
from eval.runs.score import load_run, score
from eval.trust.scripted import ScriptedModel, scripted_run, table
from rag.answer.pipeline import Paperchat
from rag.files import write_whole
from rag.settings import AnswererName, Settings, load_settings

RUNS: tuple[tuple[str, AnswererName], ...] = (
    ("dev", "quotes"),
    ("more", "quotes"),
    ("fresh", "quotes"),
    ("dev", "local"),
)
SHARES = {
    "right": "right: every must-include",
    "over_refusal": "answerable, refused",
    "hedged": "answerable, partial or corrected",
    "wrong_on_unanswerable": "unanswerable, answered all the same",
    "gold_cited": "answers that cite a gold paper",
    "gold_only": "answers that cite gold papers only",
    "quote_fidelity": "quotes verbatim",
    "faithfulness": "sentences that the context supports",
}

SIZES = {"words": "words, median (90 %)", "total": "ms an answer, median (95 %)", "first_words": "ms to first words"}


def bench(settings: Settings, folder: Path) -> dict[str, Any]:
    """Run all answerers below `folder`; returns what `answers.json` holds.

    Raises as `eval.runs.run.run` does.
    """
    runs = {}
    for questions, answerer in RUNS:
        order = Order(questions=questions, answerer=answerer, out=folder / f"{questions}-{answerer}")
        runs[f"{questions}, {answerer}"] = score(run(settings, order, lambda done, total: None, _tell).path)
    return {
        "runs": {name: _figures(summary) for name, summary in runs.items()},
        "routing": routing(settings, folder / "dev-quotes", "dev"),
        "scripted": [_scripted(settings, structured) for structured in (False, True)],
    }


def routing(settings: Settings, quoted: Path, questions: str) -> dict[str, Any]:
    """Where `auto` sends the answerable questions, and on how many of each the quotes are right."""
    unused = AnyHttpUrl("http://127.0.0.1:9/v1")  # an endpoint must be configured; the scripted model stands in for it
    with closing(
        Paperchat(settings.model_copy(update={"openai_base_url": unused}), generator=ScriptedModel())
    ) as engine:
        routed = {q.qid: engine.ask(q.question, q.history, answerer="auto") for q in question_set(questions)}
    counted = {"quotes": [0, 0], "model": [0, 0]}
    for row in load_run(quoted)[1]:
        answer, right = routed[row.gold.qid], is_right(row)
        if answer.route and right is not None:
            own = counted["quotes" if answer.answerer == "quotes" else "model"]
            own[0], own[1] = own[0] + right, own[1] + 1
    return {name: {"right": right, "n": n} for name, (right, n) in counted.items()}


def markdown(found: Mapping[str, Any]) -> str:
    """The same as tables."""
    runs = found["runs"]
    answerers = [[title, *(_share(run[key]) for run in runs.values())] for key, title in SHARES.items()]
    answerers += [[title, *(_two(run[key]) for run in runs.values())] for key, title in SIZES.items()]
    scripted = [
        [of["written"], row["kind"], str(row["n"]), f"{row['share']:.3f}", "{:.3f} to {:.3f}".format(*row["interval"])]
        for of in found["scripted"]
        for row in of["rows"]
        if not row["form"]
    ]
    routed = [[name, str(row["n"]), str(row["right"])] for name, row in found["routing"].items()]
    return "\n".join(
        [
            *_table(["", *runs], answerers),
            *_table(["written", "kind", "n", "as it must be", "95 % interval"], scripted),
            *_table(["`auto` sends to", "questions", "quotes right"], routed),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)] + [""]


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    times, words = summary["latency_ms"], summary["words"]
    shares = {name: {key: summary["figures"][name][key] for key in ("value", "low", "high", "n")} for name in SHARES}
    return (
        shares
        | {"words": [words["p50"], words["p90"]]}
        | {name: [times[name]["p50"], times[name]["p95"]] for name in ("total", "first_words")}
    )


def _scripted(settings: Settings, structured: bool) -> dict[str, Any]:
    results = scripted_run(
        lambda generator: Paperchat(settings, generator=generator), question_set("dev"), structured=structured
    )
    return {"written": "JSON" if structured else "text", **table(results)}


def _share(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}; n {figure['n']})"


def _two(pair: Sequence[float]) -> str:
    return f"{pair[0]:.0f} ({pair[1]:.0f})"


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    measured = bench(load_settings(), place)
    write_whole(place / "answers.json", json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
    write_whole(place / "answers.md", markdown(measured))
    print(markdown(measured), end="")
