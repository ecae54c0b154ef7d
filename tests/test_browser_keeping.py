"""Conversations in a real browser: kept over a crash of the server, found, renamed, linked, exported, asked again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from browser_helpers import FRANCE, TILDE, TILDE_SENTENCES, TILDE_TITLE, Tab, about_tilde
from conftest import child_environment
from playwright.sync_api import Browser, Locator, expect
from stub_endpoint import endpoint
from ui_helpers import free_port

pytestmark = pytest.mark.browser

# What the browser and Gradio say of it in the console.
OF_A_DEAD_SERVER = re.compile(r"net::ERR_|network error|Connection errored out")


class Server:
    """`paperchat serve` at one address, which can be killed and started again."""

    def __init__(self, home: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self._settings = {"PAPERCHAT_HOME": str(home), "PAPERCHAT_PORT": str(port)}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Returns when it is up."""
        command = [sys.executable, "-c", "from rag.cli import main; main()", "serve"]
        environment = child_environment() | self._settings
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self.url in self._process.stdout.readline()

    def kill(self) -> None:
        """At once, whatever it is doing."""
        assert self._process
        self._process.kill()
        self._process.wait()


def _menu(tab: Tab, title: str) -> Locator:
    """What can be done with the conversation of this title, unfolded."""
    row = tab.page.locator("#pc-chats .pc-row", has_text=title)
    row.hover()
    row.locator("summary").click()
    return row.locator(".pc-menu")


def test_a_killed_server_loses_nothing_and_the_page_comes_back_by_itself(browser: Browser, seed_copy: Path) -> None:
    with Server(seed_copy) as server, endpoint(about_tilde(pause=0.15)) as stub:
        tab = Tab(browser, server.url)
        tab.ask(TILDE)
        tab.use_endpoint(stub.url)
        tab.begin("And how fast is it?")
        expect(tab.turn(2).locator(".pc-answer")).to_contain_text("99%")
        tab.page.fill("#pc-question textarea", "Half a sen")
        server.kill()
        away = tab.page.locator("#pc-away")
        expect(away).to_contain_text("paperchat does not answer")
        expect(tab.page.locator(".toast-wrap")).to_be_hidden()
        server.start()
        expect(tab.turn(2).locator(".pc-problem")).to_contain_text("ended before this answer was complete")
        expect(tab.turn(1)).to_contain_text("99% smaller")
        expect(away).to_have_count(0)
        expect(tab.page.locator("#pc-question textarea")).to_have_value("Half a sen")
        expect(tab.page.locator("#pc-chats")).to_contain_text(TILDE)
        tab.turn(2).get_by_role("button", name="Retry").click()
        again = tab.complete(2)
        expect(again.locator("a.pc-chip").first).to_be_visible()
        expect(again.locator(".pc-problem")).to_have_count(0)
        expect(again.locator(".pc-searched")).to_contain_text(TILDE_TITLE)
        tab.complaints = [said for said in tab.complaints if not OF_A_DEAD_SERVER.search(said)]
        tab.close()


def test_conversations_are_found_renamed_deleted_and_had_back(tab: Tab) -> None:
    listed = tab.page.locator("#pc-chats")
    for question in (TILDE, FRANCE):
        tab.ask(question)
        expect(listed.locator(".pc-current")).to_contain_text(question)
        tab.page.click("#pc-clear")
        expect(tab.page.locator(".pc-welcome")).to_be_visible()
    assert listed.locator(".pc-open").all_inner_texts() == [FRANCE, TILDE], "the latest stands first"
    search = tab.page.get_by_placeholder("Search conversations")
    search.fill("commodity hardw")  # stands in an answer
    expect(listed.locator(".pc-row")).to_have_count(1)
    expect(listed.locator(".pc-snippet")).to_contain_text("commodity hardware")
    search.fill("zebra")
    expect(listed).to_contain_text("No conversation has these words.")
    search.fill("")
    expect(listed.locator(".pc-row")).to_have_count(2)
    name = _menu(tab, TILDE).get_by_label("Name")
    name.fill("Sizes of <b>indexes</b>")
    name.press("Enter")
    expect(listed.locator(".pc-open").last).to_have_text("Sizes of <b>indexes</b>")
    tab.page.keyboard.press("Escape")
    listed.locator(".pc-open", has_text="Sizes").click()
    expect(tab.turn(1)).to_contain_text("99% smaller")
    expect(tab.page.locator("#evidence-1-1 mark").first).to_be_attached()
    _menu(tab, "Sizes").get_by_role("button", name="Delete").click()
    expect(tab.page.locator(".pc-welcome")).to_be_visible()
    expect(listed.locator(".pc-row")).to_have_count(1)
    listed.get_by_role("button", name="Undo").click()
    expect(listed.locator(".pc-open", has_text="Sizes")).to_be_visible()
    expect(listed.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_link_opens_a_conversation_and_whoever_goes_on_has_a_copy(tab: Tab, browser: Browser, seed_url: str) -> None:
    tab.ask(TILDE)
    expect(tab.page).to_have_url(re.compile(r"\?chat=[\w-]{22}$"))
    tab.reload()
    expect(tab.turn(1)).to_contain_text("99% smaller")
    other = Tab(browser, tab.page.url)
    expect(other.turn(1)).to_contain_text("99% smaller")
    expect(other.page.locator("#pc-chats .pc-row")).to_have_count(0)
    expect(other.ask("And how fast is it?").locator(".pc-searched")).to_contain_text(TILDE_TITLE)
    expect(other.page.locator("#pc-chats .pc-row")).to_have_count(1)
    assert other.page.url != tab.page.url
    tab.reload()
    expect(tab.turn(1)).to_contain_text("99% smaller")
    expect(tab.turn(2)).to_have_count(0)
    other.open(f"{seed_url}?chat=AAAAAAAAAAAAAAAAAAAAAA")
    expect(other.page.locator("#pc-chats .pc-problem")).to_be_visible()
    expect(other.page.locator(".pc-welcome")).to_be_visible()
    other.close()


def test_a_conversation_is_exported_in_three_forms(tab: Tab) -> None:
    tab.ask(TILDE)
    tab.ask(FRANCE)
    menu, files = _menu(tab, TILDE), {}
    for name in ("Markdown", "JSON", "BibTeX"):
        with tab.page.expect_download() as download:
            menu.get_by_role("link", name=name).click()
        files[name] = Path(download.value.path()).read_text("utf-8")
    for part in (TILDE, FRANCE, "99% smaller", TILDE_TITLE):
        assert part in files["Markdown"]
    exported: Any = json.loads(files["JSON"])
    assert [turn["question"] for turn in exported["turns"]] == [TILDE, FRANCE]
    assert re.findall(r"@\w+\{", files["BibTeX"])
    assert "Contextualized Exact Term Matching" in files["BibTeX"]
    expect(tab.turn(1)).to_be_visible()


def test_what_was_asked_is_edited_retried_and_searched_without_what_was_added(tab: Tab) -> None:
    box, scope = tab.page.locator("#pc-question textarea"), tab.page.locator("#pc-scope")
    tab.ask(TILDE)
    follow_up = tab.ask("And how fast is it?")
    follow_up.get_by_role("button", name="Search for exactly what I typed").click()
    expect(follow_up.locator(".pc-searched")).to_have_count(0)
    tab.complete(2)
    expect(follow_up).not_to_contain_text("100ms on commodity hardware")
    tab.turn(1).hover()
    tab.turn(1).get_by_role("button", name="Edit").click()
    expect(box).to_have_value(TILDE)
    expect(scope).to_contain_text("Editing an earlier question")
    tab.page.keyboard.press("Escape")
    expect(scope.locator(".pc-limit")).to_have_count(0)
    expect(box).to_have_value("")
    tab.turn(1).hover()
    tab.turn(1).get_by_role("button", name="Edit").click()
    expect(box).to_have_value(TILDE)
    box.fill("How do papers since 2024 quantize the weights of LLMs?")
    box.press("Enter")
    expect(tab.turn(2)).to_have_count(0)
    turn = tab.complete(1)
    expect(turn.locator(".pc-filter")).to_contain_text(re.compile("published since .*2024"))
    turn.get_by_role("button", name=re.compile("^Ask without this: published since")).click()
    expect(turn.locator(".pc-filter")).to_have_count(0)
    tab.complete(1)
    turn.get_by_role("button", name="Retry").click()
    expect(tab.complete(1).locator(".pc-made")).to_be_visible()
    assert tab.page.locator(".pc-turn").count() == 1
    tab.reload()
    expect(tab.turn(1).locator(".pc-question")).to_have_text("How do papers since 2024 quantize the weights of LLMs?")
    assert TILDE_SENTENCES[0] not in tab.page.inner_text("#pc-chat")
