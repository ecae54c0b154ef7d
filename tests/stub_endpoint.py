"""A stand-in for an OpenAI-compatible endpoint on the loopback interface, with scripted faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback_server import LoopbackServer


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, sent in parts with a pause after each.

    `silent` keeps the connection open without even a status line; `hang` does so after the
    parts; `cut` closes it without the end that its transfer encoding asks for.
    """

    parts: tuple[bytes, ...] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    silent: bool = False
    hang: bool = False
    cut: bool = False


Script = Reply | Callable[[dict[str, Any]], Reply]


def sse(*events: Any) -> tuple[bytes, ...]:
    """Server-sent events; text goes as it is, everything else as JSON."""
    return tuple(f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n".encode() for e in events)


def chunk(content: str | None = None, finish: str | None = None, **extra: Any) -> dict[str, Any]:
    """One chat.completion.chunk."""
    choice = {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "stub", "choices": [choice], **extra}


def answer(text: str, *, finish: str | None = "stop", piece: int = 5, pause: float = 0.0) -> Reply:
    """A well-formed streamed answer in pieces of `piece` characters, with usage."""
    pieces = [chunk(text[i : i + piece]) for i in range(0, len(text), piece)]
    usage = {**chunk(), "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
    return Reply(sse(*pieces, chunk(finish=finish), usage, "[DONE]"), pause=pause)


def error(status: int, message: str = "something", headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    """A JSON error as OpenAI shapes it."""
    body = json.dumps({"error": {"message": message, **fields}}).encode()
    return Reply((body,), status=status, content_type="application/json", headers=headers or {})


def models(*names: str) -> Reply:
    """A list of models as OpenAI shapes it."""
    rows = [{"id": name, "object": "model"} for name in names or ("stub",)]
    body = json.dumps({"object": "list", "data": rows}).encode()
    return Reply((body,), content_type="application/json")


def whole(text: str) -> Reply:
    """A chat completion in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    body = json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode()
    return Reply((body,), content_type="application/json")


def html(status: int = 200) -> Reply:
    """What a proxy or a wrong port answers."""
    return Reply((b"<html><body>Welcome</body></html>",), status=status, content_type="text/html")


class StubEndpoint:
    """Serves `script` in order, the last reply again and again; records what was asked.

    `listing` is the reply to every GET, of which `paths` are kept.
    """

    def __init__(self, script: list[Script]) -> None:
        self.script = script
        self.listing: Reply = models()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.asked = threading.Event()
        self.disconnected = threading.Event()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._handler())

    @property
    def url(self) -> str:
        """The base URL to configure."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def host(self) -> str:
        """What messages call it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the port and let go of hanging requests."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: dict[str, Any], headers: Mapping[str, str]) -> Reply:
        """Record a request and choose its reply."""
        with self._lock:
            self.requests.append(body)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            self.asked.set()
            script = self.script[min(len(self.requests), len(self.script)) - 1]
        return script(body) if callable(script) else script

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
                try:
                    self._send(stub.take(body, self.headers))
                except OSError:
                    stub.disconnected.set()
                    self.close_connection = True

            def do_GET(self) -> None:
                with stub._lock:
                    stub.headers.append({name.lower(): value for name, value in self.headers.items()})
                    stub.paths.append(self.path)
                try:
                    self._send(stub.listing)
                except OSError:
                    stub.disconnected.set()
                    self.close_connection = True

            def _send(self, reply: Reply) -> None:
                if reply.silent:
                    self._wait_for_disconnect()
                self.send_response(reply.status)
                self.send_header("content-type", reply.content_type)
                self.send_header("transfer-encoding", "chunked")
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for part in reply.parts:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    time.sleep(reply.pause)
                if reply.hang:
                    self._wait_for_disconnect()
                if reply.cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

            def _wait_for_disconnect(self) -> None:
                self.connection.settimeout(0.05)
                while not stub.closing.is_set():
                    try:
                        if self.connection.recv(1) == b"":
                            raise ConnectionResetError
                    except TimeoutError:
                        continue

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        return Handler


@contextmanager
def endpoint(*script: Script) -> Iterator[StubEndpoint]:
    """A running stub for the length of a `with`."""
    stub = StubEndpoint(list(script))
    stub.start()
    try:
        yield stub
    finally:
        stub.stop()
