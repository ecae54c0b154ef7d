"""What the tests of the page share: answers made by hand, a strict reader of HTML, a served page."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from conftest import child_environment

from rag.answer.answer import Answer, Citation, RetrievedPassage, Searched, Sentence
from rag.papers import Filters, Paper, Passage
from ui.conversation import ChatTurn

MATH_TAGS = set(
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover "
    "mtable mtr mtd mstyle mpadded".split()
)
SAFE_TAGS = MATH_TAGS | set(
    "article div p span a ul li br h2 h3 details summary mark dl dt dd meter progress button "
    "table thead tbody tr th td".split()
)
SAFE_ATTRIBUTES = set(
    "class id href title role aria-busy aria-label aria-live aria-hidden aria-pressed open min max value type disabled "
    "colspan scope data-act data-turn data-verdict data-field data-paper data-cites data-source target rel".split()
)
MATH_ATTRIBUTES = set(
    "data-source display mathvariant stretchy fence separator form accent accentunder movablelimits displaystyle "
    "scriptlevel columnalign rowalign width height depth lspace rspace voffset minsize maxsize linethickness".split()
)
ABSTRACT = "We study X. Indexes are 99% smaller than <EOS> ones. It costs $5, or $10 | **more**."
PAPER = Paper("fast-x", "Fast X", ABSTRACT, date(2021, 8, 19), n_authors=2, organisation="Kyutai")


class Reading(HTMLParser):
    """What a browser would see: tags with their attributes, and the text, a formula's as it was written.

    Void and closed tags are checked.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self._texts: dict[int, str] = {}
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "input"):
            self._open.append(tag)
            self._texts[len(self.tags)] = ""
            self._open[-1] = f"{tag} {len(self.tags)}"
        if tag == "math":
            self._add(dict(attrs)["data-source"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        if not any(opened.startswith("math ") for opened in self._open):
            self._add(data)

    def _add(self, data: str) -> None:
        self.text += data
        for opened in self._open:
            self._texts[int(opened.split()[1])] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def texts(self, tag: str, css_class: str = "") -> list[str]:
        """The text of each element of this kind, in order."""
        return [
            self._texts[at]
            for at, (name, attributes) in enumerate(self.tags, 1)
            if name == tag and (not css_class or css_class in (attributes.get("class") or "").split())
        ]


def assert_harmless(html: str) -> Reading:
    """Only our own elements and attributes, and links only into the page."""
    reading = Reading(html)
    for tag, attributes in reading.tags:
        assert tag in SAFE_TAGS, tag
        assert set(attributes) <= (MATH_ATTRIBUTES if tag in MATH_TAGS else SAFE_ATTRIBUTES), attributes
        assert re.match(r"#evidence-|https://(?:arxiv\.org/abs|doi\.org)/", attributes.get("href") or "#evidence-")
    return reading


def citation(n: int, paper: Paper, quote: str, support: float = 1.0) -> Citation:
    """The marker `n` on a sentence of a paper's abstract."""
    start = paper.abstract.index(quote)
    return Citation(n, paper, quote, start, start + len(quote), support)


def answered(text: str, citations: tuple[Citation, ...] = (), **fields: Any) -> Answer:
    """An answer of the quotes answerer."""
    base = Answer("What?", "What?", Filters(), text, "answered", "Because.", "quotes", citations=citations)
    return replace(base, timings_ms={"total": 420.0}, **fields)


def finished(answer: Answer, number: int = 1, question: str = "What?") -> ChatTurn:
    """A turn that has its answer."""
    return ChatTurn(number, question, text=answer.answer, answer=answer)


def found(paper: Paper, **scores: float) -> RetrievedPassage:
    """A passage that is the whole abstract."""
    return RetrievedPassage(paper, Passage("p", paper.paper_id, 0, paper.abstract, 0, len(paper.abstract)), scores)


def everywhere(text: str) -> list[ChatTurn]:
    """Turns in which `text` stands wherever a paper, a question, a model or an error can put it."""
    paper = replace(PAPER, paper_id=text, title=text, abstract=text, organisation=text)
    quote = Citation(1, paper, text, 0, len(text), 0.5)
    spoken = f"“{text}”: {text} [1]\n- {text}\n\n{text}"
    sentences = (Sentence(text, (1,), 0.1, supported=False, note=text),)
    passages = (found(paper, dense=0.5), found(replace(PAPER, title=text, abstract=text)))
    fields: dict[str, Any] = {"query_used": text, "filters": Filters(organisation=text), "reason": text}
    full = answered(spoken, (quote,), sentences=sentences, passages=passages, outcome="partial", model=text, **fields)
    refused = answered(text, nearest=(paper,), outcome="refused", **fields)
    running = ChatTurn(3, text, searched=Searched(text, Filters(organisation=text), passages), text=spoken)
    failed = ChatTurn(4, text, problem=text)
    return [finished(full, 1, text), finished(refused, 2, text), running, failed]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, **environment: str) -> Iterator[str]:
    """`paperchat serve` in a process of its own, as a person starts it; gives its address, ends it with SIGTERM."""
    port = free_port()
    command = [sys.executable, "-c", "from rag.cli import main; main()", "serve"]
    settings = {"PAPERCHAT_HOME": str(home), "PAPERCHAT_PORT": str(port), **environment}
    process = subprocess.Popen(command, env=child_environment() | settings, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}/" in line, line
        yield f"http://127.0.0.1:{port}/"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == "", "one line is all that serving says"
    finally:
        process.kill()
        process.wait()
