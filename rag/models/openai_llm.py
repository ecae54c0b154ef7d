"""Text from any OpenAI-compatible endpoint (OpenAI, Ollama, vLLM, llama-server), streamed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rag.models.endpoint_errors import ErrorTranslator, SchemaRefusedError, host_of, is_overflow
from rag.models.event_loop import blocking
from rag.models.interfaces import Message, Piece

if TYPE_CHECKING:
    import openai

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # local servers want a header, not a key
CONNECT_S = 10.0
# What some endpoints refuse, and what to send instead: None drops the parameter.
SUBSTITUTES = {"stream_options": None, "max_tokens": "max_completion_tokens", "temperature": None, "seed": None}
SCHEMA = "response_format"
# How endpoints name what they refuse.
_NAMED = {name: rf"\b{name}\b" for name in SUBSTITUTES} | {
    SCHEMA: r"\bresponse[_ ]format\b|\bjson[_ ]?schema\b|\bstructured[_ ]outputs?\b|\bgrammar\b"
}
TEXT_STREAMS = {"text/event-stream", "", "application/octet-stream", "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, for which model, and how patiently (`timeout_s` between two pieces of text)."""

    base_url: str
    model: str
    key: SecretStr | None = None
    timeout_s: float = 60.0
    retries: int = 2


class OpenAIGenerator:
    """A `Generator` for one endpoint. Thread-safe; nothing is sent before `stream` is iterated."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.model = endpoint.model
        self.host = host_of(endpoint.base_url)
        key = endpoint.key.get_secret_value() if endpoint.key else ""
        self._errors = ErrorTranslator(self.host, self.model, key)
        self._refused: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"OpenAIGenerator({self.model!r} at {self.host})"

    @property
    def structured(self) -> bool:
        """Whether the endpoint may take a JSON schema: true until it has refused one."""
        return SCHEMA not in self._refused

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancelled: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """Generate at temperature 0; `options` go into the request as they are.

        Closing the iterator, or setting `cancelled`, closes the connection at once, whether it is
        being opened, silent, or waiting for another try.

        Raises:
            SchemaRefusedError: the endpoint takes no `response_format`.
            EndpointError: any failure, also an answer that is cut off or empty;
                EndpointBusyError where a later try may work.
        """
        import httpx
        import openai

        request: dict[str, Any] = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream_options": {"include_usage": True},
            **options,
        }
        try:
            yield from blocking(self._pieces(request), cancelled)
            return
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError, ValueError) as error:
            failure = self._errors.translate(error)
        # Outside of `except`: the client's own error may hold the key, and must not come along as context.
        raise failure

    async def _pieces(self, request: dict[str, Any]) -> AsyncGenerator[Piece, None]:
        stream = await self._open(request)
        try:
            content_type = stream.response.headers.get("content-type", "").split(";")[0].strip().lower()
            if content_type == "application/json":
                for piece in self._whole(json.loads(await stream.response.aread())):
                    yield piece
            elif content_type in TEXT_STREAMS:
                reply = _Reply()
                async for chunk in stream:
                    if text := reply.take(chunk):
                        yield Piece(text)
                if not reply.begun:
                    raise self._errors.no_completion()
                yield self._last(reply.wrote, reply.finish, reply.usage)
            else:
                raise self._errors.no_completion(content_type)
        finally:
            await stream.close()

    async def _open(self, request: dict[str, Any]) -> Any:
        """Send the request, without whatever this endpoint was found to refuse."""
        import openai

        while SCHEMA not in request or self.structured:
            refused, adapted = self._refused, _adapted(request, self._refused)
            try:
                return await self._client.chat.completions.create(model=self.model, stream=True, **adapted)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                named = _parameter_named(error, request)
                if named is None or named in refused or is_overflow(error):
                    raise
                self._refused = refused | {named}
        raise SchemaRefusedError(f"{self.model} at {self.host} takes no JSON schema.", "Ask without one.")

    def _whole(self, body: Any) -> Iterator[Piece]:
        """An endpoint that ignores `stream` answers in one piece of JSON."""
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise self._errors.no_completion("application/json")
        message = choices[0].get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, str) and text:
            yield Piece(text)
        finish = choices[0].get("finish_reason")
        yield self._last(bool(text), finish if isinstance(finish, str) else None, _usage(body.get("usage")))

    def _last(self, wrote: bool, finish: Any, usage: dict[str, int] | None) -> Piece:
        if not isinstance(finish, str):
            raise self._errors.cut_off()
        if not wrote or finish == "content_filter":
            raise self._errors.empty(finish)
        return Piece(finish_reason=finish, usage=usage)

    @cached_property
    def _client(self) -> openai.AsyncOpenAI:
        """Made once: only coroutines of the one event loop ask for it, and nothing here waits."""
        import httpx
        import openai

        key = self.endpoint.key.get_secret_value() if self.endpoint.key else NO_KEY
        timeout = httpx.Timeout(self.endpoint.timeout_s, connect=min(CONNECT_S, self.endpoint.timeout_s))
        return openai.AsyncOpenAI(
            base_url=self.endpoint.base_url,
            api_key=key,
            timeout=timeout,
            max_retries=self.endpoint.retries,
            # A redirect would carry questions and passages to a host that nobody configured.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout),
        )


class _Reply:
    """What has come of a streamed reply."""

    def __init__(self) -> None:
        self.begun = self.wrote = False
        self.finish: Any = None
        self.usage: dict[str, int] | None = None

    def take(self, chunk: Any) -> str:
        """The text of one chunk, whatever its shape."""
        self.usage = _usage(getattr(chunk, "usage", None)) or self.usage
        choices = getattr(chunk, "choices", None)
        if not isinstance(choices, list) or not choices:
            return ""
        self.begun = True
        self.finish = getattr(choices[0], "finish_reason", None) or self.finish
        text = getattr(getattr(choices[0], "delta", None), "content", None)
        if not isinstance(text, str) or not text:
            return ""
        self.wrote = True
        return text


def _adapted(request: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    adapted = {name: value for name, value in request.items() if name not in refused}
    for name in refused & set(request):
        if (other := SUBSTITUTES[name]) is not None:
            adapted[other] = request[name]
    return adapted


def _parameter_named(error: openai.APIStatusError, request: dict[str, Any]) -> str | None:
    """Which of the parameters sent that we can do without the endpoint complains about, the first it names."""
    text = json.dumps(error.body, default=str) if error.body else error.message
    found = {name: re.search(pattern, text, re.IGNORECASE) for name, pattern in _NAMED.items() if name in request}
    positions = {name: match.start() for name, match in found.items() if match}
    return min(positions, key=lambda name: positions[name]) if positions else None


def _usage(raw: Any) -> dict[str, int] | None:
    """Prompt and completion tokens, from an object or from JSON."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    fields = raw if isinstance(raw, dict) else {name: getattr(raw, name, None) for name in names}
    usage = {name: value for name in names if isinstance(value := fields.get(name), int)}
    return usage or None
