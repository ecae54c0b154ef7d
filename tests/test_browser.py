"""The page in a real browser, against the real app, with the library of seeds/ and with hostile papers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from answer_helpers import shared_rows
from conftest import run_cli
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from stub_endpoint import Reply, answer, endpoint
from ui_helpers import served

pytestmark = pytest.mark.browser

SWITCHES = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
SWITCHES += ["--disable-component-update", "--disable-sync"]
PATIENCE_MS = 60_000  # a loaded machine answers slowly
TILDE = "How much smaller are TILDEv2's indexes?"


class Tab:
    """One browser tab that writes down what it requested and what it complained about."""

    def __init__(self, browser: Browser, url: str, width: int = 1280, height: int = 800) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else 0)
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(url)
        self.page.wait_for_selector("#pc-question textarea")

    def ask(self, question: str) -> None:
        """Type, press Enter, and wait until the answer is complete."""
        number = self.begin(question)
        self.page.wait_for_selector(f'.pc-turn[data-turn="{number}"][aria-busy="false"]')

    def begin(self, question: str) -> int:
        """Type and press Enter; gives the number of the turn."""
        number = self.page.locator(".pc-turn").count() + 1
        self.page.fill("#pc-question textarea", question)
        self.page.press("#pc-question textarea", "Enter")
        self.page.wait_for_selector(f'.pc-turn[data-turn="{number}"]')
        return number

    def turn(self, number: int) -> str:
        """What the chat shows of a turn."""
        return self.page.inner_text(f'.pc-turn[data-turn="{number}"]')

    def close(self) -> None:
        """Nothing may have left this machine, nor gone wrong."""
        hosts = {urlsplit(url).hostname for url in self.requests if urlsplit(url).scheme not in ("data", "blob")}
        assert hosts == {"127.0.0.1"}
        assert self.complaints == []
        self.context.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    running = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
    yield running
    running.close()


@pytest.fixture(scope="module")
def url(seed_home: Path, chromium: str) -> Iterator[str]:
    with served(seed_home) as address:
        yield address


@pytest.fixture
def tab(browser: Browser, url: str) -> Iterator[Tab]:
    opened = Tab(browser, url)
    yield opened
    opened.close()


def test_an_answer_has_chips_that_lead_to_the_highlighted_sentence(tab: Tab) -> None:
    tab.ask(TILDE)
    assert "99% smaller" in tab.turn(1)
    chip = tab.page.locator(".pc-turn .pc-chip").first
    assert "Fast Passage Re-ranking" in (chip.get_attribute("title") or "")
    source = tab.page.locator("#evidence-1-1")
    expect(source.locator("mark").first).to_contain_text("99% smaller")
    expect(source.locator(".pc-meta")).to_contain_text("August 19, 2021")
    assert source.locator("dt").all_inner_texts() == ["dense", "words", "fused", "rerank"]
    abstract = source.locator(".pc-abstract").inner_text()
    assert abstract.startswith("BERT-based information retrieval models are expensive")
    tab.page.evaluate("document.querySelector('#evidence-1-1').open = false")
    chip.click()
    expect(source).to_have_class(re.compile("pc-lit"))
    expect(source.locator("mark").first).to_be_in_viewport()
    assert urlsplit(tab.page.url).path == "/", "a chip stays in the page"


def test_what_the_papers_do_not_say_is_refused_with_the_nearest_papers(tab: Tab) -> None:
    tab.ask("What is the capital of France?")
    assert "do not answer that" in tab.turn(1)
    assert tab.page.locator(".pc-turn a.pc-chip").count() == 0
    assert tab.page.inner_text(".pc-reason")
    nearest = tab.page.locator("#pc-evidence .pc-source")
    assert nearest.count() > 0
    nearest.first.locator("summary").click()
    expect(nearest.first.locator(".pc-abstract")).to_be_visible()


def test_a_follow_up_shows_what_was_searched_and_a_new_chat_forgets(tab: Tab) -> None:
    tab.ask(TILDE)
    tab.ask("And how fast is it?")
    searched = tab.page.locator('.pc-turn[data-turn="2"] .pc-searched').inner_text()
    assert searched.startswith("Searched for: And how fast is it in “")
    assert "Fast Passage Re-ranking" in searched
    tab.page.locator('.pc-turn[data-turn="1"] .pc-chip').first.click()
    expect(tab.page.locator("#evidence-1-1 mark").first).to_be_in_viewport()
    tab.page.click("#pc-clear")
    expect(tab.page.locator(".pc-welcome")).to_be_visible()
    assert tab.page.locator(".pc-source").count() == 0


def test_an_example_is_asked_by_a_click(tab: Tab) -> None:
    tab.page.get_by_role("button", name=TILDE).click()
    tab.page.wait_for_selector('.pc-turn[aria-busy="false"]')
    assert "99% smaller" in tab.turn(1)
    expect(tab.page.locator("#pc-examples")).to_be_hidden()


def test_enter_sends_shift_enter_breaks_the_line_and_blank_is_nothing(tab: Tab) -> None:
    box = tab.page.locator("#pc-question textarea")
    box.fill("   ")
    with tab.page.expect_response(lambda response: "queue/join" in response.url):
        box.press("Enter")
    tab.page.wait_for_timeout(500)  # the page reads the box a moment after the key
    assert tab.page.locator(".pc-turn").count() == 0
    box.fill("What is")
    box.press("Shift+Enter")
    box.type("VPTQ?")
    assert box.input_value() == "What is\nVPTQ?"
    box.press("Enter")
    tab.page.wait_for_selector('.pc-turn[data-turn="1"][aria-busy="false"]')
    assert tab.page.inner_text(".pc-question") == "What is\nVPTQ?"
    assert box.input_value() == ""


def test_a_question_that_cannot_be_asked_is_a_sentence_and_the_next_one_works(tab: Tab) -> None:
    tab.ask("?" * 5000)
    assert "5,000 characters" in tab.page.inner_text(".pc-problem")
    tab.ask("What is VPTQ?")
    assert "quantization" in tab.turn(2).lower()


def test_two_browsers_do_not_see_each_other(browser: Browser, url: str) -> None:
    tabs = [Tab(browser, url), Tab(browser, url)]
    for tab, question in zip(tabs, [TILDE, "What is VPTQ?"], strict=True):
        tab.begin(question)
    for tab, mine, theirs in [(tabs[0], "TILDE", "VPTQ"), (tabs[1], "VPTQ", "TILDE")]:
        tab.page.wait_for_selector('.pc-turn[aria-busy="false"]')
        tab.ask("And how fast is it?")
        seen = tab.page.inner_text("#pc-shell")
        assert mine in seen
        assert theirs not in tab.page.inner_text(".pc-turns")
        tab.close()


@pytest.mark.parametrize("width", [390, 1600])
def test_nothing_sticks_out_at_any_width(browser: Browser, url: str, width: int) -> None:
    tab = Tab(browser, url, width, 844)
    tab.ask(TILDE)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = {name: tab.page.locator(name).bounding_box() for name in ("#pc-chat", "#pc-evidence", "#pc-composer")}
    chat, evidence, composer = (boxes[name] or {} for name in boxes)
    assert composer["y"] + composer["height"] <= 844 + 1, "the question box is in sight"
    if width < 900:
        assert evidence["y"] >= chat["y"] + chat["height"] - 1, "evidence stands below the chat"
    else:
        assert evidence["x"] >= chat["x"] + chat["width"] - 1, "evidence stands beside the chat"
    tab.close()


def test_dark_is_dark(browser: Browser, url: str) -> None:
    tab = Tab(browser, url)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.reload()
    tab.page.wait_for_selector("#pc-question textarea")
    ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in re.findall(r"\d+", ground)[:3]) < 150
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
        tab.ask('<img src=x onerror="window.hit=1"><script>window.hit=1</script> ${window.hit=1} {{hit}} **b** $x$')
        tab.ask("List the papers")
        tab.page.locator("#pc-evidence details").evaluate_all("all => all.forEach(one => one.open = true)")
        shown = tab.page.inner_text("#pc-shell")
        for literal in ("<script>fetch('/api/config')", "<img src=x onerror=alert(1)>", "<b onmouseover=alert(2)>"):
            assert literal in shown
        assert "<EOS>" in shown
        assert "[click](javascript:alert(3))" in shown
        assert '<img src=x onerror="window.hit=1">' in tab.turn(3)
        assert "${window.hit=1} {{hit}} **b** $x$" in tab.turn(3)
        assert tab.page.evaluate("window.hit === undefined")
        assert tab.page.title() == name
        assert tab.page.locator("#pc-shell :is(script, img, svg:not(button svg), iframe, .katex)").count() == 0
        links = tab.page.locator("#pc-shell a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert all(link.startswith("#evidence-") for link in links)
        tab.close()


def test_a_model_streams_and_stop_ends_its_request_and_a_refused_key_is_a_sentence(
    browser: Browser, seed_home: Path
) -> None:
    sentences = [
        "TILDEv2 produces indexes that are 99% smaller than those of TILDE",
        "The matching mechanism improves ranking effectiveness by 24%",
        "TILDEv2 keeps query latency below 100ms on commodity hardware",
        "TILDEv2 relies on contextualized exact term matching with expanded passages",
    ]

    def cited(body: dict[str, object]) -> Reply:
        prompt = str(body["messages"])
        blocks = [block for block in re.split(r"(?=<passage )", prompt) if "TILDEv2" in block and 'id="' in block]
        found = re.search(r'id="(p[0-9a-f]{4})"', blocks[0])
        assert found
        return answer("".join(f"{sentence} [{found[1]}]. " for sentence in sentences), pause=0.15)

    refused = Reply((b'{"error": {"message": "no"}}',), status=401, content_type="application/json")
    with (
        endpoint(cited, refused) as stub,
        served(seed_home, PAPERCHAT_ANSWERER="openai", OPENAI_BASE_URL=stub.url, OPENAI_MODEL="stub") as url,
    ):
        tab = Tab(browser, url)
        tab.begin(TILDE)
        tab.page.wait_for_selector(".pc-answer")
        assert "99% smaller" in tab.turn(1)
        assert sentences[-1] not in tab.turn(1), "text is shown as it comes"
        tab.page.get_by_role("button", name="Stop").click()
        tab.page.wait_for_selector("text=Stopped.")
        assert stub.disconnected.wait(20), "the request to the model is ended"
        assert sentences[-1] not in tab.turn(1)
        tab.ask(TILDE)
        assert "OPENAI_API_KEY" in tab.page.inner_text(".pc-problem")
        tab.close()
