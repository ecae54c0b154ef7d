"""Questions with several sides, and the papers that cover them together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from answer_helpers import evidence, paper_evidence, question
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.alignment import Word
from rag.answer.facets import FACET_SHARE, best_together, facets, surely
from rag.papers import Paper
from rag.terms import terms


def words_of(text: str) -> tuple[Word, ...]:
    found, start = [], 0
    for word in text.replace(",", " ").replace("?", " ").split():
        start = text.index(word, start)
        if len(word) > 3:
            found.append(Word(word, start, terms(word)[0], 1.0, (0,), False))
    return tuple(found)


def sides(text: str) -> list[list[str]]:
    words = words_of(text)
    return [[words[i].text for i in side] for side in facets(text, words)]


def test_clauses_are_facets_and_short_ones_join_the_one_before() -> None:
    assert sides("cats sleep long, dogs bark loud and birds sing high") == [
        ["cats", "sleep", "long"], ["dogs", "bark", "loud"], ["birds", "sing", "high"],
    ]  # fmt: skip
    assert sides("cats sleep and bark") == [["cats", "sleep", "bark"]]
    assert sides("") == []


def paper(name: str, matches: list[float], score: float, rank: int):  # type: ignore[no-untyped-def]
    return paper_evidence(Paper(name, name, "One sentence."), [matches], rank=rank, score=score)


def test_papers_that_cover_a_side_each_beat_two_that_cover_the_same() -> None:
    text = "cats sleep long, dogs bark loud"
    cats, more_cats = [1.0] * 3 + [0.5] * 3, [0.95] * 3 + [0.5] * 3
    dogs = [0.5] * 3 + [1.0] * 3
    found = evidence(words_of(text), paper("a", cats, 1.0, 1), paper("b", more_cats, 0.9, 2), paper("c", dogs, 0.7, 3))
    asked = question(text)
    assert [p.paper.title for p in best_together(asked, found, found.papers, [], 2)] == ["a", "c"]
    named = [found.papers[1]]
    assert [p.paper.title for p in best_together(asked, found, found.papers, named, 2)] == ["b", "c"]


cut = st.floats(0.5, 1, width=32)


@given(matches=st.lists(st.lists(cut, min_size=6, max_size=6), min_size=1, max_size=6), wanted=st.integers(2, 3))
def test_the_chosen_papers_have_the_highest_value_of_all_combinations(matches: list[list[float]], wanted: int) -> None:
    text = "cats sleep long, dogs bark loud"
    found = evidence(words_of(text), *(paper(str(i), row, 1 - i / 10, i + 1) for i, row in enumerate(matches)))
    asked = question(text)
    chosen = best_together(asked, found, found.papers, [], wanted)

    def value(papers) -> float:  # type: ignore[no-untyped-def]
        best = [max(surely(p)[side].sum() for p in papers) for side in facets(text, found.words)]
        return float(np.mean([p.ranked.score for p in papers]) + FACET_SHARE * sum(best) / 6)

    size = min(wanted, len(matches))
    assert abs(value(chosen) - max(value(c) for c in combinations(found.papers, size))) < 1e-6
    assert [p.ranked.rank for p in chosen] == sorted(p.ranked.rank for p in chosen)
