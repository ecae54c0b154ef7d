"""What the tests in a real browser share: a tab that writes down what it requested and what it complained about."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Locator, Page, Request, expect
from stub_endpoint import Reply, answer

SWITCHES = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
SWITCHES += ["--disable-component-update", "--disable-sync"]
PATIENCE_MS = 60_000  # a loaded machine answers slowly
TILDE = "How much smaller are TILDEv2's indexes?"
TILDE_TITLE = "Fast Passage Re-ranking with Contextualized Exact Term Matching and Efficient Passage Expansion"
TILDE_SENTENCES = (
    "TILDEv2 produces indexes that are 99% smaller than those of TILDE",
    "The matching mechanism improves ranking effectiveness by 24%",
    "TILDEv2 keeps query latency below 100ms on commodity hardware",
    "TILDEv2 relies on contextualized exact term matching with expanded passages",
)
FRANCE = "What is the capital of France?"
expect.set_options(timeout=PATIENCE_MS)


class Tab:
    """One tab of a browser of its own: nobody else has its cookie. It opens the page at once.

    `complaints` are errors in the console (a breach of the page's security policy is one), exceptions, and dialogs.
    """

    def __init__(self, browser: Browser, url: str, width: int = 1280, height: int = 800, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._streams: set[Request] = set()
        self.page = self.watched(self.context.new_page())
        self.open(url)

    def watched(self, page: Page) -> Page:
        """The page, with all that it does on record."""
        page.on("request", self._begun)
        page.on("requestfinished", lambda request: self._streams.discard(request))
        page.on("requestfailed", lambda request: self._streams.discard(request))
        page.on("pageerror", self._failed)
        page.on("console", self._heard)
        page.on("dialog", self._asked)
        return page

    def _begun(self, request: Request) -> None:
        self.requests.append(request.url)
        if "/queue/data" in request.url:
            self._streams.add(request)

    def _failed(self, failure: Error) -> None:
        self.complaints.append(str(failure))

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def open(self, url: str) -> None:
        """Go there, and wait until the page can be used."""
        self.page.goto(url)
        self.ready()

    def reload(self) -> None:
        """Reload the page when it is quiet: Gradio complains of a stream that is broken off by leaving."""
        while self._streams:
            self.page.wait_for_timeout(20)
        self.page.reload()
        self.ready()

    def ready(self) -> None:
        """Wait until the page can be used."""
        self.page.wait_for_selector("#pc-question textarea")
        self.page.wait_for_selector(".pc-status", state="attached")

    def view(self, name: str) -> Locator:
        """Show the view by the left column: chat, library, map or settings."""
        if self.page.locator("body").get_attribute("data-view") != name:
            self.page.click(f"#pc-go-{name}")
        return self.page.locator("#pc-chat-view" if name == "chat" else f"#pc-{name}")

    def ask(self, question: str) -> Locator:
        """Type, press Enter, and wait until the answer is complete."""
        return self.complete(self.begin(question))

    def ask_in_chat(self, question: str) -> Locator:
        """The same from another view."""
        self.view("chat")
        return self.ask(question)

    def begin(self, question: str) -> int:
        """Type and press Enter; gives the number of the turn."""
        number = self.page.locator(".pc-turn").count() + 1
        self.page.fill("#pc-question textarea", question)
        self.page.press("#pc-question textarea", "Enter")
        self.page.wait_for_selector(f'.pc-turn[data-turn="{number}"]')
        return number

    def complete(self, number: int = 1) -> Locator:
        """The turn of this number, once it has ended."""
        self.page.wait_for_selector(f'.pc-turn[data-turn="{number}"][aria-busy="false"]')
        return self.turn(number)

    def turn(self, number: int = 1) -> Locator:
        """A turn of the chat."""
        return self.page.locator(f'.pc-turn[data-turn="{number}"]')

    def use_endpoint(self, url: str) -> None:
        """Have the model at this address write the answers of this tab, by the settings."""
        settings = self.view("settings")
        address = settings.get_by_role("textbox", name="Address")
        address.fill(url)
        address.press("Enter")
        choice = settings.locator("input[value=openai]")
        expect(choice).to_be_enabled()
        choice.check()
        expect(self.page.locator("#pc-settings-summary")).to_contain_text("answered by the endpoint")
        self.view("chat")

    def close(self) -> None:
        """Nothing may have left this machine, nor gone wrong."""
        hosts = {urlsplit(url).hostname for url in self.requests if urlsplit(url).scheme not in ("data", "blob")}
        self.context.close()
        assert hosts == {"127.0.0.1"}, hosts
        assert self.complaints == [], self.complaints


def colour_of(tab: Tab, selector: str = "body", name: str = "backgroundColor") -> tuple[int, ...]:
    """Red, green and blue of an element's colour, each 0 to 255."""
    written = tab.page.locator(selector).first.evaluate(f"element => getComputedStyle(element).{name}")
    return tuple(int(part) for part in re.findall(r"\d+", written)[:3])


def about_tilde(pause: float = 0.0, sentences: tuple[str, ...] = TILDE_SENTENCES) -> Any:
    """A script for the stub endpoint: sentences that cite TILDEv2's paper by the name that the prompt gives it."""

    def reply(body: dict[str, Any]) -> Reply:
        blocks = re.split(r"(?=<passage )", str(body["messages"]))
        names = [
            found[1] for block in blocks if "TILDEv2" in block and (found := re.search(r'id="(p[0-9a-f]{4})"', block))
        ]
        if not names:  # it is asked to put a follow-up question into words of its own
            return answer(TILDE)
        return answer("".join(f"{sentence} [{names[0]}]. " for sentence in sentences), pause=pause)

    return reply
