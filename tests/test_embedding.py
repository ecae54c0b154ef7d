"""Batches made ahead of who stores them: in order, few at once, and none begun for nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing

import pytest
from library_helpers import many_papers

from rag.embedding import AHEAD, BATCH, ahead, batches
from rag.library.records import Record
from rag.papers import Paper

PAPERS = many_papers(12 * BATCH)


def empty(paper: Paper) -> Record:
    return Record(paper, (), [])


class Made:
    """Makes batches, and keeps how many were begun and how many at once."""

    def __init__(self, side_by_side: int = 1) -> None:
        self.begun = self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._met = threading.Barrier(side_by_side)

    def __call__(self, papers: Sequence[Paper]) -> list[Record]:
        with self._lock:
            self.begun += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self._met.wait(30)  # for the others, where batches are to be made side by side
        with self._lock:
            self.at_once -= 1
        return [empty(paper) for paper in papers]


def test_batches_come_in_order_and_are_made_two_at_a_time() -> None:
    make = Made(side_by_side=2)
    stored = [record.paper for batch in ahead(make, batches(PAPERS)) for record in batch]
    assert stored == PAPERS
    assert make.most_at_once == AHEAD == 2


def test_whoever_stores_slowly_is_not_overrun() -> None:
    make = Made()
    for taken, _ in enumerate(ahead(make, batches(PAPERS)), 1):
        assert make.begun <= taken + AHEAD


def test_whoever_stops_lets_nothing_more_begin() -> None:
    make = Made()
    with closing(ahead(make, batches(PAPERS))) as made:
        next(made)
    assert make.begun <= 1 + AHEAD
    assert not make.at_once


def test_a_failure_comes_after_all_that_was_made_before_it() -> None:
    failing = list(batches(PAPERS))[3]

    def make(papers: Sequence[Paper]) -> list[Record]:
        if papers == failing:
            raise ValueError("cannot be embedded")
        return [empty(paper) for paper in papers]

    stored: list[Paper] = []
    with pytest.raises(ValueError, match="cannot be embedded"):
        stored += (record.paper for batch in ahead(make, batches(PAPERS)) for record in batch)
    assert stored == PAPERS[: 3 * BATCH]
