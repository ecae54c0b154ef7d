"""A library exported and taken in elsewhere, and what can be saved of a damaged one."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, many_papers, open_library, paper, record
from test_upkeep import BODY, ODD, found, record_with_body, run, stocked

from rag.embedding import records
from rag.errors import LibraryError
from rag.ingest import ingest, library_fingerprint, rebuild
from rag.library.backup import backup
from rag.library.catalog import Catalog
from rag.library.importing import Imported, import_into
from rag.library.library import Library
from rag.library.portable import item_of, record_line
from rag.library.records import Record, SourceEntry
from rag.library.salvage import salvage_if_damaged
from rag.library.transfer import export
from rag.library.writer import Writer
from rag.papers import Body, Paper, Part, with_body

PAGE = 4096
TABLE_LEAF = 13  # first byte of a page that holds rows


def never(papers: Sequence[Paper], _: Mapping[str, Body]) -> list[Record]:
    """Embeds nothing: for files whose vectors are to be taken."""
    raise AssertionError(f"{len(papers)} papers were embedded")


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines()


def with_lines(file: Path, lines: Sequence[str]) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_an_exported_library_is_the_same_elsewhere_without_embedding(tmp_path: Path, name: str) -> None:
    library = stocked(tmp_path / "lib")
    library.block("arXiv:2301.00001", "withdrawn")
    assert export(library, tmp_path / name) == 31
    with closing(open_library(tmp_path / "new")) as new:
        done = import_into(new, tmp_path / name, never)
        assert done == Imported({"added": 31})  # type: ignore[arg-type]
        ids = [one.paper_id for one in library.find()]
        assert new.papers(ids) == library.papers(ids)
        assert new.passages(ids) == library.passages(ids)
        assert new.body(ODD.paper_id) == BODY
        assert new.blocks == library.blocks
        assert new.sources_of(ODD.paper_id) == ["list.txt", "odd.pdf"]
        assert new.known_entries(["aa" * 32]) == library.known_entries(["aa" * 32])
        assert found(new, ODD.abstract) == found(library, ODD.abstract)
        assert new.verify().ok
        export(new, tmp_path / "again.jsonl")
        assert import_into(new, tmp_path / name, never).counts == {"unchanged": 31}
    export(library, tmp_path / "all.jsonl", force=True)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()  # vectors to the bit


def test_vectors_of_another_embedder_are_not_taken(tmp_path: Path) -> None:
    export(stocked(tmp_path / "lib"), tmp_path / "all.jsonl")
    other, asked = HashEmbedder("hash-2"), list[str]()

    def embed(papers: Sequence[Paper], bodies: Mapping[str, Body]) -> list[Record]:
        asked.extend(one.paper_id for one in papers)
        return [
            record_with_body(other) if one.paper_id == ODD.paper_id else record(one, other)
            for one in papers
            if bodies.get(one.paper_id) == (BODY if one.paper_id == ODD.paper_id else None)
        ]

    new = open_library(tmp_path / "new", "hash-2")
    done = import_into(new, tmp_path / "all.jsonl", embed)
    assert (done.embedded, done.counts, len(asked)) == (True, {"added": 31}, 31)
    assert new.body(ODD.paper_id) == BODY
    assert new.sources_of(ODD.paper_id) == ["list.txt", "odd.pdf"]
    assert new.verify().ok


def test_what_the_library_knows_better_stays_and_what_the_file_knows_better_replaces_it(tmp_path: Path) -> None:
    embedder, old = HashEmbedder(), many_papers(3)
    source = stocked(tmp_path / "lib", 3)
    fill(source, [replace(old[0], upvotes=7), replace(old[1], organisation="Kyutai")])
    export(source, tmp_path / "all.jsonl")

    new = open_library(tmp_path / "new")
    renamed = paper("Another name of it", "It is known under another title here.", arxiv_id=ODD.arxiv_id)
    having = record(with_body(old[1], BODY), embedder)
    with new.write() as writer:
        writer.upsert([record(old[0], embedder), replace(having, body=BODY), record(renamed, embedder)])
    done = import_into(new, tmp_path / "all.jsonl", reembedded)
    assert done.counts == {"updated": 2, "kept": 1, "added": 1}
    assert new.papers([old[0].paper_id])[old[0].paper_id].upvotes == 7
    assert new.papers([old[1].paper_id])[old[1].paper_id].organisation == "Kyutai"
    assert new.body(old[1].paper_id) == BODY  # never lost to a file without it
    assert new.sources_of(renamed.paper_id) == ["list.txt", "odd.pdf"]
    assert new.stats().papers == 4
    assert new.verify().ok


def test_two_works_of_one_title_stay_two_and_blocked_ones_stay_out(tmp_path: Path) -> None:
    one = paper("Attention", "We study how pigeons find their way home over the sea.", arxiv_id="2301.00001")
    other = paper("Attention", "A transformer is trained on proteins; folding improves.", arxiv_id="2302.00002")
    source, new = open_library(tmp_path / "lib"), open_library(tmp_path / "new")
    fill(source, [one, ODD])
    fill(new, [other])
    new.block("doi:10.1000/odd")
    export(source, tmp_path / "all.jsonl")
    for outcome in ("added", "kept"):
        assert import_into(new, tmp_path / "all.jsonl", never).counts == {outcome: 1, "blocked": 1}
    assert {known.arxiv_id for known in new.find()} == {"2301.00001", "2302.00002"}
    assert new.verify().ok


def test_a_line_that_cannot_be_read_is_named_and_the_others_are_taken_in(tmp_path: Path) -> None:
    export(stocked(tmp_path / "lib", 5), tmp_path / "all.jsonl")
    lines = lines_of(tmp_path / "all.jsonl")
    moved, short, undated = (json.loads(lines[n]) for n in (1, 2, 3))
    moved["passages"][0]["end"] += 999_999
    moved["passages"][0]["start"] += 999_998
    short["passages"][0]["vector"] = short["passages"][0]["vector"][:8]
    undated["paper"]["published"] = "yesterday"
    lines[1:4] = [json.dumps(moved), json.dumps(short), json.dumps(undated)]
    lines[4] = '{"paper": {"title": "unfinished"'
    new = open_library(tmp_path / "new")
    done = import_into(new, with_lines(tmp_path / "bad.jsonl", lines), never)
    assert [failure.line for failure in done.failures] == [2, 3, 4, 5]
    assert all(failure.reason for failure in done.failures)
    assert done.counts == {"added": 2, "failed": 4}
    assert new.verify().ok


def reembedded(papers: Sequence[Paper], bodies: Mapping[str, Body]) -> list[Record]:
    """Cut and embedded as an ingestion does it."""
    return records(papers, HashEmbedder("hash-1"), bodies, None)


def test_an_older_export_wipes_nothing_that_is_known_since(tmp_path: Path) -> None:
    old = paper("A long and telling title of a paper", "We shwo that cats sleep. They do.")
    fill(source := open_library(tmp_path / "lib"), [replace(old, upvotes=7)])
    export(source, tmp_path / "all.jsonl")
    better = replace(old, abstract="We show that cats sleep. They do.", arxiv_id="2301.00001", doi="10.1000/cats")
    better = replace(better, authors=("Ann Odd",), organisation="Kyutai")
    fill(new := open_library(tmp_path / "new"), [better])
    done = import_into(new, tmp_path / "all.jsonl", reembedded)
    assert done.counts == {"updated": 1}
    assert new.papers([old.paper_id]) == {old.paper_id: replace(better, upvotes=7)}
    assert found(new, "show cats")[0] == {old.paper_id}
    assert new.verify().ok
    assert import_into(new, tmp_path / "all.jsonl", never).counts == {"kept": 1}


def test_a_full_text_of_the_file_comes_to_a_paper_that_is_known_better(tmp_path: Path) -> None:
    export(stocked(tmp_path / "lib", 0), tmp_path / "all.jsonl")
    better = replace(ODD, abstract="Quixotabstract electrodes last very long. And cheaply.", organisation="Kyutai")
    fill(new := open_library(tmp_path / "new"), [better])
    assert import_into(new, tmp_path / "all.jsonl", reembedded).counts == {"updated": 1}
    assert new.papers([ODD.paper_id]) == {ODD.paper_id: with_body(better, BODY)}
    assert new.body(ODD.paper_id) == BODY
    assert ODD.paper_id in found(new, "quixobody")[0]
    assert new.verify().ok


def test_a_repeated_line_is_named_and_the_others_are_taken_in(tmp_path: Path) -> None:
    export(stocked(tmp_path / "lib", 40), tmp_path / "all.jsonl")
    lines = lines_of(tmp_path / "all.jsonl")
    renamed = json.loads(lines[2])
    renamed["passages"][0]["passage_id"] = renamed["passages"][1]["passage_id"]  # nobody needs the file's
    lines = [*lines[:2], lines[1], json.dumps(renamed), *lines[3:-1], lines[1], lines[-1]]
    new = open_library(tmp_path / "new")
    done = import_into(new, with_lines(tmp_path / "twice.jsonl", lines), never)
    assert [failure.line for failure in done.failures if "line 2 lists this paper" in failure.reason] == [3, 44]
    assert done.counts["added"] == 41
    assert new.verify().ok


def test_a_batch_that_cannot_be_stored_is_not_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(stocked(tmp_path / "lib", 40), tmp_path / "all.jsonl")
    tried = []

    def full(_: Writer, made: Sequence[Record]) -> None:
        tried.append(len(made))
        raise LibraryError("the disk is full")

    monkeypatch.setattr(Writer, "upsert", full)
    with pytest.raises(LibraryError, match="full"):
        import_into(open_library(tmp_path / "new"), tmp_path / "all.jsonl", never)
    assert tried == [32]


def test_what_the_catalog_refuses_is_no_damage(tmp_path: Path) -> None:
    with closing(stocked(tmp_path, 1)), closing(Catalog(tmp_path)) as catalog:
        ((row,),) = [catalog.rows("SELECT paper_id FROM bodies")]
        with pytest.raises(LibraryError, match=r"refuses what was to be written: UNIQUE") as caught:
            catalog.write("INSERT INTO bodies VALUES (?, '', '[]')", [row])
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("cut", [0.4, 0.97])
@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_of_a_file_that_is_cut_off_the_whole_papers_are_stored(tmp_path: Path, name: str, cut: float) -> None:
    export(stocked(tmp_path / "lib", 80), tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"cut-{name}").write_bytes(data[: int(len(data) * cut)])
    new = open_library(tmp_path / "new")
    with pytest.raises(LibraryError, match=r"cut off|to its end") as caught:
        import_into(new, tmp_path / f"cut-{name}", never)
    assert "stored" in caught.value.remedy
    assert 20 < new.stats().papers < 81
    assert new.verify().ok
    had = new.stats().papers
    assert import_into(new, tmp_path / name, never).counts == {"unchanged": had, "added": 81 - had}


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("hello", "no exported library"),
        ("{}", "no exported library"),
        ('{"format":"paperchat-library","version":9}', "9"),
    ],
)
def test_what_is_no_exported_library_is_refused(tmp_path: Path, first: str, said: str) -> None:
    new = open_library(tmp_path / "new")
    with pytest.raises(LibraryError, match=said):
        import_into(new, with_lines(tmp_path / "x.jsonl", [first, first]), never)
    with pytest.raises(LibraryError, match="cannot be read"):
        import_into(new, tmp_path / "missing", never)
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"{}")[:-9] + b"xxxxxxxxx")
    with pytest.raises(LibraryError):
        import_into(new, tmp_path / "broken.gz", never)


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    title=TEXT, abstract=TEXT, section=st.none() | TEXT, authors=st.lists(TEXT, max_size=3), day=st.none() | st.dates()
)
def test_every_paper_is_read_from_its_line_as_it_was_written(
    title: str, abstract: str, section: str | None, authors: list[str], day: date | None
) -> None:
    one = with_body(
        Paper("x", title, abstract, day, authors=tuple(authors), upvotes=3),
        body := Body(abstract, (Part(0, section, 1),)),
    )
    kept = record(one, HashEmbedder(), [SourceEntry(title, "ab", 1, abstract)])
    written = record_line(replace(kept, body=body))
    back = item_of(written)
    assert isinstance(back, Record)
    assert "\n" not in written
    assert (back.paper, back.body, list(back.passages), list(back.entries)) == (one, body, kept.passages, kept.entries)
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(back.encoded, kept.encoded, strict=True))
    assert record_line(back) == written


# What is saved of a damaged catalog


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The catalog of 120 papers."""
    folder = tmp_path_factory.mktemp("sound")
    fingerprint = library_fingerprint(HashEmbedder())
    with closing(Library.open(folder, fingerprint)) as library:
        fill(library, many_papers(119))
        with library.write() as writer:
            writer.upsert([record_with_body(HashEmbedder(), SourceEntry("odd.pdf", "bb" * 32, 1, "x"))])
        rebuild(library, HashEmbedder())
        library.block("arXiv:2301.00001", "withdrawn")
    return (folder / "catalog.sqlite3").read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_a_catalog_with_broken_pages_gives_up_all_that_can_be_read(tmp_path: Path, sound: bytes, seed: int) -> None:
    rng, data, embedder = random.Random(seed), bytearray(sound), HashEmbedder()
    for page in rng.sample(range(1, len(data) // PAGE), 1 + seed % 3):
        data[page * PAGE : (page + 1) * PAGE] = rng.randbytes(PAGE) if seed % 2 else bytes(PAGE)
    if seed == 5:
        del data[len(data) * 2 // 3 :]
    (tmp_path / "catalog.sqlite3").write_bytes(data)
    saved = salvage_if_damaged(tmp_path)
    assert saved is not None
    assert (Path(saved.aside) / "catalog.sqlite3").stat().st_size == len(data)
    with closing(Library.open(tmp_path)) as library:
        assert library.verify().ok
        papers = {one.paper_id: one for one in library.find()}
        expected = {one.paper_id: one for one in [*many_papers(119), with_body(ODD, BODY)]}
        assert papers.items() <= expected.items() | {(ODD.paper_id, ODD)}
        assert len(papers) >= 119 - saved.lost.get("papers", 0)
        assert len(papers) > 60
        if saved.incomplete:
            rebuild(library, embedder)
            assert embedder.encoded_texts <= 240
        assert all(library.passages([paper_id]) for paper_id in papers)
        assert library.verify().ok
    assert salvage_if_damaged(tmp_path) is None


def test_a_sound_catalog_is_left_alone_and_one_without_a_beginning_is_named(tmp_path: Path, sound: bytes) -> None:
    file = tmp_path / "catalog.sqlite3"
    assert salvage_if_damaged(tmp_path) is None
    file.write_bytes(sound)
    assert salvage_if_damaged(tmp_path) is None
    file.write_bytes(bytes(PAGE) + sound[PAGE:])
    with pytest.raises(LibraryError, match=r"Nothing can be read.*restore"):
        salvage_if_damaged(tmp_path)
    assert file.read_bytes()[PAGE:] == sound[PAGE:]


def test_lost_papers_are_named_by_their_titles_and_can_be_added_again(tmp_path: Path, sound: bytes) -> None:
    pages = [sound[at : at + PAGE] for at in range(0, len(sound), PAGE)]
    broken = next(n for n, page in enumerate(pages) if page[0] == TABLE_LEAF and b"Paper 5 on " in page)
    (tmp_path / "catalog.sqlite3").write_bytes(b"".join([*pages[:broken], bytes(PAGE), *pages[broken + 1 :]]))
    saved = salvage_if_damaged(tmp_path)
    assert saved
    assert len(saved.titles) > 0
    assert any(title.startswith("paper 5 on ") for title in saved.titles)
    with closing(Library.open(tmp_path)) as library:
        titles = {one.title.lower() for one in library.find()}
        assert not titles & set(saved.titles)
        fill(library, many_papers(119))
        assert library.verify().ok


def test_bytes_that_are_no_text_are_damage_though_sqlite_calls_it_sound(tmp_path: Path) -> None:
    papers = many_papers(9)
    with closing(open_library(tmp_path)) as library:
        fill(library, papers)
        bad = papers[4].paper_id
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection:
        connection.execute("UPDATE papers SET organisation = CAST(x'41ff' AS TEXT) WHERE paper_id = ?", (bad,))
        connection.commit()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(Library.open(tmp_path)) as library:
        with pytest.raises(LibraryError, match=r"a text in it is no Unicode.*repair"):
            library.find()
        report = library.verify()
        assert report.damaged
        assert not report.ok
        with pytest.raises(LibraryError, match="a text in papers is no Unicode"):
            backup(library, tmp_path.with_name("copy.backup"))
    saved = salvage_if_damaged(tmp_path)
    assert saved
    assert saved.lost["papers"] == 1
    assert saved.titles == [papers[4].title.lower()]
    with closing(Library.open(tmp_path)) as library:
        assert library.verify().ok
        assert {one.paper_id for one in library.find()} == {one.paper_id for one in papers} - {bad}


def test_a_lost_full_text_is_named_and_comes_back_with_its_document(tmp_path: Path) -> None:
    text = " ".join(f"Sentence number {n} says little of much." for n in range(600))
    document, embedder = tmp_path / "long.md", HashEmbedder()
    document.write_text(
        f"# A long paper on little of much\n\n## Abstract\n\nIt is long.\n\n## 1 Introduction\n\n{text}\n"
    )
    folder = tmp_path / "library"
    with closing(Library.open(folder, library_fingerprint(embedder))) as library:
        fill(library, many_papers(3))
        assert [row.outcome for row in ingest([document], library, embedder).rows] == ["added"]
        ((paper_id, body),) = [(one.paper_id, library.body(one.paper_id)) for one in library.find() if one.body_hash]
        assert body
    data = (folder / "catalog.sqlite3").read_bytes()
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    broken = next(n for n, page in enumerate(pages) if page[4:] in body.text.encode())
    (folder / "catalog.sqlite3").write_bytes(b"".join([*pages[:broken], bytes(PAGE), *pages[broken + 1 :]]))
    saved = salvage_if_damaged(folder)
    assert saved
    assert saved.without_text == ["A long paper on little of much"]
    with closing(Library.open(folder, library_fingerprint(embedder))) as library:
        assert library.body(paper_id) is None
        assert [row.outcome for row in ingest([document], library, embedder).rows] == ["updated"]
        assert library.body(paper_id) == body
        assert library.verify().ok


def test_the_commands_carry_a_library_over_and_mend_a_damaged_one(
    home: Path, tmp_path: Path, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.models.embedder.load_embedder", lambda _: HashEmbedder())
    file = str(tmp_path / "all.jsonl.gz")
    catalog = home / "library" / "catalog.sqlite3"
    catalog.parent.mkdir(parents=True)
    page = len(sound) * 2 // 3 // PAGE * PAGE
    catalog.write_bytes(sound[:page] + bytes(PAGE) + sound[page + PAGE :])
    assert run("library", "verify").exit_code == 4
    mended = run("library", "repair")
    assert mended.exit_code == 0, mended.output
    assert "120 papers were saved; the old file is in" in mended.stdout
    assert run("library", "verify").exit_code == 0
    assert "Exported 120 papers" in run("library", "export", file).stdout
    assert run("library", "export", file).exit_code == 4

    monkeypatch.setenv("PAPERCHAT_HOME", str(tmp_path / "other"))
    assert json.loads(run("library", "import", file, "--json").stdout) == {
        "added": 120,
        "embedded": False,
        "failures": [],
    }
    assert run("library", "import", file).stdout == "120 unchanged\n"
    monkeypatch.setattr("rag.models.embedder.load_embedder", lambda _: HashEmbedder("hash-2"))
    monkeypatch.setenv("PAPERCHAT_HOME", str(tmp_path / "third"))
    anew = run("library", "import", file)
    assert "embedded anew" in anew.stdout
    assert "120 added" in anew.stdout
    with closing(Library.open(tmp_path / "third" / "library")) as library:
        assert library.body(ODD.paper_id) == BODY
        assert library.verify().ok
