"""The embedder: batches of like length, and the same encoding whatever stands beside a text and whoever else asks."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.models.embedder import FolderEmbedder, load_embedder
from rag.models.encoding import batches, spans, unit
from rag.models.onnx_embedder import OnnxEmbedder, threads
from rag.settings import Settings

lengths = st.lists(st.integers(0, 600), max_size=80)
budgets = st.integers(1, 1000)


def test_texts_of_like_length_go_together_the_longest_first() -> None:
    assert batches([10, 100, 14, 15, 16, 149, 151], 300) == [[6], [5, 1], [4, 3, 2, 0]]


def test_a_text_over_the_budget_goes_alone() -> None:
    assert batches([50, 300, 40], 100) == [[1], [0, 2]]


@pytest.mark.parametrize(("sizes", "made"), [([], []), ([0], [[0]]), ([0, 0], [[0, 1]]), ([9999], [[0]])])
def test_none_one_and_empty_texts(sizes: list[int], made: list[list[int]]) -> None:
    assert batches(sizes, 100) == made


@given(lengths, budgets)
def test_every_text_is_in_one_batch_and_no_batch_is_empty_or_over_the_budget(sizes: list[int], budget: int) -> None:
    made = batches(sizes, budget)
    assert sorted(at for batch in made for at in batch) == list(range(len(sizes)))
    for batch in made:
        assert len(batch) == 1 or len(batch) * max(sizes[at] for at in batch) <= budget


@given(lengths, budgets)
def test_no_text_would_have_fitted_into_the_batch_before(sizes: list[int], budget: int) -> None:
    made = batches(sizes, budget)
    for before, after in pairwise(made):
        longest, shortest = max(sizes[at] for at in before), min(sizes[at] for at in before)
        assert shortest >= max(sizes[at] for at in after)
        assert (len(before) + 1) * longest > budget


def test_rows_get_unit_length_and_zeros_stay() -> None:
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    assert rows.tolist() == [pytest.approx([0.6, 0.8]), [0.0, 0.0]]


def test_spans_leave_out_the_prompt_and_what_stands_for_no_text() -> None:
    offsets = np.array([[0, 0], [0, 5], [7, 9], [9, 12], [0, 0]], dtype=np.int32)
    assert spans(offsets, 7).tolist() == [[-1, -1], [-1, -1], [0, 2], [2, 5], [-1, -1]]


@pytest.mark.parametrize(("setting", "wanted"), [("1", 1), ("3", 3), ("2,1", 2), ("100", 8)])
def test_threads_follow_the_setting(setting: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert threads() == wanted


@pytest.mark.parametrize("setting", ["", "0", "-1", "many"])
def test_without_a_setting_that_makes_sense_every_core_works(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert 1 <= threads() <= (os.cpu_count() or 1)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> FolderEmbedder:
    """The bundled model."""
    found = load_embedder(Settings(_env_file=None, home=tmp_path_factory.mktemp("home")))
    assert isinstance(found, FolderEmbedder)
    return found


WORDS = "retrieval of long passages needs quantized vectors and 99% smaller indexes".split()


class TestRealModel:
    def test_a_text_is_encoded_the_same_alone_and_in_any_company(self, embedder: FolderEmbedder) -> None:
        chance = random.Random(7)
        texts = [" ".join(chance.choices(WORDS, k=k)) for k in (1, 1, 2, 4, 9, 9, 14, 20, 33, 60, 150)]
        texts += ["", " ", texts[3], "x" * 900, "é\u2028ü 漢字"]
        chance.shuffle(texts)
        for text, together in zip(texts, embedder.encode(texts), strict=True):
            alone = embedder.encode([text])[0]
            assert np.array_equal(alone.spans, together.spans)
            assert np.allclose(alone.vector, together.vector, atol=2e-6)
            assert np.allclose(alone.tokens, together.tokens, atol=2e-6)

    def test_the_tokens_are_those_of_the_text_at_its_place(self, embedder: FolderEmbedder) -> None:
        texts = ["smaller indexes", "a", "the quantized vectors of long passages", "", "vectors"]
        for text, encoded in zip(texts, embedder.encode(texts), strict=True):
            inner = [text[start:end] for start, end in encoded.spans if start >= 0]
            assert "".join(inner) == text.replace(" ", "")
            assert len(encoded.tokens) == len(encoded.spans)

    def test_what_is_too_long_is_cut_for_encoding_and_counted_whole(self, embedder: FolderEmbedder) -> None:
        text = "vectors " * 400
        assert embedder.count_tokens([text, "two vectors"]) == [400, 2]
        assert len(embedder.encode([text])[0].tokens) == embedder.max_tokens

    def test_nothing_to_encode_gives_nothing(self, embedder: FolderEmbedder) -> None:
        assert embedder.encode([]) == []
        assert embedder.count_tokens([]) == []

    def test_threads_that_ask_at_once_get_what_one_alone_gets(
        self, embedder: FolderEmbedder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fresh = FolderEmbedder(embedder.folder, exports=embedder._exports)  # not loaded yet: they race for that too
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        chance = random.Random(1)
        asked = [[" ".join(chance.choices(WORDS, k=chance.randint(1, 60))) for _ in range(12)] for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(fresh.encode, asked))
        assert isinstance(fresh.model, OnnxEmbedder)
        for texts, found in zip(asked, together, strict=True):
            for ours, theirs in zip(embedder.encode(texts), found, strict=True):
                assert np.allclose(ours.vector, theirs.vector, atol=2e-6)
