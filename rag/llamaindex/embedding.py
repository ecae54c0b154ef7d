"""Our embedder as a llama-index embedding."""

# ruff: noqa: TID253  (subclasses of llama-index's classes; no command imports this module)

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import PrivateAttr

from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder
from rag.settings import load_settings

BATCH = 64


class PaperEmbedding(BaseEmbedding):
    """Unit vectors of paperchat's embedder, for `VectorStoreIndex` and all else that takes an `embed_model`.

    A text longer than the embedder's window (256 tokens with the bundled model) is cut, as llama-index
    embeddings do: split documents into nodes of at most 200 tokens first.
    """

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder | None = None, *, embed_batch_size: int = BATCH, **fields: Any) -> None:
        """Without `embedder` the configured one is loaded. `model_name` is the embedder's fingerprint.

        Raises:
            ModelError: the configured embedder is missing.
        """
        chosen = embedder or load_embedder(load_settings())
        super().__init__(embed_batch_size=embed_batch_size, **{"model_name": chosen.fingerprint, **fields})
        self._embedder = chosen

    @classmethod
    def class_name(cls) -> str:
        """The name that llama-index serialises it under."""
        return "PaperEmbedding"

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._vectors([query], query=True)[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._vectors([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._vectors(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _vectors(self, texts: list[str], *, query: bool = False) -> list[Embedding]:
        return [[float(x) for x in encoded.vector] for encoded in self._embedder.encode(texts, query=query)]
