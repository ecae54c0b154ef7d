"""The catalog behind the library: what is stored comes back, changes replace, and nothing is counted twice."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from library_helpers import DIMENSION, HashEmbedder, fill, many_papers, open_library, paper, record

from rag.errors import FingerprintError, LibraryError
from rag.library.codec import text_key
from rag.library.records import SourceEntry
from rag.papers import Filters

ONE = paper(
    "On Storing <EOS>", "Nothing is lost: not $x_1$, not \0, not é. Nor a second sentence.", published=date(2024, 2, 29)
)


def test_what_is_stored_comes_back_exactly(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    kept = record(ONE, embedder)
    library = open_library(tmp_path)
    with library.write() as writer:
        writer.upsert([kept])
    library.close()

    again = open_library(tmp_path)
    assert again.papers([ONE.paper_id, "unknown"]) == {ONE.paper_id: ONE}
    assert again.passages([ONE.paper_id]) == {ONE.paper_id: list(kept.passages)}
    for passage, encoded in zip(kept.passages, kept.encoded, strict=True):
        back = again.encoded([passage.passage_id])[passage.passage_id]
        assert np.array_equal(back.vector, encoded.vector)
        assert np.array_equal(back.spans, encoded.spans)
        assert back.tokens.dtype == np.float32
        assert np.allclose((back.tokens * encoded.tokens).sum(axis=1), 1, atol=0.002)  # by their signs only
        (known,) = again.encoded_by_text([text_key(ONE.title, passage.text), "unknown"]).values()
        assert np.array_equal(known.vector, back.vector)
    assert again.stats().papers == 1
    assert again.stats().passages == 2
    assert again.verify().ok


def test_a_write_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    good, bad = record(ONE, embedder), record(paper("Bad", "One sentence."), embedder)
    broken = replace(bad, encoded=[replace(bad.encoded[0], vector=np.full(DIMENSION, np.nan, dtype=np.float32))])
    with library.write() as writer, pytest.raises(LibraryError, match="finite"):
        writer.upsert([good, broken])
    assert library.stats().papers == 0
    assert library.match_words("Nothing is lost", 5) == []
    moved = replace(good, passages=[replace(p, start=p.start + 1, end=p.end + 1) for p in good.passages])
    with library.write() as writer, pytest.raises(LibraryError, match="not slices"):
        writer.upsert([moved])
    assert library.generation == 0


def test_a_corrected_abstract_replaces_the_old_one_everywhere(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    old = paper("Methods", "We use zirconium electrodes. They last long. They are cheap.")
    new = replace(old, abstract="We use graphene electrodes.")
    fill(library, [*many_papers(30), old], embedder)
    assert [hit.paper_id for hit in library.match_words("zirconium", 5)] == [old.paper_id]
    fill(library, [new], embedder)

    assert library.match_words("zirconium cheap", 5) == []
    assert [hit.paper_id for hit in library.match_words("graphene", 5)] == [old.paper_id]
    assert [p.text for p in library.passages([old.paper_id])[old.paper_id]] == [new.abstract]
    gone = embedder.encode([f"Methods\n{'They last long. '}"])[0].vector
    ids = {hit.passage_id for hit in library.nearest_vectors(gone, 1000)}
    assert len(ids) == library.stats().passages  # every passage and no other
    assert f"{old.paper_id}#1" not in ids
    assert library.verify().ok


def test_changed_metadata_is_what_filters_see(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    fill(library, [ONE])
    fill(library, [replace(ONE, published=date(2020, 1, 1), organisation="Kyutai")])
    vector = HashEmbedder().encode(["lost"])[0].vector
    for filters, n in ((Filters(published_from=date(2024, 1, 1)), 0), (Filters(organisation="Kyutai"), 1)):
        assert len(library.match_words("lost sentence", 9, filters)) == n
        assert len({hit.paper_id for hit in library.nearest_vectors(vector, 9, filters)}) == n


def test_a_deleted_paper_is_gone_everywhere_and_may_come_back(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    papers = many_papers(20)
    fill(library, papers)
    with library.write() as writer:
        writer.delete([papers[3].paper_id, "unknown"])
    assert library.stats().papers == 19
    assert library.match_words("number3", 5) == []
    assert library.verify().ok
    fill(library, [papers[3]])
    assert [hit.paper_id for hit in library.match_words("number3", 1)] == [papers[3].paper_id]
    assert library.verify().ok


def test_entries_count_listings_and_a_changed_file_replaces_its_own(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    a, b = many_papers(2)

    def entry(source: str, sha: str, line: int) -> SourceEntry:
        return SourceEntry(source, sha, line, "hash")

    with library.write() as writer:
        writer.upsert([record(a, embedder, [entry("one.txt", "s1", 1), entry("two.txt", "s2", 7)])])
        writer.upsert([record(b, embedder, [entry("one.txt", "s1", 9)])])
    assert (library.stats().entries, library.stats().duplicates, library.stats().sources) == (3, 1, 2)
    assert library.sources_of(a.paper_id) == ["one.txt", "two.txt"]

    with library.write() as writer:  # the same content under another name
        writer.add_entries([(a.paper_id, entry("copy.txt", "s1", 1)), (b.paper_id, entry("copy.txt", "s1", 9))])
    assert (library.stats().entries, library.stats().duplicates, library.stats().sources) == (3, 1, 2)

    with library.write() as writer:  # other content under the same name, which lists b no more
        writer.add_entries([(a.paper_id, entry("one.txt", "s3", 2))])
    assert (library.stats().entries, library.stats().duplicates, library.stats().sources) == (2, 1, 2)
    assert library.stats().papers == 2
    assert library.sources_of(b.paper_id) == []


def test_find_sorts_by_date_with_undated_papers_last(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    papers = many_papers(40)
    fill(library, papers)
    found = library.find()
    dates = [one.published for one in found]
    dated = [day for day in dates if day]
    assert dated == sorted(dated, reverse=True)
    assert dates[len(dated) :] == [None] * 6
    assert library.find(newest_first=False)[0].published == min(dated)
    assert library.find(limit=3) == found[:3]
    filters = Filters(published_from=date(2020, 1, 1), min_authors=3)
    assert {one.paper_id for one in library.find(filters)} == {p.paper_id for p in papers if filters.admits(p)}
    assert library.count(filters) == len(library.find(filters))
    assert library.organisations() == sorted({p.organisation for p in papers if p.organisation})


def test_an_empty_library_finds_nothing_and_says_so_without_error(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    assert library.match_words("anything", 5) == []
    assert library.nearest_vectors(np.ones(DIMENSION, dtype=np.float32), 5) == []
    assert library.document_frequencies(["anything"]) == {"anything": 0}
    assert library.n_documents == 0
    assert library.find() == []
    assert library.verify().ok
    json.dumps(library.verify().as_dict())


def test_another_embedder_is_refused_with_the_command_that_rebuilds(tmp_path: Path) -> None:
    open_library(tmp_path, "first").close()
    library = open_library(tmp_path, "second")  # still empty: takes it on
    fill(library, [ONE], HashEmbedder("second"))
    with pytest.raises(FingerprintError, match="paperchat library rebuild") as caught:
        open_library(tmp_path, "third")
    assert "second" in str(caught.value)
    assert "third" in str(caught.value)
    assert "A newer paperchat may embed otherwise" in caught.value.remedy
    assert open_library(tmp_path, "second").stats().papers == 1


def test_opening_without_fingerprint_takes_the_library_as_built_but_makes_none(tmp_path: Path) -> None:
    from rag.library.library import Library

    with pytest.raises(LibraryError, match="no library"):
        Library.open(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    fill(open_library(tmp_path), [ONE])
    assert Library.open(tmp_path).match_words("lost", 1)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    open_library(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES ('9999-from-the-future')")
    with pytest.raises(LibraryError, match="newer paperchat"):
        open_library(tmp_path)


@pytest.mark.parametrize("size", [1, 4096, 100_000])
def test_a_catalog_that_is_no_sqlite_file_is_named_with_a_remedy(tmp_path: Path, size: int) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(b"\xfe" * size)
    with pytest.raises(LibraryError, match=r"catalog\.sqlite3.*(?:backup|ingest again)"):
        open_library(tmp_path)
    assert (tmp_path / "catalog.sqlite3").read_bytes() == b"\xfe" * size


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(LibraryError, match="another program"):
        open_library(tmp_path)


def test_damaged_pages_are_reported_not_answered_from(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(60))
    library.close()
    path = tmp_path / "catalog.sqlite3"
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 4096] = b"\xaa" * (len(data) - 12288)
    path.write_bytes(data)
    with pytest.raises(LibraryError, match="damaged") as caught:
        open_library(tmp_path).find()
    assert "ingest again" in caught.value.remedy
