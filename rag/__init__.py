"""paperchat: answers about research papers, with the evidence for every sentence.

`from rag import ask` is the Python call; heavy imports wait until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag import offline as _offline  # noqa: F401  (must run before any heavy import)

if TYPE_CHECKING:
    from rag.answer.answer import Answer
    from rag.answer.pipeline import ask

__all__ = ["Answer", "ask"]


def __getattr__(name: str) -> Any:
    if name == "ask":
        from rag.answer.pipeline import ask

        return ask
    if name == "Answer":
        from rag.answer.answer import Answer

        return Answer
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
