"""What a browser is told about every answer: what may run, who may frame it, what may be kept."""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from html.parser import HTMLParser

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio makes functions of strings (unsafe-eval) and sets styles on elements; scripts run from our files only.
POLICY = (
    "default-src 'none'; script-src 'self'{nonce} 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HASHED = "/assets/"  # files of Gradio's page, named by their content
OURS = ("/pc-static/", "/static-offline-docs/", "/static/", "/theme.css", "/favicon.ico")
PAGES = ("/", "/docs")  # HTML with inline scripts of Gradio's and of Swagger's
# Gradio's advertisement of itself, and a manifest that is not there.
_NOT_OURS = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*|<link rel="manifest"[^>]*>\s*')


class SecurityHeaders:
    """Sets the headers, and the nonce on the inline scripts that a page itself brings."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in PAGES:
            headers = MutableHeaders(scope=scope)
            del headers["accept-encoding"]  # a compressed page could not be given its nonce
            page = _Page(send)
            await self._app(scope, receive, page.send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message), scope["path"])
            await send(message)

        await self._app(scope, receive, with_headers)


class _Page:
    """Collects one HTML page, and sends it on with a nonce of its own; anything else passes through."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        headers, nonce = MutableHeaders(scope=self._start), ""
        if headers.get("content-type", "").startswith("text/html"):
            nonce = secrets.token_urlsafe(16)
            self._body = with_nonce(self._body.decode("utf-8"), nonce).encode("utf-8")
            if self._body:  # a HEAD request keeps the length that it was told
                headers["content-length"] = str(len(self._body))
        _protect(headers, "/", nonce)
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self._body})


def with_nonce(html: str, nonce: str) -> str:
    """The page with the nonce on each `<script>` element, and on nothing that only looks like one."""
    return f'<script nonce="{nonce}"'.join(_at_scripts(html))


@lru_cache(maxsize=8)  # the same page again and again, some hundred kilobytes long
def _at_scripts(html: str) -> tuple[str, ...]:
    """The page cut where script elements begin, without what is not ours."""
    html = _NOT_OURS.sub("", html)
    starts, begin = _Scripts(html).starts, 0
    parts = []
    for start in starts:
        parts.append(html[begin:start])
        begin = start + len("<script")
    return (*parts, html[begin:])


class _Scripts(HTMLParser):
    """Where script elements begin, as a browser sees it: text inside one, or in an attribute, is none."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.starts: list[int] = []
        self._lines = [0]
        for line in html.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            line, column = self.getpos()
            self.starts.append(self._lines[line - 1] + column)


def _protect(headers: MutableHeaders, path: str, nonce: str = "") -> None:
    for name, value in ALWAYS.items():
        headers[name] = value
    headers["content-security-policy"] = POLICY.format(nonce=f" 'nonce-{nonce}'" if nonce else "")
    if path.startswith(HASHED):
        headers["cache-control"] = "private, max-age=31536000, immutable"
    elif path.startswith(OURS):
        headers["cache-control"] = "no-cache"
    else:
        headers["cache-control"] = "no-store"
