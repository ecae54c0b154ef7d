"""Refusals, partial answers and corrected premises: on the real library, and each signal on its own."""

from __future__ import annotations

import pytest
from answer_helpers import check_answer, evidence, paper_evidence, question, words
from fake_llm import ScriptedGenerator

from rag.answer.answer import Answer
from rag.answer.gaps import find_gap
from rag.answer.gather import Evidence
from rag.answer.pipeline import Paperchat
from rag.answer.refusal import NEAREST, hopeless, judge, relevance, stands_alone
from rag.answer.select import Choice
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
        "Which team won the Super Bowl in 2019?",
        "Translate good morning into Japanese.",
        "How many calories are in an avocado?",
    ],
)
def test_what_no_paper_is_about_is_refused_with_the_nearest_titles(engine: Paperchat, text: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert answer.answer.startswith("The papers in this library do not answer that.")
    assert len(answer.nearest) <= NEAREST
    for paper in answer.nearest:
        assert f"“{paper.title}”" in answer.answer


@pytest.mark.parametrize("text", ["asdfgh qwertz yxcvb", "Was kostet ein Liter Milch?", "今天天气怎么样？"])
def test_what_is_no_english_question_about_papers_is_refused(engine: Paperchat, text: str) -> None:
    assert ask(engine, text).refused


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
        ("How long did the training of iLLaMA take?", "time taken"),
        ("Which tokenizer does ProLong use?", "tokenizer"),
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
        ("Which country do the authors of ShrinkMatch come from?", "author affiliations"),
        ("What does Figure 3 of the Dragon Hatchling paper show?", "figures, tables, sections or page counts"),
        ("Who funded the work on Phenaki?", "funding"),
    ],
)
def test_facts_that_no_listing_shows_are_always_refused(engine: Paperchat, text: str, kind: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert answer.reason == f"The listings that this library was read from give no {kind}."


@pytest.mark.parametrize(
    "text",
    [
        "How many annotators labelled the RUFF dataset?",
        "How many layers does CRATE have?",
        "How many parameters does SkillNet have in total?",
        "How many hours of video was the DiCoDe tokenizer trained on?",
        "What batch size did Revela use for training?",
        "What pass@1 on HumanEval does the instruction-tuned 16B CodeT5+ get?",
        "What MMLU score does Minitron 4B reach?",
        "What exact LongBench score does RetroLM reach?",
    ],
)
def test_a_number_that_no_sentence_states_is_not_answered(engine: Paperchat, text: str) -> None:
    answer = ask(engine, text)
    assert answer.outcome in ("refused", "partial")
    assert answer.signals.get("missing_amount", 0) + answer.signals.get("missing_details", 0) >= 1


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("How many trainable parameters are enough to tune RoBERTa to 90% of full performance on MRPC?", "200"),
        ("How many tokens was ProLong-8B trained on?", "40B"),
        ("On how many BEIR datasets does the unsupervised contrastive retriever outperform BM25?", "11"),
        ("What perplexity does MaskLLM achieve on Wikitext?", "6.72"),
        ("What mIoU does PixPro reach on Cityscapes?", "77.2"),
        ("How many fewer training tokens does Minitron need compared to training from scratch?", "40x"),
        ("Which hardware platforms were analysed for small language models?", "NPU"),
        ("How many benchmarks is UniXcoder evaluated on?", "nine datasets"),
        ("What clustering algorithm does Squeezed Attention use offline?", "K-means"),
    ],
)
def test_what_an_abstract_states_is_answered(engine: Paperchat, text: str, stated: str) -> None:
    answer = ask(engine, text)
    assert answer.outcome == "answered"
    assert stated in answer.answer


def test_a_missing_detail_is_partial_where_the_nearest_sentence_helps(engine: Paperchat) -> None:
    answer = ask(engine, "What pass@1 on HumanEval does the instruction-tuned 16B CodeT5+ get?")
    assert answer.outcome == "partial"
    assert "does not give the pass@1" in answer.reason
    assert answer.answer.startswith(answer.reason)
    assert "HumanEval" in answer.citations[0].quote


@pytest.mark.parametrize(
    "text",
    [
        "What linear-probe accuracy on ImageNet does DINOv3 report?",
        "What perplexity does SparseGPT get on Wikitext?",
        "What speedup does EAGLE-2 achieve on Vicuna?",
    ],
)
def test_another_name_put_for_a_papers_own_is_refused_and_not_quoted_from_that_paper(
    engine: Paperchat, text: str
) -> None:
    assert ask(engine, text).refused


def test_a_number_of_a_thing_only_compared_with_is_not_taken_for_its_own(engine: Paperchat) -> None:
    answer = ask(engine, "How many tokens was Mistral-7B trained on?")
    assert answer.outcome != "answered"
    assert "how many tokens" in answer.reason


@pytest.mark.parametrize(
    ("text", "name"),
    [("Which paper in the collection introduced LoRA?", "LoRA"), ("Which paper first proposed GRPO?", "GRPO")],
)
def test_a_method_that_papers_only_use_has_no_paper_that_proposed_it(engine: Paperchat, text: str, name: str) -> None:
    answer = ask(engine, text)
    assert answer.refused
    assert answer.reason == f"Papers here mention “{name}”, but none of those found proposes it."


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("Does DeBERTa use convolution?", "convolution"),
        ("How does CRISP use convolution to cluster its vectors?", "convolution"),
        ("How does Squeezed Attention's reinforcement learning agent pick the keys?", "reinforcement learning agent"),
        ("Is DeBERTa trained on images?", "images"),
    ],
)
def test_what_a_paper_is_taken_to_use_and_never_speaks_of_is_named(engine: Paperchat, text: str, thing: str) -> None:
    answer = ask(engine, text)
    assert answer.outcome in ("refused", "partial")
    assert f"does not speak of “{thing}”" in answer.reason


@pytest.mark.parametrize(
    ("text", "claim", "quoted"),
    [
        ("Why does BOLT need distillation?", "distillation", "without"),
        (
            "Why does the Semantic Volume method need white-box access to the LLM's weights?",
            "white-box access",
            "without",
        ),
        ("Why does NoPE need more computation than other encodings?", "more computation", "no additional computation"),
        (
            "AttenCraft needs masks drawn by hand for every concept. How many per image?",
            "masks drawn by hand",
            "omitting any required mask preparation",
        ),
        (
            "Given that LongLoRA replaces the original architecture, which new layers does it add?",
            "replaces the original architecture",
            "retaining their original architectures",
        ),
    ],
)
def test_a_premise_that_the_paper_denies_is_corrected(engine: Paperchat, text: str, claim: str, quoted: str) -> None:
    answer = ask(engine, text)
    assert answer.outcome == "corrected"
    assert answer.reason == f"That premise does not hold: the abstract denies “{claim}”."
    assert answer.answer.startswith(answer.reason)
    assert any(quoted in citation.quote for citation in answer.citations)


def test_whether_something_holds_is_answered_by_its_denial(engine: Paperchat) -> None:
    answer = ask(engine, "Does Causal2Vec change the architecture of the decoder-only LLM?")
    assert answer.outcome == "answered"
    assert any("without altering their original architectures" in citation.quote for citation in answer.citations)


@pytest.mark.parametrize(
    ("sentence", "proposed"),
    [
        ("Based on these findings, we propose NAPPER.", True),
        ("Building on Llama, we introduce NAPPER, a sleeper.", True),
        ("This paper describes NAPPER.", True),
        ("A way of sleeping, NAPPER, helps. NAPPER is introduced to test it.", True),
        ("NAPPER was proposed by others.", False),
        ("We compare with NAPPER.", False),
        ("We propose a cat that outperforms NAPPER.", False),
        ("It is better than the recently proposed NAPPER.", False),
    ],
)
def test_a_paper_proposes_what_it_says_is_its_own(sentence: str, proposed: bool) -> None:
    found = paper_evidence(Paper("cats", "Cats at Rest", sentence), [[0.9]] * (1 + sentence.count(". ")))
    gap = find_gap(question("Which paper proposed NAPPER?"), evidence(words(("NAPPER", 1.0)), found), [found])
    assert (gap is None) is proposed


@pytest.mark.parametrize("text", ["What's special about CATNAP?", "What's new in CATNAP?", "Who's using CATNAP?"])
def test_a_shortened_is_tells_of_no_possession(text: str) -> None:
    found = paper_evidence(Paper("cats", "CATNAP: Cats at Rest", "CATNAP sleeps."), [[0.0]])
    assert find_gap(question(text), evidence(words(("special", 1.0)), found), [found]) is None


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
                answer = with_model.ask(text, answerer=kind)
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
        assert signals == {"coverage": 0.6, "cosine": 0.3, "relevance": 0.75, "named": 0.0}

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

    def test_a_paper_called_by_its_name_is_judged_though_another_ranks_before_it(self) -> None:
        asked = words(("datasets", 1.0), ("NAPPER", 5.0))
        other = paper_evidence(Paper("dogs", "Dogs", "Dogs have 3 datasets."), [[1.0, 0.1]])
        own = paper_evidence(Paper("naps", "NAPPER: Cats at Rest", "It has 2 datasets."), [[1.0, 1.0]], rank=2)
        signals = relevance(question("How many datasets has NAPPER?"), evidence(asked, other, own))
        assert (signals["coverage"], signals["named"]) == (1.0, 1.0)

    def test_a_denied_premise_is_shown_by_the_sentence_that_denies_it(self) -> None:
        paper = Paper("cats", "CATNAP at Rest", "CATNAP sleeps well. It works without any labels. It is fast.")
        found = paper_evidence(paper, [[0.9], [0.3], [0.2]])
        ev = evidence(words(("labels", 1.0)), found)
        chosen = [Choice(found, found.sentences[0], 0.9), Choice(found, found.sentences[2], 0.2)]
        verdict = judge(question("Why does CATNAP need labels?"), ev, [found], chosen)
        assert verdict.outcome == "corrected"
        assert [choice.sentence.position for choice in verdict.quotes] == [1, 0]
        assert verdict.signals["denied_premise"] == 1.0

    def test_a_paper_without_an_abstract_has_nothing_to_quote(self) -> None:
        empty = paper_evidence(Paper("cats", "Cats", "It."), [[0.9]])
        verdict = judge(question("do cats sleep?"), evidence(words(("sleep", 1.0)), empty), [empty], [])
        assert verdict.outcome == "refused"
        assert "no abstract" in verdict.reason


@pytest.mark.parametrize("name", ["Sqeezed Attention", "Squeezed Atention", "squeezed atention"])
def test_a_slip_in_a_title_s_word_still_gets_its_answer(engine: Paperchat, name: str) -> None:
    answer = engine.ask(f"What does {name} do?", answerer="quotes")
    assert answer.outcome == "answered"
    assert answer.citations[0].paper.title.startswith("Squeezed Attention")


def test_an_unknown_name_that_no_title_resembles_is_still_refused(engine: Paperchat) -> None:
    assert engine.ask("What does Zirconia Attention do?", answerer="quotes").refused
