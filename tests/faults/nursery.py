"""A process with everything imported that forks a child for each task: starting Python anew would cost seconds a child.

It must not open a library itself: Chroma's threads would not survive the fork. Line by line it reads
`{"task": ..., "arguments": [...], "kill_after": seconds or null}` and answers
`{"said": [...], "status": exit status, negative for a signal, "seconds": ..., "error": ...}`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
LONGEST = 120.0  # seconds after which a child counts as hanging


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: what it said, its exit status (negative: the signal), and how long it lived."""

    said: list[Any]
    status: int
    seconds: float
    error: str = ""

    @property
    def killed(self) -> bool:
        """Whether it was killed before its end."""
        return self.status == -signal.SIGKILL


class Nursery:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, task: str, *arguments: Any, kill_after: float | None = None) -> Ended:
        """Have a child do a task of `lives.TASKS`; a child that fails or crashes fails the test."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"task": task, "arguments": arguments, "kill_after": kill_after}
        self._process.stdin.write(json.dumps(order, default=str) + "\n")
        self._process.stdin.flush()
        ended = Ended(**json.loads(self._process.stdout.readline()))
        assert ended.status == 0 or (ended.killed and kill_after is not None), (task, ended.status, ended.error)
        return ended


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start one; it is gone at the end."""
    command = [sys.executable, "-m", "faults.nursery"]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Nursery(process)
        finally:
            process.kill()


def main() -> None:
    """Answer orders until there are none."""
    for module in ("chromadb.api.client", "chromadb.api.rust"):  # what a library imports when it is opened
        import_module(module)
    from faults.lives import TASKS

    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_bear(TASKS[order["task"]], order["arguments"], order["kill_after"])), flush=True)


def _bear(task: Callable[..., None], arguments: list[Any], kill_after: float | None) -> dict[str, Any]:
    out, said = os.pipe()
    errors, told = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(_as_child(task, arguments, said, told))
    os.close(said)
    os.close(told)
    heard = _hear([out, errors], child, began + (LONGEST if kill_after is None else kill_after))
    _, status = os.waitpid(child, 0)
    whole = heard[out][: heard[out].rfind(b"\n") + 1]  # a line that the kill cut was not said
    return {
        "said": [json.loads(line) for line in whole.splitlines()],
        "status": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - began,
        "error": heard[errors].decode("utf-8", "replace"),
    }


def _as_child(task: Callable[..., None], arguments: list[Any], said: int, told: int) -> int:
    try:
        task(lambda what: os.write(said, json.dumps(what).encode() + b"\n"), *arguments)
    except BaseException:  # noqa: BLE001  # whatever it is, the parent must hear of it
        os.write(told, traceback.format_exc().encode())
        return 1
    return 0


def _hear(pipes: list[int], child: int, deadline: float) -> dict[int, bytes]:
    """What comes out of the pipes until the child has gone; it is killed at the deadline."""
    heard, open_pipes = dict.fromkeys(pipes, b""), list(pipes)
    while open_pipes:
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            deadline = float("inf")
            continue
        ready, _, _ = select.select(open_pipes, [], [], min(left, LONGEST))
        for pipe in ready:
            if not (data := os.read(pipe, 65536)):
                open_pipes.remove(pipe)
                os.close(pipe)
            heard[pipe] += data
    return heard


if __name__ == "__main__":
    main()
