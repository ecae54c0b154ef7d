"""What evidence does not state, or denies: numbers, units, names and negations of a claim."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder

from rag.answer.alignment import Word, idf_of, telling_words
from rag.answer.contradictions import missing_names, missing_numbers, polarity_mismatch, wrong_units
from rag.answer.names import names
from rag.terms import terms

any_text = st.text(st.characters(codec=None), max_size=80)
EMBEDDER = HashEmbedder()
IDF = idf_of([])  # every word weighs the same


@pytest.mark.parametrize(
    ("claim", "evidence", "missing"),
    [
        ("It uses 12 layers.", "It uses 12 layers.", set()),
        ("It uses 12 layers.", "It uses twelve layers.", set()),
        ("It uses twelve layers.", "It uses 12 layers.", set()),
        ("It uses twelve layers.", "It uses 13 layers.", {"12"}),
        ("It uses 12 layers and 3 heads.", "It has layers and 3 heads.", {"12"}),
        ("It cut costs by half.", "Costs were halved.", set()),
        ("It doubled the speed.", "It is twice as fast.", set()),
        ("It doubled the speed.", "It is three times as fast.", {"double"}),
        ("1,000 papers", "1000 papers", set()),
        ("1000 papers", "a thousand papers", set()),
        ("twenty-five readers", "25 readers", set()),
        ("25 readers", "Twenty five readers", set()),
        ("twenty-five readers", "20 readers of 5 books", {"25"}),
        ("20 readers", "twenty-five readers", {"20"}),
        ("70 billion parameters", "70B parameters", set()),
        ("70B parameters", "70 billion parameters", set()),
        ("70 billion parameters", "70M parameters", {"billion"}),
        ("the 4th layer", "the fourth layer", set()),
        ("the fourth layer", "the 4th layer", set()),
        ("the 4th layer", "the fifth layer", {"4", "4th"}),
        ("4 layers", "4th layer", set()),
        ("GPT-4 answers", "It answers", set()),
        ("no number here", "", set()),
        ("7", "", {"7"}),
    ],
)
def test_the_numbers_that_the_evidence_does_not_state(claim: str, evidence: str, missing: set[str]) -> None:
    assert missing_numbers(claim, evidence) == missing


@given(any_text, any_text)
def test_evidence_that_holds_the_claim_states_all_its_numbers(claim: str, more: str) -> None:
    assert missing_numbers(claim, claim) == set()
    assert missing_numbers(claim, f"{more} {claim} ") == set()


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_changed_number_is_missing(number: int, other: int) -> None:
    assert missing_numbers(f"It has {number} units.", f"It has {other} units.") == (
        {str(number)} if number != other else set()
    )


@pytest.mark.parametrize(
    ("claim", "evidence", "wrong"),
    [
        ("It takes 100 ms.", "It takes 100 s.", ["100 ms"]),
        ("It takes 100ms.", "It takes 100 s.", ["100 ms"]),
        ("It takes 100 s.", "It takes 100 s.", []),
        ("It takes 5 s.", "It takes 5 seconds.", []),
        ("It takes 10 minutes.", "It takes 10 min.", []),
        ("It takes 3 hours.", "It takes 3 h.", []),
        ("It takes 3 hours.", "It takes 3 days.", ["3 h"]),
        ("A 5-year study.", "A study of 5 years.", []),
        ("A 5-year study.", "A study of 5 months.", ["5 year"]),
        ("5 percent", "5%", []),
        ("5% of 40 kg", "5 kg of 40 kg", ["5 %"]),
        ("5 mg", "5 milligrams", []),
        ("5 mg", "5 grams", ["5 mg"]),
        ("10 million parameters", "10M parameters", []),
        ("10 million parameters", "10B parameters", ["10 million"]),
        ("10 m deep", "10 meters deep", []),
        ("5 ms and 7 GB", "5 s and 7 MB", ["5 ms", "7 gb"]),
        ("5 ms", "5 s, later 5 ms", []),
        ("5 ms", "five seconds", []),  # the evidence gives no 5 in digits: nothing to hold it against
        ("5 ms", "5 models", []),
        ("5 models", "5 ms", []),
        ("", "", []),
    ],
)
def test_numbers_that_the_evidence_gives_in_another_unit(claim: str, evidence: str, wrong: list[str]) -> None:
    assert wrong_units(claim, evidence) == wrong


@given(any_text | st.lists(st.sampled_from("5 5ms 5% s ms 7 GB , -".split()), max_size=12).map(" ".join), any_text)
def test_no_unit_is_wrong_that_stands_in_the_evidence(claim: str, more: str) -> None:
    assert wrong_units(claim, claim) == []
    assert wrong_units(claim, f"{more} ; {claim} ;") == []


def words_of(claim: str) -> list[Word]:
    return telling_words(claim, EMBEDDER.encode([claim])[0], IDF)


def missing(claim: str, evidence: str, near: float) -> list[str]:
    """`missing_names` where every word's best match is `near`."""
    words = words_of(claim)
    return missing_names(claim, evidence, words, [near] * len(words))


def test_a_name_that_the_evidence_neither_mentions_nor_resembles_is_missing() -> None:
    claim = "We compare it with TILDEv2 and ColBERT here"
    assert missing(claim, "We compare it with TILDEv2", 0.1) == ["ColBERT"]
    assert missing(claim, "nothing of the kind", 0.1) == ["TILDEv2", "ColBERT"]
    assert missing(claim, "nothing of the kind", 0.5) == []
    assert missing(claim, "tilde-v2 and Col-BERT", 0.1) == []


def test_only_the_words_of_the_name_must_be_near() -> None:
    claim = "the reranker of ColBERT wins"
    words = words_of(claim)
    assert [word.text for word in words] == ["reranker", "ColBERT", "wins"]
    assert missing_names(claim, "nothing", words, [0.0, 1.0, 0.0]) == []
    assert missing_names(claim, "nothing", words, [1.0, 0.39, 1.0]) == ["ColBERT"]
    assert missing_names(claim, "nothing", words, [1.0, 0.4, 1.0]) == []


def test_a_name_of_two_words_is_missing_where_one_of_them_is() -> None:
    claim = "the index of Semantic Volume"
    words = words_of(claim)
    assert [word.text for word in words][-2:] == ["Semantic", "Volume"]
    assert missing_names(claim, "nothing", words, [1.0, 0.9, 0.1]) == ["Semantic Volume"]
    assert missing_names(claim, "the semantic-volume index", words, [0.0, 0.0, 0.0]) == []


def test_a_claim_without_a_name_misses_none() -> None:
    assert missing("the index is small", "", 0.0) == []
    assert missing_names("", "", [], []) == []


@given(any_text)
def test_a_text_mentions_its_own_names(text: str) -> None:
    assert all(name in text for name in missing(text, text, 0.0))
    assert set(missing(text, text, 1.0)) <= {name for name in names(text) if not terms(name)}


def mismatch(claim: str, evidence: str) -> float:
    seen, encoded = EMBEDDER.encode([evidence, claim])
    return polarity_mismatch(claim, encoded, telling_words(claim, encoded, IDF), evidence, seen)


@pytest.mark.parametrize(
    ("claim", "evidence", "share"),
    [
        ("mice eat grain", "mice eat grain", 0.0),
        ("mice never eat grain", "mice never eat grain", 0.0),
        ("mice never eat grain", "mice hardly eat grain", 0.0),
        ("mice never eat grain", "mice eat grain", 2 / 3),  # "mice" stands before the negation
        ("mice eat grain", "mice never eat grain", 2 / 3),
        ("mice eat grain", "never did mice eat grain", 1.0),
        ("mice eat grain", "never without mice eat grain", 0.0),
        ("mice eat grain", "rats never sleep ; mice eat grain", 0.0),
        ("neither mice nor rats", "neither mice nor rats", 0.0),
        ("neither mice nor rats", "mice and rats", 1.0),
        ("neither mice nor rats", "neither mice and rats", 0.0),
    ],
)
def test_the_share_of_words_negated_on_one_side_only(claim: str, evidence: str, share: float) -> None:
    # "never" itself is a word of the claim; it fits nothing well, so it hardly counts.
    assert mismatch(claim, evidence) == pytest.approx(share, abs=1e-3)


def test_a_word_counts_by_its_weight_and_by_how_well_it_fits() -> None:
    # "grain" and "eat" are negated on one side, "mice" on neither; "grain" is common, and weighs less.
    claim, evidence = "mice eat grain", "mice never eat grain"
    seen, encoded = EMBEDDER.encode([evidence, claim])
    light = idf_of(["grain"] * 9)
    words = telling_words(claim, encoded, light)
    mice, eat, grain = (word.weight for word in words)
    expected = (eat + grain) / (mice + eat + grain)
    assert grain < eat
    assert polarity_mismatch(claim, encoded, words, evidence, seen) == pytest.approx(expected, abs=1e-5)


def test_without_words_nothing_is_negated() -> None:
    encoded = EMBEDDER.encode(["", "never"])
    assert polarity_mismatch("", encoded[0], [], "never", encoded[1]) == 0.0


tokens = st.lists(st.sampled_from("mice rats eat grain not never no without but nor".split()), max_size=12).map(
    " ".join
)


@given(tokens, tokens)
def test_the_share_is_a_share(claim: str, evidence: str) -> None:
    assert 0.0 <= mismatch(claim, evidence) <= 1.0 + 1e-6


@given(any_text, any_text)
def test_any_texts_can_be_held_against_each_other(claim: str, evidence: str) -> None:
    assert 0.0 <= mismatch(claim, evidence) <= 1.0 + 1e-6
