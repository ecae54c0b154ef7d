"""Why a paper stands where it stands: words found against the word index, sums against the search's own scores, and
what the terminal shows of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.explained_ranking import (
    changes,
    compositions,
    matching,
    other_words,
    places,
    ranks_by,
    subject_words,
    telling_sentence,
)
from rag.answer.pipeline import Paperchat
from rag.answer.retrieve import RankedPaper, Retrieval, Retriever
from rag.models.interfaces import Encoded
from rag.models.reranker import load_reranker
from rag.papers import Filters, Paper, Passage
from rag.show_ranking import show_explained
from rag.terms import content_words, terms

ASKED = "How does TILDEv2 shrink its indexes and speed up ranking, and by how many indexes?"
PAPER = Paper(
    "fast",
    "Fast Re-ranking with an Index",
    "We ask little. TILDEv2 has an index of 99% less. It is quick.",
    date(2021, 8, 19),
    authors=("Ada Speed",),
    body_hash="known",
)
QUERIES = (
    "How many attention heads are retrieval heads?",
    "What does Phenaki have to do with retrieval and quantization?",
    "the of",
)
NO_FILTERS = Filters()
WORDS = st.sampled_from(
    "How does the Index indexes INDEX shrink shrinking TILDEv2 über Uber 69.32 e-mail ? “” \ud800 \x1b".split(" ")
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=40)


# --- words -------------------------------------------------------------------------------------


def test_words_worked_by_hand() -> None:
    found = matching(ASKED, PAPER)
    assert found.matched == ("TILDEv2", "indexes", "ranking")  # "Index", "Re-ranking": the same terms
    assert found.missing == ("shrink", "speed")
    assert list(other_words(ASKED).values()) == ["How", "does", "its", "up", "many"]


def test_each_word_is_told_where_it_stands() -> None:
    text = "Others grow. Ours will shrink."
    assert places(subject_words(ASKED), PAPER, text) == {
        "title": ("indexes", "ranking"),
        "abstract": ("TILDEv2", "indexes"),
        "authors": ("speed",),
        "full text": ("shrink",),
    }
    assert places(subject_words(ASKED), replace(PAPER, authors=()))["missing"] == ("shrink", "speed")
    assert places({}, PAPER) == {}


@given(query=TEXTS, title=TEXTS, abstract=TEXTS)
def test_matched_and_missing_are_exactly_the_words_of_the_subject(query: str, title: str, abstract: str) -> None:
    found = matching(query, Paper("p", title, abstract))
    first: dict[str, str] = {}
    for start, end, term in content_words(query):
        first.setdefault(term, query[start:end])
    assert sorted(found.matched + found.missing) == sorted(first.values())
    there = set(terms(title) + terms(abstract))
    assert {first_term for first_term, word in first.items() if word in found.matched} == there & first.keys()
    assert not other_words(query).keys() & first.keys()


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_every_term_that_is_searched_is_of_the_subject_or_beside_it(query: str) -> None:
    assert subject_words(query).keys() | other_words(query).keys() == set(terms(query))


def test_a_paper_matches_a_word_where_the_word_index_finds_it(engine: Paperchat) -> None:
    papers = engine.library.find()
    for word in ("quantization", "TILDEv2", "69.32", "transformers", "speech", "nowhere-to-be-found"):
        found = {hit.paper_id for hit in engine.library.match_words(word, len(papers))}
        assert {paper.paper_id for paper in papers if matching(word, paper).matched} == found, word


@pytest.mark.parametrize(
    ("question", "query", "said"),
    [
        ("How does it shrnk?", "How does it shrink?", ["“shrnk” became “shrink”"]),
        ("Which papers since 2023 are about speech?", "Which papers are about speech?", ["“since 2023” was left out"]),
        ("And its size?", "And its size, in “Fast X”?", ["“in Fast X” was added"]),
        ("What is  GPT-4 ?", "What is GPT-4?", []),
    ],
)
def test_what_was_changed_in_the_question_is_told(question: str, query: str, said: list[str]) -> None:
    assert changes(question, query) == said


def test_the_telling_sentence_has_most_words_and_an_empty_passage_has_none() -> None:
    assert telling_sentence(ASKED, _passage(PAPER.abstract)) == "TILDEv2 has an index of 99% less."
    assert telling_sentence("colours", _passage(PAPER.abstract)) == "We ask little."
    assert telling_sentence(ASKED, _passage("")) == ""


def _passage(text: str) -> Passage:
    return Passage("fast#0", "fast", 0, text, 0, len(text))


# --- sums --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reranker", ["linear", "late-interaction", "none"])
@pytest.mark.parametrize("query", QUERIES)
def test_what_a_score_is_made_of_adds_up_to_it(engine: Paperchat, reranker: str, query: str) -> None:
    retriever = Retriever(engine.library, engine._use.embedder, load_reranker(reranker))
    found = retriever.search(query, Filters(), 237)
    made_of = compositions(found)
    assert len(found.papers) > 10
    for ranked in found.papers:
        parts = made_of[ranked.paper.paper_id]
        assert parts.score == pytest.approx(ranked.score, abs=1e-6)
        assert parts.fused <= (1 + 1e-9 if parts.reranked is not None or reranker == "none" else 0)
        assert (parts.reranked is None) == ("rerank" not in ranked.scores)
        assert bool(parts.bonus) == ("Phenaki" in query and ranked.paper.title.startswith("Phenaki"))


def test_ranks_by_a_score_follow_it() -> None:
    found = _retrieval(_ranked(1, rerank=0.2), _ranked(2, rerank=0.9), _ranked(3))
    assert ranks_by(found, "rerank") == {"p2": 1, "p1": 2}


def _ranked(rank: int, **scores: float) -> RankedPaper:
    paper = replace(PAPER, paper_id=f"p{rank}")
    return RankedPaper(rank, paper, _passage(PAPER.abstract), 0.5, {"fused": 1.0, "score": 0.5, **scores})


def _retrieval(*papers: RankedPaper, query: str = ASKED, filters: Filters = NO_FILTERS) -> Retrieval:
    nothing = np.zeros((0, 1), dtype=np.float32)
    return Retrieval(
        query, filters, Encoded(np.zeros(1, dtype=np.float32), nothing, np.zeros((0, 2), np.int32)), papers
    )


# --- the terminal ------------------------------------------------------------------------------


def test_explain_says_all_of_a_paper_at_80_columns(seed_home: Path, cli: Cli) -> None:
    question, settings = "How does TILDEv2 shrnk its index?", {"PAPERCHAT_HOME": str(seed_home), "COLUMNS": "80"}
    done = cli("retrieve", "--explain", "-k", "2", question, **settings)
    row = json.loads(cli("retrieve", "--explain", "--json", "-k", "2", question, **settings).stdout)
    assert done.returncode == 0, done.stderr
    shown, best = done.stdout, row["papers"][0]
    assert "\x1b" not in shown
    assert all(len(line) <= 80 and line == line.rstrip() for line in shown.splitlines())
    head, first, second = shown.split("\n\n")
    assert head.splitlines()[:3] == [
        f"Asked    {question}",
        f"Searched {row['query_used']}",
        f"Changed  “shrnk” became “{_words(row['query_used'])[3]}”",
    ]
    assert "TILDEv2" in head.splitlines()[3]
    said, scores = " ".join(first.split()), best["scores"]
    assert said.startswith(f"1. {best['title']} ({best['published']})")
    assert f"Score {best['score']:.3f} = 0.6 × " in said
    assert f"vectors rank {scores['dense_rank']}, cosine {scores['dense']:.3f}; " in said
    assert f"words rank {scores['words_rank']}, BM25 {scores['words']:.1f}; " in said
    assert f"feedback rank {scores['feedback_rank']}, cosine {scores['feedback']:.3f}; " in said
    assert f"close reading rank 1, MaxSim {scores['rerank']:.3f}; " in said
    assert f"weighed rank 1, {scores['linear']:.2f} " in said
    assert f"; missing: {', '.join(best['missing'])}; " in said
    assert said.endswith("(abstract)")
    assert second.startswith("  2. ")
    alone = cli("retrieve", "--explain", "-k", "1", question, **settings).stdout
    assert alone == f"{head}\n\n{first}\n", "a score is told against all that were read, whatever is shown"


def _words(text: str) -> list[str]:
    return text.rstrip("?").split()


def test_every_paper_of_the_json_says_which_words_it_has(seed_home: Path, cli: Cli) -> None:
    done = cli("retrieve", "--json", "-k", "20", ASKED, PAPERCHAT_HOME=str(seed_home))
    papers = json.loads(done.stdout)["papers"]
    assert {frozenset(paper["matched"] + paper["missing"]) for paper in papers} == {
        frozenset(subject_words(ASKED).values())
    }
    assert "TILDEv2" in papers[0]["matched"]


def test_explain_tells_of_full_texts_filters_and_what_did_not_find_a_paper(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # no wider than lines that can be read
    place = Passage("p1#3", "p1", 3, "Ours will \x1b[2Jshrink.", 0, 22, True, "Methods", 4)
    best = replace(_ranked(1, words=9.0, words_rank=1.0, fused_rank=1.0, rerank=-2.5), passage=place)
    other = _ranked(2, dense=0.1, dense_rank=3.0)
    found = _retrieval(best, other, filters=Filters(published_from=date(2020, 1, 1)))
    show_explained(found, ASKED, 2, lambda paper_id: "It will shrink." if paper_id == "p1" else "")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown
    said = [" ".join(part.split()) for part in shown.split("\n\n")]
    assert "Asked" not in said[0]
    assert "Only papers published since 2020-01-01" in said[0]
    assert "0.6 × close reading + 0.4 × fused, each scaled to 0–1 over the one paper read closely" in said[0]
    assert "authors: speed; full text: shrink Found" in said[1]
    assert "vectors did not find it; words rank 1, BM25 9.0; feedback did not find it; fused rank 1, 1.000" in said[1]
    assert "Read close reading rank 1, -2.500 Passage “Ours will �[2Jshrink.” (page 4, section “Methods”)" in said[1]
    assert "Score 0.500 = 0.4 × 0.000" in said[2], "as good by both arms as the last that was read closely"
    assert "missing: shrink Found vectors rank 3, cosine 0.100; words did not find it" in said[2]
    assert "Read" not in said[2], "it was not read closely"


def test_nothing_is_cut_within_a_word_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    word = "supercalifragilisticexpialidocious-" * 3
    best = _ranked(1, rerank=0.5, whole=0.4, sequence=0.5, linear=1.0)
    best = replace(best, paper=replace(best.paper, title=word), passage=_passage(f"{word} is a word."))
    show_explained(_retrieval(best), ASKED, 1, lambda _: "")
    shown = capsys.readouterr().out
    assert shown.split().count(word) == 1
    assert f"“{word}" in shown.split()
    assert "close reading rank 1, MaxSim 0.500; whole abstract cosine 0.400; words side by side 50%" in " ".join(
        shown.split()
    )


def test_a_search_that_finds_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_explained(_retrieval(query="the of"), "the of", 10, lambda _: "")
    assert capsys.readouterr().out == "Searched the of\nWords    none\n\nNo paper was found.\n"
