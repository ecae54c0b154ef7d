"""What is stored of embeddings and full texts, to bytes and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from rag.library.token_codec import is_int8, pack_spans, pack_tokens, unpack_int8, unpack_spans, unpack_tokens
from rag.models.interfaces import Encoded, Vector
from rag.papers import Body, Part

Blobs = tuple[bytes, bytes, bytes, bytes]
"""A stored embedding: `vector, levels, scales, spans`; the token vectors are `levels` times `scales`."""


def text_key(title: str, text: str) -> str:
    """Hash of what a passage's embedding depends on; equal key (and fingerprint), equal embedding."""
    return hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()


def pack_vector(vector: Vector) -> bytes:
    """A vector (dim,) as little-endian float32: exact."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def unpack_vector(blob: bytes) -> Vector:
    """The inverse of `pack_vector`."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32, copy=False)


def pack_parts(parts: Sequence[Part]) -> str:
    """The parts of a full text as JSON: [[start, section, page], ...]."""
    return json.dumps([[part.start, part.section, part.page] for part in parts], ensure_ascii=False)


def unpack_body(text: str, parts: str) -> Body:
    """A full text as it was stored, its parts from `pack_parts`."""
    return Body(text, tuple(Part(*part) for part in json.loads(parts)))


def pack(encoded: Encoded) -> Blobs:
    """What is stored of an embedding: the passage's vector exact, its token vectors by their signs."""
    levels, scales = pack_tokens(encoded.tokens)
    return pack_vector(encoded.vector), levels, scales, pack_spans(encoded.spans)


def unpack_all(rows: Sequence[Blobs]) -> list[Encoded]:
    """The inverse of `pack` for many rows, which is faster than one after the other.

    Raises:
        ValueError: the bytes are no embedding.
    """
    is_new = [bool(levels) and not is_int8(scales, spans) for _, levels, scales, spans in rows]
    new = [row for row, yes in zip(rows, is_new, strict=True) if yes]
    tokens, spans = iter(unpack_tokens([row[1:3] for row in new])), iter(unpack_spans([row[3] for row in new]))
    return [
        Encoded(unpack_vector(row[0]), next(tokens), next(spans)) if yes else _unpacked_int8(*row)
        for row, yes in zip(rows, is_new, strict=True)
    ]


def belong(encoded: Encoded) -> bool:
    """Whether there is a token vector for each span, as long as the passage's or longer, where that is a prefix."""
    tokens = encoded.tokens
    return tokens.ndim == 2 and len(tokens) == len(encoded.spans) and tokens.shape[1] >= len(encoded.vector)


def _unpacked_int8(vector: bytes, levels: bytes, scales: bytes, spans: bytes) -> Encoded:
    whole = unpack_vector(vector)
    if not levels:
        return Encoded(whole, np.zeros((0, len(whole)), dtype=np.float32), *unpack_spans([spans]))
    return Encoded(whole, *unpack_int8(levels, scales, spans))
