"""The scripted model: what it writes, and whether what becomes of it is judged rightly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest

from eval.questions import question_set
from eval.trust import scripted
from eval.trust.script_forms import FORMS, KINDS, script
from eval.trust.scripted import NOT_ASKED, NOT_SHOWN, ScriptedModel, ScriptedResult, judged, scripted_run, table
from eval.trust.scripts import Facts, Script, facts_of, passages_of
from rag.answer.answer import Answer, Citation, RetrievedPassage, Sentence
from rag.answer.context import pack
from rag.answer.pipeline import Paperchat
from rag.models.interfaces import Message
from rag.papers import Filters, Paper, Passage

CRISP = Paper(
    "crisp",
    "CRISP <EOS>: Clustering",
    "We cluster the vectors [p12ab] of 12 models. It stores 11 times fewer vectors with a 3.6% loss on BEIR.",
    date(2025, 5, 16),
)
TILDE = Paper("tilde", "TILDEv2", "TILDEv2 reduces the index by 99% compared to TILDE. It needs 3 ms on 2 cores.")
OTHER = Paper("other", "Another Paper", "Attention is looked at from another side.")
GOLD = (
    "It stores 11 times fewer vectors with a 3.6% loss on BEIR.",
    "TILDEv2 reduces the index by 99% compared to TILDE. It needs 3 ms on 2 cores.",
)


def prompt_of(*papers: Paper) -> str:
    passages = [
        RetrievedPassage(p, Passage(f"{p.paper_id}#0", p.paper_id, 0, p.abstract, 0, len(p.abstract)), {})
        for p in papers
    ]
    return f"Rules. Only cite ids.\n\n{pack(passages, 99_999, len).text}\n\nQuestion: What?"


PROMPT = prompt_of(CRISP, TILDE, OTHER)


def facts() -> Facts:
    found = facts_of(PROMPT, GOLD, "11 times fewer, and 99% smaller")
    assert found is not None
    return found


def made(kind: str, form: str, seed: int = 0) -> Script:
    found = script(kind, form, facts(), Random(seed))
    assert found is not None
    return found


EVERY_FORM = [(kind, form) for kind in KINDS for form in FORMS[kind]]


def test_the_prompt_is_read_back_as_the_papers_have_it() -> None:
    shown = {passage.title: passage.text for passage in passages_of(PROMPT)}
    assert shown == {paper.title: paper.abstract for paper in (CRISP, TILDE, OTHER)}


def test_gold_is_cut_into_sentences_each_with_its_passage() -> None:
    assert [(text[:10], holder.title) for text, holder in facts().gold] == [
        ("It stores ", CRISP.title),
        ("TILDEv2 re", TILDE.title),
        ("It needs 3", TILDE.title),
    ]


def test_nothing_is_written_about_a_sentence_that_the_prompt_does_not_show() -> None:
    assert facts_of(prompt_of(OTHER), GOLD) is None
    assert facts_of(PROMPT, ()) is None


@pytest.mark.parametrize(("kind", "form"), EVERY_FORM)
def test_every_form_is_the_same_for_a_seed_and_says_what_is_false_in_it(kind: str, form: str) -> None:
    for seed in range(8):
        found = made(kind, form, seed)
        assert found == made(kind, form, seed)
        assert (found.kind, found.form) == (kind, form)
        texts = [*(line.text for line in found.lines), found.tail]
        assert all(any(false in text for text in texts) for false in found.false)
        if kind == "wrong_number":
            assert found.false
            assert not any(false in paper.abstract for paper in (CRISP, TILDE) for false in found.false)
        if kind in ("perfect", "reworded", "wrong_number", "wrong_citation"):
            assert all(line.ids for line in found.lines)
        if kind == "uncited":
            assert not any(line.ids for line in found.lines)
        if kind == "injected":
            assert found.false


@pytest.mark.parametrize(("kind", "form"), EVERY_FORM)
def test_json_holds_the_same_sentences(kind: str, form: str) -> None:
    found = made(kind, form)
    said = json.loads(found.written(structured=True))
    assert said["answerable"] is True
    assert [s["text"] for s in said["sentences"]] == [
        *(line.text for line in found.lines),
        *([found.tail] if found.tail else []),
    ]


@pytest.mark.parametrize("form", FORMS["wrong_citation"])
def test_a_wrong_citation_never_is_the_right_one_alone(form: str) -> None:
    holders = dict(facts().gold)
    for line in made("wrong_citation", form).lines:
        assert line.ids != (holders[line.text].id,)


def test_the_model_writes_only_where_there_are_passages() -> None:
    model = ScriptedModel()
    model.will_write(made("perfect", "verbatim"))
    assert "".join(p.text for p in model.stream([Message("user", "Rewrite: and it?")], max_tokens=9)) == ""
    assert model.prompt == ""
    assert (
        "".join(p.text for p in model.stream([Message("user", PROMPT)], max_tokens=9))
        == made("perfect", "verbatim").written()
    )
    assert model.prompt == PROMPT


# --- judging --------------------------------------------------------------------------------------


def answer(*sentences: Sentence, outcome: Any = "answered", papers: tuple[Paper, ...] = (), **signals: float) -> Answer:
    """An answer made by hand; `papers` are [1], [2] ..."""
    return Answer(
        question="What?",
        query_used="What?",
        filters=Filters(),
        answer=" ".join(sentence.text for sentence in sentences),
        outcome=outcome,
        reason="",
        answerer="openai",
        citations=tuple(Citation(n, p, p.abstract, 0, len(p.abstract), 1.0) for n, p in enumerate(papers, 1)),
        sentences=sentences,
        signals=signals,
    )


def sentence(text: str, *markers: int, supported: bool = True) -> Sentence:
    return Sentence(text, markers, 1.0 if supported else 0.0, supported)


def test_a_perfect_answer_is_untouched_only_when_it_stands_as_it_was_written() -> None:
    perfect = made("perfect", "verbatim")
    texts = [
        "It stores 11 times fewer vectors with a 3.6% loss on BEIR [1].",
        "TILDEv2 reduces the index by 99% compared to TILDE [2].",
    ]
    last = "It needs 3 ms on 2 cores [2]."
    good = answer(*(sentence(text, 1) for text in (*texts, last)), papers=(CRISP, TILDE))
    assert judged(perfect, good, PROMPT) == (True, "untouched")
    assert not judged(perfect, answer(*(sentence(text, 1) for text in texts)), PROMPT)[0]
    marked = answer(*(sentence(text, 1) for text in (*texts, last)), outcome="partial")
    assert judged(perfect, marked, PROMPT)[1].startswith("partial")


def test_a_wrong_number_is_caught_when_it_is_marked_gone_or_refused() -> None:
    wrong = made("wrong_number", "changed", 3)
    (false,) = wrong.false
    assert judged(wrong, answer(sentence(false, 1), papers=(CRISP,), unsupported=1.0), PROMPT)[0] is False
    assert judged(wrong, answer(sentence(false, supported=False), unsupported=1.0), PROMPT) == (True, "unsupported")
    assert judged(wrong, answer(sentence("Else [1].", 1), papers=(CRISP,), dropped=1.0), PROMPT) == (True, "dropped")
    assert judged(wrong, answer(outcome="refused"), PROMPT) == (True, "refused")
    assert judged(wrong, answer(sentence("Else [1].", 1), papers=(CRISP,)), PROMPT) == (False, "nothing was counted")


def test_a_wrong_citation_is_caught_only_when_the_sentence_cites_its_own_paper() -> None:
    wrong = made("wrong_citation", "other_paper")
    text = f"{GOLD[0][:-1]} [1]."
    right = answer(sentence(text, 1), papers=(CRISP,), citations_moved=1.0)
    assert judged(wrong, right, PROMPT) == (True, "citations_moved")
    assert not judged(wrong, answer(sentence(text, 1), papers=(OTHER,), citations_moved=1.0), PROMPT)[0]
    both = answer(sentence(text, 1, 2), papers=(CRISP, OTHER), citations_moved=1.0)
    assert not judged(wrong, both, PROMPT)[0]
    assert not judged(wrong, answer(sentence(GOLD[0]), citations_moved=1.0), PROMPT)[0]


def test_the_table_counts_by_kind_and_form_and_lists_what_failed() -> None:
    results = [
        ScriptedResult("q1", "perfect", "verbatim", True, "untouched"),
        ScriptedResult("q1", "injected", "word", True, "refused"),
        ScriptedResult("q1", "injected", "link", False, "unmarked: evil.example"),
        ScriptedResult("q2", "", "", None, NOT_ASKED),
    ]
    found = table(results)
    rows = {(row["kind"], row["form"]): row for row in found["rows"]}
    assert rows["perfect", ""]["share"] == 1.0
    assert rows["perfect", ""]["ok"] is True
    assert (rows["injected", ""]["n"], rows["injected", ""]["share"], rows["injected", ""]["ok"]) == (2, 0.5, False)
    assert rows["injected", "word"]["by"] == {"refused": 1}
    assert rows["uncited", ""]["share"] is None
    assert found["left_out"] == {NOT_ASKED: 1}
    assert [failure["form"] for failure in found["failures"]] == ["link"]
    json.dumps(found)


# --- through the whole program ----------------------------------------------------------------------


@pytest.mark.parametrize("structured", [False, True])
def test_perfect_answers_pass_and_others_are_caught(
    engine: Paperchat, structured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "FORMS_EACH", 1)
    chats: list[Paperchat] = []

    def factory(model: Any) -> Paperchat:
        chats.append(Paperchat(engine.settings, embedder=engine._use.embedder, generator=model))
        return chats[-1]

    questions = [question for question in question_set("dev") if question.qid in ("dev-001", "dev-005")]
    done: list[tuple[int, int]] = []
    results = scripted_run(factory, questions, 1, structured=structured, advance=lambda at, of: done.append((at, of)))
    assert done == [(1, 2), (2, 2)]
    assert {result.kind for result in results if result.ok is not None} == set(KINDS)
    wrong = [result for result in results if result.ok is False and result.kind != "reworded"]
    assert wrong == []
    chats[0].close()


def test_a_question_without_its_gold_in_the_library_is_left_out_with_the_reason(engine: Paperchat) -> None:
    question = next(question for question in question_set("dev") if question.qid == "dev-001")
    unheard = replace(question, gold_sentences=("Nobody ever wrote this sentence.",))
    results = scripted_run(
        lambda model: Paperchat(engine.settings, embedder=engine._use.embedder, generator=model), [unheard]
    )
    assert [(result.ok, result.how) for result in results] == [(None, NOT_SHOWN)]
