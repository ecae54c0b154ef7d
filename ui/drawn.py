"""HTML of our own as a component of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parent / "static"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}  # for every event
_ACT = (STATIC / "act.js").read_text("utf-8")


def drawn(html: str, elem_id: str) -> gr.HTML:
    """A component whose buttons (`data-act`) and fields (`data-change`) tell its `select` listeners what was done."""
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False, js_on_load=_ACT)
