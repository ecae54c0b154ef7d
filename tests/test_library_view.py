"""The library in the page: what is drawn, what each press does, and files on their way in."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, many_papers, paper, record
from listing_helpers import FIRST, HEAD, SECOND
from ui_helpers import Reading

import rag.atlas
from rag.errors import LibraryError
from rag.ingest import IngestReport, IngestRow, IngestWarning, library_fingerprint
from rag.library.library import Library
from rag.library.records import SourceEntry
from rag.papers import Body, Filters, Paper, Part, with_body
from rag.settings import Settings
from rag.shelf import Page, Shelf
from ui.browsing import PER_PAGE, Browsing
from ui.librarian import UNEXPECTED, Librarian, Shown
from ui.library_html import EMPTY, LOADING, SECTIONS, Details, bar_html, controls_html, papers_html
from ui.library_view import library_view, wire_library
from ui.session import Session
from ui.uploads import NOT_UPLOADED, Progress, Upload
from ui.uploads import UNEXPECTED as UPLOAD_FAILED
from ui.uploads_html import MAX_ROWS, progress_html, report_html

HOSTILE = "<img src=x onerror=alert(1)> ${alert(1)} {{1}} \"q\" 'q' & <EOS> $5 and $10 <3%"
ALLOWED = set("div section label span select option ul li p button details summary progress".split())
PAPERS = sorted(many_papers(120), key=lambda one: (one.published is None, one.paper_id))


class Desk:
    """A librarian over a real library with a cheap embedder, and one person's tab."""

    def __init__(self, folder: Path, papers: Sequence[Paper] = ()) -> None:
        embedder = HashEmbedder()
        self.library = Library.open(folder / "library", library_fingerprint(embedder))
        if papers:
            fill(self.library, papers, embedder)
        engine: Any = SimpleNamespace(
            embedder=embedder, settings=Settings(_env_file=None), opened_library=lambda *, make=False: self.library
        )
        self.ready = threading.Event()
        self.ready.set()
        warmup = SimpleNamespace(done=self.ready.is_set, problem="", again=lambda: None)
        self.services: Any = SimpleNamespace(shelf=Shelf(engine), warmup=warmup, engine=engine)
        self.sit_down()

    def sit_down(self) -> None:
        """A new tab."""
        self.librarian, self.session, self.browsing = Librarian(self.services), Session(), Browsing()

    def press(self, act: str, **told: str) -> Shown:
        return self.tell({"act": act, **told})

    def choose(self, name: str, value: str) -> Shown:
        return self.tell({"change": name, "value": value})

    def tell(self, told: object) -> Shown:
        event: Any = SimpleNamespace(_data=told)
        return self.librarian.acted(self.session, self.browsing, event)

    def open(self) -> Shown:
        asyncio.run(self.librarian.opened())
        return self.librarian.current(self.session, self.browsing)

    def give(self, *files: Path) -> list[Shown]:
        adding = self.librarian.added([str(file) for file in files], self.browsing)
        *before, last = asyncio.run(collected(adding))
        return [*before, self.librarian.current(self.session, self.browsing)._replace(report=last.report)]

    @property
    def ids(self) -> list[str]:
        return [one.paper_id for one in self.browsing.page.papers]


async def collected(steps: Any) -> list[Any]:
    return [step async for step in steps]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A library of 120 papers that nobody writes to."""
    desk = Desk(tmp_path_factory.mktemp("shared"), PAPERS)
    yield desk
    desk.library.close()


@pytest.fixture
def desk(shared: Desk) -> Desk:
    """A new tab at the shared library, with the view opened."""
    shared.sit_down()
    shared.open()
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes a library of one's own, to write to."""
    desks: list[Desk] = []

    def make(*papers: Paper) -> Desk:
        desks.append(Desk(tmp_path / f"own-{len(desks)}", papers))
        desks[-1].open()
        return desks[-1]

    yield make
    for desk in desks:
        desk.library.close()


@pytest.fixture(autouse=True)
def _no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.atlas, "refresh", lambda library: None)


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a file where the server puts what browsers send: in a folder named by the hash of its content."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))

    def put(name: str, text: str) -> Path:
        folder = tmp_path / "uploads" / hashlib.sha256(text.encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / name).write_text(text, "utf-8")
        return folder / name

    return put


def listing(n: int) -> str:
    """A page of `n` papers."""
    return HEAD + "".join(
        f"Paper number {i} of the page\n\nIt reaches {i}.5% on benchmark {i}.\n\n  • 2 authors\n·\nMay 5, 2022\n\n"
        for i in range(n)
    )


def harmless(html: str) -> Reading:
    """Only elements of the view, and nothing that runs."""
    reading = Reading(html)
    for tag, attributes in reading.tags:
        assert tag in ALLOWED, tag
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes), attributes
        assert re.match(r"https://(?:arxiv\.org/abs|doi\.org)/", dict(attributes).get("href") or "https://doi.org/")
    assert "${" not in html
    assert "{{" not in html
    return reading


# What is drawn


def test_hostile_papers_show_as_they_are_and_run_nothing() -> None:
    hostile = Paper(HOSTILE, HOSTILE, HOSTILE, date(2024, 1, 2), organisation=HOSTILE)
    browsing = Browsing(page=Page((hostile,), 1), query=HOSTILE, opened={HOSTILE}, picked={HOSTILE: HOSTILE})
    rows = harmless(papers_html(browsing, {HOSTILE: Details([HOSTILE], [hostile], [(HOSTILE, 3)])}))
    assert rows.text.count(HOSTILE) == 7  # title, organisation, abstract, source, section, and the other version's
    assert dict(rows.tags[2][1])["data-id"] == HOSTILE, "the id comes back as it was"
    controls = harmless(controls_html(browsing, [(HOSTILE, 1)], [(HOSTILE, 1)], [(2024, 1)]))
    assert controls.text.count("<img src=x") == 2
    harmless(bar_html(browsing))
    rows_of = (IngestRow(HOSTILE, HOSTILE, "failed", HOSTILE), IngestRow(HOSTILE, HOSTILE, "added"))
    report = harmless(report_html(IngestReport(rows_of, (IngestWarning(HOSTILE, 3, HOSTILE),))))
    assert report.text.count(HOSTILE) == 5
    assert "note" in report.texts("span", "pc-meta")


def test_an_opened_paper_shows_its_whole_abstract_and_the_files_that_list_it(desk: Desk) -> None:
    first = desk.browsing.page.papers[0]
    shown = Reading(desk.press("open", id=first.paper_id).papers)
    assert first.abstract in shown.text
    assert next(attributes["aria-expanded"] for _, attributes in shown.tags if "aria-expanded" in attributes) == "true"
    assert first.abstract not in Reading(desk.press("open", id=first.paper_id).papers).text


def test_a_document_is_shown_with_where_it_is_from_and_the_sections_of_its_full_text(own: Callable[..., Desk]) -> None:
    desk, parts = own(), (Part(0, None, 1), Part(9, "1 Intro", 1), Part(20, "1 Intro", 2), Part(30, "2 Methods", 3))
    body = Body("Beginning. Ferns grow old. Walls do not. Nor do we.", parts)
    one = with_body(paper("Ferns on walls", "They grow."), body)
    listed = [SourceEntry("ferns.pdf", "aa" * 32, 1, "x"), SourceEntry("list.bib", "bb" * 32, 1, "x")]
    with desk.library.write() as writer:
        writer.upsert([replace(record(one, desk.services.engine.embedder, listed), body=body)])
    desk.open()
    shown = Reading(desk.press("open", id=one.paper_id).papers)
    assert {"From ferns.pdf", "Listed in list.bib"} <= set(shown.texts("p", "pc-note"))
    assert shown.texts("ul", "pc-lib-sections") == ["1 Intro · page 12 Methods · page 3"]
    read = papers_html(desk.browsing, {one.paper_id: Details(["notes.txt"])})
    assert "Listed in notes.txt" in read
    desk.browsing.page = Page((replace(one, from_document=True),), 1)
    assert "From notes.txt" in papers_html(desk.browsing, {one.paper_id: Details(["notes.txt"])})


def test_a_book_of_sections_is_cut() -> None:
    one = paper("Long", "It is long.")
    many = Details(sections=[(f"{i} Part", None) for i in range(SECTIONS + 3)])
    items = Reading(papers_html(Browsing(page=Page((one,), 1), opened={one.paper_id}), {one.paper_id: many})).texts(
        "li"
    )
    assert items[-2:] == [f"{SECTIONS - 1} Part", "and 3 more"]


def test_the_count_beside_the_list_follows_what_is_added_and_removed(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path]
) -> None:
    desk = own(paper("One", "It is the first."))
    assert "1 papers" in desk.open().status
    assert "3 papers" in desk.give(uploaded("page.txt", HEAD + FIRST + SECOND))[-1].status
    assert "2 papers" in desk.press("remove", id=desk.ids[0]).status
    assert "3 papers" in desk.press("undo").status


def test_formulas_of_an_abstract_are_drawn() -> None:
    one = paper("Math", "We need $O(n^2)$ steps.")
    assert "<math" in papers_html(Browsing(page=Page((one,), 1), opened={one.paper_id}), {})


def test_a_loading_library_says_so_and_then_shows_itself(shared: Desk) -> None:
    shared.sit_down()
    shared.ready.clear()
    assert LOADING in shared.librarian.search("", shared.browsing).papers
    threading.Timer(0.1, shared.ready.set).start()
    assert "Showing 1–50 of 120" in shared.open().bar


def test_an_empty_library_asks_for_files(own: Callable[..., Desk]) -> None:
    shown = own().open()
    assert EMPTY in shown.papers
    assert shown.bar == shown.controls == ""


def test_a_damaged_library_is_a_sentence_with_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def browse(*_: object, **__: object) -> Page:
        raise LibraryError("The library is damaged.", "Run `paperchat library repair`.")

    monkeypatch.setattr(desk.services.shelf, "browse", browse)
    shown = Reading(desk.press("next").papers)
    assert shown.text == "The library is damaged. Run `paperchat library repair`."


# Looking for papers


def test_pages_show_every_paper_once_newest_first(desk: Desk) -> None:
    seen, pages = [*desk.browsing.page.papers], 1
    while "Showing 101" not in desk.press("next").bar:
        seen += desk.browsing.page.papers
        pages += 1
        assert pages < 5
    seen += desk.browsing.page.papers
    assert {one.paper_id for one in seen} == {one.paper_id for one in PAPERS}
    assert len(seen) == len(PAPERS)
    dated = [one.published for one in seen if one.published]
    assert dated == sorted(dated, reverse=True)
    assert all(one.published is None for one in seen[len(dated) :])


def test_search_filters_and_order_narrow_the_list(desk: Desk) -> None:
    desk.choose("organisation", "Org 2")
    desk.choose("first_year", "2017")
    desk.choose("last_year", "2020")
    shown = desk.choose("order", "oldest")
    wanted = Filters(date(2017, 1, 1), date(2020, 12, 31), "Org 2")
    papers = desk.browsing.page.papers
    assert {one.paper_id for one in papers} == {one.paper_id for one in PAPERS if wanted.admits(one)} != set()
    assert [one.published for one in papers] == sorted(one.published for one in papers if one.published)
    assert f"Showing 1–{len(papers)} of {len(papers)}" in shown.bar
    shown = desk.librarian.search("no such words", desk.browsing)
    assert "No paper matches" in shown.papers
    assert shown.bar == ""
    shown = desk.press("clear")
    assert shown.search == ""
    assert len(desk.browsing.page.papers) == PER_PAGE


def test_a_search_brings_the_best_match_first_and_its_end_the_newest(desk: Desk) -> None:
    shown = desk.librarian.search("number17", desk.browsing)
    assert desk.ids == ["paper-17-on-" + desk.ids[0].removeprefix("paper-17-on-")]
    assert '<option value="relevance" selected>' in shown.controls
    anew = re.match("<[a-z]+", shown.controls)
    assert anew != re.match("<[a-z]+", desk.librarian.search("", desk.browsing).controls), "old choices would stay"
    assert desk.browsing.effective_order == "newest"


def test_an_order_that_was_chosen_stays_through_a_search(desk: Desk) -> None:
    desk.choose("order", "title")
    controls = desk.librarian.search("paper", desk.browsing).controls
    assert '<option value="title" selected>' in controls
    assert "Best match" in controls, "there is something to match now"
    titles = [one.title for one in desk.browsing.page.papers]
    assert titles == sorted(titles)


# Choosing, and asking


def test_the_chosen_of_several_pages_are_asked_about(desk: Desk) -> None:
    first = desk.ids[3]
    desk.press("pick", id=first)
    desk.press("next")
    second = desk.ids[5]
    assert "Ask about these 2" in desk.press("pick", id=second).bar
    shown = desk.press("ask")
    assert desk.session.conversation.scope == Filters(paper_ids=(first, second))
    assert "2 chosen papers" in shown.scope


def test_papers_that_another_tab_removed_are_not_asked_about(own: Callable[..., Desk]) -> None:
    desk = own(*PAPERS[:3])
    first, second = desk.ids[:2]
    desk.press("pick", id=first)
    desk.press("pick", id=second)
    desk.services.shelf.remove([first])
    desk.press("ask")
    assert desk.session.conversation.scope == Filters(paper_ids=(second,))
    desk.services.shelf.remove([second])
    assert "None of the selected papers is in the library any more." in Reading(desk.press("ask").note).text
    assert "Removed" not in desk.press("remove-picked").note, "there was nothing to remove"
    assert desk.browsing.picked == {}


def test_one_paper_is_asked_about_by_its_title(desk: Desk) -> None:
    one = desk.browsing.page.papers[7]
    shown = desk.press("about", id=one.paper_id)
    assert desk.session.conversation.scope == Filters(paper_ids=(one.paper_id,))
    assert one.title in Reading(shown.scope).text


def test_the_box_above_selects_the_page_and_then_none_of_it(desk: Desk) -> None:
    desk.press("next")
    other = desk.ids[0]
    desk.press("pick", id=other)
    desk.press("previous")
    desk.press("pick", id=desk.ids[0])
    assert 'aria-checked="mixed"' in bar_html(desk.browsing)
    assert 'aria-checked="true"' in desk.press("pick-page").bar
    assert set(desk.browsing.picked) == {other, *desk.ids}
    desk.press("pick-page")
    assert set(desk.browsing.picked) == {other}
    assert desk.press("unpick").bar.count("selected") == 0


TOLD = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=4
)
ACTS = st.sampled_from("open pick pick-page unpick next previous clear about ask undo close-note nonsense".split())
NAMES = st.sampled_from("order organisation source first_year last_year nonsense".split())
VALUES = st.sampled_from(["", "title", "Org 1", "2019", "0000", "99999", "' OR 1=1", "ñ"])
IDS = st.sampled_from(["", "../x", *[one.paper_id for one in PAPERS[:20]]])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            TOLD,
            st.fixed_dictionaries({"act": ACTS, "id": IDS}),
            st.fixed_dictionaries({"change": NAMES, "value": VALUES}),
        ),
        max_size=12,
    )
)
def test_whatever_a_browser_sends_the_view_stays_whole(shared: Desk, told: list[Any]) -> None:
    shared.sit_down()
    browsing = shared.browsing
    shared.open()
    for one in told:
        shown = shared.tell(one)
        assert UNEXPECTED not in browsing.problem
        assert 0 <= browsing.offset <= max(browsing.page.total - 1, 0)
        assert browsing.offset % PER_PAGE == 0
        assert browsing.picked.keys() <= {one.paper_id for one in PAPERS}
        if isinstance(shown.papers, str):
            harmless(shown.papers)
    assert shared.library.count() == len(PAPERS)


def test_an_error_inside_is_a_sentence_and_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk.services.shelf, "paper", lambda _: 1 / 0)
    assert "Something went wrong inside paperchat" in desk.press("about", id=desk.ids[0]).note
    assert "ZeroDivisionError" in caplog.text
    assert "Something" not in desk.press("pick", id=desk.ids[0]).note, "what is over is not said any more"


# Removing, and bringing back


def test_removed_papers_come_back_exactly(own: Callable[..., Desk]) -> None:
    desk = own(*PAPERS[:60])
    before = [*desk.browsing.page.papers]
    for one in before[:2]:
        desk.press("pick", id=one.paper_id)
    shown = desk.press("remove-picked")
    assert "Removed 2 papers." in shown.note
    assert 'data-act="undo"' in shown.note
    assert "Showing 1–50 of 58" in shown.bar
    assert desk.browsing.picked == {}
    desk.press("next")
    assert 'data-act="undo"' in desk.press("previous").note, "it stays until it is used or closed"
    shown = desk.press("undo")
    assert "2 papers put back." in shown.note
    assert [*desk.browsing.page.papers] == before
    assert "put back" not in desk.press("unpick").note


def test_undo_brings_back_the_latest_removal_and_only_once(own: Callable[..., Desk]) -> None:
    desk = own(*PAPERS[:4])
    first, second = desk.ids[:2]
    desk.press("remove", id=first)
    desk.press("remove", id=second)
    desk.press("undo")
    desk.press("undo")
    assert set(desk.ids) == {one.paper_id for one in PAPERS[:4]} - {first}


def test_removing_the_last_page_shows_the_one_before(own: Callable[..., Desk]) -> None:
    desk = own(*PAPERS[: PER_PAGE + 1])
    desk.press("next")
    assert "Showing 1–50 of 50" in desk.press("remove", id=desk.ids[0]).bar


def test_a_filter_whose_last_paper_goes_is_taken_away(own: Callable[..., Desk]) -> None:
    desk = own(replace(PAPERS[0], organisation="Alone"), replace(PAPERS[1], organisation=None))
    desk.choose("organisation", "Alone")
    desk.press("remove", id=desk.ids[0])
    assert desk.browsing.organisation is None
    assert desk.ids == [PAPERS[1].paper_id]


def test_a_library_that_another_process_writes_to_stays_as_it_is(own: Callable[..., Desk]) -> None:
    desk = own(*PAPERS[:3])
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with desk.library.write():
            inside.set()
            leave.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    inside.wait(30)
    shown = desk.press("remove", id=desk.ids[0])
    leave.set()
    writer.join()
    assert Reading(shown.note).texts("p", "pc-problem") == [desk.browsing.problem]
    assert desk.browsing.removed is None
    assert desk.library.count() == 3


def test_nothing_is_removed_while_files_are_added(own: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = own(*PAPERS[:3])
    monkeypatch.setattr("ui.librarian.TURN_S", 0.05)
    with desk.librarian._writing:
        assert "Files are being added" in desk.press("remove", id=desk.ids[0]).note
    assert "Removed 1 paper." in desk.press("remove", id=desk.ids[0]).note


# Adding files


def test_files_are_added_and_a_bad_one_hides_no_other(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path], tmp_path: Path
) -> None:
    desk = own()
    files = [uploaded("page.txt", HEAD + FIRST + SECOND + FIRST), uploaded("empty.txt", ""), uploaded("n.txt", "notes")]
    first, *_, last = desk.give(*files)
    assert first.files is None, "more may be given at once"
    report = Reading(last.report)
    assert "2 added, 1 merged, 2 failed." in report.text
    assert "empty.txt is empty." in report.text
    assert "n.txt is in no format that paperchat reads." in report.text
    assert str(tmp_path) not in last.report, "nobody needs to know the server's folders"
    assert "Showing 1–2 of 2" in last.bar
    assert ">page.txt (2)<" in last.controls
    assert list((tmp_path / "uploads").rglob("*")) == [], "what was uploaded is deleted"
    assert desk.press("close-report").report == ""


@pytest.mark.parametrize(
    "path",
    [
        *("{tmp}/mine.txt", "{tmp}/uploads", "{tmp}/uploads/x.txt", "{tmp}/uploads/adding-abc/x.txt"),
        *("{hash}/link.txt", "{hash}/../../mine.txt", "{hash}", "http://127.0.0.1:1/x.txt", "x.txt"),
        *("", "\0", "x" * 5000),
    ],
)
def test_only_what_was_uploaded_is_read_or_moved(
    path: str, own: Callable[..., Desk], uploaded: Callable[[str, str], Path], tmp_path: Path
) -> None:
    desk, good = own(), uploaded("page.txt", HEAD + FIRST)
    for place in ("mine.txt", "uploads/x.txt", "uploads/adding-abc/x.txt"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(HEAD + SECOND, "utf-8")
    (good.parent / "link.txt").symlink_to(tmp_path / "mine.txt")
    before = sorted(tmp_path.rglob("*.txt"))
    bad = path.format(tmp=tmp_path, hash=good.parent)
    (shown,) = asyncio.run(collected(desk.librarian.added([str(good), bad], desk.browsing)))
    assert Reading(shown.note).texts("p", "pc-problem") == [NOT_UPLOADED]
    assert desk.library.count() == 0
    assert sorted(tmp_path.rglob("*.txt")) == before
    with pytest.raises(ValueError, match="no files that were uploaded"):
        Upload(desk.services.shelf, [bad], threading.Lock())


def test_equal_files_of_two_people_are_both_told_of(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path]
) -> None:
    desk, file = own(), uploaded("page.txt", HEAD + FIRST)
    assert "1 added." in Reading(desk.give(file)[-1].report).text
    assert "1 failed." in Reading(desk.give(file)[-1].report).text, "the first has taken it over"


def test_files_given_while_others_are_added_are_told_of_beside_them(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path]
) -> None:
    desk = own()
    files = uploaded("one.txt", HEAD + FIRST), uploaded("two.txt", HEAD + SECOND)
    first, second = (desk.librarian.added([str(file)], desk.browsing) for file in files)

    async def both() -> tuple[str, str]:
        with desk.librarian._writing:
            begun = [(await anext(steps)).report for steps in (first, second)]
        await asyncio.gather(collected(first), collected(second))
        return begun[0], begun[1]

    one, two = asyncio.run(both())
    assert two.startswith(one)
    assert two != one
    ended = Reading(desk.browsing.uploads)
    assert ended.text.count("1 added.") == 2, "neither report takes the other's place"
    assert ended.text.count("one.txt") == ended.text.count("two.txt") == 1
    again = Reading(desk.give(uploaded("one.txt", HEAD + FIRST))[-1].report)
    assert again.text.count("Close") == 1
    assert "1 added" not in again.text, "what became of earlier files is old"
    assert desk.press("close-report").report == ""


@pytest.mark.parametrize("files", [None, []])
def test_no_files_leave_the_view_as_it_is(files: list[str] | None, desk: Desk) -> None:
    (shown,) = asyncio.run(collected(desk.librarian.added(files, desk.browsing)))
    assert "pc-problem" not in shown.note
    assert shown.papers == gr.skip()


def test_two_files_of_one_name_are_two_sources(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path], tmp_path: Path
) -> None:
    desk = own()
    desk.give(uploaded("page.txt", HEAD + FIRST), uploaded("page.txt", HEAD + SECOND))
    assert desk.services.shelf.sources() == [("page (2).txt", 1), ("page.txt", 1)]


def test_an_upload_goes_on_when_nobody_watches_any_more(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path], tmp_path: Path
) -> None:
    desk, file = own(), uploaded("page.txt", listing(40))

    async def leave() -> None:
        steps: Any = desk.librarian.added([str(file)], desk.browsing)
        await anext(steps)
        await anext(steps)
        await steps.aclose()

    asyncio.run(leave())
    for thread in threading.enumerate():
        if thread.name == "paperchat-add":
            thread.join(20)
    assert desk.library.count() == 40
    assert list((tmp_path / "uploads").rglob("*")) == []


def test_uploads_take_turns_and_the_later_one_is_told(uploaded: Callable[[str, str], Path]) -> None:
    turn = threading.Lock()
    shelf: Any = SimpleNamespace(add=lambda paths, progress: IngestReport(()))
    upload = Upload(shelf, [uploaded("page.txt", "x")], turn)

    async def watch() -> list[Progress]:
        turn.acquire()
        threading.Timer(0.1, turn.release).start()
        return [progress async for progress in upload.changes()]

    assert asyncio.run(watch())[0].waiting
    assert "yours are next" in progress_html(Progress(waiting=True))
    assert upload.report == IngestReport(())


def test_an_upload_that_breaks_says_so_and_leaves_nothing(
    own: Callable[..., Desk], uploaded: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = own(*PAPERS[:2])
    monkeypatch.setattr(desk.services.shelf, "add", lambda *_: 1 / 0)
    last = desk.give(uploaded("page.txt", HEAD + FIRST))[-1]
    assert UPLOAD_FAILED in Reading(last.note).text
    assert "Showing 1–2 of 2" in last.bar, "the list is still there"
    assert list((tmp_path / "uploads").rglob("*")) == []
    monkeypatch.undo()
    assert desk.librarian._writing.acquire(blocking=False), "the next upload has its turn"


def test_rate_and_time_left_follow_from_what_was_done(uploaded: Callable[[str, str], Path]) -> None:
    now = [100.0]
    seen: list[Progress] = []

    def add(_: object, progress: Callable[[int, int], None]) -> IngestReport:
        for seconds, done in ((0.0, 0), (4.0, 32), (8.0, 64)):
            now[0] = 100.0 + seconds
            progress(done, 96)
            seen.append(upload.progress())
        now[0] += 3.0  # the next batch is being worked on
        seen.append(upload.progress())
        return IngestReport(())

    shelf: Any = SimpleNamespace(add=add)
    upload = Upload(shelf, [uploaded("page.txt", "x")], threading.Lock(), clock=lambda: now[0])
    upload.run()
    assert seen[0] == Progress(done=0, total=96)
    assert seen[1] == Progress(False, 32, 96, 8.0, 8.0)
    assert seen[2] == Progress(False, 64, 96, 8.0, 4.0)
    assert seen[3] == Progress(False, 64, 96, 8.0, 1.0)
    assert "64 of 96 papers · 8.0 a second · about 1 s left" in progress_html(seen[3])
    assert "about 3 min left" in progress_html(Progress(False, 1, 900, 5.0, 180.0))


def test_a_record_that_is_no_paper_is_shown_with_its_file_line_and_reason(own: Callable[..., Desk]) -> None:
    desk = own()
    refs = desk.library.folder.parent / "refs.bib"
    refs.write_text("@article{a, title = {Ferns}, abstract = {They grow.}}\n@article{b, year = 2020}\n")
    report = Reading(report_html(desk.services.shelf.add([refs])))
    assert "1 added, 1 failed" in report.text
    assert report.texts("li")[0].startswith("line 2A record without a title was left out.")
    assert "open" in next(attributes for tag, attributes in report.tags if tag == "details")


def test_failures_stand_before_what_is_cut() -> None:
    rows = [IngestRow(f"Paper {i}", "page.txt", "added") for i in range(MAX_ROWS + 5)]
    rows.append(IngestRow("The bad one", "page.txt", "failed", "half a surrogate pair"))
    report = Reading(report_html(IngestReport(tuple(rows))))
    assert "205 added, 1 failed" in report.text
    assert report.texts("li")[0] == "The bad onehalf a surrogate pairfailed"
    assert "and 6 more" in report.text


# The page


def test_every_event_is_private_and_redraws_what_the_handlers_return(shared: Desk) -> None:
    with gr.Blocks(analytics_enabled=False) as page:
        session, scope, status, opened = gr.State(Session()), gr.HTML(), gr.HTML(), gr.Button("Library")
        view = library_view(shared.services)
        wire_library(view, session, scope, status, opened)
    events = list(page.fns.values())
    assert len(events) == 10
    assert all(event.api_visibility == "private" for event in events)
    assert [event.name for event in events if not event.outputs] == ["opened"], "what follows it draws the list"
    for event in (one for one in events if one.outputs):
        assert event.trigger_mode != "once", "what is given while another is worked on would be dropped"
        assert len(event.outputs) == len(Shown._fields)
        assert event.outputs[-2:] == [scope, status]
