"""Which amount is asked for, and which sentences state one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import soon

from rag.answer.amounts import amounts_asked, counts, states_number, states_value, wants_value


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("How many layers does CRATE have?", [("count", "layers")]),
        ("On how many BEIR datasets does it win?", [("count", "BEIR datasets")]),
        ("What accuracy and how many parameters has it?", [("count", "parameters"), ("measure", "accuracy")]),
        ("What is its query latency on a GPU?", [("measure", "query latency")]),
        ("What beam width is used?", [("measure", "beam width")]),
        ("In what size class is it best?", []),
        ("How many times quicker is it?", [("amount", "How many")]),
        ("How many per image?", [("amount", "How many")]),
        ("By how much does it win?", [("amount", "how much")]),
        ("What role does the signal-to-noise ratio play?", []),
        ("Which papers map grammar onto circuits?", []),
        ("How does it work?", []),
        ("What throughput bottleneck does it address?", []),
        ("What accuracy trade-off does it make?", []),
        ("What factor limits it?", []),
        ("What weights does it freeze?", []),
        ("What precision does it use?", []),
        ("What precision does it reach?", [("measure", "precision")]),
        ("What recall on MARCO does it have?", [("measure", "recall")]),
        ("By what factor does it shrink?", [("measure", "factor")]),
    ],
)
def test_the_amounts_of_a_question(text: str, asked: list[tuple[str, str]]) -> None:
    found = amounts_asked(text)
    assert [(amount.kind, amount.words) for amount in found if amount.kind != "amount"] == [
        pair for pair in asked if pair[0] != "amount"
    ]
    assert [amount.kind for amount in found] == [kind for kind, _ in asked]
    assert all(text[amount.start : amount.end] == amount.words for amount in found if amount.kind != "amount")


@pytest.mark.parametrize(
    ("sentence", "question", "stated"),
    [
        ("It has 48 layers.", "How many layers?", True),
        ("Our CodeT5+ 16B sets a record.", "What score does the 16B CodeT5+ get?", False),  # the question's own number
        ("It beats Wenlan 2.0 and Llama-3 8B.", "What score?", False),  # parts of names
        ("ProLong 8B is ours.", "How large is ProLong?", True),  # of the very thing asked about
        ("It reaches 5.1 % on average.", "What score?", True),
        ("It is half as large.", "How large?", True),
        ("It is large.", "How large?", False),
        ("It is an order of magnitude faster.", "How much faster?", True),
        ("It needs no labelled examples.", "How many labelled examples?", True),
        ("It adds zero additional parameters.", "How many parameters?", True),
        ("It does zero-shot retrieval.", "How many examples?", False),
        ("It covers hundreds of languages.", "How many languages?", True),
        ("It wins on all 10 tasks.", "On how many of the 10 tasks?", True),
        ("It wins on both tasks.", "On how many tasks?", True),
        ("It wins on tasks of all kinds.", "On how many tasks?", False),
    ],
)
def test_a_number_is_stated(sentence: str, question: str, stated: bool) -> None:
    assert states_number(sentence, question) is stated


@pytest.mark.parametrize(
    ("sentence", "stated"),
    [
        ("It reaches 69.32 on MTEB.", True),
        ("It shows a 16% improvement in MMLU scores.", False),
        ("It outperforms others by 3.5 points.", False),
        ("Accuracy rises by up to 12.8\\% to 81.3.", True),
    ],
)
def test_a_change_is_no_value(sentence: str, stated: bool) -> None:
    assert states_value(sentence, "What score does it reach?") is stated


def test_a_value_is_wanted_unless_the_question_asks_for_a_change() -> None:
    reach, gain = "What accuracy does it reach?", "What accuracy improvement does it bring?"
    assert wants_value(reach, amounts_asked(reach)[0])
    assert not wants_value(gain, amounts_asked(gain)[0])
    flow = "What accuracy does NapFlow reach?"  # no "low"
    assert wants_value(flow, amounts_asked(flow)[0])


@pytest.mark.parametrize(
    ("sentence", "noun", "stated"),
    [
        ("Our 8 tasks involve 16 datasets.", "dataset", True),
        ("It is evaluated on 37 popular large language models.", "model", True),
        ("It needs 40x fewer training tokens.", "token", True),
        ("The expert count to 262,144 per layer grows.", "expert", True),
        ("It has the same parameters (10M to 1B).", "paramet", True),
        ("We use a single GPU.", "gpu", True),
        ("An improvement of 4.7pp in speaker similarity.", "speaker", False),
        ("It is 3x faster, with more layers.", "layer", False),
        ("It has many heads.", "layer", None),
        ("It needs no extra layers.", "layer", True),
        ("It saw millions of images.", "imag", True),
    ],
)
def test_a_number_counts_what_stands_behind_it(sentence: str, noun: str, stated: bool | None) -> None:
    assert counts(sentence, noun, "How many?") is stated


@given(st.text(), st.text())
def test_any_text(sentence: str, question: str) -> None:
    for amount in amounts_asked(question):
        assert 0 <= amount.start <= amount.end <= len(question)
        wants_value(question, amount)
    counts(sentence, "layer", question)
    if not states_number(sentence, question):
        assert not counts(sentence.replace("one", "").replace("single", ""), "layer", question)


@pytest.mark.parametrize("piece", ["1", "1.", "A", "Aa", "what ", "how many a ", "12 by ", "(1", " in the number"])
def test_long_repetitions_take_no_longer_than_other_text(piece: str) -> None:
    text = piece * 3000
    with soon(2):
        amounts_asked(text[:4000])
        states_value(text, text[:4000])
        counts(text + " layer", "layer", "How many layers?")
