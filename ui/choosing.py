"""What happens in the settings view: each change holds at once, and the tab's engine follows it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gradio as gr
from pydantic import SecretStr

from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from rag.probe import list_models, local_model_problem, probe_endpoint
from rag.settings import Settings
from ui.escape import shortened
from ui.scope_html import scope_html
from ui.services import Services
from ui.session import Session
from ui.settings_form import Form, Reading, endpoint_host, offers_endpoint, read
from ui.settings_html import (
    LONGEST_NAME,
    answerers_html,
    fields_html,
    key_html,
    outcome_html,
    problem_html,
    summary_html,
)

NO_ENDPOINT = "Enter an address or a key first."
FORGOTTEN = "The key was forgotten, as the endpoint is another one now. Enter one for this endpoint, if it wants one."


class Shown(NamedTuple):
    """A value for each component that settings redraw, in the order in which the view lists them."""

    summary: Any = gr.skip()
    status: Any = gr.skip()
    scope: Any = gr.skip()
    answerers: Any = gr.skip()
    answerer_problem: Any = gr.skip()
    address: Any = gr.skip()
    key: Any = gr.skip()
    key_state: Any = gr.skip()
    model: Any = gr.skip()
    endpoint_problem: Any = gr.skip()
    tested: Any = gr.skip()
    fields: Any = gr.skip()
    fields_problem: Any = gr.skip()


class Choosing:
    """Event handlers. A `Form` and a `Session` belong to one tab; both change in place."""

    def __init__(self, services: Services, status_html: Callable[[Session], str]) -> None:
        self._engine = services.engine
        self._status_html = status_html
        self._swapping = threading.Lock()
        self._in_order = asyncio.Lock()

    @property
    def server(self) -> Settings:
        """The settings that hold where a tab has chosen nothing."""
        return self._engine.settings

    async def changed(self, form: Form, session: Session, event: gr.EventData) -> Shown:
        """One of the drawn fields has a new value.

        It is taken on the event loop and applied in a thread, which may wait for the disk; one after the
        other, so that the last of some quick changes is also the last to be shown.
        """
        told: Any = event._data  # comes from the browser: anything may be in it
        if not isinstance(told, dict) or not form.fill(told.get("change"), told.get("value")):
            return Shown()
        async with self._in_order:
            return await asyncio.to_thread(self._applied, form, session)

    def endpoint(self, address: str, key: str, form: Form, session: Session) -> Shown:
        """The address or the key was left: both are taken, and the field of the key is empty again."""
        if (address or "").strip() == form.base_url and not (key or "").strip():
            return Shown()
        return self._taken(address, key, form, session)

    def model(self, name: str | list[str] | None, form: Form, session: Session) -> Shown:
        """A model was chosen or typed."""
        form.fill("model", name or "")
        form.said = ""
        return self._applied(form, session)._replace(tested=form.said)

    def forget(self, form: Form, session: Session, event: gr.EventData) -> Shown:
        """The key is wanted no more."""
        told: Any = event._data
        if not isinstance(told, dict) or told.get("act") != "forget":
            return Shown()
        form.forget_key()
        return self._with_endpoint(self._applied(form, session), form, session)._replace(key="", tested="")

    def defaults(self, form: Form, session: Session) -> Shown:
        """Everything as the server is configured, and every field shows it."""
        form.clear()
        return self._with_endpoint(self._applied(form, session), form, session)._replace(
            address="",
            key="",
            model=gr.update(choices=[self.server.openai_model], value=self.server.openai_model),
            tested="",
            fields=fields_html(form, self.server),
        )

    def models(self, form: Form, session: Session) -> Iterator[Shown]:
        """Ask the endpoint for its models, once for each address and key.

        A key without an address is sent to nobody before the person asks for it: the address may be yet to come.
        """
        host = self._host(session)
        with self._swapping:  # a test that begins now asks for the models, too
            settings = self._settings(session)
            known = form.listed == _endpoint(settings)
            asks = host and settings.openai_base_url is not None and not known
            request = self._begun(f"Asking {host} for its models…", form, settings) if asks else None
        if request is None:
            yield Shown()  # a generator that yields nothing empties its outputs
            return
        yield Shown(tested=form.said)
        try:
            names, problem = list_models(settings), ""
        except PaperchatError as error:
            names, problem = (), str(error)
        if form.asked != request:
            yield Shown()
        elif problem:
            form.listed, form.said = None, outcome_html(problem, False)
            yield Shown(tested=form.said)
        else:
            yield self._listed(names, host, form, session)

    def test(self, address: str, key: str, form: Form, session: Session) -> Iterator[Shown]:
        """Ask the endpoint for one word, and say what is wrong if it does not come."""
        shown, host = self._taken(address, key, form, session), self._host(session)
        if shown.endpoint_problem or not host:
            form.said = "" if shown.endpoint_problem else problem_html(NO_ENDPOINT)
            yield shown._replace(tested=form.said)
            return
        with self._swapping:
            settings = self._settings(session)
            request = self._begun(f"Asking {host}…", form, settings)
        yield shown._replace(tested=form.said)
        probe = probe_endpoint(settings)
        if form.asked == request:
            form.listed = form.listed if probe.models else None
            listed = self._listed(probe.models, host, form, session)
            form.said = outcome_html(probe.message, probe.ok)
            yield listed._replace(tested=form.said)

    def current(self, form: Form, session: Session) -> Shown:
        """What holds now: what an endpoint was asked for may arrive after a change that was made meanwhile."""
        return self._applied(form, session)._replace(tested=form.said)

    def _begun(self, said: str, form: Form, settings: Settings) -> int:
        """The number of what is asked of the endpoint from here on."""
        request = form.next_request()
        form.listed, form.said = _endpoint(settings), outcome_html(said, None)
        return request

    def _taken(self, address: str, key: str, form: Form, session: Session) -> Shown:
        """Both fields into the form. Where the page does not offer them, nothing is taken."""
        problem = ""
        if offers_endpoint(self.server):
            problem = form.take_endpoint(address or "", key or "", self.server)
        shown = self._with_endpoint(self._applied(form, session, problem), form, session)
        return shown._replace(key="" if key else gr.skip(), tested=form.said)

    def _applied(self, form: Form, session: Session, key_problem: str = "") -> Shown:
        """Make what can be used of the form hold, and say what cannot."""
        local_problem = local_model_problem(self.server)
        with self._swapping:  # two changes of one tab may come at once: the last to get here reads both
            reading = read(form, self.server, local_problem)
            refused = self._adapt(reading, session)
        problems = reading.problems
        return Shown(
            summary=summary_html(session.preferences, self.server),
            status=self._status_html(session),
            scope=scope_html(session),
            answerer_problem=problem_html(problems.get("answerer")),
            endpoint_problem=problem_html(problems.get("base_url"), key_problem, refused),
            fields_problem=problem_html(problems.get("sources"), problems.get("period")),
        )

    def _adapt(self, reading: Reading, session: Session) -> str:
        """Give the tab an engine with its preferences; why that is not possible, if it is not."""
        wanted = reading.preferences
        if wanted.settings() != session.preferences.settings():
            try:
                adapted = self._engine.adapted(**wanted.settings()) if wanted.settings() else None
            except PaperchatError as error:
                return str(error)
            old, session.adapted = session.adapted, adapted
            if old is not None:
                old.close()  # an answer under way goes on
        session.preferences = wanted
        return ""

    def _with_endpoint(self, shown: Shown, form: Form, session: Session) -> Shown:
        """With what depends on whether there is an endpoint."""
        problem = local_model_problem(self.server)
        return shown._replace(
            answerers=answerers_html(form, session.preferences, self.server, problem),
            key_state=problem_html(FORGOTTEN) if form.key_forgotten else key_html(form, self.server),
        )

    def _listed(self, names: tuple[str, ...], host: str, form: Form, session: Session) -> Shown:
        """The models to choose from; the only one is chosen."""
        model = self._settings(session).openai_model
        shown = Shown()
        if len(names) == 1 and model not in names:
            model = names[0]
            form.fill("model", model)
            shown = self._applied(form, session)
        said = f"{host} has {len(names)} model{'' if len(names) == 1 else 's'}."
        if not names:
            said = f"{host} gives no list of its models: type the name of one."
        elif model not in names:
            said += f" “{shortened(model, LONGEST_NAME)}” is none of them: choose one."
        choices = gr.update(choices=list(names) or [model], value=model)
        form.said = outcome_html(said, None)
        return shown._replace(model=choices, tested=form.said)

    def _settings(self, session: Session) -> Settings:
        """What holds for the tab."""
        engine: Paperchat = session.adapted or self._engine
        return engine.settings

    def _host(self, session: Session) -> str:
        """Whom the tab may ask for models or a test; nobody where it cannot choose."""
        return endpoint_host(session.preferences, self.server) if offers_endpoint(self.server) else ""


def _endpoint(settings: Settings) -> tuple[str, SecretStr | None]:
    return str(settings.openai_base_url or ""), settings.openai_api_key
