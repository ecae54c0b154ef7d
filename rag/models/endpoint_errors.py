"""What an OpenAI-compatible endpoint's failures mean to a person: one line and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rag.errors import EndpointBusyError, EndpointError

if TYPE_CHECKING:
    import httpx
    import openai

LONGEST_DETAIL = 200
OVERFLOW = re.compile(
    r"context.{0,20}(length|size|window|limit)|maximum.{0,20}(context|tokens)|too (long|many tokens)|exceed_context",
    re.IGNORECASE,
)
CHECK_URL = "Check OPENAI_BASE_URL; it usually ends in /v1."
LATER = "Try again later, or use `--answerer quotes`, which needs no endpoint."


class SchemaRefusedError(EndpointError):
    """The endpoint takes no JSON schema; the same question without one may work."""


def host_of(base_url: str) -> str:
    """Host and port of a URL, without any user, password or path."""
    parts = urlsplit(base_url)
    return f"{parts.hostname or '?'}:{parts.port}" if parts.port else parts.hostname or "?"


class ErrorTranslator:
    """Turns what the HTTP client raises into our errors; the key never gets into a message."""

    def __init__(self, host: str, model: str, key: str) -> None:
        self.host = host
        self.model = model
        self._key = key

    def __repr__(self) -> str:
        return f"ErrorTranslator({self.host!r}, {self.model!r})"

    def translate(self, error: Exception) -> EndpointError:
        """Our error for one raised by `openai`, `httpx` or a decoder."""
        import httpx
        import openai

        if isinstance(error, EndpointError):
            return error
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
            return EndpointBusyError(f"{self.host} did not answer in time.", "Try again, or raise PAPERCHAT_TIMEOUT_S.")
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            return self.cut_off()
        if isinstance(error, openai.APIConnectionError | httpx.HTTPError):
            return EndpointBusyError(f"No connection to {self.host}.", "Check that it runs, and OPENAI_BASE_URL.")
        if isinstance(error, openai.APIError):
            return EndpointError(f"{self.host} reported an error{self.detail(error.body or error.message)}.", LATER)
        return self.no_completion()

    def no_completion(self, content_type: str = "") -> EndpointError:
        """For an answer that is no chat completion: HTML, broken JSON, no choices."""
        kind = f" ({self._safe(content_type)})" if content_type else ""
        return EndpointError(f"{self.host} sent something that is no chat completion{kind}.", CHECK_URL)

    def cut_off(self) -> EndpointError:
        """For a stream that ended without saying that the answer is complete."""
        return EndpointBusyError(f"The answer from {self.host} was cut off.", "Ask again.")

    def empty(self, finish_reason: str | None) -> EndpointError:
        """For a completed answer without any text."""
        if finish_reason == "length":
            message = f"{self.model} at {self.host} used up its tokens before it began to answer."
            return EndpointError(message, "Raise PAPERCHAT_ANSWER_TOKENS.")
        if finish_reason == "content_filter":
            return EndpointError(f"{self.host} withheld the answer (content filter).", "Ask in other words.")
        message = f"{self.model} at {self.host} answered with no text."
        return EndpointError(message, "Ask again, or set OPENAI_MODEL to another.")

    def detail(self, body: object) -> str:
        """`: what the endpoint says`, in one short line, or nothing."""
        text = self._safe(_message_in(body))
        return f": {text}" if text else ""

    def _status(self, error: openai.APIStatusError) -> EndpointError:
        status, detail = error.status_code, self.detail(error.body)
        if status == 401:
            return EndpointError(f"{self.host} refused the API key (401).", "Check OPENAI_API_KEY.")
        if status == 403:
            return EndpointError(f"{self.host} denied access (403){detail}.", "Check what OPENAI_API_KEY may use.")
        if is_overflow(error):
            message = f"Question and passages are too long for {self.model} at {self.host} ({status})."
            return EndpointError(message, "Lower PAPERCHAT_CONTEXT_TOKENS.")
        if status == 404:
            message = f"{self.host} knows no model {self.model!r}, or nothing is at this URL (404){detail}."
            return EndpointError(message, "Check OPENAI_MODEL, and OPENAI_BASE_URL, which usually ends in /v1.")
        if status == 429:
            return self._rate_limited(error.response, detail)
        if status >= 500 or status in {408, 409}:
            return EndpointBusyError(f"{self.host} failed ({status}){detail}.", LATER)
        if 300 <= status < 400:
            return EndpointError(f"{self.host} redirects elsewhere ({status}), which is not followed.", CHECK_URL)
        message = f"{self.host} refused the request ({status}){detail}."
        return EndpointError(message, "Check OPENAI_MODEL and OPENAI_BASE_URL.")

    def _rate_limited(self, response: httpx.Response, detail: str) -> EndpointError:
        if "insufficient_quota" in response.text or "billing" in response.text.lower():
            message = f"{self.host} says that the quota is used up (429){detail}."
            return EndpointError(message, "Check the account's plan.")
        wait = response.headers.get("retry-after", "")
        remedy = f"Try again in {wait} s." if re.fullmatch(r"\d{1,6}", wait) else "Try again later."
        return EndpointBusyError(f"{self.host} limits the rate of requests (429){detail}.", remedy)

    def _safe(self, text: str) -> str:
        """One short line without control characters and without any piece of the key."""
        words = "".join(c if c.isprintable() else " " for c in text).split()
        line = " ".join("[key]" if self._shows_key(word) else word for word in words)
        return line[:LONGEST_DETAIL].rstrip(". ")

    def _shows_key(self, word: str) -> bool:
        return any(part in word for part in _parts(self._key))


def is_overflow(error: openai.APIStatusError) -> bool:
    """Whether the endpoint says that the prompt does not fit the model."""
    return error.status_code in {400, 413, 422} and (
        error.status_code == 413 or bool(OVERFLOW.search(_message_in(error.body)))
    )


def _parts(key: str, length: int = 8) -> Iterator[str]:
    if len(key) >= 4:
        yield key
    yield from (key[i : i + length] for i in range(len(key) - length + 1))


def _message_in(body: object) -> str:
    """The human part of an error body, whatever its shape."""
    for _ in range(3):
        if not isinstance(body, dict):
            break
        inner = body.get("message") or body.get("error") or body.get("detail")
        if isinstance(inner, str) and body.get("type"):
            return f"{inner} ({body['type']})"
        body = inner
    return body if isinstance(body, str) and not body.lstrip().startswith("<") else ""
