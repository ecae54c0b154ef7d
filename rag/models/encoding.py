"""What embedders share: texts of like length together, unit vectors, and where tokens stand in their text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rag.models.interfaces import Vector


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places of texts of these many tokens, longest first, in batches of at most `budget` tokens, padding counted.

    A text over the budget is a batch of its own. With the longest first, threads that share the batches
    out end at about the same time.
    """
    made: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if not made or (len(made[-1]) + 1) * lengths[made[-1][0]] > budget:
            made.append([])
        made[-1].append(at)
    return made


def unit(rows: Vector) -> Vector:
    """Rows of length 1; one of nothing but zeros stays so."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def spans(offsets: npt.NDArray[np.int32], prompt: int) -> npt.NDArray[np.int32]:
    """Offsets (n, 2) in prompt and text -> in the text; (-1, -1) for tokens that stand for none of it."""
    moved = offsets - np.int32(prompt)
    moved[(offsets[:, 1] <= offsets[:, 0]) | (moved[:, 0] < 0)] = -1
    return moved
