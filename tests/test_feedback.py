"""Judgements of answers: kept whole and in order, and made into questions only when a person confirms."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import child_environment
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from ui_helpers import PAPER, answered, citation

from eval.feedback import as_question, check_confirmed, confirmed_questions, described, import_feedback
from eval.questions import read_questions
from rag import feedback
from rag.answer.answer import Answer, Turn
from rag.errors import PaperchatError, SourceError
from rag.feedback import MAX_NOTE, MAX_TITLE, Feedback, FeedbackStore, judged, latest

OTHER = replace(PAPER, paper_id="slow-y", title="Slow Y")
CITED = answered(
    "“We study X.” [1] Again [1] and [2].",
    (citation(1, PAPER, "We study X."), citation(2, OTHER, "We study X."), citation(1, PAPER, "It costs $5")),
)
REFUSED = answered("The papers do not answer that.", outcome="refused", nearest=(PAPER,))
HISTORY = [Turn("user", "What is X?"), Turn("assistant", "X is fast [1].")]


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "home" / "feedback.jsonl")


def entry(question: str = "Is it fast?", answer: Answer = CITED, verdict: Any = "helpful", **said: Any) -> Feedback:
    return judged(question, HISTORY, answer, verdict, **said)


def every(_: Feedback) -> bool:
    return True


def never(_: Feedback) -> bool:
    return False


# --- the store ------------------------------------------------------------------------------------


def test_a_judgement_is_kept_whole_and_read_back(store: FeedbackStore) -> None:
    given_ = entry(note="  It is\nso.  ", right_paper=" Fast \n X ", unanswerable=True, verdict="not_helpful")
    store.append(given_)
    store.append(entry("Another?"))
    first, second = store.read()
    assert first.answer == json.loads(json.dumps(CITED.as_dict()))
    assert (first.question, first.history) == ("Is it fast?", tuple(HISTORY))
    assert (first.note, first.right_paper, first.unanswerable) == ("It is\nso.", "Fast X", True)
    assert first.at.endswith("+00:00")
    assert second.question == "Another?"


def test_nothing_was_ever_judged(store: FeedbackStore) -> None:
    assert store.read() == []
    assert not store.path.parent.exists(), "reading makes nothing"


def test_only_the_owner_can_read_it(store: FeedbackStore) -> None:
    store.append(entry())
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_note_without_end_is_cut(store: FeedbackStore) -> None:
    cut = entry(note="n" * 1_000_000, right_paper="t" * 1_000_000)
    assert (len(cut.note), len(cut.right_paper)) == (MAX_NOTE, MAX_TITLE)


@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_any_text_is_one_line_and_reads_back(tmp_path_factory: pytest.TempPathFactory, note: str, text: str) -> None:
    store = FeedbackStore(tmp_path_factory.mktemp("any") / "feedback.jsonl")
    for said in (entry(text, answered(text), note=note), entry()):
        store.append(said)
    first, last = store.read()
    plain = text.encode("utf-8", "replace").decode()
    assert (first.question, first.answer["answer"]) == (plain, plain)
    assert first.note == note.strip()[:MAX_NOTE].encode("utf-8", "replace").decode()
    assert last.question == "Is it fast?"


def test_an_id_is_that_of_the_answer_not_of_the_moment_or_the_verdict() -> None:
    same = {entry().id, entry(verdict="not_helpful", note="No.").id, entry(answer=replace(CITED, timings_ms={})).id}
    assert len(same) == 1
    others = {entry("Is it slow?").id, entry(answer=REFUSED).id, judged("Is it fast?", [], CITED, "helpful").id}
    assert len(others | same) == 4


def test_the_last_judgement_of_an_answer_counts(store: FeedbackStore) -> None:
    for said in (entry(), entry("Other?"), entry(verdict="not_helpful"), entry(verdict="not_helpful", note="No.")):
        store.append(said)
    assert [(one.question, one.verdict, one.note) for one in latest(store.read())] == [
        ("Is it fast?", "not_helpful", "No."),
        ("Other?", "helpful", ""),
    ]
    assert len(store.read()) == 4, "nothing is taken away"


def test_after_a_torn_line_the_next_judgement_is_a_line_of_its_own(store: FeedbackStore) -> None:
    store.append(entry())
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + whole[:40])
    store.append(entry("After the crash?"))
    lines = store.path.read_bytes().split(b"\n")
    assert lines[1] == whole[:40]
    with pytest.raises(SourceError, match="line 2"):
        store.read()
    store.path.write_bytes(b"\n".join([lines[0], *lines[2:]]))
    assert [one.question for one in store.read()] == ["Is it fast?", "After the crash?"]


def _damaged(change: Any) -> bytes:
    from dataclasses import asdict

    row = json.loads(json.dumps(asdict(entry())))
    change(row)
    return json.dumps(row).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "Invalid JSON"),
        (b"[]", "no judgement"),
        (b'{"id": "fb-\xff"}', "Invalid JSON"),
        (_damaged(lambda row: row.pop("question")), "question"),
        (_damaged(lambda row: row.update(verdict="great")), "verdict.*helpful"),
        (_damaged(lambda row: row.update(schema_version=2)), "schema_version"),
        (_damaged(lambda row: row.update(extra=1)), "extra"),
        (_damaged(lambda row: row["answer"].pop("citations")), "no answer of paperchat's"),
        (_damaged(lambda row: row["answer"].update(citations=[{}])), "no answer of paperchat's"),
        (_damaged(lambda row: row["history"][0].update(role="system")), "role"),
    ],
)
def test_a_malformed_line_is_named_with_its_reason(store: FeedbackStore, line: bytes, reason: str) -> None:
    store.append(entry())
    with store.path.open("ab") as file:
        file.write(b"\n" + line + b"\n")
    with pytest.raises(SourceError, match=f"(?s)line 3: .*{reason}") as refused:
        store.read()
    assert str(store.path) in refused.value.message
    assert "Is it fast" not in refused.value.message


def test_what_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PaperchatError, match="cannot be written"):
        FeedbackStore(tmp_path / "file" / "feedback.jsonl").append(entry())
    monkeypatch.setattr(feedback, "LOCK_S", 0.05)
    with FileLock(tmp_path / "held.jsonl.lock"), pytest.raises(PaperchatError, match="Another process"):
        FeedbackStore(tmp_path / "held.jsonl").append(entry())


WRITER = """
import sys
from pathlib import Path
from ui_helpers import answered
from rag.feedback import FeedbackStore, judged
store = FeedbackStore(Path(sys.argv[1]))
for n in range(15):
    store.append(judged(f"{sys.argv[2]}-{n}?", [], answered("A" * 20_000), "helpful"))
"""


def test_threads_and_processes_do_not_mix_their_lines(store: FeedbackStore) -> None:
    environment = child_environment()
    environment["PYTHONPATH"] += f":{Path(__file__).parent}"
    command = [sys.executable, "-c", WRITER, str(store.path)]
    processes = [subprocess.Popen([*command, f"p{n}"], env=environment) for n in range(2)]
    long = answered("B" * 20_000)

    def write(name: str) -> None:
        for n in range(15):
            store.append(judged(f"{name}-{n}?", [], long, "helpful"))

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    written = [one.question for one in store.read()]
    assert sorted(written) == sorted(f"{name}-{n}?" for name in ("p0", "p1", "t0", "t1") for n in range(15))
    for name in ("p0", "p1", "t0", "t1"):
        assert [one for one in written if one.startswith(name)] == [f"{name}-{n}?" for n in range(15)]


# --- what makes a question ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answerable", "titles"),
    [
        (entry(), True, ("Fast X", "Slow Y")),
        (entry(right_paper="Slow Y"), True, ("Slow Y",)),
        (entry(answer=answered("There are 7.")), True, ()),
        (entry(answer=REFUSED), False, ()),
        (entry(verdict="not_helpful", right_paper="Other Z"), True, ("Other Z",)),
        (entry(verdict="not_helpful", unanswerable=True), False, ()),
        (entry(verdict="not_helpful", answer=REFUSED, right_paper="Other Z"), True, ("Other Z",)),
    ],
    ids=[
        "helpful",
        "helpful but for a paper",
        "a count",
        "a right refusal",
        "wrong paper",
        "no answer",
        "should answer",
    ],
)
def test_a_judgement_that_says_what_is_right_is_a_question(
    said: Feedback, answerable: bool, titles: tuple[str, ...]
) -> None:
    question = as_question(said)
    assert question is not None
    assert (question.answerable, question.gold_titles) == (answerable, titles)
    assert (question.qid, question.question, question.history) == (said.id, "Is it fast?", tuple(HISTORY))
    assert question.must_include == ()


def test_a_judgement_that_does_not_say_what_is_right_is_none_and_nobody_is_asked() -> None:
    entries = [entry(verdict="not_helpful", note="Bad."), entry(answer=REFUSED, verdict="not_helpful")]
    asked: list[Feedback] = []
    assert confirmed_questions(entries, lambda one: bool(asked.append(one)) or True) == []
    assert asked == []
    assert "not said" in described(entries[0])


def test_what_a_person_sees_before_confirming() -> None:
    shown = described(entry(note="Right.", answer=replace(CITED, answer="Long. " * 500)))
    assert [line.split(":")[0].strip() for line in shown.split("\n")[1:]] == [
        *["After", "Question", "Verdict", "Answer", "Note", "Right"]
    ]
    assert "What is X?" in shown
    assert "Fast X; Slow Y" in shown
    assert len(shown) < 800
    assert "hold no answer" in described(entry(answer=REFUSED))


# --- the import -----------------------------------------------------------------------------------


def test_only_confirmed_rows_are_imported_and_the_others_wait(store: FeedbackStore, tmp_path: Path) -> None:
    out = tmp_path / "sets" / "mine.jsonl"
    for question in ("One?", "Two?", "Three?"):
        store.append(entry(question))
    before = store.path.read_bytes()
    assert import_feedback(store.path, out, never) == 0
    assert not out.exists()
    assert import_feedback(store.path, out, lambda one: one.question == "Two?") == 1
    assert [question.question for question in read_questions(out)] == ["Two?"]
    asked: list[str] = []
    assert import_feedback(store.path, out, lambda one: not asked.append(one.question)) == 2
    assert asked == ["One?", "Three?"], "what is in the set is not asked about again"
    assert [question.question for question in read_questions(out)] == ["Two?", "One?", "Three?"]
    whole = out.read_bytes()
    assert import_feedback(store.path, out, every) == 0
    assert (out.read_bytes(), store.path.read_bytes()) == (whole, before)


def test_an_answer_judged_twice_is_one_question_with_the_last_word(store: FeedbackStore, tmp_path: Path) -> None:
    store.append(entry())
    store.append(entry(verdict="not_helpful", right_paper="Other Z"))
    assert import_feedback(store.path, tmp_path / "q.jsonl", every) == 1
    assert read_questions(tmp_path / "q.jsonl")[0].gold_titles == ("Other Z",)


def test_questions_that_were_there_stay_as_they_were(store: FeedbackStore, tmp_path: Path) -> None:
    out = tmp_path / "q.jsonl"
    row = {"qid": "mine", "question": "Ünï\u2028?", "answerable": True, "type": "fact", "gold_titles": ["A"]}
    line = json.dumps(row | {"must_include": ["7|seven"], "history": [], "must_not_include": []}, ensure_ascii=False)
    out.write_text(line, encoding="utf-8")  # without a line feed at its end
    store.append(entry())
    assert import_feedback(store.path, out, every) == 1
    assert out.read_text(encoding="utf-8").split("\n")[0] == line
    assert [question.qid for question in read_questions(out)] == ["mine", entry().id]


def test_a_new_set_is_for_its_owner_alone_and_an_old_one_keeps_its_mode(store: FeedbackStore, tmp_path: Path) -> None:
    out = tmp_path / "q.jsonl"
    store.append(entry())
    import_feedback(store.path, out, every)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.chmod(0o640)
    store.append(entry("Two?"))
    import_feedback(store.path, out, every)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_an_id_that_makes_no_question_is_named(store: FeedbackStore) -> None:
    unclear = entry("Two?", verdict="not_helpful", note="Bad.")
    for one in (entry(), unclear):
        store.append(one)
    check_confirmed(store.path, [entry().id])
    with pytest.raises(SourceError, match="no judgement fb-0"):
        check_confirmed(store.path, [entry().id, "fb-0"])
    with pytest.raises(SourceError, match=f"{unclear.id} does not say"):
        check_confirmed(store.path, [unclear.id])


def test_a_malformed_set_or_store_is_an_error_and_nothing_is_written(store: FeedbackStore, tmp_path: Path) -> None:
    out = tmp_path / "q.jsonl"
    out.write_text("no row\n")
    store.append(entry())
    with pytest.raises(SourceError, match="line 1"):
        import_feedback(store.path, out, every)
    assert out.read_text() == "no row\n"
    store.path.write_text("no judgement\n")
    with pytest.raises(SourceError, match="line 1"):
        import_feedback(store.path, tmp_path / "new.jsonl", every)
    assert not (tmp_path / "new.jsonl").exists()


def test_an_interrupted_confirmation_leaves_everything(store: FeedbackStore, tmp_path: Path) -> None:
    store.append(entry())
    store.append(entry("Two?"))

    def interrupted(one: Feedback) -> bool:
        if one.question == "Two?":
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        import_feedback(store.path, tmp_path / "q.jsonl", interrupted)
    assert list(tmp_path.glob("*q.jsonl*")) == []
    assert len(store.read()) == 2
