"""Whether an OpenAI-compatible endpoint would answer, in a sentence: asked for its models, then for one token."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from rag.errors import EndpointBusyError, EndpointError, ModelError
from rag.models.endpoint_errors import ErrorTranslator, host_of
from rag.models.event_loop import blocking
from rag.models.local_llm import bundled_gguf
from rag.models.openai_llm import NO_KEY, OPENAI_URL
from rag.settings import Settings

PATIENCE_S = 10.0  # for the whole probe
MOST_BYTES = 2_000_000  # of an answer that are read
MOST_MODELS = 1000
LONGEST_NAME = 200
CHECK_ADDRESS = "Check the address; it usually ends in /v1."
LATER = "Try again later."
NO_LIST = {404, 405, 501}  # an endpoint without a list of models

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Probe:
    """`message` says what is wrong and what to do, or that all is well; `latency_ms` is the time of one token."""

    ok: bool
    message: str
    models: tuple[str, ...] = ()
    latency_ms: float = 0.0


def probe_endpoint(settings: Settings) -> Probe:
    """Ask the configured endpoint for its models and the configured model for one token; 10 s at most.

    The key is in no message. Nothing is raised for what the endpoint does wrong.
    """
    models: list[str] = []
    try:
        latency = _within_patience(settings, lambda client: _both(client, settings.openai_model, models))
    except EndpointError as error:
        return Probe(False, str(error), tuple(models))
    host = host_of(_base(settings))
    return Probe(True, f"{settings.openai_model} at {host} answers ({latency:.0f} ms).", tuple(models), latency)


def list_models(settings: Settings) -> tuple[str, ...]:
    """The names of the endpoint's models, sorted; empty where it gives no list. Takes 10 s at most.

    Raises:
        EndpointError: it does not answer, or refuses; never shows the key.
    """
    return _within_patience(settings, lambda client: client.models())


def local_model_problem(settings: Settings) -> str:
    """Why the local answerer would not work, with what to do; empty where its file is there. Nothing is loaded."""
    try:
        path = settings.local_model or bundled_gguf()
    except ModelError as error:
        return str(error)
    if path.is_file():
        return ""
    return f"There is no language model at {path}. Set PAPERCHAT_LOCAL_MODEL to a GGUF file, or leave it empty."


async def _both(client: _Client, model: str, models: list[str]) -> float:
    """Milliseconds until one token; the list of models is kept in `models` also when that fails."""
    models.extend(await client.models())
    started = time.perf_counter()
    await client.one_token(model, models)
    return (time.perf_counter() - started) * 1000


def _within_patience(settings: Settings, ask: Callable[[_Client], Coroutine[Any, Any, Result]]) -> Result:
    """What `ask` gives, run on the event loop of the endpoint clients.

    Raises:
        EndpointError: anything that went wrong.
    """
    key = _key(settings)
    base = _base(settings)
    errors = ErrorTranslator(host_of(base), settings.openai_model, key)
    try:
        return next(blocking(_asked(base, key, errors, ask)))
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError, ValueError) as error:
        failure = _connection(error, errors.host)
    # Outside of `except`: the client's own error holds the request, and with it the key.
    raise failure


async def _asked(
    base: str, key: str, errors: ErrorTranslator, ask: Callable[[_Client], Coroutine[Any, Any, Result]]
) -> AsyncGenerator[Result, None]:
    headers = {"authorization": f"Bearer {key or NO_KEY}"}
    encrypted = base.startswith("https:")  # certificates take a while to load
    # A redirect would carry the key to a host that nobody configured.
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S, follow_redirects=False, verify=encrypted) as http:
        async with asyncio.timeout(PATIENCE_S):
            result = await ask(_Client(http, base.rstrip("/"), errors, keyed=bool(key)))
    yield result


class _Client:
    """One endpoint, asked in two ways; failures are raised as EndpointError with words for a person."""

    def __init__(self, http: httpx.AsyncClient, base: str, errors: ErrorTranslator, *, keyed: bool) -> None:
        self._http, self._base, self._errors, self._keyed = http, base, errors, keyed

    async def models(self) -> tuple[str, ...]:
        """Names as the endpoint lists them; empty where it has no list."""
        status, body = await self._ask("GET", "/models")
        if status in NO_LIST:
            return ()
        self._check(status, body)
        rows = body.get("data", body.get("models")) if isinstance(body, dict) else body
        rows = rows if isinstance(rows, list) else []
        names = [row.get("id") or row.get("name") for row in rows if isinstance(row, dict)]
        fit = {name for name in names if isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_NAME}
        return tuple(sorted(fit)[:MOST_MODELS])

    async def one_token(self, model: str, models: list[str]) -> None:
        """Have the model write one token."""
        request: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Say OK."}]}
        status, body = await self._ask("POST", "/chat/completions", {**request, "max_tokens": 1})
        if status in {400, 422} and re.search(r"\bmax_tokens\b", json.dumps(body)):  # newer models want another name
            status, body = await self._ask("POST", "/chat/completions", {**request, "max_completion_tokens": 1})
        if status == 404 or _no_such_model(status, body):
            raise _unknown(self._errors.host, model, models, status)
        self._check(status, body)
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not choices:
            raise EndpointError(f"{self._errors.host} sent something that is no chat completion.", CHECK_ADDRESS)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status, and the JSON of the answer; None for an empty or unreadable one that reports a failure."""
        read = bytearray()
        async with self._http.stream(method, self._base + path, json=body) as response:
            async for part in response.aiter_bytes():
                read += part
                if len(read) > MOST_BYTES:
                    raise EndpointError(f"{self._errors.host} sent far more than was asked for.", CHECK_ADDRESS)
        try:
            return response.status_code, json.loads(read)
        except (ValueError, RecursionError):
            if response.is_success:
                kind = "a web page" if read.lstrip()[:1] == b"<" else "something that is no JSON"
                raise EndpointError(f"{self._errors.host} sent {kind}.", CHECK_ADDRESS) from None
            return response.status_code, None

    def _check(self, status: int, body: Any) -> None:
        """Raise what a status means."""
        host, detail = self._errors.host, self._errors.detail(body)
        if 200 <= status < 300:
            return
        if status == 401:
            if not self._keyed:
                raise EndpointError(f"{host} wants a key (401).", "Enter one.")
            raise EndpointError(f"{host} refused the key (401).", "Check the key.")
        if status == 403:
            raise EndpointError(f"{host} denied access (403){detail}.", "Check what the key may be used for.")
        if status == 429:
            raise EndpointBusyError(
                f"{host} limits the rate of requests, or its quota is used up (429){detail}.", LATER
            )
        if 300 <= status < 400:
            raise EndpointError(f"{host} redirects elsewhere ({status}), which is not followed.", CHECK_ADDRESS)
        if status >= 500:
            raise EndpointBusyError(f"{host} failed ({status}){detail}.", LATER)
        raise EndpointError(f"{host} refused the request ({status}){detail}.", "Check the address and the model.")


def _no_such_model(status: int, body: Any) -> bool:
    """Some endpoints say 400 or 422 for it."""
    return status in {400, 422} and bool(re.search(r"model.{0,80}not.{0,3}(found|exist)|model_not_found", str(body)))


def _unknown(host: str, model: str, models: list[str], status: int) -> EndpointError:
    """For a model that cannot be asked, with the name that may have been meant."""
    shown = model if len(model) <= LONGEST_NAME else f"{model[:LONGEST_NAME]}…"
    if model in models:
        return EndpointError(
            f"{host} lists the model “{shown}” but does not chat with it ({status}).", "Choose another."
        )
    message = f"{host} knows no model “{shown}” ({status})."
    if near := difflib.get_close_matches(model, models, n=1, cutoff=0.4):
        return EndpointError(message, f"Did you mean “{near[0]}”?")
    if models:
        return EndpointError(message, f"Choose one of its {len(models)} models.")
    return EndpointError(f"{host} knows no model “{shown}”, or nothing is at this address ({status}).", CHECK_ADDRESS)


def _connection(error: Exception, host: str) -> EndpointError:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        wait = "Check the address, or wait until it has loaded the model."
        return EndpointBusyError(f"{host} did not answer within {PATIENCE_S:.0f} s.", wait)
    if isinstance(error, httpx.ConnectError) and "SSL" in str(error):
        how = "Check its certificate, and whether the address begins with http:// or https://."
        return EndpointError(f"No secure connection to {host}.", how)
    if isinstance(error, httpx.ConnectError):
        return EndpointBusyError(f"No connection to {host}.", "Check that it runs, and the address.")
    if isinstance(error, httpx.HTTPError):
        return EndpointBusyError(f"{host} broke off the connection.", "Check whether the address begins with https://.")
    return EndpointError(f"{host} cannot be asked.", CHECK_ADDRESS)


def _base(settings: Settings) -> str:
    return str(settings.openai_base_url or OPENAI_URL)


def _key(settings: Settings) -> str:
    """The key; empty where there is none.

    Raises:
        EndpointError: there is neither an address nor a key, or it cannot be one.
    """
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    if not key and settings.openai_base_url is None:
        raise EndpointError("No endpoint is set.", "Enter its address, or a key for OpenAI.")
    if not (key.isascii() and key.isprintable()):
        raise EndpointError("The key holds characters that no key has.", "Copy it again.")
    return key
