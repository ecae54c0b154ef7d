"""The page: what stands where, and which event calls which handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.chat import Chat
from ui.drawn import QUIET, STATIC, drawn
from ui.evidence_html import evidence_html
from ui.examples import EXAMPLES
from ui.feedback import Judging
from ui.feedback_panel import feedback_panel, wire_feedback
from ui.keeping import Keeping
from ui.library_view import library_view, wire_library
from ui.map_view import map_view, wire_map
from ui.services import Services
from ui.session import Session
from ui.settings_view import settings_view, wire_settings
from ui.turns_html import conversation_html
from ui.updates import updating
from ui.view import View, Views

WAITING_AT_MOST = 500  # events of all tabs; each answerer has a fair queue of its own
CSS = [STATIC / f"{name}.css" for name in ("layout", "chat", "answer", "library", "map", "settings")]
SCRIPTS = ["copy.js", "page.js", "answer.js", "library.js"]


def theme() -> gr.themes.Base:
    """Gradio's plainest, in the system's own fonts: nothing is fetched from anywhere."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


@dataclass(frozen=True, slots=True)
class Side:
    """The left column."""

    new: gr.Button
    search: gr.Textbox
    chats: gr.HTML
    library: gr.Button
    map: gr.Button
    status: gr.HTML


def build_page(services: Services) -> gr.Blocks:
    """The whole page around the services that all tabs share. No event is open as an API."""
    views = Views(services)
    chat, keeping = Chat(services), Keeping(services, views)
    page = gr.Blocks(title="paperchat", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600))
    with page:
        session = gr.State(Session(), delete_callback=Session.end)  # copied for each tab
        drawn(_TOP, "pc-top")
        with gr.Row(elem_id="pc-shell"):
            side = _side()
            with gr.Column(elem_id="pc-middle"):
                with gr.Column(elem_id="pc-chat-view"):
                    view, example = _chat_view()
                    panel = feedback_panel()
                    composer = _composer()
                with gr.Column(elem_id="pc-library", elem_classes="pc-other-view"):
                    library = library_view(services)
                with gr.Column(elem_id="pc-map", elem_classes="pc-other-view"):
                    the_map = map_view(services, session)
                with gr.Column(elem_id="pc-settings", elem_classes="pc-other-view"):
                    settings = settings_view(services, session)
            evidence = drawn(evidence_html([]), "pc-evidence")
        shown = View(*view[:2], evidence, composer[1], view[2], composer[0], side.chats)
        _wire_chat(page, chat, session, shown, side, example)
        _wire_keeping(keeping, session, shown, side)
        wire_feedback(Judging(services, views), session, shown, panel, side.new)
        wire_library(library, session, shown.scope, side.status, side.library)
        wire_map(the_map, side.map)
        wire_settings(settings, session, side.status, shown.scope, views.status)
    page.queue(max_size=WAITING_AT_MOST)
    return page


def _side() -> Side:
    with gr.Column(elem_id="pc-side"):
        drawn("<h1>paperchat</h1>", "pc-name")
        new = gr.Button("New chat", elem_id="pc-clear", size="sm")
        with gr.Column(elem_id="pc-nav"):
            gr.Button("Chat", elem_id="pc-go-chat", elem_classes="pc-go", size="sm")
            library = gr.Button("Library", elem_id="pc-go-library", elem_classes="pc-go", size="sm")
            the_map = gr.Button("Map", elem_id="pc-go-map", elem_classes="pc-go", size="sm")
            gr.Button("Settings", elem_id="pc-go-settings", elem_classes="pc-go", size="sm")
        search = gr.Textbox(
            placeholder="Search conversations",
            label="Search conversations",
            show_label=False,
            container=False,
            elem_id="pc-search",
        )
        chats = drawn("", "pc-chats")
        status = drawn("", "pc-status")
    return Side(new, search, chats, library, the_map, status)


def _chat_view() -> tuple[tuple[gr.HTML, gr.HTML, gr.Column], list[gr.Button]]:
    with gr.Column(elem_id="pc-chat"):
        past = drawn("", "pc-past")
        now = drawn(conversation_html([]), "pc-now")
        with gr.Column(elem_id="pc-examples", visible=False) as examples:
            example = [gr.Button("", size="sm", visible=False) for _ in range(EXAMPLES)]
    return (past, now, examples), example


def _composer() -> tuple[gr.HTML, gr.Textbox]:
    with gr.Column(elem_id="pc-composer"):
        scope = drawn("", "pc-scope")
        box = gr.Textbox(
            lines=1,
            max_lines=8,
            placeholder="Ask about the papers",
            label="Your question",
            show_label=False,
            container=False,
            autofocus=True,
            submit_btn="Ask",
            stop_btn=False,
            elem_id="pc-question",
        )
    return scope, box


def _wire_chat(
    page: gr.Blocks, chat: Chat, session: gr.State, shown: View, side: Side, example: list[gr.Button]
) -> None:
    """Whatever streams has no limit here: the queue at each answerer is the limit, and everyone sees their place."""
    streaming: dict[str, Any] = {**QUIET, "concurrency_limit": None, "trigger_mode": "multiple"}
    for event, source in [(shown.box.submit, shown.box), *((button.click, button) for button in example)]:
        event(updating(chat.ask), [source, session], list(shown), **streaming)
    for turns in (shown.past, shown.now):
        turns.select(updating(chat.again), [session], list(shown), **streaming)
    shown.box.stop(updating(chat.stop), [session], list(shown), queue=False, **QUIET)
    side.new.click(updating(chat.new), [session], list(shown), queue=False, **QUIET)
    page.load(updating(chat.opened), [session], [side.status, *shown, *example], **streaming)


def _wire_keeping(keeping: Keeping, session: gr.State, shown: View, side: Side) -> None:
    for part in (shown.past, shown.now, shown.evidence, shown.scope, side.chats):
        # Nothing that is pressed quickly one after another may be lost, as it would be with "once".
        part.select(updating(keeping.acted), [session], list(shown), queue=False, trigger_mode="multiple", **QUIET)
    found = {"queue": False, "trigger_mode": "always_last", **QUIET}
    side.search.change(updating(keeping.search), [side.search, session], list(shown), **found)


_TOP = (
    '<div class="pc-bar"><button type="button" data-drawer="side" aria-label="Conversations and library">☰</button>'
    '<span>paperchat</span><button type="button" data-drawer="evidence">Evidence</button></div>'
)
