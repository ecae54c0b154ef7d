"""The map of the library: places, topics, and that it is computed once for each state of the library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import fill, open_library, paper

from rag.atlas import Atlas, Point, Topic, load, refresh, store
from rag.atlas.projection import project, sample
from rag.atlas.topics import group, telling_words
from rag.library.library import Library
from rag.papers import Paper

FIELDS = {
    "speech": "acoustic phoneme microphone loudness waveform syllable".split(),
    "protein": "folding residue enzyme peptide helix ribosome".split(),
    "robotics": "gripper torque joint manipulator obstacle locomotion".split(),
    "finance": "market portfolio dividend volatility auction ledger".split(),
}


def field_papers(per_field: int, seed: int = 0) -> list[Paper]:
    """Papers of four fields with words of their own, each drowned in what all papers say."""
    rng = np.random.default_rng(seed)
    made = []
    for field, words in FIELDS.items():
        for i in range(per_field):
            own = " ".join(str(word) for word in rng.choice(words, size=12))
            made.append(paper(f"{field} {i}", f"We propose a novel model method {field} {own} paper."))
    return made


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    library = open_library(tmp_path_factory.mktemp("fields"))
    fill(library, field_papers(20))
    yield library
    library.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Library]:
    library = open_library(tmp_path / "library")
    fill(library, field_papers(2))
    yield library
    library.close()


def unit(rows: object) -> np.ndarray:
    vectors = np.asarray(rows, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def clouds(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around four directions, and which direction each is around."""
    rng = np.random.default_rng(seed)
    which = np.arange(n) % 4
    return unit(rng.normal(size=(4, 32))[which] + 0.3 * rng.normal(size=(n, 32))), which


def purity(places: np.ndarray, which: np.ndarray, k: int = 5) -> float:
    """The share of each one's `k` nearest neighbours in the plane that are of its own kind."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((which[np.argsort(distances, axis=1)[:, :k]] == which[:, None]).mean())


# Places


def test_papers_of_one_field_stand_together_and_make_up_its_topic(fields: Library) -> None:
    atlas = refresh(fields)
    ids = sorted(atlas.points)
    field = np.array([list(FIELDS).index(i.split("-")[0]) for i in ids])
    assert len(ids) == fields.count() == 80
    assert purity(np.array([atlas.points[i][:2] for i in ids]), field) > 0.95
    by_topic = [{int(f) for f, i in zip(field, ids, strict=True) if atlas.points[i].topic == t} for t in range(4)]
    assert sorted(map(sorted, by_topic)) == [[0], [1], [2], [3]]


def test_the_same_papers_give_the_same_map(fields: Library) -> None:
    assert store.compute(fields) == store.compute(fields)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 7, 8, 9, 31])
def test_any_number_of_papers_has_places_within_the_map(n: int) -> None:
    vectors, _ = clouds(n) if n else (np.empty((0, 0), dtype=np.float32), None)
    places = project(vectors, sample([str(i) for i in range(n)]))
    assert places.shape == (n, 2)
    assert np.abs(places).max(initial=0.0) <= 1.0
    assert len({tuple(row) for row in places.tolist()}) == n


@given(rows=st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_no_set_of_vectors_breaks_the_layout(rows: list[tuple[int, ...]]) -> None:
    vectors = unit(rows)
    chosen = sample([str(i) for i in range(len(rows))])
    places, topics = project(vectors, chosen), group(vectors, chosen)
    assert np.isfinite(places).all()
    assert np.abs(places).max() <= 1.0
    sizes = np.bincount(topics)
    assert sizes.sum() == len(rows)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert sizes.min() > 0


def test_papers_beyond_the_sample_stand_among_their_like() -> None:
    vectors, which = clouds(400)
    chosen = sample([str(i) for i in range(400)], at_most=100)
    places = project(vectors, chosen)
    others = np.setdiff1d(np.arange(400), chosen)
    assert len(chosen) == 100
    assert purity(places, which) > 0.95
    assert len({tuple(row) for row in places[others].tolist()}) == len(others)


def test_a_new_paper_hardly_changes_which_papers_are_laid_out() -> None:
    ids = [f"paper-{i}" for i in range(300)]
    before = {ids[i] for i in sample(ids, 100)}
    more = sorted([*ids, "another"])
    after = {more[i] for i in sample(more, 100)}
    assert len(before - after) <= 1


# Topics


def test_topics_are_told_by_the_words_of_their_field_alone(fields: Library) -> None:
    atlas = refresh(fields)
    assert [topic.size for topic in atlas.topics] == [20, 20, 20, 20]
    for topic in atlas.topics:
        words = {word for phrase in topic.words for word in phrase.split()}
        owners = [field for field, own in FIELDS.items() if words & {field, *own}]
        assert len(owners) == 1
        assert words <= {owners[0], *FIELDS[owners[0]]}
        assert len(topic.words) >= 3


def test_words_are_written_as_the_papers_write_them() -> None:
    texts = [("RAG systems", "Mixture-of-Experts layers. Layers."), ("On RAG", "The mixture of experts; a layer!")] * 3
    texts += [("Diffusion", "Denoising of images by noise schedules."), ("Denoisers", "Noise schedules again.")] * 3
    first, second = telling_words(texts, np.array([0] * 6 + [1] * 6), 2)
    assert "RAG" in first
    assert any(word.lower().replace("-", " ") == "mixture of experts" for word in first)
    assert "noise schedules" in second
    assert not {"model", "method", "paper", "propose", "novel"} & {*first, *second}


def test_a_library_of_one_topic_is_told_by_what_most_papers_say() -> None:
    texts = [("Speech 1", "A phoneme."), ("Speech 2", "The gripper of speech."), ("3", "A phoneme again.")]
    assert telling_words(texts, np.zeros(3, dtype=np.intp), 1)[0][:2] == ("speech", "phoneme")


@given(text=st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_words_or_none(text: str) -> None:
    words = telling_words([(text, text), ("speech", text)], np.array([0, 1]), 2)
    assert len(words) == 2
    assert all(word and any(letter.isalpha() for letter in word) for found in words for word in found)


# Kept


def test_a_map_is_computed_once_for_each_state_of_the_library(small: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(small) is None
    first = refresh(small)
    assert load(small) == Atlas.from_json(first.as_json())
    with monkeypatch.context() as patch:
        patch.setattr(store, "compute", lambda library: pytest.fail("computed again"))
        assert refresh(small) == load(small)
    gone = sorted(first.points)[0]
    with small.write() as writer:
        writer.delete([gone])
    assert load(small) is None
    assert set(refresh(small).points) == set(first.points) - {gone}
    assert load(small) is not None


def test_an_empty_library_has_an_empty_map(tmp_path: Path) -> None:
    library = open_library(tmp_path / "library")
    assert refresh(library) == Atlas({}, (), 0)
    library.close()


def test_a_damaged_map_is_computed_anew(small: Library) -> None:
    whole = refresh(small)
    path = small.folder / store.ATLAS
    text = path.read_text("utf-8")
    other = json.loads(text)
    other["version"] += 1
    nowhere = json.loads(text)
    next(iter(nowhere["points"].values()))[0] = float("nan")
    damages = [text[: len(text) * part // 8].encode() for part in range(8)]
    damages += [json.dumps(other).encode(), json.dumps(nowhere).encode(), b"\xff\xfe", b"[]", b"null", b"[" * 100_000]
    for damage in damages:
        path.write_bytes(damage)
        assert load(small) is None
    assert refresh(small) == whole
    assert path.read_text("utf-8") == text


@given(
    points=st.dictionaries(st.text(max_size=9), st.tuples(*[st.floats(-1, 1)] * 2, st.integers(0, 1))),
    words=st.lists(st.text(max_size=9), max_size=3),
)
def test_a_map_survives_its_form_as_text(points: dict[str, tuple[float, float, int]], words: list[str]) -> None:
    atlas = Atlas({i: Point(*p) for i, p in points.items()}, (Topic(tuple(words), 3), Topic((), 1)), 7)
    back = Atlas.from_json(atlas.as_json())
    assert back is not None
    assert (back.topics, back.generation, set(back.points)) == (atlas.topics, 7, set(atlas.points))
    for i, point in atlas.points.items():
        assert back.points[i].topic == point.topic
        assert back.points[i][:2] == pytest.approx(point[:2], abs=1e-4)


@given(text=st.text(max_size=60) | st.recursive(st.none() | st.integers(), st.lists, max_leaves=5).map(json.dumps))
def test_no_text_breaks_the_reading_of_a_map(text: str) -> None:
    assert Atlas.from_json(text) is None


def test_a_map_that_cannot_be_stored_is_shown_all_the_same(small: Library, caplog: pytest.LogCaptureFixture) -> None:
    (small.folder / store.ATLAS).mkdir()
    assert set(refresh(small).points) == {p.paper_id for p in small.find()}
    assert "was not stored" in caplog.text


def test_two_who_open_the_map_at_once_compute_it_once(small: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    compute, both = store.compute, threading.Barrier(2, timeout=30)

    def counted(library: Library) -> Atlas:
        computed.append(1)
        return compute(library)

    def opened(_: int) -> int:
        both.wait()
        return len(refresh(small).points)

    monkeypatch.setattr(store, "compute", counted)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(opened, range(2))) == [8, 8]
    assert computed == [1]
