"""Questions about several papers: their sides by rules and by a model, and one ranking of what was found for each."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
import pytest
from answer_helpers import last_answer, question
from fake_llm import Output, ScriptedGenerator
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.how import How
from rag.answer.pipeline import Paperchat
from rag.answer.prompts import CANNOT_ANSWER
from rag.answer.retrieve import RankedPaper, Retrieval
from rag.answer.sides import FIRST, MOST, sides, sides_of, together
from rag.answer.sides_by_model import sides_by_model, sub_questions
from rag.errors import EndpointBusyError, ModelError
from rag.models.interfaces import Encoded
from rag.papers import Filters, Paper, Passage
from rag.show_ranking import show_explained

TWO = "Two papers prune language models, one by layers and one by attention heads. What does each lose?"
PIECES = (
    "one", "another", "the other", "and", "or", ",", ", ", ": ", ". ", "? ", "how does", "what do", "which", "the",
    "paper", "papers", "two", "about", "in", "pruning", "speech", "BERT", "each", "they", " - ", "versus", "2:4", "é",
    "“", "\n",
)  # fmt: skip


# --- by rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            TWO,
            (
                "Two papers prune language models, one by layers",
                "Two papers prune language models, one by attention heads.",
            ),
        ),
        (
            "There are two parsers. One paper trains it on trees, another on raw text; how?",
            ("There are two parsers. One paper trains it on trees", "There are two parsers. another on raw text; how?"),
        ),
        (
            "Speech corpora: how large is the one of children, and how large the one of phone calls?",
            ("Speech corpora: how large is the one of children", "Speech corpora: how large the one of phone calls?"),
        ),
        (
            "What does the paper on moths count and what does the paper on bees weigh?",
            ("What does the paper on moths count", "what does the paper on bees weigh?"),
        ),
        (
            "Why does one study trust surveys, and what does the other blame them for?",
            ("Why does one study trust surveys", "what does the other blame them for?"),
        ),
        (
            "Which surveys are about speech and about music, and how long are they?",
            ("Which surveys are about speech", "Which surveys are about music"),
        ),
        (
            "Counting cells: how do the paper on plants and the one on yeast stain them?",
            ("Counting cells: how do the paper on plants", "Counting cells: how do the one on yeast stain them?"),
        ),
    ],
)  # fmt: skip
def test_each_side_is_asked_with_what_stands_before_the_sides(text: str, found: tuple[str, ...]) -> None:
    assert sides(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "How does TILDEv2 shrink its index?",
        "What is TILDEv2, and how does it shrink its index?",
        "How large is its index, and what hardware was used?",
        "What accuracy does it reach on GLUE and on SuperGLUE?",
        "List the papers from 2015 and 2016.",
        "Which papers use trees, and what do they gain?",
        "Two papers prune language models. What does each lose?",
        "How do BERT and ELMo differ?",
        "DisenBooth versus DETEX",
        "Which of the two is faster, and by how much?",
        "Is one GPU enough?",
        "How fast is DeBERTa, and how many layers does the large one have?",
        "What does TILDEv2 store, and how does the approach scale?",
        "What is trained for each facet, and what turns the facets into one score?",
        "Who are the authors of LongLoRA, and where does the first one work?",
        "",
        "?!",
    ],
)
def test_a_question_with_one_side_or_a_plain_list_has_none(text: str) -> None:
    assert sides(text) == ()


@given(
    st.text(st.characters(codec="utf-8"), max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
)
def test_sides_are_few_and_of_the_questions_own_words(text: str) -> None:
    found = sides(text)
    assert len(found) <= MOST
    for side in found:
        assert set(side.split()) <= set(" ".join(text.split()).strip(" ,;:").split()) | _bare(text)


def _bare(text: str) -> set[str]:
    """Words without the marks that may end or begin a side."""
    return {word.strip(",;:") for word in text.split()}


def test_only_what_is_asked_of_open_subjects_has_sides() -> None:
    asked = question(TWO)
    assert len(sides_of(asked)) == 2
    assert sides_of(replace(asked, subject="Known Title")) == ()
    assert sides_of(replace(asked, topic="")) == ()
    assert sides_of(replace(asked, intent="count")) == ()
    inherited = replace(asked, query=f"{asked.query}, in “One, and another Title”", focus=len(asked.query))
    assert sides_of(inherited) == sides_of(asked)


# --- together ----------------------------------------------------------------------------------


def found(scores: Mapping[str, float], query: str = TWO) -> Retrieval:
    """What a search found, by hand."""
    nothing = Encoded(np.zeros(1, np.float32), np.zeros((0, 1), np.float32), np.zeros((0, 2), np.int32))
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    papers = (
        RankedPaper(
            rank,
            Paper(name, f"Title {name}", "It is short.", date(2020, 1, 1)),
            Passage(f"{name}#0", name, 0, "It is short.", 0, 12),
            score,
            {"dense": score / 2, "dense_rank": float(rank), "fused": score, "score": score},
        )
        for rank, (name, score) in enumerate(ordered, 1)
    )
    return Retrieval(query, Filters(), nothing, tuple(papers))


def names_of(retrieval: Retrieval) -> list[str]:
    return [ranked.paper.paper_id for ranked in retrieval.papers]


def test_a_paper_has_its_best_score_worked_by_hand() -> None:
    whole = found({"a": 1.0, "b": 0.6, "c": 0.5})
    ranked = together(whole, [found({"a": 0.9, "b": 0.2}), found({"c": 0.9, "d": 0.7, "b": 0.6})])
    assert names_of(ranked) == ["a", "c", "d", "b"]
    assert [one.rank for one in ranked.papers] == [1, 2, 3, 4]
    assert [one.score for one in ranked.papers] == [1.0, 0.9, 0.7, 0.6]
    assert ranked.papers[0].scores == whole.papers[0].scores, "no side lifted it"
    assert ranked.papers[1].scores == {**whole.papers[2].scores, "side": pytest.approx(0.4), "score": 0.9}
    assert ranked.papers[2].scores == {"dense": 0.35, "side": 0.7, "score": 0.7}, "the whole question did not find it"
    assert (ranked.query_used, ranked.encoded) == (whole.query_used, whole.encoded)


def test_the_first_of_a_side_comes_into_the_first_five_before_the_papers_that_are_not() -> None:
    whole = found({name: 1.0 - n / 100 for n, name in enumerate("abcdefg")})
    ranked = together(whole, [found({"z": 0.3, "a": 0.1})])
    assert names_of(ranked) == ["a", "b", "c", "d", "z", "e", "f", "g"]
    assert ranked.papers[4].score == ranked.papers[5].score == 0.96


searches = st.dictionaries(st.sampled_from("abcdefghijklmnopqrst"), st.floats(0, 1.3), max_size=15).map(found)


@given(searches, st.lists(searches, max_size=6))
def test_every_side_has_its_first_among_the_first_five(whole: Retrieval, parts: list[Retrieval]) -> None:
    ranked = together(whole, parts)
    order = names_of(ranked)
    assert sorted(order) == sorted({name for one in (whole, *parts) for name in names_of(one)})
    assert [one.rank for one in ranked.papers] == list(range(1, len(order) + 1))
    scores = [one.score for one in ranked.papers]
    assert scores == sorted(scores, reverse=True)
    assert all(one.scores["score"] == one.score for one in ranked.papers)
    own = {one.paper.paper_id: one.score for one in whole.papers}
    for one in ranked.papers:
        assert one.score - one.scores.get("side", 0.0) == pytest.approx(own.get(one.paper.paper_id, 0.0))
    if len(parts) <= FIRST - 1:
        assert {part.papers[0].paper.paper_id for part in parts if part.papers} <= set(order[:FIRST])


def test_what_a_side_gave_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = BY_MODEL  # what was searched for is shown, whoever told the sides apart
    parts = [found({"a": 1.0}, one), found({"c": 0.8, "b": 0.75}, other)]
    ranked = together(found({"a": 1.0, "b": 0.5}), parts)
    assert ranked.sides == BY_MODEL
    show_explained(ranked, TWO, 3, lambda _: "")
    shown = " ".join(capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ").split())
    for side in BY_MODEL:
        assert f"“{side}”" in shown
    assert "Score 1.000 = 1.000 (whole question) + 0.000 (its side)" in shown
    assert "Score 0.750 = 0.500 (whole question) + 0.250 (its side)" in shown
    assert "Score 0.800 = 0.000 (whole question) + 0.800 (its side)" in shown


# --- by a model --------------------------------------------------------------------------------

BY_MODEL = ("Which paper prunes language models by layers?", "Which paper prunes language models by attention heads?")


@pytest.mark.parametrize(
    "output",
    [
        "\n".join(BY_MODEL),
        f"1. {BY_MODEL[0]}\n\n2. {BY_MODEL[1]}\n",
        f"- {BY_MODEL[0]}\n- {BY_MODEL[1]}",
        f"<think>two of them</think>\n{BY_MODEL[0]}\n{BY_MODEL[1]}",
    ],
)
def test_a_list_of_sub_questions_is_taken(output: str) -> None:
    generator = ScriptedGenerator([output], piece=3)
    assert sides_by_model(TWO, generator) == BY_MODEL
    assert generator.calls[0][-1].content.endswith(TWO)


@pytest.mark.parametrize(
    "output",
    [
        "",
        BY_MODEL[0],
        f"{BY_MODEL[0]}\n{BY_MODEL[0].upper()}",
        "\n".join(f"{BY_MODEL[n % 2]} {'layers ' * n}" for n in range(5)),
        f"{BY_MODEL[0]}\n{'layers ' * 60}",
        f"{BY_MODEL[0]}\n{BY_MODEL[1]} [1]",
        f"{BY_MODEL[0]}\n<passage> {BY_MODEL[1]}",
        f"{BY_MODEL[0]}\nBananas of Ecuador are rich in potassium.",
        f"{BY_MODEL[0]}\n?",
        EndpointBusyError("busy", "later"),
        ModelError("no file", "set one"),
    ],
)
def test_anything_else_falls_back_to_the_rules(output: Output) -> None:
    generator = ScriptedGenerator([output])
    assert sub_questions(question(TWO), _how("openai"), lambda: generator) == sides(TWO)
    assert len(generator.calls) == 1


def _how(answerer: Literal["openai", "quotes", "local"], *, routed: bool = False) -> How:
    return How(answerer, "standard", routed, True, date(2025, 1, 1), threading.Event())


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("How does TILDEv2 shrink its index?", _how("openai")),
        ("List the papers from 2015 and 2016.", _how("openai")),
        (TWO, _how("quotes")),
        (TWO, _how("local")),
        (TWO, _how("openai", routed=True)),
    ],
)
def test_the_model_is_asked_of_several_papers_alone_and_only_where_it_answers(text: str, how: How) -> None:
    def never() -> ScriptedGenerator:
        raise AssertionError("the model was asked")

    assert sub_questions(question(text), how, never) == sides(text)


def test_a_model_finds_sides_that_the_rules_do_not_see() -> None:
    text = "How do the two papers on pruning choose layers?"
    generator = ScriptedGenerator(["Which papers choose layers for pruning?\nHow do papers choose pruning?"])
    assert sides(text) == ()
    assert len(sub_questions(question(text), _how("openai"), lambda: generator)) == 2


# --- the whole way -----------------------------------------------------------------------------

ASKED = "Two papers work on text, one to generate video and one to rank passages. What does each report?"


def test_each_side_is_searched_within_the_filters(engine: Paperchat) -> None:
    alone = engine._use.retriever.search(ASKED, Filters()).papers
    ranked = engine.retrieve(ASKED, k=5)
    assert [one.rank for one in ranked.papers] == [1, 2, 3, 4, 5]
    assert [one.paper for one in ranked.papers] != [one.paper for one in alone[:5]]
    for side in sides(ASKED):
        best = engine._use.retriever.search(side, Filters()).papers[0].paper
        assert best in [one.paper for one in ranked.papers]
    late = engine.retrieve(ASKED, k=5, within=Filters(published_from=date(2022, 1, 1)))
    assert late.papers
    assert all(one.paper.published >= date(2022, 1, 1) for one in late.papers if one.paper.published)
    assert [one.paper for one in engine.retrieve(ASKED, k=2).papers] == [one.paper for one in ranked.papers[:2]]


def test_a_question_with_one_side_is_searched_once_and_as_ever(engine: Paperchat) -> None:
    text = "How does TILDEv2 shrink its index?"
    assert engine.retrieve(text, k=50).papers == engine._use.retriever.search(text, Filters(), 50).papers


def test_a_model_that_fails_at_the_sides_still_answers(engine: Paperchat) -> None:
    generator = ScriptedGenerator([EndpointBusyError("busy", "later"), CANNOT_ANSWER])
    chat = Paperchat(engine.settings, embedder=engine._use.embedder, generator=generator)
    answer = last_answer(list(chat.stream(ASKED, answerer="openai")))
    assert answer.refused
    assert len(generator.calls) == 2
    chat.close()


@pytest.mark.parametrize(
    "question",
    [
        "If one head is pruned and another is kept, what happens?",
        "How does accuracy change when one layer is removed and another layer is added?",
        "What does BERT do in one pass, and the second stage?",
        "How does one train GPT-3, and one GPT-4?",
        "One-shot learning, another method: how?",
    ],
)
def test_one_and_another_thing_of_a_single_paper_are_no_sides(question: str) -> None:
    assert sides(question) == ()
