"""One browser tab without a browser: it opens the page, fires its events, and keeps what is on show."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from gradio_client.utils import apply_diff  # type: ignore[import-untyped]

Watch = Callable[[], None]
_CONFIG = "window.gradio_config ="
_LIMITS = httpx.Limits(keepalive_expiry=2)  # before the server hangs up: a browser would send again, httpx does not
_TIMEOUT = httpx.Timeout(30, read=None)  # a stream is silent while its answer waits


class PageError(Exception):
    """The page did not do what a person would have seen it do."""


class Layout:
    """What the page told the browser about itself: its components, and which event calls what."""

    def __init__(self, html: str) -> None:
        start = html.find(_CONFIG)
        if start < 0:
            raise PageError("This is no page of Gradio's.")
        config, _ = json.JSONDecoder().raw_decode(html[html.index("{", start) :])
        self.api = str(config["api_prefix"])
        self.keeps_alive = bool(config["connect_heartbeat"])
        self.events: list[dict[str, Any]] = config["dependencies"]
        self.values: dict[int, Any] = {c["id"]: c["props"].get("value") for c in config["components"]}
        named = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.ids: dict[str, int] = {name: number for name, number in named.items() if name}

    def on(self, number: int | None, event: str) -> list[dict[str, Any]]:
        """The events that a component's `event` fires; None is the page itself."""
        known = set(self.values)
        return [
            e
            for e in self.events
            if any(
                name == event and (at == number if number is not None else at not in known) for at, name in e["targets"]
            )
        ]

    def after(self, number: int) -> list[dict[str, Any]]:
        """The events that follow when event `number` has succeeded."""
        return [e for e in self.events if e["trigger_after"] == number and not e["trigger_only_on_failure"]]


class Tab:
    """A session of its own, with its own cookie. Use `opened`."""

    def __init__(self, url: str) -> None:
        headers = {"Origin": url.rstrip("/")}
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, limits=_LIMITS, headers=headers)
        self._session = secrets.token_hex(8)
        self._mail: defaultdict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._joined: set[str] = set()
        self._over: set[str] = set()
        self._stream: asyncio.Task[None] | None = None
        self._alive: asyncio.Task[None] | None = None
        self._values: dict[int, Any] = {}
        self._layout: Layout

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[Tab]:
        """A tab that has the page at `url` and has fired what opening it fires."""
        tab = cls(url)
        try:
            await tab._open()
            yield tab
        finally:
            for task in (tab._alive, tab._stream):
                if task:
                    task.cancel()
                    with suppress(asyncio.CancelledError, httpx.HTTPError):
                        await task
            await tab._client.aclose()

    def shows(self, elem_id: str) -> str:
        """The value of a component as text; empty where there is no such component."""
        return str(self._values.get(self._layout.ids.get(elem_id, -1)) or "")

    async def fire(self, elem_id: str, event: str, typed: str | None = None, watch: Watch | None = None) -> None:
        """Do something to a component and wait for everything that follows; `watch` is called at each change.

        Raises:
            PageError: nothing listens to this, or the page would show an error.
        """
        number = self._layout.ids.get(elem_id)
        if number is None:
            raise PageError(f"The page has no #{elem_id}.")
        events = self._layout.on(number, event)
        if not events:
            raise PageError(f"Nothing happens on {event} of #{elem_id}.")
        if typed is not None:
            self._values[number] = typed
        await self._run_all(events, number, watch)

    async def _open(self) -> None:
        page = await self._client.get("/")
        page.raise_for_status()
        self._layout = Layout(page.text)
        self._values = dict(self._layout.values)
        if self._layout.keeps_alive:
            self._alive = asyncio.create_task(self._heartbeat())
        await self._run_all(self._layout.on(None, "load"), None, None)

    async def _heartbeat(self) -> None:
        async with self._client.stream("GET", f"{self._layout.api}/heartbeat/{self._session}") as beats:
            async for _ in beats.aiter_raw():
                pass

    async def _run_all(self, events: list[dict[str, Any]], trigger: int | None, watch: Watch | None) -> None:
        await asyncio.gather(*(self._run(event, trigger, watch) for event in events))

    async def _run(self, event: dict[str, Any], trigger: int | None, watch: Watch | None) -> None:
        if event["backend_fn"]:
            body = {
                "data": [self._values.get(number) for number in event["inputs"]],
                "event_data": None,
                "fn_index": event["id"],
                "trigger_id": trigger,
                "session_hash": self._session,
            }
            if event["queue"]:
                await self._queued(event, body, watch)
            else:
                self._take(event, (await self._post("/run/predict", body))["data"], watch)
        await self._run_all(self._layout.after(event["id"]), trigger, watch)

    async def _queued(self, event: dict[str, Any], body: dict[str, Any], watch: Watch | None) -> None:
        event_id = (await self._post("/queue/join", body))["event_id"]
        self._joined.add(event_id)
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._listen())
        values: list[Any] = []
        while True:
            message = await self._mail[event_id].get()
            if message["msg"] not in ("process_generating", "process_completed"):
                continue
            output = message["output"]
            if not message["success"]:
                raise PageError(f"The page shows an error: {output.get('error')}")
            data = output.get("data") or []
            if message["msg"] == "process_generating":
                values = [apply_diff(old, new) for old, new in zip(values, data, strict=True)] if values else data
                self._take(event, values, watch)
                continue
            self._take(event, data, watch)
            return

    async def _listen(self) -> None:
        """Messages to whoever waits for them, as long as somebody does."""
        query = {"session_hash": self._session}
        try:
            while self._joined - self._over:
                async with self._client.stream("GET", f"{self._layout.api}/queue/data", params=query) as stream:
                    stream.raise_for_status()
                    async for line in stream.aiter_lines():
                        if line.startswith("data:"):
                            self._deliver(json.loads(line[len("data:") :]))
        except (httpx.HTTPError, ValueError) as error:
            self._deliver({"msg": "unexpected_error", "message": f"{type(error).__name__}: {error}"})

    def _deliver(self, message: dict[str, Any]) -> None:
        """A message may come before the answer that says which event it belongs to."""
        event_id: str | None = message.get("event_id")
        told = {event_id} if event_id else self._joined - self._over
        if message["msg"] == "unexpected_error":
            message = {"msg": "process_completed", "success": False, "output": {"error": message["message"]}}
        for one in told:
            self._mail[one].put_nowait(message)
            if message["msg"] == "process_completed":
                self._over.add(one)

    def _take(self, event: dict[str, Any], data: list[Any], watch: Watch | None) -> None:
        for number, value in zip(event["outputs"], data, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" in value:
                    self._values[number] = value["value"]
            else:
                self._values[number] = value
        if watch:
            watch()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(self._layout.api + path, json=body)
        if answer.is_error:
            raise PageError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found
