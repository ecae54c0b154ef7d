"""The volume of sampled answers: by hand, its invariances, and how samples are taken from a model."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from fake_llm import ScriptedGenerator
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from library_helpers import HashEmbedder
from patience import soon

import rag.answer.semantic_volume as semantic_volume_module
from rag.answer.semantic_volume import (
    JITTER,
    agreement,
    consistency,
    sample_answers,
    sampled_signals,
    semantic_volume,
)
from rag.errors import EndpointError
from rag.models.interfaces import Message, Piece, Vector

MESSAGES = [Message("user", "How small is it?")]
VECTORS = arrays(np.float64, st.tuples(st.integers(2, 6), st.just(8)), elements=st.floats(-1, 1)).filter(
    lambda found: bool((np.linalg.norm(found, axis=1) > 0.1).all())
)


def volume(*vectors: tuple[float, ...]) -> float:
    return semantic_volume(np.array(vectors, dtype=np.float32))


def test_two_vectors_by_hand() -> None:
    # Unit vectors at 60 degrees: det [[1 + j, 1/2], [1/2, 1 + j]] = (1 + j)² - 1/4.
    found = volume((1, 0), (0.5, math.sqrt(3) / 2))
    assert found == pytest.approx(math.log((1 + JITTER) ** 2 - 0.25), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_orthogonal_vectors_span_most_and_equal_ones_least(n: int) -> None:
    assert semantic_volume(np.eye(n, dtype=np.float32)) == pytest.approx(n * math.log(1 + JITTER))
    equal = np.ones((n, 4), dtype=np.float32)
    assert semantic_volume(equal) == pytest.approx(math.log(n + JITTER) + (n - 1) * math.log(JITTER), abs=1e-3)


@given(VECTORS, st.permutations(range(6)), st.floats(0.1, 50))
def test_order_and_length_of_vectors_do_not_matter_and_the_volume_is_bounded(
    vectors: Vector, order: list[int], length: float
) -> None:
    found = semantic_volume(vectors)
    moved = vectors[[i for i in order if i < len(vectors)]] * length
    assert semantic_volume(moved) == pytest.approx(found, abs=1e-5)
    assert len(vectors) * math.log(JITTER) <= found <= len(vectors) * math.log(1 + JITTER) + 1e-9


@given(VECTORS)
def test_the_volume_is_the_determinant_of_the_gram_matrix(vectors: Vector) -> None:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    gram = np.array([[float(a @ b) for a in unit] for b in unit])
    values = np.linalg.eigvalsh(gram) + JITTER
    assert semantic_volume(vectors) == pytest.approx(float(np.log(values).sum()), abs=1e-6)


def test_no_vectors_and_vectors_of_no_length_have_a_finite_volume() -> None:
    assert semantic_volume(np.zeros((0, 4), dtype=np.float32)) == 0.0
    assert math.isfinite(semantic_volume(np.zeros((3, 4), dtype=np.float32)))


@pytest.mark.parametrize("n", [2, 5, 10])
def test_consistency_means_the_same_for_any_number_of_samples(n: int) -> None:
    same, none = np.ones((n, 4), dtype=np.float32), np.eye(n, dtype=np.float32)
    assert consistency(semantic_volume(same), n) > 0.95
    assert consistency(semantic_volume(none), n) == 0.0
    near = np.full((n, n), 0.9) + 0.1 * np.eye(n)  # a Gram matrix: all cosines .9
    assert 0.5 < consistency(semantic_volume(np.linalg.cholesky(near).astype(np.float32)), n) < 0.9


def test_samples_are_drawn_at_temperature_one_with_seeds_of_their_own() -> None:
    model = ScriptedGenerator(["<think>Hm [p12ab].</think>99% smaller [p12ab].", "It is 99%  smaller.", ""])
    found = sample_answers(MESSAGES, model, 3, 50)
    assert sorted(found) == ["", "99% smaller.", "It is 99% smaller."]
    assert model.calls == [MESSAGES] * 3
    assert {options["temperature"] for options in model.options} == {1.0}
    assert sorted(options["seed"] for options in model.options) == [1, 2, 3]
    assert {options["max_tokens"] for options in model.options} == {50}


def test_no_samples_ask_nothing() -> None:
    model = ScriptedGenerator()
    assert sample_answers(MESSAGES, model, 0, 50) == []
    assert model.calls == []


def test_a_failing_endpoint_is_reported() -> None:
    with pytest.raises(EndpointError, match="down"):
        sample_answers(MESSAGES, ScriptedGenerator(["Fine.", EndpointError("It is down.")]), 2, 50)


class Slow:
    """Writes until it is told to stop."""

    model, structured = "slow", False

    def stream(self, messages: object, *, max_tokens: int, cancelled: threading.Event, **options: object) -> object:
        while not cancelled.wait(0.01):
            yield Piece("word ")


def test_cancelling_ends_all_samples() -> None:
    cancelled = threading.Event()
    with soon(2):
        threading.Timer(0.2, cancelled.set).start()
        found = sample_answers(MESSAGES, Slow(), 3, 50, cancelled)  # type: ignore[arg-type]
    assert len(found) == 3


def test_a_sample_that_fails_ends_the_others_and_not_the_answer() -> None:
    class OneFails(Slow):
        def stream(self, messages: object, *, seed: int, **options: Any) -> object:  # type: ignore[override]
            if seed == 2:
                raise EndpointError("It is down.")
            return super().stream(messages, **options)

    cancelled = threading.Event()
    with soon(2), pytest.raises(EndpointError, match="down"):
        sample_answers(MESSAGES, OneFails(), 3, 50, cancelled)  # type: ignore[arg-type]
    assert not cancelled.is_set()


def test_ctrl_c_ends_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(semantic_volume_module, "wait", interrupted)
    with soon(2), pytest.raises(KeyboardInterrupt):
        sample_answers(MESSAGES, Slow(), 3, 50)  # type: ignore[arg-type]


def test_answers_that_agree_are_consistent_and_others_are_not() -> None:
    embedder = HashEmbedder()
    same = agreement(["It is 99% smaller."] * 4, embedder)
    other = agreement(["It is smaller.", "Whales click.", "Nobody knows why.", "Sparse attention"], embedder)
    assert same["samples"] == other["samples"] == 4
    assert same["consistency"] > 0.95 > 0.3 > other["consistency"]
    assert same["semantic_volume"] < other["semantic_volume"]


@pytest.mark.parametrize("answers", [[], ["One."], ["One.", "", ""]])
def test_fewer_than_two_answers_say_nothing_about_agreement(answers: list[str]) -> None:
    assert agreement(answers, HashEmbedder()) == {}


def test_samples_become_signals_of_the_answer() -> None:
    found = sampled_signals(MESSAGES, ScriptedGenerator(["It is small."] * 3), HashEmbedder(), 3, 50)
    assert found == agreement(["It is small."] * 3, HashEmbedder())


def test_a_model_that_fails_while_sampling_costs_only_the_signals(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedGenerator([EndpointError("It is down.", "Try later.")] * 2)
    assert sampled_signals(MESSAGES, model, HashEmbedder(), 2, 50) == {"samples": 0.0}
    assert "It is down. Try later." in caplog.text
