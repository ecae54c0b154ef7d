"""How soon a person can type: a real browser opens the page at the moment when the server says that it is up."""

from __future__ import annotations

import shutil
import time

from playwright.sync_api import sync_playwright

from eval.bench_ui.person import BOX
from eval.bench_ui.server import served


def first_page() -> dict[str, float | None]:
    """Seconds from the command to the address, from there to a box that takes text, and to loaded models.

    The page's time is None where no chromium is installed.

    Raises:
        RuntimeError: the server does not come up.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        with served() as server:
            return {"up_s": server.up - server.started, "usable_s": None, "models_s": server.wait_until_ready()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()  # the browser is there before the server, as a person's is
        with served() as server:
            page.goto(server.url)
            box = page.locator(f"#{BOX} textarea")
            box.fill("What is")  # waits until it can be typed into
            usable = time.monotonic()
            models = server.wait_until_ready()
        browser.close()
    return {"up_s": server.up - server.started, "usable_s": usable - server.up, "models_s": models}
