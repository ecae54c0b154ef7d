"""What CI holds every change against: the bundled questions, asked with `quotes`, pass the bundled gate.

A change that makes answers worse on purpose must be taken into `eval/data/baseline_dev.json`
(`make baseline`), where a reviewer sees it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from eval.runs.folder import RunFolder
from eval.trust.bots import bots_of_run
from rag.answer.alignment import idf_of
from rag.answer.grounding import Grounder
from rag.models.embedder import load_embedder
from rag.settings import Settings


@pytest.mark.slow
def test_the_bundled_questions_pass_the_gate_and_no_bot_would(seed_home: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "run"
    done = cli("eval", "run", "--answerer", "quotes", "--out", str(out), "--json", PAPERCHAT_HOME=str(seed_home))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["n"], summary["failed"]) == (60, 0)
    assert {"report.html", "run.trec", "junit.xml", "summary.json"} <= {path.name for path in out.iterdir()}

    gated = cli("eval", "gate", str(out))
    assert gated.returncode == 0, gated.stdout + gated.stderr

    rows = RunFolder(out).rows()
    texts = [text for row in rows for text in row.abstracts.values()]
    found = bots_of_run(rows, Grounder(idf_of(texts), load_embedder(Settings(_env_file=None))))
    told_apart = {bot["bot"]: bot["ok"] for bot in found}
    assert told_apart == dict.fromkeys(told_apart, True)
    assert len(told_apart) == 5
