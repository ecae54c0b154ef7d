"""The command as people run it: a process of its own, the real library, embedder and answerer, no network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, Cli, child_environment

from rag.library.lock import write_lock
from tests.record_samples import BETWEEN, BROKEN

QUESTION = "How much smaller are TILDEv2's indexes?"
COMMAND = [sys.executable, "-c", "from rag.cli import main; main()"]


@pytest.fixture
def seeds(seed_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared seed library as PAPERCHAT_HOME, for commands that only read."""
    monkeypatch.setenv("PAPERCHAT_HOME", str(seed_home))
    return seed_home


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_ask_answers_with_evidence(seeds: Path, cli: Cli) -> None:
    done = cli("ask", QUESTION)
    assert done.returncode == 0, done.stderr
    answer, evidence = done.stdout.split("\n\n", maxsplit=1)
    assert "99%" in answer
    assert "[1]" in answer
    assert "TILDEv2" in evidence.splitlines()[0] or "Fast Passage Re-ranking" in evidence
    assert "(2021-" in evidence
    assert "99%" in evidence


def test_every_quote_is_verbatim_in_its_paper(seeds: Path, cli: Cli) -> None:
    (row,) = rows(cli("ask", "--json", QUESTION).stdout)
    from rag.library.library import Library

    library = Library.open(seeds / "library")
    papers = library.papers([citation["paper_id"] for citation in row["citations"]])
    library.close()
    assert row["citations"]
    for citation in row["citations"]:
        assert papers[citation["paper_id"]].abstract[citation["start"] : citation["end"]] == citation["quote"]


def test_a_question_about_nothing_here_is_refused_with_titles(seeds: Path, cli: Cli) -> None:
    done = cli("ask", "--json", "Who won the 2022 FIFA World Cup?")
    (row,) = rows(done.stdout)
    assert done.returncode == 0
    assert (row["outcome"], row["refused"], row["citations"]) == ("refused", True, [])
    assert row["reason"]
    assert row["nearest"]
    shown = cli("ask", "Who won the 2022 FIFA World Cup?").stdout
    assert row["reason"] in shown
    assert all(paper["title"] in shown for paper in row["nearest"])


def test_a_batch_loads_the_models_once_and_answers_in_order(seeds: Path, cli: Cli) -> None:
    lines = [{"qid": 1, "question": QUESTION}, {"qid": 2, "question": ""}, {"qid": 3, "question": "x" * 100_000}]
    done = cli("ask", "--batch", "-", "--json", stdin="\n".join(map(json.dumps, lines)))
    first, empty, long = rows(done.stdout)
    assert done.returncode == 3
    assert (first["qid"], first["refused"]) == (1, False)
    assert [(row["qid"], row["error"]["type"]) for row in (empty, long)] == [(2, "QuestionError"), (3, "QuestionError")]


def test_retrieve_finds_the_paper_first(seeds: Path, cli: Cli) -> None:
    (row,) = rows(cli("retrieve", "--json", "-k", "3", QUESTION).stdout)
    assert [paper["rank"] for paper in row["papers"]] == [1, 2, 3]
    assert "TILDEv2" in row["papers"][0]["title"] or "Passage Re-ranking" in row["papers"][0]["title"]
    assert row["papers"][0]["score"] >= row["papers"][1]["score"] >= row["papers"][2]["score"]


@pytest.mark.parametrize("question", ["", "   ", "?" * 100_000])
def test_a_question_that_is_none_ends_with_2_and_one_line(question: str, seeds: Path, cli: Cli) -> None:
    done = cli("ask", question)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_bytes_that_are_no_text_in_a_question_are_no_traceback(seeds: Path, cli: Cli) -> None:
    done = cli("ask", "--json", os.fsdecode(b"What is TILDE\xff\xfe?"))
    assert "Traceback" not in done.stderr
    assert rows(done.stdout)


def test_without_a_library_the_next_command_is_named(home: Path, cli: Cli) -> None:
    for arguments in (["ask", "q"], ["retrieve", "q"], ["library", "stats"]):
        done = cli(*arguments)
        assert done.returncode == 4
        assert "paperchat ingest" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not home.exists()


def test_ingest_again_changes_nothing(seed_copy: Path, cli: Cli) -> None:
    before = cli("library", "stats", "--json").stdout
    done = cli("ingest", "--json", str(ROOT / "seeds"))
    assert done.returncode == 0
    assert Counter(row["outcome"] for row in rows(done.stdout)) == {"unchanged": 254}
    assert cli("library", "stats", "--json").stdout == before
    assert json.loads(before) | {"fingerprint": "", "generation": 0} == {
        "papers": 237,
        "passages": json.loads(before)["passages"],
        "entries": 254,
        "duplicates": 17,
        "sources": 4,
        "fingerprint": "",
        "generation": 0,
    }


def test_ingest_says_once_what_was_odd_where(seed_copy: Path, tmp_path: Path, cli: Cli) -> None:
    page = (ROOT / "seeds" / "001_2860d7431af7726a.txt").read_text(encoding="utf-8")
    (tmp_path / "page.txt").write_text(page.replace("Homeomorphism Prior", "Another Prior"), encoding="utf-8")
    first = cli("ingest", str(tmp_path / "page.txt"))
    (warning,) = [line for line in first.stderr.splitlines() if "has no footer" in line]
    assert warning.startswith('warning: page.txt:357: "Another Prior')
    assert cli("ingest", str(tmp_path / "page.txt")).stderr == ""


def test_one_bad_file_among_good_ones_ends_with_3(seed_copy: Path, tmp_path: Path, cli: Cli) -> None:
    bad = tmp_path / "picture.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    done = cli("ingest", "--json", str(bad), *map(str, sorted((ROOT / "seeds").glob("*.txt"))[:1]))
    outcomes = Counter(row["outcome"] for row in rows(done.stdout))
    assert done.returncode == 3
    assert outcomes["failed"] == 1
    assert outcomes["unchanged"] > 1


def test_nothing_but_bad_files_ends_with_1(seed_copy: Path, tmp_path: Path, cli: Cli) -> None:
    bad = tmp_path / "picture.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    before = cli("library", "stats", "--json").stdout
    done = cli("ingest", str(bad))
    assert done.returncode == 1
    assert "picture.txt" in done.stdout + done.stderr
    absent = cli("ingest", str(tmp_path / "absent"))
    assert absent.returncode == 1
    assert "absent" in absent.stdout + absent.stderr
    assert "Traceback" not in done.stderr + absent.stderr
    assert cli("library", "stats", "--json").stdout == before


def test_records_that_are_no_papers_end_with_3_beside_others_and_with_1_alone(
    home: Path, tmp_path: Path, cli: Cli
) -> None:
    mixed, alone = tmp_path / "mixed", tmp_path / "alone"
    for folder, samples in ((mixed, BETWEEN), (alone, BROKEN)):
        folder.mkdir()
        for kind, (name, text) in samples.items():
            (folder / f"{kind} {name}").write_text(text, encoding="utf-8")
    for _ in range(2):  # a second time, too
        done = cli("ingest", "--json", str(mixed))
        failed = [row for row in rows(done.stdout) if row["outcome"] == "failed"]
        assert done.returncode == 3
        assert sorted(row["source"] for row in failed) == sorted(
            f"{kind} {name}" for kind, (name, _) in BETWEEN.items()
        )
        assert all(re.fullmatch(r"line \d+", row["item"]) and row["reason"] for row in failed)
    done = cli("ingest", str(alone))
    assert done.returncode == 1
    assert "failed: bibtex refs.bib: line 1: A record without a title was left out. Correct the file" in done.stdout


def test_a_locked_library_says_who_holds_it(seed_copy: Path, cli: Cli) -> None:
    with write_lock(seed_copy / "library", timeout=0):
        done = cli("library", "repair", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["retryable"] is True
    assert str(os.getpid()) in done.stderr


def test_a_corrupt_library_is_one_line(seed_copy: Path, cli: Cli) -> None:
    catalog, *journals = sorted((seed_copy / "library").glob("*.sqlite*"))
    for journal in journals:  # copied from a library that the session has open
        journal.unlink()
    catalog.write_bytes(b"not a database" * 1000)
    for arguments in (["ask", QUESTION], ["library", "verify"], ["ingest", str(ROOT / "seeds")]):
        done = cli(*arguments)
        assert done.returncode == 4, done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_verify_passes_and_a_repair_mends_a_lost_index(seed_copy: Path, cli: Cli) -> None:
    assert cli("library", "verify").returncode == 0
    for file in [path for path in (seed_copy / "library").rglob("*") if path.is_file() and "sqlite" not in path.name]:
        if "lock" not in file.name:
            file.write_bytes(b"")
    broken = cli("library", "verify", "--json")
    assert broken.returncode == 4
    assert not json.loads(broken.stdout)["ok"]
    assert cli("library", "repair").returncode == 0
    assert cli("library", "verify").returncode == 0


def test_rebuild_keeps_the_papers(seed_copy: Path, cli: Cli) -> None:
    before, after = (json.loads(cli("library", name, "--json").stdout) for name in ("stats", "rebuild"))
    assert after | {"generation": 0} == before | {"generation": 0}
    assert after["generation"] > before["generation"]
    assert cli("library", "verify").returncode == 0


def test_a_wrong_model_path_is_one_line(seeds: Path, cli: Cli) -> None:
    done = cli("ask", QUESTION, PAPERCHAT_EMBEDDER="/nowhere")
    assert done.returncode == 5
    assert done.stderr.startswith("paperchat: No embedder at /nowhere.")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_traceback(seeds: Path) -> None:
    batch = "\n".join(json.dumps({"qid": n, "question": QUESTION}) for n in range(50))
    process = subprocess.Popen(
        [*COMMAND, "retrieve", "--batch", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(batch.encode())
    process.stdin.close()
    assert process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) == 1


def test_ctrl_c_ends_with_130_and_no_traceback(seeds: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "retrieve", "--batch", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps({"qid": 1, "question": QUESTION}).encode() + b"\n")
    process.stdin.flush()
    assert process.stdout.readline()  # answered, and waiting for the next line
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_chat_follows_up_in_one_process(seeds: Path, cli: Cli) -> None:
    done = cli("chat", stdin=f"{QUESTION}\nWhen was it published?\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[1]") >= 2


def test_the_guard_of_these_tests_would_see_a_network_call() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, check=False
    )
    assert "no network in tests" in done.stderr
