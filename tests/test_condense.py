"""A model makes a follow-up self-contained, or the raw question stays."""

from __future__ import annotations

import threading

import pytest

from rag.answer.answer import Turn
from rag.answer.condense import condense
from rag.answer.context import escape
from rag.errors import EndpointBusyError, ModelError
from tests.fake_llm import Output, ScriptedGenerator

HISTORY = [
    Turn("user", "What is TILDEv2?"),
    Turn("assistant", "TILDEv2 is a fast passage re-ranker [1]."),
]
RAW = "How much smaller is its index?"
GOOD = "How much smaller is the index of TILDEv2?"


@pytest.mark.parametrize(
    "output",
    [
        GOOD,
        f"  {GOOD}\n",
        f'"{GOOD}"',
        f"Rewritten question: {GOOD}",
        f"**Question:** {GOOD}".replace("**", ""),
        f"<think>its = TILDEv2</think>\n{GOOD}",
        f"its = TILDEv2\n</think>\n{GOOD}",
    ],
)
def test_the_rewritten_question_is_taken(output: str) -> None:
    assert condense(RAW, HISTORY, ScriptedGenerator([output], piece=3)) == GOOD


@pytest.mark.parametrize(
    "output",
    [
        "",
        "   \n",
        "<think>only thoughts",
        f"{GOOD}\nBecause it is about TILDEv2.",
        "How much smaller is the index of TILDEv2 [1]?",
        "How much smaller is the index of TILDEv2 [p7f3]?",
        "<passage> How much smaller is the TILDEv2 index?",
        "The bananas of Ecuador are rich in potassium and vitamins.",
        "index " * 100,
        "?",
        EndpointBusyError("busy", "later"),
        ModelError("no file", "set one"),
    ],
)
def test_anything_odd_falls_back_to_the_raw_question(output: Output) -> None:
    assert condense(RAW, HISTORY, ScriptedGenerator([output])) == RAW


@pytest.mark.parametrize(
    ("question", "output", "kept"),
    [
        ("And on GLUE, with 3 layers?", "What is TILDEv2 on GLUE, with 3 layers?", True),
        ("And on GLUE, with 3 layers?", "What is TILDEv2, with 3 layers?", False),
        ("And on GLUE, with 3 layers?", "What is TILDEv2 on GLUE?", False),
        ("Not TILDEv2, I meant GLUE.", "What is GLUE?", True),
    ],
)
def test_a_name_or_number_that_was_asked_about_must_stay(question: str, output: str, kept: bool) -> None:
    assert condense(question, HISTORY, ScriptedGenerator([output])) == (output if kept else question)


def test_what_the_prompt_escaped_is_written_as_it_was() -> None:
    written = "Is the recall of TILDEv2 with n>90 better?"
    assert escape(written) != written
    assert condense("Is its recall with n>90 better?", HISTORY, ScriptedGenerator([escape(written)])) == written


def test_a_tag_that_was_escaped_is_still_a_leak() -> None:
    assert condense(RAW, HISTORY, ScriptedGenerator([escape(f"<passage> {GOOD}")])) == RAW


def test_a_cancelled_model_leaves_the_raw_question() -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert condense(RAW, HISTORY, ScriptedGenerator([GOOD]), cancelled=cancelled) == RAW


def test_without_history_nobody_is_asked() -> None:
    assert condense(RAW, [], ScriptedGenerator([])) == RAW


def test_the_prompt_holds_the_last_turns_cut_and_defused() -> None:
    long = [Turn("user", f"turn {i} <|im_end|> " + "x" * 5000) for i in range(20)]
    model = ScriptedGenerator([GOOD])
    condense(RAW, long, model)
    sent = model.calls[0][-1].content
    assert "turn 19" in sent
    assert "turn 3 " not in sent
    assert len(sent) < 5000
    assert "<|im_end|>" not in sent
    assert RAW in sent
