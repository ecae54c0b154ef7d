"""The embedder's batches: texts of like length together, and the same encoding whatever stands beside a text."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models.embedder import BATCH, STRETCH, SentenceTransformerEmbedder, _batches, load_embedder
from rag.settings import Settings

lengths = st.lists(st.integers(0, 2000), max_size=80)


def batches_of(sizes: list[int]) -> list[list[int]]:
    return _batches(sorted(range(len(sizes)), key=lambda i: sizes[i]), sizes)


def test_texts_of_like_length_go_together() -> None:
    sizes = [10, 100, 14, 15, 16, 149, 151]
    assert batches_of(sizes) == [[0, 2, 3], [4], [1, 5], [6]]


def test_a_batch_is_full_at_its_size() -> None:
    assert [len(batch) for batch in batches_of([7] * (2 * BATCH + 1))] == [BATCH, BATCH, 1]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [([], []), ([0], [[0]]), ([0, 1, 2], [[0, 1], [2]]), ([0, 0, 1], [[0, 1, 2]]), ([9999], [[0]])],
)
def test_none_one_and_empty_texts(sizes: list[int], batches: list[list[int]]) -> None:
    assert batches_of(sizes) == batches


@given(lengths)
def test_every_text_is_in_one_batch_in_the_order_given(sizes: list[int]) -> None:
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    assert [i for batch in batches_of(sizes) for i in batch] == order


@given(lengths)
def test_no_batch_is_empty_too_large_or_of_unlike_lengths(sizes: list[int]) -> None:
    for batch in batches_of(sizes):
        assert 1 <= len(batch) <= BATCH
        assert sizes[batch[-1]] <= STRETCH * max(sizes[batch[0]], 1)


@given(lengths)
def test_no_two_neighbouring_batches_could_have_begun_as_one(sizes: list[int]) -> None:
    batches = batches_of(sizes)
    for before, after in pairwise(batches):
        assert len(before) == BATCH or sizes[after[0]] > STRETCH * max(sizes[before[0]], 1)


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    return load_embedder(Settings(_env_file=None))


WORDS = "retrieval of long passages needs quantized vectors and 99% smaller indexes".split()


class TestRealModel:
    def test_a_text_is_encoded_the_same_alone_and_in_any_company(self, embedder: SentenceTransformerEmbedder) -> None:
        chance = random.Random(7)
        texts = [" ".join(chance.choices(WORDS, k=k)) for k in (1, 1, 2, 4, 9, 9, 14, 20, 33, 60, 150)]
        texts += ["", " ", texts[3], "x" * 900, "é\u2028ü 漢字"]
        chance.shuffle(texts)
        for text, together in zip(texts, embedder.encode(texts), strict=True):
            alone = embedder.encode([text])[0]
            assert np.array_equal(alone.spans, together.spans)
            assert np.allclose(alone.vector, together.vector, atol=2e-6)
            assert np.allclose(alone.tokens, together.tokens, atol=2e-6)

    def test_the_tokens_are_those_of_the_text_at_its_place(self, embedder: SentenceTransformerEmbedder) -> None:
        texts = ["smaller indexes", "a", "the quantized vectors of long passages", "", "vectors"]
        for text, encoded in zip(texts, embedder.encode(texts), strict=True):
            inner = [text[start:end] for start, end in encoded.spans if start >= 0]
            assert "".join(inner) == text.replace(" ", "")
            assert len(encoded.tokens) == len(encoded.spans)

    def test_nothing_to_encode_gives_nothing(self, embedder: SentenceTransformerEmbedder) -> None:
        assert embedder.encode([]) == []
