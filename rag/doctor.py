"""`paperchat doctor`: is everything here that paperchat needs, and would anything leave this machine?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rag.errors import LibraryError, LibraryLockedError, ModelError, SettingsError
from rag.settings import Settings, load_settings

Severity = Literal["ok", "warning", "error"]

SPACE_WANTED = 1 << 30
TRUE = ("1", "ON", "YES", "TRUE")  # for the hub, in any case; Gradio writes it so
SWITCHES = {
    "HF_HUB_OFFLINE": (TRUE, "model names would be looked up on a hub"),
    "GRADIO_ANALYTICS_ENABLED": (("FALSE",), "the chat would report its use"),
    "ANONYMIZED_TELEMETRY": (("FALSE",), "the vector index would report its use"),
    "HF_HUB_DISABLE_TELEMETRY": (TRUE, "model loading would report its use"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `remedy` says what to do about it and is empty when all is well."""

    name: str
    severity: Severity
    message: str
    remedy: str = ""


def diagnose() -> tuple[Check, ...]:
    """Every check, cheapest first. Contacts nothing, loads no model and leaves nothing behind."""
    return tuple(_all_checks())


def as_dict(checks: tuple[Check, ...]) -> dict[str, Any]:
    """What `doctor --json` prints: `ok` is false when any check is an error."""
    return {"ok": not any(check.severity == "error" for check in checks), "checks": [asdict(check) for check in checks]}


def _all_checks() -> Iterator[Check]:
    yield _python()
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Check("settings", "error", error.message, error.remedy)
        return
    yield Check("settings", "ok", f"home {settings.home}, answers by {settings.effective_answerer}")
    yield _disk(settings)
    yield _embedder(settings)
    yield _reranker(settings)
    yield _local_model(settings)
    yield _encodings()
    yield _network(settings)
    yield _switches()
    yield from _library(settings)


def _python() -> Check:
    return Check("python", "ok", f"Python {'.'.join(map(str, sys.version_info[:3]))}, paperchat {version('paperchat')}")


def _disk(settings: Settings) -> Check:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not os.access(folder, os.W_OK):
        return Check("disk", "error", f"{folder} cannot be written to.", "Set PAPERCHAT_HOME to a folder of yours.")
    free = shutil.disk_usage(folder).free
    if free < SPACE_WANTED:
        return Check(
            "disk", "warning", f"Only {_size(free)} are free in {folder}.", "Free some space, or move PAPERCHAT_HOME."
        )
    return Check("disk", "ok", f"{_size(free)} free in {folder}")


def _embedder(settings: Settings) -> Check:
    from rag.models.embedder import embedder_folder
    from rag.models.prefix import prefix_wanted

    try:
        folder = embedder_folder(settings)
        prefix = prefix_wanted(folder, settings.embedder_dimensions)
    except ModelError as error:
        return Check("embedder", "error", error.message, error.remedy)
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    size = sum(file.stat().st_size for file in weights)
    if not size:
        return Check(
            "embedder", "error", f"No weights in {folder}.", "Run `make install`, or check PAPERCHAT_EMBEDDER."
        )
    return _cut(f"{folder} ({_size(size)})", folder, prefix)


def _cut(name: str, folder: Path, prefix: int | None) -> Check:
    """An embedder that is there, and whether it bears to have its vectors cut."""
    from rag.models.embedder import BUNDLED
    from rag.models.prefix import vector_length

    if prefix is None:
        return Check("embedder", "ok", name)
    cut = f"{name}, vectors cut to {prefix} of {vector_length(folder) or 'an unknown number of'} dimensions"
    if BUNDLED not in folder.parts:
        return Check("embedder", "ok", cut)
    message = f"{cut}: this model is not made for it, and finds less. At 128 it loses 4 to 6 points of nDCG@10."
    remedy = "Unset PAPERCHAT_EMBEDDER_DIMENSIONS, or set PAPERCHAT_EMBEDDER to a Matryoshka model."
    return Check("embedder", "warning", message, remedy)


def _reranker(settings: Settings) -> Check:
    from rag.models.reranker import IN_PROCESS

    name = settings.reranker
    if name in (*IN_PROCESS, "none") or Path(name).expanduser().is_dir():
        return Check("reranker", "ok", name)
    remedy = "Give the folder of a CrossEncoder, or `linear`, in PAPERCHAT_RERANKER."
    return Check("reranker", "warning", f"{name} is no folder: it is found only if it was downloaded before.", remedy)


def _local_model(settings: Settings) -> Check:
    from rag.models.local_llm import bundled_gguf

    severity: Severity = "error" if settings.effective_answerer == "local" else "warning"
    try:
        file = settings.local_model or bundled_gguf()
    except ModelError as error:
        return Check("local model", severity, error.message, error.remedy)
    if file.is_file() and file.stat().st_size:
        return Check("local model", "ok", f"{file} ({_size(file.stat().st_size)})")
    return Check("local model", severity, f"No GGUF file at {file}.", "Check PAPERCHAT_LOCAL_MODEL.")


def _encodings() -> Check:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", "")
    if not folder or not any(Path(folder).glob("*")):
        message = "tiktoken's encodings are not here: counting tokens would need a network."
        return Check("tokens", "error", message, "Unset TIKTOKEN_CACHE_DIR and run `make install`.")
    return Check("tokens", "ok", f"tiktoken's encodings are in {folder}")


def _network(settings: Settings) -> Check:
    """Which host each role talks to: the question a careful user asks first."""
    roles = {"search": "this process", "reranking": "this process", "answers": "this process"}
    url = settings.openai_base_url
    if settings.effective_answerer in ("openai", "auto"):
        roles["answers"] = f"{url.host}:{url.port}" if url else "OpenAI's own endpoint, as no OPENAI_BASE_URL is set"
    text = ", ".join(f"{role}: {place}" for role, place in roles.items())
    if settings.effective_answerer not in ("openai", "auto"):
        return Check("network", "ok", f"Nothing leaves this machine ({text})")
    if url is None and settings.openai_api_key is None:
        remedy = "Set OPENAI_BASE_URL or OPENAI_API_KEY, or PAPERCHAT_ANSWERER=quotes."
        return Check(
            "network", "error", f"The openai answerer is chosen without an endpoint or a key ({text}).", remedy
        )
    return Check("network", "ok", f"Questions and passages go to one endpoint ({text})")


def _switches() -> Check:
    wrong = [
        f"{name} is {os.environ.get(name)}: {why}"
        for name, (accepted, why) in SWITCHES.items()
        if os.environ.get(name, "").upper() not in accepted
    ]
    if wrong:
        return Check(
            "offline switches", "warning", "; ".join(wrong) + ".", "Unset these variables: paperchat sets them."
        )
    return Check("offline switches", "ok", "hub look-ups and telemetry are off")


def _library(settings: Settings) -> Iterator[Check]:
    """The library as it is: its size, whether it fits the embedder, and whether it is being written."""
    from rag.library.library import Library
    from rag.library.lock import write_lock

    folder = settings.library_folder
    if not folder.exists():
        yield Check("library", "warning", f"There is no library in {folder} yet.", "Run `paperchat ingest seeds`.")
        return
    try:
        with closing(Library.open(folder)) as library:
            stats = library.stats()
    except LibraryError as error:
        yield Check("library", "error", error.message, error.remedy)
        return
    size = f"{stats.papers} papers, {stats.passages} passages, generation {stats.generation}, in {folder}"
    if stats.papers:
        yield Check("library", "ok", size)
        yield from _fingerprint(settings, stats.fingerprint)
    else:
        yield Check("library", "warning", f"The library is empty ({size}).", "Run `paperchat ingest seeds`.")
    try:
        with write_lock(folder, timeout=0):
            yield Check("writer", "ok", "nobody is writing to the library")
    except LibraryLockedError as error:
        yield Check("writer", "warning", error.message, error.remedy)


def _fingerprint(settings: Settings, built: str) -> Iterator[Check]:
    from rag.ingest import library_fingerprint
    from rag.models.embedder import load_embedder

    try:
        present = library_fingerprint(load_embedder(settings))
    except ModelError:
        return  # told under "embedder"
    if present == built:
        yield Check("fingerprint", "ok", built)
    else:
        message = f"The library was built with {built}, but {present} is configured."
        yield Check("fingerprint", "error", message, "Run `paperchat library rebuild`, or check PAPERCHAT_EMBEDDER.")


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
