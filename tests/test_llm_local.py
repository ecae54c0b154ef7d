"""The real llama.cpp with the bundled SmolLM2: plumbing, stopping, and wrong files."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from patience import soon

from rag.errors import ModelError
from rag.models.interfaces import Message, Piece
from rag.models.local_llm import LocalGenerator, bundled_gguf

ASK = [Message("user", "Write a long story about a cat.")]


@pytest.fixture(scope="module")
def model() -> LocalGenerator:
    return LocalGenerator(bundled_gguf(), n_ctx=1024)


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_streams_the_same_text_each_time(model: LocalGenerator) -> None:
    first = list(model.stream(ASK, max_tokens=12))
    assert len(first) > 6
    assert (first[-1].text, first[-1].finish_reason) == ("", "length")
    assert first[-1].usage is not None
    assert first[-1].usage["completion_tokens"] == 12
    assert text_of(first)
    assert text_of(first) == text_of(list(model.stream(ASK, max_tokens=12)))


def test_closing_stops_at_once_and_frees_the_model(model: LocalGenerator) -> None:
    pieces = model.stream(ASK, max_tokens=600)
    next(pieces)
    with soon(3):
        pieces.close()  # type: ignore[attr-defined]
        assert text_of(list(model.stream(ASK, max_tokens=2)))


def test_stop_ends_a_prompt_that_is_still_being_read(model: LocalGenerator) -> None:
    long = [Message("user", "The cat sat on the mat. " * 120)]  # seconds of reading
    cancelled = threading.Event()
    pieces: list[Piece] = []
    listener = threading.Thread(
        target=lambda: pieces.extend(model.stream(long, max_tokens=50, cancelled=cancelled)), daemon=True
    )
    model.load()
    with soon(2.2):  # the part that is being read may end; the whole takes thrice that long
        listener.start()
        time.sleep(0.2)
        cancelled.set()
        listener.join(30)
        assert not listener.is_alive()
    assert not pieces


def test_stop_does_not_wait_for_another_generation_to_end(model: LocalGenerator) -> None:
    first = model.stream(ASK, max_tokens=600)
    next(first)
    cancelled = threading.Event()
    with soon(1):
        threading.Timer(0.2, cancelled.set).start()
        assert list(model.stream(ASK, max_tokens=5, cancelled=cancelled)) == []
    first.close()  # type: ignore[attr-defined]


def test_two_threads_take_turns(model: LocalGenerator) -> None:
    alone = text_of(list(model.stream(ASK, max_tokens=8)))
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(text_of(list(model.stream(ASK, max_tokens=8))))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [alone] * 3


def test_too_long_a_prompt_is_refused_with_a_remedy(model: LocalGenerator) -> None:
    with pytest.raises(ModelError, match=r"too long for SmolLM2.*PAPERCHAT_CONTEXT_TOKENS"):
        list(model.stream([Message("user", "word " * 3000)], max_tokens=5))
    assert text_of(list(model.stream(ASK, max_tokens=2)))


def test_json_schema_constrains_the_output(model: LocalGenerator) -> None:
    schema = {"type": "json_schema", "json_schema": {"schema": {"enum": ["zebra"]}}}
    assert text_of(list(model.stream(ASK, max_tokens=20, response_format=schema))).strip() == '"zebra"'


def test_ctrl_c_is_still_ours(model: LocalGenerator) -> None:
    list(model.stream(ASK, max_tokens=1))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "is no GGUF file"),
        (b"\x89PNG\r\n\x1a\n", "is no GGUF file"),
        (b"GGUF", "damaged"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 4000, "damaged"),
    ],
    ids=["missing", "empty", "a picture", "only the magic", "garbage after the magic"],
)
def test_a_wrong_file_is_named_with_a_remedy(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        list(LocalGenerator(path, n_ctx=512).stream(ASK, max_tokens=5))
    assert str(path) in caught.value.message
    assert says in caught.value.message
    assert "PAPERCHAT_LOCAL_MODEL" in caught.value.remedy


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(bundled_gguf().read_bytes()[:20_000_000])
    with pytest.raises(ModelError, match="damaged"):
        LocalGenerator(path, n_ctx=512).load()


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        LocalGenerator(tmp_path, n_ctx=512).load()


SILENT = """
import os, sys
from rag.models.interfaces import Message
from rag.models.local_llm import LocalGenerator, bundled_gguf
model = LocalGenerator(bundled_gguf(), n_ctx=512)
print("".join(p.text for p in model.stream([Message("user", "Hi")], max_tokens=3)) != "")
listening = [line for line in open("/proc/net/tcp").read().splitlines()[1:] if line.split()[3] == "0A"]
inodes = {line.split()[9] for line in listening}
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
ours = {os.readlink(link) for link in links if os.path.islink(link)}
print(any(f"socket:[{inode}]" in ours for inode in inodes))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_it_prints_nothing_and_opens_no_port() -> None:
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("True\nFalse\n", "", 0)
