"""The doctor: every fault is named with what to do about it, and looking changes and contacts nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from typer.testing import CliRunner

from rag.cli import app
from rag.doctor import Check, diagnose
from rag.models.embedder import bundled_folder
from rag.models.reranker import IN_PROCESS

SECRET = "sk-very-secret-0123456789"


def check(name: str) -> Check:
    return {found.name: found for found in diagnose()}[name]


def test_all_is_well_on_the_seed_library(seed_copy: Path) -> None:
    assert {found.name: found.severity for found in diagnose()} == dict.fromkeys(
        (
            "python", "settings", "disk", "embedder", "reranker", "local model", "tokens", "network",
            "offline switches", "library", "fingerprint", "writer",
        ),
        "ok",
    )  # fmt: skip
    assert "237 papers" in check("library").message


@pytest.mark.parametrize("name", [*IN_PROCESS, "none"])
def test_every_reranker_that_needs_no_model_is_ready(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_RERANKER", name)
    assert check("reranker").severity == "ok"


def test_every_problem_comes_with_a_remedy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_EMBEDDER", "/nowhere")
    monkeypatch.setenv("PAPERCHAT_RERANKER", "org/some-reranker")
    monkeypatch.setenv("PAPERCHAT_LOCAL_MODEL", "/nowhere.gguf")
    monkeypatch.setenv("PAPERCHAT_ANSWERER", "openai")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    found = {c.name: c for c in diagnose()}
    assert {name: c.severity for name, c in found.items() if c.severity != "ok"} == {
        "embedder": "error",
        "reranker": "warning",
        "local model": "warning",
        "tokens": "error",
        "network": "error",
        "offline switches": "warning",
        "library": "warning",
    }
    assert all(c.remedy for c in found.values() if c.severity != "ok")
    assert not any(c.remedy for c in found.values() if c.severity == "ok")


def test_looking_makes_no_library(home: Path) -> None:
    diagnose()
    assert not home.exists()


def test_a_missing_local_model_is_an_error_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_LOCAL_MODEL", "/nowhere.gguf")
    assert check("local model").severity == "warning"
    monkeypatch.setenv("PAPERCHAT_ANSWERER", "local")
    assert check("local model").severity == "error"


def test_a_wrong_setting_ends_the_checks_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_SORCES", "3")
    last = diagnose()[-1]
    assert (last.name, last.severity) == ("settings", "error")
    assert "PAPERCHAT_SORCES" in last.message


def test_nothing_leaves_this_machine_by_default() -> None:
    assert check("network").message.startswith("Nothing leaves this machine")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, "answers: 127.0.0.1:11434"),
        ({"OPENAI_BASE_URL": "https://llm.example/v1"}, "answers: llm.example:443"),
        ({"OPENAI_API_KEY": SECRET}, "answers: OpenAI's own endpoint"),
        ({"OPENAI_API_KEY": SECRET, "PAPERCHAT_ANSWERER": "quotes"}, "Nothing leaves this machine"),
    ],
)
def test_the_host_that_gets_the_questions_is_named_and_no_secret_is(
    environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert said in check("network").message
    assert SECRET not in repr(diagnose())


def test_a_damaged_library_is_an_error_and_not_a_traceback(seed_copy: Path) -> None:
    catalog, *journals = sorted((seed_copy / "library").glob("*.sqlite*"))
    for journal in journals:  # copied from a library that the session has open
        journal.unlink()
    catalog.write_bytes(b"not a database" * 1000)
    assert check("library").severity == "error"
    assert check("library").remedy


def test_another_embedder_is_an_error_that_names_the_command(
    seed_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(bundled_folder(), tmp_path / "other-model"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"initializer_range": 0.5}))
    monkeypatch.setenv("PAPERCHAT_EMBEDDER", str(other))
    assert check("fingerprint").severity == "error"
    assert "paperchat library rebuild" in check("fingerprint").remedy


def test_the_writer_is_named(seed_copy: Path) -> None:
    from rag.library.lock import write_lock

    with write_lock(seed_copy / "library", timeout=0):
        found = check("writer")
    assert found.severity == "warning"
    assert str(os.getpid()) in found.message
    assert check("writer").severity == "ok"


def test_little_space_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=5 << 20)
    monkeypatch.setattr("rag.doctor.shutil.disk_usage", lambda _: usage)
    assert check("disk").severity == "warning"
    assert "5 MiB" in check("disk").message


def test_the_command_prints_json_and_fails_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    well = CliRunner().invoke(app, ["doctor", "--json"])
    assert well.exit_code == 0
    assert json.loads(well.stdout)["ok"] is True
    monkeypatch.setenv("PAPERCHAT_EMBEDDER", "/nowhere")
    ill = CliRunner().invoke(app, ["doctor", "--json"])
    row: dict[str, Any] = {c["name"]: c for c in json.loads(ill.stdout)["checks"]}["embedder"]
    assert ill.exit_code == 1
    assert row == {"name": "embedder", "severity": "error", "message": row["message"], "remedy": row["remedy"]}
    assert "/nowhere" in row["message"]


def test_the_command_shows_problems_with_remedies(cli: Cli) -> None:
    done = cli("doctor", PAPERCHAT_EMBEDDER="/nowhere")
    assert done.returncode == 1
    assert "error   embedder: No embedder at /nowhere." in done.stdout
    assert "PAPERCHAT_EMBEDDER" in done.stdout
