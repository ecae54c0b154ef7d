"""Browsing and tending a library: lists as a reference computes them, and papers that go and come back as they were."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, many_papers, paper, record
from listing_helpers import FIRST, HEAD, SECOND

from rag.answer.pipeline import Paperchat
from rag.errors import (
    FingerprintError,
    LibraryEmptyError,
    LibraryError,
    LibraryLockedError,
    NotFoundError,
    QuestionError,
)
from rag.library.library import Library
from rag.library.records import SourceEntry
from rag.papers import Filters, Paper, normalised_title
from rag.settings import Settings
from rag.shelf import MOST, ORDERS, Page, Shelf
from rag.terms import terms

QUERIES = "|retrieval|retrieval speech|Kyutai|zebra|baseline5|the of|zebra the|speech baseline1".split("|")
DAYS = st.none() | st.dates(date(2014, 1, 1), date(2026, 1, 1))
FAR = date(9999, 12, 31)
ODD = (
    paper("Zebra: a $x_1$ study <EOS>", "We measure stripes.", published=date(2020, 1, 1), organisation="Kyutai Labs"),
    paper("zebra crossings", "Nothing about the organisation. 2.5 and 1,000 points.", published=None),
    paper("Ärger", "Umlauts are folded.", published=date(2020, 1, 1), organisation="kyutai"),
)


def engine_at(home: Path, embedder: HashEmbedder | None = None) -> Paperchat:
    """An engine without a model."""
    return Paperchat(Settings(_env_file=None, home=home, reranker="none"), embedder=embedder or HashEmbedder())


def listed(name: str, line: int, one: Paper) -> SourceEntry:
    return SourceEntry(name, f"sha-{name}", line, one.content_hash)


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    return [*many_papers(60), *ODD]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, papers: list[Paper]) -> Iterator[Shelf]:
    """63 papers; `even.txt` lists every second, `all.txt` all. Do not write to it."""
    engine = engine_at(tmp_path_factory.mktemp("shelf"))
    library = engine.opened_library(make=True)
    assert library
    with library.write() as writer:
        for i, one in enumerate(papers):
            entries = [listed("all.txt", i, one), *([listed("even.txt", i, one)] if i % 2 == 0 else [])]
            writer.upsert([record(one, HashEmbedder(), entries)])
    yield Shelf(engine)
    engine.close()


def key(one: Paper, order: str) -> tuple[object, ...]:
    """What a list in this order is sorted by."""
    title = (normalised_title(one.title), one.paper_id)
    newest = (one.published is None, (FAR - (one.published or FAR)).days, *title)
    if order == "newest":
        return newest
    if order == "oldest":
        return (one.published is None, one.published or FAR, *title)
    if order == "title":
        return title
    return (one.organisation is None, (one.organisation or "").lower(), *newest)


class TestBrowse:
    """Lists, filters, orders, pages."""

    @pytest.mark.parametrize("order", ["newest", "oldest", "title", "organisation"])
    def test_an_order_is_that_of_the_reference(self, shelf: Shelf, papers: list[Paper], order: str) -> None:
        found = shelf.browse(order=order, limit=MOST)  # type: ignore[arg-type]
        assert list(found.papers) == sorted(papers, key=lambda one: key(one, order))
        assert found.total == len(papers)

    def test_without_query_and_order_the_newest_come_first(self, shelf: Shelf) -> None:
        assert shelf.browse() == shelf.browse(order="newest") == shelf.browse(order="relevance")
        assert shelf.browse("  ").total == shelf.count()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        query=st.sampled_from(QUERIES),
        organisation=st.sampled_from([None, "Org 0", "kyutai", "nobody", "\ud800"]),
        source=st.sampled_from([None, "even.txt", "all.txt", "none.txt"]),
        period=st.tuples(DAYS, DAYS),
        order=st.sampled_from([None, *ORDERS]),
        size=st.integers(1, 20),
    )  # fmt: skip
    def test_pages_together_are_the_whole_list_and_only_what_passes(
        self, shelf: Shelf, papers: list[Paper], query: str, organisation: str | None, source: str | None,
        period: tuple[date | None, date | None], order: str | None, size: int,
    ) -> None:  # fmt: skip
        chosen = {"organisation": organisation, "source": source, "order": order}
        chosen |= {"published_from": period[0], "published_to": period[1]}
        whole = shelf.browse(query, **chosen, limit=MOST)  # type: ignore[arg-type]
        pages = [shelf.browse(query, **chosen, offset=at, limit=size) for at in range(0, whole.total + size, size)]  # type: ignore[arg-type]
        assert tuple(one for page in pages for one in page.papers) == whole.papers
        assert {page.total for page in pages} == {len(whole.papers)}
        admitted = Filters(*period, organisation)
        names = {one.paper_id for i, one in enumerate(papers) if i % 2 == 0 or source != "even.txt"}
        expected = {one.paper_id for one in papers if admitted.admits(one) and one.paper_id in names}
        expected = set() if source == "none.txt" else expected
        if query:
            expected &= {one.paper_id for one in papers if has_words(one, query)}
        assert {one.paper_id for one in whole.papers} == expected

    def test_every_word_of_a_query_must_be_there_and_the_last_may_be_unfinished(self, shelf: Shelf) -> None:
        assert {one.title for one in shelf.browse("zebra").papers} == {ODD[0].title, ODD[1].title}
        assert [one.title for one in shelf.browse("zebra strip").papers] == [ODD[0].title]
        assert shelf.browse("zebra nonsense").total == 0
        assert shelf.browse("stripes zebra").total == 1
        assert shelf.browse("zebra the").total == 2  # a word that is never searched for asks for nothing
        assert shelf.browse("zebr stripes").total == 0  # only the last word may be
        assert [one.title for one in shelf.browse("2.5").papers] == [ODD[1].title]

    def test_an_organisation_is_found_by_its_name(self, shelf: Shelf) -> None:
        assert {one.title for one in shelf.browse("kyutai").papers} == {ODD[0].title, ODD[2].title}
        assert [one.title for one in shelf.browse("kyutai stripes").papers] == [ODD[0].title]

    @pytest.mark.parametrize(
        "query", ["the", "***", "\ud800", "“”", "$", ".*", "a" * 100_000, "(" * 600, "é\0", "\u0301"]
    )
    def test_odd_queries_find_nothing_and_break_nothing(self, shelf: Shelf, query: str) -> None:
        assert shelf.browse(query) == Page((), 0)

    def test_a_whole_word_ranks_above_a_beginning(self, tmp_path: Path) -> None:
        engine = engine_at(tmp_path)
        library = engine.opened_library(make=True)
        assert library
        fill(library, [paper("Ragged edges", "Ragged."), paper("RAG", "On RAG.")])
        found = Shelf(engine).browse("rag").papers
        assert [one.title for one in found] == ["RAG", "Ragged edges"]
        engine.close()

    def test_bounds_are_kept(self, shelf: Shelf) -> None:
        assert len(shelf.browse(limit=0).papers) == 1
        assert len(shelf.browse(offset=-5, limit=10**30).papers) == shelf.count()
        assert shelf.browse(offset=10**30) == Page((), shelf.count())
        with pytest.raises(QuestionError, match="no order 'best'"):
            shelf.browse(order="best")  # type: ignore[arg-type]

    def test_counts_agree_with_the_papers(self, shelf: Shelf, papers: list[Paper]) -> None:
        names = {one.organisation for one in papers} - {None}
        assert [name for name, _ in shelf.organisations()] == sorted(names, key=lambda name: (str(name).lower(), name))
        assert dict(shelf.organisations())["Org 0"] == sum(one.organisation == "Org 0" for one in papers)
        assert shelf.sources() == [("all.txt", 63), ("even.txt", 32)]
        years = [one.published.year for one in papers if one.published]
        assert shelf.years() == [(year, years.count(year)) for year in sorted(set(years))]
        dated = [one.published for one in papers if one.published]
        assert shelf.span() == (min(dated), max(dated))
        assert shelf.count() == 63

    def test_one_paper_and_where_it_is_listed(self, shelf: Shelf, papers: list[Paper]) -> None:
        assert shelf.paper(papers[4].paper_id) == papers[4]
        assert shelf.sources_of(papers[4].paper_id) == ["all.txt", "even.txt"]
        assert shelf.papers([papers[4].paper_id, "none"]) == {papers[4].paper_id: papers[4]}
        assert shelf.sources_of("\ud800") == []
        with pytest.raises(NotFoundError, match="no paper “none”"):
            shelf.paper("none")
        with pytest.raises(NotFoundError) as caught:
            shelf.paper("x" * 10_000)
        assert len(str(caught.value)) < 300


def has_words(one: Paper, query: str) -> bool:
    """The oracle of a query: every term in the text or in the organisation's name, the last as a beginning."""
    text, last = f"{one.title} {one.abstract}", query.lower().split()[-1]
    own = {*terms(text), *terms(one.organisation or "")}
    begun = any(word.startswith(last) for word in text.lower().split())
    return bool(terms(query)) and all(term in own or (term in terms(last) and begun) for term in terms(query))


def stored(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything the catalog holds, without what counts writes."""
    with closing(sqlite3.connect(home / "library" / "catalog.sqlite3")) as catalog:
        columns = "paper_id, title_key, published, year_inferred, n_authors, organisation, comments, content_hash"
        tables = dict.fromkeys(("passages", "embeddings", "sources", "entries"), "*") | {"papers": columns}
        return {name: sorted(catalog.execute(f"SELECT {what} FROM {name}")) for name, what in tables.items()}


@pytest.fixture
def tended(home: Path) -> Iterator[tuple[Shelf, Paperchat, HashEmbedder]]:
    """A shelf of 30 papers to write to."""
    embedder = HashEmbedder()
    engine = engine_at(home, embedder)
    library = engine.opened_library(make=True)
    assert library
    with library.write() as writer:
        for i, one in enumerate(many_papers(30)):
            writer.upsert([record(one, embedder, [listed("page.txt", i, one)])])
    yield Shelf(engine), engine, embedder
    engine.close()


def found_by(engine: Paperchat, one: Paper) -> bool:
    """Whether both searches find the paper by its own text."""
    library = engine.library
    vector = engine.embedder.encode([f"{one.title}\n{one.abstract}"])[0].vector
    near = {hit.paper_id for hit in library.nearest_vectors(vector, 5)}
    return one.paper_id in near and one.paper_id in {hit.paper_id for hit in library.match_words(one.title, 5)}


class TestRemoveAndUndo:
    """Out, and back exactly as it was."""

    def test_undo_restores_every_stored_byte_and_embeds_nothing(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder], home: Path
    ) -> None:
        shelf, engine, embedder = tended
        gone = many_papers(30)[3:8]
        before, encoded = stored(home), embedder.encoded_texts
        removed = shelf.remove([one.paper_id for one in gone] + ["unknown"])
        assert {one.paper_id for one in removed.papers} == {one.paper_id for one in gone}
        assert shelf.count() == 25
        assert embedder.encoded_texts == encoded
        assert not any(found_by(engine, one) for one in gone)
        embedder.encoded_texts = 0
        assert shelf.undo(removed) == 5
        assert embedder.encoded_texts == 0
        assert stored(home) == before
        assert all(found_by(engine, one) for one in gone)
        assert engine.library.verify().ok
        assert shelf.undo(removed) == 0

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(first=st.sets(st.integers(0, 29), max_size=30), second=st.sets(st.integers(0, 29), max_size=8))
    def test_two_removals_are_undone_in_either_order(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder], home: Path, first: set[int], second: set[int]
    ) -> None:
        shelf, ids = tended[0], [one.paper_id for one in many_papers(30)]
        before = stored(home)
        one, two = shelf.remove([ids[i] for i in first]), shelf.remove([ids[i] for i in second])
        assert shelf.count() == 30 - len(first | second)
        assert shelf.undo(one) + shelf.undo(two) == len(first | second)
        assert stored(home) == before

    def test_the_library_can_be_emptied_and_questions_say_so_until_undo(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder]
    ) -> None:
        shelf, engine, _ = tended
        removed = shelf.remove([one.paper_id for one in shelf.browse(limit=MOST).papers])
        assert (shelf.count(), shelf.sources(), shelf.span(), shelf.browse("study")) == (0, [], None, Page((), 0))
        with pytest.raises(LibraryEmptyError):
            engine.retrieve("retrieval")
        assert shelf.undo(removed) == 30
        assert engine.retrieve("retrieval").papers

    def test_what_came_back_in_another_way_stays_as_it_is_now(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder]
    ) -> None:
        shelf, engine, embedder = tended
        old, other = many_papers(30)[:2]
        removed = shelf.remove([old.paper_id, other.paper_id])
        newer = replace(old, abstract="We say something else now. It is newer.")
        with engine.opened_library(make=True).write() as writer:  # type: ignore[union-attr]
            writer.upsert([record(newer, embedder, [SourceEntry("page.txt", "sha-newer", 7, newer.content_hash)])])
        assert shelf.undo(removed) == 1
        assert shelf.paper(old.paper_id) == newer
        assert shelf.sources_of(old.paper_id) == ["page.txt"]
        assert shelf.sources_of(other.paper_id) == []  # the page was replaced by one that does not list it
        assert engine.library.verify().ok

    def test_a_rebuilt_library_refuses_the_old_embeddings(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder], home: Path
    ) -> None:
        shelf, engine, _ = tended
        removed = shelf.remove([many_papers(30)[0].paper_id])
        engine.close()
        other = engine_at(home, HashEmbedder("hash-2"))
        with closing(Library.open(home / "library")) as library, library.write() as writer:
            writer.replace_all([[record(one, HashEmbedder("hash-2")) for one in library.find()]], "hash-2+chunker-1")
        with pytest.raises(LibraryError, match=r"built|rebuilt"):
            Shelf(other).undo(removed)
        other.close()

    def test_another_writer_is_named_and_nothing_is_lost(
        self, tended: tuple[Shelf, Paperchat, HashEmbedder], home: Path
    ) -> None:
        shelf, engine, _ = tended
        before = stored(home)
        with engine.library.write(), pytest.raises(LibraryLockedError, match="being written by process"):
            shelf.remove([many_papers(30)[0].paper_id])
        assert stored(home) == before

    def test_readers_in_other_threads_never_fail_meanwhile(self, tended: tuple[Shelf, Paperchat, HashEmbedder]) -> None:
        shelf, engine, _ = tended
        ids, problems, ended = [one.paper_id for one in many_papers(30)[:10]], [], threading.Event()

        def read() -> None:
            while not ended.is_set():
                try:
                    assert shelf.browse("study").total in (20, 30)
                    assert len(engine.retrieve("retrieval and speech").papers) <= 30
                except (LibraryError, AssertionError) as error:
                    problems.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            shelf.undo(shelf.remove(ids))
        ended.set()
        for thread in threads:
            thread.join(30)
        assert problems == []


class TestAdd:
    """Files into the library, while the engine runs."""

    def test_into_a_missing_library_with_progress_and_a_row_for_everything(self, home: Path, tmp_path: Path) -> None:
        engine, told = engine_at(home), []
        shelf = Shelf(engine)
        assert (shelf.count(), shelf.generation, shelf.browse(), shelf.years()) == (0, 0, Page((), 0), [])
        assert not home.exists()  # looking makes nothing
        page, bad = tmp_path / "page.txt", tmp_path / "bad.txt"
        page.write_text(HEAD + FIRST + SECOND)
        bad.write_text("no listing")
        report = shelf.add([bad, page], lambda done, of: told.append((done, of)))
        assert [(row.outcome, row.source) for row in report.rows] == [
            ("failed", "bad.txt"),
            *[("added", "page.txt")] * 2,
        ]
        assert told[0] == (0, 2)
        assert told[-1] == (2, 2)
        assert shelf.browse("benchmark").total == 2
        assert engine.retrieve("first benchmark").papers[0].paper.title == "First Good Paper"
        assert shelf.generation > 0
        again = shelf.add([page])
        assert {row.outcome for row in again.rows} == {"unchanged"}
        engine.close()

    def test_a_removed_paper_comes_back_with_its_file(self, home: Path, tmp_path: Path) -> None:
        engine = engine_at(home)
        shelf, page = Shelf(engine), tmp_path / "page.txt"
        page.write_text(HEAD + FIRST + SECOND)
        shelf.add([page])
        removed = shelf.remove([shelf.browse("second").papers[0].paper_id])
        assert [row.outcome for row in shelf.add([page]).rows] == ["unchanged", "added"]
        before = stored(home)
        assert shelf.undo(removed) == 0
        assert stored(home) == before
        engine.close()

    def test_the_map_is_drawn_for_what_was_added(self, home: Path, tmp_path: Path) -> None:
        from rag.atlas import load

        engine = engine_at(home)
        page = tmp_path / "page.txt"
        page.write_text(HEAD + FIRST + SECOND)
        Shelf(engine).add([page])
        atlas = load(engine.library)
        assert atlas is not None
        assert len(atlas.points) == 2
        engine.close()

    def test_another_embedders_library_is_refused(self, home: Path) -> None:
        first = engine_at(home)
        fill(first.opened_library(make=True), many_papers(3))  # type: ignore[arg-type]
        first.close()
        other = engine_at(home, HashEmbedder("hash-2"))
        with pytest.raises(FingerprintError, match="rebuild"):
            Shelf(other).add([])
        other.close()


def test_the_seed_library_is_browsed_as_people_do(engine: Paperchat) -> None:
    shelf = Shelf(engine)
    found = shelf.browse("quantization", limit=10)
    assert found.total >= 5
    assert all("quanti" in f"{one.title} {one.abstract}".lower() for one in found.papers)
    assert shelf.browse().total == shelf.count() == 237
    assert sum(count for _, count in shelf.years()) <= 237
