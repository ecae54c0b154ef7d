"""Keeping a library: backups and the way back, deleting without a trace, the block list, and what gc takes away."""

from __future__ import annotations

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
from rag.library import builds, removal, restore
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


# Backup and restore


def test_a_backup_made_while_others_write_is_one_moment_and_comes_back_whole(tmp_path: Path) -> None:
    library, stop = stocked(tmp_path / "lib"), threading.Event()

    def write() -> None:
        n = 0
        with closing(open_library(tmp_path / "lib")) as other:
            while not stop.is_set():
                with other.write(timeout=5) as writer:
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
    stocked(tmp_path / "lib").close()
    file = tmp_path / "lib" / "catalog.sqlite3"
    command = [sys.executable, "-c", HOLD_OPEN, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        with pytest.raises(LibraryLockedError, match="open in another process"):
            restore.put_aside(tmp_path / "lib")
        assert file.exists()
        process.communicate("")
    restore.put_aside(tmp_path / "lib")
    assert not file.exists()


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
    assert "31 papers" in restored.stdout
    assert run("library", "block", "list").stdout == "No paper is blocked.\n"
    added = run("library", "block", "add", "Xylophonic title")
    assert f"paperchat library delete {ODD.paper_id}" in added.stdout
    assert run("library", "block", "remove", "Xylophonic title", "Another").exit_code == 3
    assert run("library", "block", "remove", "Another").exit_code == 1
    assert "freed" in run("library", "gc").stdout
    assert run("library", "verify").exit_code == 0
