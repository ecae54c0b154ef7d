"""Vectors to bytes and back: the passage vector exact, its token vectors in a quarter of the room."""

from __future__ import annotations

import hashlib

import numpy as np

from rag.models.interfaces import Encoded, Vector

MAX_INT8 = 127.0


def text_key(title: str, text: str) -> str:
    """Hash of what a passage's embedding depends on; equal key (and fingerprint), equal embedding."""
    return hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()


def pack_vector(vector: Vector) -> bytes:
    """A vector (dim,) as little-endian float32: exact."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def unpack_vector(blob: bytes) -> Vector:
    """The inverse of `pack_vector`."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32, copy=False)


def pack_tokens(tokens: Vector) -> tuple[bytes, bytes]:
    """Token vectors (n, dim) as int8 with a float16 scale per row: every value is off by at most half a step.

    The step is the row's largest magnitude / 127, rounded up to a float16 so that nothing is clipped.
    """
    rows = np.asarray(tokens, dtype=np.float32)
    peak = np.abs(rows).max(axis=1, initial=0.0) / MAX_INT8
    scales = peak.astype(np.float16)
    # The tolerance makes packing again what was unpacked change nothing.
    scales = np.where(scales.astype(np.float32) < peak * (1 - 1e-6), np.nextafter(scales, np.float16(np.inf)), scales)
    steps = np.where(scales > 0, scales, np.float16(1)).astype(np.float32)
    levels = np.rint(rows / steps[:, None]).astype(np.int8)
    return levels.tobytes(), scales.astype("<f2").tobytes()


def unpack_tokens(levels: bytes, scales: bytes, dimension: int) -> Vector:
    """The inverse of `pack_tokens`: float32 (n, dim), each row's length within 1 % of what was packed."""
    steps = np.frombuffer(scales, dtype="<f2").astype(np.float32)
    rows = np.frombuffer(levels, dtype=np.int8).reshape(len(steps), dimension)
    return rows.astype(np.float32) * steps[:, None]


def pack_spans(spans: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> bytes:
    """Token spans (n, 2) as little-endian int32."""
    return np.ascontiguousarray(spans, dtype="<i4").tobytes()


def unpack(vector: bytes, levels: bytes, scales: bytes, spans: bytes) -> Encoded:
    """One stored embedding as the embedder gave it, its token vectors within the int8 step."""
    dense = unpack_vector(vector)
    return Encoded(
        vector=dense,
        tokens=unpack_tokens(levels, scales, len(dense)),
        spans=np.frombuffer(spans, dtype="<i4").reshape(-1, 2).astype(np.int32, copy=False),
    )
