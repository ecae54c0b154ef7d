"""Retrieval: fusion worked by hand, both arms against brute force over the real library, filters, ranks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, open_library, paper

from rag.answer.pipeline import Paperchat
from rag.answer.ranking.fusion import fuse, roll_up
from rag.answer.ranking.naming import COINED_BONUS, MENTIONED_BONUS, NAMED_BONUS, is_subject, names_in
from rag.answer.retrieve import Retriever, Switches, as_context
from rag.library.records import Hit
from rag.models.reranker import load_reranker
from rag.papers import Filters, Paper
from rag.terms import terms

QUERIES = (
    "How many attention heads are retrieval heads?",
    "vector quantization of large language models",
    "quantum circuits for grammar",
)


def test_a_papers_score_is_that_of_its_best_passage() -> None:
    hits = [Hit("a#1", "a", 0.9), Hit("b#0", "b", 0.8), Hit("a#0", "a", 0.3), Hit("b#2", "b", 0.85)]
    assert roll_up(hits) == {"a": 0.9, "b": 0.85}
    assert roll_up([]) == {}


def test_min_max_fusion_worked_by_hand() -> None:
    scores = fuse({"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 12.0, "c": 4.0, "d": 8.0})
    # dense: a 1, b .5, c 0; words: b 1, c 0, d .5; half of each, nothing where an arm found nothing
    assert {paper: known["fused"] for paper, known in scores.items()} == pytest.approx(
        {"a": 0.5, "b": 0.75, "c": 0.0, "d": 0.25}
    )
    assert scores["a"] == {"dense": 0.9, "dense_rank": 1, "fused": 0.5, "fused_rank": 2}
    assert scores["b"] == {
        "dense": 0.5, "dense_rank": 2, "words": 12.0, "words_rank": 1, "fused": 0.75, "fused_rank": 1,
    }  # fmt: skip
    assert scores["d"] == {"words": 8.0, "words_rank": 2, "fused": 0.25, "fused_rank": 3}
    assert scores["c"]["fused_rank"] == 4


def test_an_arm_that_found_one_paper_gives_it_all_and_equal_papers_go_by_id() -> None:
    assert fuse({"a": 0.2}, {})["a"]["fused"] == 0.5
    assert fuse({}, {}) == {}
    tied = fuse({"b": 0.4, "a": 0.4}, {})
    assert (tied["a"]["fused_rank"], tied["b"]["fused_rank"]) == (1, 2)


arm = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 30, allow_nan=False), max_size=8)


@given(dense=arm, words=arm)
def test_fusion_of_any_two_arms(dense: dict[str, float], words: dict[str, float]) -> None:
    scores = fuse(dense, words)
    assert set(scores) == set(dense) | set(words)
    assert all(0 <= known["fused"] <= 1 + 1e-9 for known in scores.values())
    assert sorted(known["fused_rank"] for known in scores.values()) == list(range(1, len(scores) + 1))
    for name, found in (("dense", dense), ("words", words)):
        assert {paper: known[name] for paper, known in scores.items() if name in known} == found
        by_rank = sorted(found, key=lambda paper: scores[paper][f"{name}_rank"])
        assert [found[paper] for paper in by_rank] == sorted(found.values(), reverse=True)


def without_reranker(engine: Paperchat) -> Retriever:
    return Retriever(engine.library, engine._use.embedder, None, Switches(feedback=False))


@pytest.mark.parametrize("query", QUERIES)
def test_both_arms_fused_agree_with_brute_force(engine: Paperchat, query: str) -> None:
    library = engine.library
    found = without_reranker(engine).search(query, Filters(), 237)
    passages = [p for group in library.passages([p.paper_id for p in library.find()]).values() for p in group]
    stored = library.encoded([p.passage_id for p in passages])
    cosines = {p.passage_id: float(stored[p.passage_id].vector @ found.encoded.vector) for p in passages}
    best = sorted(passages, key=lambda p: -cosines[p.passage_id])[:100]
    dense: dict[str, float] = {}
    for passage in best:
        dense.setdefault(passage.paper_id, cosines[passage.passage_id])
    words = roll_up(library.match_words(query, 100))
    expected = fuse(dense, words)
    got = {ranked.paper.paper_id: ranked.scores for ranked in found.papers}
    assert set(got) == set(expected)
    for paper_id, known in expected.items():
        for score in ("dense", "words", "fused"):
            assert got[paper_id].get(score) == pytest.approx(known.get(score), abs=1e-3), (paper_id, score)
        assert got[paper_id]["score"] == pytest.approx(known["fused"] + got[paper_id].get("named", 0), abs=1e-3)


@pytest.mark.parametrize("reranker", ["none", "late-interaction"])
def test_ranks_follow_scores_and_each_paper_comes_once_with_a_passage_of_its_own(
    engine: Paperchat, reranker: str
) -> None:
    retriever = Retriever(engine.library, engine._use.embedder, load_reranker(reranker))
    for query in QUERIES:
        papers = retriever.search(query, Filters(), 60).papers
        assert [p.rank for p in papers] == list(range(1, len(papers) + 1))
        assert [p.score for p in papers] == sorted((p.score for p in papers), reverse=True)
        assert len({p.paper.paper_id for p in papers}) == len(papers)
        for ranked in papers:
            assert ranked.passage.paper_id == ranked.paper.paper_id
            assert ranked.paper.abstract[ranked.passage.start : ranked.passage.end] == ranked.passage.text
            assert ranked.score == ranked.scores["score"]


def test_the_reranker_scores_by_maxsim_and_shows_its_best_passage(engine: Paperchat) -> None:
    found = engine.retrieve(QUERIES[0], k=5)
    for ranked in found.papers:
        stored = engine.library.encoded(
            [p.passage_id for p in engine.library.passages([ranked.paper.paper_id])[ranked.paper.paper_id]]
        )
        own = {pid: _max_sim(found.encoded.tokens, one.tokens) for pid, one in stored.items()}
        assert own[ranked.passage.passage_id] == pytest.approx(max(own.values()), abs=1e-4)
    best = max(found.papers, key=lambda ranked: ranked.scores["rerank"])
    assert "Retrieval Head" in best.paper.title


def _max_sim(question: np.ndarray, text: np.ndarray) -> float:
    return float((question @ text.T).max(axis=1).mean())


@pytest.mark.parametrize(
    "filters",
    [
        Filters(published_from=date(2024, 1, 1)),
        Filters(published_from=date(2023, 5, 1), published_to=date(2023, 5, 31)),
        Filters(organisation="Kyutai"),
        Filters(min_authors=9, max_authors=9),
        Filters(paper_ids=("pointer-networks",)),
        Filters(paper_ids=()),
        Filters(published_to=date(2010, 1, 1)),
    ],
)
def test_filters_act_before_ranking_in_both_arms(engine: Paperchat, filters: Filters) -> None:
    papers = engine._use.retriever.search(QUERIES[1], filters, 237).papers
    admitted = [paper for paper in engine.library.find() if filters.admits(paper)]
    assert all(filters.admits(ranked.paper) for ranked in papers)
    # A hundred passages hold all admitted papers here, so none of them may be missing.
    if len(admitted) <= 15:
        assert {ranked.paper.paper_id for ranked in papers} == {paper.paper_id for paper in admitted}


def test_a_limit_cuts_the_same_ranking(engine: Paperchat) -> None:
    assert [p.paper.paper_id for p in engine.retrieve(QUERIES[2], k=3).papers] == [
        p.paper.paper_id for p in engine.retrieve(QUERIES[2], k=10).papers
    ][:3]


def test_a_paper_that_the_question_names_comes_first(engine: Paperchat) -> None:
    first = engine.retrieve("What does Phenaki have to do with retrieval and quantization of attention?").papers[0]
    assert first.paper.title.startswith("Phenaki")


@pytest.mark.parametrize(
    ("name", "title", "named"),
    [
        ("DeBERTa", "DeBERTa: Decoding-enhanced BERT", True),
        ("BERT", "DeBERTa: Decoding-enhanced BERT", False),  # not what the paper calls itself
        ("DeBERTaV9", "DeBERTa: Decoding-enhanced BERT", False),
        ("GPU", "A long title that has the GPU somewhere", False),
    ],
)
def test_whether_a_name_is_what_the_paper_calls_its_subject(name: str, title: str, named: bool) -> None:
    assert is_subject(name, Paper("p", title, "")) == named


def test_a_name_that_one_paper_has_is_worth_more_than_a_word_of_the_field(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    papers = [
        paper("Zirco: a tool", "It cuts."),
        paper("Cuts", "Of the many tools here the best cuts with RUFF, which is a list of genes and more genes."),
        paper("GATA3 in cells", "A gene."),
        paper("Genes", "GATA3 is a gene."),
    ]
    fill(library, papers)

    def worth(question: str) -> dict[str, float | None]:
        found = Retriever(library, HashEmbedder(), None).search(question, Filters(), 10)
        return {ranked.paper.title: ranked.scores.get("named") for ranked in found.papers}

    assert worth("What is Zirco?")["Zirco: a tool"] == COINED_BONUS
    assert worth("What is RUFF?")["Cuts"] == MENTIONED_BONUS
    assert worth("What is GATA3?")["GATA3 in cells"] == NAMED_BONUS
    assert worth("What is GATA3?")["Genes"] is None
    among_others = worth("Do rare lists of wild genes ever cut cells and tools in best ways where GATA3 stands?")
    assert 0 < (among_others["GATA3 in cells"] or 0) < NAMED_BONUS


def test_a_name_counts_by_its_share_of_the_questions_rarity() -> None:
    """Three terms in 1, 9 and 9 of 100 papers: ln(1 + 99.5/1.5) = 4.21 and twice ln(1 + 91.5/9.5) = 2.37."""
    frequencies = dict(zip(terms("zirco cells genes"), (1, 9, 9), strict=True))
    (name,) = names_in("How does Zirco help cells or genes?", frequencies | {"help": 100}, 100)
    assert (name.text, name.coined, name.weight) == ("Zirco", True, 1.0)  # 4.21 of 8.95 is more than a third
    (name,) = names_in("How does Zirco help cells or genes?", frequencies | {"zirco": 60, "help": 100}, 100)
    assert not name.coined
    assert name.weight == pytest.approx(3 * 0.513 / (0.513 + 2 * 2.366 + 0.005), abs=0.01)


def test_papers_past_the_limit_are_left_out_with_a_reason_unless_cited(engine: Paperchat) -> None:
    papers = engine.retrieve(QUERIES[0], k=8).papers
    cited = papers[6].paper.paper_id
    kept, rest = as_context(papers, 5, {cited})
    assert [p.paper for p in kept] == [ranked.paper for ranked in papers if ranked.rank <= 5 or ranked.rank == 7]
    assert [p.left_out for p in kept] == [None] * 6
    assert [p.left_out for p in rest] == [
        "rank 6: only the best 5 papers are used", "rank 8: only the best 5 papers are used",
    ]  # fmt: skip


def test_a_query_of_no_words_is_still_a_search(engine: Paperchat) -> None:
    assert all("words" not in ranked.scores for ranked in engine._use.retriever.search("the of", Filters(), 5).papers)
