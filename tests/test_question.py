"""What a question asks for: kind, filters, topic, and a text that can be searched."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.answer import Turn
from rag.answer.question import Question, clean, understand
from rag.errors import QuestionError
from rag.papers import Filters
from rag.terms import terms

TODAY = date(2026, 11, 21)
ORGANISATIONS = ("KaLM-Embedding", "Kyutai", "OpenBMB", "Pathway", "Reactive AI", "SindBERT")


def asked(text: str) -> Question:
    return understand(text, today=TODAY, organisations=ORGANISATIONS)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("List the papers by Kyutai", Filters(organisation="Kyutai")),
        ("What did OpenBMB publish?", Filters(organisation="OpenBMB")),
        ("How many of reactive ai's papers are there?", Filters(organisation="Reactive AI")),
        ("Which papers from the organisation Pathway are there?", Filters(organisation="Pathway")),
        ("What does SindBERT do?", Filters()),
        ("Which papers are about pathways?", Filters()),
        ("Which papers have a single author?", Filters(min_authors=1, max_authors=1)),
        ("papers with 9 authors", Filters(min_authors=9, max_authors=9)),
        ("papers by exactly three authors", Filters(min_authors=3, max_authors=3)),
        ("papers with more than nine authors", Filters(min_authors=10)),
        ("papers with at least 10 authors", Filters(min_authors=10)),
        ("papers with 10 or more authors", Filters(min_authors=10)),
        ("papers with 10+ authors", Filters(min_authors=10)),
        ("papers with fewer than 3 authors", Filters(max_authors=2)),
        ("papers with 2 or fewer authors", Filters(max_authors=2)),
        ("papers with between 3 and 5 authors", Filters(min_authors=3, max_authors=5)),
        ("papers by 3-5 authors", Filters(min_authors=3, max_authors=5)),
        ("How many authors does Phenaki have?", Filters()),
        ("papers since 2024", Filters(published_from=date(2024, 1, 1))),
        (
            "How many papers with 9 authors did Kyutai publish in 2023?",
            Filters(date(2023, 1, 1), date(2023, 12, 31), "Kyutai", 9, 9),
        ),
    ],
)
def test_filters_are_read_from_the_question(text: str, filters: Filters) -> None:
    assert asked(text).filters == filters


@pytest.mark.parametrize(
    ("text", "intent", "topic"),
    [
        ("How many papers are published in 2023?", "count", ""),
        ("How many papers mention quantization?", "count", "quantization"),
        ("How many papers use diffusion models?", "count", "diffusion models"),
        ("What is the number of papers about attention?", "count", "attention"),
        ("List the papers by Kyutai", "list", ""),
        ("Show me all papers from 2015", "list", ""),
        ("papers since 2024", "list", ""),
        ("Which papers came out in May 2023?", "list", ""),
        ("Which papers are about quantization?", "list", "quantization"),
        ("What is the latest paper?", "latest", ""),
        ("What's new?", "latest", ""),
        ("What are the three newest papers on retrieval?", "latest", "retrieval"),
        ("Show the latest 3 papers", "latest", ""),
        ("What is the oldest paper?", "oldest", ""),
        ("How many authors does Phenaki have?", "content", None),
        ("What does HyperAttention do?", "content", None),
        ("How many LLMs was ECO tried on?", "content", None),
    ],
)
def test_kind_and_topic(text: str, intent: str, topic: str | None) -> None:
    question = asked(text)
    assert question.intent == intent
    if topic is not None:
        assert question.topic == topic


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Compare HNeRV and NeRV++", "compare"),
        ("How do VPTQ and PV-Tuning differ?", "compare"),
        ("Two papers study pseudo-relevance feedback. What does each one investigate?", "compare"),
        ("Which methods reduce hallucination?", "papers"),
        ("Which papers are about quantum NLP?", "papers"),
        ("What does Phenaki generate?", "single"),
        ("What score does NV-Embed reach on MTEB and BEIR?", "single"),
    ],
)
def test_one_paper_or_several(text: str, shape: str) -> None:
    assert asked(text).shape == shape


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("How much smaller are the indexes?", True),
        ("By how much does it improve?", True),
        ("What percentage of heads retrieve?", True),
        ("What does it propose?", False),
        ("Why does it hallucinate?", False),
    ],
)
def test_whether_a_number_is_asked_for(text: str, wanted: bool) -> None:
    assert asked(text).wants_number == wanted


def test_words_that_became_filters_are_not_searched_for() -> None:
    question = asked("Which papers published in 2023 are about quantization?")
    assert question.query == "Which papers are about quantization?"
    assert question.focus == len(question.query)
    assert question.asked == "Which papers published in 2023 are about quantization?"


def test_the_filters_stay_in_the_text_where_nothing_else_would_be_searched() -> None:
    assert "2015" in asked("2015 papers").query


def test_invisible_characters_and_white_space_are_cleaned_away() -> None:
    assert clean("  What\u200b does\t\n the\x07 \u202epaper\ud800 say?\x85 ", 100) == "What does the paper say?"


@pytest.mark.parametrize("text", ["", "   ", "\n\t\u200b", "?!…", "\ud800", "\x00", "🤖"])
def test_a_question_without_words_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="empty"):
        asked(text)


def test_the_longest_question_and_one_character_more() -> None:
    assert understand("a" * 4000, today=TODAY).asked == "a" * 4000
    with pytest.raises(QuestionError, match="4,001 characters; at most 4,000"):
        understand("a" * 4001, today=TODAY)


hostile = st.text(st.characters(codec=None), max_size=60)  # lone surrogates too, as JSON can carry them
bits = st.sampled_from(
    "how many papers authors ſix six ten 10 between and or more than by from Kyutai 2023 last month it the second "
    "firſt one latest what which compare both vs K İ ı \ud800 \x00 “ ” ( ) [1] \\ .* about".split(" ")
)
turns = st.builds(Turn, st.sampled_from(["user", "assistant"]), hostile)


@given(
    text=st.one_of(hostile, st.lists(bits, max_size=10).map(" ".join)),
    history=st.lists(turns, max_size=4),
    today=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
)
def test_any_text_is_understood_or_refused_in_one_way(text: str, history: list[Turn], today: date) -> None:
    try:
        question = understand(text, history, today=today, organisations=[*ORGANISATIONS, "a.*(", "(?i"])
    except QuestionError as error:
        assert error.message  # noqa: PT017  (the point is that no other error comes)
        return
    assert 0 <= question.focus <= len(question.query)
    assert question.query.strip()
    question.query.encode()  # can be sent on: no lone surrogate, from the history neither
    terms(question.query)
    low, high = question.filters.min_authors, question.filters.max_authors
    assert low is None or high is None or low <= high


def test_one_paper_asked_for_is_one_paper_several_are_a_list() -> None:
    today = date(2025, 12, 15)
    assert understand("Which paper introduces a benchmark for word order?", today=today).shape == "single"
    assert understand("Which papers introduce benchmarks for word order?", today=today).shape == "papers"
