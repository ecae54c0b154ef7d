"""What one browser tab looks at in the library: search, order, filters, page, and the papers chosen. Plain data."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rag.papers import Paper
from rag.shelf import ORDERS, Order, Page, Removed

PER_PAGE = 50
MAX_QUERY = 500  # characters; more is no search
_YEAR = re.compile(r"[1-9]\d{3}")


@dataclass(slots=True)
class Browsing:
    """`picked` are the chosen papers, id -> title, also those of other pages; `opened` show their abstract.

    `order` None is the natural one: best match with a query, newest first without. `removed` is what Undo
    brings back. `note` says what was done last, `problem` why something was not. `drawn` counts how often
    the controls were drawn anew. `reports` are what became of files given, `adding` how far others are, as HTML.
    """

    query: str = ""
    order: Order | None = None
    organisation: str | None = None
    source: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    offset: int = 0
    page: Page = field(default_factory=lambda: Page((), 0))
    opened: set[str] = field(default_factory=set)
    picked: dict[str, str] = field(default_factory=dict)
    removed: Removed | None = None
    note: str = ""
    problem: str = ""
    drawn: int = 0
    reports: list[str] = field(default_factory=list)
    adding: dict[int, str] = field(default_factory=dict)

    @property
    def effective_order(self) -> Order:
        """The order in which the papers stand."""
        return self.order or ("relevance" if self.query else "newest")

    @property
    def narrowed(self) -> bool:
        """Whether some papers may be hidden."""
        return any((self.query, self.organisation, self.source, self.first_year, self.last_year))

    def search(self, words: str) -> bool:
        """Look for these words; whether that changed the order, or those that can be chosen."""
        before, self.query = (self.effective_order, bool(self.query)), " ".join(words.split())[:MAX_QUERY]
        self.offset = 0
        if not self.query and self.order == "relevance":  # to what?
            self.order = None
        return (self.effective_order, bool(self.query)) != before

    def choose(self, name: str, value: str) -> bool:
        """Take on what was chosen in the control `name`; False, and nothing changes, where that is no choice."""
        if name == "order" and value in ORDERS:
            self.order = value  # one of them
        elif name == "organisation":
            self.organisation = value or None
        elif name == "source":
            self.source = value or None
        elif name in ("first_year", "last_year") and (not value or _YEAR.fullmatch(value)):
            setattr(self, name, int(value) if value else None)
        else:
            return False
        self.offset = 0
        return True

    def clear(self) -> None:
        """No search and no filters any more; what is chosen stays chosen."""
        self.query, self.order = "", None
        self.organisation = self.source = self.first_year = self.last_year = None
        self.offset = 0

    def turn(self, pages: int) -> None:
        """Go so many pages on, or back; not beyond the ends."""
        last = max(self.page.total - 1, 0) // PER_PAGE * PER_PAGE
        self.offset = min(max(self.offset + pages * PER_PAGE, 0), last)

    def pick(self, paper: Paper) -> None:
        """Choose a paper, or no longer."""
        if paper.paper_id in self.picked:
            del self.picked[paper.paper_id]
        else:
            self.picked[paper.paper_id] = paper.title

    def pick_page(self) -> None:
        """Choose all papers on the page; where all are, none of them."""
        titles = {paper.paper_id: paper.title for paper in self.page.papers}
        if titles.keys() <= self.picked.keys():
            self.picked = {paper_id: title for paper_id, title in self.picked.items() if paper_id not in titles}
        else:
            self.picked |= titles

    def forget(self, paper_ids: Collection[str]) -> None:
        """These papers are gone."""
        self.picked = {paper_id: title for paper_id, title in self.picked.items() if paper_id not in paper_ids}
        self.opened -= set(paper_ids)

    def begin(self, number: int, progress: str) -> None:
        """Files are being added, perhaps beside others; what became of those that ended before is old."""
        if not self.adding:
            self.reports.clear()
        self.adding[number] = progress

    @property
    def uploads(self) -> str:
        """What became of files given, and how far others are."""
        return "".join([*self.reports, *self.adding.values()])

    def on_page(self, paper_id: str) -> Paper | None:
        """The paper of this id on the page; what a browser sends may be anything."""
        return next((paper for paper in self.page.papers if paper.paper_id == paper_id), None)

    def wanted(self) -> dict[str, Any]:
        """Arguments for `Shelf.browse`."""
        return {
            "query": self.query,
            "organisation": self.organisation,
            "source": self.source,
            "published_from": date(self.first_year, 1, 1) if self.first_year else None,
            "published_to": date(self.last_year, 12, 31) if self.last_year else None,
            "order": self.effective_order,
            "offset": self.offset,
            "limit": PER_PAGE,
        }
