"""Kept answers: what comes back is what went in, and damage is told, not guessed at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.answer import Answer, Citation, RetrievedPassage, Sentence
from rag.answer.stored import VERSION, dump_answer, load_answer
from rag.errors import PaperchatError
from rag.papers import Filters, Paper, Passage

ABSTRACT = "The larger model has 48 layers. It is good."
PAPER = Paper("deberta", "DeBERTa", ABSTRACT, date(2020, 6, 5), organisation="Microsoft", n_authors=4)
FOUND = RetrievedPassage(PAPER, Passage("deberta#0", "deberta", 0, ABSTRACT[:31], 0, 31), {"dense": 0.5, "score": 1.0})
ANSWER = Answer(
    question="And the larger one?",
    query_used="How many layers does the larger DeBERTa have?",
    filters=Filters(published_from=date(2020, 1, 1), paper_ids=("deberta",)),
    answer="It has 48 layers [1].",
    outcome="answered",
    reason="",
    answerer="quotes",
    citations=(Citation(1, PAPER, ABSTRACT[:31], 0, 31, 0.97),),
    passages=(FOUND,),
    left_out=(replace(FOUND, left_out="another passage of the paper is better"),),
    sentences=(Sentence("It has 48 layers [1].", (1,), 0.97, True),),
    nearest=(PAPER, Paper("other", "The Other", "Nothing.")),
    signals={"confidence": 0.8},
    timings_ms={"retrieve": 12.5},
    usage={"prompt_tokens": 7},
)


def anything(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, fields that are added one day included; mappings are dicts."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _any(hints[field.name]) for field in fields(kind)})


def _any(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Mapping:
        of = {float: st.floats(), int: st.integers()}[hint.__args__[1]]
        return st.dictionaries(st.text(max_size=9), of, max_size=4)
    if hint == tuple[RetrievedPassage, ...]:
        return st.lists(anything(RetrievedPassage), max_size=2).map(tuple)
    return st.from_type(hint)


@given(anything(Answer))
@settings(max_examples=60, deadline=None)
def test_any_answer_comes_back_as_it_was(answer: Answer) -> None:
    back = load_answer(dump_answer(answer))
    assert repr(back) == repr(answer), "compared as text, for not-a-number equals nothing"


def test_an_answer_comes_back_equal_and_its_paper_is_written_once() -> None:
    text = dump_answer(ANSWER)
    assert load_answer(text) == ANSWER
    assert text.count(json.dumps(ABSTRACT)[1:-1]) == 1
    assert text.count("The larger model") == 2, "the abstract, and the quote"
    assert text.isascii()
    assert "\n" not in text


def test_a_passage_that_is_no_stretch_of_its_abstract_keeps_its_own_text() -> None:
    odd = replace(FOUND, passage=replace(FOUND.passage, text="quite another text"))
    same_id = replace(FOUND, paper=replace(PAPER, abstract="another version of the paper"))
    answer = replace(ANSWER, passages=(odd, same_id))
    assert load_answer(dump_answer(answer)) == answer


def test_half_a_surrogate_pair_is_kept() -> None:
    answer = replace(ANSWER, question="half \ud800 a pair", answer="a \x00 and a \u2028")
    assert load_answer(dump_answer(answer)) == answer


def test_fields_of_a_later_version_are_passed_over_and_later_fields_have_their_defaults() -> None:
    kept = json.loads(dump_answer(ANSWER))
    kept["mood"] = kept["answer"]["mood"] = kept["papers"][0]["mood"] = kept["answer"]["citations"][0]["mood"] = "good"
    for name in ("nearest", "left_out", "signals", "style", "route", "language", "confidence"):
        del kept["answer"][name]
    del kept["papers"][0]["comments"]
    old = replace(ANSWER, nearest=(), left_out=(), signals={}, confidence="medium")
    assert load_answer(json.dumps(kept)) == old


def _changed(*path: Any, to: Any) -> str:
    kept = json.loads(dump_answer(ANSWER))
    part = kept
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = to
    return json.dumps(kept)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        dump_answer(ANSWER)[:-20],
        "[" * 100_000,
        _changed("papers", to=[]),
        _changed("answer", to=None),
        _changed("version", to=None),
        _changed("answer", "citations", to=[None]),
        _changed("answer", "citations", 0, "paper", to="deberta"),
        _changed("answer", "passages", 0, "passage", to={"passage_id": "x"}),
        _changed("answer", "outcome", to="guessed"),
        _changed("answer", "filters", to={"published_from": "yesterday"}),
        _changed("papers", 0, "title", to=5),
    ],
)
def test_damage_is_told_with_what_to_do(text: str) -> None:
    with pytest.raises(PaperchatError, match=r"The kept answer cannot be read \(.+\)\. Ask the question again\."):
        load_answer(text)


def test_the_text_of_a_newer_program_is_not_misread() -> None:
    with pytest.raises(PaperchatError, match="newer paperchat"):
        load_answer(_changed("version", to=VERSION + 1))
