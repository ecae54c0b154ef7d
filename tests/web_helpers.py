"""What the tests of the server share: a small library without a model, a plain page, and a server in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
from fastapi import FastAPI
from library_helpers import HashEmbedder, many_papers, record

from rag.answer.answer import Event
from rag.answer.pipeline import Paperchat
from rag.conversations import ConversationStore
from rag.feedback import FeedbackStore
from rag.library.records import SourceEntry
from rag.settings import Settings
from rag.shelf import Shelf
from ui.services import Services
from ui.turnstile import Turnstiles
from ui.web import server
from ui.web.hosts import listen
from ui.web.owner import owner_of
from ui.web.running import ChatServer

PAPERS = many_papers(12)
TITLE = "</title><script>window.broken = 1</script>"


class WebEngine:
    """Answers each question by the next script, and records how it was asked."""

    def __init__(self, *scripts: Callable[[threading.Event], Iterator[Event]], settings: Settings) -> None:
        self.scripts = list(scripts)
        self.asked: list[dict[str, Any]] = []
        self.settings = settings

    def stream(self, question: str, history: Any, *, cancelled: threading.Event, **how: Any) -> Iterator[Event]:
        """As the engine's."""
        self.asked.append({"question": question, "history": list(history), **how})
        return self.scripts.pop(0)(cancelled)


def settings_of(home: Path, **fields: Any) -> Settings:
    """Settings of a test, whatever the machine's are."""
    return Settings(_env_file=None, home=home, reranker="none", **fields)


def small_engine(settings: Settings) -> Paperchat:
    """A real engine over a dozen papers, without a model."""
    embedder = HashEmbedder()
    engine = Paperchat(settings, embedder=embedder)
    library = engine.opened_library(make=True)
    assert library
    with library.write() as writer:
        for i, one in enumerate(PAPERS):
            writer.upsert([record(one, embedder, [SourceEntry("page.txt", "sha", i, one.content_hash)])])
    return engine


def services_of(engine: Any, folder: Path, **others: Any) -> Services:
    """Services around an engine; the warm-up is over, and went well unless `others` say so."""
    parts = {
        "warmup": SimpleNamespace(done=lambda: True, problem="", start=lambda: None, wait=lambda _: None),
        "shelf": Shelf(engine),
        "conversations": ConversationStore(folder / "conversations.sqlite3"),
        "feedback": FeedbackStore(folder / "feedback.jsonl"),
        "turnstiles": Turnstiles(),
    }
    return Services(engine=engine, **{**parts, **others})


def plain_page(_services: Services) -> gr.Blocks:
    """A page with one of everything that a guard might break."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        box, out = gr.Textbox(elem_id="box"), gr.HTML("<p>—</p>", elem_id="out")
        gr.Plot(elem_id="plot")
        files = gr.File(elem_id="files")

        def who(said: str, request: gr.Request) -> str:
            return f"<b>{said} {owner_of(request)}</b>"

        box.submit(who, box, out, api_visibility="private", show_progress="hidden")
        box.blur(who, box, out, api_visibility="private", queue=False)
        files.upload(lambda path: f"<b>{Path(path).read_text()}</b>", files, out, api_visibility="private")
    return page


def app_of(services: Services, page: Callable[[Services], gr.Blocks] = plain_page) -> FastAPI:
    """The whole application, with a plain page in place of ours."""
    real = server.our_page.build_page
    server.our_page.build_page = page
    try:
        return server.create_app(services, services.engine.settings)
    finally:
        server.our_page.build_page = real


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application on a free port of loopback, run as `paperchat serve` does; gives its address."""
    up = threading.Event()
    with closing(listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        running = ChatServer(app, up.set)
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        assert up.wait(20)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            running.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def client_of(url: str, **options: Any) -> httpx.Client:
    """A client that no proxy of the machine's can lead astray."""
    return httpx.Client(base_url=url, timeout=20, trust_env=False, **options)
