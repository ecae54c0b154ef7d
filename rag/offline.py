"""Process-wide switches that keep libraries off the network and out of each other's way; imported before any.

Each is read once at import by the library it belongs to, so this module must come first.
`setdefault` leaves a user's own choice alone.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def _bundled_encodings() -> str | None:
    """llama-index ships tiktoken's encodings; found without importing llama-index (1.3 s)."""
    spec = importlib.util.find_spec("llama_index")
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root) / "core" / "_static" / "tiktoken_cache"
        if folder.is_dir():
            return str(folder)
    return None


def apply() -> None:
    """Set the switches. Safe to call more than once."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # numpy's products here are small: a second thread only waits for the first, 60 times as long on a busy machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    # Gradio would keep every event and sum them up with pandas after each one, with analytics off too.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    if "TIKTOKEN_CACHE_DIR" not in os.environ and (folder := _bundled_encodings()):
        os.environ["TIKTOKEN_CACHE_DIR"] = folder


apply()
