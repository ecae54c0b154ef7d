"""`paperchat serve` as a person starts it, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

COMMAND = [sys.executable, "-c", "from rag.cli import main; main()", "serve"]
END_S = 30.0
LOADING_S = 120.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """`started` and `up` are moments of `time.monotonic`; it is up once it says so."""

    url: str
    process: psutil.Process
    started: float
    up: float

    def memory_mib(self) -> float:
        """Resident memory of the server and all that it started."""
        everyone = [self.process, *self.process.children(recursive=True)]
        return float(sum(one.memory_info().rss for one in everyone) / MIB)

    def wait_until_ready(self) -> float:
        """Seconds from the command until the models are loaded.

        Raises:
            RuntimeError: they cannot be, or it takes too long.
        """
        while (waited := time.monotonic() - self.started) < LOADING_S:
            status = httpx.get(f"{self.url}healthz").json()["status"]
            if status == "ok":
                return waited
            if status != "loading":
                raise RuntimeError(f"The server is {status}: run `paperchat doctor`.")
            time.sleep(0.1)
        raise RuntimeError(f"The models are not loaded after {LOADING_S:.0f} s.")


@contextmanager
def served(**environment: str) -> Iterator[Server]:
    """A server on a free port of this machine, ended afterwards.

    Raises:
        RuntimeError: it does not come up, or does not end when it is told to.
    """
    port = _free_port()
    started = time.monotonic()
    process = subprocess.Popen(
        COMMAND, env={**os.environ, "PAPERCHAT_PORT": str(port), **environment}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        url = f"http://127.0.0.1:{port}/"
        if url not in line:
            raise RuntimeError(f"The server did not come up: {line.strip() or 'it said nothing'}")
        yield Server(url, psutil.Process(process.pid), started, time.monotonic())
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"The server did not end within {END_S:.0f} s.") from None
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
