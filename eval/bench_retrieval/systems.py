"""What is measured against what: the search as shipped, without each of its parts, and the arms alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from rag.answer.retrieve import SHIPPED, Retrieval, Retriever, Switches
from rag.library.library import Library
from rag.models.interfaces import Embedder, Reranker
from rag.models.reranker import LINEAR
from rag.papers import Filters

DEFAULT, PLAIN = "default", "min-max"
DEPTH = 100  # papers asked for
ARMS = ("dense", "words")

Ranking = list[tuple[str, float]]
"""Ids with their scores, best first."""


@dataclass(frozen=True, slots=True)
class System:
    """`search` is what is timed; `ranking` makes of what it gives what is kept and scored."""

    search: Callable[[str, Filters], Any]
    ranking: Callable[[Any], Ranking]


def parts() -> tuple[str, ...]:
    """Names of the switches that turn a part of the search on or off, the two arms apart."""
    named = (one.name for one in fields(Switches) if isinstance(getattr(SHIPPED, one.name), bool))
    return tuple(name for name in named if name not in ARMS)


def variants() -> dict[str, Switches]:
    """The switches of every system that is ours: each arm alone, both plainly fused, all, and all but one part."""
    off: dict[str, Any] = dict.fromkeys(parts(), False)
    plain = replace(SHIPPED, dense=True, words=True, fusion="min-max", **off)
    found = {
        "bm25": replace(plain, dense=False),
        "dense": replace(plain, words=False),
        "rrf": replace(plain, fusion="rrf"),
        PLAIN: plain,
        DEFAULT: SHIPPED,
    }
    for name in parts():
        is_on = getattr(SHIPPED, name)
        change: dict[str, Any] = {name: not is_on}
        found[f"{DEFAULT} {'-' if is_on else '+'} {name}"] = replace(SHIPPED, **change)
    return found


def systems(
    library: Library, embedder: Embedder, reranker: Reranker | None, ranking: Callable[[Retrieval], Ranking]
) -> dict[str, System]:
    """Every variant as a search of `library`; variants that are the same are the same system."""
    effective = {name: _effective(switches, reranker) for name, switches in variants().items()}
    made: dict[Switches, System] = {}
    for switches in effective.values():
        retriever = Retriever(library, embedder, reranker, switches)
        made.setdefault(switches, System(_search(retriever), ranking))
    return {name: made[switches] for name, switches in effective.items()}


def _effective(switches: Switches, reranker: Reranker | None) -> Switches:
    """The same without what this reranker leaves undone anyway."""
    if reranker is None or not switches.rerank:
        return replace(switches, rerank=False, linear=False)
    return switches if reranker.name == LINEAR else replace(switches, linear=False)


def scored_papers(found: Retrieval) -> Ranking:
    """The papers that were found, by id."""
    return [(ranked.paper.paper_id, ranked.score) for ranked in found.papers]


def file_name(system: str) -> str:
    """The system's name as part of a file's: "default-rerank"."""
    return system.replace(" ", "")


def distinct(named: dict[str, System]) -> dict[str, Sequence[str]]:
    """The first name of each different system -> all of its names."""
    first: dict[int, str] = {}
    names: dict[str, list[str]] = {}
    for name, system in named.items():
        names.setdefault(first.setdefault(id(system), name), []).append(name)
    return dict(names)


def _search(retriever: Retriever) -> Callable[[str, Filters], Retrieval]:
    return lambda query, filters: retriever.search(query, filters, DEPTH)
