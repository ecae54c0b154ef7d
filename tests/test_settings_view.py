"""The settings view: what a change does to a tab's engine, what is sent where, and what the page shows of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder
from playwright.sync_api import Page, expect, sync_playwright
from pydantic import SecretStr
from stub_endpoint import endpoint, error, html, models, whole
from ui_helpers import Reading

from rag.answer.pipeline import Paperchat
from rag.settings import Settings
from ui.choosing import Choosing, Shown
from ui.preferences import Preferences
from ui.services import Services
from ui.session import Session
from ui.settings_form import Form
from ui.settings_html import answerers_html, fields_html, key_html, outcome_html, problem_html, summary_html
from ui.settings_view import settings_view, wire_settings

KEY = "sk-of-the-person-0123456789"
NOTHING = Shown()
# Whatever the server answers is kept, streams as well.
RECORD = """
window.received = "";
const fetched = window.fetch;
window.fetch = async (...asked) => {
  const response = await fetched(...asked);
  const reader = response.clone().body.getReader();
  const decoder = new TextDecoder();
  (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      window.received += decoder.decode(value, { stream: true });
    }
  })().catch(() => {});
  return response;
};
"""


class Tab:
    """One tab's form and session, and the handlers."""

    def __init__(self, **fields: object) -> None:
        self.engine = Paperchat(Settings(_env_file=None, **fields), embedder=HashEmbedder())  # type: ignore[arg-type]
        self.services = cast(Services, SimpleNamespace(engine=self.engine))
        self.choosing = Choosing(self.services, lambda session: (session.adapted or self.engine).settings.style)
        self.form, self.session = Form(), Session()

    @property
    def settings(self) -> Settings:
        return (self.session.adapted or self.engine).settings

    def change(self, **told: Any) -> Shown:
        event = gr.EventData(None, told)
        return asyncio.run(self.choosing.changed(self.form, self.session, event))

    def typed(self, address: str = "", key: str = "") -> Shown:
        return self.choosing.endpoint(address, key, self.form, self.session)

    def listed(self) -> list[Shown]:
        return list(self.choosing.models(self.form, self.session))

    def tested(self, address: str = "", key: str = "") -> list[Shown]:
        return list(self.choosing.test(address, key, self.form, self.session))


class TestChanges:
    """Each change holds at once, for this tab."""

    def test_a_change_gives_the_tab_an_engine_of_its_own_and_undoing_it_takes_that_away(self) -> None:
        tab, other = Tab(), Session()
        shown = tab.change(change="style", value="short")
        assert tab.settings.style == "short"
        assert tab.engine.settings.style == "standard"
        assert other.adapted is None
        assert "short answers" in shown.summary
        assert shown.status == "short", "the page's own line follows"
        tab.change(change="sources", value="8")
        assert (tab.settings.style, tab.settings.sources) == ("short", 8)
        tab.choosing.defaults(tab.form, tab.session)
        assert tab.session.adapted is None
        assert tab.session.preferences == Preferences()

    def test_the_engine_before_is_closed_and_the_shared_one_never(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tab, closed = Tab(), []
        monkeypatch.setattr(Paperchat, "close", lambda engine: closed.append(engine))
        tab.change(change="style", value="short")
        first = tab.session.adapted
        tab.change(change="style", value="plain")
        tab.change(change="published_from", value="2021-01-01")
        assert closed == [first], "dates need no other engine"
        second = tab.session.adapted
        tab.change(change="style", value="standard")
        assert closed == [first, second]

    def test_dates_limit_the_tab_and_show_above_its_question_box(self) -> None:
        tab = Tab()
        shown = tab.change(change="published_from", value="2021-01-01")
        assert "published since 2021-01-01" in shown.scope
        assert "published since 2021-01-01" in shown.summary
        shown = tab.change(change="published_to", value="2020-01-01")
        assert "before the first" in shown.fields_problem
        assert not tab.session.preferences.period

    def test_quick_changes_wait_for_a_slow_disk_in_their_order_and_nobody_else_does(self) -> None:
        tab, shelf_answers, shown = Tab(), threading.Event(), []

        def status(session: Session) -> str:
            assert shelf_answers.wait(30)
            return str(session.preferences.sources)

        async def quick_changes() -> None:
            choosing = Choosing(tab.services, status)
            events = [gr.EventData(None, {"change": "sources", "value": str(number)}) for number in range(6, 12)]
            changes = [asyncio.create_task(choosing.changed(tab.form, tab.session, event)) for event in events]
            for change in changes:
                change.add_done_callback(lambda done: shown.append(done.result().status))
            await asyncio.sleep(0.05)  # the event loop goes on
            shelf_answers.set()
            await asyncio.gather(*changes)

        asyncio.run(quick_changes())
        assert len(shown) == 6
        assert shown[-1] == "11"
        assert tab.settings.sources == 11

    def test_what_cannot_be_used_is_said_until_it_is_mended(self) -> None:
        tab = Tab()
        assert "1 to 20 papers" in tab.change(change="sources", value="99").fields_problem
        assert "1 to 20 papers" in tab.change(change="style", value="short").fields_problem
        assert tab.settings.sources == 5
        assert tab.change(change="sources", value="3").fields_problem == ""

    @pytest.mark.parametrize(
        "told",
        [
            None,
            [],
            "style",
            {},
            {"change": "key", "value": KEY},
            {"change": "style"},
            {"change": ["style"], "value": "x"},
        ],
    )
    def test_what_no_field_sends_changes_nothing(self, told: object) -> None:
        tab = Tab()
        assert asyncio.run(tab.choosing.changed(tab.form, tab.session, gr.EventData(None, told))) == NOTHING
        assert tab.choosing.forget(tab.form, tab.session, gr.EventData(None, told)) == NOTHING
        assert tab.form == Form()

    def test_a_local_model_that_is_missing_is_said(self, tmp_path: Path) -> None:
        tab = Tab(local_model=tmp_path / "none.gguf")
        shown = tab.change(change="answerer", value="local")
        assert "none.gguf" in shown.answerer_problem
        assert tab.session.adapted is None


class TestKeys:
    """A key is taken, and never comes back."""

    def test_the_field_is_emptied_and_nothing_repeats_the_key(self, caplog: pytest.LogCaptureFixture) -> None:
        tab = Tab()
        with caplog.at_level(logging.DEBUG), endpoint(error(401, f"bad key {KEY}")) as stub:
            stub.listing = error(401, f"bad key {KEY}")
            shown = [tab.typed(stub.url, f" {KEY} "), *tab.listed(), *tab.tested(stub.url)]
            assert tab.settings.openai_api_key == SecretStr(KEY)
            assert {headers["authorization"] for headers in stub.headers} == {f"Bearer {KEY}"}
        assert shown[0].key == ""
        assert "A key is set for this tab." in shown[0].key_state
        assert KEY not in f"{shown} {tab.form} {tab.session} {caplog.text}"

    def test_it_can_be_forgotten(self) -> None:
        tab = Tab()
        tab.typed("", KEY)
        shown = tab.choosing.forget(tab.form, tab.session, gr.EventData(None, {"act": "forget"}))
        assert tab.session.adapted is None
        assert "A key is set" not in shown.key_state

    def test_it_is_not_sent_to_the_next_address(self) -> None:
        tab = Tab()
        with endpoint(whole("OK")) as first, endpoint(whole("OK")) as second:
            tab.typed(first.url, KEY)
            shown = tab.typed(second.url)
            tab.listed()
            assert "forgotten" in shown.key_state
            assert "forgotten" in tab.tested(second.url)[0].key_state, "there is time to read it"
            assert first.headers == []
            assert KEY not in str(second.headers)
            assert "A key is set" in tab.typed(second.url, KEY).key_state

    @pytest.mark.parametrize("configured", [None, "http://127.0.0.1:9/v1"])
    def test_one_for_the_servers_own_endpoint_is_not_sent_to_an_address_typed_afterwards(
        self, configured: str | None
    ) -> None:
        tab = Tab(openai_base_url=configured)
        with endpoint(whole("OK")) as typed:
            tab.typed("", KEY)
            shown = tab.typed(typed.url)
            tab.listed()
            tab.tested(typed.url)
            assert "forgotten" in shown.key_state
            assert typed.headers
            assert KEY not in str(typed.headers)
            tab.tested(typed.url, KEY)
            assert typed.headers[-1]["authorization"] == f"Bearer {KEY}", "both at once say where it belongs"

    def test_without_an_address_it_is_sent_to_nobody_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tab = Tab()
        monkeypatch.setattr("ui.choosing.list_models", lambda settings: pytest.fail("nobody asked for it"))
        shown = tab.typed("", KEY)
        assert tab.listed() == [NOTHING]
        assert "it is for api.openai.com" in shown.key_state

    def test_one_that_cannot_be_a_key_is_said(self) -> None:
        tab = Tab()
        shown = tab.typed("", "zwei Wörter")
        assert "no key" in shown.endpoint_problem
        assert shown.key == ""
        assert tab.session.adapted is None

    def test_beside_a_refused_key_stands_no_test_of_the_one_before(self) -> None:
        tab = Tab()
        with endpoint(whole("OK")) as stub:
            assert "pc-well" in tab.tested(stub.url, KEY)[-1].tested
            shown = tab.typed(stub.url, "zwei Wörter")
        assert "no key" in shown.endpoint_problem
        assert shown.tested == tab.choosing.current(tab.form, tab.session).tested == ""
        assert tab.form.key, "the one before holds on"
        assert tab.form.key.value.get_secret_value() == KEY


class TestEndpoints:
    """The endpoint is asked for its models, and tested."""

    def test_its_models_can_be_chosen_and_are_asked_for_once(self) -> None:
        tab = Tab()
        with endpoint() as stub:
            stub.listing = models("beta", "alpha")
            tab.typed(stub.url)
            begun, ended = tab.listed()
            assert tab.listed() == [NOTHING]
            assert stub.paths == ["/v1/models"]
            assert f"Asking {stub.host}" in begun.tested
            assert "has 2 models. “gpt-4o-mini” is none of them: choose one." in ended.tested
            assert ended.model["choices"] == ["alpha", "beta"]
            shown = tab.choosing.model("alpha", tab.form, tab.session)
            assert tab.settings.openai_model == "alpha"
            assert "model alpha" in shown.summary

    def test_the_only_model_is_chosen(self) -> None:
        tab = Tab()
        with endpoint() as stub:
            stub.listing = models("llama3")
            tab.typed(stub.url)
            ended = tab.listed()[-1]
        assert tab.settings.openai_model == ended.model["value"] == "llama3"
        assert "has 1 model." in ended.tested

    def test_one_without_a_list_leaves_the_name_to_the_person(self) -> None:
        tab = Tab()
        with endpoint() as stub:
            stub.listing = error(404)
            tab.typed(stub.url)
            assert "type the name of one" in tab.listed()[-1].tested

    def test_a_failure_is_a_sentence_and_asked_again_next_time(self) -> None:
        tab = Tab()
        with endpoint() as stub:
            stub.listing = html()
            tab.typed(stub.url)
            assert "usually ends in /v1" in tab.listed()[-1].tested
            stub.listing = models("llama3")
            assert "has 1 model." in tab.listed()[-1].tested

    def test_what_an_address_before_answers_is_not_shown(self) -> None:
        tab = Tab()
        with endpoint() as slow, endpoint() as other:
            tab.typed(slow.url)
            listing = tab.choosing.models(tab.form, tab.session)
            next(listing)
            tab.typed(other.url)
            assert list(listing) == [NOTHING]

    def test_a_test_takes_what_stands_in_the_fields_and_says_how_it_went(self) -> None:
        tab = Tab()
        with endpoint(whole("OK")) as stub:
            begun, ended = tab.tested(stub.url, KEY)
            assert stub.headers[-1]["authorization"] == f"Bearer {KEY}"
            assert stub.requests[-1]["model"] == "gpt-4o-mini"
        assert begun.key == ""
        assert "gpt-4o-mini at" in ended.tested
        assert "pc-well" in ended.tested

    def test_leaving_the_field_of_the_key_by_the_click_on_test_takes_nothing_from_the_test(self) -> None:
        tab = Tab()
        with endpoint(whole("OK")) as stub:
            tab.typed(stub.url)
            testing = tab.choosing.test(stub.url, KEY, tab.form, tab.session)
            next(testing)
            assert f"Asking {stub.host}…" in tab.typed(stub.url, KEY).tested  # the field's event comes late
            assert tab.listed() == [NOTHING]
            ended = list(testing)[-1]
            assert "gpt-4o-mini at" in ended.tested
            assert tab.typed(stub.url, KEY).tested == ended.tested
            assert tab.listed() == [NOTHING]
            assert tab.choosing.current(tab.form, tab.session).tested == ended.tested

    def test_a_list_that_comes_after_a_test_does_not_stand_in_for_it(self) -> None:
        tab = Tab()
        with endpoint(whole("OK")) as stub:
            tab.typed(stub.url)
            listing = tab.choosing.models(tab.form, tab.session)
            next(listing)
            ended = tab.tested(stub.url, KEY)[-1]
            assert list(listing) == [NOTHING]
        assert tab.choosing.current(tab.form, tab.session).tested == ended.tested

    def test_a_test_says_what_is_wrong(self) -> None:
        tab = Tab()
        with endpoint(error(404, "no such model")) as stub:
            stub.listing = models("gpt-4o-tiny")
            ended = tab.tested(stub.url)[-1]
        assert "Did you mean “gpt-4o-tiny”?" in ended.tested
        assert "Enter an address or a key first." in Tab().tested()[-1].tested
        assert "no web address" in Tab().tested("localhost")[-1].endpoint_problem

    @pytest.mark.parametrize("fields", [{"host": "0.0.0.0"}, {"names": "papers.example"}])
    def test_where_others_come_nothing_is_sent_to_a_typed_address(self, fields: dict[str, str]) -> None:
        with endpoint(whole("OK")) as configured, endpoint(whole("OK")) as typed:
            tab = Tab(openai_base_url=configured.url, openai_api_key="sk-server", **fields)
            tab.typed(typed.url, KEY)
            tab.choosing.model("another", tab.form, tab.session)
            assert tab.listed() == [NOTHING]
            tab.tested(typed.url, KEY)
            assert typed.headers == configured.headers == []
        assert tab.session.adapted is None
        assert tab.form.key is None


class TestDrawing:
    """The view as HTML."""

    @given(st.text(min_size=1))
    def test_whatever_was_typed_or_sent_shows_as_it_is(self, text: str) -> None:
        server = Settings(_env_file=None)  # type: ignore[call-arg]
        preferences = Preferences(model=text, base_url="http://localhost/v1", answerer="openai")
        for drawn in (summary_html(preferences, server), problem_html(text), outcome_html(text, True)):
            reading = Reading(drawn)
            assert {tag for tag, _ in reading.tags} <= {"p"}
        form = Form(sources=text, published_from=text, answerer=text, style=text)
        drawn = fields_html(form, server) + answerers_html(form, preferences, server, text) + key_html(form, server)
        names = {tag for tag, _ in Reading(drawn).tags}
        assert names <= set("div fieldset legend label input span b small h3 p button".split())
        allowed = set("class type name value checked disabled min max step inputmode placeholder".split())
        allowed |= {"data-change", "aria-describedby"}
        assert all(set(attributes) <= allowed for _, attributes in Reading(drawn).tags)

    def test_each_answerer_says_what_it_means_and_whether_it_is_there(self) -> None:
        server = Settings(_env_file=None)  # type: ignore[call-arg]
        reading = Reading(answerers_html(Form(), Preferences(), server, "It is not installed."))
        inputs = {attributes["value"]: attributes for tag, attributes in reading.tags if tag == "input"}
        assert list(inputs) == ["auto", "quotes", "local", "openai"]
        assert [name for name, attributes in inputs.items() if "checked" in attributes] == ["auto"]
        assert [name for name, attributes in inputs.items() if "disabled" in attributes] == ["local"]
        means = reading.texts("span", "pc-means")
        assert means[0] == "Quotes, as there is no endpoint."
        assert means[2:] == ["It is not installed.", "Needs an address or a key, below."]
        there = Preferences(base_url="http://localhost:11434/v1")
        means = Reading(answerers_html(Form(), there, server, "")).texts("span", "pc-means")
        assert means[0] == "Facts are quoted at once. The model at localhost:11434 writes the rest."
        assert means[3] == "The model at localhost:11434 writes every answer."

    def test_people_from_elsewhere_do_not_learn_where_the_endpoint_is(self) -> None:
        server = Settings(_env_file=None, host="0.0.0.0", openai_base_url="http://llm.internal/v1")  # type: ignore[call-arg]
        drawn = answerers_html(Form(), Preferences(), server, "")
        assert "The server&#x27;s language model writes every answer." in drawn
        assert "llm.internal" not in drawn

    def test_no_event_is_open_as_an_api(self) -> None:
        page, _ = page_of(Tab())
        assert page.fns
        assert {fn.api_visibility for fn in page.fns.values()} == {"private"}
        assert not [name for name, _ in page.get_api_info()["named_endpoints"].items()]


def page_of(tab: Tab) -> tuple[gr.Blocks, list[Session]]:
    """A page with nothing but the settings; the sessions that its status line was drawn for."""
    sessions: list[Session] = []

    def status(session: Session) -> str:
        sessions.append(session)
        return "drawn"

    with gr.Blocks(analytics_enabled=False) as page:
        session = gr.State(Session())
        with gr.Column(elem_id="pc-settings"):
            view = settings_view(tab.services, session)
        wire_settings(view, session, gr.HTML(), gr.HTML(), status)
    return page, sessions


@pytest.fixture
def shown_page(chromium: str) -> Iterator[Callable[[Tab], tuple[Page, list[Session]]]]:
    """Opens the settings of a tab in a browser."""
    with sync_playwright() as playwright:
        browser, opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]), []

        def show(tab: Tab) -> tuple[Page, list[Session]]:
            page, sessions = page_of(tab)
            opened.append(page)
            _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, run_history=False, enable_monitoring=False)
            at = browser.new_page()
            at.add_init_script(RECORD)
            at.goto(url)
            expect(at.locator("#pc-fields input").first).to_be_visible()
            return at, sessions

        yield show
        browser.close()
        for page in opened:
            page.close(verbose=False)


@pytest.mark.browser
def test_in_a_browser_quick_changes_all_hold_keys_leave_no_trace_and_defaults_reset_every_field(
    shown_page: Callable[[Tab], tuple[Page, list[Session]]],
) -> None:
    with endpoint(whole("OK")) as stub:
        stub.listing = models("llama3")
        page, sessions = shown_page(Tab())
        page.fill("[data-change=sources]", "9")
        page.fill("[data-change=published_from]", "2021-02-03")
        page.fill("[data-change=published_to]", "2022-02-03")
        page.check("[value=quotes]")
        summary = page.locator("#pc-settings-summary")
        expect(summary).to_contain_text(
            "answered in quotes, at most 9 papers for an answer, only papers published from"
        )
        page.fill("#pc-address input", stub.url)
        page.fill("#pc-key input", KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#pc-key-state")).to_contain_text("A key is set for this tab.")
        expect(page.locator("#pc-key input")).to_have_value("")
        expect(page.locator("#pc-key input")).to_be_focused()
        expect(page.locator("#pc-model input")).to_have_value("llama3")
        page.click("#pc-test")
        expect(page.locator("#pc-tested")).to_contain_text("llama3 at 127.0.0.1")
        assert stub.headers[-1]["authorization"] == f"Bearer {KEY}"
        assert KEY not in page.content()
        received = page.evaluate("window.received")
        assert "A key is set for this tab." in received
        assert KEY not in received
        page.click("#pc-defaults")
        expect(summary).to_have_text("Everything is as the server is configured.")
        expect(page.locator("[data-change=sources]")).to_have_value("5")
        expect(page.locator("[data-change=published_from]")).to_have_value("")
        expect(page.locator("[value=auto]")).to_be_checked()
        expect(page.locator("#pc-address input")).to_have_value("")
        assert sessions[-1].adapted is None
