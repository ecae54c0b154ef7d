"""The page: what stands where, and which event calls which handler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from rag.answer.pipeline import Paperchat
from rag.feedback import FEEDBACK, FeedbackStore
from ui.chat import Chat
from ui.conversation import Conversation
from ui.evidence_html import evidence_html
from ui.examples import EXAMPLES
from ui.feedback import Judging
from ui.feedback_panel import feedback_panel, wire_feedback
from ui.turns_html import conversation_html
from ui.warmup import Warmup

ASKING_AT_ONCE = 4  # answers that are worked on at the same time; more wait their turn
WAITING_AT_MOST = 200
HERE = Path(__file__).parent
CSS = HERE / "style.css"
SCRIPT = HERE / "page.js"
THUMBS_SCRIPT = HERE / "feedback.js"


def theme() -> gr.themes.Base:
    """Gradio's plainest, in the system's own fonts: nothing is fetched from anywhere."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def build_page(engine: Paperchat, warmup: Warmup) -> gr.Blocks:
    """The whole page around one engine, ready to be launched. No event is open as an API."""
    chat = Chat(engine, warmup)
    page = gr.Blocks(title="paperchat", analytics_enabled=False, fill_width=True)
    with page:
        conversation = gr.State(Conversation())  # copied for each tab
        with gr.Row(elem_id="pc-header"):
            gr.HTML("<h1>paperchat</h1>", elem_id="pc-name", apply_default_css=False)
            status = gr.HTML(chat.status(), elem_id="pc-status", apply_default_css=False)
            clear = gr.Button("New chat", elem_id="pc-clear", size="sm", scale=0)
        with gr.Column(elem_id="pc-shell"):
            with gr.Column(elem_id="pc-chat"):
                turns = gr.HTML(
                    conversation_html([]),
                    elem_id="pc-conversation",
                    apply_default_css=False,
                    js_on_load=THUMBS_SCRIPT.read_text("utf-8"),
                )
                with gr.Column(elem_id="pc-examples", visible=False) as examples:
                    example = [gr.Button("", size="sm", visible=False) for _ in range(EXAMPLES)]
            panel = feedback_panel()
            evidence = gr.HTML(evidence_html([]), elem_id="pc-evidence", apply_default_css=False)
            with gr.Column(elem_id="pc-composer"):
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
        _wire(page, chat, conversation, [turns, evidence, box, examples], clear, example, status)
        judging = Judging(chat, FeedbackStore(engine.settings.home / FEEDBACK))
        wire_feedback(judging, conversation, turns, panel, clear)
    page.queue(max_size=WAITING_AT_MOST)
    return page


def _wire(
    page: gr.Blocks,
    chat: Chat,
    conversation: gr.State,
    view: list[gr.components.Component],
    clear: gr.Button,
    example: list[gr.Button],
    status: gr.HTML,
) -> None:
    """Connect events to handlers; `view` is conversation, evidence, question box and examples."""
    turns, _, box, examples = view
    assert isinstance(box, gr.Textbox)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for event, source in [(box.submit, box), *((button.click, button) for button in example)]:
        event(chat.ask, [source, conversation], view, concurrency_limit=ASKING_AT_ONCE, concurrency_id="ask", **quiet)
    box.stop(chat.stop, [conversation], view, queue=False, **quiet)
    clear.click(chat.clear, [conversation], view, queue=False, **quiet)
    page.load(chat.opened, [conversation], [status, turns, examples, *example], concurrency_limit=None, **quiet)
