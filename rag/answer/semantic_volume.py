"""How far sampled answers differ: the volume that their embeddings span.

"Semantic Volume: Quantifying and Detecting both External and Internal Uncertainty in LLMs" takes
the log-determinant of the Gram matrix of unit vectors, with a jitter that keeps it finite.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

import numpy as np

from rag.answer.plaintext import whole_text
from rag.errors import EndpointError, ModelError
from rag.models.interfaces import Embedder, Generator, Message, Vector

log = logging.getLogger(__name__)

JITTER = 1e-3
POLL_S = 0.05  # between two looks at whether somebody has pressed Stop
_CITED = re.compile(r"\s*\[[^\[\]]*\]")


def semantic_volume(vectors: Vector) -> float:
    """log det(V Vᵀ + jitter) of vectors (n, dim), scaled to unit length.

    About 0 for orthogonal vectors; each vector that repeats another adds about log(jitter).
    """
    if not len(vectors):
        return 0.0
    wide = np.asarray(vectors, dtype=np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return float(np.linalg.slogdet(unit @ unit.T + JITTER * np.eye(len(unit)))[1])


def consistency(volume: float, n: int) -> float:
    """A volume of `n` vectors on a scale from 0 (all orthogonal) to nearly 1 (all equal).

    The geometric mean of the Gram matrix's eigenvalues is taken from one, so that it means the
    same whatever `n` is.
    """
    return min(1.0, max(0.0, 1 - math.exp(volume / n))) if n > 1 else 1.0


def sample_answers(
    messages: Sequence[Message],
    generator: Generator,
    n: int,
    max_tokens: int,
    cancelled: threading.Event | None = None,
) -> list[str]:
    """`n` answers at temperature 1 with seeds 1 to n, asked for together; citations and thinking left out.

    Once `cancelled` is set they end where they are; so they do when one fails, or on Ctrl-C.

    Raises:
        EndpointError, ModelError: one of the requests failed.
    """

    stop = threading.Event()  # an own one: the caller's would say that the person has pressed Stop

    def sample(seed: int) -> str:
        pieces = generator.stream(messages, max_tokens=max_tokens, cancelled=stop, temperature=1.0, seed=seed)
        return " ".join(_CITED.sub("", whole_text(pieces)).split())

    if n < 1:
        return []
    with ThreadPoolExecutor(n, thread_name_prefix="paperchat-sample") as pool:
        futures = [pool.submit(sample, seed) for seed in range(1, n + 1)]
        try:
            _wait(futures, stop, cancelled)
            return [future.result() for future in futures]
        finally:
            stop.set()


def _wait(futures: Sequence[Future[str]], stop: threading.Event, cancelled: threading.Event | None) -> None:
    """Until all are done, or the first fails, whose error comes through; `cancelled` is passed on to `stop`."""
    pending: set[Future[str]] = set(futures)
    while pending:
        if cancelled and cancelled.is_set():
            stop.set()
        done, pending = wait(futures, POLL_S, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()


def agreement(answers: Sequence[str], embedder: Embedder) -> dict[str, float]:
    """How far answers agree: `samples`, their `semantic_volume`, and `consistency` in [0, 1].

    Nothing where fewer than two of them say anything.
    """
    said = [answer for answer in answers if answer]
    if len(said) < 2:
        return {}
    volume = semantic_volume(np.stack([encoded.vector for encoded in embedder.encode(said)]))
    signals = {"semantic_volume": volume, "consistency": consistency(volume, len(said))}
    return {"samples": float(len(said)), **{name: round(value, 4) for name, value in signals.items()}}


def sampled_signals(
    messages: Sequence[Message],
    generator: Generator,
    embedder: Embedder,
    n: int,
    max_tokens: int,
    cancelled: threading.Event | None = None,
) -> dict[str, float]:
    """How far `n` sampled answers agree, as signals of the answer that was given.

    That answer has been shown, so a model that fails now costs only the signals: `samples` is 0.
    """
    try:
        return agreement(sample_answers(messages, generator, n, max_tokens, cancelled), embedder)
    except (EndpointError, ModelError) as error:
        log.warning("Answers could not be sampled: %s", error)
        return {"samples": 0.0}
