"""Which passages a model reads: those quoted from first, and few further papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.reading import LEAST_PAPERS, passages_to_read
from rag.answer.select import Choice
from rag.chunking import sentences
from rag.papers import Paper, Passage
from tests.answer_helpers import evidence, paper_evidence, words

ASKED = words(("index", 2.0), ("size", 1.0), ("attention", 1.0))
TWO = "A first sentence is here. A second one follows."
SPANS = sentences(TWO)


def by_sentence(found: PaperEvidence) -> PaperEvidence:
    """The same with a passage for each sentence."""
    own = found.paper
    passages = [Passage(f"{own.paper_id}#{i}", own.paper_id, i, s.text, s.start, s.end) for i, s in enumerate(SPANS)]
    return replace(found, passages=tuple(passages))


def paper(name: str, rank: int, *matches: Sequence[float]) -> PaperEvidence:
    return by_sentence(paper_evidence(Paper(name, name.title(), TWO), matches or ((0, 0, 0), (0, 0, 0)), rank=rank))


def read(found: Evidence, choices: Sequence[Choice] = (), papers: int = 5) -> list[str]:
    return [p.passage.passage_id for p in passages_to_read(choices, found, papers)]


def test_the_passages_quoted_from_come_first_in_the_order_of_the_quotes() -> None:
    first, second = paper("a", 1, (1, 1, 0), (0, 0, 0)), paper("b", 2, (0, 0, 0), (0, 0, 1))
    choices = [Choice(second, second.sentences[1], 1.0), Choice(first, first.sentences[1], 0.5)]
    assert read(evidence(ASKED, first, second), choices) == ["b#1", "a#1", "a#0", "b#0"]


def test_a_paper_that_adds_nothing_is_not_read() -> None:
    found = evidence(ASKED, paper("a", 1, (1, 1, 0), (0, 0, 0)), paper("b", 2), paper("c", 3), paper("d", 4))
    assert read(found) == ["a#0", "a#1", "b#0", "b#1"]  # two at least, should the first be the wrong one


def test_a_paper_further_down_that_covers_another_word_is_read() -> None:
    found = evidence(
        ASKED, paper("a", 1, (1, 1, 0), (0, 0, 0)), paper("b", 2), paper("c", 3), paper("d", 4, (0, 0, 1), (0, 0, 0))
    )
    assert read(found) == ["a#0", "a#1", "b#0", "b#1", "d#0", "d#1"]


def test_a_paper_below_the_sources_is_read_only_if_it_is_quoted() -> None:
    low = paper("low", 7, (0, 0, 1), (0, 0, 0))
    found = evidence(ASKED, paper("a", 1, (1, 1, 0), (0, 0, 0)), low)
    assert read(found) == ["a#0", "a#1"]
    assert read(found, [Choice(low, low.sentences[0], 1.0)]) == ["low#0", "a#0", "a#1", "low#1"]


def test_a_question_without_telling_words_reads_the_best_papers() -> None:
    bare = (paper_evidence(Paper(n, n, TWO), ((), ()), rank=i) for i, n in enumerate("abc", start=1))
    found = evidence((), *map(by_sentence, bare))
    assert read(found) == ["a#0", "a#1", "b#0", "b#1"]


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), max_size=6), st.integers(1, 6))
def test_what_the_sources_cover_is_covered_by_what_is_read(rows: list[tuple[float, ...]], papers: int) -> None:
    found = evidence(ASKED, *(paper(f"p{i}", i, row, (0, 0, 0)) for i, row in enumerate(rows, start=1)))
    names = {name.split("#")[0] for name in read(found, papers=papers)}
    assert len(names) >= min(LEAST_PAPERS, papers, len(rows))
    near = found.papers[:papers]
    for i in range(len(ASKED)):
        best = max((float(p.matches[i]) for p in near), default=0.0)
        got = max((float(p.matches[i]) for p in near if p.paper.paper_id in names), default=0.0)
        assert (best - got) * ASKED[i].weight / 4 <= 0.02 + 1e-6
