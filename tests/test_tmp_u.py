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



def test_look(browser: Browser, seed_copy: Path, tmp_path: Path) -> None:
    with served(seed_copy) as url:
        tab = Tab(browser, url)
        library = tab.view("library")
        expect(library.locator(".pc-lib-count")).to_contain_text("of 237")
        library.locator("#pc-lib-files input[type=file]").set_input_files(["/tmp/stranger6/tidalcache.pdf"])
        tab.page.wait_for_timeout(8000)
        library.get_by_placeholder("Search the papers").fill("TidalCache")
        row = library.locator(".pc-lib-row").first
        expect(row).to_contain_text("Tidal")
        row.locator(".pc-lib-open").click()
        expect(row.locator(".pc-abstract")).to_be_visible()
        tab.page.wait_for_timeout(1500)
        tab.page.screenshot(path="/tmp/u_lib.png")
        tab.ask_in_chat("Which learning rate does TidalCache use?")
        tab.page.screenshot(path="/tmp/u_ev.png")
        tab.page.locator("#pc-now a.pc-chip").first.hover(timeout=5000)
        tab.page.wait_for_timeout(500)
        tab.page.screenshot(path="/tmp/u_ev.png")
        tab.close()
