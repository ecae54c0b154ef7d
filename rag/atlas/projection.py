"""Vectors to places in the plane, so that papers about the same stand close together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.models.interfaces import Vector

AT_MOST = 2000  # papers that t-SNE lays out: 6 s on one core; the others are placed among these
FEW = 8  # fewer papers than this have no neighbourhoods; their principal components say all there is
PERPLEXITY = 30.0  # neighbours that a paper is drawn to: t-SNE's usual value
SEED = 0
NEIGHBOURS = 5  # laid-out papers among which another is placed
SHARPNESS = 30.0  # how much more the nearest counts; cosines of neighbours differ by some hundredths
JITTER = 0.01  # of the map's half width: keeps papers with the same neighbours apart
BLOCK = 1000  # papers compared at once: 16 MB of cosines
START = 1e-4  # the spread from which t-SNE unfolds, as its authors advise

Indices = NDArray[np.intp]


def sample(paper_ids: Sequence[str], at_most: int = AT_MOST) -> Indices:
    """Which papers (indices, ascending) stand for all: by hash, so that a new paper changes the choice little."""
    if len(paper_ids) <= at_most:
        return np.arange(len(paper_ids))
    order = sorted(range(len(paper_ids)), key=lambda i: hashlib.sha256(paper_ids[i].encode()).digest())
    return np.sort(np.array(order[:at_most]))


def project(vectors: Vector, chosen: Indices) -> Vector:
    """Places (n, 2) within [-1, 1] of unit vectors (n, dim): `chosen` rows laid out, the others placed among them.

    The same vectors give the same places.
    """
    places: Vector = np.zeros((len(vectors), 2), dtype=np.float32)
    if not len(vectors):
        return places
    places[chosen] = _laid_out(vectors[chosen])
    others = np.setdiff1d(np.arange(len(vectors)), chosen)
    for start in range(0, len(others), BLOCK):
        rows = others[start : start + BLOCK]
        places[rows] = _among(vectors[rows], vectors[chosen], places[chosen])
    if len(others):
        places[others] += np.random.default_rng(SEED).normal(scale=JITTER, size=(len(others), 2))
    return np.clip(places, -1.0, 1.0)


def placed(vectors: Vector, known: Vector, places: Vector) -> tuple[Vector, Indices]:
    """Places (n, 2) of unit vectors (n, dim) among `known` ones with their `places`, and which known is the nearest."""
    found: Vector = np.zeros((len(vectors), 2), dtype=np.float32)
    nearest = np.zeros(len(vectors), dtype=np.intp)
    for start in range(0, len(vectors), BLOCK):
        rows = slice(start, start + BLOCK)
        found[rows] = _among(vectors[rows], known, places)
        nearest[rows] = (vectors[rows] @ known.T).argmax(axis=1)
    found += np.random.default_rng(SEED).normal(scale=JITTER, size=found.shape)
    return np.clip(found, -1.0, 1.0), nearest


def _laid_out(vectors: Vector) -> Vector:
    first = _principal(vectors)
    spread = float(first[:, 0].std())
    if spread < 1e-6:  # all papers are alike: a sunflower, in which each has room
        return _scaled(_sunflower(len(vectors)))
    if len(vectors) < FEW:
        return _scaled(first)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    unfold = TSNE(init=first / spread * START, perplexity=perplexity, random_state=SEED, n_jobs=1)
    return _scaled(unfold.fit_transform(vectors))


def _principal(vectors: Vector) -> Vector:
    """The first two principal components (n, 2), signs fixed by each axis's largest weight."""
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(np.take_along_axis(axes[:2], np.abs(axes[:2]).argmax(axis=1)[:, None], axis=1))
    places = np.zeros((len(vectors), 2), dtype=np.float32)
    places[:, : len(axes)] = centred @ axes.T
    return places


def _sunflower(n: int) -> Vector:
    turn = np.arange(n) * np.pi * (3 - 5**0.5)
    away = np.sqrt(np.arange(n) / max(n - 1, 1))
    return np.stack([away * np.cos(turn), away * np.sin(turn)], axis=1).astype(np.float32)


def _scaled(places: Vector) -> Vector:
    """Centred, each axis to [-1, 1]: distances along one axis stay comparable, and no room is lost."""
    low, high = places.min(axis=0), places.max(axis=0)
    scaled: Vector = ((places - (low + high) / 2) / np.maximum((high - low) / 2, 1e-12)).astype(np.float32)
    return scaled


def _among(vectors: Vector, laid_out: Vector, places: Vector) -> Vector:
    """The weighted mean of the nearest laid-out papers' places."""
    cosines = vectors @ laid_out.T
    k = min(NEIGHBOURS, len(laid_out))
    near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    close = np.take_along_axis(cosines, near, axis=1)
    weights = np.exp(SHARPNESS * (close - close.max(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    mean: Vector = (weights[:, :, None] * places[near]).sum(axis=1).astype(np.float32)
    return mean
