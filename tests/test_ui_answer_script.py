"""What answer.js does with answers and evidence, in a real browser on a page without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from ui_helpers import PAPER, answered, citation, finished, found

from rag.answer.answer import Citation, Sentence
from rag.papers import Passage
from ui.conversation import ChatTurn
from ui.evidence_html import evidence_html
from ui.turns_html import conversation_html

pytestmark = pytest.mark.browser

STATIC = Path(__file__).parents[1] / "ui" / "static"
LONG = "Filler that nobody cites stands here. " * 60
X = replace(
    PAPER, title="Fast <img src=x onerror=window.hit=1> $x^2$", abstract=f"{LONG}Fast is $O(n)$. {PAPER.abstract}"
)
Y = replace(PAPER, paper_id="slow-y", title="Slow Y", abstract=f"{LONG}Y is slow. {LONG}")
TEXT = "X takes $O(n)$ for $5 [1].\n- Y is slow [2].\n- Z is free [2]."
COLUMNS = "#pc-shell { display: flex; height: 100vh; } #pc-chat, #pc-evidence { flex: 1; overflow: auto; }"
DRAWER = "#pc-evidence { position: fixed; inset: 0; overflow: auto; visibility: hidden; } "
DRAWER += "body[data-drawer=evidence] #pc-evidence { visibility: visible; }"
Opened = Callable[..., Page]


def _turn(number: int) -> ChatTurn:
    cited = (citation(1, X, "Fast is $O(n)$."), citation(2, Y, "Y is slow."))
    sentences = (
        Sentence("X takes $O(n)$ for $5 [1].", (1,), 1.0, supported=True),
        Sentence("Y is slow [2].", (2,), 1.0, supported=True),
        Sentence("Z is free [2].", (2,), 0.1, supported=False, note="“free” is in no passage"),
    )
    passages = (found(X, dense=0.5, words=3.0, fused=0.4, rerank=0.2), found(Y, dense=0.4))
    return finished(answered(TEXT, cited, sentences=sentences, passages=passages), number)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    contexts, complaints = [], []

    def open_page(*, turns: int = 1, phone: bool = False, dark: bool = False, of: Sequence[ChatTurn] = ()) -> Page:
        size = {"width": 390, "height": 700} if phone else {"width": 1200, "height": 700}
        context = browser.new_context(viewport=size, has_touch=phone, is_mobile=phone, reduced_motion="reduce")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        asked = list(of) or [_turn(number) for number in range(1, turns + 1)]
        styles = "".join((STATIC / name).read_text("utf-8") for name in ("chat.css", "answer.css"))
        layout = DRAWER if phone else COLUMNS
        page.set_content(
            f'<!doctype html><html lang="en" class="{"dark" if dark else ""}"><title>paperchat</title>'
            f"<style>{styles}{layout} body {{ background: var(--pc-ground); margin: 0 }}</style>"
            '<main id="pc-shell"><h1 class="pc-spoken">paperchat</h1>'
            f'<div id="pc-chat" tabindex="0">{conversation_html(asked)}</div>'
            f'<div id="pc-evidence" tabindex="0">{evidence_html(asked)}</div></main>'
        )
        for script in ("copy.js", "answer.js"):
            page.add_script_tag(content=(STATIC / script).read_text("utf-8"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_glance_at_a_chip_shows_title_date_and_quote_and_runs_nothing(opened: Opened) -> None:
    page = opened()
    glance = page.get_by_role("tooltip")
    expect(glance).to_be_hidden()
    page.locator("a.pc-chip").first.hover()
    expect(glance).to_contain_text("Fast <img src=x onerror=window.hit=1>")
    expect(glance).to_contain_text("August 19, 2021")
    expect(glance.locator(".pc-quotes math")).to_have_attribute("data-source", "$O(n)$")
    assert page.locator("a.pc-chip").first.get_attribute("aria-describedby") == "pc-popover"
    assert page.evaluate("window.hit") is None
    page.mouse.move(5, 690)
    expect(glance).to_be_hidden()


def test_a_glance_says_on_which_page_and_in_which_section_a_quote_stands(opened: Opened) -> None:
    text = "The cost is halved. It stays so."
    passage = Passage("slow-y:9", "slow-y", 9, text, 100, 132, in_body=True, section="3 Results", page=4)
    deep = [Citation(1, Y, text[a:b], 100 + a, 100 + b, 1.0, passage) for a, b in ((0, 19), (20, 32))]
    turn = finished(answered("The cost is halved [1].", (citation(1, Y, "Y is slow."), *deep)))
    page = opened(of=[turn])
    page.locator("a.pc-chip").first.hover()
    quotes = page.get_by_role("tooltip").locator(".pc-quotes")
    expect(quotes).to_have_text("Y is slow.Page 4, section “3 Results”The cost is halved.It stays so.")


def test_a_glance_by_keyboard_ends_with_escape_which_then_stops_nothing_else(opened: Opened) -> None:
    page = opened()
    page.evaluate("document.addEventListener('keydown', (e) => (window.keys = (window.keys ?? '') + e.key))")
    page.locator("#pc-chat").focus()
    for _ in range(2):  # Edit, then the first chip
        page.keyboard.press("Tab")
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
    assert "Escape" not in page.evaluate("window.keys")
    page.keyboard.press("Escape")
    assert "Escape" in page.evaluate("window.keys")


def test_why_a_sentence_is_marked_is_seen_at_the_sentence(opened: Opened) -> None:
    page = opened()
    page.locator(".pc-unsupported").hover(position={"x": 20, "y": 8})
    expect(page.get_by_role("tooltip")).to_have_text("Not supported: “free” is in no passage")


def test_the_evidence_follows_the_sentence_and_nothing_else_moves(opened: Opened) -> None:
    page = opened()
    second, column = page.locator("#evidence-1-2"), page.locator("#pc-evidence")
    expect(second.locator("summary")).not_to_be_in_viewport()
    before = page.locator(".pc-answer").bounding_box()
    page.locator(".pc-sentence").nth(1).hover(position={"x": 5, "y": 8})
    expect(second).to_have_class("pc-source pc-lit")
    expect(second.locator("mark")).to_be_in_viewport()
    assert page.locator(".pc-answer").bounding_box() == before
    scrolled = column.evaluate("column => column.scrollTop")
    page.locator(".pc-sentence").nth(2).hover(position={"x": 5, "y": 8})
    page.wait_for_timeout(300)
    assert column.evaluate("column => column.scrollTop") == scrolled, "a card in view stays where it is"


def test_the_evidence_of_an_earlier_answer_unfolds_while_it_is_followed(opened: Opened) -> None:
    page = opened(turns=3)
    earlier = page.locator(".pc-earlier", has=page.locator("#evidence-1-1"))
    page.locator("[data-turn='1'] .pc-sentence").first.hover()
    expect(earlier).to_have_attribute("open", "")
    page.locator("[data-turn='3'] .pc-sentence").first.hover()
    expect(earlier).not_to_have_attribute("open", "")


def test_a_click_opens_the_source_at_the_sentence(opened: Opened) -> None:
    page = opened()
    page.evaluate("document.querySelector('#evidence-1-2').open = false")
    page.locator("a.pc-chip").nth(1).click()
    expect(page.locator("#evidence-1-2 mark")).to_be_in_viewport()
    assert page.evaluate("document.activeElement.closest('.pc-source').id") == "evidence-1-2"
    assert page.url == "about:blank"


def test_on_a_phone_a_tap_shows_and_another_opens_the_drawer(opened: Opened) -> None:
    page = opened(phone=True)
    chip = page.locator("a.pc-chip").nth(1)
    chip.tap()
    expect(page.get_by_role("tooltip")).to_contain_text("Tap again")
    assert page.evaluate("document.body.dataset.drawer") is None
    chip.tap()
    assert page.evaluate("document.body.dataset.drawer") == "evidence"
    expect(page.locator("#evidence-1-2 mark")).to_be_in_viewport()


def test_copying_takes_the_text_with_its_markers_marks_and_sources(opened: Opened) -> None:
    page = opened()
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (t) => (window.copied = t)}})"
    )
    page.evaluate("document.querySelector('#pc-chat').addEventListener('click', () => (window.told = true))")
    button = page.locator("[data-act=copy]")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("window.copied") == (
        "X takes $O(n)$ for $5 [1].\n- Y is slow [2].\n- Z is free [2]. [unsupported]\n\n"
        "[1] Fast <img src=x onerror=window.hit=1> $x^2$ (August 19, 2021)\n[2] Slow Y (August 19, 2021)"
    )
    assert page.evaluate("window.told") is None, "the program is not asked"
    expect(button).to_have_text("Copy")


@pytest.mark.parametrize("dark", [False, True])
def test_answers_and_evidence_have_no_fault_of_accessibility(opened: Opened, dark: bool) -> None:
    page = opened(turns=2, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    page.locator("a.pc-chip").first.hover()
    found_wrong = Axe().run(page).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found_wrong] == []
