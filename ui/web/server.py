"""The web application: the page, the HTTP API and the files, behind one set of guards."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import gradio as gr
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.staticfiles import StaticFiles

from rag.settings import Settings
from ui import page as our_page
from ui.drawn import STATIC
from ui.services import Services
from ui.web.api import api
from ui.web.doors import FILE_BYTES, Doors
from ui.web.errors import handle_errors
from ui.web.exports import exports
from ui.web.headers import SecurityHeaders
from ui.web.health import health
from ui.web.login import Gatekeeper, LogIn
from ui.web.owner import Owner
from ui.web.room import UploadRoom
from ui.web.tabs import Tabs

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = (
    "Answers about research papers, with the evidence for every sentence. Every failure is an object "
    "`{error: {type, message, remedy, retryable}}`."
)


def create_app(services: Services, settings: Settings) -> FastAPI:
    """Everything that is served, as one ASGI application; its life belongs to one event loop."""
    app = FastAPIOffline(
        redoc_url=None, title="paperchat", version=version("paperchat"), description=ABOUT, favicon_url="/favicon.ico"
    )
    app.include_router(health(services))
    app.include_router(api(services))
    app.include_router(exports(services.conversations))
    app.mount("/pc-static", StaticFiles(directory=STATIC))
    _mount_page(app, our_page.build_page(services))
    # The last one added is the first that a request meets.
    handle_errors(app)
    app.add_middleware(Tabs)
    app.add_middleware(UploadRoom)
    app.add_middleware(Owner)
    app.add_middleware(LogIn, gatekeeper=Gatekeeper(settings))
    app.add_middleware(Doors, settings=settings)
    app.add_middleware(SecurityHeaders)
    return app


def _mount_page(app: FastAPI, blocks: gr.Blocks) -> None:
    """Gradio below /, with everything off that the page does not need; its environment variables change nothing."""
    css: list[Path] = our_page.CSS
    scripts = "".join(f'<script src="/pc-static/{name}" defer></script>' for name in our_page.SCRIPTS)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=our_page.theme(),
        css_paths=css,
        head=scripts,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        allowed_paths=[],
        blocked_paths=[],
        max_file_size=FILE_BYTES,
        show_error=False,
    )
    blocks.has_launched = True  # until then Gradio takes any path of this machine for an upload
    blocks.api_open = False  # what queues cannot be called past the queue
