"""The installation: what is declared, pinned, imported and installed are one and the same."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGES = ("rag", "ui", "eval")
# Distributions whose module is not called like them.
MODULES = {
    "argon2-cffi": "argon2",
    "llama-index-core": "llama_index.core",
    "llama-index-llms-openai-like": "llama_index.llms.openai_like",
    "llama-index-vector-stores-chroma": "llama_index.vector_stores.chroma",
    "markdown-it-py": "markdown_it",
    "python-docx": "docx",
    "python-dotenv": "dotenv",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
# Measure with the test tools, which `make bench` and `make bench-ui` install.
MEASURING = (ROOT / "eval" / "bench_ui", ROOT / "eval" / "bench_library")
# Installed beside llama-index for programs that use its stores and endpoints with ours; nothing here imports them.
FOR_LLAMA_INDEX_PROGRAMS = {"llama-index-llms-openai-like", "llama-index-vector-stores-chroma"}
HEAVY = {
    "chromadb",
    "gradio",
    "llama_index",
    "numpy",
    "openai",
    "sentence_transformers",
    "torch",
    "xllamacpp",
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared() -> dict[str, Requirement]:
    return {canonical(r.name): r for r in map(Requirement, project()["dependencies"])}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def installed_closure() -> dict[str, str]:
    """Name and version of everything that paperchat and its tests need, as installed here."""
    waiting = [Requirement(text) for text in project()["dependencies"] + project()["optional-dependencies"]["test"]]
    seen: set[tuple[str, frozenset[str]]] = set()
    versions = {}
    while waiting:
        wanted = waiting.pop()
        key = (canonical(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        versions[key[0]] = metadata.version(wanted.name).split("+")[0]
        for text in metadata.requires(wanted.name) or []:
            needed = Requirement(text)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return versions


def test_every_version_that_is_needed_is_pinned_as_installed() -> None:
    pinned = {canonical(name): version for name, version in pins().items()}
    assert pinned == installed_closure()


def test_the_weights_are_pinned_by_hash_and_are_no_dependencies() -> None:
    text = (ROOT / "models.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 2
    for line in lines:
        assert (match := re.fullmatch(r"([\w-]+)==([\d.]+)\s+--hash=sha256:[0-9a-f]{64}", line))
        assert metadata.version(match[1]) == match[2]
        assert match[1] not in declared()
        assert match[1] not in pins()


def imported_names() -> set[str]:
    names: set[str] = set()
    for package in PACKAGES:
        for file in set((ROOT / package).rglob("*.py")) - {f for folder in MEASURING for f in folder.rglob("*.py")}:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
    return {name for name in names if name.split(".")[0] not in {*PACKAGES, *sys.stdlib_module_names}}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    modules = {MODULES.get(name, name.replace("-", "_")): name for name in declared()}
    used, undeclared = set(), set()
    for name in imported_names():
        owners = {owner for module, owner in modules.items() if f"{name}.".startswith(f"{module}.")}
        used |= owners
        undeclared |= set() if owners else {name}
    assert not undeclared, "add these to pyproject.toml"
    assert set(declared()) - used <= FOR_LLAMA_INDEX_PROGRAMS, "drop what nothing imports from pyproject.toml"


def test_the_command_is_installed_and_names_its_version() -> None:
    (script,) = metadata.distribution("paperchat").entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("paperchat", "rag.cli:main")
    assert metadata.version("paperchat") == project()["version"]


def test_continuous_integration_runs_exactly_the_tests_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv looks installed: make decides by the stamps alone."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "models.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    stamp = re.search(r"\.venv/\.installed-\w+", would_run(folder, "install"))
    assert stamp
    (folder / stamp[0]).touch()
    return folder


def would_run(folder: Path, target: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", target]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_second_install_does_nothing(checkout: Path) -> None:
    assert "pip" not in would_run(checkout, "install")
    assert "pip" not in would_run(checkout, "chat")


def test_newer_files_alone_install_nothing(checkout: Path) -> None:
    (checkout / "constraints.txt").touch()
    assert "pip" not in would_run(checkout, "install")


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "models.txt"])
def test_a_change_of_what_is_to_be_installed_installs_it(name: str, checkout: Path) -> None:
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    assert "pip" in would_run(checkout, "install")


def test_the_tests_command_adds_the_test_tools_once(checkout: Path) -> None:
    first = would_run(checkout, "test")
    assert "-e '.[test]'" in first
    stamp = re.search(r"\.venv/\.test-tools-\w+", first)
    assert stamp
    (checkout / stamp[0]).touch()
    assert "pip" not in would_run(checkout, "test")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from rag.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as done:\n    assert not done.code, done.code\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    for arguments in (["--help"], ["ask", "--help"], ["library", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout
        assert not HEAVY & set(done.stderr.split())


def test_the_python_call_is_there_without_its_weight() -> None:
    code = "import sys, rag; assert 'ask' in rag.__all__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}
