"""`paperchat eval` in the terminal: what is printed where, one JSON object for programs, exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, child_environment
from library_helpers import HashEmbedder
from metric_rows import citation, gold, row, sentence
from run_folders import PAPERS, contents, manifest, run_folder, small_library
from stub_endpoint import answer, endpoint
from typer.testing import CliRunner, Result

from eval.questions import read_questions
from eval.rows import Row
from eval.runs.folder import RunFolder
from rag.answer.answer import Answer
from rag.answer.pipeline import Paperchat
from rag.cli import app
from rag.feedback import FEEDBACK, FeedbackStore, judged
from rag.papers import Filters

COMMANDS = [
    "run", "score", "report", "compare", "gate", "validate-metric", "perturb", "judge", "import-feedback", "import",
    "export", "retrieval",
]  # fmt: skip
ABSTRACT = {"tildev2:": "We propose TILDEv2. Indexes are 99\\% smaller."}


def run(*arguments: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)], input=stdin, catch_exceptions=False)


def as_json(done: Result) -> Any:
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def rows_of(n: int = 24, wrong: Sequence[int] = ()) -> list[Row]:
    return [
        row(
            "They are 10% smaller [1]." if i in wrong else "They are 99% smaller [1].",
            asked=gold(f"q{i:02}"),
            sentences=(sentence(0.1, cited=0.1, alone=(0.1,)) if i in wrong else sentence(),),
            citations=[citation()],
            abstracts=ABSTRACT,
            contexts=("Indexes are 99% smaller.",),
        )
        for i in range(n)
    ]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "good", rows_of()).path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "bad", rows_of(wrong=range(12))).path


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch) -> HashEmbedder:
    """No model: words that are equal have equal vectors."""
    embedder = HashEmbedder()
    users = ("rag.models.embedder", "eval.judging.session", "eval.runs.exchange", "eval.runs.run", "eval.trust.spoil")
    for module in users:
        monkeypatch.setattr(f"{module}.load_embedder", lambda settings: embedder)
    return embedder


# --- help --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "--json" in done.stdout


def test_help_waits_for_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['paperchat', 'eval', '--help']\n"
        "from rag.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'scipy', 'numpy', 'matplotlib', 'ir_measures', 'jinja2', 'eval'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=child_environment(), cwd=tmp_path, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(command in done.stdout for command in COMMANDS)


# --- run ---------------------------------------------------------------------------------------


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rest = {"answerable": True, "type": "t", "must_include": [], "history": []}
    asked = ["How much smaller is the index of Tilde?", "What do sperm whales encode in the number of clicks?"]
    path = tmp_path / "questions.jsonl"
    titled = zip(asked, PAPERS, strict=False)
    lines = [
        json.dumps({"qid": f"q{i}", "question": question, "gold_titles": [one.title], **rest})
        for i, (question, one) in enumerate(titled)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def library(home: Path, words_only: HashEmbedder) -> Path:
    small_library(home)
    return home


def test_run_prints_figures_with_intervals_and_where_the_run_lies(
    library: Path, questions: Path, tmp_path: Path
) -> None:
    done = run("run", "--questions", questions, "--out", tmp_path / "run")
    assert done.exit_code == 0
    assert "Sentences that the context supports" in done.stdout
    assert "95 % interval" in done.stdout
    assert "agree" in done.stdout.split("Citations")[0], "how far the score agrees with people stands by faithfulness"
    assert done.stdout.rstrip().endswith(f"2 questions: {tmp_path / 'run'}")
    assert done.stderr == ""
    assert set(contents(tmp_path / "run")) == {
        "manifest.json", "run.jsonl", "summary.json", "run.trec", "junit.xml", "report.html",
    }  # fmt: skip


def test_run_json_is_one_object_with_the_summary(library: Path, questions: Path) -> None:
    found = as_json(run("run", "--questions", questions, "--limit", "1", "--json"))
    assert found["n"] == 1
    assert Path(found["run"]).parent == library / "runs"
    assert json.loads((Path(found["run"]) / "summary.json").read_text()) == {
        k: v for k, v in found.items() if k != "run"
    }


def test_ctrl_c_ends_with_130_and_the_line_that_goes_on(
    library: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, out = Paperchat.ask, tmp_path / "run"

    def stopped(self: Paperchat, question: str, *rest: Any, **options: Any) -> Answer:
        if "whales" in question:
            raise KeyboardInterrupt
        return ask(self, question, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Paperchat, "ask", stopped)
        done = run("run", "--questions", questions, "--out", out)
    assert done.exit_code == 130
    assert done.stdout == ""
    command = f"paperchat eval run --questions {questions} --out {out}"
    assert done.stderr.strip() == f"paperchat: Stopped after 1 of 2 questions. Go on with: {command}"
    done = run(*command.split()[2:])
    assert done.exit_code == 0
    assert f"{out} holds 1 of 2 answers; 1 questions are left." in done.stderr
    assert len(RunFolder(out).rows()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Cannot read"),
        ("", "holds no questions"),
        ("{", "line 1: no JSON"),
        ('{"qid": "a"}', "line 1: "),
    ],
)
def test_a_wrong_question_file_is_a_clear_error_and_makes_no_run(
    library: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "wrong.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = run("run", "--questions", path, "--out", tmp_path / "run")
    assert done.exit_code == 1
    assert str(path) in done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_without_a_library_nothing_is_made(words_only: HashEmbedder, questions: Path, tmp_path: Path) -> None:
    done = run("run", "--questions", questions, "--out", tmp_path / "run", "--json")
    assert done.exit_code == 4
    assert as_json(done)["error"]["type"] == "LibraryEmptyError"
    assert not (tmp_path / "run").exists()


def test_an_endpoint_that_is_down_ends_the_run_before_it_has_a_row(
    library: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERCHAT_RETRIES", "0")
    four = tmp_path / "four.jsonl"
    asked = [json.loads(line) for line in questions.read_text().splitlines()]
    four.write_text(
        "\n".join(json.dumps(one | {"qid": one["qid"] + n}) for n in "ab" for one in asked), encoding="utf-8"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    done = run("run", "--questions", four, "--answerer", "openai", "--out", tmp_path / "down")
    assert done.exit_code == 6
    assert RunFolder(tmp_path / "down").rows() == []
    with endpoint(answer("I cannot answer this from the papers.")) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        found = as_json(run("run", "--questions", four, "--answerer", "openai", "--out", tmp_path / "up", "--json"))
    assert (found["n"], found["failed"]) == (4, 0)
    assert found["manifest"]["configuration"]["openai_base_url"] == stub.url


# --- score, report, compare, gate --------------------------------------------------------------


def test_score_and_report_work_on_the_folder_alone(good: Path, tmp_path: Path) -> None:
    assert run("score", good).stdout.rstrip().endswith(f"24 questions: {good}")
    found = as_json(run("score", good, "--json"))
    assert found["figures"]["right"]["value"] == 1.0
    done = run("report", good, "--out", tmp_path / "page.html")
    assert done.stdout == f"Wrote {tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text() == (good / "report.html").read_text()


def test_compare_prints_every_difference_and_writes_its_page(good: Path, bad: Path, tmp_path: Path) -> None:
    done = run("compare", bad, good, "--out", tmp_path / "ab.html")
    line = next(line for line in done.stdout.splitlines() if "Right answers" in line)
    assert line.split()[2:5] == ["0.500", "1.000", "+0.500"]
    assert f"A: {bad}" in done.stdout
    assert (tmp_path / "ab.html").is_file()
    found = as_json(run("compare", bad, good, "--json"))
    assert {"a", "b", "n", "differences"} <= set(found)


def test_the_gate_lets_a_run_pass_that_is_as_good_and_stops_a_worse_one(good: Path, bad: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    assert run("gate", good, "--baseline", baseline, "--save-baseline").stdout == f"Wrote {baseline}\n"
    done = run("gate", good, "--baseline", baseline)
    assert (done.exit_code, "failed" in done.stdout) == (0, False)
    done = run("gate", bad, "--baseline", baseline)
    assert done.exit_code == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert any("faithfulness: worse by more than the margin" in line and "p (Holm)" in line for line in failed)
    done = run("gate", bad, "--baseline", baseline, "--json")
    assert done.exit_code == 1
    assert as_json(done)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gate", "RUN", "--baseline", "absent.json"], 2, "There is no baseline absent.json"),
        (["gate", "RUN", "--save-baseline"], 2, "Give --baseline FILE"),
        (["gate", "absent", "--baseline", "absent.json"], 2, "absent"),
        (["score", "absent"], 1, "no run folder"),
        (["compare", "RUN", "absent"], 1, "no run folder"),
        (["perturb"], 2, "nothing to spoil"),
        (["judge"], 2, "nothing to judge"),
        (["import", "absent.jsonl"], 1, "Cannot read absent.jsonl"),
        (["retrieval", "--qrels", "absent", "--run", "absent"], 1, "Cannot read absent"),
        (["validate-metric", "--data", "absent.jsonl"], 1, "Cannot read"),
    ],
)
def test_a_wrong_call_is_one_line_and_an_error_object_for_programs(
    good: Path, words_only: HashEmbedder, arguments: list[str], code: int, message: str
) -> None:
    words = [str(good) if word == "RUN" else word for word in arguments]
    done = run(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert set(as_json(run(*words, "--json"))["error"]) == {"type", "message", "remedy", "retryable"}


def test_a_run_of_another_version_is_a_clear_error_and_stays_as_it_is(good: Path) -> None:
    manifest_file = good / "manifest.json"
    manifest_file.write_text(manifest_file.read_text().replace('"schema": 1', '"schema": 9'), encoding="utf-8")
    before = contents(good)
    for command in (["score", good], ["report", good], ["compare", good, good], ["export", good, "--out", "x"]):
        done = run(*command)
        assert done.exit_code == 2
        assert "schema 9" in done.stderr
    assert contents(good) == before


def test_titles_and_paths_are_no_terminal_commands(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", rows_of(2), answerer="[red]\x1b[31mx")
    done = run("score", folder.path)
    assert "\x1b" not in done.stdout


# --- other tools -------------------------------------------------------------------------------


def test_import_export_and_retrieval(good: Path, tmp_path: Path, words_only: HashEmbedder, home: Path) -> None:
    assert run("export", good, "--out", tmp_path / "a.jsonl").stdout == f"Wrote {tmp_path / 'a.jsonl'}\n"
    found = as_json(run("import", tmp_path / "a.jsonl", "--json"))
    assert Path(found["run"]).parent == home / "runs"
    assert found["manifest"]["system"] == "imported"
    assert as_json(run("export", good, "--format", "trec", "--out", tmp_path / "a.trec", "--json")) == {
        "file": str(tmp_path / "a.trec")
    }
    (tmp_path / "qrels").write_text("q00 0 0 1\nq01 0 other 1\n", encoding="utf-8")
    done = run("retrieval", "--qrels", tmp_path / "qrels", "--run", tmp_path / "a.trec")
    assert "2 queries" in done.stdout
    assert as_json(run("retrieval", "--qrels", tmp_path / "qrels", "--run", tmp_path / "a.trec", "--json"))["figures"][
        "hit@1"
    ]["value"] == pytest.approx(0.5)


# --- how far to trust it -----------------------------------------------------------------------


@pytest.fixture
def labelled(tmp_path: Path) -> list[Path]:
    claims = [("Tilde has 12 small indexes.", 1), ("Zebras juggle pineapples.", 0)]
    paths = []
    for name in ("one", "two", "three"):
        rows = [
            {"id": f"{name}{i}", "question": f"Q{i}?", "context": f"Tilde has {i} small indexes. It is fast.",
             "claim_or_answer": claim.replace("12", str(i)), "label": label, "raw": "yes" if label else "no"}
            for i, (claim, label) in enumerate(claims * 4)
        ]  # fmt: skip
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text("\n".join(json.dumps(one) for one in rows), encoding="utf-8")
    return paths


def test_validate_metric_takes_several_files_after_data_or_several_datas(
    labelled: list[Path], words_only: HashEmbedder
) -> None:
    one, two, three = labelled
    found = as_json(run("validate-metric", "--data", one, two, "--data", three, "--json"))
    assert sorted(file["name"] for file in found["files"]) == ["one", "three", "two"]
    assert {"name", "n", "auroc", "auroc_ci", "bacc", "threshold", "p95_ms", "by_raw"} <= set(found["files"][0])
    assert found["grounding"] == manifest().as_dict()["grounding"]
    done = run("validate-metric", "--data", one)
    assert done.stdout.splitlines()[1].split()[:2] == ["one", "8"]
    assert "supported against" in done.stdout


def test_perturb_names_edits_bots_and_blind_spots(labelled: list[Path], words_only: HashEmbedder, good: Path) -> None:
    found = as_json(run("perturb", "--data", labelled[0], "--run", good, "--limit", "4", "--json"))
    assert {"schema", "grounding", "perturbations", "bots", "blind_spots"} == set(found)
    assert {row["perturbation"] for row in found["perturbations"]} >= {"number", "entity", "negation", "role_swap"}
    assert {(bot["name"], bot["bot"]) for bot in found["bots"]} >= {("one", "refuse_all"), ("run", "refuse_all")}
    done = run("perturb", "--data", labelled[0], "--limit", "4")
    assert "number" in done.stdout
    assert "refuse_all" in done.stdout


def test_judge_asks_once_about_a_run_and_labelled_files_and_shows_with_whom_it_agrees(
    labelled: list[Path], words_only: HashEmbedder, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with endpoint(answer("SUPPORTED")) as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        found = as_json(run("judge", good, "--data", labelled[0], labelled[1], "--json"))
        asked = len(stub.requests)
        again = run("judge", good, "--data", labelled[0], labelled[1])
        assert len(stub.requests) == asked > 0
    assert found["run"]["supported"]["value"] == 1.0
    assert [file["name"] for file in found["files"]] == ["one", "two"]
    assert "agrees with the grounding score" in again.stdout
    assert "unparsable 0" in again.stdout


def test_two_run_folders_are_not_judged_at_once(good: Path, bad: Path) -> None:
    done = CliRunner().invoke(app, ["eval", "judge", str(good), str(bad)])
    assert done.exit_code == 2


# --- feedback ----------------------------------------------------------------------------------


@pytest.fixture
def ids(home: Path) -> list[str]:
    refusal = Answer("q", "q", Filters(), "The papers do not answer that.", "refused", "Nothing.", "quotes")
    store, made = FeedbackStore(home / FEEDBACK), []
    for question in ("Who won?", "Who lost? \x1b[31m"):
        entry = judged(question, (), refusal, "helpful")
        store.append(entry)
        made.append(entry.id)
    return made


def test_each_judgement_is_shown_and_becomes_a_question_when_confirmed(ids: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mine.jsonl"
    done = run("import-feedback", "--out", out, stdin="y\nn\n")
    assert "Question: Who won?" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stdout.rstrip().endswith(f"1 questions added to {out}")
    assert [question.qid for question in read_questions(out)] == [ids[0]]
    done = run("import-feedback", "--out", out, stdin="y\n")
    assert "Who won?" not in done.stdout
    assert [question.qid for question in read_questions(out)] == ids


def test_scripts_confirm_by_id_and_json_never_asks(ids: list[str], tmp_path: Path, home: Path) -> None:
    out = tmp_path / "mine.jsonl"
    assert as_json(run("import-feedback", "--out", out, "--json")) == {"file": str(out), "added": 0}
    assert as_json(run("import-feedback", "--yes", *ids, "--out", out, "--json")) == {"file": str(out), "added": 2}
    assert as_json(run("import-feedback", "--yes", *ids, "--out", out, "--json"))["added"] == 0
    typo = run("import-feedback", "--yes", "fb-typo", "--out", out)
    assert typo.exit_code == 1
    assert "no judgement fb-typo" in typo.stderr
    assert as_json(run("import-feedback", "--yes", ids[1], "--json"))["file"] == str(home / "questions_feedback.jsonl")


# --- the real thing ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_real_command_stopped_by_a_signal_goes_on_scores_and_passes_its_own_gate(
    seed_home: Path, tmp_path: Path, cli: Cli
) -> None:
    out, baseline = tmp_path / "run", tmp_path / "baseline.json"
    words = ["eval", "run", "--limit", "30", "--answerer", "quotes", "--out", str(out)]  # enough to be stopped amid
    process = subprocess.Popen(
        [sys.executable, "-c", "from rag.cli import main; main()", *words],
        env=child_environment() | {"PAPERCHAT_HOME": str(seed_home)},
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    wait_for_rows(out, 2)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    kept = len(RunFolder(out).rows())
    assert process.returncode == 130
    assert f"Stopped after {kept} of 30 questions." in told
    assert "Traceback" not in told
    done = cli(*words, "--json", PAPERCHAT_HOME=str(seed_home))
    assert done.returncode == 0, done.stderr
    assert f"holds {kept} of 30 answers" in done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["failed"], found["manifest"]["finished"]) == (30, 0, True)
    assert found["figures"]["quote_fidelity"]["value"] == 1.0
    assert all(s.text in " ".join(row.abstracts.values()) for row in RunFolder(out).rows() for s in row.sentences)
    assert cli("eval", "gate", str(out), "--baseline", str(baseline), "--save-baseline").returncode == 0
    done = cli("eval", "gate", str(out), "--baseline", str(baseline))
    assert done.returncode == 0, done.stdout


def wait_for_rows(folder: Path, n: int) -> None:
    """Until that many rows are on the disk."""
    for _ in range(12_000):
        path = folder / "run.jsonl"
        if path.is_file() and path.read_bytes().count(b"\n") >= n:
            return
        time.sleep(0.01)
    pytest.fail(f"no {n} rows within two minutes")
