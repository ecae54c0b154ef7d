"""Feedback and the linear reranker: worked by hand, against a second computation over the real library, and learned."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, open_library, paper

from eval.train_reranker import learned
from rag.answer.pipeline import Paperchat
from rag.answer.ranking.feedback import WEIGHT, moved
from rag.answer.ranking.fusion import best_first, fuse, roll_up
from rag.answer.ranking.linear import SIGNALS, Sequences, linear, meaning, weights
from rag.answer.retrieve import RERANK_WEIGHT, Retriever, Switches
from rag.errors import SourceError
from rag.ingest import ingest_readings
from rag.library.library import Library
from rag.models.reranker import load_reranker
from rag.papers import Body, Filters, Paper, Part, with_body
from rag.readers import SourceReading
from rag.readers.source import Entry

QUERIES = ("How many attention heads are retrieval heads?", "dense sparse interpolation feedback", "quantum grammar")


def test_feedback_moves_the_question_towards_the_mean_of_the_papers_found() -> None:
    question = np.array([1, 0, 0], dtype=np.float32)
    first, second = np.array([0, 1, 0], dtype=np.float32), np.array([0, 0, 1], dtype=np.float32)
    found = moved("a short question", question, [first, second])
    half = np.sqrt(0.5)
    expected = np.array([1 - WEIGHT, WEIGHT * half, WEIGHT * half])
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert moved("a short question", question, []) is question


def test_a_paper_points_where_the_passages_of_its_abstract_point_together(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    body = Body("A full text of its own. " * 40, (Part(0, None, 1),))
    long = with_body(paper("Long", "Sparse codes of whales. " * 60), body)
    readings = SourceReading("a.pdf", "0" * 64, (Entry(long, 1, body), Entry(paper("Short", "Birds sing."), 2)), ())
    ingest_readings([readings], library, embedder)
    found = library.directions(["long", "short", "unknown"])
    assert set(found) == {"long", "short"}
    abstracts = library.passages(found, in_body=False)
    assert len(abstracts["long"]) > 1
    for paper_id, group in abstracts.items():
        total = sum(stored.vector for stored in library.encoded(p.passage_id for p in group).values())
        assert found[paper_id] == pytest.approx(total / np.linalg.norm(total), abs=1e-5)


def test_a_long_question_is_moved_less() -> None:
    question, paper = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    words = [f"word{n}" for n in range(40)]
    short, full, long = (moved(" ".join(words[:n]), question, [paper]) for n in (2, 20, 40))
    assert np.array_equal(short, full)
    assert long[1] / long[0] == pytest.approx(0.2 / 0.8, abs=1e-6)


def test_a_papers_linear_score_worked_by_hand() -> None:
    assert linear({}) == {}
    papers = {"a": {"rerank": 0.9, "fused": 0.5}, "b": {"rerank": 0.5, "fused": 0.5}, "c": {"rerank": 0.1}}
    found = linear(papers)
    by_name = dict(zip(SIGNALS, weights(), strict=True))
    deviation = np.std([0.9, 0.5, 0.1])
    fused = np.array([0.5, 0.5, 0.0])
    expected = by_name["rerank"] * 0.4 / deviation + by_name["fused"] * (0.5 - fused.mean()) / fused.std()
    assert found["a"] == pytest.approx(expected, rel=1e-3)
    assert sum(found.values()) == pytest.approx(0, abs=1e-5)
    assert list(linear({"only": {"rerank": 0.3}}).values()) == [0.0]


def test_the_shipped_weights_are_of_all_signals_and_none_works_against_itself() -> None:
    stored = json.loads(files("rag.answer.ranking").joinpath("linear.json").read_text("utf-8"))
    assert set(stored["weights"]) == set(SIGNALS)
    assert "train" in stored["learned_from"]
    assert (weights() > 0).all()


def test_what_vectors_say_of_a_paper() -> None:
    question, again = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    passages = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    assert meaning(question, again, passages) == pytest.approx({"whole": 1.6 / 3, "feedback": 1.0})
    assert meaning(question, again, passages[:0]) == {"whole": 0.0, "feedback": 0.0}


def test_terms_that_stand_side_by_side() -> None:
    sequences = Sequences("sparse retrieval of sparse codes", {"spars": 1, "retriev": 9, "code": 1}, 10)
    both = Paper("p", "Sparse retrieval", "Retrieval codes are sparse.")  # pairs: spars retriev, retriev code
    one = Paper("q", "Retrieval", "It codes; retrieval: codes.")
    assert sequences.found(both) == pytest.approx(1)
    rare, common = np.log(1 + 9.5 / 1.5), np.log(1 + 1.5 / 9.5)
    assert sequences.found(one) == pytest.approx((common + rare) / ((rare + common) + (common + rare)))
    assert sequences.found(Paper("r", "Sparse", "Codes.")) == 0
    assert Sequences("alone", {}, 10).found(both) == 0


@given(st.text(max_size=60), st.integers(0, 5))
def test_the_share_of_sequences_is_a_share(query: str, papers: int) -> None:
    paper = Paper("p", query, query)
    assert 0 <= Sequences(query, {}, papers).found(paper) <= 1 + 1e-9


@pytest.mark.parametrize("query", QUERIES)
def test_feedback_agrees_with_a_second_computation(engine: Paperchat, query: str) -> None:
    library, embedder = engine.library, engine._use.embedder
    found = Retriever(library, embedder, None, Switches(rerank=False)).search(query, Filters(), 30)
    vectors = {
        paper_id: np.array([library.encoded([p.passage_id])[p.passage_id].vector for p in group])
        for paper_id, group in library.passages([p.paper_id for p in library.find()]).items()
    }
    question = embedder.encode([query], query=True)[0].vector
    words = roll_up(library.match_words(query, 100))

    def near(vector: np.ndarray) -> dict[str, float]:
        rows = sorted(((float(v @ vector), pid) for pid, group in vectors.items() for v in group), reverse=True)[:100]
        return {pid: max(score for score, other in rows if other == pid) for _, pid in rows}

    first = best_first(fuse(near(question), words), "fused")[:3]
    centres = [vectors[pid].sum(axis=0) / np.linalg.norm(vectors[pid].sum(axis=0)) for pid in first]
    mean = np.mean(centres, axis=0)
    again = 0.6 * question + 0.4 * mean / np.linalg.norm(mean)
    expected = fuse(near(again / np.linalg.norm(again)), words, arm="feedback")
    for ranked in found.papers[:10]:
        assert ranked.scores["fused"] == pytest.approx(expected[ranked.paper.paper_id]["fused"], abs=2e-3)
        assert ranked.scores.get("feedback", 0) == pytest.approx(
            expected[ranked.paper.paper_id].get("feedback", 0), abs=2e-3
        )


@pytest.mark.parametrize("query", QUERIES)
def test_the_final_score_is_made_of_the_signals_that_are_shown(engine: Paperchat, query: str) -> None:
    retriever = Retriever(engine.library, engine._use.embedder, load_reranker("linear"))
    papers = retriever.search(query, Filters(), 50).papers
    signals = np.array([[one.scores[name] for name in SIGNALS] for one in papers])
    spread = np.where(signals.std(axis=0) > 1e-6, signals.std(axis=0), 1)
    weighed = ((signals - signals.mean(axis=0)) / spread) @ weights()
    assert [one.scores["linear"] for one in papers] == pytest.approx(weighed, abs=1e-2)

    def share(values: np.ndarray) -> np.ndarray:
        return (values - values.min()) / (values.max() - values.min())

    fused = share(np.array([one.scores["fused"] for one in papers]))
    bonus = np.array([one.scores.get("named", 0) for one in papers])
    expected = RERANK_WEIGHT * share(weighed) + (1 - RERANK_WEIGHT) * fused + bonus
    assert [one.score for one in papers] == pytest.approx(expected, abs=1e-2)


def test_more_papers_asked_for_leave_the_first_ones_as_they_are(engine: Paperchat) -> None:
    retriever = Retriever(engine.library, engine._use.embedder, load_reranker("linear"))
    for query in QUERIES:
        few, many = (retriever.search(query, Filters(), limit).papers for limit in (50, 90))
        assert [one.paper.title for one in many[:50]] == [one.paper.title for one in few]
        assert all("rerank" in one.scores for one in many[:50])


def test_a_passage_that_was_deleted_meanwhile_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = open_library(tmp_path)
    fill(library, [paper("Gone", "Sparse codes of whales."), paper("There", "Sparse codes of birds.")])
    stored = Library.encoded
    monkeypatch.setattr(
        Library, "encoded", lambda self, ids: {i: v for i, v in stored(self, ids).items() if not i.startswith("gone")}
    )
    for name in ("linear", "late-interaction"):
        found = Retriever(library, HashEmbedder(), load_reranker(name)).search("sparse codes", Filters(), 5)
        assert {one.paper.title for one in found.papers} == {"Gone", "There"}
        assert "rerank" in found.papers[0].scores


def test_what_feedback_found_in_a_full_text_is_kept_and_read(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    text = " ".join(
        f"Passage {n} tells of zirconium and ovens number {n}." + " More words follow." * 60 for n in range(9)
    )
    body = Body(text, (Part(0, "Results", 1),))
    ovens = with_body(paper("Ovens", "An abstract of nothing much."), body)
    ingest_readings([SourceReading("a.pdf", "0" * 64, (Entry(ovens, 1, body),), ())], library, embedder)
    found = Retriever(library, embedder, load_reranker("linear")).search("zirconium ovens number", Filters(), 5)
    (only,) = found.papers
    assert only.scores["feedback"] > only.scores["whole"]
    assert len(only.in_body) >= 4
    assert len({p.passage_id for p in only.in_body}) == len(only.in_body)


def test_switching_parts_off_leaves_their_scores_out(engine: Paperchat) -> None:
    def shown(**off: bool) -> set[str]:
        retriever = Retriever(engine.library, engine._use.embedder, load_reranker("linear"), Switches(**off))
        return set(retriever.search(QUERIES[0], Filters(), 1).papers[0].scores)

    everything = shown()
    assert everything >= {"dense", "words", "feedback", "fused", "rerank", "whole", "sequence", "linear", "score"}
    assert everything - shown(rerank=False) >= {"rerank", "whole", "sequence", "linear"}
    assert everything - shown(linear=False) == {"whole", "sequence", "linear"}
    assert "feedback_rank" not in shown(feedback=False)
    assert "words" not in shown(words=False)
    assert "named" not in shown(named=False)


@given(st.integers(0, 1000))
def test_weights_are_learned_from_pairs_and_never_negative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(30):
        signals = rng.normal(size=(12, len(SIGNALS)))
        truth = 2 * signals[:, 1] + signals[:, 0] - signals[:, 3]  # the fourth works against itself here
        examples.append((signals.astype(np.float32), list(truth >= np.sort(truth)[-2])))
    found = learned(examples)
    assert min(found.values()) >= 0
    assert max(found.values()) == found[SIGNALS[1]] == 1
    assert found[SIGNALS[0]] > found[SIGNALS[3]]


def test_signals_that_tell_nothing_give_no_weights() -> None:
    against = np.array([[-1.0] * len(SIGNALS), [1.0] * len(SIGNALS)], np.float32)
    with pytest.raises(SourceError, match="No signal tells"):
        learned([(against, [True, False])])


def test_nothing_is_learned_from_questions_without_a_relevant_paper() -> None:
    with pytest.raises(SourceError, match="No question has a relevant paper"):
        learned([(np.zeros((3, len(SIGNALS)), np.float32), [False] * 3)])
