"""The panel that asks for more after a thumb: a note, the right paper, or that the papers hold no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.feedback import MAX_NOTE
from ui.drawn import QUIET
from ui.feedback import Judging
from ui.updates import updating
from ui.view import View


@dataclass(frozen=True, slots=True)
class FeedbackPanel:
    """`fields` are what the panel is about, the note, the paper, and the box to tick."""

    column: gr.Column
    fields: Sequence[gr.components.Component]
    send: gr.Button
    close: gr.Button


def feedback_panel() -> FeedbackPanel:
    """The panel's components, hidden, where the page is being built."""
    with gr.Column(elem_id="pc-feedback-panel", visible=False) as column:
        about = gr.HTML(elem_id="pc-feedback-about", apply_default_css=False)
        with gr.Row(elem_id="pc-feedback-words"):
            note = gr.Textbox(label="Note (optional)", lines=1, max_lines=4, max_length=MAX_NOTE, scale=3)
            paper = gr.Dropdown([], value=None, label="The right paper (optional)", allow_custom_value=True, scale=2)
        with gr.Row(elem_id="pc-feedback-end"):
            unanswerable = gr.Checkbox(label="The papers do not answer this", container=False, scale=1)
            close = gr.Button("Close", size="sm", scale=0)
            send = gr.Button("Send", size="sm", scale=0, elem_id="pc-feedback-send")
    return FeedbackPanel(column, [about, note, paper, unanswerable], send, close)


def wire_feedback(judging: Judging, session: gr.State, shown: View, panel: FeedbackPanel, clear: gr.Button) -> None:
    """Thumbs open the panel; sending, closing and a new chat close it."""
    view = [shown.past, shown.now, panel.column, *panel.fields]
    quiet: dict[str, Any] = {**QUIET, "queue": False}
    for turns in (shown.past, shown.now):
        turns.select(updating(judging.thumb), [session], view, trigger_mode="multiple", **quiet)
    panel.send.click(updating(judging.send), [session, *panel.fields[1:]], view, **quiet)
    for button in (panel.close, clear):
        button.click(updating(judging.close), [session], view, **quiet)
