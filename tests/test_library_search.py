"""Both searches against oracles: numpy for vectors, BM25 written out for words, `Filters.admits` for filters."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_helpers import DIMENSION, HashEmbedder, fill, many_papers, open_library, paper, record

from rag.library.library import Library
from rag.papers import Filters, Paper
from rag.terms import terms

MANY = many_papers(400)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """400 papers of two passages."""
    library = open_library(tmp_path_factory.mktemp("search"))
    fill(library, MANY)
    yield library
    library.close()


def _vectors(library: Library) -> tuple[list[str], np.ndarray]:
    ids = [p.passage_id for group in library.passages([p.paper_id for p in MANY]).values() for p in group]
    encoded = library.encoded(ids)
    return ids, np.stack([encoded[i].vector for i in ids])


def test_nearest_vectors_are_those_of_brute_force(library: Library) -> None:
    ids, matrix = _vectors(library)
    rng = np.random.default_rng(7)
    found = wanted = 0
    for _ in range(60):
        vector = rng.normal(size=DIMENSION).astype(np.float32)
        vector /= np.linalg.norm(vector)
        cosines = matrix @ vector
        hits = library.nearest_vectors(vector, 20)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.score == pytest.approx(float(cosines[ids.index(hit.passage_id)]), abs=1e-5)
        limit = np.sort(cosines)[-20] - 1e-6
        found += sum(hit.score >= limit for hit in hits)
        wanted += 20
    assert found == wanted  # recall 1.0


def test_recall_on_random_vectors_where_chromas_defaults_lose_some(tmp_path: Path) -> None:
    library, embedder, rng = open_library(tmp_path), HashEmbedder(), np.random.default_rng(3)
    papers = [paper(f"T{i}", f"Sentence {i}.") for i in range(2000)]
    matrix = rng.normal(size=(2000, DIMENSION)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    token = embedder.encode(["x"])[0]
    with library.write() as writer:
        records = [record(one, embedder) for one in papers]
        writer.upsert([replace(r, encoded=[replace(token, vector=matrix[i])]) for i, r in enumerate(records)])
    questions = rng.normal(size=(40, DIMENSION)).astype(np.float32)
    best = np.argsort(-(questions @ matrix.T), axis=1)[:, :20]
    hits = [library.nearest_vectors(question, 20) for question in questions]
    found = [len({h.passage_id for h in row} & {f"t{i}#0" for i in top}) for row, top in zip(hits, best, strict=True)]
    assert sum(found) / (20 * len(found)) >= 0.999


def test_a_vector_of_the_wrong_kind_is_refused(library: Library) -> None:
    from rag.errors import LibraryError

    for vector in (np.ones(DIMENSION + 1, dtype=np.float32), np.full(DIMENSION, np.nan, dtype=np.float32)):
        with pytest.raises(LibraryError, match="finite numbers"):
            library.nearest_vectors(vector, 3)


def _bm25(question: str, texts: dict[str, str]) -> dict[str, float]:
    """Robertson's BM25 (k1 1.2, b 0.75), written from the formula."""
    scores: Counter[str] = Counter()
    documents = {i: terms(text) for i, text in texts.items()}
    mean = sum(map(len, documents.values())) / len(documents)
    for term in set(terms(question)):
        n = sum(term in document for document in documents.values())
        idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
        for i, document in documents.items():
            tf = document.count(term)
            scores[i] += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
    return {i: score for i, score in scores.items() if score > 0}


def test_words_are_scored_by_bm25_over_the_whole_paper(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    papers = [
        paper("Dense retrieval", "Retrieval with dense vectors beats BM25. It needs training."),
        paper("Sparse retrieval", "Sparse vectors are inverted lists of weighted terms."),
        paper("Cooking with gas", "Dense soups need long cooking. Vectors do not help here, nor does retrieval."),
        paper("Unrelated", "The speech of whales was recorded for years."),
    ]
    fill(library, papers)
    texts = {one.paper_id: f"{one.title}\n{one.title}\n{one.abstract}" for one in papers}
    for question in ("dense retrieval vectors", "cooking", "Which sparse vectors?", "whales' speech retrieval"):
        expected = _bm25(question, texts)
        hits = library.match_words(question, 20)
        assert {hit.paper_id for hit in hits} == set(expected)
        for hit in hits:  # tantivy keeps lengths in one byte, exactly only up to 40
            assert hit.score == pytest.approx(expected[hit.paper_id], rel=1e-4)
    assert library.match_words("the of and", 5) == []
    assert library.n_documents == 4
    assert library.document_frequencies(terms("retrieval cooking absent")) == {"retriev": 3, "cook": 1, "absent": 0}


@pytest.mark.parametrize(
    "question",
    ['"', "\\", "title:speech", "speech AND (", "speech^9 ~2", "*", "a:b:c", "speech\0", "\ud800 speech", "[1 TO 2]"],
)
def test_query_syntax_is_just_text(library: Library, question: str) -> None:
    hits = library.match_words(question, 1000)
    expected = library.match_words("speech", 1000) if "speech" in question and "title" not in question else hits
    assert {hit.paper_id for hit in hits} >= {hit.paper_id for hit in expected}


DAYS = st.dates(date(2019, 12, 28), date(2020, 1, 6))
NAMES = st.sampled_from(["Kyutai", "kyutai", 'O\'Reilly "&" Sons', "", " ", "a:b", "Ünï\0", "x" * 300])
PAPERS = st.lists(
    st.builds(
        lambda n, day, org, authors: Paper(f"p{n}", f"Title {n}", "Common words here.", day, False, authors, org),
        st.integers(0, 10_000),
        st.none() | DAYS,
        st.none() | NAMES,
        st.none() | st.integers(0, 6),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda one: one.paper_id,
)
FILTERS = st.builds(
    Filters,
    st.none() | DAYS,
    st.none() | DAYS,
    st.none() | NAMES,
    st.none() | st.integers(-1, 7),
    st.none() | st.integers(-1, 7),
)
PICKS = st.none() | st.lists(st.integers(0, 30), max_size=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PAPERS, st.lists(st.tuples(FILTERS, PICKS), min_size=8, max_size=8))
def test_filters_admit_the_same_papers_in_every_store(
    papers: list[Paper], drawn: list[tuple[Filters, list[int] | None]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library, embedder = open_library(Path(folder)), HashEmbedder()
        fill(library, papers, embedder)
        vector = embedder.encode(["Common"])[0].vector
        for some, picks in drawn:
            ids = None if picks is None else tuple(papers[i].paper_id if i < len(papers) else f"no{i}" for i in picks)
            filters = replace(some, paper_ids=ids)
            admitted = sorted(one.paper_id for one in papers if filters.admits(one))
            assert sorted(one.paper_id for one in library.find(filters)) == admitted
            assert library.count(filters) == len(admitted)
            assert sorted(hit.paper_id for hit in library.match_words("common", 99, filters)) == admitted
            assert sorted(hit.paper_id for hit in library.nearest_vectors(vector, 99, filters)) == admitted
        library.close()


def test_filters_apply_before_ranking_and_leave_scores_alone(library: Library) -> None:
    """The best admitted passages come, however far down the whole list they are."""
    by_id = {one.paper_id: one for one in MANY}
    filters = Filters(organisation="Org 2", published_from=date(2018, 1, 1))
    everything = library.match_words("retrieval speech study", 10_000)
    expected = [hit for hit in everything if filters.admits(by_id[hit.paper_id])]
    found = library.match_words("retrieval speech study", 5, filters)
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected[:5]])
    assert len(found) == 5
    assert everything.index(found[-1]) > 5

    ids, matrix = _vectors(library)
    vector = HashEmbedder().encode(["retrieval with robots"])[0].vector
    admitted = [row for row, i in enumerate(ids) if filters.admits(by_id[i.split("#")[0]])]
    best = sorted((matrix[admitted] @ vector).tolist(), reverse=True)[:5]
    hits = library.nearest_vectors(vector, 5, filters)
    assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-5)


def test_a_filter_may_name_any_number_of_papers(library: Library) -> None:
    """Chroma alone fails at 32,767."""
    ids = (*(f"no{i}" for i in range(40_000)), *(one.paper_id for one in MANY[::9]))
    vector = HashEmbedder().encode(["speech"])[0].vector
    found = library.nearest_vectors(vector, 20, Filters(paper_ids=ids))
    assert found == library.nearest_vectors(vector, 20, Filters(paper_ids=ids[40_000:]))
    assert len(found) == 20
    assert len(library.match_words("study", 999, Filters(paper_ids=ids))) == len(MANY[::9])


def test_eight_threads_get_what_one_gets(library: Library) -> None:
    embedder = HashEmbedder()
    questions = [f"number{i} {topic}" for i in range(40) for topic in ("speech", "robots")]
    vectors = [embedder.encode([question])[0].vector for question in questions]

    def search(i: int) -> tuple[object, object, object]:
        days = Filters(published_from=date(2016, 1, 1) + timedelta(days=i))
        hits = library.match_words(questions[i], 10)
        found = library.papers([hit.paper_id for hit in hits])
        return hits, library.nearest_vectors(vectors[i], 10, days), found

    alone = [search(i) for i in range(len(questions))]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(search, [*range(len(questions))] * 3)) == alone * 3
