"""The settings view: its components, and which event calls which handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.probe import local_model_problem
from ui.choosing import Choosing, Shown
from ui.drawn import QUIET, drawn
from ui.preferences import Preferences
from ui.services import Services
from ui.session import Session
from ui.settings_form import MAX_TYPED, Form, offers_endpoint
from ui.settings_html import (
    ABOUT,
    ENDPOINT_ABOUT,
    answerers_html,
    fields_html,
    key_html,
    summary_html,
)
from ui.updates import updating

ASKED_AT_ONCE = 16  # endpoints that are being tested or listed, of all tabs; each may take ten seconds
UNCHECKED = gr.InputHTMLAttributes(autocapitalize="off", autocomplete="off", autocorrect="off", spellcheck=False)


@dataclass(frozen=True, slots=True)
class SettingsView:
    """`shown` holds the components that are redrawn, without those of the page around it; `form` is what was typed."""

    services: Services
    form: gr.State
    shown: Shown
    defaults: gr.Button
    test: gr.Button


def settings_view(services: Services, session: gr.State) -> SettingsView:
    """The components, where the page is being built; `session` starts as the server is configured."""
    server, form, nothing = services.engine.settings, Form(), Preferences()
    drawn(ABOUT, "pc-settings-about")
    with gr.Row(elem_id="pc-settings-state"):
        summary = drawn(summary_html(nothing, server), "pc-settings-summary")
        defaults = gr.Button("Back to defaults", elem_id="pc-defaults", size="sm", scale=0)
    answerers = drawn(answerers_html(form, nothing, server, local_model_problem(server)), "pc-answerers")
    answerer_problem = drawn("", "pc-answerer-problem")
    with gr.Column(elem_id="pc-endpoint", visible=offers_endpoint(server)):
        address, key, key_state, model, test, endpoint_problem, tested = _endpoint(services)
    fields = drawn(fields_html(form, server), "pc-fields")
    fields_problem = drawn("", "pc-fields-problem")
    shown = Shown(
        summary=summary,
        answerers=answerers,
        answerer_problem=answerer_problem,
        address=address,
        key=key,
        key_state=key_state,
        model=model,
        endpoint_problem=endpoint_problem,
        tested=tested,
        fields=fields,
        fields_problem=fields_problem,
    )
    return SettingsView(services, gr.State(form), shown, defaults, test)


def wire_settings(
    view: SettingsView,
    session: gr.State,
    status: gr.HTML,
    scope: gr.HTML,
    status_html: Callable[[Session], str],
) -> None:
    """Every change holds at once. `status` and `scope` are the page's own lines, which follow it."""
    choosing = Choosing(view.services, status_html)
    shown = view.shown._replace(status=status, scope=scope)
    all_shown, own = list(shown), [view.form, session]
    typed = [shown.address, shown.key, *own]
    # Gradio's own "once" would drop a change that comes while the one before is being worked on.
    quick: dict[str, Any] = {**QUIET, "trigger_mode": "multiple", "queue": False}
    asking: dict[str, Any] = {**quick, "queue": True, "concurrency_limit": ASKED_AT_ONCE, "concurrency_id": "endpoint"}
    for part in (shown.answerers, shown.fields):
        part.select(updating(choosing.changed), own, all_shown, **quick)
    asked = []
    for left in (shown.address.submit, shown.address.blur, shown.key.submit, shown.key.blur):
        told = left(updating(choosing.endpoint), typed, all_shown, **quick)
        asked.append(told.then(updating(choosing.models), own, all_shown, **asking))
    asked.append(shown.model.focus(updating(choosing.models), own, all_shown, **asking))
    shown.model.input(updating(choosing.model), [shown.model, *own], all_shown, **quick)
    shown.key_state.select(updating(choosing.forget), own, all_shown, **quick)
    last = {**asking, "trigger_mode": "always_last"}  # however often it is pressed meanwhile, one test more
    asked.append(view.test.click(updating(choosing.test), typed, all_shown, **last))
    for answered in asked:
        answered.then(updating(choosing.current), own, all_shown, **quick)
    view.defaults.click(updating(choosing.defaults), own, all_shown, **quick)


def _endpoint(services: Services) -> tuple[Any, ...]:
    server = services.engine.settings
    drawn(ENDPOINT_ABOUT, "pc-endpoint-about")
    address = gr.Textbox(
        label="Address",
        placeholder=str(server.openai_base_url or "http://localhost:11434/v1"),
        max_lines=1,
        max_length=MAX_TYPED,
        elem_id="pc-address",
        html_attributes=UNCHECKED,
    )
    key = gr.Textbox(label="Key", type="password", max_length=MAX_TYPED, elem_id="pc-key", html_attributes=UNCHECKED)
    key_state = drawn(key_html(Form(), server), "pc-key-state")
    with gr.Row(elem_id="pc-endpoint-end"):
        model = gr.Dropdown(
            [server.openai_model],
            value=server.openai_model,
            label="Model",
            allow_custom_value=True,
            elem_id="pc-model",
        )
        test = gr.Button("Test", elem_id="pc-test", size="sm", scale=0)
    endpoint_problem = drawn("", "pc-endpoint-problem")
    tested = drawn("", "pc-tested")
    return address, key, key_state, model, test, endpoint_problem, tested
