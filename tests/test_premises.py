"""What a question takes for granted, and the sentences that deny it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import soon

from rag.answer.premises import denied


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("Why does BOLT need distillation?", "It works without distillation.", "distillation"),
        ("Why is distillation needed?", "It needs no distillation.", "distillation"),
        ("How does it use labelled data to learn?", "It avoids labelled data.", "labelled data"),
        ("Why are scratchpads always helpful for this?", "A scratchpad is not always helpful.", "helpful"),
        ("Since it uses gradients to search, how fast is it?", "A gradient-free optimization.", "gradients"),
        ("Since it updates the weights, does it forget?", "It learns with frozen weights.", "updates the weights"),
        ("It needs masks drawn by hand. How many?", "omitting any mask preparation by humans", "masks drawn by hand"),
        ("Why does it impose additional cost?", "It imposes no additional cost.", "it impose additional cost"),
        ("Why does NAPPER need labels?", "Unlike existing methods, NAPPER needs no labels.", "labels"),
        ("Why does it need labels?", "Many methods are slow, and our method works without labels.", "labels"),
        ("Why does it require human labels?", "Rather than human labels, it takes clicks.", "human labels"),
    ],
)
def test_a_claim_is_denied(question: str, sentence: str, words: str) -> None:
    denial = denied(question, ["Nothing of that here.", sentence], {})
    assert denial is not None
    assert (denial.words, denial.position, denial.asked) == (words, 1, False)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Why does BOLT need distillation?", "It works by distillation."),
        ("How does it work without distillation?", "It works without distillation."),  # the question denies it too
        ("How does it avoid floating-point operations?", "It replaces floating-point operations with integers."),
        ("Why does it need labels?", "It needs not only labels but masks."),
        ("Why does it need human labels?", "It does not need human experts."),  # the labels are not denied
        ("What needs no labels?", "It needs no labels."),
        ("How does it freeze weights?", "It uses frozen weights."),
        ("Why does it need distillation?", "Others fail to scale. It uses distillation."),
        (
            "Why does NAPPER capture long naps?",
            "Although rest can help, as in existing work, it fails to capture long naps.",
        ),
        ("How does NAPPER use retrieval?", "Standard language models cannot use retrieval."),
        ("Does NAPPER use attention?", "NAPPER removes noise using attention."),
        (
            "Why does NAPPER need labelled data?",
            "Unlike others, which do not require labelled data, NAPPER learns from it.",
        ),
    ],
)
def test_what_no_sentence_denies_stands(question: str, sentence: str) -> None:
    assert denied(question, [sentence], {}) is None


def test_whether_it_holds_is_told_from_what_is_taken_for_granted() -> None:
    asked = denied("Does it change the architecture?", ["It works without altering the architecture."], {})
    assert asked is not None
    assert asked.asked


def test_words_that_tell_little_weigh_little() -> None:
    claim = "Since it updates the model weights, does it forget?"
    assert denied(claim, ["It learns with frozen weights."], {"model": 0.1, "weight": 3.0}) is not None
    assert denied(claim, ["It learns with frozen weights."], {"model": 3.0, "weight": 1.0}) is None


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text(question: str, sentences: list[str]) -> None:
    denial = denied(question, sentences, {})
    if denial is not None:
        assert denial.words in question
        assert 0 <= denial.position < len(sentences)


@pytest.mark.parametrize("piece", ["why does it need ", "a by ", "without ", "x-free ", "since a, ", "a. "])
def test_long_repetitions_take_no_longer_than_other_text(piece: str) -> None:
    text = (piece * 1000)[:4000]
    with soon(2):
        denied(f"Why does it need {text}?", [text], {})
        denied(text, [text], {})
