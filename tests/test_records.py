"""Questions that the library's records answer: counts, lists, newest, dates, author counts, organisations."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from answer_helpers import check_answer
from library_helpers import HashEmbedder, fill, paper

from rag.answer.answer import Answer, Searched
from rag.answer.pipeline import Paperchat
from rag.ingest import library_fingerprint
from rag.library.library import Library
from rag.papers import Filters, Paper
from rag.settings import Settings

# ../shared/docs/seeds.md, checked there by eye.
YEARS = {2025: 60, 2024: 73, 2023: 48, 2022: 25, 2021: 12, 2020: 7, 2019: 2, 2018: 0, 2017: 2, 2016: 1, 2015: 1}
PHENAKI = "Phenaki: Variable Length Video Generation From Open Domain Textual Description"


def first_line(answer: Answer) -> str:
    return answer.answer.splitlines()[0]


def papers_of(answer: Answer) -> list[Paper]:
    return [citation.paper for citation in answer.citations]


@pytest.mark.parametrize(("year", "count"), YEARS.items())
def test_how_many_papers_of_a_year(engine: Paperchat, year: int, count: int) -> None:
    answer = engine.ask(f"How many papers are published in {year}?")
    if count == 0:
        assert (answer.outcome, answer.answer) == ("refused", f"The library holds no paper published in {year}.")
        return
    check_answer(answer)
    noun = "paper" if count == 1 else "papers"
    assert first_line(answer).startswith(f"The library holds {count} {noun} published in {year} (of 237 in all).")
    assert len(answer.citations) == min(count, 5)
    assert all(p.published and p.published.year == year for p in papers_of(answer))
    assert answer.outcome == "answered"


def test_the_whole_library_is_counted(engine: Paperchat) -> None:
    answer = engine.ask("How many papers are in the library?")
    check_answer(answer)
    assert first_line(answer) == "The library holds 237 papers. The 5 newest:"
    assert sum(YEARS.values()) + 6 == 237  # six papers show no date


def test_what_is_counted_is_what_the_filters_admit(engine: Paperchat) -> None:
    everything = engine.library.find()
    for question, filters in {
        "How many papers have 9 authors?": Filters(min_authors=9, max_authors=9),
        "How many papers have more than 9 authors?": Filters(min_authors=10),
        "How many papers have at most 2 authors?": Filters(max_authors=2),
        "How many papers have a single author?": Filters(min_authors=1, max_authors=1),
        "How many papers were published in May 2023?": Filters(date(2023, 5, 1), date(2023, 5, 31)),
        "How many papers since 2024 are there?": Filters(date(2024, 1, 1)),
        "How many papers before 2020 have 2 authors?": Filters(None, date(2019, 12, 31), None, 2, 2),
        "How many papers by Kyutai are there?": Filters(organisation="Kyutai"),
    }.items():
        expected = [p for p in everything if filters.admits(p)]
        answer = engine.ask(question)
        check_answer(answer)
        assert answer.filters == filters, question
        assert first_line(answer).startswith(f"The library holds {len(expected)} paper"), (question, answer.answer)


def test_years_add_up_month_by_month(engine: Paperchat) -> None:
    months = Counter(p.published.month for p in engine.library.find() if p.published and p.published.year == 2023)
    for month in (1, 5, 12):
        answer = engine.ask(f"How many papers were published in {calendar.month_name[month]} 2023?")
        assert f"holds {months[month]} paper" in answer.answer


def test_a_list_shows_ten_newest_first_and_says_how_many_there_are(engine: Paperchat) -> None:
    answer = engine.ask("List the papers published in 2022")
    check_answer(answer)
    assert first_line(answer) == "The library holds 25 papers published in 2022 (of 237 in all). The 10 newest:"
    days = [p.published for p in papers_of(answer)]
    assert len(days) == 10
    assert days == sorted(days, reverse=True)  # type: ignore[type-var]
    assert answer.answer.count("\n- “") == 10


def test_one_paper_is_no_plural(engine: Paperchat) -> None:
    answer = engine.ask("List the papers by Kyutai")
    assert answer.answer == (
        "The library holds 1 paper listed under Kyutai (of 237 in all).\n"
        "- “ARC-Encoder: learning compressed text representations for large language models” (October 23, 2025) [1]"
    )


@pytest.mark.parametrize(
    ("question", "heading", "titles"),
    [
        ("What is the latest paper?", "The newest paper in the library:", ["Semantic Soft Bootstrapping"]),
        ("What is the oldest paper?", "The oldest paper in the library:", ["Pointer Networks"]),
        (
            "What are the three newest papers?",
            "The 3 newest papers in the library:",
            ["Semantic Soft Bootstrapping", "Multi-Step Knowledge Interaction", "SindBERT, the Sailor"],
        ),
        ("What is the oldest paper from 2016?", "The oldest paper published in 2016:", ["Diverse Beam Search"]),
        ("latest papers by OpenBMB", "The newest paper listed under OpenBMB:", ["Configurable Foundation Models"]),
    ],
)
def test_the_newest_and_the_oldest(engine: Paperchat, question: str, heading: str, titles: list[str]) -> None:
    answer = engine.ask(question)
    check_answer(answer)
    assert first_line(answer) == heading
    assert len(answer.citations) == len(titles)
    assert all(p.title.startswith(title) for p, title in zip(papers_of(answer), titles, strict=True))


def test_a_topic_is_counted_by_the_papers_that_mention_all_its_words(engine: Paperchat) -> None:
    answer = engine.ask("How many papers mention quantization?")
    check_answer(answer)
    mentioning = [p for p in engine.library.find() if "quantiz" in f"{p.title} {p.abstract}".lower()]
    assert first_line(answer).startswith(
        f"The library holds {len(mentioning)} papers mentioning “quantization” (of 237"
    )
    narrower = engine.ask("How many papers from 2023 mention quantization?")
    inside = [p for p in mentioning if p.published and p.published.year == 2023]
    assert first_line(narrower) == (
        f"The library holds {len(inside)} papers published in 2023 and mentioning “quantization” (of 237 in all)."
    )


def test_records_are_answered_without_a_search(engine: Paperchat) -> None:
    events = list(engine.stream("How many papers are published in 2023?"))
    assert not any(isinstance(event, Searched) for event in events)


class TestOnePaper:
    """A paper's own record: date, number of authors, organisation."""

    def test_date_and_authors(self, engine: Paperchat) -> None:
        answer = engine.ask("When was Phenaki published and how many authors does it have?")
        check_answer(answer)
        assert answer.answer == f"“{PHENAKI}” was published on October 5, 2022 and lists 9 authors [1]."
        assert papers_of(answer)[0].title == PHENAKI

    def test_an_inferred_year_is_said_to_be_inferred(self, engine: Paperchat) -> None:
        answer = engine.ask("When was the REFRAG paper published?")
        check_answer(answer)
        assert "August 31, 2025 (the listing prints no year; it was inferred from the page)" in answer.answer

    def test_a_date_that_the_listing_lacks_is_refused(self, engine: Paperchat) -> None:
        for question in ("When was BOLT published?", "On which date was the BOLT paper published?"):
            answer = engine.ask(question)
            check_answer(answer)
            assert answer.refused
            assert "no publication date for “BOLT: Bootstrap Long Chain-of-Thought" in answer.reason

    def test_what_one_of_two_fields_shows_is_given_in_part(self, engine: Paperchat) -> None:
        answer = engine.ask("Which organisation published ARC-Encoder and how many authors does it have?")
        check_answer(answer)
        assert answer.outcome == "partial"
        assert "is listed under the organisation Kyutai" in answer.answer
        assert "no author count" in answer.answer or "no number of authors" in answer.answer

    def test_an_unknown_paper_has_no_date(self, engine: Paperchat) -> None:
        answer = engine.ask("When was Zorblax published?")
        check_answer(answer)
        assert answer.refused

    def test_a_stranger_has_no_papers(self, engine: Paperchat) -> None:
        answer = engine.ask("Which papers are by OpenAI?")
        check_answer(answer)
        assert answer.reason == (
            "No paper is listed under “OpenAI”. Few listings give author names, and here only these organisations: "
            "KaLM-Embedding, Kyutai, OpenBMB, Pathway, Reactive AI, SindBERT."
        )


class TestSmallLibrary:
    """A library of four papers and a clock."""

    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Paperchat]:
        embedder = HashEmbedder()
        library = Library.open(tmp_path / "small" / "library", library_fingerprint(embedder))
        fill(
            library,
            [
                paper("Cats at Rest", "Cats sleep.", published=date(2026, 10, 31), n_authors=1),
                paper("Dogs at Rest", "Dogs sleep.", published=date(2026, 11, 20), n_authors=2, organisation="Kennel"),
                paper("Birds at Rest", "Birds sleep.", published=date(2024, 1, 1)),
                paper("Fish at Rest", "Fish sleep."),
            ],
            embedder,
        )
        library.close()
        settings = Settings(_env_file=None, home=tmp_path / "small", reranker="none")
        chat = Paperchat(settings, embedder=embedder, clock=lambda: date(2026, 11, 21))
        yield chat
        chat.close()

    @pytest.mark.parametrize(
        ("question", "held"),
        [
            ("Which papers were published last month?", "1 paper published in October 2026"),
            ("papers of the last 7 days", "1 paper published from November 14, 2026 to November 21, 2026"),
            ("How many papers since 2024 are there?", "3 papers published since 2024"),
            ("papers since October 2026", "2 papers published since October 1, 2026"),
            ("papers until 2025", "1 paper published up to the end of 2025"),
            ("papers from 2024 to 2025", "1 paper published from 2024 to 2025"),
            ("papers published yesterday", "1 paper published on November 20, 2026"),
            ("How many papers have one author?", "1 paper with 1 author"),
            ("How many papers have at least one author?", "2 papers with at least 1 author"),
            ("How many papers mention sleep?", "4 papers mentioning “sleep”"),
            ("How many papers with 2 authors are by Kennel?", "1 paper with 2 authors listed under Kennel"),
        ],
    )
    def test_counts_read_well(self, small: Paperchat, question: str, held: str) -> None:
        assert first_line(small.ask(question)) == f"The library holds {held} (of 4 in all)."

    @pytest.mark.parametrize(
        ("question", "expected"),
        [
            ("How many papers are there?", "The library holds 4 papers."),
            ("papers published last year", "The library holds no paper published in 2025."),
            ("How many papers have 3 to 5 authors?", "The library holds no paper with 3 to 5 authors."),
        ],
    )
    def test_all_and_none_read_well(self, small: Paperchat, question: str, expected: str) -> None:
        assert first_line(small.ask(question)) == expected

    def test_undated_papers_are_listed_but_never_the_newest(self, small: Paperchat) -> None:
        assert "- “Fish at Rest” (no date) [4]" in small.ask("List all papers").answer
        assert [p.title for p in papers_of(small.ask("What are the newest papers?"))] == [
            "Dogs at Rest", "Cats at Rest", "Birds at Rest",
        ]  # fmt: skip

    def test_the_clock_is_asked_at_each_question(self, small: Paperchat) -> None:
        small._clock = lambda: date(2026, 12, 1)
        assert "published in November 2026" in small.ask("papers published last month").answer
