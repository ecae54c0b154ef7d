"""Dates in questions: which days they mean, and which numbers are no dates at all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.periods import find_period

TODAY = date(2026, 11, 21)  # a Saturday


def days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    return (date.fromisoformat(first) if first else None, date.fromisoformat(last) if last else None)


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("Which papers were published in 2023?", "2023-01-01", "2023-12-31"),
        ("In 2023, how many papers were published?", "2023-01-01", "2023-12-31"),
        ("Which 2025 papers introduce embedding models?", "2025-01-01", "2025-12-31"),
        ("papers from May 2023", "2023-05-01", "2023-05-31"),
        ("papers published in Feb 2024", "2024-02-01", "2024-02-29"),
        ("papers published on Feb. 29, 2024", "2024-02-29", "2024-02-29"),
        ("papers published on 2024-02-29", "2024-02-29", "2024-02-29"),
        ("papers published on February 30, 2023", "2023-02-01", "2023-02-28"),
        ("papers between 2020 and 2022", "2020-01-01", "2022-12-31"),
        ("papers between 2022 and 2020", "2020-01-01", "2022-12-31"),
        ("papers from January 2023 to March 2023", "2023-01-01", "2023-03-31"),
        ("papers of 2020-2022", "2020-01-01", "2022-12-31"),
        ("papers from May 2020 – June 2021", "2020-05-01", "2021-06-30"),
        ("papers from 2023 and 2024", "2023-01-01", "2024-12-31"),
        ("papers since 2024", "2024-01-01", None),
        ("papers published after 2023", "2024-01-01", None),
        ("papers published after December 2023", "2024-01-01", None),
        ("papers before June 2021", None, "2021-05-31"),
        ("papers until 2021", None, "2021-12-31"),
        ("papers published in May 2023 or later", "2023-05-01", None),
        ("papers published in 2019 or before", None, "2019-12-31"),
        ("papers of the last month", "2026-10-01", "2026-10-31"),
        ("papers from last year", "2025-01-01", "2025-12-31"),
        ("papers published this year", "2026-01-01", "2026-11-21"),
        ("papers published this month", "2026-11-01", "2026-11-21"),
        ("papers published last week", "2026-11-09", "2026-11-15"),
        ("papers published this week", "2026-11-16", "2026-11-21"),
        ("papers of the last 7 days", "2026-11-14", "2026-11-21"),
        ("papers from the past two weeks", "2026-11-07", "2026-11-21"),
        ("papers published today", "2026-11-21", "2026-11-21"),
        ("yesterday's papers", "2026-11-20", "2026-11-20"),
    ],
)
def test_the_days_that_a_question_means(question: str, first: str | None, last: str | None) -> None:
    period = find_period(question, TODAY)
    assert period is not None
    assert (period.first, period.last) == days(first, last)
    assert period.words in question


@pytest.mark.parametrize(
    "question",
    [
        "Who won the 2022 World Cup?",
        "How accurate is it on ImageNet 2012?",
        "Which papers train on ImageNet 2012?",
        "Which papers compress up to 2000 tokens?",
        "Which papers handle between 1900 and 2048 tokens?",
        "Which papers use vectors in 2048 dimensions?",
        "Which papers report a loss of 2000.5?",
        "How does it compare with models before 2019?",
        "papers from 2020 or 2023",  # no range has just these two
        "papers published after 9999-12-31",
        "papers since 1789-07-14",
        "What does the paper say?",
        "",
    ],
)
def test_what_is_no_period(question: str) -> None:
    assert find_period(question, TODAY) is None


@pytest.mark.parametrize("today", [date(2024, 3, 31), date(2024, 1, 1), date(2025, 12, 31), date(2024, 2, 29)])
def test_last_month_is_the_whole_calendar_month_before(today: date) -> None:
    period = find_period("papers of the last month", today)
    assert period
    assert period.first
    assert period.last
    assert period.first.day == 1
    assert period.last + timedelta(days=1) == today.replace(day=1)
    assert (period.first.year, period.first.month) == (period.last.year, period.last.month)


# A clock that libraries see: four-digit years with room for 999 years back.
clocks = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))
bits = st.sampled_from(
    "papers published in from between and since before after until last past this ſix six couple of few a 3 999 "
    "days weeks month year 2023 1999 2099 2024-02-30 9999-12-31 0000-00-00 May may. Sept 31, 00, - – to or later "
    "today tokens 2000 ٢٠٢٣ of the".split()
)
questions = st.one_of(st.text(max_size=80), st.lists(bits, max_size=9).map(" ".join))


@given(question=questions, today=clocks)
def test_any_text_gives_an_ordered_range_or_none(question: str, today: date) -> None:
    period = find_period(question, today)
    if period is None:
        return
    assert period.words
    assert period.words in question
    assert period.first or period.last
    if period.first and period.last:
        assert period.first <= period.last


@given(
    first=st.dates(min_value=date(1950, 1, 1), max_value=date(2099, 12, 31)),
    last=st.dates(min_value=date(1950, 1, 1), max_value=date(2099, 12, 31)),
)
def test_two_days_in_any_order_give_the_range_between_them(first: date, last: date) -> None:
    period = find_period(f"papers published between {first} and {last}", TODAY)
    assert period
    assert (period.first, period.last) == (min(first, last), max(first, last))
