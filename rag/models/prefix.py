"""Vectors cut to a prefix, for models whose first numbers say most ("Matryoshka" models).

Of other models a prefix finds much less: of the bundled one 4 to 6 points of nDCG@10 are lost at 128 of 384
dimensions (docs/retrieval-notes.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import ModelError
from rag.models.encoding import unit
from rag.models.interfaces import Embedder, Encoded

Found = TypeVar("Found", dict[str, Any], list[Any])
LEAST = 16  # dimensions; fewer find next to nothing in any model
LENGTHS = ("out_features", "embedding_dimension", "word_embedding_dimension")  # what Dense and Pooling call it
HIDDEN = ("hidden_size", "dim", "d_model")  # and transformers


class PrefixEmbedder:
    """An embedder whose vectors are cut to their first `dimension` numbers, and have unit length again.

    Token vectors stay whole, so reranking and grounding lose nothing by it.
    """

    def __init__(self, whole: Embedder, dimension: int) -> None:
        self._whole = whole
        self.dimension = dimension

    @property
    def fingerprint(self) -> str:
        """That of the whole, and the length: a library holds vectors of one length."""
        return f"{self._whole.fingerprint}:{self.dimension}d"

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special ones included."""
        return self._whole.max_tokens

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, as documents or as questions; cut at `max_tokens`.

        Raises:
            ModelError: the model's vectors are shorter than the prefix.
        """
        return [self._cut(one) for one in self._whole.encode(texts, query=query)]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones; nothing is cut."""
        return self._whole.count_tokens(texts)

    def _cut(self, encoded: Encoded) -> Encoded:
        if len(encoded.vector) < self.dimension:  # of a folder that does not say how long they are
            raise _unfit(self.dimension, self._whole.fingerprint, len(encoded.vector))
        return replace(encoded, vector=unit(encoded.vector[: self.dimension]))


def prefix_wanted(folder: Path, configured: int | None) -> int | None:
    """How many numbers of the vectors of the model in `folder` are kept; None means all of them.

    What the user `configured` goes before what the folder itself says (`truncate_dim`).

    Raises:
        ModelError: more are configured than there are, or fewer than 16.
    """
    length = vector_length(folder)
    if configured is None:
        own = _read(folder / "config_sentence_transformers.json", dict).get("truncate_dim")
        return own if type(own) is int and 0 < own < (length or own + 1) else None
    if configured < LEAST or (length and configured > length):
        raise _unfit(configured, str(folder), length)
    return None if configured == length else configured


def vector_length(folder: Path) -> int | None:
    """How many numbers the whole vectors of the model in `folder` have, by its configuration; None if that is silent.

    The last module that says so has the word: a Dense layer's output counts, not the transformer's.
    """
    modules = _read(folder / "modules.json", list)
    paths = [str(module.get("path", "")) for module in modules if isinstance(module, dict)]
    for path in [*reversed(paths), ""]:
        found = _read(folder / path / "config.json", dict)
        for name in LENGTHS if path else HIDDEN:
            if isinstance(length := found.get(name), int) and length > 0:
                return length
    return None


def _unfit(wanted: int, model: str, length: int | None) -> ModelError:
    has = f"vectors of {length} numbers" if length else "vectors of a length that its folder does not tell"
    most = f" to {length}" if length else " or more"
    return ModelError(
        f"PAPERCHAT_EMBEDDER_DIMENSIONS is {wanted}, but the embedder {model} has {has}.",
        f"Set it to {LEAST}{most}, or leave it empty for the model's own.",
    )


def _read(file: Path, kind: type[Found]) -> Found:
    """What a JSON file holds; nothing where it is not there or of another kind: what loads the model tells of that."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return kind()
    return found if isinstance(found, kind) else kind()
