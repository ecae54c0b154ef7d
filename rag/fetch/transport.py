"""Connections to checked addresses only, each with an end in time.

A name is looked up once, by the gate, and the connection goes to the very address that passed: a second
look-up could give another. Each redirect opens a connection of its own and so passes the gate again.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from rag.errors import FetchUnreachableError
from rag.fetch.addresses import Gate

CONNECT_S = 10.0
TOTAL_S = 600.0  # from the connection to the last byte


class CheckedTransport(httpx.BaseTransport):
    """An HTTP transport behind a gate; every request has its own connection, no proxy is used.

    Requests raise what `Gate.addresses` raises, and httpx's own errors.
    """

    def __init__(self, gate: Gate, *, total_s: float = TOTAL_S) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_keepalive_connections=0,
            network_backend=_GatedBackend(gate, total_s),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is read by whoever asked."""
        with _httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """httpx gives its errors the names that httpcore gives them."""
    names = (
        *(httpcore.ConnectTimeout, httpcore.ReadTimeout, httpcore.WriteTimeout, httpcore.PoolTimeout),
        *(httpcore.ConnectError, httpcore.ReadError, httpcore.WriteError),
        *(httpcore.RemoteProtocolError, httpcore.LocalProtocolError, httpcore.UnsupportedProtocol),
    )
    try:
        yield
    except names as error:
        raised: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise raised(str(error)) from error


class _GatedBackend(httpcore.NetworkBackend):
    """Opens connections to what the gate lets pass, the first address that answers."""

    def __init__(self, gate: Gate, total_s: float) -> None:
        self._gate, self._total_s = gate, total_s
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        ends = time.monotonic() + self._total_s
        failure: Exception = FetchUnreachableError(f"{host} has no address.", "Check the name.")
        for address in self._gate.addresses(host, port):
            try:
                stream = self._plain.connect_tcp(address, port, min(timeout or CONNECT_S, CONNECT_S), local_address)
                return _EndingStream(stream, ends)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _EndingStream(httpcore.NetworkStream):
    """A connection of which all reading and writing ends at a moment, however slowly the bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream, self._ends = stream, ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._left(timeout, httpcore.ConnectTimeout)
        return _EndingStream(self._stream.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None, over: type[httpcore.TimeoutException]) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise over("the time for the whole answer is over")
        return left if timeout is None else min(timeout, left)
