"""A sentence embedder by ONNX Runtime, from what `onnx_export` wrote: neither torch nor transformers is loaded."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag import offline as _offline  # noqa: F401  (TOKENIZERS_PARALLELISM must be set before the import below)
from rag.errors import ModelError
from rag.models.encoding import batches, spans, unit
from rag.models.interfaces import Encoded

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

MODEL, TOKENIZER, ABOUT = "model.onnx", "tokenizer.json", "about.json"
BUDGET = 256  # tokens in a batch, padding counted: what a core's cache holds; 16 times that takes 30 % longer
MOST_THREADS = 8  # beyond that memory is the limit


@dataclass(frozen=True, slots=True)
class About:
    """What the weights do not tell. `size` is the model file's, in bytes.

    `quantised` says that the scales of the arithmetic depend on all that is in a run, so each text runs alone.
    """

    size: int
    dimension: int
    max_tokens: int
    pad_id: int
    inputs: tuple[str, ...]
    quantised: bool = False
    query_prompt: str = ""
    document_prompt: str = ""

    def write(self, folder: Path) -> None:
        """Write it beside the model."""
        (folder / ABOUT).write_text(json.dumps(asdict(self), indent=1), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> About:
        """Read it back.

        Raises:
            OSError: it is not there.
            ValueError: it is not what `write` wrote.
        """
        found = json.loads((folder / ABOUT).read_text("utf-8"))
        try:
            return cls(**{**found, "inputs": tuple(found["inputs"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"{folder / ABOUT} lacks or has too much of what it should hold: {error}") from None


class OnnxEmbedder:
    """A model in ONNX with its tokenizer. Any number of threads may use it at once.

    A batch runs in one thread, and several batches side by side: on two cores that is a third faster than
    two threads within each batch, and a lone question starts no thread at all.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """`folder` holds an export.

        Raises:
            ModelError: it does not.
        """
        self.folder = folder
        self.fingerprint = fingerprint
        try:
            self._about = About.read(folder)
        except (OSError, ValueError) as error:
            raise self._broken(error) from error
        self.dimension = self._about.dimension
        self.max_tokens = self._about.max_tokens
        self._threads = threads()
        self._lock = threading.Lock()  # while something is loaded
        self._cores = threading.Semaphore(self._threads)  # more runs than cores push each other out of the caches

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, as documents or as questions; cut at `max_tokens`."""
        prompt = self._about.query_prompt if query else self._about.document_prompt
        with self._lock:
            session, tokenizer = self._session, self._cutting_tokenizer
        cut = tokenizer.encode_batch([prompt + text for text in texts])
        groups = batches([len(one) for one in cut], 1 if self._about.quantised else BUDGET)

        def run(group: list[int]) -> list[Encoded]:
            with nullcontext() if query else self._cores:  # a question waits for no document
                return self._run(session, [cut[at] for at in group], len(prompt))

        if len(groups) == 1 or self._threads == 1:
            done = [run(group) for group in groups]
        else:
            # A pool for each call: threads that wait for work would not come along when a process forks.
            with ThreadPoolExecutor(min(self._threads, len(groups))) as pool:
                done = list(pool.map(run, groups))
        at_place = {at: one for group, of in zip(groups, done, strict=True) for at, one in zip(group, of, strict=True)}
        return [at_place[at] for at in range(len(texts))]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones; nothing is cut."""
        with self._lock:
            tokenizer = self._tokenizer
        return [len(one) for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _run(self, session: InferenceSession, group: Sequence[Encoding], prompt: int) -> list[Encoded]:
        ids = np.full((len(group), max(len(one) for one in group)), self._about.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(group):
            ids[row, : len(one)] = one.ids
            mask[row, : len(one)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens, vectors = session.run(["tokens", "vector"], {name: feed[name] for name in self._about.inputs})
        vectors = unit(vectors)
        return [
            Encoded(
                vectors[row],
                unit(tokens[row, : len(one)]),
                spans(np.array(one.offsets, dtype=np.int32).reshape(-1, 2), prompt),
            )
            for row, one in enumerate(group)
        ]

    @cached_property
    def _session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # it would keep a plan of memory for each shape that was ever seen
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(self.folder / MODEL, options, providers=["CPUExecutionProvider"])
        except _onnx_errors() as error:
            raise self._broken(error) from error

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str((self.folder / TOKENIZER).read_text("utf-8"))
        except Exception as error:  # tokenizers raises nothing narrower
            raise self._broken(error) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _cutting_tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    def _broken(self, error: Exception) -> ModelError:
        return ModelError(
            f"The embedder's ONNX export in {self.folder} cannot be used: {error}",
            "Delete that folder; it is made anew at the next use.",
        )


def threads() -> int:
    """How many batches run at once: OMP_NUM_THREADS where it is set, else the cores of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return min(int(wanted), MOST_THREADS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_THREADS)


def _onnx_errors() -> tuple[Any, ...]:
    """What ONNX Runtime raises for a file that it cannot use; its errors have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (state.Fail, state.InvalidProtobuf, state.InvalidGraph, state.NoSuchFile, state.InvalidArgument,
            state.NotImplemented, state.RuntimeException)  # fmt: skip
