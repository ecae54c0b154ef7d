"""Spoilt and hostile input: whatever a reader or a question holds, it ends in time, with a result or our error.

`make test` tries for about a minute in all, always the same inputs; `make test-faults` (FAULTS=all) tries
longer, other inputs each time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from answer_helpers import check_answer
from faults.documents import DOCUMENTS
from faults.formats import GOOD, RECORDS, Records
from faults.fuzzing import fuzz
from faults.hostile import hostile
from faults.mutations import WORDS, spoilt, spoilt_archive, spoilt_value
from faults.nursery import Nursery, nursery
from faults.questions import TALKS
from faults.reading import SECONDS, TODAY, read
from faults.report import ALL, ROWS
from hypothesis import strategies as st
from library_helpers import HashEmbedder
from patience import stretched

from rag.answer.answer import Turn
from rag.answer.pipeline import Paperchat
from rag.answer.question import understand
from rag.errors import QuestionError
from rag.ingest import ingest, library_fingerprint
from rag.library.library import Library
from rag.settings import Settings

SEEDS = Path(__file__).parents[1] / "seeds"
FILES = {form.name: (form.file, form.sample()) for form in RECORDS} | DOCUMENTS
BUDGET = 20.0 if ALL else 0.7  # seconds for one format and property
MARKED_ENDS = {"BibTeX", "JSONL", "arXiv Atom"} | {form.name for form in RECORDS if form.json}
MEGABYTES, MEGABYTES_OF_PDF = 400, 1200  # that reading such a file may take; PDF has a process of its own


@pytest.fixture(scope="module", autouse=True)
def _written(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    ROWS.write(request.session.testsfailed)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paperchat]:
    """Paperchat on the library of seeds/ with vectors from hashed words: the whole way, without a model."""
    home = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"))
    embedder = HashEmbedder()
    library = Library.open(home.library_folder, library_fingerprint(embedder))
    ingest([SEEDS], library, embedder)
    library.close()
    paperchat = Paperchat(home, embedder=embedder, clock=lambda: TODAY)
    paperchat.ask("What does Phenaki generate?")  # all is loaded
    yield paperchat
    paperchat.close()


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery() as started:
        yield started


def titles(data: bytes, file: str) -> list[tuple[str, str]]:
    """Title and abstract of what a file lists; nothing where it is refused."""
    reading = read(data, file)
    return [(entry.paper.title, entry.paper.abstract) for entry in reading.entries] if reading else []


@pytest.mark.parametrize("name", FILES)
def test_the_unspoilt_file_of_each_format_is_read(name: str) -> None:
    file, data = FILES[name]
    found = titles(data, file)
    assert found[: len(GOOD)] == list(GOOD) if name in {form.name for form in RECORDS} else GOOD[0] in found


@pytest.mark.parametrize("name", FILES)
def test_no_spoilt_file_makes_a_reader_fail_or_hang(name: str) -> None:
    file, data = FILES[name]
    ways = spoilt_archive(data) if file.endswith(".docx") else spoilt(data)
    tried = fuzz(ways, partial(read, name=file), seconds=BUDGET)
    ROWS.note(f"spoilt files: {name}", "read or refused", tried.inputs, slowest_s=round(tried.slowest, 3))


@pytest.mark.parametrize("form", [form for form in RECORDS if form.json], ids=lambda form: form.name)
def test_good_records_beside_a_bad_one_survive_in_json(form: Records) -> None:
    _beside(form, spoilt_value(form.element("A Record To Spoil", "It has an abstract. It has two sentences.")))


@pytest.mark.parametrize("form", [form for form in RECORDS if form.garbage], ids=lambda form: form.name)
def test_good_records_beside_garbage_survive(form: Records) -> None:
    element = form.element("A Record To Spoil", "It has an abstract. It has two sentences.")
    whole = element if isinstance(element, str) else form.whole([element])
    bad = spoilt(whole.encode()).map(lambda data: data.decode("utf-8", "replace") + form.garbage)
    _beside(form, bad)


@pytest.mark.parametrize("form", RECORDS, ids=lambda form: form.name)
def test_good_records_beside_one_of_nasty_words_survive(form: Records) -> None:
    _beside(form, st.builds(form.element, WORDS, WORDS))


def _beside(form: Records, ways: st.SearchStrategy[Any]) -> None:
    def use(bad: Any) -> None:
        found = titles(form.around(bad), form.file)
        assert found[:1] == [GOOD[0]], found[:2]
        assert found[-1:] == [GOOD[1]], found[-2:]

    tried = fuzz(ways, use, seconds=BUDGET)
    ROWS.note(f"a bad record between good ones: {form.name}", "the good ones are read", tried.inputs)


@pytest.mark.parametrize("form", [form for form in RECORDS if form.name in MARKED_ENDS], ids=lambda form: form.name)
def test_a_file_of_records_cut_at_any_place_gives_no_other_paper(form: Records) -> None:
    data = form.sample()
    for end in range(0, len(data), 1 if ALL else len(data) // 40):
        for title, abstract in titles(data[:end], form.file):
            assert any(good[0].startswith(title) and good[1].startswith(abstract) for good in GOOD), (end, title)


def test_hostile_files_are_read_or_refused_within_time_and_memory(tmp_path: Path, children: Nursery) -> None:
    slow, big, tried = [], [], 0
    for what, name, data in islice(hostile(), None, None, 1 if ALL else 4):
        path = tmp_path / "hostile"
        path.write_bytes(data)
        [[seconds, megabytes, _]] = children.run("read_file", path, name).said
        tried += 1
        slow += [(what, seconds)] if seconds > stretched(SECONDS, time.process_time) else []
        big += [(what, megabytes)] if megabytes > (MEGABYTES_OF_PDF if name.endswith(".pdf") else MEGABYTES) else []
    assert not slow
    assert not big
    ROWS.note("hostile files of up to a megabyte", f"read or refused within {SECONDS} s and {MEGABYTES} MB", tried)


def test_no_question_makes_understanding_fail_or_hang(seeds: Paperchat) -> None:
    organisations = seeds.library.organisations()

    def use(talk: tuple[str, list[Turn]]) -> None:
        with suppress(QuestionError):
            understood = understand(*talk, today=TODAY, organisations=organisations)
            assert 0 <= understood.focus <= len(understood.query)
            assert understood.query.strip()

    tried = fuzz(TALKS, use, seconds=4 * BUDGET)
    ROWS.note("questions to understand", "understood or refused", tried.inputs, slowest_s=round(tried.slowest, 3))


def test_no_question_makes_an_answer_fail_or_hang(seeds: Paperchat) -> None:
    def use(talk: tuple[str, list[Turn]]) -> None:
        with suppress(QuestionError):
            check_answer(seeds.ask(*talk))

    tried = fuzz(TALKS, use, seconds=8 * BUDGET)
    ROWS.note("questions to answer", "answered or refused", tried.inputs, slowest_s=round(tried.slowest, 3))


@pytest.mark.skipif(not ALL, reason="coverage-guided fuzzing takes minutes: make test-faults")
@pytest.mark.parametrize("name", FILES)
def test_coverage_guided_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: it has no package for this Python")
    command = [sys.executable, str(Path(__file__).parent / "fuzz_atheris.py"), name, str(int(BUDGET))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    ROWS.note(f"atheris: {name}", "read or refused", int(re.findall(r"Done (\d+) runs", done.stderr)[-1]))
