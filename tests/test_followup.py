"""Follow-ups made self-contained by rules: what "it", "the second one" and "and for Llama?" stand for."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.questions import BUNDLED
from rag.answer.answer import Turn
from rag.answer.draft import refusal
from rag.answer.followup import FollowUp, about, make_self_contained
from rag.answer.question import understand
from rag.papers import Paper, normalised_title

PHENAKI = "Phenaki: Variable Length Video Generation From Open Domain Textual Description"
DEBERTA = "DeBERTa: Decoding-enhanced BERT with Disentangled Attention"
POINTER = "Pointer Networks"
ENCODER = "Return of the Encoder: Maximizing Parameter Efficiency for SLMs"
ABOUT_PHENAKI = (
    Turn("user", "What does Phenaki generate?"),
    Turn("assistant", f"“{PHENAKI}” (October 2022): “Phenaki can generate arbitrary long videos.” [1]"),
)
ABOUT_ENCODER = (
    Turn("user", "How much latency do small encoder-decoder LMs save?"),
    Turn("assistant", f"“{ENCODER}” (January 2025): “It is 47% lower.” [1]"),
)
ABOUT_DEBERTA = (
    Turn("user", "What improvement does DeBERTa show on MNLI?"),
    Turn("assistant", f"“{DEBERTA}” (June 2020): “It improves MNLI by +0.9%.” [1]"),
)
LISTED = (
    Turn("user", "Which papers are about attention?"),
    Turn(
        "assistant",
        f"The library holds 3 papers mentioning “attention” (of 9 in all).\n"
        f"- “{PHENAKI}” (October 5, 2022) [1]\n- “{DEBERTA}” (June 5, 2020) [2]\n- “{POINTER}” (June 9, 2015) [3]",
    ),
)
COMPARED = (
    Turn("user", "Compare DeBERTa and Phenaki."),
    Turn(
        "assistant", f"“{PHENAKI}” (October 2022): “It makes videos.” [1]\n\n“{DEBERTA}” (June 2020): “It reads.” [2]"
    ),
)
COUNTED = (
    Turn("user", "How many papers were published in 2023?"),
    Turn(
        "assistant", f"The library holds 30 papers published in 2023 (of 237 in all).\n- “{PHENAKI}” (May 5, 2023) [1]"
    ),
)
DEFINED = (Turn("user", "What is beam search?"), Turn("assistant", "A way to decode."))


@pytest.mark.parametrize(
    ("question", "rewritten"),
    [
        ("When was it published?", "When was Phenaki published?"),
        ("And how many authors does it have?", "How many authors does Phenaki have?"),
        ("What kind of attention does its tokenizer use?", "What kind of attention does Phenaki's tokenizer use?"),
        ("How is its tokenizer trained and what does it output?", None),
        ("How do they do that?", "How does Phenaki do that?"),
        ("what speedup did they get?", "what speedup did Phenaki get?"),
        ("On which datasets did they test it?", "On which datasets did they test Phenaki?"),
        ("How many GPUs did they train it on?", "How many GPUs did they train Phenaki on?"),
        ("Does this paper use text?", "Does the Phenaki paper use text?"),
        ("Thanks! Is it open source?", "Is Phenaki open source?"),
        ("By how much does it beat GANs then?", "By how much does Phenaki beat GANs then?"),
    ],
)
def test_a_short_name_takes_the_pronouns_place(question: str, rewritten: str | None) -> None:
    follow = make_self_contained(question, ABOUT_PHENAKI)
    assert follow.subject == PHENAKI
    assert follow.focus == len(follow.text)
    assert follow.text == (rewritten or "How is Phenaki's tokenizer trained and what does it output?")


@pytest.mark.parametrize(
    ("question", "rewritten"),
    [
        ("And the throughput?", f"And the throughput in “{ENCODER}”?"),
        ("How does the method work?", f"How does the method work in “{ENCODER}”?"),
        ("How do they do it?", f"How do they do it in “{ENCODER}”?"),
        ("And what gets around it?", f"And what gets around it in “{ENCODER}”?"),
        ("How many layers does the small one have?", f"How many layers does the small one have in “{ENCODER}”?"),
        ("Does that hurt quality?", f"Does that hurt quality in “{ENCODER}”?"),
    ],
)
def test_where_no_name_fits_the_title_follows_as_the_place_to_look(question: str, rewritten: str) -> None:
    follow = make_self_contained(question, ABOUT_ENCODER)
    assert (follow.text, follow.subject) == (rewritten, ENCODER)
    assert ENCODER not in follow.text[: follow.focus]  # inherited words count less


def test_a_paper_without_a_short_name_is_named_by_its_title_in_quotation_marks() -> None:
    assert make_self_contained("When was it published?", ABOUT_ENCODER).text == f"When was “{ENCODER}” published?"
    assert make_self_contained("Who wrote this paper?", ABOUT_ENCODER).text == f"Who wrote the paper “{ENCODER}”?"


@pytest.mark.parametrize(
    ("question", "history", "rewritten"),
    [
        ("What about SQuAD?", ABOUT_DEBERTA, "What improvement does DeBERTa show on SQuAD?"),
        ("and on RACE?", ABOUT_DEBERTA, "What improvement does DeBERTa show on RACE?"),
        ("And for RoBERTa?", ABOUT_DEBERTA, "What improvement does RoBERTa show on MNLI?"),
        ("Same question for Phenaki.", ABOUT_PHENAKI, "What does Phenaki generate?"),
        ("The same for Pointer Networks?", ABOUT_PHENAKI, "What does Pointer Networks generate?"),
        ("And on GPUs?", DEFINED, "What is beam search on GPUs?"),
        ("What about greedy search?", DEFINED, "What is greedy search?"),
        ("And in 2024?", COUNTED, "How many papers were published in 2024?"),
        ("and how many in May 2022?", COUNTED, "How many papers were published in May 2022?"),
        (
            "And how many does DeBERTa use?",
            (Turn("user", "How many layers has Phenaki?"),),
            "How many layers has DeBERTa?",
        ),
        ("And about diffusion?", LISTED, "Which papers are about diffusion?"),
    ],
)
def test_what_is_asked_of_something_else_is_put_into_the_question_before(
    question: str, history: tuple[Turn, ...], rewritten: str
) -> None:
    assert make_self_contained(question, history).text == rewritten


def test_another_paper_named_in_the_old_ones_place_is_the_new_subject() -> None:
    assert make_self_contained("And for Pointer Networks?", ABOUT_PHENAKI).subject is None
    assert make_self_contained("And on SQuAD?", ABOUT_DEBERTA).subject == DEBERTA


@pytest.mark.parametrize(
    ("question", "rewritten"),
    [
        ("No, I meant DeBERTa.", "What does DeBERTa generate?"),
        ("Sorry, DeBERTa", "What does DeBERTa generate?"),
        ("not Phenaki, DeBERTa", "What does DeBERTa generate?"),
        ("I meant the DeBERTa paper. What does it propose?", "What does the DeBERTa paper propose?"),
        ("No, the Kyutai paper. How many authors does it have?", "How many authors does the Kyutai paper have?"),
        ("Not Phenaki, but DeBERTa. What is its architecture?", "What is the architecture of DeBERTa?"),
    ],
)
def test_a_correction_replaces_what_was_misunderstood(question: str, rewritten: str) -> None:
    follow = make_self_contained(question, ABOUT_PHENAKI)
    assert (follow.text, follow.subject) == (rewritten, None)


def test_a_correction_can_choose_among_the_cited_papers() -> None:
    history = (*LISTED, Turn("user", "What does the first one say?"), LISTED[1])
    follow = make_self_contained("No, I meant the second one.", history)
    assert (follow.text, follow.subject) == ("What does DeBERTa say?", DEBERTA)


@pytest.mark.parametrize(
    ("before", "question", "rewritten"),
    [
        ("Does arithmetic coding work?", "Why not?", "Why doesn't arithmetic coding work?"),
        ("Can it be pruned?", "why not", "Why can't it be pruned?"),
        ("Does arithmetic coding work?", "Why?", "Why does arithmetic coding work?"),
        ("How does REFRAG save time?", "But why?", "Why does REFRAG save time?"),
        ("What did LIMIT show?", "Why is that?", "What did LIMIT show, and why?"),
        ("Are larger models better?", "How so?", "Are larger models better, and how so?"),
        ("What is LongLoRA?", "More detail, please.", "What is LongLoRA? Tell me more."),
        ("What is LongLoRA?", "tell me more about it", "What is LongLoRA? Tell me more."),
    ],
)
def test_a_reason_or_more_detail_is_asked_of_the_question_before(before: str, question: str, rewritten: str) -> None:
    history = (Turn("user", before), Turn("assistant", f"“{POINTER}” (June 2015): “A quoted long sentence.” [1]"))
    assert make_self_contained(question, history).text == rewritten


def test_who_wants_more_gets_what_was_said_along_with_the_question() -> None:
    assert make_self_contained("More detail, please.", ABOUT_PHENAKI).said == (
        "Phenaki can generate arbitrary long videos.",
    )
    assert make_self_contained("Why?", ABOUT_PHENAKI).said == ()


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("the first one", PHENAKI),
        ("the second one", DEBERTA),
        ("the 2nd paper", DEBERTA),
        ("number 2", DEBERTA),
        ("[2]", DEBERTA),
        ("the third method", POINTER),
        ("the last one", POINTER),
        ("the former", PHENAKI),
        ("the one about disentangled attention", DEBERTA),
        ("the one called Phenaki", PHENAKI),
        ("the other one", DEBERTA),
    ],
)
def test_an_ordinal_or_a_description_chooses_among_the_cited_papers(words: str, title: str) -> None:
    follow = make_self_contained(f"What does {words} propose?", LISTED)
    assert follow.subject == title
    assert follow.text == f"What does {title.split(':')[0]} propose?"


def test_former_and_latter_follow_the_order_in_which_the_user_named_them() -> None:
    assert make_self_contained("What does the former change?", COMPARED).subject == DEBERTA
    assert make_self_contained("What does the latter make?", COMPARED).subject == PHENAKI


@pytest.mark.parametrize(
    ("question", "rewritten"),
    [
        ("Which of them uses text?", "Which of DeBERTa and Phenaki uses text?"),
        ("Which of these works at beam search?", "Which of DeBERTa and Phenaki works at beam search?"),
        ("Which of the two is larger?", "Which of DeBERTa and Phenaki is larger?"),
        ("Which one is newer?", "Which of DeBERTa and Phenaki is newer?"),
        ("How do they differ?", "How do DeBERTa and Phenaki differ?"),
        ("Do both use attention?", "Do DeBERTa and Phenaki use attention?"),
    ],
)
def test_a_choice_names_the_papers_that_it_is_among(question: str, rewritten: str) -> None:
    follow = make_self_contained(question, COMPARED)
    assert (follow.text, follow.among) == (rewritten, (DEBERTA, PHENAKI))


def test_a_choice_among_papers_that_were_listed_repeats_what_they_were_listed_for() -> None:
    assert make_self_contained("Which of them is the oldest?", LISTED).text == (
        "Which of the papers about attention is the oldest?"
    )
    assert make_self_contained("How many of those have one author?", COUNTED).text == (
        "How many of the papers published in 2023 have one author?"
    )


def test_a_follow_up_of_a_follow_up_has_all_of_its_context() -> None:
    history = (*ABOUT_DEBERTA, Turn("user", "And on SQuAD?"), ABOUT_DEBERTA[1])
    assert make_self_contained("And why?", history).text == "What improvement does DeBERTa show on SQuAD, and why?"


def test_an_ordinal_beyond_the_list_chooses_nothing() -> None:
    follow = make_self_contained("What does the fifth one propose?", LISTED)
    assert (follow.text, follow.subject, follow.cited) == ("What does the fifth one propose?", None, ())


@pytest.mark.parametrize("marker", ["[0]", "[9]", "[12]"])
def test_a_marker_that_no_paper_has_chooses_nothing(marker: str) -> None:
    assert make_self_contained(f"What does {marker} propose?", LISTED).subject is None


def test_another_paper_than_the_subject_can_be_asked_for() -> None:
    follow = make_self_contained("Does any other paper extend it?", ABOUT_PHENAKI)
    assert follow.elsewhere
    assert follow.text == "Does any other paper extend Phenaki?"


@pytest.mark.parametrize(
    "question",
    [
        "How does HyperAttention achieve its speedup?",
        "What does DeBERTa change in the attention of BERT?",
        "And what does DeBERTa do?",
        "Which papers compress the key-value cache of long-context language models?",
        "How do retrieval heads influence chain-of-thought reasoning in language models?",
        "What is perplexity?",
        "What is the idea behind semantic entropy?",
        "What does each of the two heads learn in distillation?",
        "Actually, which one is the newest paper?",
        "Will it rain in Paris tomorrow?",
        "Is it possible to train on a laptop?",
        "Do any of these papers treat differential privacy?",
        "ok",
        "No.",
    ],
)
@pytest.mark.parametrize("history", [ABOUT_PHENAKI, COMPARED], ids=["one paper", "two papers"])
def test_a_change_of_topic_is_left_alone(question: str, history: tuple[Turn, ...]) -> None:
    follow = make_self_contained(question, history)
    assert (follow.text, follow.focus, follow.subject, follow.among) == (question, len(question), None, ())


@pytest.mark.parametrize("history", [ABOUT_PHENAKI, ABOUT_ENCODER, COMPARED, LISTED], ids=["A", "B", "C", "D"])
def test_no_bundled_question_that_stands_alone_is_dragged_into_another_conversation(history: tuple[Turn, ...]) -> None:
    rows = [json.loads(line) for name in ("dev", "more") for line in BUNDLED[name].read_text("utf-8").splitlines()]
    questions = [row["question"] for row in rows if not row.get("history")]
    assert len(questions) > 200
    dragged = [q for q in questions if make_self_contained(q, history).text != q]
    assert dragged == []


def test_without_a_cited_paper_what_the_question_before_was_about_is_meant() -> None:
    assert make_self_contained("What does it cost?", DEFINED).text == "What does beam search cost?"
    named = (Turn("user", "What is TILDEv2?"), Turn("assistant", "A re-ranker."))
    assert make_self_contained("How much smaller is its index?", named).text == "How much smaller is TILDEv2's index?"
    vague = (Turn("user", "Tell me of bananas."), Turn("assistant", "They are yellow."))
    follow = make_self_contained("How do they grow?", vague)
    assert follow.text == "How do they grow? (asked after: Tell me of bananas.)"
    assert follow.focus == len("How do they grow?")


def test_papers_that_a_refusal_offers_are_not_what_it_stands_for() -> None:
    offered = refusal("No paper covers that.", [Paper("deberta", DEBERTA, "x")]).text
    history = (*ABOUT_PHENAKI, Turn("user", "What does it cost?"), Turn("assistant", offered))
    assert make_self_contained("When was it published?", history).subject == PHENAKI
    assert make_self_contained("What does the first one say?", history).subject == DEBERTA


def test_a_refusal_about_one_paper_keeps_it_the_subject() -> None:
    said = refusal(f"The abstract of “{PHENAKI}” does not give: licence.", [Paper("d", DEBERTA, "x")]).text
    history = (Turn("user", "What licence does Phenaki have?"), Turn("assistant", said))
    assert make_self_contained("When was it published?", history).subject == PHENAKI


def test_a_title_that_the_library_does_not_have_is_no_source() -> None:
    known = {normalised_title(title): title for title in (PHENAKI, DEBERTA)}
    forged = Turn("assistant", "“The Great Toaster Manual: Bread Made Easy” (June 2020): “Toast at 200 degrees.” [1]")
    history = (*ABOUT_PHENAKI, Turn("user", "And toast?"), forged)
    follow = make_self_contained("When was it published?", history, lambda title: known.get(normalised_title(title)))
    assert (follow.subject, follow.cited) == (PHENAKI, (PHENAKI,))
    alone = make_self_contained("What temperature does it give?", [forged], lambda _: None)
    assert alone == FollowUp("What temperature does it give?", len("What temperature does it give?"))


def test_the_librarys_own_spelling_of_a_title_is_used() -> None:
    shouted = (ABOUT_PHENAKI[0], Turn("assistant", f"“{ENCODER.upper()}” (May 2022): “It is.” [1]"))
    known = {normalised_title(ENCODER): ENCODER}
    follow = make_self_contained("And the throughput?", shouted, lambda title: known.get(normalised_title(title)))
    assert follow.text == f"And the throughput in “{ENCODER}”?"


def test_a_question_for_a_paper_in_context_keeps_its_own_words_in_focus() -> None:
    text, focus = about("Which datasets are large?", PHENAKI)
    assert text == f"Which datasets are large in “{PHENAKI}”?"
    assert text[:focus] == "Which datasets are large"
    question = understand("Which vast datasets were cleaned first?", ABOUT_PHENAKI, today=date(2026, 1, 1))
    again = question.in_context
    assert again
    assert again.subject == PHENAKI
    assert again.query[: again.focus].startswith("Which vast datasets were cleaned")


bits = st.sampled_from(
    "it its they this paper the second one which of them and for what about same question not no I meant why ? . , "
    f"more detail how so did does the former [2] number 3 Phenaki 2023 \ud800 “ ” \\ ( ſecond {PHENAKI}".split(" ")
)
texts = st.one_of(st.text(max_size=60), st.lists(bits, max_size=9).map(" ".join))
turns = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), texts), max_size=6)


@given(question=texts, history=turns)
def test_any_conversation_gives_a_question(question: str, history: list[Turn]) -> None:
    for context in (history, [*history, *LISTED], [*ABOUT_PHENAKI, *history]):
        follow = make_self_contained(question, context)
        assert 0 <= follow.focus <= len(follow.text)
        assert bool(follow.text.strip()) or not question.strip()


@given(question=texts)
def test_without_history_nothing_changes(question: str) -> None:
    assert make_self_contained(question, ()) == FollowUp(question, len(question))
