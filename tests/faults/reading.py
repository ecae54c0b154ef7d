"""Reading a file as a test sees it: what holds of every reading, within time and memory."""

from __future__ import annotations

import signal
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType

from rag.errors import SourceError
from rag.papers import Body
from rag.readers import Raw, SourceReading, read_raw

TODAY = date(2026, 11, 21)
SECONDS = 2.0  # of computing, for one input, on an idle machine
MAX_TITLE = 500


class TooSlowError(AssertionError):
    """An input took longer than any may."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Interrupt what computes longer than this: a hang fails the test instead of hanging it too."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def read(data: bytes, name: str) -> SourceReading | None:
    """What `read_raw` makes of a file, checked; None where it refuses it with a message."""
    try:
        reading = read_raw(Raw(name, data), today=TODAY)
    except SourceError as error:
        _check_message(error)
        return None
    check(reading)
    return reading


def _check_message(error: SourceError) -> None:
    assert error.message.strip()
    assert error.message.isprintable()


def check(reading: SourceReading) -> None:
    """What holds of every reading."""
    assert reading.entries or any(problem.lost for problem in reading.problems)
    for problem in reading.problems:
        assert problem.message.strip()
        assert problem.line is None or problem.line >= 1
    for entry in reading.entries:
        paper = entry.paper
        assert entry.line >= 1
        assert paper.title == paper.title.strip()
        assert "\n" not in paper.title
        assert 0 < len(paper.title) <= MAX_TITLE
        assert paper.paper_id
        for text in (paper.title, paper.abstract, paper.organisation or "", *paper.authors):
            assert _clean(text), repr(text)
        assert paper.n_authors is None or paper.n_authors >= 0
        assert paper.doi is None or paper.doi == paper.doi.lower()
        assert paper.url is None or paper.url.startswith(("http://", "https://"))
        assert (entry.body is None) == (paper.body_hash is None)
        if entry.body is not None:
            assert paper.body_hash == entry.body.content_hash
            _check_body(entry.body)


def _check_body(body: Body) -> None:
    starts = [part.start for part in body.parts]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] < len(body.text)
    assert _clean(body.text)
    pages = [part.page for part in body.parts if part.page is not None]
    assert pages == sorted(pages)
    assert all(page >= 1 for page in pages)
    assert all(part.section is None or _clean(part.section) for part in body.parts)


def _clean(text: str) -> bool:
    """No control characters but line ends and tabs, no halves of characters."""
    return not any(unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" for one in text)
