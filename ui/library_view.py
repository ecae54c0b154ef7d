"""The view of the library: what stands where, and which event calls which handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.browsing import MAX_QUERY, Browsing
from ui.drawn import QUIET, drawn
from ui.librarian import Librarian
from ui.library_html import LOADING, sentence_html
from ui.services import Services
from ui.updates import updating

ADDING_AT_ONCE = 4  # uploads that are watched at the same time; one of them writes


@dataclass(frozen=True, slots=True)
class LibraryView:
    """`drawn` are report, note, bar and papers: each has buttons in it."""

    librarian: Librarian
    browsing: gr.State
    search: gr.Textbox
    controls: gr.HTML
    files: gr.File
    report: gr.HTML
    note: gr.HTML
    bar: gr.HTML
    papers: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What events redraw of the view itself; in the order of `Shown`."""
        return [self.search, self.controls, self.files, self.report, self.note, self.bar, self.papers]


def library_view(services: Services) -> LibraryView:
    """The view's components, where the page is being built."""
    browsing = gr.State(Browsing())  # copied for each tab
    with gr.Row(elem_id="pc-lib-head"):
        gr.HTML("<h2>Library</h2>", elem_id="pc-lib-name", apply_default_css=False)
        files = gr.File(
            file_count="multiple",
            label="Add papers: drop PDFs, documents or reference lists here, or choose them",
            show_label=False,
            height=64,
            elem_id="pc-lib-files",
        )
    report = drawn("", "pc-lib-report")
    search = gr.Textbox(
        placeholder="Search the papers",
        label="Search the library",
        show_label=False,
        container=False,
        max_lines=1,
        max_length=MAX_QUERY,
        type="text",
        elem_id="pc-lib-search",
    )
    controls = drawn("", "pc-lib-controls")
    with gr.Column(elem_id="pc-lib-top"):  # stays in sight, with Undo in it
        note = drawn("", "pc-lib-note")
        bar = drawn("", "pc-lib-bar")
    papers = drawn(sentence_html(LOADING), "pc-lib-papers")
    return LibraryView(Librarian(services), browsing, search, controls, files, report, note, bar, papers)


def wire_library(view: LibraryView, session: gr.State, scope: gr.HTML, status: gr.HTML, opened: gr.Button) -> None:
    """Connect events to handlers. `status` counts the papers; `opened` is pressed whenever the view is shown."""
    librarian, browsing, outputs = view.librarian, view.browsing, [*view.outputs, scope, status]
    # Nothing that is pressed quickly one after another may be lost, as it would be with "once".
    at_once: dict[str, Any] = {"queue": False, "trigger_mode": "multiple", **QUIET}
    shown = opened.click(librarian.opened, None, None, concurrency_limit=None, **QUIET)
    for part in (view.controls, view.report, view.note, view.bar, view.papers):
        part.select(updating(librarian.acted), [session, browsing], outputs, **at_once)
    # While a search runs, only the latest of what is typed meanwhile is looked for next.
    view.search.change(
        updating(librarian.search), [view.search, browsing], outputs, queue=False, trigger_mode="always_last", **QUIET
    )
    added = view.files.upload(
        updating(librarian.added),
        [view.files, browsing],
        outputs,
        concurrency_limit=ADDING_AT_ONCE,
        concurrency_id="add",
        trigger_mode="multiple",
        **QUIET,
    )
    # What takes its time does not bring the list itself: somebody may have typed on while it was under way.
    for ended in (shown, added):
        ended.then(updating(librarian.current), [session, browsing], outputs, **at_once)
