"""Retrieval metrics against hand-worked cases and a second implementation, at paper and passage level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.formats.trec import read_run, write_run
from eval.metrics.retrieval import (
    MEASURES,
    RETRIEVAL_METRICS,
    paper_ranks,
    passage_ranks,
    rank_values,
    run_counts,
    run_of,
    score_run,
)
from eval.questions import GoldQuestion
from eval.rows import Fault, Retrieved, Row
from rag.errors import SourceError

METRICS = {metric.name: metric for metric in RETRIEVAL_METRICS}


def row(
    retrieved: Sequence[tuple[str, str | None]],
    *,
    titles: Sequence[str] = (),
    sentences: Sequence[str] = (),
    answerable: bool = True,
    **fields: Any,
) -> Row:
    """A row that retrieved these (title, text) in this order."""
    gold = GoldQuestion("q1", "q", (), answerable, "t", tuple(titles), (), (), gold_sentences=tuple(sentences))
    found = tuple(
        Retrieved(paper_id=f"p{rank}", title=title, score=1 - rank / 100, text=text)
        for rank, (title, text) in enumerate(retrieved)
    )
    defaults = {"answer": {"answer": "", "outcome": "answered"}}
    return Row(gold=gold, retrieved=found, **(defaults | fields))


def values(of: Row, level: str) -> dict[str, float | None]:
    parts = {name: metric.part(of) for name, metric in METRICS.items() if name.startswith(level)}
    assert all(part is None or part.count == 1 for part in parts.values())
    return {name.removeprefix(f"{level}_"): part and part.total for name, part in parts.items()}


def by_definition(grades: Mapping[str, int], ranking: Sequence[str]) -> dict[str, float]:
    """The definitions, spelled out without a library."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    hits = [document in relevant for document in ranking]
    gains = [2 ** max(0, grades.get(document, 0)) - 1 for document in ranking]
    ideal = sorted((2 ** max(0, grade) - 1 for grade in grades.values()), reverse=True)
    discounted = [sum(g / math.log2(i + 2) for i, g in enumerate(list_[:10])) for list_ in (gains, ideal)]
    return {
        "hit@1": float(any(hits[:1])),
        "hit@5": float(any(hits[:5])),
        "recall@5": sum(hits[:5]) / len(relevant),
        "recall@10": sum(hits[:10]) / len(relevant),
        "mrr@10": next((1 / (i + 1) for i, hit in enumerate(hits[:10]) if hit), 0.0),
        "ndcg@10": discounted[0] / discounted[1],
    }


class TestFiles:
    def test_a_hand_worked_case(self) -> None:
        qrels = {"q": {"a": 3, "b": 2, "c": 1, "d": 1, "e": 0}}
        run = {"q": {"x": 9.0, "c": 8.0, "a": 7.0, "e": 6.0, "b": 5.0}}
        found = {name: by_query["q"] for name, by_query in score_run(qrels, run).items()}
        # gains 0 1 7 0 3 over ideal 7 3 1 1, at discounts 1, 1.58496, 2, 2.32193, 2.58496
        dcg = 1 / 1.584963 + 7 / 2 + 3 / 2.584963
        ideal = 7 + 3 / 1.584963 + 1 / 2 + 1 / 2.321928
        assert found["ndcg@10"] == pytest.approx(dcg / ideal, abs=1e-6)
        assert found["ndcg@10"] == pytest.approx(0.538658, abs=1e-6)
        assert found["mrr@10"] == 0.5
        assert (found["hit@1"], found["hit@5"]) == (0.0, 1.0)
        assert found["recall@5"] == found["recall@10"] == 0.75

    def test_the_gain_is_two_to_the_relevance_less_one(self) -> None:
        found = score_run({"q": {"a": 2, "b": 1}}, {"q": {"b": 2.0, "a": 1.0}})["ndcg@10"]["q"]
        linear = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
        assert found == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
        assert found < linear

    def test_queries_without_relevant_documents_are_left_out_and_counted_and_missing_ones_are_0(self) -> None:
        qrels = {"found": {"a": 1}, "missed": {"a": 1}, "nothing": {"a": 0}, "negative": {"a": -2}}
        run = {"found": {"a": 1.0}, "nothing": {"a": 1.0}, "unjudged": {"a": 1.0}}
        for by_query in score_run(qrels, run).values():
            assert by_query == {"found": 1.0, "missed": 0.0}
        assert run_counts(qrels, run) == {"queries": 2, "without_relevant": 2, "missing_from_run": 1, "unjudged": 1}

    def test_a_negative_judgement_is_no_gain_and_no_loss(self) -> None:
        run = {"q": {"a": 2.0, "b": 1.0}}
        assert score_run({"q": {"a": -1, "b": 1}}, run) == score_run({"q": {"b": 1}}, run)

    def test_ties_are_broken_by_descending_id_in_every_measure(self) -> None:
        run = {"q": {"a": 1.0, "b": 1.0, "c": 1.0}}
        first = {name: by_query["q"] for name, by_query in score_run({"q": {"c": 1}}, run).items()}
        assert set(first.values()) == {1.0}
        last = {name: by_query["q"] for name, by_query in score_run({"q": {"a": 1}}, run).items()}
        assert (last["hit@1"], last["mrr@10"], last["ndcg@10"]) == (0.0, pytest.approx(1 / 3), 0.5)

    def test_files_that_do_not_belong_together_are_an_error(self) -> None:
        with pytest.raises(SourceError, match="none of the judged queries"):
            score_run({"q": {"a": 1}}, {"r": {"a": 1.0}})
        with pytest.raises(SourceError, match="call no document relevant"):
            score_run({"q": {"a": 0}}, {"q": {"a": 1.0}})

    documents = st.sampled_from([f"d{i}" for i in range(14)])

    @settings(max_examples=150, deadline=None)
    @given(
        grades=st.dictionaries(documents, st.integers(-1, 4), min_size=1).filter(lambda g: max(g.values()) > 0),
        ranking=st.lists(documents, unique=True, max_size=14),
    )
    def test_every_measure_is_as_its_definition_says(self, grades: dict[str, int], ranking: list[str]) -> None:
        run = {"q": {document: -float(rank) for rank, document in enumerate(ranking)}, "other": {"d0": 1.0}}
        found = score_run({"q": grades, "other": {"d0": 1}}, run)
        expected = by_definition(grades, ranking)
        assert {name: found[name]["q"] for name in MEASURES} == {
            name: pytest.approx(value, abs=1e-9) for name, value in expected.items()
        }


class TestPapers:
    def test_titles_are_compared_without_case_and_punctuation(self) -> None:
        found = values(row([("other", None), ("The Tildev2:  paper", None)], titles=["the TILDEv2 paper"]), "paper")
        assert (found["hit@1"], found["hit@5"], found["mrr@10"], found["recall@5"]) == (0.0, 1.0, 0.5, 1.0)
        assert found["ndcg@10"] == pytest.approx(1 / math.log2(3))

    def test_all_gold_papers_must_be_among_the_first_five(self) -> None:
        ranked = [("a", None), ("x", None), ("y", None), ("z", None), ("b", None), ("c", None)]
        assert values(row(ranked, titles=["a", "b"]), "paper")["all_gold@5"] == 1.0
        part = values(row(ranked, titles=["a", "c"]), "paper")
        assert (part["all_gold@5"], part["recall@5"], part["recall@10"]) == (0.0, 0.5, 1.0)
        assert values(row(ranked, titles=list("abcxyz")), "paper")["all_gold@5"] is None

    def test_a_paper_that_comes_twice_is_found_once(self) -> None:
        found = values(row([("a", None), ("a", None), ("b", None)], titles=["a", "b"]), "paper")
        assert found["recall@5"] == 1.0
        assert found["ndcg@10"] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))

    def test_gold_titles_that_are_the_same_paper_count_once(self) -> None:
        assert set(values(row([("A", None)], titles=["a", "A!"]), "paper").values()) == {1.0}

    def test_nothing_found_is_0_and_what_does_not_apply_is_no_figure(self) -> None:
        assert set(values(row([], titles=["a"]), "paper").values()) == {0.0}
        fault = Fault(type="EndpointError", message="no answer")
        for other in (
            row([("a", None)]),
            row([("a", None)], titles=["a"], answerable=False),
            row([], titles=["a"], answer=None, fault=fault),
        ):
            assert paper_ranks(other) is None
            assert set(values(other, "paper").values()) == {None}

    def test_a_question_that_failed_after_the_search_is_still_measured(self) -> None:
        fault = Fault(type="EndpointError", message="no answer")
        assert values(row([("a", None)], titles=["a"], answer=None, fault=fault), "paper")["hit@1"] == 1.0

    @settings(max_examples=100, deadline=None)
    @given(
        ranking=st.lists(st.sampled_from("abcdefghijklmno"), unique=True, max_size=15),
        titles=st.lists(st.sampled_from("abcdefghijklmno"), unique=True, min_size=1, max_size=4),
    )
    def test_a_row_is_measured_as_a_run_file_of_it_would_be(self, ranking: list[str], titles: list[str]) -> None:
        found = values(row([(title, None) for title in ranking], titles=titles), "paper")
        expected = by_definition(dict.fromkeys(titles, 1), ranking)
        assert {name: found[name] for name in MEASURES} == {
            name: pytest.approx(value) for name, value in expected.items()
        }
        assert found["all_gold@5"] == float(set(titles) <= set(ranking[:5]))


class TestPassages:
    def test_a_passage_holds_a_sentence_whatever_the_white_space(self) -> None:
        texts = [("x", "No."), ("a", "It is\n99% smaller.  Also faster.")]
        found = values(row(texts, sentences=["It is 99%  smaller."]), "passage")
        assert (found["hit@1"], found["hit@5"], found["mrr@10"], found["recall@5"]) == (0.0, 1.0, 0.5, 1.0)
        assert set(values(row(texts, sentences=["It is 99% bigger."]), "passage").values()) == {0.0}

    def test_recall_is_the_share_of_gold_sentences_that_the_first_passages_hold(self) -> None:
        texts = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"), ("e", "One. Two."), ("f", "Three.")]
        found = values(row(texts, sentences=["One.", "Two.", "Three.", "Four."]), "passage")
        assert (found["recall@5"], found["recall@10"]) == (0.5, 0.75)  # both of the fifth passage count at 5
        assert found["mrr@10"] == pytest.approx(1 / 5)

    def test_one_passage_with_every_gold_sentence_first_is_perfect(self) -> None:
        found = values(row([("a", "One. Two."), ("b", "x")], sentences=["One.", "Two."]), "passage")
        assert set(found.values()) == {1.0}

    def test_a_sentence_is_found_once_however_often_it_is_retrieved(self) -> None:
        texts = [("a", "One."), ("b", "One."), ("c", "Two.")]
        found = values(row(texts, sentences=["One.", "Two."]), "passage")
        assert found["ndcg@10"] == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))

    def test_answers_from_records_have_no_passages_to_measure(self) -> None:
        assert passage_ranks(row([("a", None)], sentences=["One."])) is None
        assert set(values(row([("a", None)], sentences=["One."]), "passage").values()) == {None}
        assert set(values(row([("a", "One.")], titles=["a"]), "passage").values()) == {None}
        assert set(values(row([], sentences=["One."]), "passage").values()) == {0.0}

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sets(st.integers(0, 3), max_size=2), max_size=12))
    def test_figures_stay_between_0_and_1_and_never_fall_when_more_is_looked_at(self, held: list[set[int]]) -> None:
        texts = [("t", " ".join(f"S{number}." for number in sorted(items)) or "x") for items in held]
        found = values(row(texts, sentences=[f"S{number}." for number in range(4)]), "passage")
        numbers = {name: value for name, value in found.items() if value is not None}
        assert len(numbers) == len(MEASURES)
        assert all(0.0 <= value <= 1.0 for value in numbers.values())
        assert numbers["hit@1"] <= numbers["hit@5"]
        assert numbers["recall@5"] <= numbers["recall@10"]
        for depth in (5, 10):
            assert numbers[f"recall@{depth}"] == len(set().union(*held[:depth])) / 4


def test_every_metric_has_its_own_name_and_title_and_knows_whether_it_is_yes_or_no() -> None:
    assert len(METRICS) == len(RETRIEVAL_METRICS) == 2 * len(MEASURES) + 1
    assert len({metric.title for metric in RETRIEVAL_METRICS}) == len(METRICS)
    assert {name for name, metric in METRICS.items() if metric.binary} == {
        "paper_hit@1",
        "paper_hit@5",
        "paper_all_gold@5",
        "passage_hit@1",
        "passage_hit@5",
    }
    assert all(metric.higher_is_better for metric in RETRIEVAL_METRICS)


def test_measures_of_no_rank_are_0() -> None:
    assert rank_values((), 2) == dict.fromkeys(MEASURES, 0.0)


def test_a_run_of_rows_keeps_rank_order_and_the_first_of_each_paper(tmp_path: Path) -> None:
    found = (
        Retrieved(paper_id="a b", title="A", score=0.3),
        Retrieved(paper_id="c", title="C", score=0.7),
        Retrieved(paper_id="a b", title="A", score=0.1),
    )
    one = row([]).model_copy(update={"retrieved": found})
    assert run_of([one]) == {"q1": [("a b", 0.3), ("c", 0.7)]}
    write_run(tmp_path / "run", run_of([one]))
    assert score_run({"q1": {"a b": 1}}, read_run(tmp_path / "run"))["hit@1"] == {"q1": 1.0}
