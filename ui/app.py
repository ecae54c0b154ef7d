"""Serve the chat to browsers: on this machine alone, or to others who log in."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag import offline  # noqa: F401  (keeps Gradio off the network; must come before it)
from rag.settings import Settings
from ui.web.hosts import listen, refuse_open_host, url_of

if TYPE_CHECKING:
    from ui.services import Services

WARM_UP_MAY_END_S = 5.0
M_ARENA_MAX = -8  # of glibc's malloc.h


def serve(settings: Settings) -> None:
    """Serve until the process is told to end (Ctrl-C, SIGTERM); prints one line with the address.

    Raises:
        SettingsError: the host is open to other machines without a log-in, or no address of this one.
        PaperchatError: the port is taken.
    """
    refuse_open_host(settings)
    _share_the_machine()
    with closing(listen(settings.host, settings.port)) as listening, _private_uploads():
        from ui.web.running import ChatServer, say
        from ui.web.server import create_app

        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        services = open_services(settings)

        def up() -> None:
            say(f"paperchat is at {url_of(settings.host, settings.port)} (Ctrl-C ends it)")
            services.warmup.start()

        try:
            ChatServer(create_app(services, settings), up).run([listening])
        finally:
            close_services(services)


def open_services(settings: Settings) -> Services:
    """What the page and the HTTP API share; nothing heavy is loaded yet.

    Raises:
        PaperchatError: what is kept cannot be opened.
    """
    from rag.answer.pipeline import Paperchat
    from rag.conversations import CONVERSATIONS, ConversationStore
    from rag.feedback import FEEDBACK, FeedbackStore
    from rag.shelf import Shelf
    from ui.services import Services
    from ui.turnstile import Turnstiles
    from ui.warmup import Warmup

    engine = Paperchat(settings)
    return Services(
        engine,
        Warmup(engine),
        Shelf(engine),
        ConversationStore(settings.home / CONVERSATIONS),
        FeedbackStore(settings.home / FEEDBACK),
        Turnstiles(),
    )


def close_services(services: Services) -> None:
    """Let go of everything; a warm-up that is under way may end first."""
    services.warmup.wait(WARM_UP_MAY_END_S)
    services.conversations.close()
    services.engine.close()
    gc.freeze()  # the process ends now: looking through all that the models brought would take seconds


def _share_the_machine() -> None:
    """Many answers are worked on beside each other, each in a thread of its own; before torch is loaded."""
    # Torch's own threads would fight over the processors, and 20 people who ask at once would wait eight times
    # as long. llama.cpp has its own count.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if libc is not None and hasattr(libc, "mallopt"):  # each arena would keep what its largest answer needed
        libc.mallopt(M_ARENA_MAX, 2)


@contextmanager
def _private_uploads() -> Iterator[Path]:
    """A folder that only we can read, for files on their way in; gone at the end with all that is in it."""
    folder = tempfile.mkdtemp(prefix="paperchat-")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
