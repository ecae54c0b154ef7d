"""A web server on the loopback interface that replays answers: the formats as documented, and every fault."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from loopback_server import LoopbackServer


@dataclass(frozen=True)
class Reply:
    """One answer. `drip` seconds pass after each byte of the body, `drip_head` after each of the head.

    `length` is what the head claims (None: chunked); `cut` ends a chunked body without its end. `raw` is
    sent instead of everything else.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = -1  # the body's own
    cut: bool = False
    drip: float = 0.0
    drip_head: float = 0.0
    pause: float = 0.0
    raw: bytes | None = None


Script = Reply | Callable[[dict[str, str]], Reply]


@dataclass(frozen=True)
class Request:
    """What was asked: path, query and headers (names in small letters)."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


def redirect(to: str, status: int = 302) -> Reply:
    """A redirect."""
    return Reply(status=status, headers={"location": to})


def as_json(value: Any, **headers: str) -> Reply:
    """JSON, as an API sends it."""
    return Reply(json.dumps(value).encode(), headers={"content-type": "application/json", **headers})


def packed(body: bytes, **headers: str) -> Reply:
    """A body that gzip packed."""
    return Reply(gzip.compress(body), headers={"content-encoding": "gzip", **headers})


def daily_paper(n: int, day: str = "2024-05-03", upvotes: int = 3, title: str = "") -> dict[str, Any]:
    """An element of the hub's daily_papers, as its documentation shows it."""
    authors = [{"_id": f"a{n}", "name": f"Ada {n}", "hidden": False}, {"_id": f"b{n}", "name": "Bo Bell"}]
    paper = {
        "id": f"2405.{n:05d}",
        "title": title or f"Paper number {n} about speech",
        "summary": f"We study robot number{n} and its voice. It is louder than robot{n + 1}.",
        "authors": authors,
        "publishedAt": f"{day}T17:59:59.000Z",
        "upvotes": upvotes,
    }
    listed = {"publishedAt": f"{day}T20:00:00.000Z", "numComments": 2, "submittedBy": {"name": "ann"}}
    return {"paper": paper, "title": paper["title"], "organization": {"name": "acme", "fullname": "Acme"}, **listed}


def entry(n: int, **changes: str) -> str:
    """An entry of arXiv's feed, as its manual shows it."""
    values = {
        "id": f"http://arxiv.org/abs/2405.{n:05d}v2",
        "title": f"Title {n}\n  on two lines &amp; more",
        "summary": f"  We show $a &lt; b$ for number{n}.\nIt holds.",
        **changes,
    }
    return f"""<entry>
    <id>{values["id"]}</id><updated>2024-05-09T10:00:00Z</updated><published>2024-05-03T17:59:59Z</published>
    <title>{values["title"]}</title><summary>{values["summary"]}</summary>
    <author><name>Ada Lovelace</name><arxiv:affiliation>LMU</arxiv:affiliation></author>
    <author><name>Bo Bell</name></author>
    <arxiv:doi>10.1000/XYZ.{n}</arxiv:doi><link href="http://arxiv.org/pdf/2405.{n:05d}v2" rel="related" title="pdf"/>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/></entry>"""


def feed(entries: Sequence[str], total: int | None = None) -> Reply:
    """arXiv's answer to a query."""
    count = len(entries) if total is None else total
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">
  <link href="http://arxiv.org/api/query?search_query" rel="self"/><title>ArXiv Query</title>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{count}</opensearch:totalResults>
{"".join(entries)}
</feed>"""
    return Reply(text.encode(), headers={"content-type": "application/atom+xml; charset=UTF-8"})


def arxiv_error(message: str) -> Reply:
    """How arXiv says that a query is wrong: as an entry."""
    return feed([entry(1, id="http://arxiv.org/api/errors#wrong", title="Error", summary=escape(message))])


class ReplayServer:
    """Serves `routes` by path: a reply, a function of the query, or a list of these, the last again and again."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Script | list[Script]] = {}
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._now = 0
        self._served: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            script = self.routes.get(request.path, Reply(b"nothing here", status=404))
            if isinstance(script, list):
                n = self._served.get(request.path, 0)
                self._served[request.path] = n + 1
                script = script[min(n, len(script) - 1)]
        return script(request.query) if callable(script) else script

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with server._lock:
                    server._now += 1
                    server.most_at_once = max(server.most_at_once, server._now)
                try:
                    self._answer()
                except OSError:
                    self.close_connection = True
                finally:
                    with server._lock:
                        server._now -= 1

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = server._reply(Request(parts.path, query, headers))
                time.sleep(reply.pause)
                if reply.raw is not None:
                    self.wfile.write(reply.raw)
                    self.close_connection = True
                    return
                self._slowly(_head(reply), reply.drip_head)
                body = reply.body if reply.length is not None else _chunked(reply)
                self._slowly(body, reply.drip)
                self.close_connection = self.close_connection or reply.cut or reply.length != -1

            def _slowly(self, data: bytes, drip: float) -> None:
                for at in range(0, len(data), 1 if drip else max(len(data), 1)):
                    self.wfile.write(data[at : at + 1] if drip else data)
                    self.wfile.flush()
                    time.sleep(drip)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in reply.headers.items())]
    if reply.length is None:
        lines.append("transfer-encoding: chunked")
    elif reply.status != 304:
        lines.append(f"content-length: {len(reply.body) if reply.length == -1 else reply.length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _chunked(reply: Reply) -> bytes:
    pieces = [reply.body[at : at + 65536] for at in range(0, len(reply.body), 65536)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + (b"" if reply.cut else b"0\r\n\r\n")


@contextmanager
def replay(
    routes: Mapping[str, Script | list[Script]] | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[ReplayServer]:
    """A running server for the length of a `with`."""
    server = ReplayServer(tls)
    server.routes.update(routes or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()


class FakeClock:
    """Time that passes only by sleeping, and says how it was slept."""

    def __init__(self, wall: float = 1_790_000_000.0) -> None:
        self.slept: list[float] = []
        self._wall, self._now = wall, 0.0

    def now(self) -> float:
        """Seconds slept."""
        return self._now

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._wall

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
        self._now += seconds
        self._wall += seconds

    def set_back(self, seconds: float) -> None:
        """As if somebody put the machine's clock right."""
        self._wall -= seconds
