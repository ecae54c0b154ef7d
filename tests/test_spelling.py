"""Slips of spelling in a question, mended towards the papers' words; names and known words untouched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder

from rag.answer.alignment import Idf
from rag.answer.answer import Turn
from rag.answer.question import understand
from rag.answer.spelling import COMMON, Speller, respelled
from rag.terms import terms

TEXTS = [
    "Retrieval heads attend to long contexts",
    "Retrieval of passages with attention",
    "Quantization of language models, quantisation",
    "percentage of attention heads",
]
SPELLER = Speller(TEXTS)
KNOWN = {term for text in TEXTS for term in terms(text)}


def known(word: str) -> bool:
    return not (cut := terms(word)) or cut[0] in KNOWN


class Pieces(HashEmbedder):
    """Cuts every word in two, but for the one that it knows."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1 if text == "atention" else 2 for text in texts]


PIECES = Pieces()


def idf() -> Idf:
    return Idf(lambda wanted: {term: int(term in KNOWN) for term in wanted}, len(TEXTS))


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("what percantage of retreival heads", "what percentage of retrieval heads"),
        ("quantizatoin of langauge modles", "quantization of language models"),
        ("retrieval heads", "retrieval heads"),
        ("Retreival heads", "Retreival heads"),  # a capital: maybe a name
        ("RETREIVAL", "RETREIVAL"),
        ("x-retreival", "x-retreival"),
        ("robotics", "robotics"),  # no word of the papers is near
        ("hedas", "heads"),
        ("hed", "hed"),  # too short to tell
        ("attn", "attn"),  # so short a word is mended only to a common one
    ],
)
def test_words_that_no_paper_has_become_the_nearest_that_one_has(text: str, mended: str) -> None:
    assert SPELLER.correct(text, known) == mended


def test_a_short_word_becomes_only_a_common_one() -> None:
    speller = Speller(["half of them"] * COMMON + ["halo"])
    assert speller.correct("haff hale halp", lambda _: False) == "half half half"
    assert Speller(["half of them"]).correct("haff", lambda _: False) == "haff"


def test_the_first_letter_stays() -> None:
    assert Speller(["attention"]).correct("ettention", lambda _: False) == "ettention"


def test_only_the_questions_own_words_are_mended() -> None:
    title = "Retreival of Passages with Atention"
    history = [Turn("assistant", f"“{title}” [1]")]
    question = understand("what does it say of langauge?", history, today=date(2026, 1, 1))
    mended = respelled(question, SPELLER, idf(), PIECES)
    assert mended.query[: mended.focus].endswith("say of language")
    assert mended.query[mended.focus :] == question.query[question.focus :]
    assert title in mended.query
    assert mended.asked == question.asked


def test_a_word_that_the_embedder_knows_whole_is_right() -> None:
    question = understand("what is atention to langauge?", today=date(2026, 1, 1))
    assert respelled(question, SPELLER, idf(), PIECES).query == "what is atention to language?"


def test_another_word_of_eight_letters_is_no_slip() -> None:
    assert Speller(["studies"]).correct("sturdier", lambda _: False) == "sturdier"
    assert Speller(["percentage"]).correct("percantege", lambda _: False) == "percentage"


def test_a_question_without_slips_comes_back_as_it_is() -> None:
    question = understand("what do retrieval heads attend to?", today=date(2026, 1, 1))
    assert respelled(question, SPELLER, idf(), PIECES) is question


@given(st.text())
def test_known_words_are_never_touched(text: str) -> None:
    assert SPELLER.correct(text, lambda _: True) == text


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Z"])))
def test_mending_twice_is_mending_once(text: str) -> None:
    once = SPELLER.correct(text, known)
    assert SPELLER.correct(once, known) == once
