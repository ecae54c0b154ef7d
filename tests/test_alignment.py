"""How a text covers a question's words: coverage against values worked by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.alignment import INHERITED_WEIGHT, Idf, Word, coverage, telling_words, word_matches
from rag.models.interfaces import Encoded


def encoded(text: str, limit: int | None = None) -> Encoded:
    """Unit vectors, one a word, along the axes in turn; words past `limit` are cut off."""
    spans = [match.span() for match in re.finditer(r"[\w.]+", text)][:limit]
    tokens = np.eye(8, dtype=np.float32)[[i % 8 for i in range(len(spans))]].reshape(len(spans), 8)
    return Encoded(np.ones(8, np.float32) / math.sqrt(8), tokens, np.array(spans, np.int32).reshape(len(spans), 2))


def idf(counts: dict[str, int], documents: int = 100) -> Idf:
    return Idf(lambda wanted: {term: counts.get(term, 0) for term in wanted}, documents)


def word(term: str, weight: float, *rows: int) -> Word:
    return Word(term, 0, term, weight, rows, False)


@pytest.mark.parametrize(("count", "documents"), [(0, 100), (1, 100), (50, 100), (100, 100), (0, 0), (7, 3)])
def test_idf_is_that_of_bm25(count: int, documents: int) -> None:
    n, seen = max(documents, 1), min(count, max(documents, 1))
    weight, found = idf({"cat": count}, documents)("cat")
    assert weight == pytest.approx(math.log(1 + (n - seen + 0.5) / (seen + 0.5)))
    assert weight > 0
    assert found == seen


def test_a_rarer_word_weighs_more_and_each_term_is_looked_up_once() -> None:
    asked: list[str] = []

    def frequencies(wanted: Sequence[str]) -> dict[str, int]:
        asked.extend(wanted)
        return {term: {"rare": 1, "common": 90}[term] for term in wanted}

    weigh = Idf(frequencies, 100)
    assert weigh("rare")[0] > weigh("common")[0]
    assert weigh("rare") == weigh("rare")
    assert sorted(asked) == ["common", "rare"]


def test_words_that_carry_no_subject_are_left_out() -> None:
    text = "What does the paper say about retrieval heads?"
    words = telling_words(text, encoded(text), idf({"retriev": 3, "head": 5}))
    assert [(w.text, w.term) for w in words] == [("retrieval", "retriev"), ("heads", "head")]
    assert [text[w.start : w.start + len(w.text)] for w in words] == ["retrieval", "heads"]
    assert not any(w.unknown for w in words)


def test_a_word_that_no_passage_has_is_unknown_and_weighs_most() -> None:
    words = telling_words("retrieval zorblax", encoded("retrieval zorblax"), idf({"retriev": 3}))
    assert [w.unknown for w in words] == [False, True]
    assert words[1].weight > words[0].weight


def test_a_word_that_the_embedder_cut_off_is_left_out() -> None:
    words = telling_words("retrieval attention", encoded("retrieval attention", limit=1), idf({}))
    assert [w.text for w in words] == ["retrieval"]


def test_words_taken_from_the_conversation_weigh_less() -> None:
    text = "which datasets (about Phenaki)"
    words = telling_words(text, encoded(text), idf({}), focus=len("which datasets"))
    assert words[1].weight == pytest.approx(INHERITED_WEIGHT * words[0].weight)
    words = telling_words(text, encoded(text), idf({}), inherited=frozenset({"dataset"}))
    assert words[0].weight == pytest.approx(INHERITED_WEIGHT * words[1].weight)


def test_a_word_in_the_text_matches_fully_and_another_by_its_best_token() -> None:
    question = np.eye(4, dtype=np.float32)
    text_tokens = np.array([[0.6, 0.8, 0, 0], [0.0, 0.5, -1.0, 0]], dtype=np.float32)
    words = [word("stands", 1, 0), word("near", 1, 1), word("two", 1, 0, 1), word("against", 1, 2), word("far", 1, 3)]
    found = word_matches(words, question, {"stands"}, text_tokens)
    # row 0: best .6, row 1: best .8, both rows: their mean .7; -1 and 0 clip to nothing
    assert found == pytest.approx([1.0, 0.8, 0.7, 0.0, 0.0])


def test_a_text_without_tokens_is_matched_by_words_alone() -> None:
    none = np.zeros((0, 0), dtype=np.float32)
    found = word_matches([word("a", 1, 0), word("b", 1, 0)], np.eye(2, dtype=np.float32), {"b"}, none)
    assert found.tolist() == [0.0, 1.0]


def test_coverage_is_the_weighted_mean() -> None:
    words = [word("a", 3.0, 0), word("b", 1.0, 0)]
    assert coverage(words, np.array([1.0, 0.5])) == pytest.approx((3 * 1 + 1 * 0.5) / 4)
    assert coverage([], np.array([])) == 0.0


weights = st.floats(0.01, 10, allow_nan=False)
matches = st.floats(0, 1, allow_nan=False, width=32)


@given(st.lists(st.tuples(weights, matches), min_size=1, max_size=8), st.data())
def test_coverage_lies_between_nothing_and_all_and_never_falls_with_a_better_match(
    pairs: list[tuple[float, float]], data: st.DataObject
) -> None:
    words = [word(str(i), weight, 0) for i, (weight, _) in enumerate(pairs)]
    found = np.array([match for _, match in pairs])
    before = coverage(words, found)
    assert -1e-6 <= before <= 1 + 1e-6
    assert coverage(words, np.ones(len(pairs))) == pytest.approx(1.0)
    found[data.draw(st.integers(0, len(pairs) - 1))] = 1.0
    assert coverage(words, found) >= before - 1e-9


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_has_telling_words_in_order_that_stand_in_it(text: str) -> None:
    words = telling_words(text, encoded(text), idf({}))
    starts = [w.start for w in words]
    assert starts == sorted(starts)
    assert all(text[w.start : w.start + len(w.text)] == w.text and w.rows for w in words)
