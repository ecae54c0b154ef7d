"""How long a person waits at the terminal: `paperchat ask` and `--help`, each time in a process of its own.

`python -m eval.bench_library.cold [--rounds N]` asks the library of PAPERCHAT_HOME and prints JSON.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

ROUNDS = 5
QUESTIONS = (
    "How much smaller are TILDEv2's indexes?",
    "What does LoRA freeze?",
    "Which papers are about retrieval?",
    "What is speculative decoding?",
    "Who won the 2022 FIFA World Cup?",
)
COMMAND = [sys.executable, "-c", "from rag.cli import main; main()"]


def cold(rounds: int = ROUNDS) -> dict[str, Any]:
    """Seconds to the end of the answer and of the help: median, fastest and slowest of `rounds` processes.

    Raises:
        RuntimeError: the command fails.
    """
    asked = [_process(["ask", QUESTIONS[i % len(QUESTIONS)], "--answerer", "quotes"]) for i in range(rounds)]
    helped = [_process(["--help"]) for _ in range(rounds)]
    return {
        "rounds": rounds,
        "ask_s": _figures([wall for wall, _ in asked]),
        "ask_cpu_s": _figures([cpu for _, cpu in asked]),
        "help_s": _figures([wall for wall, _ in helped]),
    }


def cold_markdown(found: dict[str, Any]) -> str:
    """The same as a table."""
    names = {
        "ask_s": "`paperchat ask`, quotes, s",
        "ask_cpu_s": "of that, processor s",
        "help_s": "`paperchat --help`, s",
    }
    lines = [f"| from cold, {found['rounds']} processes each | p50 | fastest | slowest |", "| --- | --- | --- | --- |"]
    for key, name in names.items():
        lines.append("| {} | {p50:.2f} | {min:.2f} | {max:.2f} |".format(name, **found[key]))
    return "\n".join([*lines, ""])


def _process(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds on the clock, and of the processors, that one process takes."""
    before, begun = os.times(), perf_counter()
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    took, after = perf_counter() - begun, os.times()
    if done.returncode:
        raise RuntimeError(f"paperchat {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return took, used


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {"p50": statistics.median(values), "min": min(values), "max": max(values)}
