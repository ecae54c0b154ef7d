"""A question after an answer stays with its paper only if that paper covers what the question itself says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from answer_helpers import evidence, paper_evidence, question, words
from library_helpers import paper

from rag.answer.followup import about
from rag.answer.question import Question
from rag.answer.topic import LEAST, still_on_topic

PHENAKI = paper("Phenaki: Video Generation", "Phenaki generates videos.")
BREAD = paper("On bread", "Bananas in bread.")
GAIN = "How large is the gain?"
TITLE_WORDS = (("phenaki", 1.0), ("video", 1.0))


def _asked(text: str) -> Question:
    whole, focus = about(text, PHENAKI.title)
    return replace(question(text), query=whole, focus=focus, subject=PHENAKI.title)


def _decide(own: float, alone: float, *, title: float = 1.0, lost: bool = False, text: str = GAIN) -> bool:
    again = _asked(text)
    asked = words(("gain", 1.0), *TITLE_WORDS)
    asked = (asked[0], *(replace(word, start=again.focus + 1) for word in asked[1:]))
    in_context = evidence(asked, paper_evidence(PHENAKI, [[own, title, title]]))
    found = evidence(words(("gain", 1.0)), paper_evidence(BREAD, [[alone]]))
    return still_on_topic(again, in_context, found, lost=lost)


@pytest.mark.parametrize(
    ("own", "alone", "kept"),
    [(0.9, 0.5, True), (0.6, 0.6, True), (0.5, 0.9, False), (LEAST - 0.05, 0.1, False), (0.0, 0.0, False)],
)
def test_the_paper_must_cover_the_questions_own_words_as_well_as_any_other(
    own: float, alone: float, kept: bool
) -> None:
    assert _decide(own, alone) is kept


def test_the_words_of_the_title_that_were_written_in_prove_nothing() -> None:
    assert _decide(0.5, 0.6, title=1.0) == _decide(0.5, 0.6, title=0.0)


def test_a_paper_that_was_not_found_is_not_meant() -> None:
    again = _asked("How large is the gain?")
    asked = words(("gain", 1.0))
    bread = evidence(asked, paper_evidence(BREAD, [[1.0]]))
    assert not still_on_topic(again, bread, evidence(asked), lost=True)


def test_where_a_search_alone_is_lost_the_paper_need_not_be_the_best() -> None:
    assert not _decide(0.5, 0.9)
    assert _decide(0.5, 0.9, lost=True)
    assert not _decide(LEAST - 0.05, 0.9, lost=True)
    assert not _decide(0.5, 0.9, lost=True, text="How large is the gain of GraphRAG?"), "a name is a topic of its own"
