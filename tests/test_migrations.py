"""Libraries that earlier versions wrote: they open, are brought to the newest schema, and answer as before.

`data/catalog-<schema>.sqlite3.gz` is a small catalog as the code of that schema wrote it (`HashEmbedder`, four
papers, one of them deleted). A new schema adds the file of the one that landed before, and never changes an old one.
"""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from library_helpers import HashEmbedder, fill, open_library, paper

from rag.errors import LibraryError
from rag.library import restore
from rag.library.catalog import CATALOG, Catalog
from rag.library.migrations import MIGRATIONS
from rag.papers import Paper

DATA = Path(__file__).parent / "data"
SCHEMAS = sorted(file.name.split("-")[1].split(".")[0] for file in DATA.glob("catalog-*.gz"))  # those that landed
PAPERS = [
    paper(
        "Zirconium electrodes",
        "We use zirconium electrodes. They last long.",
        published=date(2024, 2, 29),
        n_authors=3,
        organisation="Org 1",
        comments=7,
    ),
    paper(
        "Déjà vu in speech models",
        'Speech repeats itself: "again" and again. Nobody knows why.',
        published=date(2023, 1, 5),
        year_inferred=True,
        n_authors=1,
    ),
    paper("An undated note", "Robots hold small diffusion models."),
]


def unpacked(folder: Path, schema: str) -> Path:
    """A library folder with the stored catalog of a schema."""
    folder.mkdir(exist_ok=True)
    stored = (DATA / f"catalog-{schema}.sqlite3.gz").read_bytes()
    (folder / CATALOG).write_bytes(gzip.decompress(stored))
    return folder


def columns(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Table -> its columns: name, type, NOT NULL, primary key."""
    with closing(sqlite3.connect(file)) as connection:
        tables = sorted(row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        return {
            table: [row[1:4] + row[5:] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables
        }


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_library_of_an_earlier_schema_opens_verifies_and_is_searched(tmp_path: Path, schema: str) -> None:
    library = open_library(unpacked(tmp_path / "lib", schema))
    assert sorted(library.find(), key=lambda one: one.title) == sorted(PAPERS, key=lambda one: one.title)
    vector = HashEmbedder().encode(["Zirconium electrodes\nThey last long."])[0].vector
    assert library.nearest_vectors(vector, 1)[0].paper_id == "zirconium-electrodes"
    assert library.nearest_vectors(vector, 1)[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.paper_id for hit in library.match_words("speech repeats", 5)] == [PAPERS[1].paper_id]
    assert library.sources_of("an-undated-note") == ["listing.txt"]
    assert library.body("an-undated-note") is None
    assert library.verify().ok


@pytest.mark.parametrize("schema", SCHEMAS)
def test_papers_of_an_earlier_schema_are_known_to_be_unchanged(tmp_path: Path, schema: str) -> None:
    """Hashes are compared with those stored: a new field of a paper must not change them where it is not set."""
    with closing(Catalog(unpacked(tmp_path / "lib", schema))) as catalog:
        hashes = dict(catalog.rows("SELECT paper_id, content_hash FROM papers"))
    assert hashes == {one.paper_id: one.content_hash for one in PAPERS}
    library = open_library(tmp_path / "lib")
    known = library.known_entries(["ab" * 32])
    assert known == {("ab" * 32, n * 4 + 1): (one.paper_id, one.content_hash) for n, one in enumerate(PAPERS)}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_migrated_library_can_be_written_and_equals_a_new_one(tmp_path: Path, schema: str) -> None:
    old, new = open_library(unpacked(tmp_path / "lib", schema)), open_library(tmp_path / "new")
    late = Paper("late", "Late", "Graphene comes late.", arxiv_id="2309.12345", authors=("Ann Odd",), upvotes=3)
    for library in (old, new):
        fill(library, [late])
        assert library.papers(["late"]) == {"late": late}
        assert [hit.paper_id for hit in library.match_words("graphene", 5)] == ["late"]
        assert library.verify().ok
    assert columns(old.folder / CATALOG) == columns(new.folder / CATALOG)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_backup_of_an_earlier_schema_is_restored(tmp_path: Path, schema: str) -> None:
    file = unpacked(tmp_path / "old", schema) / CATALOG
    before = file.read_bytes()
    done = restore.restore(tmp_path / "lib", file)
    assert done.counts["papers"] == len(PAPERS)
    assert open_library(tmp_path / "lib").verify().ok
    assert file.read_bytes() == before


def test_a_migration_that_fails_leaves_the_library_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(tmp_path / "lib", SCHEMAS[-1])
    broken = (*MIGRATIONS[:-1], (MIGRATIONS[-1][0], MIGRATIONS[-1][1] + ";\nCREATE TABLE papers (x)"))
    monkeypatch.setattr("rag.library.migrations.MIGRATIONS", broken)
    with pytest.raises(LibraryError):
        open_library(folder)
    monkeypatch.undo()
    library = open_library(folder)
    assert len(library.find()) == len(PAPERS)
    assert library.repair().ok


def test_a_catalog_of_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    open_library(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / CATALOG)) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES ('9999-from-the-future')")
    before = columns(tmp_path / CATALOG)
    with pytest.raises(LibraryError, match=r"newer paperchat.*9999.*Update paperchat"):
        open_library(tmp_path)
    assert columns(tmp_path / CATALOG) == before
