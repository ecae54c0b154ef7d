"""`paperchat mcp`: the library as tools for a coding assistant."""

from __future__ import annotations

import signal
import sys
from contextlib import closing

import typer

from rag.cli_common import failures, settings

IN_A_TERMINAL = (
    "paperchat mcp is started by a coding assistant and talks to it on standard input and output. "
    "The README shows how to configure one. Ctrl-C ends it."
)


def mcp() -> None:
    """Offer the library to a coding assistant (Model Context Protocol on standard input and output)."""
    with failures(False):
        chosen = settings()
        if sys.stdin.isatty():
            typer.echo(IN_A_TERMINAL, err=True)
        # The SDK reads its input in a thread that Python's own handler would wait for. Nothing is written here.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from rag.answer.pipeline import Paperchat
        from rag.mcp_server import serve_mcp

        with closing(Paperchat(chosen)) as engine:
            serve_mcp(engine)
