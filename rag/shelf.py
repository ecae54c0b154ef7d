"""The library as people browse and tend it: for faces that know answers but not the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, get_args, overload

from rag.answer.pipeline import Paperchat
from rag.errors import LibraryError, NotFoundError, QuestionError
from rag.ingest import IngestReport, ingest
from rag.library.browsing import Listing, Order
from rag.library.removal import Removed
from rag.papers import Filters, Paper, Part

if TYPE_CHECKING:
    from rag.library.library import Library

__all__ = ["MOST", "ORDERS", "Order", "Page", "Removed", "Shelf"]

ORDERS: tuple[Order, ...] = get_args(Order)
MOST = 500  # papers on one page
FARTHEST = 10**9  # offset, so that SQLite can count so far
MAX_QUERY = 500  # characters of a query that are looked at
MAX_SHOWN = 80  # characters of an unknown id in a message

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of papers; `total` is how many the whole list has."""

    papers: tuple[Paper, ...]
    total: int


class Shelf:
    """The papers of one engine's library. Safe for threads; a library that is not there yet is empty.

    Every method raises LibraryError where the library is damaged or was built by another embedder.
    """

    def __init__(self, engine: Paperchat) -> None:
        self._engine = engine

    def browse(
        self,
        query: str = "",
        *,
        organisation: str | None = None,
        source: str | None = None,
        published_from: date | None = None,
        published_to: date | None = None,
        order: Order | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> Page:
        """`limit` papers (1 to `MOST`) after the first `offset` of those that pass, undated ones last by date.

        All words of `query` must be in a paper's title, abstract or organisation; the last may be
        unfinished. Dates are inclusive. Without an `order`, papers come by relevance to the query, or the
        newest first without one.

        Raises:
            QuestionError: there is no such order.
        """
        if order is not None and order not in ORDERS:
            raise QuestionError(f"There is no order {order!r}.", f"Choose one of {', '.join(ORDERS)}.")
        if (listing := self._listing) is None:
            return Page((), 0)
        filters = Filters(published_from, published_to, _storable(organisation))
        papers, total = listing.page(
            filters,
            query=query[:MAX_QUERY],
            source=_storable(source),
            order=order or "relevance",
            offset=min(max(0, offset), FARTHEST),
            limit=min(max(1, limit), MOST),
        )
        return Page(tuple(papers), total)

    def paper(self, paper_id: str) -> Paper:
        """One paper.

        Raises:
            NotFoundError: the library has none of this id.
        """
        if paper := self.papers([paper_id]).get(paper_id):
            return paper
        shown = paper_id if len(paper_id) <= MAX_SHOWN else f"{paper_id[:MAX_SHOWN]}…"
        raise NotFoundError(f"The library has no paper “{shown}”.", "It may have been removed; search for its title.")

    def papers(self, paper_ids: Iterable[str]) -> dict[str, Paper]:
        """The papers of these ids; unknown ids are left out."""
        return self._library.papers(paper_ids) if self._library else {}

    def sources_of(self, paper_id: str) -> list[str]:
        """Names of the files that list a paper, sorted."""
        return self._library.sources_of(_storable(paper_id)) if self._library else []

    def versions_of(self, paper_id: str) -> list[Paper]:
        """Papers that are versions of this one, by their abstracts, the likest first."""
        return self._library.versions_of(_storable(paper_id)) if self._library else []

    def sections_of(self, paper_id: str) -> list[tuple[str, int | None]]:
        """Headings of a paper's full text in their order, each with the page on which its section begins; none
        where only the abstract is known, or a page is."""
        body = self._library.body(_storable(paper_id)) if self._library else None
        parts = body.parts if body else ()
        begins = [part for before, part in zip((None, *parts), parts, strict=False) if _heading(before) != part.section]
        return [(part.section, part.page) for part in begins if part.section]

    def organisations(self) -> list[tuple[str, int]]:
        """Organisations with their numbers of papers, in alphabetical order."""
        return self._listing.organisations() if self._listing else []

    def sources(self) -> list[tuple[str, int]]:
        """Files that papers were read from, with the numbers of papers that they list, in alphabetical order."""
        return self._listing.sources() if self._listing else []

    def years(self) -> list[tuple[int, int]]:
        """Years with their numbers of papers, the oldest first; undated papers are left out."""
        return self._listing.years() if self._listing else []

    def span(self) -> tuple[date, date] | None:
        """The dates of the oldest and of the newest paper; None while there is no dated one."""
        return self._listing.span() if self._listing else None

    def count(self) -> int:
        """How many papers there are."""
        return self._library.count() if self._library else 0

    @property
    def generation(self) -> int:
        """How many writes there have been; equal generation, equal content."""
        return self._library.generation if self._library else 0

    def add(self, paths: Iterable[Path], progress: Callable[[int, int], None] | None = None) -> IngestReport:
        """Put the papers that files list into the library, making one where there is none.

        `progress` is called with (papers stored, papers to store). A file that fails gets a row in the
        report, and the others go on. Questions find the papers as soon as this returns.

        Raises:
            LibraryLockedError: somebody else is writing.
        """
        library = self._engine.opened_library(make=True)
        assert library
        most = self._engine.settings.max_file_mb * 1_000_000
        report = ingest(paths, library, self._engine.embedder, progress=progress, most_bytes=most)
        self._redraw_map(library)
        return report

    def remove(self, paper_ids: Iterable[str]) -> Removed:
        """Take papers out; unknown ids are ignored. What is returned undoes it, and is kept in memory only.

        Raises:
            LibraryLockedError: somebody else is writing.
        """
        return self._library.remove(paper_ids) if self._library else Removed()

    def undo(self, removed: Removed) -> int:
        """Put papers back as they were, nothing embedded again; returns how many had not come back already.

        Raises:
            LibraryLockedError: somebody else is writing.
            LibraryError: the library has been rebuilt since.
        """
        return self._library.put_back(removed) if self._library else 0

    @property
    def _library(self) -> Library | None:
        return self._engine.opened_library()

    @property
    def _listing(self) -> Listing | None:
        return self._library.listing if self._library else None

    @staticmethod
    def _redraw_map(library: Library) -> None:
        """The map is drawn anew when it is opened, too: a failure here loses nothing that was added."""
        from rag.atlas import refresh

        try:
            refresh(library)
        except LibraryError as error:
            log.warning("The map of the library was not drawn: %s", error)


def _heading(part: Part | None) -> str | None:
    return part.section if part else None


@overload
def _storable(text: str) -> str: ...
@overload
def _storable(text: None) -> None: ...
def _storable(text: str | None) -> str | None:
    """Text that SQLite takes: half a surrogate pair, which a program can send, becomes a question mark."""
    return None if text is None else text.encode("utf-8", "replace").decode()
