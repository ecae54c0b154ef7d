"""Numbers made comparable: one quantity, however a listing or a model writes it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.numbers import quantities, stated_numbers, units


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


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("It has twelve layers.", {"12"}),
        ("Twelve of 40", {"12", "40"}),
        ("twenty-five", {"25"}),
        ("Ninety nine problems", {"99"}),
        ("thirty-one and thirty", {"31", "30"}),
        ("twenty-fold", {"20"}),
        ("a dozen", {"12"}),
        ("a hundred, a thousand", {"100", "1000"}),
        ("three million", {"3", "million"}),
        ("half, halves, halved", {"half"}),
        ("doubled or twice", {"double"}),
        ("two thirds", {"2", "third"}),
        ("the fourth and the 5th", {"4th", "5", "5th"}),
        ("the 21st century", {"21", "21th"}),
        ("one of them, someone, often, network, weight", set()),
        ("GPT-4 and o1", set()),
        ("", set()),
    ],
)
def test_the_numbers_that_are_spelled_out_count_too(text: str, stated: set[str]) -> None:
    assert stated_numbers(text) == stated


@given(st.text(st.characters(codec=None)))
def test_numbers_in_digits_are_stated_whatever_is_spelled_out(text: str) -> None:
    assert quantities(text) <= stated_numbers(text)


@given(tens=st.integers(2, 9), ones=st.integers(1, 9), joint=st.sampled_from("- "))
def test_a_compound_number_is_the_sum_of_its_words(tens: int, ones: int, joint: str) -> None:
    ten = "twenty thirty forty fifty sixty seventy eighty ninety".split()[tens - 2]
    one = "one two three four five six seven eight nine".split()[ones - 1]
    assert stated_numbers(f"We have {ten}{joint}{one} of them.") == {str(10 * tens + ones)}


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("100 ms", {"100": {"ms"}}),
        ("100ms, 100 s", {"100": {"ms", "s"}}),
        ("a 3-year study", {"3": {"year"}}),
        ("5 percent and 5.0%", {"5": {"%"}}),
        ("5 seconds, 5 sec, 5 s", {"5": {"s"}}),
        ("2 hours, 2 hr, 2 h", {"2": {"h"}}),
        ("10 minutes and 10 min", {"10": {"min"}}),
        ("1,000 kg or 1000 kilograms", {"1000": {"kg"}}),
        ("6 feet, 6 foot", {"6": {"foot"}}),
        ("70B, 70 billion", {"70": {"billion"}}),
        ("10M or 10 million", {"10": {"million"}}),
        ("10 m", {"10": {"m"}}),
        ("8 GB of memory", {"8": {"gb"}}),
        ("37 °C", {"37": {"°c"}}),
        ("5 µg or 5 micrograms", {"5": {"µg"}}),
        ("12 layers, v2.5 s, GPT4 s", {}),
        ("fifteen ms", {}),
        ("", {}),
    ],
)
def test_the_units_of_numbers(text: str, stated: dict[str, set[str]]) -> None:
    assert units(text) == stated


SAME_UNITS = ["s sec second seconds", "min minute minutes", "h hr hour hours", "% percent", "m meter meters"]


@given(number=st.integers(0, 10**6), names=st.sampled_from(SAME_UNITS))
def test_one_unit_however_it_is_written(number: int, names: str) -> None:
    written = [units(f"{number}{joint}{name}") for name in names.split() for joint in (" ", "", "-")]
    assert all(found == written[0] for found in written)
    assert len(written[0][str(number)]) == 1


@given(st.text(st.characters(codec=None)) | st.text("0123456789 ,.%-smhkgµ°CB", max_size=30))
def test_any_text_has_units_for_numbers_that_it_states(text: str) -> None:
    for number, found in units(text).items():
        assert re.fullmatch(r"\d+(\.\d*[1-9])?", number)
        assert found
