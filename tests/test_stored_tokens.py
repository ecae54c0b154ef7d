"""What is stored of a passage's tokens: those of content words, in one bit a number."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, paper

from rag.embedding import records
from rag.library import codec
from rag.library.token_codec import pack_spans, pack_tokens, unpack_spans, unpack_tokens
from rag.models.interfaces import Encoded
from rag.telling_tokens import FARTHEST, telling_tokens
from rag.terms import content_words


def encoded(tokens: list[list[float]], spans: list[tuple[int, int]]) -> Encoded:
    return Encoded(np.ones(2, np.float32), np.array(tokens, np.float32), np.array(spans, np.int32).reshape(-1, 2))


def unit(rng: np.random.Generator, n: int, dimension: int) -> np.ndarray:
    rows = rng.normal(size=(n, dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


class TestTellingTokens:
    def test_pieces_of_content_words_stay_and_other_tokens_go(self) -> None:
        text = "the zirconium, of cats"
        whole = encoded(
            [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1], [1, 0], [0.6, 0.8], [1, 0]],
            [(-1, -1), (0, 3), (4, 10), (10, 13), (13, 14), (15, 17), (17, 22), (-1, -1)],  # the last with its space
        )
        found = telling_tokens(text, whole)
        assert found.spans.tolist() == [[4, 10], [10, 13], [17, 22]]
        np.testing.assert_array_equal(found.tokens, whole.tokens[[2, 3, 6]])
        assert found.vector is whole.vector

    def test_what_was_cut_off_or_lies_too_far_is_missing(self) -> None:
        text = "cats " + " " * FARTHEST + "dogs sleep"
        at = text.index("dogs")
        found = telling_tokens(text, encoded([[1, 0], [0, 1]], [(0, 4), (at, at + 4)]))
        assert found.spans.tolist() == [[0, 4]]

    @pytest.mark.parametrize("text", ["", "of the and", "!!"])
    def test_a_text_without_such_words_has_none(self, text: str) -> None:
        found = telling_tokens(text, HashEmbedder().encode([text])[0])
        assert found.tokens.shape == (0, HashEmbedder().dimension)
        assert found.spans.shape == (0, 2)

    @settings(max_examples=60, deadline=None)
    @given(st.text("ab\u00e9 -_.3\n\u6f22", max_size=60), st.integers(0, 99))
    def test_a_token_stays_where_it_ends_in_a_content_word(self, text: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        edges = sorted(rng.choice(len(text) + 1, size=min(len(text) + 1, 20), replace=False).tolist())
        spans = [(-1, -1), *pairwise(edges), (-1, -1)]
        whole = Encoded(np.ones(4, np.float32), unit(rng, len(spans), 4), np.array(spans, np.int32))
        words = [(start, end) for start, end, _ in content_words(text)]
        wanted = [n for n, (_, e) in enumerate(spans) if any(start < e <= end for start, end in words)]
        found = telling_tokens(text, whole)
        np.testing.assert_array_equal(found.spans, whole.spans[wanted])
        np.testing.assert_array_equal(found.tokens, whole.tokens[wanted])

    def test_those_of_a_title_are_kept_and_stand_nowhere_in_the_passage(self) -> None:
        (record,) = records([paper("Zirconium electrodes", "They corrode slowly here")], HashEmbedder(), {}, None)
        assert record.encoded[0].spans.tolist() == [[-1, -1], [-1, -1], [5, 12], [13, 19]]


class TestCodec:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 9), st.integers(60, 400), st.integers(0, 99))
    def test_packing_again_changes_nothing(self, n: int, dimension: int, seed: int) -> None:
        tokens = unit(np.random.default_rng(seed), n, dimension)
        signs, lengths = pack_tokens(tokens)
        (back,) = unpack_tokens([(signs, lengths)])
        assert len(signs) == 2 + n * -(-dimension // 8)
        assert len(lengths) == 2 * n
        assert back.shape == tokens.shape
        np.testing.assert_allclose((tokens * back).sum(axis=1), 1, rtol=2e-3)  # each is most like itself
        assert pack_tokens(back) == (signs, lengths)

    def test_similarities_are_right_on_average_and_seldom_far_off(self) -> None:
        rng = np.random.default_rng(3)
        tokens = unit(rng, 300, 384)
        mixed = 0.6 * tokens + 0.4 * unit(rng, 300, 384)
        asked = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        (back,) = unpack_tokens([pack_tokens(tokens)])
        error = asked @ back.T - asked @ tokens.T
        assert abs(error.mean()) < 0.001
        assert error.std() < 0.045
        assert ((asked @ back.T).argmax(axis=1) == np.arange(300)).all()

    def test_many_are_unpacked_as_each_alone(self) -> None:
        rng = np.random.default_rng(5)
        rows = []
        for n, dimension in ((3, 64), (0, 64), (7, 64), (2, 10), (0, 10)):
            spans = rng.integers(-1, 99, size=(n, 2)).astype(np.int32)
            rows.append(codec.pack(Encoded(unit(rng, 1, dimension)[0], unit(rng, n, dimension), spans)))
        together = codec.unpack_all(rows)
        for (alone,), one in zip([codec.unpack_all([row]) for row in rows], together, strict=True):
            np.testing.assert_array_equal(one.vector, alone.vector)
            np.testing.assert_array_equal(one.tokens, alone.tokens)
            np.testing.assert_array_equal(one.spans, alone.spans)
        assert codec.unpack_all([]) == []
        with pytest.raises(ValueError, match="not as many"):
            codec.unpack_all([*rows, (rows[0][0], rows[0][1][:-1], *rows[0][2:])])

    def test_embeddings_of_earlier_versions_are_read_beside_new_ones(self) -> None:
        rng = np.random.default_rng(6)
        tokens = unit(rng, 3, 8)
        scales = (np.abs(tokens).max(axis=1) / 127).astype("<f2")
        levels = np.rint(tokens / scales.astype(np.float32)[:, None]).astype(np.int8)
        spans = np.array([(-1, -1), (0, 4), (70_000, 70_004)], "<i4")
        vector = unit(rng, 1, 8)[0]
        older = (codec.pack_vector(vector), levels.tobytes(), scales.tobytes(), spans.tobytes())
        empty = (codec.pack_vector(vector), b"", b"", b"")
        new = codec.pack(Encoded(vector, tokens, np.array([(-1, -1), (0, 4), (5, 9)], np.int32)))
        one, none, two = codec.unpack_all([older, empty, new])
        np.testing.assert_allclose(one.tokens, tokens, atol=0.01)
        assert one.spans.tolist() == spans.tolist()
        assert none.tokens.shape == (0, 8)
        assert two.spans.tolist() == [[-1, -1], [0, 4], [5, 9]]
        assert all(codec.belong(each) for each in (one, none, two))

    def test_a_span_that_two_bytes_cannot_hold_is_refused(self) -> None:
        with pytest.raises(ValueError, match="too far"):
            pack_spans(np.array([(0, 65_535)], np.int32))
        edge = np.array([(-1, -1), (0, FARTHEST)], np.int32)
        np.testing.assert_array_equal(*unpack_spans([pack_spans(edge)]), edge)
        assert unpack_spans([]) == []
        with pytest.raises(ValueError, match="cut off"):
            unpack_spans([pack_spans(edge)[:-1]])
