"""What keeps a large library quick: files written once, links found on the way, maps patched; and its bench."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from library_helpers import DIMENSION, HashEmbedder, fill, many_papers, open_library, paper, record

from eval.bench_library import report
from eval.bench_library.footprint import peak_bytes
from eval.bench_library.growth import growth
from eval.bench_library.recombined import Recombined, Source
from eval.bench_library.timing import interleaved, spread
from rag.atlas import Atlas, Point, Topic, refresh, store
from rag.library import vectors as vectors_module
from rag.library.library import Library
from rag.library.links import versions_of
from rag.library.vectors import VectorIndex
from rag.papers import Body, Filters, Paper, with_body

ABSTRACT = (
    "We present a method that does something new with words. It is measured on twelve tasks and beats what "
    "was there before on ten of them. The code is open, and so are the weights of all models that we train."
)


def _put(index: VectorIndex, papers: Sequence[Paper]) -> np.ndarray:
    embedder = HashEmbedder()
    records = [record(one, embedder) for one in papers]
    matrix = np.stack([encoded.vector for one in records for encoded in one.encoded])
    index.put(papers, [passage for one in records for passage in one.passages], matrix)
    return matrix


def test_files_that_were_put_off_are_written_when_the_index_settles(tmp_path: Path) -> None:
    papers = many_papers(60)
    with closing(VectorIndex(tmp_path, create=True)) as index:
        index.put_off_files(1000)
        for start in range(0, 60, 20):
            _put(index, papers[start : start + 20])
    with closing(VectorIndex(tmp_path)) as index:
        index.settle(DIMENSION)
    sizes = {file: file.stat().st_size for file in tmp_path.rglob("*.bin")}
    with closing(VectorIndex(tmp_path)) as index:  # a reader finds everything in the files, and writes none
        assert len(index.nearest(np.ones(DIMENSION, dtype=np.float32), 500, Filters())) == 120
    assert sizes == {file: file.stat().st_size for file in tmp_path.rglob("*.bin")}
    assert next(size for file, size in sizes.items() if file.name == "length.bin") == 4 * 120


def test_many_changes_are_written_in_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "MOST_UNSYNCED", 40)
    told: list[int] = []
    monkeypatch.setattr(VectorIndex, "_sync_after", lambda self, changes: told.append(changes))
    with closing(VectorIndex(tmp_path, create=True)) as index:
        for changes in (0, 1, 40, 41, 120, 121):
            index.put_off_files(changes)
    assert told == [2, 2, 40, 21, 40, 31]


def _linked(library: Library) -> dict[str, list[str]]:
    ids = [one.paper_id for one in library.find()]
    return {i: [other for other, _ in versions_of(library._catalog, i)] for i in ids}


def test_versions_of_one_paper_are_linked_both_ways_and_not_merged(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    first = paper("A method for words", ABSTRACT)
    second = replace(first, paper_id="another", abstract=ABSTRACT.replace("twelve", "fourteen"))
    other = paper("Robots that walk", "Legs are hard to control on ice. We control them with a small network.")
    empty = [paper("Only a title", ""), paper("Only a title too", "")]
    fill(library, [first, second, other, *empty])
    assert library.count() == 5
    want = {first.paper_id: [second.paper_id], second.paper_id: [first.paper_id]}
    assert {i: others for i, others in _linked(library).items() if others} == want
    library.rebuild_indexes()
    assert {i: others for i, others in _linked(library).items() if others} == want
    removed = library.remove([second.paper_id])
    assert not any(_linked(library).values())
    library.put_back(removed)
    assert {i: others for i, others in _linked(library).items() if others} == want
    fill(library, [replace(second, abstract="Something else altogether was written here since.")])
    assert not any(_linked(library).values())
    library.close()


def test_words_of_a_full_text_find_its_paper_after_those_that_have_them_in_the_abstract(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    papers = many_papers(40)
    body = Body("The zygomorphic ablation is here. Retrieval helps the most.")
    full = with_body(paper("A full text", "Nothing of it is said here."), body)
    named = paper("Zygomorphic flowers", "They are seen in the abstract.")
    with library.write() as writer:
        writer.upsert([record(one, embedder) for one in (*papers, named)])
        writer.upsert([replace(record(full, embedder), body=body)])
    assert [hit.paper_id for hit in library.match_words("zygomorphic", 5)] == [named.paper_id, full.paper_id]
    assert library.document_frequencies(["zygomorph", "ablat"]) == {"zygomorph": 2, "ablat": 1}
    library.delete([full.paper_id])
    assert [hit.paper_id for hit in library.match_words("zygomorphic ablation", 5)] == [named.paper_id]
    library.close()


def test_papers_without_full_text_rank_as_they_did_before_there_were_any(tmp_path: Path) -> None:
    papers, embedder = many_papers(120), HashEmbedder()
    questions = ["retrieval and attention", "number7 with speech", "baseline points", "is it better than memory"]
    filters = [Filters(), Filters(min_authors=3)]
    plain, with_bodies = open_library(tmp_path / "plain"), open_library(tmp_path / "bodies")
    body = Body("Words that no abstract has: pterodactyl.")
    full = with_body(papers[0], body)
    fill(plain, papers)
    with with_bodies.write() as writer:
        writer.upsert([record(one, embedder) for one in papers[1:]])
        writer.upsert([replace(record(full, embedder), body=body)])
    for question in questions:
        for chosen in filters:
            want, found = (one.match_words(question, 200, chosen) for one in (plain, with_bodies))
            assert [hit.paper_id for hit in found] == [hit.paper_id for hit in want]
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in want], rel=1e-5)
    plain.close()
    with_bodies.close()


def _drawn(library: Library) -> Atlas:
    """A map of two halves, without the seconds that a real one takes."""
    ids, vectors = store.paper_vectors(library)
    right = vectors[:, 0] > np.median(vectors[:, 0])
    points = {i: Point(float(row[0]), float(row[1]), int(r)) for i, row, r in zip(ids, vectors, right, strict=True)}
    return Atlas(points, (Topic(("left",), 100), Topic(("right",), 100)), library.generation)


def test_a_few_papers_more_are_placed_on_a_large_map_among_their_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "AT_MOST", 30)
    monkeypatch.setattr(store, "compute", _drawn)
    library, papers = open_library(tmp_path), many_papers(200)
    fill(library, papers)
    drawn = refresh(library)
    fill(library, [replace(papers[5], paper_id="a-twin")])
    library.remove([papers[9].paper_id])
    patched = refresh(library)
    assert (patched.patched, patched.generation) == (2, library.generation)
    kept = drawn.points.keys() - {papers[9].paper_id}
    assert {i: patched.points[i][:2] for i in kept} == {i: pytest.approx(drawn.points[i][:2], abs=1e-3) for i in kept}
    assert patched.points.keys() == kept | {"a-twin"}
    assert sum(topic.size for topic in patched.topics) == len(patched.points) == 200
    assert [t.size for t in patched.topics] == sorted((t.size for t in patched.topics), reverse=True)
    assert refresh(library).points.keys() == patched.points.keys()
    fill(library, many_papers(230))
    assert refresh(library).patched == 0  # so many that it is drawn anew
    library.close()


def _recombined() -> Recombined:
    sources = [
        Source(f"Study {word} of things", tuple(f"Sentence {n} of {word} says {n * 7} things." for n in range(6)))
        for word in "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
    ]
    return Recombined(sources, HashEmbedder())


def test_recombined_papers_are_all_different_and_always_the_same() -> None:
    one, other = _recombined(), _recombined()
    made = [one.paper(number) for number in range(50)]
    assert made == [other.paper(number) for number in range(50)]
    assert len({p.paper_id for p in made}) == len({p.title for p in made}) == 50
    assert len({p.abstract for p in made}) > 45


def test_recombined_embeddings_have_a_token_for_each_real_one_at_its_place() -> None:
    recombined = _recombined()
    made = recombined.paper(3)
    (encoded,) = recombined.encode([f"{made.title}\n{made.abstract}"])
    text = f"{made.title}\n{made.abstract}"
    words = [text[start:end] for start, end in encoded.spans]
    assert " ".join(words[4:]) == " ".join(made.abstract.split())
    assert np.linalg.norm(encoded.vector) == pytest.approx(1.0, abs=1e-5)
    assert encoded.tokens.shape == (len(encoded.spans), DIMENSION)
    with pytest.raises(ValueError, match="was encoded"):
        recombined.encode(["What nobody has ever written"])


def test_what_is_measured_in_turns_gives_a_time_for_every_question() -> None:
    asked: list[str] = []
    times = interleaved({"a": asked.append, "b": asked.append}, ["x", "y", "z"])
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}
    assert asked[-6:] == ["x", "x", "y", "y", "z", "z"]
    assert spread([0.001, 0.002, 0.003])["p50"] == 2.0


def test_the_growth_bench_measures_each_size_and_says_what_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": "which things?"}) + "\n")
    spreads = {f"{name}_ms": {"p50": 2.0, "p95": 3.0} for name in ("encode", "retrieve", "reranked", "answer")}
    answers = {
        "_recombined": _recombined(),
        "_encoding": {"papers": 2, "passages": 4, "seconds": 0.08, "cpu_seconds": 0.08},
        "_ask": {"start_up_s": 9.0, **spreads, "peak_bytes": 10**8},
    }

    def run(function: object, *arguments: object) -> object:
        name = function.__name__  # type: ignore[attr-defined]
        return answers[name] if name in answers else function(*arguments)  # type: ignore[operator]

    monkeypatch.setattr("eval.bench_library.growth.in_a_process", run)
    monkeypatch.setattr("eval.bench_library.growth.ADDED", 5)
    grown = growth(tmp_path / "library", tmp_path, (20, 40), lambda _: None)
    assert [(one["papers"], one["filled"]["papers"], one["added"]["papers"]) for one in grown["sizes"]] == [
        (20, 20, 5),
        (40, 20, 5),
    ]
    met = {one["what"]: one["met"] for one in report.judged(grown)}
    assert met["start-up to the first answer, largest, s"] is False
    assert met["retrieval p50, largest / smallest"] is True
    table = report.growth_markdown(grown)
    assert "| 20 papers | 40 papers |" in table
    assert "| NO |" in table


def test_the_memory_of_a_process_is_its_own_and_not_that_of_the_one_that_started_it() -> None:
    code = "from eval.bench_library.footprint import peak_bytes; print(peak_bytes())"
    large = bytearray(200 * 2**20)
    child = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert child < 100 * 2**20
    assert peak_bytes() > len(large)
