"""The terminal: what is printed where, the JSON contract, exit codes, and nothing a paper says is obeyed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import fill, open_library, paper
from typer.testing import CliRunner, Result

from rag.answer.answer import Answer, Citation, Event, Finished, RetrievedPassage, Searched, Sentence, TextDelta, Turn
from rag.batch import parse_history, read_batch
from rag.cli import app
from rag.errors import EndpointError, LibraryEmptyError, ModelError, PaperchatError, QuestionError, SourceError
from rag.ingest import IngestReport, IngestRow, IngestWarning
from rag.papers import Filters, Paper, Passage
from rag.readers import READ, load, read_raw
from rag.show import plain, show_ingest, show_warnings

PAPER = Paper(
    "tilde", "[bold]TILDEv2[/bold] \x1b[31mred\x1b[0m", "Its index is 99% smaller. It is fast.", date(2021, 8, 24)
)
UNDATED = Paper("nv", "NV-Embed", "It scores 69.32.")
QUOTE = "Its index is 99% smaller."
ANSWER = Answer(
    question="How much smaller?",
    query_used="How much smaller is TILDEv2's index?",
    filters=Filters(published_from=date(2021, 1, 1)),
    answer="It is 99% smaller [1]. It scores 69.32 [2].",
    outcome="answered",
    reason="",
    answerer="quotes",
    citations=(Citation(1, PAPER, QUOTE, 0, len(QUOTE), 0.91), Citation(2, UNDATED, UNDATED.abstract, 0, 16, 0.8)),
    passages=(RetrievedPassage(PAPER, Passage("tilde:0", "tilde", 0, QUOTE, 0, 25), {"dense": 0.5, "score": 0.7}),),
    timings_ms={"total": 12.5},
)
REFUSAL = replace(
    ANSWER,
    answer="The papers do not answer this.",
    outcome="refused",
    reason="Nothing was relevant enough.",
    citations=(),
    nearest=(UNDATED, PAPER),
)
SCORES = {"dense": 0.4, "dense_rank": 2, "whole": 0.3, "linear": -1.5}
SIDES = ("a ranker", "an index")
CONTRACT = {
    "question", "query_used", "filters", "answer", "outcome", "refused", "reason", "citations", "passages", "answerer",
    "model", "timings_ms", "usage",
}  # fmt: skip


@dataclass
class FakeEngine:
    """Stands for `Paperchat`: answers what it is given, and records what it was asked."""

    answer: Answer = ANSWER
    error: PaperchatError | None = None
    asked: list[tuple[str, tuple[Turn, ...], str | None]] = field(default_factory=list)
    styles: list[str | None] = field(default_factory=list)
    closed: int = 0

    def __call__(self, settings: object) -> FakeEngine:
        return self

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, answerer: str | None = None, style: str | None = None
    ) -> Iterator[Event]:
        self._note(question, history, answerer, style)
        yield Searched(self.answer.query_used, self.answer.filters, self.answer.passages)
        for word in self.answer.answer.split(" "):
            yield TextDelta(word + " ")
        yield Finished(self.answer)

    def ask(
        self, question: str, history: Sequence[Turn] = (), *, answerer: str | None = None, style: str | None = None
    ) -> Answer:
        self._note(question, history, answerer, style)
        return replace(self.answer, question=question)

    def retrieve(self, question: str, history: Sequence[Turn] = (), *, k: int = 10) -> Any:
        self._note(question, history, None)
        papers = [
            SimpleNamespace(rank=i + 1, paper=p, score=0.5, scores=SCORES) for i, p in enumerate((PAPER, UNDATED))
        ]
        return SimpleNamespace(query_used=question, filters=Filters(), papers=papers[:k], sides=SIDES)

    def close(self) -> None:
        self.closed += 1

    def _note(self, question: str, history: Sequence[Turn], answerer: str | None, style: str | None = None) -> None:
        self.asked.append((question, tuple(history), answerer))
        self.styles.append(style)
        if self.error is not None:
            raise self.error
        if not question.strip():
            raise QuestionError("The question is empty.", "Type one.")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    module = ModuleType("rag.answer.pipeline")
    module.Paperchat = engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rag.answer.pipeline", module)
    return engine


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)


def batch_file(*rows: object) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    Path("batch.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "batch.jsonl"


# --- ask ---------------------------------------------------------------------------------------


def test_ask_prints_the_answer_and_below_it_title_date_and_quote(fake: FakeEngine) -> None:
    done = run("ask", "How much smaller?")
    assert done.exit_code == 0
    answer, below = done.stdout.split("It scores 69.32 [2].", maxsplit=1)
    assert "It is 99% smaller [1]." in answer
    assert "Searched for: How much smaller is TILDEv2's index?" in answer
    assert "Only papers published since 2021-01-01" in answer
    assert "(2021-08-24)" in below
    assert f"“{QUOTE}”" in below
    assert "[2] NV-Embed (undated)" in below
    assert done.stderr == ""
    assert fake.closed == 1


def test_titles_are_neither_markup_nor_terminal_commands(fake: FakeEngine) -> None:
    done = run("ask", "How much smaller?")
    assert "[1] [bold]TILDEv2[/bold] �[31mred�[0m" in done.stdout
    assert "\x1b" not in done.stdout


def test_several_quotes_of_one_paper_stand_below_one_title(fake: FakeEngine) -> None:
    fake.answer = replace(ANSWER, citations=(*ANSWER.citations, Citation(1, PAPER, "It is fast.", 26, 37, 0.5)))
    below = run("ask", "q").stdout
    assert below.count("TILDEv2[/bold]") == 1
    assert below.index(QUOTE) < below.index("It is fast.") < below.index("[2] NV-Embed")


def test_a_refusal_is_an_answer_with_its_reason_and_the_nearest_titles(fake: FakeEngine) -> None:
    fake.answer = REFUSAL
    done = run("ask", "Who won?")
    assert done.exit_code == 0
    assert (
        done.stdout.index("do not answer") < done.stdout.index("Nothing was relevant") < done.stdout.index("NV-Embed")
    )


def test_an_unsupported_sentence_is_marked(fake: FakeEngine) -> None:
    fake.answer = replace(ANSWER, outcome="partial", sentences=(Sentence("It flies.", (1,), 0.1, False, "no number"),))
    assert "Not supported by its source: It flies. no number" in run("ask", "q").stdout


def test_a_style_is_passed_on(fake: FakeEngine) -> None:
    assert run("ask", "--style", "short", "What?").exit_code == 0
    assert run("ask", "--style", "bullets", "--json", "What?").exit_code == 0
    assert fake.styles == ["short", "bullets"]
    assert run("ask", "--style", "epic", "What?").exit_code == 2


@pytest.mark.parametrize(("name", "has"), [("a.md", "# What?"), ("a.bib", "@misc{"), ("a.json", '"outcome"')])
def test_an_answer_is_exported_beside_being_shown(fake: FakeEngine, tmp_path: Path, name: str, has: str) -> None:
    fake.answer = replace(ANSWER, question="What?")
    done = run("ask", "What?", "--export", str(tmp_path / name))
    assert done.exit_code == 0
    assert "It is 99% smaller [1]." in done.stdout
    assert has in (tmp_path / name).read_text(encoding="utf-8")


def test_an_export_of_another_form_is_refused_before_anything_is_asked(fake: FakeEngine, tmp_path: Path) -> None:
    done = run("ask", "What?", "--export", str(tmp_path / "a.docx"))
    assert done.exit_code == 2
    assert fake.asked == []
    assert run("ask", "--batch", "x.jsonl", "--export", "a.md").exit_code == 2


def test_ask_json_keeps_the_contract(fake: FakeEngine) -> None:
    done = run("ask", "--json", "--answerer", "quotes", "How much smaller?")
    (line,) = done.stdout.splitlines()
    row = json.loads(line)
    assert set(row) >= CONTRACT
    assert row["citations"][0] == {
        "n": 1, "paper_id": "tilde", "title": PAPER.title, "published": "2021-08-24", "quote": QUOTE,
        "start": 0, "end": 25, "support": 0.91,
        "in_full_text": None,
    }  # fmt: skip
    assert row["passages"][0] == {
        "paper_id": "tilde",
        "title": PAPER.title,
        "text": QUOTE,
        "scores": {"dense": 0.5, "score": 0.7},
    }
    assert row["filters"] == {"published_from": "2021-01-01"}
    assert fake.asked == [("How much smaller?", (), "quotes")]


def test_history_comes_from_a_file_or_from_standard_input(fake: FakeEngine) -> None:
    history = json.dumps([{"role": "user", "content": "What is TILDE?"}, {"role": "assistant", "content": "A ranker."}])
    Path("h.json").write_text(history, encoding="utf-8")
    turns = (Turn("user", "What is TILDE?"), Turn("assistant", "A ranker."))
    assert run("ask", "--json", "--history", "h.json", "And its index?").exit_code == 0
    assert run("ask", "--json", "--history", "-", "And its index?", stdin=history).exit_code == 0
    assert run("retrieve", "--json", "--history", "h.json", "And its index?").exit_code == 0
    assert [asked[1] for asked in fake.asked] == [turns, turns, turns]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "{}",
        '"text"',
        "[1]",
        '[{"role": "system", "content": "x"}]',
        '[{"role": "user"}]',
        '[{"role": "user", "content": 1}]',
    ],
)
def test_a_history_that_is_none_is_refused_in_one_line(content: str, fake: FakeEngine) -> None:
    Path("h.json").write_text(content, encoding="utf-8")
    done = run("ask", "--history", "h.json", "q")
    assert done.exit_code == 2
    assert done.stderr.startswith("paperchat: ")
    assert len(done.stderr.splitlines()) == 1
    assert not fake.asked


def test_a_missing_history_is_refused(fake: FakeEngine) -> None:
    done = run("ask", "--history", "absent.json", "q")
    assert done.exit_code == 1
    assert "absent.json" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["ask"], ["retrieve"], ["ask", "q", "--batch", "b"], ["ask", "--batch", "b", "--history", "h"]]
)
def test_wrong_usage_exits_with_2_and_asks_nothing(arguments: list[str], fake: FakeEngine) -> None:
    assert run(*arguments).exit_code == 2
    assert not fake.asked


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QuestionError("Too long.", "Shorten it."), 2),
        (LibraryEmptyError("The library is empty.", "Run `paperchat ingest seeds`."), 4),
        (ModelError("No model at /x.", "Check PAPERCHAT_EMBEDDER."), 5),
        (EndpointError("The endpoint said 401.", "Check OPENAI_API_KEY."), 6),
    ],
)
@pytest.mark.parametrize("command", ["ask", "retrieve"])
def test_an_error_is_one_line_and_an_exit_code(
    command: str, error: PaperchatError, code: int, fake: FakeEngine
) -> None:
    fake.error = error
    done = run(command, "q")
    assert done.exit_code == code
    assert done.stdout == ""
    assert done.stderr == f"paperchat: {error.message} {error.remedy}\n"
    assert fake.closed == 1


def test_with_json_an_error_is_an_object_too(fake: FakeEngine) -> None:
    fake.error = LibraryEmptyError("The library is empty.", "Run `paperchat ingest seeds`.")
    done = run("ask", "--json", "q")
    assert done.exit_code == 4
    assert json.loads(done.stdout) == {
        "error": {
            "type": "LibraryEmptyError",
            "message": fake.error.message,
            "remedy": fake.error.remedy,
            "retryable": False,
        }
    }
    assert done.stderr.startswith("paperchat: The library is empty.")


def test_an_error_in_the_middle_of_an_answer_leaves_what_was_said(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> Iterator[Event]:
        yield TextDelta("It is 99%")
        raise EndpointError("The stream was cut.", "Ask again.")

    monkeypatch.setattr(fake, "stream", cut, raising=False)
    done = run("ask", "q")
    assert done.exit_code == 6
    assert done.stdout.startswith("It is 99%")
    assert "The stream was cut." in done.stderr


def test_a_bug_is_not_hidden(fake: FakeEngine) -> None:
    fake.error = ZeroDivisionError("bug")  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        run("ask", "q")


def test_a_wrong_setting_is_one_line(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_PORT", "99999")
    done = run("ask", "q")
    assert done.exit_code == 2
    assert "PAPERCHAT_PORT" in done.stderr


# --- batches -----------------------------------------------------------------------------------


def test_a_batch_answers_each_line_in_order_with_its_qid(fake: FakeEngine) -> None:
    turns = [{"role": "user", "content": "before"}]
    file = batch_file({"qid": "a", "question": "one", "history": turns}, "", {"qid": 7, "question": "zwei", "extra": 1})
    done = run("ask", "--batch", file, "--json", "--answerer", "quotes")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert [row["qid"] for row in rows] == ["a", 7]
    assert all(set(row) >= CONTRACT for row in rows)
    assert fake.asked == [("one", (Turn("user", "before"),), "quotes"), ("zwei", (), "quotes")]
    assert fake.closed == 1


def test_one_bad_line_is_reported_with_its_qid_and_the_batch_goes_on(fake: FakeEngine) -> None:
    bad = [
        "{broken",
        "[]",
        {"qid": "x"},
        {"qid": "y", "question": 3},
        {"qid": "z", "question": "q", "history": {}},
        {"qid": "e", "question": " "},
    ]
    done = run(
        "ask", "--batch", batch_file({"qid": 1, "question": "one"}, *bad, {"qid": 2, "question": "two"}), "--json"
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 3
    assert [row["qid"] for row in rows] == [1, None, None, "x", "y", "z", "e", 2]
    assert ["error" in row for row in rows] == [False, True, True, True, True, True, True, False]
    assert [row["line"] for row in rows[1:-1]] == [2, 3, 4, 5, 6, 7]
    assert all(row["error"]["message"] and row["error"]["type"] == "QuestionError" for row in rows[1:-1])


def test_a_batch_ends_at_what_no_question_can_escape(fake: FakeEngine) -> None:
    fake.error = LibraryEmptyError("The library is empty.", "Run `paperchat ingest seeds`.")
    done = run("ask", "--batch", batch_file({"qid": 1, "question": "one"}, {"qid": 2, "question": "two"}), "--json")
    assert done.exit_code == 4
    assert len(fake.asked) == 1
    assert json.loads(done.stdout)["error"]["type"] == "LibraryEmptyError"


def test_a_batch_comes_from_standard_input_byte_by_byte_odd_or_not(fake: FakeEngine) -> None:
    done = run(
        "retrieve",
        "--batch",
        "-",
        "-k",
        "1",
        "--json",
        stdin=b'{"qid":1,"question":"a"}\n\xff\xfe\n{"qid":3,"question":"c"}',
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 3
    assert [row["qid"] for row in rows] == [1, None, 3]
    assert len(rows[0]["papers"]) == 1


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_end_the_reading_of_a_batch(lines: list[bytes]) -> None:
    path = Path("any.jsonl")
    path.write_bytes(b"\n".join(lines))
    wanted = [number for number, line in enumerate(b"\n".join(lines).split(b"\n"), start=1) if line.strip()]
    assert [asked.line for asked in read_batch(path)] == wanted


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), max_size=5))
def test_every_valid_history_is_kept_as_it_is(turns: list[tuple[str, str]]) -> None:
    parsed = parse_history(json.loads(json.dumps([{"role": role, "content": text} for role, text in turns])))
    assert [(turn.role, turn.content) for turn in parsed] == turns


# --- retrieve ----------------------------------------------------------------------------------


def test_retrieve_json_keeps_the_contract(fake: FakeEngine) -> None:
    row = json.loads(run("retrieve", "--json", "-k", "2", "smaller").stdout)
    assert row["sides"] == list(SIDES)
    assert [paper["rank"] for paper in row["papers"]] == [1, 2]
    assert row["papers"][0] == {
        "rank": 1, "paper_id": "tilde", "title": PAPER.title, "published": "2021-08-24",
        "score": 0.5, "scores": SCORES, "matched": ["smaller"], "missing": [],
    }  # fmt: skip
    assert (row["papers"][1]["matched"], row["papers"][1]["missing"]) == ([], ["smaller"])
    assert row["papers"][1]["published"] is None


@pytest.mark.parametrize("k", ["0", "-1", "ten"])
def test_retrieve_refuses_a_k_that_is_none(k: str, fake: FakeEngine) -> None:
    assert run("retrieve", "-k", k, "q").exit_code == 2


def test_retrieve_shows_ranks_titles_and_scores(fake: FakeEngine) -> None:
    shown = run("retrieve", "smaller").stdout
    assert "1. [bold]TILDEv2" in shown
    assert shown.splitlines()[1] == "     0.5000  dense 0.4 (rank 2)", "the scores of later steps are for --explain"


# --- chat --------------------------------------------------------------------------------------


def test_chat_remembers_what_was_said(fake: FakeEngine) -> None:
    done = run("chat", stdin="one\ntwo\n\n")
    assert done.exit_code == 0
    assert [asked[0] for asked in fake.asked] == ["one", "two"]
    assert fake.asked[1][1] == (Turn("user", "one"), Turn("assistant", ANSWER.answer))


def test_chat_goes_on_after_an_error(fake: FakeEngine) -> None:
    fake.error = EndpointError("Busy.", "Wait.")
    done = run("chat", stdin="one\ntwo\n")
    assert done.exit_code == 0
    assert [asked[0] for asked in fake.asked] == ["one", "two"]
    assert done.stderr.count("paperchat: Busy. Wait.") == 2


# --- characters --------------------------------------------------------------------------------


@given(st.text())
def test_plain_leaves_no_character_that_steers_a_terminal(text: str) -> None:
    shown = plain(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        steers = (
            (before < " " and before not in "\n\t")
            or "\x7f" <= before <= "\x9f"
            or "\u202a" <= before <= "\u202e"
            or "\u2066" <= before <= "\u2069"
        )
        assert after == ("�" if steers else before)


# --- what helps where a name is wrong -------------------------------------------------------------


def test_a_file_that_fails_is_named_once_and_told_what_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "mine" / "photo.png"
    photo.parent.mkdir()
    photo.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    with pytest.raises(SourceError) as raised:
        read_raw(load(photo), shown="mine/photo.png")
    assert raised.value.remedy == READ
    rows = [
        IngestRow("mine/photo.png", "photo.png", "failed", str(raised.value)),
        IngestRow("mine/no.txt", "no.txt", "failed", "mine/no.txt does not exist."),
        IngestRow("mine/odd.pdf", "odd.pdf", "failed", "It is encrypted."),
        IngestRow("A paper", "list.txt", "failed", "half a pair"),
    ]
    show_ingest(IngestReport(tuple(rows)))
    assert capsys.readouterr().out.splitlines()[:4] == [
        f"failed: mine/photo.png is not text. {READ}",
        "failed: mine/no.txt does not exist.",
        "failed: mine/odd.pdf: It is encrypted.",
        "failed: list.txt: A paper: half a pair",
    ]


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (["added"], True),
        (["unchanged"], False),
        (["unchanged", "failed"], False),  # the failed record is told in every run, what else was odd is known
        (["unchanged", "updated", "failed"], True),
        (["failed"], True),
        ([], True),
    ],
)
def test_what_was_odd_about_a_file_is_told_while_it_is_new(
    outcomes: list[str], told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tuple(IngestRow(f"P{n}", "list.txt", outcome) for n, outcome in enumerate(outcomes))  # type: ignore[arg-type]
    other = IngestRow("Q", "other.txt", "unchanged")
    odd = (IngestWarning("list.txt", 7, "has no footer"), IngestWarning("other.txt", None, "is known"))
    show_warnings(IngestReport((*rows, other), odd))
    assert capsys.readouterr().err.splitlines() == ["warning: list.txt:7: has no footer"] * told


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("TidalCache", "Did you mean “TidalCache: Serving Long Contexts” (tidalcache-serving-long-contexts)?"),
        ("tidal cashe serving long contexts", "“TidalCache: Serving Long Contexts”"),
        ("Quantum gravity", ""),
        ("Ti", ""),
    ],
)
def test_a_title_that_is_not_quite_right_is_answered_with_the_nearest(home: Path, name: str, offered: str) -> None:
    with closing(open_library(home / "library")) as library:
        fill(
            library, [paper("TidalCache: Serving Long Contexts", "It is fast."), paper("Ferns on Walls", "They grow.")]
        )
    deleted = run("library", "delete", name)
    assert deleted.exit_code == 1
    assert f"not deleted: {name}: the library has no such paper" in deleted.stdout
    assert offered in deleted.stdout
    assert ("Did you mean" in deleted.stdout) == bool(offered)
