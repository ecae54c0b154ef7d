"""The answerer without a model: verbatim, from the right papers, with markers that point there."""

from __future__ import annotations

import pytest
from answer_helpers import check_answer, evidence, paper_evidence, question, words
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.pipeline import Paperchat
from rag.answer.quotes import answering_papers, select, write
from rag.answer.refusal import Verdict
from rag.papers import Paper
from rag.settings import Style


@pytest.mark.parametrize(
    ("text", "title", "said"),
    [
        ("How much smaller are TILDEv2's indexes?", "Fast Passage Re-ranking", "99% smaller"),
        ("What does Phenaki generate?", "Phenaki", "video"),
        ("How many attention heads are retrieval heads?", "Retrieval Head", r"less than 5\%"),
        ("waht percantage of attention heads are realy retreival heads?", "Retrieval Head", r"less than 5\%"),
        ("What overall score does NV-Embed reach on MTEB?", "NV-Embed", "69.32"),
        ("What does the <EOS> token do in NV-Embed?", "NV-Embed", "<EOS>"),
        ("How does HyperAttention find large entries?", "HyperAttention", "Locality Sensitive Hashing"),
        ("How many LLMs was ECO prompting tried on?", "Large Language Model Unlearning", "100 LLMs"),
    ],
)
def test_a_question_about_one_paper_is_answered_from_it(engine: Paperchat, text: str, title: str, said: str) -> None:
    answer = engine.ask(text)
    check_answer(answer)
    assert answer.outcome == "answered"
    assert {c.n for c in answer.citations} == {1}
    assert answer.citations[0].paper.title.startswith(title)
    assert 1 <= len(answer.citations) <= 3
    assert any(said in citation.quote for citation in answer.citations), answer.answer


def test_the_text_leads_with_the_paper_and_quotes_each_sentence(engine: Paperchat) -> None:
    answer = engine.ask("How much smaller are TILDEv2's indexes?")
    assert answer.answer.startswith("“Fast Passage Re-ranking with Contextualized Exact Term Matching")
    for citation in answer.citations:
        assert f"“{citation.quote}” [1]" in answer.answer
        assert citation.support == 1.0
    assert all(sentence.supported for sentence in answer.sentences)


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("Compare HNeRV and NeRV++", ("HNeRV", "NERV++")),
        ("How do Phenaki and DeBERTa differ?", ("Phenaki", "DeBERTa")),
    ],
)
def test_a_comparison_quotes_both_papers(engine: Paperchat, text: str, titles: tuple[str, str]) -> None:
    answer = engine.ask(text)
    check_answer(answer)
    assert {c.n for c in answer.citations} == {1, 2}
    found = {c.paper.title for c in answer.citations}
    assert all(any(title in one for one in found) for title in titles), found


def test_which_papers_gives_a_line_a_paper(engine: Paperchat) -> None:
    answer = engine.ask("Which papers are about quantum natural language processing?")
    check_answer(answer)
    cited = {c.paper.title for c in answer.citations}
    assert "Category Theory for Quantum Natural Language Processing" in cited
    assert "Foundations for Near-Term Quantum Natural Language Processing" in cited
    assert answer.answer.count("\n- ") == len(cited) - 1


def styled(style: Style, text: str = "what do cats and dogs and birds do?") -> str:
    asked = question(text)
    each = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]
    four = words(("sleep", 1.0), ("bark", 1.0), ("sing", 1.0), ("swim", 1.0))
    found = evidence(four, paper_evidence(ANIMALS, each))
    return write(asked, select(asked, found, found.papers, style), Verdict("answered", ""), style).text


def test_a_style_changes_how_much_is_quoted_and_how_it_is_set() -> None:
    assert styled("short").count("[1]") == 1
    assert styled("standard").count("[1]") == 3
    assert styled("detailed").count("[1]") == 4
    assert styled("bullets").splitlines()[0] == "“Animals”:"
    assert all(line.startswith("- “") for line in styled("bullets").splitlines()[1:])
    assert styled("plain") == styled("standard"), "quotes are never reworded"


def test_where_a_number_is_asked_for_a_sentence_that_states_one_is_quoted() -> None:
    corpus = Paper("p", "Cats", "Cats sleep in a corpus. The corpus of sleep is large. They read 312 GB. Nothing.")
    each = [[1.0, 1.0], [0.9, 1.0], [0.0, 0.0], [0.0, 0.0]]
    found = evidence(words(("sleep", 1.0), ("corpus", 1.0)), paper_evidence(corpus, each))
    asked = question("how large is the sleep corpus?")
    assert next(c.sentence.text for c in select(asked, found, found.papers)) == "They read 312 GB."
    other = question("which corpus is on sleep?")
    assert "312" not in " ".join(c.sentence.text for c in select(other, found, found.papers))


def test_filters_keep_other_papers_out(engine: Paperchat) -> None:
    answer = engine.ask("Which 2023 papers are about hallucination?")
    check_answer(answer)
    assert not answer.refused
    assert all(c.paper.published and c.paper.published.year == 2023 for c in answer.citations)
    assert all(p.paper.published and p.paper.published.year == 2023 for p in answer.passages)


ANIMALS = Paper("animals", "Animals", "Cats sleep. Dogs bark. Birds sing. Fish swim.")
PLANTS = Paper("plants", "Plants: A Survey", "Trees grow. Grass is green.")
CUTS = st.floats(0, 1, width=32)


@given(
    animals=st.lists(st.lists(CUTS, min_size=2, max_size=2), min_size=4, max_size=4),
    plants=st.lists(st.lists(CUTS, min_size=2, max_size=2), min_size=2, max_size=2),
    text=st.sampled_from(
        [
            "Which papers sleep?",
            "Compare Animals and Plants",
            "What sleeps?",
            "Two papers: what does each do?",
        ]
    ),
)
def test_any_evidence_is_quoted_verbatim_under_markers_in_order(
    animals: list[list[float]], plants: list[list[float]], text: str
) -> None:
    asked = question(text)
    found = evidence(
        words(("sleep", 1.0), ("grow", 2.0)),
        paper_evidence(ANIMALS, animals, rank=1, score=0.9),
        paper_evidence(PLANTS, plants, rank=2, score=0.8),
    )
    papers = answering_papers(asked, found)
    choices = select(asked, found, papers)
    draft = write(asked, choices, Verdict("answered", ""))
    assert papers
    assert 1 <= len(draft.citations) <= 6
    assert len(draft.citations) == len({(c.paper.paper_id, c.start) for c in draft.citations})
    seen = list(dict.fromkeys(c.n for c in draft.citations))
    assert seen == list(range(1, len(seen) + 1))
    at = 0
    for citation in draft.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
        at = draft.text.index(f"“{citation.quote}” [{citation.n}]", at)
    assert [marker for s in draft.sentences for marker in s.markers] == [c.n for c in draft.citations]


def test_what_is_wrong_with_the_question_is_said_first() -> None:
    asked = question("why do cats need sleep?")
    found = evidence(words(("sleep", 1.0)), paper_evidence(ANIMALS, [[1.0], [0.0], [0.0], [0.0]]))
    choices = select(asked, found, list(found.papers))
    draft = write(asked, choices, Verdict("corrected", "They need none."))
    assert draft.text.startswith("They need none.\n\n“Animals”: “Cats sleep.” [1]")
    assert (draft.outcome, draft.reason) == ("corrected", "They need none.")
