"""What a run was made of: the settings that bear on answers, and a hash of each part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eval.questions import GoldQuestion
from eval.runs.folder import Manifest
from rag.answer.grounding import GROUNDING_VERSION, SUPPORTED
from rag.answer.pipeline import Paperchat
from rag.answer.prompts import PROMPTS_VERSION
from rag.models.interfaces import Embedder
from rag.models.local_llm import bundled_gguf
from rag.settings import AnswererName, Settings

# Where things lie and how they are served bears on no answer; the endpoint and paths are told in their own way.
_LEFT_OUT = {"home", "host", "port", "openai_api_key", "openai_base_url", "local_model", "embedder", "answerer"}
HASH_CHARS = 16


def manifest_of(
    engine: Paperchat,
    embedder: Embedder,
    kind: AnswererName,
    source: Path,
    questions: Sequence[GoldQuestion],
    n: int,
    seed: int,
    created: datetime,
) -> Manifest:
    """The manifest of a run that is about to begin: the first `n` of the `questions` of `source`.

    Raises:
        LibraryError: there is no library, or it does not fit.
    """
    configuration = public_settings(engine.settings)
    return Manifest(
        paperchat=version("paperchat"),
        created=created,
        answerer=kind,
        seed=seed,
        configuration=configuration,
        questions={"file": source.name, "n": n},
        hashes={
            "configuration": hash_of([json.dumps(configuration, sort_keys=True)]),
            "prompts": PROMPTS_VERSION,
            "models": hash_of([embedder.fingerprint, *_models(engine.settings, kind)]),
            "library": hash_of(sorted(paper.content_hash for paper in engine.library.find())),
            "questions": hash_of_questions(questions),
        },
        grounding=grounding_of_now(),
    )


def grounding_of_now() -> dict[str, Any]:
    """Version and threshold of the grounding score as it is in this paperchat."""
    return {"version": GROUNDING_VERSION, "threshold": SUPPORTED}


def public_settings(settings: Settings) -> dict[str, Any]:
    """The settings that bear on answers; no key, no folder of this machine, no query of a URL."""
    shown = settings.model_dump(mode="json", exclude=_LEFT_OUT)
    url = settings.openai_base_url
    shown["openai_base_url"] = f"{url.scheme}://{url.host}:{url.port}{url.path or ''}" if url else None
    for name in ("local_model", "embedder"):
        path = getattr(settings, name)
        shown[name] = path.name if path else None
    return shown


def hash_of(texts: Iterable[str]) -> str:
    """A short hash of texts in their order."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]


def hash_of_questions(questions: Iterable[GoldQuestion]) -> str:
    """A short hash of all that the questions ask and want."""
    return hash_of(json.dumps(asdict(gold), sort_keys=True) for gold in questions)


def _models(settings: Settings, kind: AnswererName) -> list[str]:
    """Names reranker and language model: a file by its name and size, an endpoint's by its name."""
    if kind == "quotes":
        return [settings.reranker]
    if kind in ("openai", "auto"):
        return [settings.reranker, settings.openai_model]
    file = settings.local_model or bundled_gguf()
    return [settings.reranker, file.name, str(file.stat().st_size if file.is_file() else 0)]
