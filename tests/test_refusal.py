"""Refusals, partial answers and corrected premises: on the real library, and each signal on its own."""

from __future__ import annotations

import pytest
from answer_helpers import check_answer, evidence, paper_evidence, question, words
from fake_llm import ScriptedGenerator
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.answer import Answer
from rag.answer.attributes import fields_asked, missing_details, never_listed
from rag.answer.gather import Evidence
from rag.answer.pipeline import Paperchat
from rag.answer.refusal import NEAREST, hopeless, relevance, stands_alone
from rag.papers import Paper


def ask(engine: Paperchat, text: str) -> Answer:
    answer = engine.ask(text)
    check_answer(answer)
    return answer


@pytest.mark.parametrize(
    "text",
    [
        "Will it rain in Paris tomorrow?",
        "What is the capital of France?",
        "How do I bake sourdough bread?",
        "Who won the 2022 World Cup?",
        "asdfgh qwertz yxcvb",
        "Was kostet ein Liter Milch?",
        "今天天气怎么样？",
    ],
)
def test_what_no_paper_is_about_is_refused_with_the_nearest_titles(engine: Paperchat, text: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert answer.answer.startswith("The papers in this library do not answer that.")
    assert len(answer.nearest) <= NEAREST
    for paper in answer.nearest:
        assert f"“{paper.title}”" in answer.answer


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("How does HyDE build its hypothetical documents before dense retrieval?", "HyDE"),
        ("What exactly does the faithfulness score in RAGAS measure?", "RAGAS"),
        ("What MRR@10 does ColBERTv2 get on MS MARCO?", "ColBERTv2"),
        ("What context window does GPT-5 have?", "GPT-5"),
        ("How does TILDEv3 make its indexes smaller?", "TILDEv3"),
        ("How fast is HyperAttention-7 on long sequences?", "HyperAttention-7"),
    ],
)
def test_a_name_that_no_paper_mentions_is_refused_by_name(engine: Paperchat, text: str, name: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert name in answer.reason or "No paper in the library covers" in answer.reason


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("What learning rate does TILDEv2 use?", "learning rate"),
        ("What batch size does HyperAttention use?", "batch size"),
        ("Under which licence is NV-Embed released?", "licen"),
    ],
)
def test_a_detail_that_the_abstract_lacks_is_refused_by_name(engine: Paperchat, text: str, detail: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert detail in answer.reason


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Who are the authors of Phenaki?", "author names"),
        ("Who is the first author of REFRAG and where do they work?", "author names"),
        ("How many citations does Matryoshka Representation Learning have by now?", "citation counts"),
        ("How many GitHub stars does NV-Embed have?", "upvotes, stars or downloads"),
        ("At which conference was DeBERTa accepted?", "venues"),
        ("Which conference was DeBERTa presented at?", "venues"),
        ("What is the arXiv id of DeBERTa?", "identifiers"),
        ("What are the affiliations of the DeBERTa authors?", "author affiliations"),
    ],
)
def test_facts_that_no_listing_shows_are_always_refused(engine: Paperchat, text: str, kind: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert answer.reason == f"The listings that this library was read from give no {kind}."


def test_a_number_that_no_sentence_states_is_refused(engine: Paperchat) -> None:
    answer = ask(engine, "How many annotators labelled the RUFF dataset?")
    assert answer.refused


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Why does BOLT need distillation?", "distillation"),
        ("Why does the Semantic Volume method need white-box access to the LLM's weights?", "white-box"),
    ],
)
def test_a_premise_that_the_paper_denies_is_corrected_with_its_sentence(
    engine: Paperchat, text: str, denied: str
) -> None:
    answer = ask(engine, text)
    assert answer.outcome == "corrected"
    assert denied in answer.reason
    assert answer.answer.startswith(answer.reason)
    assert "without" in answer.answer
    assert any("without" in citation.quote for citation in answer.citations)


def test_zero_hits_never_reach_a_model(engine: Paperchat) -> None:
    generator = ScriptedGenerator([])
    with_model = Paperchat(engine.settings, embedder=engine._use.embedder, generator=generator)
    try:
        for kind in ("openai", "local"):
            for text in (
                "Will it rain in Paris tomorrow?",
                "Who are the authors of Phenaki?",
                "What learning rate does TILDEv2 use?",
                "How does HyDE build its hypothetical documents?",
                "What do papers from 1999 say about attention?",
                "How many papers were published in 2018?",
                "What is the of and the?",
            ):
                answer = with_model.ask(text, answerer=kind)  # type: ignore[arg-type]
                check_answer(answer)
                assert answer.refused, text
                assert answer.answerer == kind
                assert answer.model is None
    finally:
        with_model.close()
    assert generator.calls == []


class TestSignals:
    """Each signal of a refusal on evidence made by hand."""

    PAPER = Paper("cats", "Cats at Rest", "Cats sleep for 16 hours. Dogs bark.")

    def found(self, match: float, dense: float = 0.5) -> Evidence:
        return evidence(words(("sleep", 1.0)), paper_evidence(self.PAPER, [[match], [0.0]], dense=dense))

    def test_relevance_is_coverage_and_half_the_cosine(self) -> None:
        signals = relevance(question("do animals sleep?"), self.found(0.6, 0.3))
        assert signals == {"coverage": 0.6, "cosine": 0.3, "relevance": 0.75, "confidence": 0.5}

    def test_below_the_floor_is_refused_and_above_is_not(self) -> None:
        assert hopeless(question("do animals sleep?"), self.found(0.1, 0.1)) is not None
        assert hopeless(question("do animals sleep?"), self.found(1.0, 0.8)) is None

    def test_nothing_found_is_refused_and_says_whether_filters_are_why(self) -> None:
        none = hopeless(question("do animals sleep?"), Evidence((), ()))
        assert none is not None
        assert none.text.endswith("No paper was found.")
        limited = hopeless(question("what do 2023 papers say of sleep?"), Evidence((), ()))
        assert limited is not None
        assert "passes the filters" in limited.text

    def test_a_question_without_a_telling_word_is_refused(self) -> None:
        nothing = evidence((), paper_evidence(self.PAPER, [[0.0], [0.0]]))
        assert hopeless(question("what is it?"), nothing) is not None
        assert not stands_alone(question("what is it?"), nothing)

    def test_papers_together_may_cover_a_question_about_several(self) -> None:
        asked = words(("sleep", 1.0), ("sing", 1.0))
        one = paper_evidence(self.PAPER, [[1.0, 0.0], [0.0, 0.0]])
        two = paper_evidence(Paper("birds", "Birds", "Birds sing."), [[0.0, 1.0]], rank=2)
        single, several = question("do they sleep and sing?"), question("Which papers are about sleeping and singing?")
        assert relevance(single, evidence(asked, one, two))["coverage"] == 0.5
        assert relevance(several, evidence(asked, one, two))["coverage"] == 1.0


class TestAttributes:
    """What is asked of a paper's record, and which details its abstract must name."""

    @pytest.mark.parametrize(
        ("text", "fields"),
        [
            ("When was Phenaki published?", ("published",)),
            ("What is the publication date of Phenaki?", ("published",)),
            ("How many authors does Phenaki have?", ("n_authors",)),
            ("Which organisation released it, and when was it published?", ("published", "organisation")),
            ("What does Phenaki generate?", ()),
            ("When does training converge?", ()),
        ],
    )
    def test_fields_of_the_listing(self, text: str, fields: tuple[str, ...]) -> None:
        assert fields_asked(text) == fields

    @pytest.mark.parametrize(
        "text", ["How do authors cite papers?", "How does it position citations in text?", "What is an author count?"]
    )
    def test_a_question_about_such_things_is_not_one_for_them(self, text: str) -> None:
        assert never_listed(text) is None

    @pytest.mark.parametrize(
        ("text", "body", "missing"),
        [
            ("What learning rate is used?", "We tune the learning rates.", ()),
            ("What learning rate is used?", "We tune the model.", ("learning rate",)),
            ("What is the licence?", "released under Apache 2.0", ()),
            ("What batch size and dropout?", "a batch size of 32", ("dropout",)),
            ("What context window does it have?", "up to 32k tokens", ()),
            ("How good is it?", "", ()),
        ],
    )
    def test_details_must_stand_in_the_text(self, text: str, body: str, missing: tuple[str, ...]) -> None:
        assert missing_details(text, [body]) == missing

    @given(st.text(), st.lists(st.text(), max_size=3))
    def test_any_text(self, text: str, bodies: list[str]) -> None:
        fields_asked(text)
        never_listed(text)
        assert all(detail in text for detail in missing_details(text, bodies))
