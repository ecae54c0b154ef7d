"""Keeping a library: backups and the way back, deleting without a trace, the block list, and what gc takes away."""

from __future__ import annotations

import errno
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from library_helpers import HashEmbedder, fill, many_papers, open_library, paper, record
from typer.testing import CliRunner, Result

from rag.errors import LibraryError, LibraryLockedError
from rag.library import builds, removal, restore, salvage
from rag.library.backup import backup
from rag.library.catalog import Catalog
from rag.library.collecting import collect
from rag.library.library import Library
from rag.library.records import Record, SourceEntry
from rag.papers import Body, Part, with_body

BODY = Body("Quixobody sentences are long. And they end.", (Part(0, "1 Introduction", 1), Part(30, None, 2)))
ODD = paper(
    "Xylophonic title",
    "Quixotabstract electrodes last long. And cheaply.",
    arxiv_id="2309.12345",
    doi="10.1000/odd",
    authors=("Ann Odd", "Bo Even"),
)
HOLD_OPEN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM papers").fetchone()
print("open", flush=True)
sys.stdin.readline()
"""


def record_with_body(embedder: HashEmbedder, *entries: SourceEntry) -> Record:
    """`ODD` with a full text of two passages."""
    plain = record(with_body(ODD, BODY), embedder, entries)
    spans = [(0, 30, "1 Introduction", 1), (30, len(BODY.text), None, 2)]
    passages = [
        replace(p, passage_id=f"{ODD.paper_id}#{n}", ordinal=n, text=BODY.text[a:b], start=a, end=b, in_body=True)
        for n, (p, (a, b, _, _)) in enumerate(zip(plain.passages, spans, strict=True), start=2)
    ]
    placed = [replace(p, section=s, page=n) for p, (_, _, s, n) in zip(passages, spans, strict=True)]
    encoded = embedder.encode([f"{ODD.title}\n{p.text}" for p in placed])
    return replace(plain, passages=[*plain.passages, *placed], encoded=[*plain.encoded, *encoded], body=BODY)


def stocked(folder: Path, n: int = 30) -> Library:
    """A library of `n` papers and `ODD` with its full text, listed in two files."""
    library, embedder = open_library(folder), HashEmbedder()
    entry = SourceEntry("list.txt", "aa" * 32, 7, ODD.content_hash)
    with library.write() as writer:
        writer.upsert([record(one, embedder) for one in many_papers(n)])
        writer.upsert([record_with_body(embedder, entry, SourceEntry("odd.pdf", "bb" * 32, 1, "x"))])
    return library


def found(library: Library, text: str) -> tuple[set[str], set[str]]:
    """Ids that a search by words and one by vector find."""
    vector = HashEmbedder().encode([text])[0].vector
    return {hit.paper_id for hit in library.match_words(text, 99)}, {
        hit.paper_id for hit in library.nearest_vectors(vector, 99)
    }


def files_with(folder: Path, *words: str) -> list[str]:
    """Names of the files below `folder` with one of these words in any case."""
    keys = [word.lower().encode() for word in words]
    files = (file for file in folder.rglob("*") if file.is_file())
    return [file.name for file in files if any(key in file.read_bytes().lower() for key in keys)]


def with_a_broken_page(folder: Path, copy: Path, block: str = "") -> bytes:
    """Make a library and a backup of it, then break a page of its papers; the broken file."""
    with closing(stocked(folder)) as library:
        backup(library, copy)
        if block:
            library.delete([ODD.paper_id], block=True, reason=block)
    file = folder / "catalog.sqlite3"
    pages = [file.read_bytes()[at : at + 4096] for at in range(0, file.stat().st_size, 4096)]
    broken = next(n for n, page in enumerate(pages) if page[0] == 13 and many_papers(30)[9].abstract.encode() in page)
    pages[broken] = bytes(4096)
    file.write_bytes(b"".join(pages))
    return file.read_bytes()


# Backup and restore


def test_a_backup_made_while_others_write_is_one_moment_and_comes_back_whole(tmp_path: Path) -> None:
    library, stop = stocked(tmp_path / "lib"), threading.Event()

    def write() -> None:
        n = 0
        with closing(open_library(tmp_path / "lib")) as other:
            while not stop.is_set():
                with other.write(timeout=30) as writer:
                    one, two = (record(paper(f"{name} {n}", "Twins."), HashEmbedder()) for name in ("One", "Two"))
                    writer.upsert([one, two])
                n += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        copies = [backup(library, tmp_path / f"{n}.backup") for n in range(4)]
    finally:
        stop.set()
        writing.join()
    assert all((copy.counts["papers"] - 31) % 2 == 0 for copy in copies)  # never half a transaction
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != "") == [f"{n}.backup" for n in range(4)]

    restore.restore(tmp_path / "new", tmp_path / "3.backup")
    new = open_library(tmp_path / "new")
    assert new.stats().papers == copies[3].counts["papers"]
    assert new.papers([ODD.paper_id]) == library.papers([ODD.paper_id])
    assert new.body(ODD.paper_id) == BODY
    assert new.passages([ODD.paper_id]) == library.passages([ODD.paper_id])
    assert new.sources_of(ODD.paper_id) == ["list.txt", "odd.pdf"]
    assert ODD.paper_id in found(new, ODD.abstract)[0] & found(new, ODD.abstract)[1]
    assert new.verify().ok


def test_a_backup_replaces_nothing_unasked_and_never_the_library_itself(tmp_path: Path) -> None:
    library = stocked(tmp_path / "lib")
    file = tmp_path / "a.backup"
    file.write_text("mine")
    with pytest.raises(LibraryError, match=r"exists already.*--force"):
        backup(library, file)
    assert file.read_text() == "mine"
    assert backup(library, file, force=True).counts["papers"] == 31
    with pytest.raises(LibraryError, match="in the library itself"):
        backup(library, tmp_path / "lib" / "catalog.sqlite3", force=True)
    with pytest.raises(LibraryError, match="exists already"):
        backup(library, tmp_path, force=True)
    assert library.verify().ok


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = stocked(tmp_path / "lib")
    monkeypatch.setattr("rag.library.backup.faults", lambda connection: ["page 7 is odd"])
    with pytest.raises(LibraryError, match=r"page 7.*repair"):
        backup(library, tmp_path / "a.backup")
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == []


def test_restoring_over_papers_needs_force_and_open_readers_see_the_restored_ones(tmp_path: Path) -> None:
    library = stocked(tmp_path / "lib")
    backup(library, tmp_path / "a.backup")
    fill(library, [paper("Late", "Zirconium comes late.")])
    library.delete([ODD.paper_id])
    before = library.generation
    with pytest.raises(LibraryError, match=r"32 papers|31 papers"):
        restore.restore(tmp_path / "lib", tmp_path / "a.backup")
    assert found(library, "zirconium")[0] == {"late"}

    restore.restore(tmp_path / "lib", tmp_path / "a.backup", force=True)
    assert found(library, "zirconium")[0] == set()
    assert ODD.paper_id in found(library, ODD.abstract)[0] & found(library, ODD.abstract)[1]
    assert library.generation > before  # nothing remembered by it is taken for still true
    assert library.verify().ok
    assert not (tmp_path / "lib" / restore.STAGING).exists()
    fill(library, [paper("Later", "Zirconium comes later.")])
    assert found(library, "zirconium")[0] == {"later"}


def test_an_interrupted_restore_leaves_the_old_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = stocked(tmp_path / "lib")
    backup(library, tmp_path / "a.backup")
    fill(library, [paper("Late", "Zirconium comes late.")])

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("bring_up_to_date", "_exchange"):
        monkeypatch.setattr(restore, step, crash)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(tmp_path / "lib", tmp_path / "a.backup", force=True)
        monkeypatch.undo()
        assert found(library, "zirconium")[0] == {"late"}
        assert library.verify().ok


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _garbled(data: bytes) -> bytes:
    middle = len(data) // 2 // 4096 * 4096
    return data[:middle] + random.Random(1).randbytes(4096) + data[middle + 4096 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [(_cut, "damaged|cannot be read"), (_garbled, "damaged"), (lambda _: b"no", "cannot be read|no backup")],
)
def test_what_is_no_sound_backup_is_not_restored(tmp_path: Path, change: object, said: str) -> None:
    library = stocked(tmp_path / "lib")
    backup(library, tmp_path / "good")
    (tmp_path / "bad").write_bytes(change((tmp_path / "good").read_bytes()))  # type: ignore[operator]
    with pytest.raises(LibraryError, match=said):
        restore.restore(tmp_path / "lib", tmp_path / "bad", force=True)
    assert library.verify().ok
    assert library.stats().papers == 31


def test_files_of_others_and_of_newer_versions_are_no_backup(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no file"):
        restore.restore(tmp_path / "lib", tmp_path / "missing")
    with closing(sqlite3.connect(tmp_path / "theirs")) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(LibraryError, match="no backup"):
        restore.restore(tmp_path / "lib", tmp_path / "theirs")
    backup(stocked(tmp_path / "lib"), tmp_path / "newer")
    with closing(sqlite3.connect(tmp_path / "newer")) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES ('9999-from-the-future')")
    with pytest.raises(LibraryError, match="newer paperchat"):
        restore.restore(tmp_path / "lib", tmp_path / "newer", force=True)


def test_a_damaged_library_is_kept_aside_when_a_backup_takes_its_place(tmp_path: Path) -> None:
    library = stocked(tmp_path / "lib")
    backup(library, tmp_path / "a.backup")
    library.close()
    garbage = random.Random(0).randbytes(50_000)
    (tmp_path / "lib" / "catalog.sqlite3").write_bytes(garbage)
    done = restore.restore(tmp_path / "lib", tmp_path / "a.backup")
    assert (Path(done.aside) / "catalog.sqlite3").read_bytes() == garbage
    assert open_library(tmp_path / "lib").verify().ok


def test_a_catalog_that_another_process_has_open_is_not_moved(tmp_path: Path) -> None:
    broken, file = with_a_broken_page(tmp_path / "lib", tmp_path / "a.backup"), tmp_path / "lib" / "catalog.sqlite3"
    command = [sys.executable, "-c", HOLD_OPEN, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        with pytest.raises(LibraryLockedError, match="open in another process"):
            restore.restore(tmp_path / "lib", tmp_path / "a.backup")
        assert file.read_bytes() == broken
        process.communicate("")
    restore.restore(tmp_path / "lib", tmp_path / "a.backup")
    assert open_library(tmp_path / "lib").verify().ok


def test_a_library_with_one_broken_page_is_kept_aside_too(tmp_path: Path) -> None:
    broken = with_a_broken_page(tmp_path / "lib", tmp_path / "a.backup")
    with closing(sqlite3.connect(tmp_path / "lib" / "catalog.sqlite3")) as connection:
        connection.execute("SELECT count(*) FROM papers").fetchone()  # which an index answers
    done = restore.restore(tmp_path / "lib", tmp_path / "a.backup", force=True)
    assert done.aside
    assert (Path(done.aside) / "catalog.sqlite3").read_bytes() == broken
    assert open_library(tmp_path / "lib").verify().ok


@pytest.mark.parametrize("step", ["staging", "exchanging"])
@pytest.mark.parametrize("mend", ["restore", "repair"])
def test_a_disk_that_is_full_leaves_a_damaged_library_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, mend: str
) -> None:
    broken, replace_file = with_a_broken_page(tmp_path / "lib", tmp_path / "a.backup"), Path.replace
    if mend == "restore":  # `repair` has to read it
        broken = random.Random(0).randbytes(50_000)
        (tmp_path / "lib" / "catalog.sqlite3").write_bytes(broken)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_for_the_catalog(self: Path, target: Path) -> Path:
        if self.name == "catalog.sqlite3" and self.parent.name == restore.STAGING:
            full()
        return replace_file(self, target)

    def act() -> object:
        if mend == "repair":
            return salvage.salvage_if_damaged(tmp_path / "lib")
        return restore.restore(tmp_path / "lib", tmp_path / "a.backup", force=True)

    if step == "staging":
        monkeypatch.setattr(restore if mend == "restore" else salvage, "bring_up_to_date", full)
    else:
        monkeypatch.setattr(Path, "replace", full_for_the_catalog)
    with pytest.raises(LibraryError, match="No space left"):
        act()
    monkeypatch.undo()
    assert (tmp_path / "lib" / "catalog.sqlite3").read_bytes() == broken
    assert not list((tmp_path / "lib" / restore.ASIDE).glob("*"))
    assert act()
    assert open_library(tmp_path / "lib").verify().ok


def test_what_was_deleted_and_blocked_since_a_backup_does_not_come_back_with_it(tmp_path: Path) -> None:
    library = stocked(tmp_path / "lib")
    library.block("arXiv:2301.00001", "of the backup")
    kept = many_papers(1)[0]
    backup(library, tmp_path / "a.backup")
    library.unblock("arXiv:2301.00001")
    library.delete([ODD.paper_id], block=True, reason="withdrawn")
    library.block(kept.paper_id, "later")  # it stays, as it does without a restore
    done = restore.restore(tmp_path / "lib", tmp_path / "a.backup", force=True)
    assert done.counts["papers"] == 30
    assert {block.reason for block in library.blocks} == {"of the backup", "withdrawn", "later"}
    assert library.papers([ODD.paper_id, kept.paper_id]).keys() == {kept.paper_id}
    assert files_with(tmp_path / "lib", "quixotabstract", "quixobody") == []
    assert library.verify().ok


def test_a_block_list_without_papers_outlives_a_restore_and_so_does_that_of_a_damaged_library(tmp_path: Path) -> None:
    backup(stocked(tmp_path / "lib"), tmp_path / "a.backup")
    with closing(open_library(tmp_path / "new")) as new:
        new.block("arXiv:2309.12345", "withdrawn")
    assert restore.restore(tmp_path / "new", tmp_path / "a.backup").counts["papers"] == 30
    with closing(open_library(tmp_path / "new")) as new:
        assert new.block_list.why(ODD)

    with_a_broken_page(tmp_path / "other", tmp_path / "b.backup", block="withdrawn")
    done = restore.restore(tmp_path / "other", tmp_path / "a.backup")
    assert done.aside
    assert done.counts["papers"] == 30
    assert {block.reason for block in open_library(tmp_path / "other").blocks} == {"withdrawn"}


# Deleting and blocking


def test_a_deleted_paper_leaves_no_byte_in_any_file(tmp_path: Path) -> None:
    library = stocked(tmp_path)
    assert files_with(tmp_path, "quixotabstract", "quixobody", "xylophonic")
    assert [gone.paper_id for gone in library.delete([ODD.paper_id, "unknown"])] == [ODD.paper_id]
    assert files_with(tmp_path, "quixotabstract", "quixobody", "xylophonic") == []
    assert ODD.paper_id not in found(library, ODD.abstract)[0] | found(library, ODD.abstract)[1]
    assert library.body(ODD.paper_id) is None
    assert library.passages([ODD.paper_id]) == {}
    assert library.document_frequencies(["quixotabstract"]) == {"quixotabstract": 0}
    report = library.verify()
    assert report.ok, report
    assert library.delete(["unknown"]) == []


def test_the_last_paper_can_be_deleted_too(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    fill(library, [ODD])
    library.delete([ODD.paper_id])
    assert library.verify().ok
    assert files_with(tmp_path / "words", "quixot") == []
    assert found(library, ODD.abstract) == (set(), set())


def test_a_paper_that_was_removed_comes_back_with_its_full_text_and_links(tmp_path: Path) -> None:
    library, other = stocked(tmp_path), many_papers(1)[0].paper_id
    before = library.papers([ODD.paper_id]), library.passages([ODD.paper_id])
    links = [(ODD.paper_id, other, 95.0), (other, ODD.paper_id, 95.0)]
    with closing(Catalog(tmp_path)) as catalog:
        catalog.write("INSERT INTO links VALUES (?, ?, ?)", links)
        removed = removal.take(catalog, [ODD.paper_id])
        assert catalog.count("bodies") == catalog.count("links") == 0
        assert removal.put_back(catalog, removed) == 1
        assert sorted(catalog.rows("SELECT * FROM links")) == sorted(links)
    assert (library.papers([ODD.paper_id]), library.passages([ODD.paper_id])) == before
    assert library.body(ODD.paper_id) == BODY


@pytest.mark.parametrize(
    "other",
    [
        paper("Another title", "", arxiv_id="2309.12345"),
        paper("Another title", "", doi="10.1000/odd"),
        paper("XYLOPHONIC, title!", "Withdrawn."),
        replace(ODD, title="Renamed"),
    ],
)
def test_a_blocked_paper_is_refused_by_every_name_it_has(tmp_path: Path, other: object) -> None:
    library = stocked(tmp_path)
    library.delete([ODD.paper_id], block=True, reason="withdrawn")
    assert "withdrawn" in (library.block_list.why(other) or "")  # type: ignore[arg-type]
    assert library.block_list.why(many_papers(1)[0]) is None
    assert len(library.blocks) == 4
    assert library.verify().ok
    assert {block.key for block in library.unblock("Xylophonic title")} == {
        ODD.paper_id,
        "2309.12345",
        "10.1000/odd",
        "xylophonic title",
    }
    assert library.block_list.why(other) is None  # type: ignore[arg-type]


def test_a_title_blocks_no_namesake_that_is_known_to_be_another_paper(tmp_path: Path) -> None:
    library = stocked(tmp_path)
    library.delete([ODD.paper_id], block=True)
    welcome = library.block_list.why
    assert welcome(replace(ODD, arxiv_id="2401.00001", doi=None)) is None
    assert welcome(replace(ODD, arxiv_id=None, doi="10.1000/other")) is None
    assert welcome(replace(ODD, arxiv_id=None, doi=None))
    library.block("Attention", "by its title alone")
    assert welcome(paper("Attention", "", arxiv_id="2401.00001")) is None  # as the list was when it was read
    assert library.block_list.why(paper("Attention", "", arxiv_id="2401.00001"))


def test_a_doi_with_brackets_and_angles_is_blocked_checked_and_let_in_again(tmp_path: Path) -> None:
    doi = "10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o"
    library, one = open_library(tmp_path), paper("Old journal", "It had long names.", doi=doi)
    fill(library, [one])
    assert [known.paper_id for known in library.named(f"https://doi.org/{doi.upper()}")] == [one.paper_id]
    library.delete([one.paper_id], block=True)
    assert library.block_list.why(replace(one, paper_id="x", title="Another"))
    assert library.verify().ok
    assert library.unblock(f"doi:{doi}")
    assert library.blocks == []
    library.block(doi.upper())
    assert [block.key for block in library.blocks] == [doi]


def test_a_deletion_that_is_killed_before_the_indexes_leaves_no_word_once_they_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = stocked(tmp_path)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(removal, "bring_up_to_date", killed)
    with pytest.raises(KeyboardInterrupt):
        library.delete([ODD.paper_id])
    library.close()
    monkeypatch.undo()
    with closing(open_library(tmp_path)) as library:
        assert files_with(tmp_path, "quixotabstract", "quixobody", "xylophonic") == []
        build = library._catalog.index_state(builds.WORDS)
        fill(library, [paper("Late", "Zirconium comes late.")])
        after = library._catalog.index_state(builds.WORDS)
    assert build
    assert after
    assert build.build == after.build  # it is written anew once


def test_the_pdf_that_was_fetched_of_a_paper_goes_with_it(home: Path) -> None:
    stocked(home / "library").close()
    (home / "documents").mkdir()
    names = ["2309.12345v1.pdf", "2309.12345.pdf", "2309.12346v1.pdf", "2309.123456v1.pdf"]
    for name in names:
        (home / "documents" / name).write_bytes(b"%PDF-")
    deleted = run("library", "delete", ODD.paper_id)
    assert deleted.exit_code == 0
    assert "2309.12345v1.pdf" in deleted.stdout
    assert sorted(file.name for file in (home / "documents").iterdir()) == ["2309.123456v1.pdf", "2309.12346v1.pdf"]


@pytest.mark.parametrize(
    ("said", "blocked"),
    [
        ("https://arxiv.org/abs/2309.12345v3", paper("Any", "", arxiv_id="2309.12345")),
        ("arXiv:2309.12345", paper("Any", "", arxiv_id="2309.12345")),
        ("https://doi.org/10.1000/ODD", paper("Any", "", doi="10.1000/odd")),
        ("What 10.5 Million Cats Say", paper("What 10.5 million cats say", "")),
        ("A Survey of 2309.12345 Methods", paper("A survey of 2309.12345 methods", "")),
    ],
)
def test_papers_that_the_library_never_had_are_blocked_by_what_people_call_them(
    tmp_path: Path, said: str, blocked: object
) -> None:
    library = open_library(tmp_path)
    library.block(said, "bad")
    assert library.block_list.why(blocked)  # type: ignore[arg-type]
    assert library.block_list.why(paper("Something else", "", arxiv_id="2309.54321")) is None
    assert library.unblock("nothing of the kind") == []
    assert library.unblock(said)
    assert library.blocks == []


# gc and the commands


def test_gc_takes_away_what_nothing_needs_and_says_how_much(tmp_path: Path) -> None:
    library = stocked(tmp_path, 200)
    library.remove([one.paper_id for one in many_papers(200)])
    library.remove([ODD.paper_id])
    shutil.copytree(tmp_path / "chroma", tmp_path / "chroma" / "000099")
    (tmp_path / restore.STAGING).mkdir()
    (tmp_path / restore.STAGING / "half").write_bytes(bytes(10_000))
    before = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    done = collect(library)
    after = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert (done.builds, done.leftovers, done.deleted, done.sources) == (1, 1, 201, 2)
    assert 100_000 < done.freed <= before - after + 100_000
    assert library.verify().ok
    again = collect(library)
    assert (again.builds, again.leftovers, again.deleted, again.sources) == (0, 0, 0, 0)
    state = library._catalog.index_state(builds.VECTORS)
    assert state
    assert builds.build_folder(tmp_path, state).is_dir()


def run(*arguments: str) -> Result:
    """A `paperchat` command in this process."""
    from rag.cli import app

    return CliRunner().invoke(app, list(arguments))


def test_the_commands_tell_what_they_did_and_how_it_ended(home: Path, tmp_path: Path) -> None:
    stocked(home / "library").close()
    file = str(tmp_path / "a.backup")
    assert json.loads(run("library", "backup", file, "--json").stdout)["papers"] == 31
    assert run("library", "backup", file).exit_code == 4
    deleted = run("library", "delete", "arXiv:2309.12345", "No such title", "--block", "--reason", "withdrawn")
    assert deleted.exit_code == 3
    assert "deleted and blocked: Xylophonic title" in deleted.stdout
    assert "not deleted: No such title" in deleted.stdout
    assert files_with(home / "library", "quixotabstract") == []
    listed = [json.loads(line) for line in run("library", "block", "list", "--json").stdout.splitlines()]
    assert {(block["kind"], block["reason"]) for block in listed} >= {("arxiv_id", "withdrawn"), ("doi", "withdrawn")}
    assert run("library", "restore", file).exit_code == 4
    restored = run("library", "restore", file, "--force")
    assert restored.exit_code == 0
    assert "30 papers" in restored.stdout  # without the one that is blocked since
    assert run("library", "block", "remove", "arXiv:2309.12345").exit_code == 0
    assert run("library", "block", "list").stdout == "No paper is blocked.\n"
    assert run("library", "restore", file, "--force").exit_code == 0
    added = run("library", "block", "add", "Xylophonic title")
    assert f"paperchat library delete {ODD.paper_id}" in added.stdout
    assert run("library", "block", "remove", "Xylophonic title", "Another").exit_code == 3
    assert run("library", "block", "remove", "Another").exit_code == 1
    assert "freed" in run("library", "gc").stdout
    assert run("library", "verify").exit_code == 0
