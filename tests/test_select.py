"""Which sentences are quoted: coverage first, then what the chosen ones do not cover yet."""

from __future__ import annotations

import numpy as np
import pytest
from answer_helpers import evidence, paper_evidence, question, words
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.gather import PaperEvidence
from rag.answer.select import Choice, choose, has_quantity, in_reading_order, worth_reading
from rag.papers import Paper

ANIMALS = Paper("animals", "Animals", "Cats sleep. Dogs sleep. Birds sing. Fish swim.")
ASKED = question("sleeping singing animals")
TWO = words(("sleep", 1.0), ("sing", 1.0))


def texts(paper: PaperEvidence, limit: int = 3, asked: str = "sleeping singing animals") -> list[str]:
    return [c.sentence.text for c in choose(question(asked), evidence(TWO, paper), paper, limit)]


def test_the_best_covering_sentence_comes_first_then_what_it_leaves_open() -> None:
    # Gains about: dogs .5, birds .45, fish .45. With "sleep" covered half of its worth is gone: fish .28, birds .45.
    paper = paper_evidence(ANIMALS, [[0.0, 0.0], [0.98, 0.0], [0.0, 0.7], [0.7, 0.0]])
    assert texts(paper, 2) == ["Dogs sleep.", "Birds sing."]
    assert texts(paper, 3) == ["Dogs sleep.", "Birds sing.", "Fish swim."]


def test_a_word_that_every_sentence_has_tells_them_apart_less_than_one_that_few_have() -> None:
    common = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert texts(paper_evidence(ANIMALS, common), 1) == ["Fish swim."]


def test_a_link_is_quoted_only_where_one_is_asked_for() -> None:
    paper = Paper("p", "P", "Nothing. Sleeping code is publicly available. Cats sleep.")
    found = paper_evidence(paper, [[0.0, 0.0], [1.0, 0.3], [0.9, 0.0]])
    assert texts(found, 1) == ["Cats sleep."]
    assert texts(found, 1, "where is the code for sleeping?") == ["Sleeping code is publicly available."]


def choices(*scored: tuple[str, float]) -> list[Choice]:
    found = []
    for text, score in scored:
        paper = paper_evidence(Paper(text, text, text), [[0.0, 0.0]])
        found.append(Choice(paper, paper.sentences[0], score))
    return found


def test_later_sentences_are_kept_while_they_add_enough_and_fit() -> None:
    scored = choices(("One two three.", 1.0), ("Four five.", 0.5), ("Six.", 0.5), ("Seven eight.", 0.6))
    assert [c.score for c in worth_reading(scored, 4, 100)] == [1.0, 0.5, 0.6]  # the third adds too little
    assert [c.score for c in worth_reading(scored, 2, 100)] == [1.0, 0.5]
    assert [c.sentence.text for c in worth_reading(scored, 4, 5)] == ["One two three.", "Four five."]
    assert [c.sentence.text for c in worth_reading(scored, 4, 0)] == ["One two three."], "the best is never cut"
    assert worth_reading([], 3, 10) == []


def test_a_heavier_word_decides() -> None:
    paper = paper_evidence(ANIMALS, [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    heavy = words(("sleep", 1.0), ("sing", 5.0))
    assert choose(ASKED, evidence(heavy, paper), paper, 1)[0].sentence.text == "Birds sing."


def test_a_number_is_preferred_only_where_one_is_asked_for() -> None:
    hours = Paper("p", "P", "Nothing. Cats sleep for 16 hours. Cats sleep for hours.")
    paper = paper_evidence(hours, [[0.0, 0.0], [0.95, 0.0], [0.98, 0.0]])
    assert texts(paper, 1, "how much do animals sleep?") == ["Cats sleep for 16 hours."]
    assert texts(paper, 1, "do animals sleep?") == ["Cats sleep for hours."]


def test_a_sentence_that_goes_on_follows_the_one_it_goes_on_from() -> None:
    row = [[1.0, 0.0], [0.5, 0.0], [0.5, 0.0], [0.5, 0.0]]
    goes_on = paper_evidence(Paper("p", "P", "Cats sleep. This saves strength. Dogs sleep. Fish sleep."), row)
    assert texts(goes_on, 2) == ["Cats sleep.", "This saves strength."]


def test_a_paper_without_sentences_gives_none() -> None:
    empty = paper_evidence(ANIMALS, [[0.0, 0.0]] * 4)
    bare = PaperEvidence(empty.ranked, (), np.zeros(2, np.float32), np.zeros((0, 2), np.float32))
    assert choose(ASKED, evidence(TWO, bare), bare, 3) == []


def test_without_a_telling_word_sentences_are_still_chosen() -> None:
    matrix = np.zeros((4, 0), np.float32)
    whole = paper_evidence(ANIMALS, [[0.0]] * 4)
    paper = PaperEvidence(whole.ranked, whole.sentences, np.zeros(0, np.float32), matrix)
    assert len(choose(ASKED, evidence((), paper), paper, 3)) == 3


matrices = st.lists(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2), min_size=4, max_size=4)


@given(matrix=matrices, limit=st.integers(0, 6))
def test_any_matches_give_different_sentences_up_to_the_limit(matrix: list[list[float]], limit: int) -> None:
    paper = paper_evidence(ANIMALS, matrix)
    chosen = choose(ASKED, evidence(TWO, paper), paper, limit)
    assert len(chosen) == min(limit, 4)
    assert len({choice.sentence.position for choice in chosen}) == len(chosen)
    longer = choose(ASKED, evidence(TWO, paper), paper, limit + 1)
    assert [c.sentence.position for c in longer[:limit]] == [c.sentence.position for c in chosen]  # greedy


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("improves by 5.7%", True),
        ("3x faster", True),
        ("it halves nothing", False),
        ("half of the heads", True),
        ("doubles the speed", True),
        ("GPT-4 and TILDEv2", False),
        ("a 70B model", True),
        ("no number", False),
    ],
)
def test_a_quantity_is_no_part_of_a_name(text: str, states: bool) -> None:
    assert has_quantity(text) == states


def test_reading_order_is_best_first_then_as_written_papers_together() -> None:
    one = paper_evidence(ANIMALS, [[0.0, 0.0]] * 4)
    two = paper_evidence(Paper("other", "Other", "Trees grow. Rain falls."), [[0.0, 0.0]] * 2)
    a, b = choose(ASKED, evidence(TWO, one), one, 4), choose(ASKED, evidence(TWO, two), two, 2)
    by = {(c.evidence.paper.paper_id, c.sentence.position): c for c in (*a, *b)}
    mixed = [by["animals", 2], by["other", 1], by["animals", 3], by["animals", 0], by["other", 0]]
    assert [(c.evidence.paper.paper_id, c.sentence.position) for c in in_reading_order(mixed)] == [
        ("animals", 2), ("animals", 0), ("animals", 3), ("other", 1), ("other", 0),
    ]  # fmt: skip
    assert in_reading_order([]) == []
