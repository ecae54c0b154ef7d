"""How the page is, whatever it says: usable for everyone, still, quiet, and at home on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_helpers import FRANCE, TILDE, TILDE_SENTENCES, TILDE_TITLE, Tab, about_tilde
from conftest import ROOT
from PIL import Image
from playwright.sync_api import Browser, expect
from stub_endpoint import endpoint

pytestmark = pytest.mark.browser

THEMES = ["light", "dark"]
LARGEST = 150_000  # bytes of a picture in the README
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({type: "layout-shift", buffered: true});
"""


def faults(tab: Tab) -> list[tuple[str, list[str]]]:
    """What axe-core finds serious or critical in the page as it is now: the rule, and the elements."""
    violations = Axe().run(tab.page).response["violations"]
    return [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in violations
        if fault["impact"] in ("serious", "critical")
    ]


def shifted(tab: Tab) -> float:
    """Cumulative layout shift so far."""
    return float(tab.page.evaluate("window.shifts.reduce((sum, value) => sum + value, 0)"))


def _answer(tab: Tab) -> None:
    tab.ask(TILDE)
    tab.page.locator("#pc-evidence .pc-why > summary").click()
    tab.turn(1).locator("a.pc-chip").first.hover()
    expect(tab.page.get_by_role("tooltip")).to_be_visible()


def _library(tab: Tab) -> None:
    tab.view("library").locator(".pc-lib-open").first.click()
    tab.page.locator(".pc-lib-row").nth(1).get_by_role("checkbox").click()
    expect(tab.page.locator(".pc-lib-picked")).to_be_visible()
    expect(tab.page.locator(".pc-lib-text .pc-abstract")).to_be_visible()


def _map(tab: Tab) -> None:
    expect(tab.view("map").locator("#pc-map-bars .bars .point").first).to_be_attached()


STATES: dict[str, Callable[[Tab], object]] = {
    "welcome": lambda tab: expect(tab.page.locator("#pc-examples button").first).to_be_visible(),
    "answer": _answer,
    "refusal": lambda tab: tab.ask(FRANCE),
    "library": _library,
    "map": _map,
    "settings": lambda tab: tab.view("settings"),
}


@pytest.mark.parametrize("theme", THEMES)
def test_no_view_has_a_serious_fault_of_accessibility(browser: Browser, seed_url: str, theme: str) -> None:
    tab = Tab(browser, seed_url, color_scheme=theme, reduced_motion="reduce")
    for name, show in STATES.items():
        show(tab)
        assert (name, faults(tab)) == (name, [])
    tab.close()


@pytest.mark.parametrize("theme", THEMES)
def test_no_drawer_of_a_phone_has_a_serious_fault_of_accessibility(browser: Browser, seed_url: str, theme: str) -> None:
    tab = Tab(browser, seed_url, 390, 844, has_touch=True, is_mobile=True, color_scheme=theme, reduced_motion="reduce")
    tab.ask(TILDE)
    for drawer in ("side", "evidence"):
        tab.page.locator(f"[data-drawer={drawer}]:not(body)").tap()
        expect(tab.page.locator(f"#pc-{drawer}")).to_be_visible()
        assert (drawer, faults(tab)) == (drawer, [])
    tab.close()


def test_nothing_moves_while_an_answer_is_written(browser: Browser, seed_url: str) -> None:
    tab = Tab(browser, seed_url)
    tab.context.add_init_script(SHIFTS)
    expect(tab.page.locator("#pc-status")).to_contain_text(
        "papers"
    )  # loaded: leaving before is an error in the console
    tab.open(seed_url)
    assert shifted(tab) < 0.1, "the page itself"
    with endpoint(about_tilde(pause=0.05)) as stub:
        tab.use_endpoint(stub.url)
        for number in (1, 2):
            before = shifted(tab)
            tab.ask(TILDE)
            expect(tab.turn(number)).to_contain_text(TILDE_SENTENCES[-1])
            assert shifted(tab) - before < 0.02
    before = shifted(tab)
    tab.page.evaluate("document.querySelector('#pc-shell').style.marginTop = '200px'")
    tab.page.wait_for_function("before => window.shifts.reduce((sum, value) => sum + value, 0) > before", arg=before)
    tab.close()


def test_the_evidence_follows_the_sentence_and_a_chip_shows_what_it_stands_for(tab: Tab) -> None:
    with endpoint(about_tilde(sentences=(TILDE_SENTENCES[0], "TILDEv2 was trained by seven astronauts"))) as stub:
        tab.use_endpoint(stub.url)
        turn = tab.ask(TILDE)
    card, glance = tab.page.locator("#evidence-1-1"), tab.page.get_by_role("tooltip")
    expect(card).not_to_have_class(re.compile("pc-lit"))
    turn.locator(".pc-sentence").first.hover(position={"x": 5, "y": 5})
    expect(card).to_have_class(re.compile("pc-lit"))
    turn.locator("a.pc-chip").first.hover()
    for said in (TILDE_TITLE, "August 19, 2021", "99% smaller"):
        expect(glance).to_contain_text(said)
    tab.page.mouse.move(640, 600)
    expect(glance).to_be_hidden()
    turn.locator("a.pc-chip").first.focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Shift+Tab")
    expect(glance).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(glance).to_be_hidden()
    unsupported = turn.locator(".pc-unsupported")
    expect(unsupported).to_contain_text("astronauts")
    unsupported.locator(".pc-flag").hover()
    expect(glance).to_contain_text("Not supported")


def test_the_page_may_run_and_reach_nothing_else_and_the_tests_would_see_it(browser: Browser, seed_url: str) -> None:
    tab = Tab(browser, seed_url)
    tab.page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit = 1'}))"
    )
    tab.page.evaluate("() => fetch('http://127.0.0.2:9/').catch(() => {})")
    tab.page.evaluate("() => document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.2:9/x.png'}))")
    while len([said for said in tab.complaints if "Content Security Policy" in said]) < 3:
        tab.page.wait_for_timeout(50)  # until the time limit of a test, if need be
    assert tab.page.evaluate("window.hit") is None
    with pytest.raises(AssertionError):
        tab.close()


@pytest.mark.skipif(os.environ.get("SCREENSHOTS") != "1", reason="writes the README's pictures: SCREENSHOTS=1")
def test_pictures_of_the_page(browser: Browser, seed_url: str) -> None:
    def take(tab: Tab, name: str) -> None:
        tab.page.wait_for_timeout(700)  # whatever fades has faded
        picture = ROOT / "docs" / "screenshots" / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        drawn = Image.open(BytesIO(tab.page.screenshot(caret="hide"))).convert("RGB")
        drawn.quantize(128).save(picture, optimize=True)
        assert picture.stat().st_size <= LARGEST

    for name, theme in (("chat", "light"), ("chat_dark", "dark")):
        tab = Tab(browser, seed_url, color_scheme=theme)
        for question in ("What is VPTQ?", FRANCE):
            tab.ask(question)
            tab.page.click("#pc-clear")
            expect(tab.page.locator(".pc-welcome")).to_be_visible()
        tab.ask(TILDE)
        tab.turn(1).locator("a.pc-chip").first.hover()
        expect(tab.page.get_by_role("tooltip")).to_be_visible()
        take(tab, name)
        if theme == "light":
            tab.page.mouse.move(640, 650)
            _map(tab)
            take(tab, "map")
            for row in (1, 3):
                tab.view("library").locator(".pc-lib-row").nth(row).get_by_role("checkbox").click()
            expect(tab.page.locator(".pc-lib-picked")).to_contain_text("2 selected")
            take(tab, "library")
        tab.close()
    tab = Tab(browser, seed_url, 390, 844, has_touch=True, is_mobile=True)
    tab.ask(TILDE)
    take(tab, "phone")
    tab.close()
