"""Whose tab an event belongs to, and whether its files were uploaded: what Gradio itself does not ask.

Gradio keeps the state of a tab under a name that the page makes up, its session hash. Whoever knows that
name could act in the tab, and read what it is answered.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.uploads import is_upload
from ui.web.doors import UPLOAD
from ui.web.errors import problem
from ui.web.owner import owner_of

EVENTS = "/gradio_api/"
HEARTBEAT = re.compile(r"/gradio_api/heartbeat/(.+)")
REMEMBERED = 10_000  # tabs; Gradio keeps the state of as many
_NAME = re.compile(r"[\w-]{1,64}")


class Tabs:
    """The first owner that uses a tab's name keeps it; nobody else acts in that tab or reads its stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith(EVENTS) or path == UPLOAD:
            await self._app(scope, receive, send)
            return
        names: list[Any] = [*QueryParams(scope["query_string"]).getlist("session_hash")]
        if beat := HEARTBEAT.fullmatch(path):
            names.append(beat[1])
        refusal: Response | None = None
        if scope["method"] == "POST":
            try:
                body = await _whole(receive)
            except HTTPException as error:
                refusal = problem(error.status_code, "RequestTooLarge", f"{error.detail}.", "Send less at a time.")
            else:
                if body is None:  # whoever sent it is gone
                    return
                refusal = _read(body, names)
                receive = _again(body, receive)
        refusal = refusal or self._refused(names, owner_of(HTTPConnection(scope)))
        await (refusal or self._app)(scope, receive, send)

    def _refused(self, names: list[Any], owner: str) -> Response | None:
        if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            return _malformed("it names no tab")
        for name in names:
            if self._owners.setdefault(name, owner) != owner:
                return problem(403, "ForeignTab", "This tab of the page is somebody else's.", "Open the page anew.")
            self._owners.move_to_end(name)
        while len(self._owners) > REMEMBERED:
            self._owners.popitem(last=False)
        return None


async def _whole(receive: Receive) -> bytes | None:
    """The body, whose size is limited before; None if the client has gone away."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body for whoever comes next, then what really comes."""
    told = False

    async def replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _read(body: bytes, names: list[Any]) -> Response | None:
    """Note the tab that an event names; why it cannot be taken, if it cannot."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return _malformed("it is no JSON")
    if not isinstance(event, dict):
        return _malformed("it is no object")
    if event.get("session_hash") is not None:
        names.append(event["session_hash"])
    if not all(isinstance(path, str) and is_upload(path) for path in _files(event)):
        return problem(400, "ForeignFile", "This event names a file that was not uploaded.", "Choose the file again.")
    return None


def _files(event: dict[str, Any]) -> list[Any]:
    """The path of everything that Gradio could take for a file, each once."""
    found = [one["path"] for one in _objects(event) if "path" in one and "meta" in one]
    return [*{path for path in found if isinstance(path, str)}, *(path for path in found if not isinstance(path, str))]


def _objects(value: object) -> Iterator[dict[str, Any]]:
    left = [value]
    while left:  # not by recursion: the browser decides how deep it is
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _malformed(why: str) -> Response:
    return problem(422, "RequestError", f"The event is wrong: {why}.", "Open the page anew.")
