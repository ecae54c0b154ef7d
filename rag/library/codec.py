"""Vectors to bytes and back: the passage vector exact, its token vectors in a quarter of the room."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from rag.models.interfaces import Encoded, Vector
from rag.papers import Body, Part

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
    unpacked: Vector = rows.astype(np.float32)
    unpacked *= steps[:, None]
    return unpacked


def pack_spans(spans: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> bytes:
    """Token spans (n, 2) as little-endian int32."""
    return np.ascontiguousarray(spans, dtype="<i4").tobytes()


def pack_parts(parts: Sequence[Part]) -> str:
    """The parts of a full text as JSON: [[start, section, page], ...]."""
    return json.dumps([[part.start, part.section, part.page] for part in parts], ensure_ascii=False)


def unpack_body(text: str, parts: str) -> Body:
    """A full text as it was stored, its parts from `pack_parts`."""
    return Body(text, tuple(Part(*part) for part in json.loads(parts)))


def unpack(vector: bytes, levels: bytes, scales: bytes, spans: bytes) -> Encoded:
    """One stored embedding as the embedder gave it, its token vectors within the int8 step."""
    return Encoded(
        vector=unpack_vector(vector),
        tokens=unpack_tokens(levels, scales, _token_length(vector, levels, scales)),
        spans=_unpack_spans(spans),
    )


def unpack_all(rows: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> list[Encoded]:
    """`unpack` of each row (vector, levels, scales, spans), as views of one array: six times as fast for a hundred.

    The system gives and takes back the memory of each middle-sized array page by page, but not of a large one.
    """
    if not rows:
        return []
    counts = [len(scales) // 2 for _, _, scales, _ in rows]
    dimension = max(_token_length(*row[:3]) for row in rows)
    if any(len(row[1]) != count * dimension for row, count in zip(rows, counts, strict=True)):
        return [unpack(*row) for row in rows]
    tokens = unpack_tokens(b"".join(row[1] for row in rows), b"".join(row[2] for row in rows), dimension)
    ends = list(accumulate(counts))
    return [
        Encoded(vector=unpack_vector(row[0]), tokens=tokens[end - count : end], spans=_unpack_spans(row[3]))
        for row, count, end in zip(rows, counts, ends, strict=True)
    ]


def belong(encoded: Encoded) -> bool:
    """Whether there is a token vector for each span, as long as the passage's or longer, where that is a prefix."""
    tokens = encoded.tokens
    return tokens.ndim == 2 and len(tokens) == len(encoded.spans) and tokens.shape[1] >= len(encoded.vector)


def _token_length(vector: bytes, levels: bytes, scales: bytes) -> int:
    """How many numbers a token's vector has: as many as the passage's, or more where that is cut to a prefix."""
    return max(len(vector) // 4, len(levels) // (len(scales) // 2) if len(scales) > 1 else 0)


def _unpack_spans(spans: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.frombuffer(spans, dtype="<i4").reshape(-1, 2).astype(np.int32, copy=False)
