"""Late interaction as a llama-index postprocessor."""

# ruff: noqa: TID253  (subclasses of llama-index's classes; no command imports this module)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from rag.chunking import SPECIAL_TOKENS, chunk
from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder, Vector
from rag.models.reranker import LateInteraction
from rag.papers import Paper
from rag.settings import load_settings


class PaperReranker(BaseNodePostprocessor):
    """The `top_n` nodes that fit the question best, by `LateInteraction` over our embedder's token vectors.

    Nodes may come from any retriever. They are encoded here, at about 40 ms a passage on two cores, so
    hand over tens, not thousands.
    """

    top_n: int = Field(default=5, ge=1, description="How many nodes are kept.")
    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder | None = None, *, top_n: int = 5, **fields: Any) -> None:
        """Without `embedder` the configured one is loaded.

        Raises:
            ModelError: the configured embedder is missing.
        """
        super().__init__(top_n=top_n, **fields)
        self._embedder = embedder or load_embedder(load_settings())

    @classmethod
    def class_name(cls) -> str:
        """The name that llama-index serialises it under."""
        return "PaperReranker"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        """New scores in [-1, 1], best first; the given nodes keep theirs."""
        if query_bundle is None:
            raise ValueError("PaperReranker needs the question: pass query_str or query_bundle")
        if not nodes:
            return []
        question = query_bundle.query_str
        texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
        encoded = self._embedder.encode([question], query=True)[0]
        scores = LateInteraction().score(question, encoded, texts, self._tokens(texts))
        best = sorted(range(len(nodes)), key=lambda i: -float(scores[i]))[: self.top_n]
        return [NodeWithScore(node=nodes[i].node, score=float(scores[i])) for i in best]

    def _tokens(self, texts: Sequence[str]) -> list[Vector]:
        """The token vectors of each text, from as many windows of the embedder as it fills."""
        windows = [self._windows(text) for text in texts]
        encoded = iter(self._embedder.encode([piece for pieces in windows for piece in pieces]))
        return [np.concatenate([next(encoded).tokens for _ in pieces]) for pieces in windows]

    def _windows(self, text: str) -> list[str]:
        count, window = self._embedder.count_tokens, self._embedder.max_tokens
        if count([text])[0] + SPECIAL_TOKENS <= window:
            return [text]
        return [passage.text for passage in chunk(Paper("", "", text), count, window=window)]
