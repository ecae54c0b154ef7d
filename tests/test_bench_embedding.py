"""Measuring the embedding: papers find their way into a library and into a ranking, and intervals are right."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_helpers import HashEmbedder

from eval.bench_library.cold import cold_markdown
from eval.bench_library.embedding import _interval, embedding_markdown, ingested, our_ranking
from eval.formats.beir import read_collection

CORPUS = """{"_id": "a", "title": "Cats", "text": "Cats sleep for sixteen hours."}
{"_id": "b", "title": "Whales", "text": "Whales sing in the deep sea."}
{"_id": "c", "title": "Whales", "text": "Other whales are silent, and nobody knows the reason for it at all."}
"""


def test_every_document_is_ranked_by_its_best_passage(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(CORPUS)
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "Cats sleep"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    collection, embedder = read_collection(tmp_path), HashEmbedder()
    ingested(collection.documents, embedder, tmp_path / "library")
    ranking = our_ranking(collection, embedder, tmp_path / "library")["q"]
    assert set(ranking) == {"a", "b", "c"}
    assert max(ranking, key=ranking.__getitem__) == "a"


def test_the_interval_is_students_around_the_mean() -> None:
    found = _interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / 3**0.5  # a table of Student's t, 2 degrees of freedom
    assert found == {"mean": 2.0, "low": pytest.approx(2 - half), "high": pytest.approx(2 + half)}
    assert _interval([5.0]) == {"mean": 5.0, "low": 5.0, "high": 5.0}


def test_the_tables_say_every_figure() -> None:
    one = {"mean": 1.75, "low": 1.5, "high": 2.0}
    names = ("ours_papers_per_s", "starter_papers_per_s", "ratio", "ratio_of_cpu", "overhead", "overhead_of_cpu")
    found = {"papers": 9, "rounds": 3, **dict.fromkeys(names, one), "ndcg@10": {"ours": 0.65, "starter": 0.645}}
    table = embedding_markdown(found)
    assert table.count("| 1.75 | 1.5 to 2 |") == 6
    assert "0.6500, 0.6450" in table
    times = {"p50": 2.0, "min": 1.0, "max": 3.0}
    assert (
        cold_markdown({"rounds": 5, "ask_s": times, "ask_cpu_s": times, "help_s": times}).count("2.00 | 1.00 | 3.00")
        == 3
    )
