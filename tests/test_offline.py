"""No network: a whole round in a process with every socket call recorded, and the switches that keep it so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import child_environment

LISTING = """new

Daily Papers

Dec 15

Cats at Rest

Cats sleep for 16 hours a day on average. We measured 40 cats in their homes.

  • 3 authors
·
Aug 30, 2023

Dogs at Work

Dogs guard sheep and reach a speed of 45 km/h. They need no leash for it.

  • 2 authors
·
May 5, 2022
"""

# Written before anything is imported: every socket call that could leave the process, loopback too.
RECORDER = """
import json, os, sys
seen = []
watched = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo",
           "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
sys.addaudithook(lambda event, args: seen.append([event, repr(args)[:200]]) if event in watched else None)
"""

ROUND = (
    RECORDER
    + """
from pathlib import Path
import rag
from rag.answer.pipeline import Paperchat
from rag.ingest import ingest, library_fingerprint
from rag.library.library import Library
from rag.models.embedder import load_embedder
from rag.settings import load_settings

settings = load_settings()
embedder = load_embedder(settings)
library = Library.open(settings.library_folder, library_fingerprint(embedder))
report = ingest([Path(sys.argv[1])], library, embedder)
library.close()
engine = Paperchat(settings)
answers = [engine.ask(q).as_dict() for q in (
    "How many hours do cats sleep?", "How many papers were published in 2022?", "What is the capital of France?")]
sound = engine.library.verify().ok
engine.close()
loaded = sorted({name.split(".")[0] for name in sys.modules})
from llama_index.core import Settings
touched = {name: value is not None for name, value in vars(Settings).items()}
print(json.dumps({"rows": [row.outcome for row in report.rows], "answers": answers, "sound": sound,
                  "seen": seen, "loaded": loaded, "touched": touched}))
"""
)


def child(code: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, cwd=cwd, env=child_environment() | environment, timeout=240, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one whole round in a fresh process did."""
    folder = tmp_path_factory.mktemp("round")
    (folder / "listing.txt").write_text(LISTING, "utf-8")
    ran = child(ROUND, str(folder / "listing.txt"), cwd=folder, PAPERCHAT_HOME=str(folder / "home"))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_a_whole_round_works_without_a_network(done: dict[str, Any]) -> None:
    assert done["rows"] == ["added", "added"]
    assert done["sound"]
    cats, counted, france = done["answers"]
    assert "16 hours" in cats["answer"]
    assert cats["citations"][0]["title"] == "Cats at Rest"
    assert counted["answer"].startswith("The library holds 1 paper published in 2022 (of 2 in all).")
    assert france["refused"]


def test_nothing_was_looked_up_connected_to_or_listened_on(done: dict[str, Any]) -> None:
    # urllib3 tries at its import whether the machine has IPv6, by binding any port of the loopback.
    assert [call for call in done["seen"] if not (call[0] == "socket.bind" and call[1].endswith("('::1', 0))"))] == []


def test_what_the_quotes_need_not_was_not_loaded(done: dict[str, Any]) -> None:
    assert {"chromadb", "tantivy", "onnxruntime"} <= set(done["loaded"])
    heavy = {"gradio", "llama_index", "matplotlib", "onnx", "openai", "pandas", "plotly", "scipy",
             "sentence_transformers", "sklearn", "torch", "transformers", "xllamacpp"}  # fmt: skip
    assert not heavy & set(done["loaded"])


def test_llama_index_global_settings_were_never_touched(done: dict[str, Any]) -> None:
    assert {"_llm", "_embed_model"} <= set(done["touched"])
    assert not any(done["touched"].values()), done["touched"]


@pytest.mark.parametrize(
    "call",
    [
        "import socket; socket.getaddrinfo('example.org', 443)",
        "import socket; socket.create_connection(('192.0.2.1', 443), 1)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=1)",
    ],
)
def test_the_guard_of_these_tests_guards_child_processes(call: str, tmp_path: Path) -> None:
    ran = child(call, cwd=tmp_path)
    assert ran.returncode != 0
    assert "no network in tests" in ran.stderr


def test_the_recorder_records(tmp_path: Path) -> None:
    code = RECORDER + "import socket\nsocket.getaddrinfo('localhost', 1)\nprint(json.dumps(seen))"
    ran = child(code, cwd=tmp_path)
    assert [event for event, _ in json.loads(ran.stdout)] == ["socket.getaddrinfo"]


SWITCHES = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED", "ANONYMIZED_TELEMETRY",
            "TOKENIZERS_PARALLELISM", "TIKTOKEN_CACHE_DIR")  # fmt: skip
SHOW = "import json, os, sys, rag; print(json.dumps([dict(os.environ), sorted(sys.modules)]))"


def switched(tmp_path: Path, **given: str) -> tuple[dict[str, str], list[str]]:
    """Environment and modules of a process that has imported `rag` with only these switches given."""
    environment = {name: value for name, value in child_environment().items() if name not in SWITCHES} | given
    ran = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    after, modules = json.loads(ran.stdout)
    return after, modules


def test_importing_rag_sets_the_switches_and_loads_nothing_heavy(tmp_path: Path) -> None:
    environment, modules = switched(tmp_path)
    assert {name: environment.get(name) for name in SWITCHES[:5]} == {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "ANONYMIZED_TELEMETRY": "False",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert any(Path(environment["TIKTOKEN_CACHE_DIR"]).iterdir())
    heavy = {"torch", "chromadb", "gradio", "openai", "llama_index.core", "sentence_transformers", "xllamacpp"}
    assert not heavy & set(modules)


def test_a_users_own_switches_stay(tmp_path: Path) -> None:
    environment, _ = switched(tmp_path, HF_HUB_OFFLINE="0", TIKTOKEN_CACHE_DIR=os.fspath(tmp_path))
    assert environment["HF_HUB_OFFLINE"] == "0"
    assert environment["TIKTOKEN_CACHE_DIR"] == os.fspath(tmp_path)
