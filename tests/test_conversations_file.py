"""The file of the kept conversations: shared by processes, safe in a crash, private, and told when broken."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import child_environment
from test_stored import ANSWER

from rag.conversations import ConversationStore, StoredTurn
from rag.errors import ConflictError, PaperchatError

WORKER = Path(__file__).parent / "conversations_worker.py"
ANN = "cookie:ann"


@pytest.fixture
def file(home: Path) -> Path:
    return home / "conversations.sqlite3"


@pytest.fixture
def store(file: Path) -> Iterator[ConversationStore]:
    with closing(ConversationStore(file)) as opened:
        yield opened


def at(number: int) -> str:
    return f"2026-11-21T19:30:00.{number:06}+00:00"


def turn(number: int, question: str = "How many layers?", text: str = "It has 48 [1].") -> StoredTurn:
    return StoredTurn(number, question, at(number), text)


# --- threads, processes, crashes -----------------------------------------------------------------


def worker(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment())


def test_no_kept_turn_is_lost_when_the_process_is_killed_while_writing(file: Path) -> None:
    with worker("write", file, ANN) as process:
        assert process.stdout
        mine = process.stdout.readline().strip()
        said = [int(process.stdout.readline()) for _ in range(25)]
        os.kill(process.pid, signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split()]
    with closing(ConversationStore(file)) as store:
        summary, turns = store.load(mine)
        assert [one.number for one in turns] in (said, [*said, said[-1] + 1]), "at most one not yet told of"
        assert all(one.text == "words " * 500 for one in turns)
        assert summary.turns == len(turns)
        assert len(store.list(ANN, f"question {said[-1]}")) == 1
        store.save_turn(mine, ANN, turn(len(turns) + 1), [one.asked_at for one in turns])


def test_processes_begin_and_write_the_same_new_file_at_once(file: Path) -> None:
    owners = [f"cookie:{n}" for n in range(3)]
    processes = [worker("some", file, owner, 8) for owner in owners]
    with closing(ConversationStore(file)) as store:
        for number in range(8):
            store.create(ANN, f"{number}")
        for process in processes:
            process.communicate(timeout=60)
            assert process.returncode == 0
        assert [[s.turns for s in store.list(owner)] for owner in owners] == [[8]] * 3
        assert len(store.list(ANN)) == 8


def test_threads_share_stores_and_stores_share_a_file(file: Path) -> None:
    problems: list[Exception] = []
    stores = [ConversationStore(file) for _ in range(4)]

    def work(owner: str, store: ConversationStore) -> None:
        try:
            mine = store.create(owner, owner)
            for number in range(1, 11):
                store.save_turn(mine, owner, turn(number, owner), [at(earlier) for earlier in range(1, number)])
                assert [one.question for one in store.load(mine)[1]] == [owner] * number
                assert len(store.list(owner, owner)) == 1
        except Exception as error:  # noqa: BLE001  (told in the test's own thread)
            problems.append(error)

    threads = [threading.Thread(target=work, args=(f"owner{n}", stores[n % 4])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert problems == []


def test_a_change_that_reads_before_it_writes_is_not_overtaken(store: ConversationStore, file: Path) -> None:
    mine = store.create(ANN, "T")
    with closing(ConversationStore(file)) as other:
        overtaking = threading.Thread(target=other.save_turn, args=(mine, ANN, turn(2), []))
        with store._database.transaction():
            store._database.rows("SELECT count(*) FROM conversations")
            overtaking.start()
            overtaking.join(timeout=0.2)
            assert overtaking.is_alive(), "it waits"
            store._database.changed("UPDATE conversations SET title = 'changed'")
        overtaking.join()
    assert store.load(mine)[0].title == "changed"
    assert store.load(mine)[1] == [turn(2)]


# --- the file ------------------------------------------------------------------------------------


def test_nobody_else_on_the_machine_can_read_the_file_or_its_log(store: ConversationStore, file: Path) -> None:
    store.create(ANN, "T")
    written = list(file.parent.glob("conversations.sqlite3*"))
    assert len(written) == 4, "with its log, the log's index and the lock for opening"
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}


def test_a_file_that_was_open_to_others_is_closed_to_them(file: Path) -> None:
    ConversationStore(file).close()
    file.chmod(0o644)
    ConversationStore(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_answer_that_cannot_be_read_takes_no_other_turn_with_it(store: ConversationStore, file: Path) -> None:
    mine = store.create(ANN, "T")
    for number in (1, 2, 3):
        store.save_turn(mine, ANN, replace(turn(number), answer=ANSWER), [at(earlier) for earlier in range(1, number)])
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE turns SET answer = x'00' WHERE number = 1")
        other.execute("UPDATE turns SET answer = 'text' WHERE number = 2")
        other.commit()
    first, second, third = store.load(mine)[1]
    for broken in (first, second):
        assert broken.answer is None
        assert broken.text == "It has 48 [1]."
        assert "cannot be read" in broken.problem
        assert "Ask the question again." in broken.problem
    assert third.answer == ANSWER


@pytest.mark.parametrize("damage", [b"no SQLite file at all", b"x" * 5000])
def test_a_damaged_file_is_named_with_what_to_do(file: Path, damage: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(damage)
    with pytest.raises(PaperchatError, match=r"conversations\.sqlite3 are damaged: .*move it away"):
        ConversationStore(file)
    assert file.read_bytes() == damage


def test_the_file_of_another_program_and_of_a_newer_paperchat_are_left_alone(file: Path) -> None:
    ConversationStore(file).close()
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(PaperchatError, match=r"newer paperchat \(schema 99\)\. Update paperchat"):
        ConversationStore(file)
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(PaperchatError, match="SQLite file of another program"):
        ConversationStore(file)


def test_a_full_disk_is_told_and_nothing_half_is_kept(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    pages = store._database.rows("PRAGMA page_count")[0][0]
    store._database.rows(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(PaperchatError, match=r"is full.*Check free space"):
        store.save_turn(mine, ANN, turn(1, text="zebra " * 20_000), [])
    assert store.load(mine)[1] == []
    store._database.rows("PRAGMA max_page_count = 100000")
    store.save_turn(mine, ANN, turn(1), [])
    assert store.load(mine)[1] == [turn(1)]


def refuse(store: ConversationStore, *refused: str) -> None:
    """From now on SQLite denies these steps of a transaction, as a failing disk would; none given: all work."""

    def allowed(action: int, step: str | None, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION and step in refused else sqlite3.SQLITE_OK

    store._database._connection.set_authorizer(allowed if refused else None)


def test_a_change_that_can_be_neither_kept_nor_undone_is_told_and_is_not_kept_later(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    refuse(store, "COMMIT", "ROLLBACK")
    with pytest.raises(PaperchatError, match="not authorized") as told:
        store.save_turn(mine, ANN, turn(1), [])
    assert told.value.__notes__ == ["It could not be undone: not authorized."]
    for use in (lambda: store.list(ANN), lambda: store.save_turn(mine, ANN, turn(1), [])):
        with pytest.raises(PaperchatError, match="not authorized"):
            use()
    refuse(store)
    assert store.load(mine)[1] == []
    store.save_turn(mine, ANN, turn(2), [])
    assert store.load(mine)[1] == [turn(2)]


def test_what_stopped_a_change_is_told_also_where_it_cannot_be_undone(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    store.save_turn(mine, ANN, turn(1), [])
    refuse(store, "ROLLBACK")
    with pytest.raises(ConflictError):
        store.save_turn(mine, ANN, turn(2), [])
    refuse(store)
    store._database.changed("DROP TABLE said")  # fails in the middle of a change
    refuse(store, "ROLLBACK")
    with pytest.raises(PaperchatError, match="no such table: said"):
        store.save_turn(mine, ANN, turn(2), [at(1)])
    refuse(store)
    assert store.load(mine)[1] == [turn(1)]


def test_a_place_that_cannot_be_written_is_named(home: Path) -> None:
    home.write_text("a file", "utf-8")
    with pytest.raises(PaperchatError, match=r"The conversations in .* cannot be used"):
        ConversationStore(home / "conversations.sqlite3")
