"""Rerankers: late interaction over the embedder's own token vectors, or any CrossEncoder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag import offline as _offline  # noqa: F401  (HF_HUB_OFFLINE must be set before the import below)
from rag.errors import ModelError
from rag.models.interfaces import Encoded, Reranker, Vector

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


LINEAR = "linear"  # late interaction, weighed with a paper's other signals
IN_PROCESS = (LINEAR, "late-interaction")


def load_reranker(name: str) -> Reranker | None:
    """The configured reranker: `linear`, `late-interaction`, `none` (None), or a CrossEncoder by folder or name."""
    if name == "none":
        return None
    return LateInteraction(name) if name in IN_PROCESS else CrossEncoderReranker(name)


class LateInteraction:
    """Mean over the question's tokens of the best cosine with any token of the passage.

    "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction over
    BERT", with the token vectors of a plain sentence embedder, stored at ingestion.
    """

    def __init__(self, name: str = "late-interaction") -> None:
        self.name = name

    def score(self, question: str, question_encoded: Encoded, texts: Sequence[str], tokens: Sequence[Vector]) -> Vector:
        """MaxSim (n,) in [-1, 1]; a passage without tokens gets 0."""
        asked = question_encoded.tokens
        return np.array(
            [float((asked @ passage.T).max(axis=1).mean()) if len(passage) else 0.0 for passage in tokens],
            dtype=np.float32,
        )


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder; reads question and passage together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()

    def score(self, question: str, question_encoded: Encoded, texts: Sequence[str], tokens: Sequence[Vector]) -> Vector:
        """The model's own scores (n,)."""
        with self._lock:
            scores = self._model.predict([(question, text) for text in texts], show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32).reshape(len(texts), -1)[:, -1]

    @cached_property
    def _model(self) -> CrossEncoder:
        from sentence_transformers import CrossEncoder

        try:
            model: CrossEncoder = CrossEncoder(self.name, device="cpu", local_files_only=Path(self.name).exists())
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The reranker {self.name} cannot be read: {error}",
                "Set PAPERCHAT_RERANKER to linear, late-interaction, none, or the folder of a CrossEncoder.",
            ) from error
        return model
