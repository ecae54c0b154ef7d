"""Real faults: killed writers, two writers, readers beside writers, and damaged index files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from library_helpers import HashEmbedder, fill, many_papers, open_library, paper, record
from patience import soon

from rag.errors import LibraryError, LibraryLockedError
from rag.ingest import ingest, library_fingerprint
from rag.library import builds
from rag.library.library import Library
from rag.library.vectors import VectorIndex

WORKER = Path(__file__).parent / "library_worker.py"
SEEDS = Path(__file__).parents[1] / "seeds"
FINGERPRINT = library_fingerprint(HashEmbedder())


@contextmanager
def worker(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process of `library_worker.py`; killed at the end, if it still runs."""
    command = [sys.executable, "-u", str(WORKER), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def _says(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def _asks(process: subprocess.Popen[str], question: str) -> list[list[str]]:
    assert process.stdin
    process.stdin.write(question + "\n")
    process.stdin.flush()
    found: list[list[str]] = json.loads(_says(process))
    return found


@pytest.mark.parametrize("seed", [2, 5])
def test_a_killed_ingestion_loses_nothing_that_was_stored(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    last = (0, 32, 96, 160, 237, 237)[seed]  # the batch after which it is killed, after 237 while publishing
    with worker("ingest", tmp_path, SEEDS) as process:
        while (said := _says(process)) != f"stored {last}":
            assert said.startswith("stored")
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()

    library = Library.open(tmp_path, FINGERPRINT)
    stats = library.stats()
    assert last <= stats.papers <= 237
    assert stats.papers == len({one.title for one in library.find()})
    report = library.verify()
    assert report.ok, report
    assert stats.papers in (237, (stats.papers // 32) * 32)  # whole batches

    ingest([SEEDS], library, HashEmbedder())
    assert library.stats().papers == 237
    assert (library.stats().entries, library.stats().duplicates) == (254, 17)
    assert library.verify().ok
    assert len(list((tmp_path / "chroma").iterdir())) == 1  # nothing left lying about


@pytest.mark.parametrize("step", ["_check_and_link", "_manifest", "_put_words", "_sweep"])
def test_a_crash_between_catalog_and_indexes_is_mended_at_the_next_opening(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(40))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(builds, step, crash)
    with pytest.raises(KeyboardInterrupt):
        fill(library, [paper("Late", "Zirconium comes late.")])
    monkeypatch.undo()
    assert library.papers(["late"])  # acknowledged
    library.close()

    again = open_library(tmp_path)
    assert [hit.paper_id for hit in again.match_words("zirconium", 3)] == ["late"]
    assert again.verify().ok
    assert ("behind its catalog" in caplog.text) == (step != "_sweep")


def test_a_second_writer_is_told_who_holds_the_lock_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    library = Library.open(tmp_path, FINGERPRINT)
    with worker("hold", tmp_path) as process:
        assert _says(process) == "holding"
        with soon(2), pytest.raises(LibraryLockedError) as caught, library.write(timeout=0.1):
            pass
        assert f"process {process.pid} on {os.uname().nodename}" in str(caught.value)
        assert "library_worker.py hold" in str(caught.value)
        assert "since 20" in str(caught.value)
        assert caught.value.retryable
        assert library.match_words("anything", 3) == []  # reading goes on
        Library.open(tmp_path, FINGERPRINT).close()
        process.kill()
        process.wait()
        with library.write(timeout=30):
            pass
    assert not (tmp_path / "write.lock.json").exists()


def test_two_libraries_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    one, other = open_library(tmp_path), open_library(tmp_path)
    with one.write(), pytest.raises(LibraryLockedError, match=str(os.getpid())), other.write(timeout=0):
        pass
    fill(other, many_papers(3))
    assert len(one.match_words("study", 9)) == len(other.match_words("study", 9)) == 3


def test_readers_see_what_another_process_wrote_at_their_next_question(tmp_path: Path) -> None:
    library = Library.open(tmp_path, FINGERPRINT)
    fill(library, many_papers(30))
    with worker("query", tmp_path) as process:
        assert _asks(process, "number7 zirconium")[0] == [many_papers(30)[7].paper_id]
        late = paper("Zirconium electrodes", "Zirconium electrodes last.")
        fill(library, [late])
        words, near = _asks(process, "Zirconium electrodes last.")
        assert words == [late.paper_id]
        assert near[0] == late.paper_id
        fill(library, [replace(late, abstract="Graphene electrodes last.")])
        assert _asks(process, "zirconium")[0] == [late.paper_id]  # by its title
        assert _asks(process, "graphene")[0] == [late.paper_id]
        library.rebuild_indexes()
        assert _asks(process, "graphene")[0] == [late.paper_id]
        with library.write() as writer:
            writer.delete([late.paper_id])
        assert late.paper_id not in {i for ids in _asks(process, "graphene zirconium electrodes") for i in ids}


def test_readers_and_an_ingesting_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    Library.open(tmp_path, FINGERPRINT).close()
    stop = threading.Event()

    def read() -> None:
        embedder = HashEmbedder()
        while not stop.is_set():
            library = Library.open(tmp_path, FINGERPRINT)
            for hit in library.match_words("language models", 9):
                assert library.papers([hit.paper_id])
            library.nearest_vectors(embedder.encode(["language models"])[0].vector, 9)
            library.close()

    halves = sorted(SEEDS.iterdir())[:2], sorted(SEEDS.iterdir())[2:]
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for half in halves:
                with worker("ingest", tmp_path, *half) as process:
                    while _says(process) != "done":
                        assert process.poll() is None
                    process.wait()
        finally:
            stop.set()
    [reader.result() for reader in readers]
    library = Library.open(tmp_path, FINGERPRINT)
    assert library.stats().papers == 237
    assert library.verify().ok


def _delete_folder(chroma: Path) -> None:
    shutil.rmtree(chroma)


def _delete_segment(chroma: Path) -> None:
    shutil.rmtree(next(chroma.rglob("header.bin")).parent)


def _truncate_segment(chroma: Path) -> None:
    os.truncate(next(chroma.rglob("data_level0.bin")), 1000)


def _garble_segment(chroma: Path) -> None:
    file = next(chroma.rglob("data_level0.bin"))
    file.write_bytes(os.urandom(file.stat().st_size))


def _garble_sqlite(chroma: Path) -> None:
    next(chroma.rglob("chroma.sqlite3")).write_bytes(os.urandom(20_000))


def _truncate_sqlite(chroma: Path) -> None:
    os.truncate(next(chroma.rglob("chroma.sqlite3")), 5000)


DAMAGES = [_delete_folder, _delete_segment, _truncate_segment, _garble_segment, _garble_sqlite, _truncate_sqlite]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vector_index_is_found_and_repaired_from_the_catalog(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(80))
    vector = HashEmbedder().encode(["number5 baseline5"])[0].vector
    before = library.nearest_vectors(vector, 10)
    library.close()
    damage(tmp_path / "chroma")

    library = open_library(tmp_path)
    report = library.verify()
    assert not report.ok
    assert report.broken == ("chroma",)
    assert library.repair().ok
    assert library.verify().ok
    assert library.nearest_vectors(vector, 10) == before


@pytest.mark.parametrize("damage", [d for d in DAMAGES if d is not _garble_segment])
def test_a_search_that_meets_a_damaged_index_has_it_built_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(80))
    vector = HashEmbedder().encode(["number5 baseline5"])[0].vector
    before = library.nearest_vectors(vector, 10)
    library.close()
    damage(tmp_path / "chroma")
    library = open_library(tmp_path)
    assert library.nearest_vectors(vector, 10) == before
    assert "anew" in caplog.text
    assert library.verify().ok


@pytest.mark.parametrize("what", ["folder", "meta.json", "files"])
def test_a_damaged_word_index_is_found_and_repaired_from_the_catalog(tmp_path: Path, what: str) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(80))
    before = library.match_words("speech robots", 10)
    library.close()
    build = next((tmp_path / "words").iterdir())
    if what == "folder":
        shutil.rmtree(build.parent)
    elif what == "meta.json":
        (build / "meta.json").write_text("{")
    else:
        [file.unlink() for file in build.glob("*.store")]
    library = open_library(tmp_path)
    assert library.verify().broken == ("words",)
    assert library.repair().ok
    assert library.match_words("speech robots", 10) == before


def test_papers_lost_from_an_index_are_named_by_verify(tmp_path: Path) -> None:
    library = open_library(tmp_path)
    papers = many_papers(20)
    fill(library, papers)
    state = builds.IndexState(builds.WORDS, 1, library.generation, {})
    builds.WordIndex(builds.build_folder(tmp_path, state)).put((), [papers[4].paper_id])
    failed = [check for check in library.verify().checks if not check.ok]
    assert {check.name.split(":")[0] for check in failed} == {"words"}
    assert all(papers[4].paper_id in check.detail for check in failed)
    assert library.repair().ok


def test_a_killed_rebuild_of_the_indexes_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(30))
    before = library.match_words("speech", 9)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(builds, "_put_words", crash)
    with pytest.raises(KeyboardInterrupt):
        library.rebuild_indexes()
    monkeypatch.undo()
    assert open_library(tmp_path).match_words("speech", 9) == before
    assert library.verify().ok


def test_vectors_that_queries_do_not_reach_are_put_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Chroma has lost vectors silently; here its index misses the last of each batch at first."""
    put, calls = VectorIndex.put, 0

    def losing(self: VectorIndex, papers: Any, passages: Any, vectors: Any) -> None:
        nonlocal calls
        calls += 1
        cut = -1 if calls == 1 else None
        put(self, papers, passages[:cut], vectors[:cut])

    monkeypatch.setattr(VectorIndex, "put", losing)
    library = open_library(tmp_path)
    fill(library, many_papers(30))
    assert "1 vectors were not reachable" in caplog.text
    assert library.verify().ok


def test_vectors_that_stay_out_of_reach_are_an_error_and_the_old_index_serves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(10))
    vector = HashEmbedder().encode(["study"])[0].vector
    before = library.nearest_vectors(vector, 99)
    monkeypatch.setattr(VectorIndex, "surveyed", lambda self, ids, vectors: (list(ids), []))
    with pytest.raises(LibraryError, match="out of reach") as caught:
        fill(library, [paper("Late", "Zirconium comes late.")])
    assert "paperchat library repair" in caught.value.remedy
    assert library.nearest_vectors(vector, 99) == before
    monkeypatch.undo()
    assert not library.verify().ok
    assert library.repair().ok
    assert len(library.nearest_vectors(vector, 99)) == 21


def test_equal_texts_do_not_hide_each_other_from_the_check(tmp_path: Path) -> None:
    library, embedder = open_library(tmp_path), HashEmbedder()
    same = record(paper("Same", "Same text."), embedder)
    copies = [record(paper(f"Same {i}", "Same text."), embedder) for i in range(60)]
    with library.write() as writer:
        writer.upsert([replace(one, encoded=same.encoded) for one in copies])
    assert library.verify().ok
    assert len(library.nearest_vectors(same.encoded[0].vector, 99)) == 60


def test_a_full_disk_is_one_clear_error_and_the_library_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit on pages stands in for a full disk: it fails at the same place with the same code."""
    library = open_library(tmp_path)
    fill(library, many_papers(20))
    with library.write() as writer:
        writer._catalog.rows("PRAGMA max_page_count = 1")  # as few as there are
        with pytest.raises(LibraryError, match="full") as caught:
            writer.upsert([record(one, HashEmbedder()) for one in many_papers(300)])
    assert "free space" in caught.value.remedy
    assert library.stats().papers == 20
    assert library.verify().ok


def test_several_libraries_in_one_process_are_independent(tmp_path: Path) -> None:
    """Chroma caches its clients by path; a library made anew under an old path must not meet the old one."""
    vector = HashEmbedder().encode(["study"])[0].vector
    for size in (5, 9):
        one, other = open_library(tmp_path / "one"), open_library(tmp_path / "other")
        fill(one, many_papers(size))
        fill(other, many_papers(size + 1, seed=1))
        same = open_library(tmp_path / "one")
        assert len(one.nearest_vectors(vector, 99)) == len(same.nearest_vectors(vector, 99)) == 2 * size
        assert len(other.nearest_vectors(vector, 99)) == 2 * size + 2
        fill(same, many_papers(size + 5))
        assert len(one.nearest_vectors(vector, 99)) == 2 * size + 10
        for library in (one, other, same):
            library.close()
        shutil.rmtree(tmp_path / "one")
        shutil.rmtree(tmp_path / "other")
