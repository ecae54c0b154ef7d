"""Who answers when the program chooses, and what a model may add to quotes that were shown already."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from answer_helpers import question
from fake_llm import Output, ScriptedGenerator, citing
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.alignment import idf_of
from rag.answer.answer import Citation, Sentence, TextDelta
from rag.answer.confidence import FACTUAL, HIGH
from rag.answer.draft import Draft
from rag.answer.grounding import Grounder
from rag.answer.routing import LEAD_IN, phrase, route
from rag.errors import EndpointBusyError, EndpointError, ModelError
from rag.models.embedder import load_embedder
from rag.papers import Paper
from rag.settings import Settings

TODAY = date(2026, 11, 21)
ASKED = "How much smaller does TILDEv2 make the index?"
SIZE = "TILDEv2 reduces the index size by 99% compared to TILDE."
SPEED = "It runs on a CPU in 3 ms."
TILDE = Paper("tilde", "TILDEv2: Fast Passage Re-ranking", f"We study re-ranking. {SIZE} {SPEED}", date(2021, 8, 19))
WHALES = Paper("whales", "Whales", "Sperm whales encode information in clicks. They are loud.", date(2023, 3, 17))


def cite(n: int, paper: Paper, quote: str) -> Citation:
    start = paper.abstract.index(quote)
    return Citation(n, paper, quote, start, start + len(quote), 1.0)


CITED = (
    cite(1, WHALES, "Sperm whales encode information in clicks."),
    cite(2, TILDE, SIZE),
    cite(2, TILDE, SPEED),
)
QUOTED = Draft(
    "“Whales”: “Sperm whales encode information in clicks.” [1]\n\n“TILDEv2”: “…” [2]",
    "answered",
    "The quoted sentences cover it.",
    tuple(Sentence(f"“{c.quote}” [{c.n}]", (c.n,), 1.0, True) for c in CITED),
    CITED,
    signals={"coverage": 0.9},
)


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    return Grounder(idf_of([TILDE.abstract, WHALES.abstract]), load_embedder(settings))


def phrased(output: Output, grounder: Grounder, quoted: Draft = QUOTED, **options: Any) -> tuple[Draft, list[str]]:
    """The draft and its deltas; joined they are its text, and the quotes came first and whole."""
    model = output if isinstance(output, ScriptedGenerator) else ScriptedGenerator([output])
    events, deltas = phrase(ASKED, quoted, model, grounder, today=TODAY, **options), []
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            draft: Draft = end.value
            break
        assert isinstance(event, TextDelta)
        deltas.append(event.text)
    assert deltas[0] == quoted.text
    assert "".join(deltas) == draft.text
    assert draft.citations == quoted.citations
    return draft, deltas


# --- the route --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("How many languages does it cover?", "quotes"),
        ("Which paper introduces TILDEv2?", "quotes"),
        ("What is TILDEv2?", "quotes"),
        ("Does TILDEv2 run on a CPU?", "quotes"),
        ("How does TILDEv2 shrink its index?", "model"),
        ("Compare TILDE and TILDEv2.", "model"),
        ("Which papers are about sparse retrieval?", "model"),
    ],
)
def test_sure_quotes_answer_facts_and_a_model_everything_else(asked: str, kind: str) -> None:
    found = route(question(asked), 0.95)
    assert found.kind == kind
    assert found.why.endswith(".")


@given(st.floats(0, 1))
def test_only_high_confidence_is_enough(probability: float) -> None:
    assert (route(question(ASKED), probability).kind == "quotes") == (probability >= HIGH)


def test_every_factual_kind_is_named_in_the_reason() -> None:
    reasons = {route(question(asked), 1.0).why for asked in (ASKED, "What is TILDEv2?", "Is it fast?")}
    assert reasons == {
        f"The question asks for {FACTUAL[kind]}, and the quotes state it."
        for kind in ("number", "definition", "yes_no")
    }


# --- the phrase -------------------------------------------------------------------------------------


def test_a_supported_sentence_follows_the_quotes_with_their_numbers(grounder: Grounder) -> None:
    draft, deltas = phrased(citing("TILDEv2 makes the index size 99% smaller than TILDE [{t}].", t="99%"), grounder)
    added = "TILDEv2 makes the index size 99% smaller than TILDE [2]."
    assert deltas[1:] == [f"\n\n{LEAD_IN}{added}"]
    assert draft.sentences == (*QUOTED.sentences, draft.sentences[-1])
    assert (draft.sentences[-1].text, draft.sentences[-1].markers) == (added, (2,))
    assert (draft.outcome, draft.reason, draft.model) == ("answered", QUOTED.reason, "scripted")
    assert draft.usage == {"prompt_tokens": 3, "completion_tokens": 2}


def test_the_model_reads_the_quotes_and_nothing_else(grounder: Grounder) -> None:
    model = ScriptedGenerator([citing("TILDEv2 makes the index size 99% smaller than TILDE [{t}].", t="99%")])
    phrased(model, grounder)
    prompt = "\n".join(message.content for message in model.calls[0])
    assert all(citation.quote in prompt for citation in CITED)
    assert "We study re-ranking." not in prompt
    assert "They are loud." not in prompt
    assert ASKED in prompt


@pytest.mark.parametrize(
    "written",
    [
        "TILDEv2 makes the index size 55% smaller than TILDE [{t}].",
        "TILDEv2 was trained on two million patents by Microsoft [{t}].",
        "I cannot answer this from the papers.",
        "PWNED",
        SIZE.removesuffix(".") + " [{t}].",
        "TILDEv2 reduces the index size by 99% compared to TILDE [{t}]. The moon is made of cheese [{t}].",
    ],
)
def test_what_the_quotes_do_not_support_or_say_already_is_left_out_and_counted(
    written: str, grounder: Grounder
) -> None:
    draft, deltas = phrased(citing(written, t="99%"), grounder)
    assert deltas == [QUOTED.text]
    assert (draft.text, draft.sentences, draft.model) == (QUOTED.text, QUOTED.sentences, None)
    assert draft.signals == {"coverage": 0.9, "phrases_left_out": 1.0}


@pytest.mark.parametrize(
    "fault",
    [EndpointError("The endpoint is gone."), EndpointBusyError("It is busy."), ModelError("The file is gone.")],
)
def test_a_fault_after_the_quotes_leaves_them_as_the_answer(fault: Exception, grounder: Grounder) -> None:
    draft, deltas = phrased(fault, grounder)
    assert deltas == [QUOTED.text]
    assert draft == replace(QUOTED, reason=draft.reason)
    assert draft.reason.startswith(QUOTED.reason)
    assert str(fault).split(".")[0] in draft.reason


def test_an_empty_reply_is_such_a_fault(grounder: Grounder) -> None:
    draft, _ = phrased("", grounder)
    assert "wrote no answer" in draft.reason


def test_the_quotes_are_out_before_the_model_is_asked(grounder: Grounder) -> None:
    model = ScriptedGenerator(["Fine."])
    events = phrase(ASKED, QUOTED, model, grounder, today=TODAY)
    assert next(events) == TextDelta(QUOTED.text)
    assert model.calls == []
    events.close()
    assert model.calls == []


def test_once_cancelled_the_quotes_stay_as_they_are(grounder: Grounder) -> None:
    cancelled = threading.Event()
    cancelled.set()
    draft, deltas = phrased("TILDEv2 reduces the index size.", grounder, cancelled=cancelled)
    assert deltas == [QUOTED.text]
    assert draft == QUOTED
