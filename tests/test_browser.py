"""The chat in a real browser, against the real app, with the library of seeds/ and with hostile papers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from answer_helpers import shared_rows
from browser_helpers import FRANCE, TILDE, TILDE_SENTENCES, TILDE_TITLE, Tab, about_tilde, colour_of
from conftest import run_cli
from playwright.sync_api import Browser, expect
from stub_endpoint import StubEndpoint, endpoint, error
from ui_helpers import served

pytestmark = pytest.mark.browser

VPTQ = "What is VPTQ?"


def test_an_answer_has_chips_that_lead_to_the_highlighted_sentence_and_says_why(tab: Tab) -> None:
    turn = tab.ask(TILDE)
    expect(turn).to_contain_text("99% smaller")
    expect(turn.locator(".pc-confidence")).to_have_text("Well supported")
    chip = turn.locator("a.pc-chip").first
    assert TILDE_TITLE in (chip.get_attribute("aria-label") or "")
    source = tab.page.locator("#evidence-1-1")
    expect(source.locator("mark").first).to_contain_text("99% smaller")
    expect(source.locator(".pc-meta")).to_contain_text("August 19, 2021")
    expect(source.locator(".pc-abstract")).to_contain_text("BERT-based information retrieval models are expensive")
    source.evaluate("source => (source.open = false)")
    chip.click()
    expect(source).to_have_class(re.compile("pc-lit"))
    expect(source.locator("mark").first).to_be_in_viewport()
    assert urlsplit(tab.page.url).path == "/", "a chip stays in the page"
    why = tab.page.locator("#pc-evidence .pc-why")
    expect(why.locator("table")).to_be_hidden()
    why.locator("summary").first.click()
    assert why.locator("thead th").all_inner_texts() == ["dense", "words", "feedback", "fused", "weighed"]
    expect(why.locator("th[scope=rowgroup]").first).to_contain_text(TILDE_TITLE)
    bars = why.locator("tbody").first.locator("td > [value]").evaluate_all("all => all.map(one => one.value)")
    assert bars == [1.0] * 5, "the paper that everything agrees on has the longest bars"
    for said in ("Left out: only the best", "Searching", "in all, first words after"):
        expect(why).to_contain_text(said)


def test_what_the_papers_do_not_say_is_refused_with_papers_to_ask_about_instead(tab: Tab) -> None:
    turn = tab.ask(FRANCE)
    expect(turn).to_contain_text("do not answer that")
    assert turn.locator("a.pc-chip").count() == 0
    expect(turn.locator(".pc-confidence")).to_have_text("Not in these papers")
    expect(tab.page.locator(".pc-reason")).to_contain_text("No paper in the library covers")
    nearest = tab.page.locator("#pc-evidence .pc-source")
    nearest.first.locator("summary").click()
    expect(nearest.first.locator(".pc-abstract")).to_be_visible()
    title = turn.locator(".pc-nearest .pc-paper").first.inner_text()
    turn.locator("[data-act=about]").first.click()
    expect(tab.page.locator("#pc-scope")).to_contain_text(f"Asking only “{title[:40]}")
    expect(tab.page.locator("#pc-question textarea")).to_be_focused()
    scoped = tab.ask("What does it propose?")
    expect(scoped.locator("[data-field=paper_ids]")).to_have_count(1)
    expect(scoped.locator(".pc-title, .pc-confidence").first).to_be_visible()
    tab.page.locator("#pc-scope [data-act=unscope]").click()
    expect(tab.page.locator("#pc-scope .pc-limit")).to_have_count(0)


def test_a_follow_up_shows_what_was_searched_and_a_new_chat_forgets(tab: Tab) -> None:
    tab.ask(TILDE)
    searched = tab.ask("And how fast is it?").locator(".pc-searched")
    expect(searched).to_contain_text(re.compile(f"^Searched for: And how fast is it in “{TILDE_TITLE}"))
    tab.turn(1).locator("a.pc-chip").first.click()
    expect(tab.page.locator("#evidence-1-1 mark").first).to_be_in_viewport()
    tab.page.click("#pc-clear")
    expect(tab.page.locator(".pc-welcome")).to_be_visible()
    expect(tab.page.locator(".pc-source")).to_have_count(0)
    expect(tab.page.locator("#pc-question textarea")).to_be_focused()
    expect(tab.ask("And how fast is it?").locator(".pc-searched")).to_have_count(0)


def test_an_example_is_asked_by_a_click_and_what_cannot_be_asked_is_a_sentence(tab: Tab) -> None:
    tab.page.get_by_role("button", name=TILDE).click()
    expect(tab.complete(1)).to_contain_text("99% smaller")
    expect(tab.page.locator("#pc-examples")).to_be_hidden()
    expect(tab.ask("?" * 5000).locator(".pc-problem")).to_contain_text("5,000 characters")
    expect(tab.ask(VPTQ)).to_contain_text("uantization")


def test_the_keyboard_is_enough(tab: Tab) -> None:
    box = tab.page.locator("#pc-question textarea")
    box.fill("   ")
    with tab.page.expect_response(lambda response: "queue/data" in response.url):
        box.press("Enter")
    box.fill("What is")
    box.press("Shift+Enter")
    tab.page.keyboard.type("VPTQ?")
    assert box.input_value() == "What is\nVPTQ?"
    box.press("Enter")
    turn = tab.complete(1)
    assert turn.locator(".pc-question").inner_text() == "What is\nVPTQ?"
    assert box.input_value() == ""
    assert tab.page.locator(".pc-turn").count() == 1, "blanks are no question"
    tab.view("library")
    tab.page.keyboard.press("/")
    expect(box).to_be_focused()
    expect(tab.page.locator("body")).to_have_attribute("data-view", "chat")
    tab.page.keyboard.type("a/b")
    assert box.input_value() == "a/b", "a slash that is typed is a slash"


def test_two_browsers_do_not_see_each_other(browser: Browser, seed_url: str) -> None:
    tabs = [Tab(browser, seed_url), Tab(browser, seed_url)]
    for tab, question in zip(tabs, [TILDE, VPTQ], strict=True):
        tab.begin(question)
    for tab, mine, theirs in [(tabs[0], "TILDE", "VPTQ"), (tabs[1], "VPTQ", "TILDE")]:
        tab.complete(1)
        tab.ask("And how fast is it?")
        assert mine in tab.page.locator("#pc-chats").inner_text()
        assert theirs not in tab.page.locator("#pc-chats").inner_text()
        assert theirs not in " ".join(tab.page.locator(".pc-turns").all_inner_texts())
    for tab in tabs:
        tab.close()


def test_on_a_phone_nothing_sticks_out_and_both_columns_are_drawers(browser: Browser, seed_url: str) -> None:
    tab = Tab(browser, seed_url, 390, 844, has_touch=True, is_mobile=True)
    tab.ask(TILDE)
    composer = tab.page.locator("#pc-composer").bounding_box()
    assert composer
    assert composer["y"] + composer["height"] <= 844 + 1, "the question box is in sight"
    side, evidence = tab.page.locator("#pc-side"), tab.page.locator("#pc-evidence")
    expect(side).to_be_hidden()
    expect(evidence).to_be_hidden()
    chip = tab.turn(1).locator("a.pc-chip").first
    chip.tap()
    expect(tab.page.get_by_role("tooltip")).to_contain_text("Tap again")
    chip.tap()
    expect(evidence.locator("mark").first).to_be_in_viewport()
    tab.page.keyboard.press("Escape")
    expect(evidence).to_be_hidden()
    for view in ("library", "map", "settings", "chat"):
        tab.page.get_by_role("button", name="Conversations and library").tap()
        side.locator(f"#pc-go-{view}").tap()
        expect(side).to_be_hidden()
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390, view
    tab.close()


def test_on_a_wide_screen_three_columns_stand_beside_each_other_and_dark_is_dark(
    browser: Browser, seed_url: str
) -> None:
    tab = Tab(browser, seed_url, 1600, 900, color_scheme="dark")
    tab.ask(TILDE)
    boxes: list[Any] = [tab.page.locator(name).bounding_box() for name in ("#pc-side", "#pc-middle", "#pc-evidence")]
    for left, right in zip(boxes, [*boxes[1:], {"x": 1600}], strict=True):
        assert left["x"] + left["width"] <= right["x"] + 1
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 1600
    assert tab.page.evaluate("document.documentElement.scrollHeight") <= 900, "each column scrolls by itself"
    assert tab.page.locator("#pc-evidence").evaluate("column => column.scrollHeight > column.clientHeight")
    assert sum(colour_of(tab)) < 150
    assert sum(colour_of(tab, ".pc-answer", "color")) > 500
    tab.close()


def test_hostile_papers_and_questions_show_as_text_and_run_nothing(
    browser: Browser, home: Path, tmp_path: Path
) -> None:
    attacks = {row["aid"]: row for row in shared_rows("attacks_dev.jsonl")}
    for aid in ("atk-03", "atk-13"):
        (tmp_path / f"{aid}.txt").write_text(attacks[aid]["payload"])
    assert run_cli("ingest", str(tmp_path / "atk-03.txt"), str(tmp_path / "atk-13.txt"), cwd=tmp_path).returncode == 0
    with served(home) as url:
        tab = Tab(browser, url)
        name = tab.page.title()
        for question in (attacks["atk-03"]["probe_question"], attacks["atk-13"]["probe_question"]):
            tab.ask(question)
        typed = '<img src=x onerror="window.hit=1"><script>window.hit=1</script> ${window.hit=1} {{hit}} **b** $x$'
        mine = tab.ask(typed)
        tab.ask("List the papers")
        tab.page.locator("#pc-evidence details").evaluate_all("all => all.forEach(one => one.open = true)")
        shown = tab.page.inner_text("#pc-shell")
        for literal in ("<script>fetch('/api/config')", "<img src=x onerror=alert(1)>", "<b onmouseover=alert(2)>"):
            assert literal in shown
        assert "<EOS>" in shown
        assert "[click](javascript:alert(3))" in shown
        assert typed in mine.inner_text()
        tab.turn(1).locator("a.pc-chip").first.hover()
        tab.view("library").locator(".pc-lib-open").first.wait_for()
        papers = tab.page.locator(".pc-lib-open").all()
        for paper in papers:
            paper.click()
        expect(tab.page.locator(".pc-lib-text .pc-abstract")).to_have_count(len(papers))
        tab.view("map").locator(".js-plotly-plot").first.wait_for()
        tab.view("chat")
        assert tab.page.evaluate("window.hit === undefined")
        assert tab.page.title() == name
        drawn = "#pc-shell :is(#pc-chats, #pc-chat, #pc-evidence, #pc-lib-papers, #pc-map-topics)"
        assert tab.page.locator(f"{drawn} :is(script, img, iframe)").count() == 0
        links = tab.page.locator(f"{drawn} a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert links
        assert all(link.startswith(("#evidence-", "?chat=", "export/")) for link in links)
        tab.close()


@pytest.fixture
def streaming() -> Iterator[StubEndpoint]:
    """A model that takes its time; after two answers its key is refused."""
    slow = about_tilde(pause=0.1)
    with endpoint(slow, slow, error(401, "no")) as stub:
        yield stub


def test_text_is_shown_as_it_comes_and_stop_ends_the_request_to_the_model(tab: Tab, streaming: StubEndpoint) -> None:
    tab.use_endpoint(streaming.url)
    for number, stop in enumerate(["button", "Escape"], start=1):
        tab.begin(TILDE)
        turn = tab.turn(number)
        expect(turn.locator(".pc-answer")).to_contain_text("99% smaller")
        assert TILDE_SENTENCES[-1] not in turn.inner_text(), "text is shown as it comes"
        if stop == "Escape":
            tab.page.keyboard.press("Escape")
        else:
            tab.page.get_by_role("button", name="Stop").click()
        expect(turn).to_contain_text("Stopped.")
        assert streaming.disconnected.wait(20), "the request to the model is ended"
        streaming.disconnected.clear()
        assert TILDE_SENTENCES[-1] not in turn.inner_text()
        expect(tab.page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    problem = tab.ask(TILDE).locator(".pc-problem")
    expect(problem).to_contain_text("OPENAI_API_KEY")
    expect(problem).not_to_contain_text("no such")
    assert tab.page.locator(".pc-problem").count() == 1
