"""The general embedder: any sentence-transformers model with a transformer in it, by torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag import offline as _offline  # noqa: F401  (HF_HUB_OFFLINE must be set before the import below)
from rag.errors import ModelError
from rag.models.encoding import batches, spans, unit
from rag.models.interfaces import Encoded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUDGET = 2048  # tokens in a batch: torch works on a whole batch with all its threads


class TorchEmbedder:
    """A sentence-transformers model by folder, on the CPU.

    One lock guards the model: torch modules are shared between the threads of the chat.
    """

    def __init__(self, folder: Path, fingerprint: str, *, bundled: bool = False) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self._bundled = bundled
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special ones included."""
        return int(self.model.max_seq_length or 512)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, in batches of like length."""
        lengths = [min(n, self.max_tokens) for n in self.count_tokens(texts)]
        encoded: dict[int, Encoded] = {}
        with self._lock:
            for batch in batches(lengths, BUDGET):
                encoded.update(zip(batch, self._encode_batch([texts[i] for i in batch], query), strict=True))
        return [encoded[i] for i in range(len(texts))]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones; nothing is cut."""
        if not texts:
            return []
        with self._lock:
            batch = self.model.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in batch["input_ids"]]

    def prompt(self, query: bool) -> str:
        """What the model wants in front of a question, or of a document."""
        return self.model.prompts.get("query" if query else "document") or ""

    def _encode_batch(self, texts: list[str], query: bool) -> list[Encoded]:
        import torch

        prompt = self.prompt(query)
        inputs: Any = self.model.tokenizer(
            [prompt + text for text in texts],
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
            return_offsets_mapping=True,
        )
        offsets = inputs.pop("offset_mapping").numpy().astype(np.int32)
        with torch.inference_mode():
            output = self.model(dict(inputs))
        vectors = unit(output["sentence_embedding"].numpy())
        tokens = output["token_embeddings"].numpy()
        kept = inputs["attention_mask"].numpy().astype(bool)
        return [
            Encoded(vectors[i], unit(tokens[i][kept[i]]), spans(offsets[i][kept[i]], len(prompt)))
            for i in range(len(texts))
        ]

    @cached_property
    def model(self) -> SentenceTransformer:
        """The model itself.

        Raises:
            ModelError: it cannot be read.
        """
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # a bar of 0.1 s would be drawn into the terminal's answer
        try:
            if not self._bundled:
                model = SentenceTransformer(str(self.folder), device="cpu", local_files_only=True)
                model.truncate_dim = None  # left to PrefixEmbedder: a setting goes before what the folder says
                return model
            # The package lacks the empty 2_Normalize folder that its modules.json names.
            transformer = Transformer(str(self.folder), max_seq_length=256)
            pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
            return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The embedder in {self.folder} cannot be read: {error}", "Check PAPERCHAT_EMBEDDER."
            ) from error
