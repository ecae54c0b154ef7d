"""`python -m eval.bench_ui OUT`: the chat with the library of PAPERCHAT_HOME, measured; OUT/ui.json and OUT/ui.md."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from eval.bench_ui import crowd, report
from eval.bench_ui.first_page import first_page
from eval.bench_ui.server import served
from eval.questions import question_set
from rag.files import write_whole

PEOPLE, SECONDS = 50, 120.0
IN_LINE = 8
QUESTIONS = 60  # different ones; as many as the crowd is large, so that a mix-up shows


def bench() -> dict[str, Any]:
    """Everything, on servers of this run's own.

    Raises:
        RuntimeError: a server does not come up, or a question has no answer though nobody else is there.
    """
    _tell("The first page ...")
    page = first_page()
    questions = _questions()
    with served(PAPERCHAT_ANSWERER="quotes") as server:
        server.wait_until_ready()
        _tell(f"{len(questions)} questions, one after the other ...")
        expected = asyncio.run(crowd.alone(server.url, questions))
        _tell(f"{PEOPLE} people in one moment ...")
        at_once = asyncio.run(crowd.burst(server.url, questions, PEOPLE))
        _tell(f"{PEOPLE} people for {SECONDS:.0f} s ...")
        many = asyncio.run(crowd.crowd(server, questions, PEOPLE, SECONDS))
    with served(PAPERCHAT_ANSWERER="local") as server:
        server.wait_until_ready()
        _tell(f"{IN_LINE} people in line at the local model ...")
        in_line = asyncio.run(crowd.line(server.url, questions, IN_LINE))
    return {
        "first_page": page,
        "burst": {"people": PEOPLE, **report.asked_figures(at_once, expected)},
        "crowd": report.crowd_figures(many, PEOPLE, expected),
        "local": report.line_figures(in_line),
    }


def _questions() -> list[str]:
    asked = [*question_set("dev"), *question_set("more")]
    return [q.question for q in asked if q.answerable and not q.history][:QUESTIONS]


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    measured = bench()
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / "ui.json", json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
    write_whole(place / "ui.md", report.markdown(measured))
    print(report.markdown(measured), end="")
