"""Whose a request is: whoever is logged in, or this browser by a cookie of its own."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    import gradio as gr

COOKIE = "paperchat"
USER_HEADER = "x-paperchat-user"  # set by us alone: what a client sends under this name is dropped
SECONDS = 365 * 24 * 3600
HASH_CHARS = 32  # 128 bit, as many as the value has
_PAGE = re.compile(r"/$|/gradio_api/")  # a program that uses the HTTP API needs none
_VALUE = re.compile(r"[A-Za-z0-9_-]{22}")  # 128 bit


def owner_of(request: HTTPConnection | gr.Request) -> str:
    """`user:<name>` where someone is logged in, else `cookie:<hash>`; empty only where neither is known.

    The cookie's value opens everything that is kept under it, so it is kept nowhere itself.
    """
    inner = getattr(request, "request", request)  # Gradio wraps the one that came
    if user := inner.headers.get(USER_HEADER):
        return f"user:{unquote(user)}"
    value = inner.cookies.get(COOKIE, "")
    return f"cookie:{hashlib.sha256(value.encode()).hexdigest()[:HASH_CHARS]}" if _VALUE.fullmatch(value) else ""


class Owner:
    """Gives every browser a cookie that no script can read; its first request is already handled under it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _PAGE.match(scope["path"]) or owner_of(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return
        value = secrets.token_urlsafe(16)
        headers = MutableHeaders(scope=scope)
        known = headers.get("cookie")
        headers["cookie"] = f"{known}; {COOKIE}={value}" if known else f"{COOKIE}={value}"
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        # "Lax", for "Strict" would not come along by a link from elsewhere, and be replaced; whatever changes
        # something is a POST, and those of other sites are refused by their origin.
        cookie = f"{COOKIE}={value}; Max-Age={SECONDS}; Path=/; HttpOnly; SameSite=Lax{secure}"

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, with_cookie)


def mark(scope: Scope, user: str | None) -> None:
    """Note who is logged in, or that nobody is, whatever the request says itself."""
    headers = MutableHeaders(scope=scope)
    while USER_HEADER in headers:
        del headers[USER_HEADER]
    if user:
        headers[USER_HEADER] = quote(user)  # a header holds no letters beyond Latin
