"""A person at the page: asks, and notes what is on show when."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from eval.bench_ui.tab import PageError, Tab

TURNS = ("pc-past", "pc-now")  # the components that show the conversation, oldest turn first
BOX, NEW_CHAT = "pc-question", "pc-clear"
_TURN = '<article class="pc-turn"'
_ANSWER = 'class="pc-answer"'
_PLACE = re.compile(r">(\d+) (?:person is|people are) before you")


@dataclass(slots=True)
class Asked:
    """One question and what came of it; times in seconds since it was sent, `ended` on the clock of `time.monotonic`.

    `problem` is what the page said was wrong, or what was wrong with the page. `places` are the
    numbers of people before this one, as they were shown.
    """

    question: str
    shown: str = ""
    text: str = ""
    problem: str = ""
    first_words_s: float | None = None
    total_s: float = 0.0
    ended: float = 0.0
    places: list[int] = field(default_factory=list)


async def ask(tab: Tab, question: str, sent: asyncio.Event | None = None) -> Asked:
    """Ask in a new chat, and wait for the answer; `sent` is set once the page shows the question."""
    asked = Asked(question)
    try:
        await tab.fire(NEW_CHAT, "click")
        begun = time.monotonic()

        def look() -> None:
            turn = _last_turn(tab)
            if sent and _TURN in turn:
                sent.set()
            if asked.first_words_s is None and _ANSWER in turn:
                asked.first_words_s = time.monotonic() - begun
            elif (place := _PLACE.search(turn)) and asked.places[-1:] != [int(place[1])]:
                asked.places.append(int(place[1]))

        await tab.fire(BOX, "submit", typed=question, watch=look)
        asked.ended = time.monotonic()
        asked.total_s = asked.ended - begun
        _read(_last_turn(tab), asked)
    except (PageError, httpx.HTTPError) as error:
        asked.problem = f"{type(error).__name__}: {error}"
    finally:
        if sent:
            sent.set()
    return asked


def _last_turn(tab: Tab) -> str:
    html = "".join(tab.shows(elem_id) for elem_id in TURNS)
    return html[max(html.rfind(_TURN), 0) :]


def _read(turn: str, asked: Asked) -> None:
    reader = _Texts()
    reader.feed(turn)
    asked.shown, asked.text = reader.of("pc-question"), reader.of("pc-answer")
    asked.problem = reader.of("pc-problem") or ("" if asked.text else "There is no answer.")


class _Texts(HTMLParser):
    """The text below elements, by their class."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, list[str]]] = []
        self._texts: dict[str, list[str]] = {}

    def of(self, css_class: str) -> str:
        """With its white space made even."""
        return " ".join("".join(self._texts.get(css_class, [])).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("br", "input"):
            self._open.append((tag, (dict(attrs).get("class") or "").split()))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for css_class in {name for _, classes in self._open for name in classes}:
            self._texts.setdefault(css_class, []).append(data)
