"""Real faults of whole processes and disks: kill -9 at random moments, a full disk, a disk that turns read-only.

`make test` takes a seeded sample; `make test-faults` (FAULTS=all) takes all moments and writes what it saw.
Damaged and deleted indexes, and a crash between catalog and index, are in test_library_faults.py.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faults.disks import small_disk
from faults.nursery import Nursery, nursery
from faults.report import ALL, ROWS
from faults.sources import page, versions, write_sources
from library_helpers import HashEmbedder, fill, many_papers, open_library, paper

from rag.ingest import ingest, library_fingerprint
from rag.library import lock
from rag.library.library import Library

MOMENTS = 200 if ALL else 20
KILOBYTES = range(100, 2000, 50) if ALL else (100, 250, 900, 1100, 1550, 1750)
PAGE = 4096
FINGERPRINT = library_fingerprint(HashEmbedder())


@pytest.fixture(scope="module", autouse=True)
def _written(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    ROWS.write(request.session.testsfailed)


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery() as started:
        yield started


@pytest.mark.timeout(7200 if ALL else 600)
def test_an_ingestion_killed_at_random_moments_loses_nothing_that_was_stored(tmp_path: Path, children: Nursery) -> None:
    """Each library is killed again and again until it is complete; half of the time a reader looks in between."""
    rng, sources = random.Random(6), write_sources(tmp_path / "sources")
    whole = children.run("live", tmp_path / "whole", sources)
    assert children.run("look", tmp_path / "whole", whole.said, True).said == []
    kills = libraries = 0
    while kills < MOMENTS:
        folder, stored = tmp_path / f"library{libraries}", []
        while True:
            ended = children.run("live", folder, sources, kill_after=rng.uniform(0, whole.seconds))
            stored += ended.said
            if not ended.killed:
                break
            kills += 1
            place = folder
            if rng.random() < 0.5:  # the next run mends, and not the look
                place = tmp_path / "copy"
                shutil.rmtree(place, ignore_errors=True)
                if folder.exists():
                    shutil.copytree(folder, place)
            assert children.run("look", place, stored).said == []
        assert children.run("look", folder, stored, True).said == []
        libraries += 1
    ROWS.note("kill -9 of an ingestion", "nothing stored was lost, doubled or not found", kills, libraries=libraries)


def test_after_a_kill_the_next_run_embeds_only_what_is_not_stored_yet(tmp_path: Path, children: Nursery) -> None:
    sources = write_sources(tmp_path / "sources")
    began = time.monotonic()
    [[_, texts]] = children.run("again", tmp_path / "whole", sources).said
    seconds = time.monotonic() - began
    for part in (0.5, 0.7, 0.9):
        folder = tmp_path / f"{part}"
        children.run("live", folder, sources, kill_after=part * seconds)
        [[before, embedded]] = children.run("again", folder, sources).said
        assert embedded <= texts - before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, children: Nursery) -> Path:
    """A complete library of the sources, and nobody has it open. Copy it."""
    folder = tmp_path_factory.mktemp("whole")
    children.run("live", folder / "library", write_sources(folder / "sources"))
    return folder


def latest() -> list[tuple[str, str]]:
    """Title and abstract of all papers of the sources, as they are in the end."""
    return [(title, known[-1]) for title, known in versions().items()]


def test_a_full_disk_is_told_and_once_there_is_space_the_next_run_completes(tmp_path: Path, children: Nursery) -> None:
    """Disks of several sizes, so that it is full at each step: catalog, vector index, copies of it, word index."""
    sources = write_sources(tmp_path / "sources")
    for kilobytes in KILOBYTES:
        with small_disk(tmp_path / "disk", kilobytes * 1024) as disk:
            library = disk.folder / "library"
            *stored, last = children.run("fail", library, sources).said
            if last != ["done"]:
                assert last[:2] == ["error", "LibraryError"], (kilobytes, last)
                assert "free space" in last[2]
            seen = children.run("peek", library, stored).said
            assert seen == [] or (len(seen) == 1 and "free space" in seen[0][2]), (kilobytes, seen)
            disk.change("size=64m")
            children.run("live", library, sources)
            assert children.run("look", library, stored, True).said == [], kilobytes
    ROWS.note("disks that are full at each step", "told; nothing lost; the next run completes", len(KILOBYTES))


def test_a_library_is_searched_on_while_a_write_finds_the_disk_full(
    tmp_path: Path, children: Nursery, whole: Path
) -> None:
    more = tmp_path / "more.txt"
    more.write_text(page([replace(one, n_authors=2) for one in many_papers(300)[100:]]), encoding="utf-8")
    with small_disk(tmp_path / "disk", 8_000_000) as disk:
        shutil.copytree(whole / "library", disk.folder / "library")
        free = shutil.disk_usage(disk.folder).free
        (disk.folder / "other").write_bytes(bytes(free - 300_000))
        last = children.run("fail", disk.folder / "library", [more]).said[-1]
        assert last[0] == "error"
        assert children.run("search", disk.folder / "library", latest()).said == []
    ROWS.note("a write that finds the disk full", "told; the library is searched on")


def test_a_library_on_a_read_only_disk_is_searched_and_a_write_is_told(
    tmp_path: Path, children: Nursery, whole: Path
) -> None:
    with small_disk(tmp_path / "disk", 16_000_000) as disk:
        library = disk.folder / "library"
        shutil.copytree(whole / "library", library)
        disk.change("ro")
        more = tmp_path / "more.txt"
        more.write_text(page([paper("Late", "Zirconium comes late.", n_authors=2)]), encoding="utf-8")
        [[kind, name, text]] = children.run("fail", library, [more]).said
        assert (kind, name) == ("error", "LibraryError")
        assert "permissions" in text
        assert children.run("search", library, latest()).said == []
        disk.change("rw")
        assert children.run("look", library, [], True).said == []
    ROWS.note("a disk that turns read-only", "searched as ever; a write is told")


def test_an_index_whose_disk_takes_no_writes_is_read_from_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = open_library(tmp_path / "library")
    fill(library, many_papers(40))
    vector = HashEmbedder().encode(["number5 baseline5"])[0].vector
    before = library.nearest_vectors(vector, 9), library.match_words("speech robots", 9)
    library.close()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    library = open_library(tmp_path / "library")
    assert (library.nearest_vectors(vector, 9), library.match_words("speech robots", 9)) == before
    assert caplog.text.count("takes no writes") == 2
    fill(library, [paper("Late", "Zirconium comes late.")])
    assert [hit.paper_id for hit in library.match_words("zirconium", 3)] == ["late"]
    library.close()
    gc.collect()
    assert [place.name for place in tmp_path.iterdir() if place.name.startswith("paperchat-")] == []


def test_a_corrupt_page_of_the_catalog_is_never_taken_for_content(
    tmp_path: Path, children: Nursery, whole: Path
) -> None:
    """Each run of random bytes in the file is an error that names it, or is found by `verify`, or hit nothing."""
    rng, seen = random.Random(3), []
    size = (whole / "library" / "catalog.sqlite3").stat().st_size
    pages = range(size // PAGE) if ALL else [0, *rng.sample(range(1, size // PAGE), 7)]
    for number in pages:
        folder = tmp_path / f"page{number}"
        shutil.copytree(whole / "library", folder)
        with (folder / "catalog.sqlite3").open("r+b") as file:
            file.seek(number * PAGE + (rng.randrange(PAGE) if number else 0))
            file.write(rng.randbytes(PAGE))
        [said] = children.run("examine", folder).said
        seen.append(said[0] if isinstance(said, list) else said)
        if isinstance(said, list):
            assert said[:2] == ["error", "LibraryError"], (number, said)
            assert "damaged" in said[2]
            assert "restore" in said[2].lower()
        else:
            assert said in ("whole", "found"), (number, said)
    assert {"error", "found"} & set(seen)
    ROWS.note("a corrupt page of the catalog", "told or harmless", len(seen), harmless=seen.count("whole"))


def test_two_ingestions_at_once_take_turns_or_one_is_told(tmp_path: Path, children: Nursery) -> None:
    sources = write_sources(tmp_path / "sources")
    library, rounds = tmp_path / "library", 10 if ALL else 2
    with nursery() as others, ThreadPoolExecutor(2) as pool:
        for turn in range(rounds):
            runs = [pool.submit(one.run, "fail", library / str(turn), sources) for one in (children, others)]
            said = [run.result().said for run in runs]
            ends = [ended[-1] for ended in said]
            assert ["done"] in ends, ends
            for end in ends:
                assert end == ["done"] or (end[1] == "LibraryLockedError" and "by process" in end[2]), end
            stored = [line for ended in said for line in ended[:-1]]
            assert children.run("look", library / str(turn), stored, True).said == []
    ROWS.note("two ingestions at once", "both done, or the second told who writes; nothing lost", rounds)


def test_whoever_comes_first_or_at_the_same_time_to_a_new_library_is_let_in(tmp_path: Path) -> None:
    times = 2000 if ALL else 100
    with ExitStack() as open_, ThreadPoolExecutor(3) as pool:
        others = [open_.enter_context(nursery()) for _ in range(3)]
        begin = time.time() + 1.0
        runs = [pool.submit(one.run, "first", tmp_path, begin, times) for one in others]
        assert [run.result().said for run in runs] == [[], [], []]
    ROWS.note("three who make a library at once", "all let in", times)


def test_a_reader_during_a_rebuild_is_answered_all_the_time(tmp_path: Path, children: Nursery, whole: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(whole / "library", folder)
    vector = HashEmbedder().encode(["retrieval and robots"])[0].vector
    library, asked, rounds = Library.open(folder, FINGERPRINT), 0, 20 if ALL else 3

    def answers() -> tuple[Any, ...]:
        near = library.nearest_vectors(vector, 5)
        return [hit.paper_id for hit in near], [hit.paper_id for hit in library.match_words("retrieval robots", 5)]

    before = answers()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(children.run, "rebuild", folder, rounds)
        while not run.done():
            assert answers() == before
            asked += 1
        assert run.result().said == ["done"]
    assert answers() == before
    assert asked > 10
    assert library.verify().ok
    library.close()
    ROWS.note("a reader during rebuilds", "every question answered as before", asked, rebuilds=rounds)


@pytest.mark.parametrize("index", ["chroma", "words"])
def test_an_index_deleted_under_a_running_reader_is_served_on_or_built_anew(tmp_path: Path, index: str) -> None:
    library = open_library(tmp_path)
    fill(library, many_papers(40))
    vector = HashEmbedder().encode(["number5 baseline5"])[0].vector
    before = library.nearest_vectors(vector, 9), library.match_words("speech robots", 9)
    shutil.rmtree(tmp_path / index)
    assert (library.nearest_vectors(vector, 9), library.match_words("speech robots", 9)) == before
    fill(library, [paper("Late", "Zirconium comes late.")])
    assert [hit.paper_id for hit in library.match_words("zirconium", 3)] == ["late"]
    assert library.verify().ok
    library.close()


def test_a_clock_that_goes_backwards_changes_nothing(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files are from ten years ahead, and the writer's clock says 1999."""

    class Old(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Old:
            return cls(1999, 1, 1, tzinfo=tz or UTC)

    folder = tmp_path / "library"
    shutil.copytree(whole / "library", folder)
    ahead = (datetime.now(UTC).timestamp() + 10 * 365 * 86400,) * 2
    for file in [folder, *folder.rglob("*")]:
        os.utime(file, ahead)
    monkeypatch.setattr(lock, "datetime", Old)
    monkeypatch.setattr("time.time", lambda: Old.now().timestamp())

    library = Library.open(folder, FINGERPRINT)
    first, generation = library.find()[0], library.generation
    source = tmp_path / "late.txt"
    source.write_text(
        f"Daily Papers\n\n{first.title}\n\n{first.abstract} Now with zirconium.\n\n  • 2 authors\n·\nNov 21, 2026\n"
    )
    [row] = ingest([source], library, HashEmbedder()).rows
    assert (row.outcome, row.paper_id) == ("updated", first.paper_id)
    assert library.generation > generation
    assert [hit.paper_id for hit in library.match_words("zirconium", 3)] == [first.paper_id]
    assert library.papers([first.paper_id])[first.paper_id].published == date(2026, 11, 21)
    assert library.verify().ok
    library.close()
