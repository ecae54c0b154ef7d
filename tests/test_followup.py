"""Follow-ups made self-contained by rules: what "it" and "the second one" stand for."""

from __future__ import annotations

from datetime import date

import pytest

from rag.answer.answer import Turn
from rag.answer.draft import refusal
from rag.answer.followup import MAX_TURNS, make_self_contained
from rag.answer.question import understand
from rag.papers import Paper

PHENAKI = "Phenaki: Variable Length Video Generation From Open Domain Textual Description"
DEBERTA = "DeBERTa: Decoding-enhanced BERT with Disentangled Attention"
POINTER = "Pointer Networks"
ABOUT_PHENAKI = (
    Turn("user", "What does Phenaki generate?"),
    Turn("assistant", f"“{PHENAKI}” (October 2022): “Phenaki can generate arbitrary long videos.” [1]"),
)
LISTED = (
    Turn("user", "List three papers"),
    Turn("assistant", f"The library holds 3 papers.\n- “{PHENAKI}” [1]\n- “{DEBERTA}” [2]\n- “{POINTER}” [3]"),
)


@pytest.mark.parametrize(
    "question",
    [
        "When was it published?",
        "And how many authors?",
        "What about its training data?",
        "Why?",
        "Does this paper use text?",
        "How do they do that?",
    ],
)
def test_a_question_that_leans_gets_the_last_cited_paper_written_in(question: str) -> None:
    follow = make_self_contained(question, ABOUT_PHENAKI)
    assert follow.subject == PHENAKI
    assert PHENAKI in follow.text
    assert PHENAKI not in follow.text[: follow.focus]  # inherited words count less
    assert not follow.elsewhere


def test_a_short_name_takes_the_pronouns_place() -> None:
    follow = make_self_contained("How many authors does it have?", ABOUT_PHENAKI)
    assert follow.text[: follow.focus] == "How many authors does Phenaki have?"


@pytest.mark.parametrize(
    "question",
    [
        "How does HyperAttention achieve its speedup?",
        "What does DeBERTa change in the attention of BERT?",
        "Which papers compress the key-value cache of long-context language models?",
        "How do retrieval heads influence chain-of-thought reasoning in language models?",
    ],
)
def test_a_change_of_topic_is_left_alone(question: str) -> None:
    follow = make_self_contained(question, ABOUT_PHENAKI)
    assert follow.text == question
    assert follow.focus == len(question)
    assert follow.subject is None


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("the first one", PHENAKI),
        ("the second one", DEBERTA),
        ("the second paper", DEBERTA),
        ("the third method", POINTER),
        ("the last one", POINTER),
        ("the former", PHENAKI),
        ("the latter", POINTER),
    ],
)
def test_an_ordinal_chooses_among_the_cited_papers(words: str, title: str) -> None:
    if words == "the latter":
        history = (LISTED[0], Turn("assistant", f"“{PHENAKI}” [1] and “{POINTER}” [2]"))
    else:
        history = LISTED
    follow = make_self_contained(f"What does {words} propose?", history)
    assert follow.subject == title
    assert title in follow.text


def test_an_ordinal_beyond_the_list_chooses_nothing() -> None:
    follow = make_self_contained("What does the fifth one propose?", LISTED)
    assert (follow.text, follow.subject, follow.cited) == ("What does the fifth one propose?", None, ())


def test_another_paper_than_the_subject_can_be_asked_for() -> None:
    assert make_self_contained("Does any other paper extend it?", ABOUT_PHENAKI).elsewhere


def test_without_a_cited_paper_the_last_question_is_written_in() -> None:
    history = (Turn("user", "What is beam search?"), Turn("assistant", "A way to decode."))
    follow = make_self_contained("And why?", history)
    assert follow.text == "And why? (about: What is beam search?)"
    assert follow.focus == len("And why?")
    long = make_self_contained("And why?", [Turn("user", "word " * 5000)])
    assert len(long.text) < 500


def test_papers_that_a_refusal_offers_are_not_what_it_stands_for() -> None:
    offered = refusal("No paper covers that.", [Paper("deberta", DEBERTA, "x")]).text
    history = (*ABOUT_PHENAKI, Turn("user", "What does it cost?"), Turn("assistant", offered))
    assert make_self_contained("When was it published?", history).subject == PHENAKI
    assert make_self_contained("What does the first one say?", history).subject == DEBERTA


def test_a_refusal_about_one_paper_keeps_it_the_subject() -> None:
    said = refusal(f"The abstract of “{PHENAKI}” does not give: licence.", [Paper("d", DEBERTA, "x")]).text
    history = (Turn("user", "What licence does Phenaki have?"), Turn("assistant", said))
    assert make_self_contained("When was it published?", history).subject == PHENAKI


def test_only_the_last_turns_count_and_no_history_changes_nothing() -> None:
    question = "When was it published?"
    assert make_self_contained(question, ()).text == question
    old = [*ABOUT_PHENAKI, *(Turn("user", "hm") for _ in range(MAX_TURNS))]
    assert make_self_contained(question, old).subject is None


def test_a_quoted_sentence_is_no_title() -> None:
    quote = "In This Work We Propose Pointer Networks For Sorting."
    assert make_self_contained("Why is it so?", [Turn("assistant", f"“{quote}” [1]")]).cited == ()


def test_titles_are_read_as_answers_write_them() -> None:
    titles = [
        "Relative representations enable zero-shot latent space communication",
        "[MASK] is All You Need",
        'Ten Lessons We Have Learned in the New "Sparseland": A Short Handbook',
        "cMIM: A Contrastive Mutual Information Framework",
        "TED*",
    ]
    listed = "The library holds 5 papers.\n" + "\n".join(
        f"- “{t}” (May 1, 2022) [{n}]" for n, t in enumerate(titles, 1)
    )
    assert make_self_contained("What is the second one?", [Turn("assistant", listed)]).cited == tuple(titles)
    dated = f"“{titles[0]}” was published on May 1, 2022 [1]."
    assert make_self_contained("Who is it by?", [Turn("assistant", dated)]).subject == titles[0]
    quoted = f"“{titles[4]}” (no date): “A quoted Sentence without its full Stop” [1] “Another One.” [1]"
    assert make_self_contained("Who is it by?", [Turn("assistant", quoted)]).cited[0] == titles[4]


def test_a_question_for_a_paper_in_context_keeps_its_own_words_in_focus() -> None:
    question = understand("Which datasets are large?", ABOUT_PHENAKI, today=date(2026, 1, 1))
    again = question.in_context
    if question.subject is None:
        assert again
        assert again.subject == PHENAKI
        assert again.query[: again.focus] == question.query
    else:
        assert again is None
