"""Negation and opposites: which words of a text are denied, and what their opposite is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.polarity import _IRREGULAR, _SCOPE, _VERBS, _inflected, is_negated, negated, opposites
from rag.terms import terms

any_text = st.text(st.characters(codec=None), max_size=120)  # lone surrogates too, as JSON can carry them
clauses = st.lists(
    st.sampled_from("the drug helps not no never without nor neither and but 3.5 rats , . ; don't not-only".split()),
    max_size=25,
).map(" ".join)


def denied(text: str, *words: str) -> list[str]:
    """Those of `words`, at their first place in `text`, that stand under a negation."""
    places = {word: text.index(word) for word in words}
    return [word for word in words if is_negated(negated(text), places[word], places[word] + len(word))]


@pytest.mark.parametrize(
    "text",
    [
        "The drug does not prevent infection.",
        "The drug DOES NOT prevent infection.",
        "The drug doesn't prevent infection.",
        "The drug doesn’t prevent infection.",
        "The drug cannot prevent infection.",
        "The drug never seems to prevent infection.",
        "The drug fails to prevent infection.",
        "The drug is unable to prevent infection.",
        "The drug is unlikely to prevent infection.",
        "It will hardly prevent infection.",
        "Nothing could prevent infection.",
    ],
)
def test_a_negation_denies_what_follows_and_not_what_stands_before(text: str) -> None:
    assert denied(text, "prevent", "infection") == ["prevent", "infection"]
    assert "drug" not in text or denied(text, "drug") == []


@pytest.mark.parametrize(
    "text",
    [
        "The drug prevents infection.",
        "The drug not only prevents infection.",
        "The drug not just prevents but cures infection.",
        "No doubt the drug prevents infection.",
        "No, the drug prevents infection.",
        "In another notable study, the drug prevents infection.",
        "Nonetheless the drug prevents infection.",
    ],
)
def test_words_that_look_like_negations_deny_nothing(text: str) -> None:
    assert denied(text, "prevents", "infection") == []


def test_no_as_an_answer_is_told_from_no_before_a_noun() -> None:
    assert denied("No, the dose helps.", "helps") == []
    assert denied("No dose helps.", "helps") == ["helps"]
    assert denied("No, the dose does not help.", "help") == ["help"]


@pytest.mark.parametrize("end", [".", ";", ":", "!", "?", ", but", " but", ", whereas", " because", " although"])
def test_a_negation_ends_with_its_clause(end: str) -> None:
    text = f"It does not cure mice{end} rats recover"
    assert denied(text, "cure", "mice", "rats", "recover") == ["cure", "mice"]


@pytest.mark.parametrize("number", ["3.5", ".5", "99.95"])
def test_a_decimal_point_ends_no_clause(number: str) -> None:
    assert denied(f"It is not {number} times faster.", "times", "faster") == ["times", "faster"]


def test_a_point_after_a_number_ends_the_clause() -> None:
    assert denied("There are not 12. Rats recover.", "12", "Rats") == ["12"]
    assert denied("It did not help.12 Rats recover.", "help", "Rats") == ["help"]


def test_a_negation_reaches_seven_words_and_no_further() -> None:
    assert _SCOPE == 7
    text = "It is not one two three four five six seven eight"
    assert denied(text, "one", "seven", "eight") == ["one", "seven"]
    assert denied("not state-of-the-art a b c d e f g", "f", "g") == ["f"]  # a compound is one word


def test_two_negations_undo_each_other() -> None:
    assert denied("It is not without merit.", "merit") == []
    assert denied("It never fails to converge.", "converge") == []
    assert denied("It is not true that no dose is without merit.", "merit") == ["merit"]


@pytest.mark.parametrize(
    "text", ["It is neither fast nor accurate.", "It is not fast nor accurate.", "It is not fast, nor is it accurate."]
)
def test_nor_goes_on_denying_and_does_not_undo(text: str) -> None:
    assert denied(text, "fast", "accurate") == ["fast", "accurate"]


@pytest.mark.parametrize("text", ["", " ", "not", "no", "n't", "not.", "No. 5", "not " * 400, "not" + "x" * 5000])
def test_bare_and_endless_negations_do_no_harm(text: str) -> None:
    assert all(0 <= start < end <= len(text) for start, end in negated(text))


@given(any_text | clauses)
def test_any_text_has_spans_inside_it_of_at_most_seven_words_and_one_clause(text: str) -> None:
    spans = negated(text)
    assert list(spans) == sorted(spans)
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert len(re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", text[start:end])) <= _SCOPE + 1
        assert not re.search(r"[;:!?]", text[start:end])


@given(clauses)
def test_case_decides_nothing(text: str) -> None:
    assert negated(text.upper()) == negated(text.lower()) == negated(text)


spans_of_text = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple), max_size=6)


@given(spans_of_text, st.integers(0, 30), st.integers(0, 5))
def test_a_word_is_negated_when_an_odd_number_of_spans_hold_all_of_it(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    holding = [1 for first, last in spans if set(range(start, start + length + 1)) <= set(range(first, last + 1))]
    assert is_negated(tuple(spans), start, start + length) == bool(len(holding) & 1)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("increases", "decreases"),
        ("decreased", "increased"),
        ("rose", "fell"),
        ("risen", "fallen"),
        ("grew", "shrank"),
        ("losing", "gaining"),
        ("won", "lost"),
        ("beginning", "ending"),
        ("began", "ended"),
        ("stopped", "started"),
        ("repelled", "attracted"),
        ("amplifies", "attenuates"),
        ("amplified", "attenuated"),
        ("amplifying", "attenuating"),
        ("attenuates", "amplifies"),
        ("diminishes", "increases"),
        ("worsened", "improved"),
        ("higher", "lower"),
        ("lowers", "raises"),
        ("before", "after"),
        ("ineffective", "effective"),
        ("reduction", "increase"),
    ],
)
def test_a_word_and_its_opposite_in_the_same_form(word: str, other: str) -> None:
    assert opposites(f"Dose {word} risk") == ((5, 5 + len(word), other),)
    assert opposites(f"Dose {word.upper()} risk") == opposites(f"Dose {word} risk")


def test_opposites_stand_in_the_order_of_the_text() -> None:
    text = "A high dose increases the risk, a low one does not."
    assert [(text[start:end], other) for start, end, other in opposites(text)] == [
        ("high", "low"),
        ("increases", "decreases"),
        ("low", "high"),
    ]


@pytest.mark.parametrize("text", ["", "The model reads text.", "Highway lowercase increaser", "12 %", "\ud800", "é"])
def test_words_without_an_opposite_give_none(text: str) -> None:
    assert opposites(text) == ()


VERBS = sorted({verb for pair in _VERBS.split("|") for verb in pair.split()})


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in _IRREGULAR])
def test_every_form_of_a_regular_verb_has_its_stem(verb: str) -> None:
    assert {terms(form) for form in _inflected(verb)} == {terms(verb)}


@pytest.mark.parametrize("verb", VERBS)
def test_every_form_has_an_opposite_that_has_one_too_and_is_another_word(verb: str) -> None:
    for form in _inflected(verb):
        ((_, _, other),) = opposites(form)
        assert other != form
        assert opposites(other)


@given(any_text | st.lists(st.sampled_from([*VERBS, "the", "not", "3.5", "İ"]), max_size=12).map(" ".join))
def test_any_text_gives_whole_words_with_another_word_for_each(text: str) -> None:
    for start, end, other in opposites(text):
        assert text[start:end].isalpha()
        assert text[start:end].lower() != other
        assert not re.match(r"[A-Za-z]", text[end : end + 1])
