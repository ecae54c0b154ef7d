"""Which requests come in at all: to a name of ours, from our own page or a program, and to a door that is open."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.settings import Settings
from ui.web.errors import problem
from ui.web.hosts import is_loopback

OWN = re.compile(r"/(?:healthz|metrics|docs|openapi\.json|api/.+|export/.+|pc-static/.+|static-offline-docs/.+)")
# All that Gradio's page asks for. Its other doors (files by path, proxies, monitoring, calls by name) stay shut.
GRADIO = re.compile(
    r"/|/(?:config|theme\.css|favicon\.ico|robots\.txt|assets/.+|static/.+)"
    r"|/gradio_api/(?:queue/join|queue/data|run/predict|cancel|reset|app_id|upload|upload_progress|heartbeat/\w+)"
)
MIB = 1024 * 1024
BODY_BYTES = MIB  # of a question, or of an event of the page
UPLOAD = "/gradio_api/upload"
FILE_BYTES = 50 * MIB
UPLOAD_BYTES = 4 * FILE_BYTES  # of several files in one go
TOO_LARGE = "The request is larger than what is taken here"


class Doors:
    """Refuses foreign hosts (DNS rebinding), foreign pages (cross-site requests), shut doors and huge bodies."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._further = settings.further_names
        self._names = {"localhost", "127.0.0.1", "::1", settings.host.lower(), *self._further}
        # Beyond loopback everybody must log in, which no foreign page can do for them.
        self._any_name = not is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # nothing here speaks them
            await send({"type": "websocket.close", "code": 1008})
            return
        headers, path = Headers(scope=scope), scope["path"]
        if not self._host_is_ours(headers):
            refusal = problem(
                421, "ForeignHost", "This name is not served here.", "A proxy's names belong into PAPERCHAT_NAMES."
            )
        elif not self._origin_is_ours(headers):
            refusal = problem(403, "ForeignOrigin", "Another web site asked for this.", "Open the chat by itself.")
        elif not (OWN.fullmatch(path) or GRADIO.fullmatch(path)):
            refusal = problem(404, "NotFoundError", "There is nothing at this address.", "")
        else:
            await _Limited(self._app, UPLOAD_BYTES if path == UPLOAD else BODY_BYTES)(scope, receive, send)
            return
        await refusal(scope, receive, send)

    def _host_is_ours(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        return len(hosts) == 1 and (self._any_name or _hostname(f"//{hosts[0]}") in self._names)

    def _origin_is_ours(self, headers: Headers) -> bool:
        """Browsers name the page that asks; programs do not."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is None:
            return site in ("none", "same-origin") or headers.get("sec-fetch-mode") == "navigate"
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:  # brackets that are no address
            return False
        return netloc == headers["host"].lower() or _hostname(origin) in self._further


class _Limited:
    """The application with so many bytes of body at most."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._left = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self._left:
            await problem(413, "RequestTooLarge", f"{TOO_LARGE}.", "Send less at a time.")(scope, receive, send)
            return

        async def counted() -> Message:
            """A body without an announced length is counted as it comes."""
            message = await receive()
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise HTTPException(413, TOO_LARGE)
            return message

        await self._app(scope, counted, send)


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:  # brackets that are no address
        return ""
