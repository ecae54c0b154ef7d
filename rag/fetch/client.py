"""Asks the network for one thing at a time: politely, with patience and within bounds.

What a host answers is told apart: nothing there, refused, busy (asked again, as long as the host wishes),
unreachable, broken. Redirects are followed by hand, so that each is checked like the first address.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from rag.errors import FetchBusyError, FetchError, FetchUnreachableError
from rag.fetch.addresses import checked_url, origin, shown
from rag.fetch.answers import Fetched, Validators, raise_for_status, read_body, retry_after, what_failed
from rag.fetch.pacing import Clock, Pacing, SystemClock
from rag.fetch.transport import CONNECT_S, CheckedTransport

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from rag.settings import Settings

MAX_REDIRECTS = 5
TRIES, TRIES_UNREACHABLE = 6, 3
SILENCE_S = 30.0  # without a single byte
FIRST_WAIT_S = 1.0  # then twice as long each time
PACE_FOLDER = "fetch"
Check = Callable[[Fetched], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """`most_bytes` of one answer; `patience_s` for tries and the waits between them."""

    most_bytes: int = 200_000_000
    patience_s: float = 180.0


class PoliteClient:
    """Gets what a URL gives. One request at a time a host, with pauses, also among processes sharing `folder`."""

    def __init__(
        self, transport: httpx.BaseTransport, folder: Path, *, clock: Clock | None = None, limits: Limits | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._pacing = Pacing(folder, self._clock)
        self._http = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            headers={"user-agent": user_agent(), "accept-encoding": "gzip"},
        )

    def __enter__(self) -> PoliteClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def get(
        self, url: str, *, accept: str = "*/*", known: Validators | None = None, check: Check | None = None
    ) -> Fetched | None:
        """What is at `url`, or None where it has not changed since `known`.

        `check` may raise FetchBusyError for an answer that is not yet the one, which is then asked for again.

        Raises:
            FetchRefusedError: the address, or one it redirects to, may not be asked; or access is denied.
            FetchMissingError: there is nothing.
            FetchBusyError: not now, after all patience; FetchUnreachableError where nobody answers at all.
            FetchError: what came is broken or too large.
        """
        import tenacity

        ends = self._clock.now() + self._limits.patience_s
        calmly = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(FetchBusyError),
            wait=_wait,
            stop=lambda state: _gives_up(state, ends - self._clock.now()),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return calmly(self._follow, url, accept, known, check)

    def _follow(self, url: str, accept: str, known: Validators | None, check: Check | None) -> Fetched | None:
        at = checked_url(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(at, accept, known)
            if check and isinstance(answer, Fetched):
                check(answer)
            if not isinstance(answer, httpx.URL):
                return answer
            at = checked_url(str(answer))
        raise FetchError(f"{shown(url)} redirects more than {MAX_REDIRECTS} times.", "Check the address.")

    def _ask(self, url: httpx.URL, accept: str, known: Validators | None) -> Fetched | httpx.URL | None:
        """What is there, where it redirects to, or None where it has not changed."""
        headers = {"accept": accept, **(known.headers() if known else {})}
        with self._pacing.turn(origin(url)[0], self._limits.patience_s):
            try:
                response = self._http.send(self._http.build_request("GET", url, headers=headers), stream=True)
                with closing(response):
                    return self._answer(url, response, known)
            except (httpx.HTTPError, httpx.StreamError) as error:
                failure = what_failed(error, url)
        raise failure

    def _answer(self, url: httpx.URL, response: httpx.Response, known: Validators | None) -> Fetched | httpx.URL | None:
        if response.status_code == 304 and known:
            return None
        if response.has_redirect_location:
            return _joined(url, response.headers["location"])
        raise_for_status(response, url, retry_after(response, self._clock.wall()))
        return Fetched(
            url=str(url),
            data=read_body(response, url, self._limits.most_bytes),
            media_type=response.headers.get("content-type", "").split(";")[0].strip().lower(),
            disposition=response.headers.get("content-disposition", ""),
            validators=Validators(response.headers.get("etag", ""), response.headers.get("last-modified", "")),
        )


def open_client(settings: Settings, *, trusted: tuple[str, ...] = ()) -> PoliteClient:
    """A client for the network, which takes no larger answers than the settings allow files to be.

    `trusted` are base URLs from the settings, which may be on this machine.

    Raises:
        FetchRefusedError: one of these is no URL.
    """
    from rag.fetch.addresses import Gate

    gate = Gate(settings.allow_private_urls, frozenset(origin(checked_url(url)) for url in trusted))
    limits = Limits(most_bytes=settings.max_file_mb * 1_000_000)
    return PoliteClient(CheckedTransport(gate), settings.home / PACE_FOLDER, limits=limits)


def user_agent() -> str:
    """How we introduce ourselves."""
    from importlib.metadata import version

    return f"paperchat/{version('paperchat')}"


def _joined(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise FetchError(f"{shown(url)} redirects to something that is no address.", "Check the address.") from None


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: twice as long each time, and no less than the host asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked_for = error.retry_after_s if isinstance(error, FetchBusyError) else None
    return max(FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), asked_for or 0.0)


def _gives_up(state: RetryCallState, left_s: float) -> bool:
    unreachable = state.outcome is not None and isinstance(state.outcome.exception(), FetchUnreachableError)
    return state.attempt_number >= (TRIES_UNREACHABLE if unreachable else TRIES) or state.upcoming_sleep > left_s
