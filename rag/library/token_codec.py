"""Token vectors to bytes and back: one bit a number, so that those of 100,000 papers take 1.3 GB.

Libraries of earlier versions have a byte a number, and four for each end of a span; they are read
to be checked, exported and restored. None is searched: their fingerprint asks for a rebuild.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.models.interfaces import Spans, Vector

# Byte -> the eight numbers whose signs it has.
SIGNS = np.where(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), 1, -1).astype(np.float32)
TOKENS_VERSION = "signs-1"  # a library holds one kind only: the best match among many is higher among signs
HEADER = 2  # bytes in front: how many numbers a vector has
NO_SPAN = 0xFFFF


def pack_tokens(tokens: Vector) -> tuple[bytes, bytes]:
    """Unit vectors (n, dim) as the signs of their numbers, and the length of each that makes its cosines right.

    What comes back points elsewhere, by a cosine of .8 on average, but its product with any unit vector is that of
    the vector itself give or take .03: "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound
    for Approximate Nearest Neighbor Search".
    """
    signs = np.packbits(tokens > 0, axis=1).tobytes()
    # Of unit vectors one by the sum; written so that packing again what was unpacked changes nothing.
    lengths = np.einsum("ij,ij->i", tokens, tokens) / np.maximum(np.abs(tokens).sum(axis=1), 1e-4)
    return tokens.shape[1].to_bytes(HEADER, "little") + signs, lengths.astype("<f2").tobytes()


def unpack_tokens(packed: Sequence[tuple[bytes, bytes]]) -> list[Vector]:
    """The inverse of `pack_tokens` for many, as views of one array: float32 (n, dim) each.

    One array is six times as fast for a hundred: the system gives and takes back the memory of each middle-sized
    one page by page, but not of a large one.

    Raises:
        ValueError: the bytes are no vectors.
    """
    if not packed:
        return []
    dimensions = {int.from_bytes(signs[:HEADER], "little") for signs, _ in packed}
    if len(dimensions) > 1:
        return [rows for one in packed for rows in unpack_tokens([one])]
    dimension = dimensions.pop()
    lengths = np.frombuffer(b"".join(own for _, own in packed), dtype="<f2").astype(np.float32)
    counts = [len(own) // 2 for _, own in packed]
    width = -(-dimension // 8)
    if any(len(signs) != HEADER + count * width for (signs, _), count in zip(packed, counts, strict=True)):
        raise ValueError("there are not as many token vectors as lengths of them")
    of_rows = np.frombuffer(b"".join(signs[HEADER:] for signs, _ in packed), dtype=np.uint8).reshape(-1, width)
    # `take` without checking indices that cannot be wrong is twenty times as fast as SIGNS[of_rows].
    rows = SIGNS.take(of_rows, axis=0, mode="clip").reshape(-1, 8 * width)[:, :dimension]
    rows *= lengths[:, None]
    return np.split(rows, np.cumsum(counts[:-1]))


def pack_spans(spans: Spans) -> bytes:
    """Spans (n, 2), their ends in two bytes each.

    Raises:
        ValueError: one lies past character 65,534.
    """
    if len(spans) and not -1 <= spans.min() <= spans.max() < NO_SPAN:
        raise ValueError("the span of a token lies too far in its passage")
    return np.where(spans < 0, NO_SPAN, spans).astype("<u2").tobytes()


def unpack_spans(packed: Sequence[bytes]) -> list[Spans]:
    """The inverse of `pack_spans` for many, as views of one array.

    Raises:
        ValueError: the bytes are no spans.
    """
    if any(len(one) % 4 for one in packed):
        raise ValueError("a span is cut off")
    read = np.frombuffer(b"".join(packed), dtype="<u2").reshape(-1, 2).astype(np.int32)
    read[read == NO_SPAN] = -1
    return np.split(read, np.cumsum([len(one) // 4 for one in packed[:-1]], dtype=int)) if packed else []


def is_int8(scales: bytes, spans: bytes) -> bool:
    """Whether an earlier version stored this: its spans are twice as long."""
    return len(scales) > 0 and len(spans) == 4 * len(scales)


def unpack_int8(levels: bytes, scales: bytes, spans: bytes) -> tuple[Vector, Spans]:
    """Token vectors and spans as earlier versions stored them: int8 with a float16 scale for each row.

    Raises:
        ValueError: the bytes are no vectors.
    """
    steps = np.frombuffer(scales, dtype="<f2").astype(np.float32)
    rows = np.frombuffer(levels, dtype=np.int8).reshape(len(steps), -1).astype(np.float32)
    return rows * steps[:, None], np.frombuffer(spans, dtype="<i4").reshape(-1, 2).astype(np.int32, copy=False)
