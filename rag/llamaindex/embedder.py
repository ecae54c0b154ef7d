"""Any llama-index embedding as our embedder: one vector a text, where ours has its tokens' too."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import SettingsError
from rag.models.endpoint_errors import ErrorTranslator
from rag.models.interfaces import Encoded, Vector
from rag.models.tokens import count_tokens
from rag.terms import TERM_PATTERN

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

UNNAMED = "unknown"  # llama-index's name of a model that was given none
NOWHERE = (-1, -1)
_WORD = re.compile(TERM_PATTERN)


class LlamaIndexEmbedder:
    """A llama-index `BaseEmbedding` as an `Embedder`: give it to `ingest` and to `Paperchat`.

    llama-index knows no token vectors, so the text's one vector stands in their place; in a question it
    stands for each word. Late interaction becomes the cosine of question and passage, and within a passage
    sentences are chosen by their words alone. With all-MiniLM-L6-v2 behind this door that cost 2 right answers
    of 45 on the development questions and no right refusal of 13; a vector for each sentence cost 5, and twice
    the time. The relevance below which paperchat refuses was set with that model: measure another's
    refusals before relying on them.
    """

    def __init__(self, embedding: BaseEmbedding, *, max_tokens: int = 256) -> None:
        """`max_tokens` is the model's window, which llama-index does not tell.

        Raises:
            SettingsError: the embedding has no `model_name`, so that a library built with it could not
                be told from one built with another.
        """
        kind, model = type(embedding).__name__, embedding.model_name
        if model in {"", UNNAMED}:
            raise SettingsError(
                f"The llama-index embedding {kind} has no model_name.",
                "Pass model_name=... when making it; the library is marked with it.",
            )
        self.fingerprint = f"llama-index:{kind}:{model}"
        self.max_tokens = max_tokens
        self._embedding = embedding
        self._lock = threading.Lock()
        self._errors = ErrorTranslator(kind, model, str(getattr(embedding, "api_key", None) or ""))

    @cached_property
    def dimension(self) -> int:
        """Length of a vector, found by embedding a word."""
        return int(self._vectors(["dimension"], query=False).shape[1])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens as tiktoken counts them, with a margin: the model's own tokenizer is not known."""
        return [count_tokens(text) for text in texts]

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given; the model itself decides what it cuts.

        Raises:
            EndpointError: the embedding's own client failed.
        """
        if not texts:
            return []
        vectors = self._vectors(texts, query)
        return [_encoded(text if query else "", vector) for text, vector in zip(texts, vectors, strict=True)]

    def _vectors(self, texts: Sequence[str], query: bool) -> Vector:
        """Unit vectors (n, dim)."""
        import httpx
        import openai

        try:
            with self._lock:
                if query:
                    rows = [self._embedding.get_query_embedding(text) for text in texts]
                else:
                    rows = self._embedding.get_text_embedding_batch(list(texts))
        except (openai.OpenAIError, httpx.HTTPError) as error:
            failure = self._errors.translate(error)
        else:
            found = np.asarray(rows, dtype=np.float32)
            return np.asarray(found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12), np.float32)
        # Outside of `except`: the client's own error may hold a key, and must not come along as context.
        raise failure


def _encoded(text: str, vector: Vector) -> Encoded:
    """The vector as a row that stands for no word, and once more for each word of `text`."""
    spans = [NOWHERE, *(found.span() for found in _WORD.finditer(text))]
    return Encoded(vector, np.repeat(vector[None, :], len(spans), axis=0), np.array(spans, dtype=np.int32))
