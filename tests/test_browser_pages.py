"""The other views in a real browser: the library, the map, and the settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import TILDE, TILDE_TITLE, Tab, about_tilde
from listing_helpers import FIRST, HEAD, SECOND
from playwright.sync_api import Browser, Locator, expect
from stub_endpoint import endpoint, error, html, models, whole
from ui_helpers import served

from rag.feedback import FEEDBACK

pytestmark = pytest.mark.browser

KEY = "sk-secret-0123456789abcdef"
# Keeps the body of every response, also of streams that the page breaks off.
HEARING = """
window.heard = [];
const ask = window.fetch;
window.fetch = async (...request) => {
  const response = await ask(...request);
  (async () => {
    const decoder = new TextDecoder();
    for await (const part of response.clone().body) window.heard.push(decoder.decode(part, {stream: true}));
  })().catch(() => {});
  return response;
};
"""


# --- the library ----------------------------------------------------------------------------------


def test_papers_are_searched_sorted_narrowed_opened_and_asked_about(tab: Tab) -> None:
    library = tab.view("library")
    count, rows = library.locator(".pc-lib-count"), library.locator(".pc-lib-row")
    expect(count).to_have_text("Showing 1–50 of 237")
    expect(tab.page.locator("#pc-evidence")).to_be_hidden()
    library.get_by_role("button", name="Next").click()
    expect(count).to_have_text("Showing 51–100 of 237")
    library.locator("select[data-change=organisation]").select_option("Kyutai")
    expect(count).to_have_text("Showing 1–1 of 1")
    expect(rows.first).to_contain_text("ARC-Encoder")
    library.locator("select[data-change=organisation]").select_option("")
    library.get_by_placeholder("Search the papers").fill("passage re-ranking")
    expect(rows.first).to_contain_text(TILDE_TITLE)
    titles = library.locator(".pc-lib-row .pc-paper").all_inner_texts()
    library.locator("select[data-change=order]").select_option("title")
    expect(rows.first).to_contain_text(min(titles, key=str.casefold))
    library.locator("select[data-change=order]").select_option("relevance")
    expect(rows.first).to_contain_text(TILDE_TITLE)
    rows.first.locator(".pc-lib-open").click()
    expect(rows.first.locator(".pc-abstract")).to_contain_text("BERT-based information retrieval models")
    expect(rows.first.locator(".pc-note")).to_contain_text(re.compile(r"Listed in 00\d_.*\.txt"))
    chosen = []
    for row in (rows.nth(0), rows.nth(1)):
        chosen.append(row.locator(".pc-paper").inner_text())
        row.get_by_role("checkbox").click()
        expect(row.get_by_role("checkbox")).to_be_checked()
    library.get_by_role("button", name="Ask about these 2").click()
    expect(tab.page.locator("#pc-scope")).to_contain_text("Asking only 2 chosen papers")
    turn = tab.ask(TILDE)
    expect(turn).to_contain_text("99% smaller")
    expect(turn).to_contain_text("among 2 chosen")
    assert set(tab.page.locator("#pc-evidence .pc-paper").all_text_contents()) <= set(chosen)


def test_files_are_added_with_an_outcome_each_and_a_removal_is_undone(
    browser: Browser, seed_copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "page.txt").write_text(HEAD + FIRST + SECOND)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    with served(seed_copy) as url:
        tab = Tab(browser, url)
        library = tab.view("library")
        expect(library.locator(".pc-lib-count")).to_contain_text("of 237")
        status = tab.page.locator("#pc-status")
        expect(status).to_contain_text("237 papers")
        drop = library.locator("#pc-lib-files .wrap").last
        assert "PDFs, documents or reference lists" in drop.evaluate(
            "zone => getComputedStyle(zone, '::after').content"
        )
        chooser = library.locator("#pc-lib-files input[type=file]")
        chooser.set_input_files([tmp_path / "page.txt", tmp_path / "photo.png"])
        report = library.locator(".pc-lib-report")
        expect(report.locator("[role=status]")).to_contain_text("2 added, 1 failed")
        expect(report.locator("summary")).to_contain_text("page.txt")
        expect(report.locator(".pc-lib-failed")).to_contain_text("photo.png")
        assert str(tmp_path) not in report.inner_text()
        expect(library.locator(".pc-lib-count")).to_contain_text("of 239")
        expect(status).to_contain_text("239 papers")
        assert tab.ask_in_chat("How much does the First Good Paper reach?").inner_text().count("11.1%")
        tab.view("library")
        library.get_by_placeholder("Search the papers").fill("Good Paper")
        row = library.locator(".pc-lib-row", has_text="First Good Paper")
        row.hover()
        row.get_by_role("button", name="Remove").click()
        note = library.locator("#pc-lib-note")
        expect(note).to_contain_text("Removed 1 paper.")
        expect(status).to_contain_text("238 papers")
        expect(row).to_have_count(0)
        refused = tab.ask_in_chat("What reaches 11.1% on the first benchmark?")
        assert "First Good Paper" not in refused.inner_text(), "the chat knows it no more"
        tab.view("library")
        note.get_by_role("button", name="Undo").click()
        expect(note).to_contain_text("1 paper put back.")
        expect(status).to_contain_text("239 papers")
        expect(row).to_have_count(1)
        expect(tab.ask_in_chat("How much does the First Good Paper reach?")).to_contain_text("11.1%")
        tab.close()


# --- the map --------------------------------------------------------------------------------------


def _picture(tab: Tab) -> list[dict[str, Any]]:
    """What the map draws: for each series its number of points, size, opacity and texts."""
    plot = tab.view("map").locator("#pc-map-places .js-plotly-plot")
    expect(plot.locator(".scatterlayer .point").first).to_be_attached()
    return plot.evaluate(  # type: ignore[no-any-return]
        "plot => plot.data.map(s => ({n: s.x.length, opacity: s.marker.opacity, text: [...(s.text ?? [])],"
        " hover: [...(s.hovertext ?? [])]}))"
    )


def test_the_map_shows_every_paper_and_lights_up_what_is_cited(tab: Tab) -> None:
    before = _picture(tab)
    assert sum(series["n"] for series in before) == 237
    expect(tab.page.locator(".pc-lit-papers li")).to_have_count(0)
    topics = tab.page.locator("#pc-map-topics .pc-topic")
    sizes = [int(size.split()[0]) for size in topics.locator(".pc-topic-size").all_inner_texts()]
    assert sum(sizes) == 237
    topics.first.locator("summary").click()
    expect(topics.first.locator("li").first).to_be_visible()
    expect(tab.page.locator("#pc-map-bars .js-plotly-plot .bars .point").first).to_be_attached()
    tab.ask_in_chat(TILDE)
    tab.view("map")
    expect(tab.page.locator(".pc-lit-papers")).to_contain_text(TILDE_TITLE)
    *others, cited = _picture(tab)
    assert (cited["n"], cited["text"]) == (1, ["1"])
    assert "Fast Passage Re-ranking" in cited["hover"][0]
    assert max(series["opacity"] for series in others) < cited["opacity"]


# --- settings -------------------------------------------------------------------------------------


def _test(settings: Locator) -> Locator:
    settings.get_by_role("button", name="Test").click()
    return settings.locator("#pc-tested")


def test_an_endpoint_says_what_is_wrong_with_it_until_it_answers(tab: Tab) -> None:
    settings = tab.view("settings")
    with endpoint(whole("OK")) as stub:
        settings.get_by_role("textbox", name="Address").fill(stub.url)
        stub.listing = error(401, "no")
        expect(_test(settings)).to_contain_text(f"{stub.host} wants a key (401). Enter one.")
        stub.listing = html()
        expect(_test(settings)).to_contain_text(f"{stub.host} sent a web page.")
        stub.listing, stub.script = models("llama-3", "qwen"), [error(404, "no such model")]
        expect(_test(settings)).to_contain_text("knows no model")
        settings.get_by_label("Model", exact=True).click()
        tab.page.get_by_role("option", name="qwen").click()
        stub.script = [whole("OK")]
        expect(_test(settings)).to_contain_text(f"qwen at {stub.host} answers")
        assert stub.requests[-1]["model"] == "qwen"
    expect(_test(settings)).to_contain_text(f"No connection to {stub.host}. Check that it runs, and the address.")
    settings.get_by_role("textbox", name="Address").fill("ftp://x")
    expect(_test(settings)).to_be_empty()
    expect(settings.locator("#pc-endpoint-problem")).to_contain_text("http")
    settings.get_by_role("button", name="Back to defaults").click()
    expect(settings.locator("#pc-settings-summary")).to_contain_text("Everything is as the server is configured.")


def test_a_key_that_is_typed_is_used_and_comes_back_nowhere(tab: Tab, served_folder: Path) -> None:
    tab.context.add_init_script(HEARING)
    tab.open(tab.page.url)
    with endpoint(whole("OK"), about_tilde()) as stub:
        settings = tab.view("settings")
        settings.get_by_role("textbox", name="Address").fill(stub.url)
        key = settings.get_by_label("Key", exact=True)
        key.fill(KEY)
        expect(_test(settings)).to_contain_text("answers")
        expect(settings.locator("#pc-key-state")).to_contain_text("A key is set for this tab.")
        assert key.input_value() == ""
        settings.locator("input[value=openai]").check()
        expect(settings.locator("#pc-settings-summary")).to_contain_text("a key of your own")
        turn = tab.ask_in_chat(TILDE)
        expect(turn).to_contain_text("99% smaller")
        turn.get_by_role("button", name="Helpful", exact=True).click()
        expect(turn).to_contain_text("Noted on this machine.")
        assert [headers["authorization"] for headers in stub.headers if "content-length" in headers] == [
            f"Bearer {KEY}"
        ] * 2
        tab.view("settings")
        settings.get_by_role("button", name="Forget key").click()
        expect(settings.locator("#pc-key-state")).to_contain_text("Only if the endpoint wants one.")
    assert KEY not in tab.page.content()
    assert KEY not in tab.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    heard = tab.page.evaluate("window.heard.join('')")
    for told in ("A key is set for this tab", "99% smaller", "a key of your own"):
        assert told in heard, "all that the server says was heard"
    assert KEY not in heard
    files = [file for file in served_folder.rglob("*") if file.is_file()]
    assert "conversations.sqlite3" in {file.name for file in files}
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    judged = (served_folder / "home" / FEEDBACK).read_text("utf-8")
    assert json.loads(judged.splitlines()[-1])["answer"]["model"] == "stub"
    assert stub.host not in judged
    assert str(served_folder) not in judged


def test_settings_hold_for_the_next_question_and_for_this_tab_only(tab: Tab) -> None:
    settings = tab.view("settings")
    settings.get_by_label("Published to").fill("2016-12-31")
    settings.get_by_label("Published to").press("Tab")
    expect(settings.locator("#pc-settings-summary")).to_contain_text("only papers")
    expect(tab.page.locator("#pc-scope")).to_contain_text("Only papers")
    expect(tab.ask_in_chat(TILDE).locator(".pc-confidence")).to_have_text("Not in these papers")
    other = tab.watched(tab.context.new_page())
    other.goto(tab.page.url.split("?")[0])
    expect(other.locator("#pc-scope .pc-limit")).to_have_count(0)
    other.close()
    tab.view("settings")
    settings.get_by_label("At most, for one answer").fill("99")
    settings.get_by_label("At most, for one answer").press("Tab")
    expect(settings.locator("#pc-fields-problem")).to_contain_text(re.compile(r"\d"))
    settings.get_by_role("button", name="Back to defaults").click()
    expect(settings.locator("#pc-fields-problem")).to_be_empty()
    expect(tab.ask_in_chat(TILDE)).to_contain_text("99% smaller")
