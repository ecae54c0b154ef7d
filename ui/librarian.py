"""What happens in the library view: look for papers, choose some, ask about them, add, remove, bring back."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import gradio as gr

from rag.errors import LibraryLockedError, NotFoundError, PaperchatError
from rag.papers import Filters
from ui.browsing import Browsing
from ui.library_html import LOADING, Details, bar_html, controls_html, note_html, papers_html, sentence_html
from ui.scope_html import scope_html
from ui.services import Services
from ui.session import Session
from ui.uploads import NOT_UPLOADED, Upload, is_upload
from ui.uploads_html import progress_html, report_html
from ui.view import Views

log = logging.getLogger(__name__)

POLL_S = 0.2
TURN_S = 3.0  # as long as a removal takes at most; adding takes longer, and then the person is told
UNEXPECTED = (
    "Something went wrong inside paperchat, and this was not done. The server's log says what; "
    "`paperchat doctor` checks the installation. You can try again."
)


class Shown(NamedTuple):
    """A value for each component that events redraw, in the order of `LibraryView.outputs`."""

    search: Any = gr.skip()
    controls: Any = gr.skip()
    files: Any = gr.skip()
    report: Any = gr.skip()
    note: Any = gr.skip()
    bar: Any = gr.skip()
    papers: Any = gr.skip()
    scope: Any = gr.skip()
    status: Any = gr.skip()


class Librarian:
    """The event handlers, for all tabs. One at a time writes to the library from here."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shelf = services.shelf
        self._views = Views(services)
        self._writing = threading.Lock()
        self._numbers = itertools.count()  # of uploads
        self._acts: dict[str, Callable[[Browsing, Session, str], Shown]] = {
            "open": self._open,
            "pick": self._pick,
            "pick-page": self._pick_page,
            "unpick": self._unpick,
            "next": self._next,
            "previous": self._previous,
            "clear": self._clear,
            "about": self._about,
            "ask": self._ask,
            "remove": self._remove,
            "remove-picked": self._remove_picked,
            "undo": self._undo,
            "close-note": self._close_note,
            "close-report": self._close_reports,
        }

    async def opened(self) -> None:
        """The view was opened: until the library is loaded, and can be drawn."""
        while not self._services.warmup.done():
            await asyncio.sleep(POLL_S)

    def current(self, session: Session, browsing: Browsing) -> Shown:
        """All of the list anew, and beside it how many papers there are now."""
        try:
            status = self._views.status(session)
        except PaperchatError:  # which stands in place of the list
            status = gr.skip()
        return self._view(browsing, anew=True)._replace(status=status)  # the list last: a search may change it

    def search(self, words: str, browsing: Browsing) -> Shown:
        """Only papers with these words."""
        browsing.problem = ""
        return self._view(browsing, anew=browsing.search(words or ""))

    def acted(self, session: Session, browsing: Browsing, event: gr.EventData) -> Shown:
        """Something was pressed, or chosen in a control."""
        told: Any = event._data  # comes from the browser: anything may be in it
        told = {key: str(value) for key, value in told.items()} if isinstance(told, dict) else {}
        browsing.problem = ""
        if browsing.removed is None:
            browsing.note = ""
        try:
            if "change" in told:
                chosen = browsing.choose(told["change"], told.get("value", ""))
                return self._view(browsing) if chosen else Shown()
            do = self._acts.get(told.get("act", ""))
            return do(browsing, session, told.get("id", "")) if do else Shown()
        except PaperchatError as error:
            browsing.problem = str(error)
        except Exception:
            log.exception("An act in the library failed")
            browsing.problem = UNEXPECTED
        return Shown(note=note_html(browsing))

    async def added(self, files: Sequence[str] | None, browsing: Browsing) -> AsyncIterator[Shown]:
        """Files were given: how far they are, then what became of each; `current` draws the list that there is then."""
        if not files or not all(is_upload(file) for file in files):
            browsing.problem = NOT_UPLOADED if files else ""
            yield Shown(files=None, note=note_html(browsing))  # to yield nothing would empty the view
            return
        upload, number = Upload(self._shelf, files, self._writing), next(self._numbers)
        browsing.begin(number, progress_html(upload.progress()))
        try:
            yield Shown(files=None, report=browsing.uploads)  # more may be given meanwhile
            async for progress in upload.changes():
                browsing.adding[number] = progress_html(progress)
                yield Shown(report=browsing.uploads)
        finally:
            del browsing.adding[number]
        if upload.report:
            browsing.reports.append(report_html(upload.report))
        browsing.problem, browsing.note = upload.problem, ""
        await asyncio.to_thread(self._services.warmup.again)  # the first papers make the chat ready
        yield Shown(report=browsing.uploads)

    def _view(self, browsing: Browsing, *, anew: bool = False) -> Shown:
        """All of the list; the controls too where they must start `anew`."""
        if not self._services.warmup.done():
            return Shown(bar="", papers=sentence_html(LOADING))
        try:
            controls = self._controls(browsing) if anew else gr.skip()
            self._look_up(browsing)
            if not browsing.page.papers and browsing.page.total:  # fewer than there were
                browsing.turn(0)
                self._look_up(browsing)
            return self._list(browsing)._replace(controls=controls)
        except PaperchatError as error:
            return Shown(note=note_html(browsing), bar="", papers=sentence_html(str(error), problem=True))

    def _look_up(self, browsing: Browsing) -> None:
        """The papers that are wanted; again where somebody typed on meanwhile, or the older list would stay."""
        wanted = None
        while wanted != (wanted := browsing.wanted()):
            browsing.page = self._shelf.browse(**wanted)

    def _list(self, browsing: Browsing) -> Shown:
        """The page of papers that was looked up before, as it stands now."""
        opened = [paper.paper_id for paper in browsing.page.papers if paper.paper_id in browsing.opened]
        shelf = self._shelf
        details = {i: Details(shelf.sources_of(i), shelf.versions_of(i), shelf.sections_of(i)) for i in opened}
        return Shown(note=note_html(browsing), bar=bar_html(browsing), papers=papers_html(browsing, details))

    def _controls(self, browsing: Browsing) -> str:
        organisations, sources = self._shelf.organisations(), self._shelf.sources()
        if browsing.organisation not in dict(organisations):  # its last paper is gone
            browsing.organisation = None
        if browsing.source not in dict(sources):
            browsing.source = None
        browsing.drawn += 1
        if not self._shelf.count():  # nothing to narrow
            return ""
        return controls_html(browsing, organisations, sources, self._shelf.years())

    def _open(self, browsing: Browsing, _: Session, paper_id: str) -> Shown:
        if browsing.on_page(paper_id) is None:
            return Shown()
        browsing.opened ^= {paper_id}
        return self._list(browsing)

    def _pick(self, browsing: Browsing, _: Session, paper_id: str) -> Shown:
        paper = browsing.on_page(paper_id)
        if paper is None:
            return Shown()
        browsing.pick(paper)
        return self._list(browsing)

    def _pick_page(self, browsing: Browsing, *_: object) -> Shown:
        browsing.pick_page()
        return self._list(browsing)

    def _unpick(self, browsing: Browsing, *_: object) -> Shown:
        browsing.picked = {}
        return self._list(browsing)

    def _next(self, browsing: Browsing, *_: object) -> Shown:
        browsing.turn(1)
        return self._view(browsing)

    def _previous(self, browsing: Browsing, *_: object) -> Shown:
        browsing.turn(-1)
        return self._view(browsing)

    def _clear(self, browsing: Browsing, *_: object) -> Shown:
        browsing.clear()
        return self._view(browsing, anew=True)._replace(search="")

    def _about(self, browsing: Browsing, session: Session, paper_id: str) -> Shown:
        paper = self._shelf.paper(paper_id)
        return _asking_about(session, {paper.paper_id: paper.title})

    def _ask(self, browsing: Browsing, session: Session, _: str) -> Shown:
        if not browsing.picked:
            return Shown()
        there = self._shelf.papers(browsing.picked)  # somebody else may have removed some meanwhile
        titles = {paper_id: title for paper_id, title in browsing.picked.items() if paper_id in there}
        if not titles:
            raise NotFoundError("None of the selected papers is in the library any more.", "Select others.")
        return _asking_about(session, titles)

    def _remove(self, browsing: Browsing, session: Session, paper_id: str) -> Shown:
        return self._take_out(browsing, session, [self._shelf.paper(paper_id).paper_id])

    def _remove_picked(self, browsing: Browsing, session: Session, _: str) -> Shown:
        return self._take_out(browsing, session, list(browsing.picked)) if browsing.picked else Shown()

    def _take_out(self, browsing: Browsing, session: Session, paper_ids: list[str]) -> Shown:
        with self._my_turn():
            removed = self._shelf.remove(paper_ids)
        browsing.forget(paper_ids)
        if removed.papers:
            browsing.removed, browsing.note = removed, f"Removed {_papers(len(removed.papers))}."
        return self.current(session, browsing)

    def _undo(self, browsing: Browsing, session: Session, _: str) -> Shown:
        if browsing.removed is None:
            return Shown()
        with self._my_turn():
            n = self._shelf.undo(browsing.removed)
        browsing.removed, browsing.note = None, f"{_papers(n).capitalize()} put back."
        return self.current(session, browsing)

    def _close_note(self, browsing: Browsing, *_: object) -> Shown:
        browsing.removed, browsing.note = None, ""
        return Shown(note=note_html(browsing))

    def _close_reports(self, browsing: Browsing, *_: object) -> Shown:
        browsing.reports.clear()
        return Shown(report=browsing.uploads)

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Nobody else writes from this page.

        Raises:
            LibraryLockedError: files are being added.
        """
        if not self._writing.acquire(timeout=TURN_S):
            raise LibraryLockedError("Files are being added to the library just now.", "Try again when that is done.")
        try:
            yield
        finally:
            self._writing.release()


def _asking_about(session: Session, titles: dict[str, str]) -> Shown:
    """The next questions are about these papers only."""
    session.conversation.scope = Filters(paper_ids=tuple(titles))
    session.conversation.scope_title = next(iter(titles.values())) if len(titles) == 1 else ""
    return Shown(scope=scope_html(session))


def _papers(n: int) -> str:
    return f"{n:,} paper{'' if n == 1 else 's'}"
