"""Numbers made comparable: one quantity, however a listing or a model writes it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.numbers import quantities


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("300times-2500times", {"300", "2500"}),
        ("1.6-1.8times", {"1.6", "1.8"}),
        ("a drop of 2--2.5%", {"2", "2.5"}),
        ("80%sim95%", {"80", "95"}),
        (r"sim7\% and geq 50%", {"7", "50"}),
        (r"5.7\% rightarrow 25.4\%", {"5.7", "25.4"}),
        ("30.85 the time-to-first-token", {"30.85"}),
        ("x!in!{4,8}", {"4", "8"}),
        ("1,000 or 1000.0", {"1000"}),
        ("ranks 1,2,3", {"1", "2", "3"}),
        ("an nDCG of .729", {"0.729"}),
        ("“41.7” and **40** and (39)", {"41.7", "40", "39"}),
        ("+0.9% (90.2% vs. 91.1%)", {"0.9", "90.2", "91.1"}),
        ("131k tokens, 70B parameters, 1.5 billion", {"131", "70", "1.5"}),
        ("-3.6 points", {"3.6"}),
        ("007 and 0", {"7", "0"}),
        ("GPT-4, o1, v2.0, TILDEv2, top_5 and Llama-3", set()),
        ("no number", set()),
    ],
)
def test_the_numbers_that_a_text_states(text: str, stated: set[str]) -> None:
    assert quantities(text) == stated


numbers = st.one_of(
    st.integers(0, 10**7).map(str),
    st.decimals(0, 10_000, places=2, allow_nan=False, allow_infinity=False).map(str),
)


@given(number=numbers)
def test_one_factor_however_it_is_written(number: str) -> None:
    written = ["{}times", "{}x", "{}×", "{} times", "{}-fold", "({})", "“{}”", "**{}**", "+{}", "-{}", "{}.", "{}%"]
    assert len({quantities(form.format(number)) for form in written}) == 1
    assert len(quantities(number)) == 1


@given(number=st.integers(1000, 10**9))
def test_thousands_separators_and_trailing_zeros_change_nothing(number: int) -> None:
    assert quantities(f"{number:,}") == quantities(str(number)) == quantities(f"{number}.00") == {str(number)}


@given(number=st.integers(1, 10**6), other=st.integers(1, 10**6))
def test_different_numbers_stay_different(number: int, other: int) -> None:
    assert (quantities(f"{number}x") == quantities(f"{other} times")) == (number == other)


@given(st.text())
def test_any_text_gives_plain_decimals(text: str) -> None:
    assert all(re.fullmatch(r"\d+(\.\d*[1-9])?", number) for number in quantities(text))


@given(st.text(alphabet="ab .,-\\%", max_size=20), numbers)
def test_a_number_between_words_is_never_lost(text: str, number: str) -> None:
    assert quantities(number) <= quantities(f"{text} {number} {text}")
