"""What a host answers: the bytes of it within bounds, and what each kind of failure means."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from rag.errors import FetchBusyError, FetchError, FetchMissingError, FetchRefusedError, FetchUnreachableError
from rag.fetch.addresses import shown

LATER = "Try again later."
BUSY = {408, 425, 500, 502, 503, 504}
LONGEST_VALIDATOR = 500
PIECE = 65536


@dataclass(frozen=True, slots=True)
class Validators:
    """What a host calls one state of a page, to ask whether it has changed; false where it says nothing."""

    etag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.headers())

    def headers(self) -> dict[str, str]:
        """The headers that ask for a page only if it has changed; of what no header can hold, none."""
        pairs = {"if-none-match": self.etag, "if-modified-since": self.modified}
        return {name: value for name, value in pairs.items() if _sendable(value)}


def _sendable(value: str) -> bool:
    """Whether a host's word can be said back to it; hosts may send bytes that no header should hold."""
    return 0 < len(value) <= LONGEST_VALIDATOR and value.isascii() and value.isprintable()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer; `url` is where it came from after all redirects, `media_type` in small letters."""

    url: str
    data: bytes
    media_type: str = ""
    disposition: str = ""
    validators: Validators = Validators()


def raise_for_status(response: httpx.Response, url: httpx.URL, wait_s: float | None) -> None:
    """Raise what any status but 200 means; `wait_s` is how long the host asks to wait."""
    status, host, what = response.status_code, url.host, shown(url)
    if status == 200:
        return
    if status in {404, 410}:
        raise FetchMissingError(f"There is nothing at {what} ({status}).", "Check the address.")
    if status in {401, 403, 407, 451}:
        raise FetchRefusedError(f"{host} denies access to {what} ({status}).", "Fetch it with a browser.")
    later = LATER if wait_s is None else f"Try again in {math.ceil(wait_s)} s."
    if status == 429:
        raise FetchBusyError(f"{host} limits the rate of requests (429).", later, wait_s)
    if status in BUSY:
        raise FetchBusyError(f"{host} failed ({status}) for {what}.", later, wait_s)
    raise FetchError(f"{host} answered {status} for {what}.", "Check the address.")


def retry_after(response: httpx.Response, wall: float) -> float | None:
    """Seconds to wait as the host asks for, given as seconds or as a date; None where it does not."""
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - wall)
    except (ValueError, OverflowError):
        return None


def what_failed(error: Exception, url: httpx.URL) -> FetchError:
    """Our error for one of httpx's."""
    host = url.host
    if isinstance(error, httpx.ConnectError) and re.search(r"ssl|certificate", str(error), re.IGNORECASE):
        return FetchError(f"No secure connection to {host}: {error}.", "Check the address and its certificate.")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return FetchUnreachableError(f"No connection to {host}.", "Check that the network is reachable.")
    if isinstance(error, httpx.TimeoutException):
        return FetchBusyError(f"{host} did not answer in time.", LATER)
    if isinstance(error, httpx.TransportError):
        return FetchBusyError(f"The answer from {host} was cut off.", LATER)
    return FetchError(f"{host} cannot be asked: {error}.", "Check the address.")


def read_body(response: httpx.Response, url: httpx.URL, most: int) -> bytes:
    """The whole body, unpacked.

    Raises:
        FetchError: it is too large, also only when unpacked, or packed in an unknown or wrong way.
        FetchBusyError: it ends too early.
    """
    declared = response.headers.get("content-length", "")
    if re.fullmatch(r"\d+", declared) and int(declared) > most:
        raise _too_large(url, most)
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing in {"", "identity"}:
        pieces = response.iter_raw(PIECE)
    elif packing in {"gzip", "x-gzip"}:
        pieces = _unpacked(response, url)
    else:
        raise FetchError(f"{url.host} sent {packing[:40]!r}, which was not asked for.", LATER)
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > most:
            raise _too_large(url, most)
    return bytes(data)


def _unpacked(response: httpx.Response, url: httpx.URL) -> Iterator[bytes]:
    """Unpacks step by step: a small packed piece can stand for gigabytes."""
    gzip, begun = zlib.decompressobj(wbits=31), False
    try:
        for packed in response.iter_raw(PIECE):
            begun = True
            while packed:
                yield gzip.decompress(packed, PIECE)
                packed = gzip.unconsumed_tail
        yield gzip.flush()
    except zlib.error:
        raise FetchError(f"What {shown(url)} sent cannot be unpacked.", LATER) from None
    if begun and not gzip.eof:
        raise FetchBusyError(f"The answer from {url.host} was cut off.", LATER)


def _too_large(url: httpx.URL, most: int) -> FetchError:
    return FetchError(
        f"{shown(url)} has more than {most:,} bytes.",
        "Download it yourself and split it, or raise PAPERCHAT_MAX_FILE_MB.",
    )
