"""Questions limited to some papers: what passes, what "it" means there, and what is said where nothing does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from answer_helpers import check_answer, last_answer
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import many_papers

from rag.answer.answer import Answer, Searched, Turn
from rag.answer.pipeline import Paperchat
from rag.papers import Filters, Paper

PAPERS = many_papers(40)
DAYS = st.none() | st.sampled_from([date(2015, 6, 1), date(2019, 1, 1), date(2022, 12, 31)])
COUNTS = st.none() | st.integers(0, 9)
FILTERS = st.builds(
    Filters,
    published_from=DAYS,
    published_to=DAYS,
    organisation=st.sampled_from([None, None, "Org 0", "Org 1"]),
    min_authors=COUNTS,
    max_authors=COUNTS,
    paper_ids=st.none() | st.lists(st.sampled_from([one.paper_id for one in PAPERS]), max_size=12).map(tuple),
)


@given(one=FILTERS, other=FILTERS)
def test_narrowed_filters_admit_what_both_admit(one: Filters, other: Filters) -> None:
    both = one.narrowed(other)
    for paper in PAPERS:
        assert both.admits(paper) == (one.admits(paper) and other.admits(paper))
    assert one.narrowed(Filters()) == one.narrowed(one)
    assert Filters().narrowed(one).in_words() == one.narrowed(Filters()).in_words()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Filters(organisation="A"), Filters(organisation="B")),
        (Filters(paper_ids=("a",)), Filters(paper_ids=("b",))),
        (Filters(published_from=date(2024, 1, 1)), Filters(published_to=date(2023, 1, 1))),
        (Filters(min_authors=5), Filters(max_authors=4)),
    ],
)
def test_filters_that_exclude_each_other_leave_no_paper(one: Filters, other: Filters) -> None:
    assert one.narrowed(other).paper_ids == ()
    assert other.narrowed(one).paper_ids == ()


def test_the_order_of_chosen_papers_is_kept() -> None:
    assert Filters(paper_ids=("c", "a", "b")).narrowed(Filters(paper_ids=("b", "c"))).paper_ids == ("c", "b")


def titled(engine: Paperchat, words: str) -> Paper:
    """The seed paper whose title has these words."""
    (found,) = [one for one in engine.library.find() if words in one.title]
    return found


@pytest.fixture(scope="module")
def phenaki(engine: Paperchat) -> Paper:
    return titled(engine, "Phenaki")


@pytest.fixture(scope="module")
def tilde(engine: Paperchat) -> Paper:
    return titled(engine, "Contextualized Exact Term")


def only(*papers: Paper) -> Filters:
    return Filters(paper_ids=tuple(paper.paper_id for paper in papers))


def shown(answer: Answer) -> set[str]:
    """Ids of all papers that the answer names anywhere."""
    cited = [citation.paper for citation in answer.citations]
    found = [passage.paper for passage in (*answer.passages, *answer.left_out)]
    return {paper.paper_id for paper in (*cited, *found, *answer.nearest)}


class TestOnePaper:
    """As after "Ask about this paper"."""

    @pytest.mark.parametrize(
        "asked",
        ["What is it about?", "What is this paper about?", "What is the main contribution?", "Summarise this paper",
         "How long are the videos?", "What are its limitations?", "What does DeBERTa improve?"],
    )  # fmt: skip
    def test_no_other_paper_is_named_anywhere(self, engine: Paperchat, phenaki: Paper, asked: str) -> None:
        events = list(engine.stream(asked, within=only(phenaki)))
        answer = last_answer(events)
        check_answer(answer)
        assert shown(answer) <= {phenaki.paper_id}
        assert answer.filters == only(phenaki)
        assert all(event.filters == only(phenaki) for event in events if isinstance(event, Searched))

    @pytest.mark.parametrize("asked", ["What is it about?", "What is this paper about?", "Summarise this paper"])
    def test_this_paper_is_the_chosen_one(self, engine: Paperchat, phenaki: Paper, asked: str) -> None:
        answer = engine.ask(asked, within=only(phenaki))
        assert {citation.paper for citation in answer.citations} == {phenaki}

    def test_its_record_answers_when_and_by_how_many(self, engine: Paperchat, phenaki: Paper) -> None:
        assert "October 5, 2022" in engine.ask("When was it published?", within=only(phenaki)).answer
        assert "9 authors" in engine.ask("How many authors does it have?", within=only(phenaki)).answer

    @pytest.mark.parametrize(
        "asked",
        ["Will it rain in Paris tomorrow?", "What does DeBERTa improve?", "Which papers are about quantization?"],
    )
    def test_what_it_does_not_say_is_refused(self, engine: Paperchat, phenaki: Paper, asked: str) -> None:
        assert engine.ask(asked, within=only(phenaki)).refused

    def test_a_conversation_before_is_not_lost(self, engine: Paperchat, phenaki: Paper, tilde: Paper) -> None:
        history = [Turn("user", "Which is faster?"), Turn("assistant", f"“{tilde.title}” [1]")]
        answer = engine.ask("When was it published?", history, within=only(phenaki, tilde))
        assert "August 19, 2021" in answer.answer


class TestSelection:
    """As after "Ask about these papers"."""

    def test_they_are_the_chosen_ones(self, engine: Paperchat, phenaki: Paper, tilde: Paper) -> None:
        for asked in ("How do they differ?", "Compare these papers"):
            answer = engine.ask(asked, within=only(tilde, phenaki))
            check_answer(answer)
            assert {citation.paper for citation in answer.citations} == {phenaki, tilde}

    def test_counts_and_lists_are_of_the_selection_and_say_so(
        self, engine: Paperchat, phenaki: Paper, tilde: Paper
    ) -> None:
        within = only(tilde, phenaki)
        counted = engine.ask("How many papers are there?", within=within)
        assert counted.answer.startswith("The library holds 2 papers among those chosen (of 237 in all).")
        newest = engine.ask("What is the newest paper?", within=within)
        assert newest.answer.startswith("The newest paper among those chosen:")
        assert newest.citations[0].paper == phenaki
        assert engine.ask("How many papers were published in 2021?", within=within).citations[0].paper == tilde

    def test_a_period_narrows_the_questions_own(self, engine: Paperchat) -> None:
        year = Filters(date(2023, 1, 1), date(2023, 12, 31))
        answer = engine.ask("How many papers were published since May 2023?", within=year)
        assert answer.filters == Filters(date(2023, 5, 1), date(2023, 12, 31))
        given_ones = engine.ask("How many papers are there?", filters=Filters(min_authors=9), within=year)
        assert given_ones.filters == replace(year, min_authors=9)

    def test_retrieval_keeps_to_it(self, engine: Paperchat, phenaki: Paper, tilde: Paper) -> None:
        within = only(phenaki, tilde)
        found = engine.retrieve("ranking passages with a small index", within=within)
        assert [ranked.paper for ranked in found.papers] == [tilde, phenaki]
        assert engine.retrieve("ranking", within=Filters()).filters == Filters()

    def test_no_scope_changes_nothing(self, engine: Paperchat) -> None:
        asked = "How much smaller are TILDEv2's indexes?"
        assert engine.ask(asked, within=Filters()).answer == engine.ask(asked).answer


class TestEmptyScope:
    """A sentence that names what the question was limited to."""

    @pytest.mark.parametrize(
        ("within", "said"),
        [
            (Filters(published_from=date(2050, 1, 1)), "papers published since 2050-01-01, and the library has"),
            (Filters(paper_ids=("gone",)), "limited to 1 chosen paper, and the library has none of them any more"),
            (Filters(paper_ids=("gone", "lost")), "2 chosen papers, and the library has none of them any more"),
            (Filters(organisation="Nobody"), "papers listed under Nobody, and the library has no such paper"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("asked", ["How much smaller are TILDEv2's indexes?", "How many papers are there?"])
    def test_it_is_refused(self, engine: Paperchat, within: Filters, said: str, asked: str) -> None:
        answer = engine.ask(asked, within=within)
        check_answer(answer)
        assert answer.refused
        assert said in answer.reason
        assert answer.passages == ()

    def test_a_question_that_contradicts_its_scope_is_told_so(self, engine: Paperchat) -> None:
        within = Filters(date(2023, 1, 1), date(2023, 12, 31))
        answer = engine.ask("How many papers were published in 2022?", within=within)
        assert answer.refused
        assert "limited to papers published in 2023, and none of them passes its own filters" in answer.reason
        assert answer.filters.paper_ids == ()

    def test_what_the_scope_does_not_cover_is_said_of_the_scope(self, engine: Paperchat, phenaki: Paper) -> None:
        tangents = "What do sperm whales encode in their clicks?"
        assert "None of the papers that the question is limited to" in engine.ask(tangents, within=only(phenaki)).reason
        period = engine.ask("How fast do penguins swim in winter?", within=Filters(published_to=date(2022, 1, 1)))
        assert "No paper published up to 2022-01-01 covers" in period.reason
