"""Every system asked every question, in turns, on the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from eval.bench_library.timing import WARM_UP
from eval.bench_retrieval.systems import Ranking, System, distinct
from rag.embedding import Progress
from rag.papers import Filters


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched."""

    text: str
    filters: Filters


@dataclass(frozen=True, slots=True)
class Asked:
    """What one system found for each query, by its id, and how many seconds each search took."""

    rankings: dict[str, Ranking] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def asked(named: Mapping[str, System], queries: Mapping[str, Query], progress: Progress) -> dict[str, Asked]:
    """Ask all systems each query before the next query, so that what slows the machine slows all of them.

    Another system begins at every query: the first one reads from the disk what those after it find in memory.
    """
    names = distinct(dict(named))
    order = list(names)
    for query in list(queries.values())[:WARM_UP]:
        for name in order:
            named[name].search(query.text, query.filters)
    found = {name: Asked() for name in order}
    for number, (key, query) in enumerate(queries.items()):
        progress(number, len(queries))
        turn = number % len(order)
        for name in order[turn:] + order[:turn]:
            begun = perf_counter()
            result = named[name].search(query.text, query.filters)
            found[name].seconds.append(perf_counter() - begun)
            found[name].rankings[key] = named[name].ranking(result)
    progress(len(queries), len(queries))
    whose = {name: first for first, every in names.items() for name in every}
    return {name: found[whose[name]] for name in named}
