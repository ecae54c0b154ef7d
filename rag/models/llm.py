"""Which language model answers: the one place where settings become a `Generator`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import SettingsError
from rag.models.endpoint_errors import ErrorTranslator
from rag.models.interfaces import Generator, Message, Piece
from rag.models.local_llm import LocalGenerator, bundled_gguf
from rag.models.openai_llm import OPENAI_URL, Endpoint, OpenAIGenerator
from rag.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

# On two cores SmolLM2 reads about 350 tokens a second: more would delay the first words beyond 3 s.
LOCAL_CONTEXT_TOKENS = 600
# Instructions, question and the chat template, beside passages and answer.
PROMPT_OVERHEAD = 1200


def make_generator(settings: Settings, answerer: Literal["openai", "local"]) -> Generator:
    """The model behind `answerer`. Nothing is read or sent before its first use.

    Raises:
        SettingsError: `openai` is asked for and neither a URL nor a key is set.
        ModelError: the bundled local model is not installed.
    """
    return _endpoint(settings) if answerer == "openai" else _local(settings)


def context_budget(settings: Settings, answerer: Literal["openai", "local"]) -> int:
    """How many tokens of passages the model should get."""
    if answerer == "local" and settings.local_model is None:
        return min(settings.context_tokens, LOCAL_CONTEXT_TOKENS)
    return settings.context_tokens


def as_generator(llm: Generator | LLM) -> Generator:
    """A llama-index `LLM` as a `Generator`; a `Generator` as it is."""
    given: Any = llm
    generator: Generator = LlamaIndexGenerator(given) if hasattr(given, "stream_chat") else given
    return generator


def _endpoint(settings: Settings) -> OpenAIGenerator:
    key = settings.openai_api_key
    if settings.openai_base_url is None and key is None:
        raise SettingsError(
            "The openai answerer needs an endpoint, and none is configured.",
            "Set OPENAI_BASE_URL (Ollama, vLLM, llama-server) or OPENAI_API_KEY, or use `--answerer quotes`.",
        )
    if key is not None and not (key.get_secret_value().isascii() and key.get_secret_value().isprintable()):
        raise SettingsError("OPENAI_API_KEY holds characters that no key has.", "Copy the key again.")
    return OpenAIGenerator(
        Endpoint(
            base_url=str(settings.openai_base_url or OPENAI_URL),
            model=settings.openai_model,
            key=key,
            timeout_s=settings.timeout_s,
            retries=settings.retries,
        )
    )


def _local(settings: Settings) -> LocalGenerator:
    n_ctx = context_budget(settings, "local") + settings.answer_tokens + PROMPT_OVERHEAD
    return LocalGenerator(settings.local_model or bundled_gguf(), n_ctx=n_ctx)


class LlamaIndexGenerator:
    """Any llama-index `LLM` as a `Generator`; its own settings decide about temperature and length."""

    structured = False  # each of its LLMs asks for a schema in its own way

    def __init__(self, llm: LLM) -> None:
        self._llm = llm
        self.model = str(llm.metadata.model_name)

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancelled: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """Stream the chat; `max_tokens` bounds what is taken, counted in pieces.

        `cancelled` is looked at between two pieces: llama-index has no way to stop a silent one.

        Raises:
            EndpointError: the LLM's own client failed.
        """
        import httpx
        import openai
        from llama_index.core.llms import ChatMessage

        errors = ErrorTranslator(type(self._llm).__name__, self.model, "")
        chat = [ChatMessage(role=m.role, content=m.content) for m in messages]
        try:
            responses = self._llm.stream_chat(chat, **options)
            for n, response in enumerate(responses, start=1):
                if cancelled and cancelled.is_set():
                    return
                if response.delta:
                    yield Piece(response.delta)
                if n >= max_tokens:
                    yield Piece(finish_reason="length")
                    return
            yield Piece(finish_reason="stop")
            return
        except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
            failure = errors.translate(error)
        raise failure
