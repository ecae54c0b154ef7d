"""Serve the chat to a browser on this machine, and to nobody else."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from rag import offline  # noqa: F401  (keeps Gradio off the network; must come before it)
from rag.errors import PaperchatError, SettingsError
from rag.settings import Settings

if TYPE_CHECKING:
    import gradio as gr

    from rag.answer.pipeline import Paperchat
    from ui.warmup import Warmup

WARM_UP_MAY_END_S = 5.0


def serve(settings: Settings) -> None:
    """Serve until the process is told to end (Ctrl-C, SIGTERM); prints one line with the address.

    Raises:
        SettingsError: the host is open to other machines.
        PaperchatError: the port is taken.
    """
    refuse_open_host(settings.host)
    refuse_taken_port(settings.host, settings.port)
    from rag.answer.pipeline import Paperchat
    from ui.page import build_page
    from ui.warmup import Warmup

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    engine = Paperchat(settings)
    warmup = Warmup(engine)
    page = build_page(engine, warmup)
    stop = _on_signals()
    url = launch(page, settings)
    sys.stdout.write(f"paperchat is at {url} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    warmup.start()
    stop.wait()
    _end(page, engine, warmup)


def launch(page: gr.Blocks, settings: Settings) -> str:
    """Start serving in the background and return the address.

    Raises:
        PaperchatError: the port was taken in the meantime.
    """
    from ui.page import CSS, SCRIPT, theme

    _keep_loopback_off_proxies()
    try:
        _, url, _ = page.launch(
            server_name=f"[{settings.host}]" if ":" in settings.host else settings.host,
            server_port=settings.port,
            theme=theme(),
            css_paths=CSS,
            js=SCRIPT.read_text("utf-8"),
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            share=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=[],
            allowed_paths=[],
            max_file_size="1kb",  # nothing is uploaded here
            show_error=False,
            strict_cors=True,
        )
    except OSError:
        raise _taken(settings.port) from None
    return str(url)


def refuse_open_host(host: str) -> None:
    """Only this machine may ask while there is no way to say who is asking.

    Raises:
        SettingsError: other machines could reach `host`.
    """
    if host.lower() == "localhost":
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass  # a name: where it leads is not ours to guess
    raise SettingsError(
        f"PAPERCHAT_HOST={host} would open the chat to other machines, and it has no log-in yet.",
        "Use 127.0.0.1, and an SSH tunnel or a proxy with a log-in to reach it from elsewhere.",
    )


def refuse_taken_port(host: str, port: int) -> None:
    """Say so at once, before anything is loaded.

    Raises:
        PaperchatError: another program listens there, or the port needs rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise PaperchatError(
                f"Port {port} may not be used without special rights.", "Set PAPERCHAT_PORT to one above 1023."
            ) from None
        except OSError:
            raise _taken(port) from None


def _taken(port: int) -> PaperchatError:
    return PaperchatError(
        f"Port {port} is taken by another program, perhaps another paperchat.",
        "End that one, or set PAPERCHAT_PORT to a free port.",
    )


def _keep_loopback_off_proxies() -> None:
    """Gradio greets its own server at start; a proxy of the machine's could not reach it."""
    for name in ("NO_PROXY", "no_proxy"):
        known = [part for part in os.environ.get(name, "").split(",") if part]
        missing = [host for host in ("127.0.0.1", "localhost", "::1") if host not in known]
        os.environ[name] = ",".join([*known, *missing])


def _on_signals() -> threading.Event:
    """An event that is set when the process is told to end; told twice, it ends at once."""
    stop = threading.Event()

    def told(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)
    return stop


def _end(page: gr.Blocks, engine: Paperchat, warmup: Warmup) -> None:
    page.close(verbose=False)
    warmup.wait(WARM_UP_MAY_END_S)
    engine.close()
