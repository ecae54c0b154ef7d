"""Every test runs alone: its own library folder, no settings of the machine, and no network but loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
GUARD = Path(__file__).parent / "offline_guard"
sys.path.insert(0, str(GUARD))
sys.modules.pop("sitecustomize", None)  # a distribution may have its own
import sitecustomize  # noqa: E402, F401  (blocks the network in this process, name look-ups included)

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run beside each other; torch's threads would fight over the cores

from rag import offline  # noqa: E402, F401  (must come before any library that it switches off)

# The same examples in every run, and however slow the machine: what fails can be run again. Others are sought with
# `--hypothesis-profile=random`, as `make test-faults` does.
UNTIMED: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("seeded", derandomize=True, database=None, **UNTIMED)
settings.register_profile("random", derandomize=False, print_blob=True, **UNTIMED)
settings.load_profile("seeded")

if TYPE_CHECKING:
    from browser_helpers import Tab
    from playwright.sync_api import Browser

    from rag.answer.pipeline import Paperchat
    from rag.library.library import Library

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts background jobs so, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

Cli = Callable[..., subprocess.CompletedProcess[str]]


def _forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(("PAPERCHAT_", "OPENAI_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        _forget_settings(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PAPERCHAT_HOME of this test: empty, and the working folder holds no `.env`."""
    _forget_settings(monkeypatch)
    folder = tmp_path / "home"
    monkeypatch.setenv("PAPERCHAT_HOME", str(folder))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return folder


@pytest.fixture(scope="session")
def seed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PAPERCHAT_HOME with the library of seeds/, built once by the command itself. Do not write to it."""
    folder = tmp_path_factory.mktemp("seeds") / "home"
    done = run_cli("ingest", "--json", str(ROOT / "seeds"), cwd=folder.parent, PAPERCHAT_HOME=str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def seed_copy(seed_home: Path, home: Path) -> Path:
    """This test's own copy of the seed library, as its PAPERCHAT_HOME: write, break, repair."""
    # A process of its own: closing the catalog here would drop the locks that `engine` holds on the original.
    subprocess.run(["cp", "-r", str(seed_home), str(home)], check=True)
    return home


@pytest.fixture(scope="session")
def engine(seed_home: Path) -> Iterator[Paperchat]:
    """Paperchat on the library of seeds/, with the real embedder and the quotes answerer. Do not write to it."""
    from rag.answer.pipeline import Paperchat
    from rag.settings import Settings

    paperchat = Paperchat(Settings(_env_file=None, home=seed_home))
    yield paperchat
    paperchat.close()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs the `paperchat` command in a process of its own, kept off the network like this one."""

    def run(*arguments: str, stdin: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return run_cli(*arguments, stdin=stdin, cwd=tmp_path / "cwd", **environment)

    return run


def run_cli(
    *arguments: str, cwd: Path, stdin: str | bytes = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The installed command's entry point under this Python; output is decoded as UTF-8."""
    done = subprocess.run(
        [sys.executable, "-c", "from rag.cli import main; main()", *arguments],
        input=stdin.encode("utf-8", "surrogateescape") if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=cwd,
        env=child_environment() | environment,
        timeout=540,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def child_environment() -> dict[str, str]:
    """The environment for a process that a test starts: this checkout's code, and no network."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(GUARD), str(ROOT)])}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's chromium; without one the test is skipped, and fails on a CI machine."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        message = "no chromium on the PATH: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser. Not for the whole session: Playwright runs an event loop in this thread."""
    from browser_helpers import SWITCHES
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture(scope="session")
def served_folder(seed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the server at `seed_url` writes: its home with the library of seeds/, and its temporary files."""
    folder = tmp_path_factory.mktemp("served")
    subprocess.run(["cp", "-r", str(seed_home), str(folder / "home")], check=True)
    (folder / "temporary").mkdir()
    return folder


@pytest.fixture(scope="session")
def seed_url(served_folder: Path, chromium: str) -> Iterator[str]:
    """Address of a page with the library of seeds/, for all tests that keep nothing but their own conversations."""
    from ui_helpers import served

    with served(served_folder / "home", TMPDIR=str(served_folder / "temporary")) as address:
        yield address


@pytest.fixture
def tab(browser: Browser, seed_url: str) -> Iterator[Tab]:
    """A tab of a browser of its own at `seed_url`; nothing may go wrong in it."""
    from browser_helpers import Tab

    opened = Tab(browser, seed_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def seed_library(seed_home: Path) -> Iterator[Library]:
    """The library of seeds/, opened as it was built. Do not write to it."""
    from rag.library.library import Library

    library = Library.open(seed_home / "library")
    yield library
    library.close()
