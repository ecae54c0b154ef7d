"""PDFium in a process of its own: a file made to use up memory or time, or to crash it, fails alone.

`python -m rag.readers.pdf_process` reads a PDF from its input and writes JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from rag.errors import SourceError
from rag.readers.pdf_lines import Line, Page, read_page

MAX_PAGES = 2000
MAX_SECONDS = 60.0  # after which no further page is begun
GRACE = 30.0  # for the page begun last, and for starting
MEMORY = 500_000_000  # bytes, and four times the file; a paper takes a sixth
INCOMPLETE = "Incomplete:"  # begins the word of a document that was not read to its end
AGAIN = "Get it again; was the download cut off?"
TOO_MANY = f"at most {MAX_PAGES:,} are read."
FAILURES = {
    "locked": ("{name} is locked with a password.", "Save a copy without the password and give that."),
    "broken": ("{name} is a broken PDF.", AGAIN),
    "no page": ("{name} has no page that can be read.", AGAIN),
    "too many": ("{name} has {detail} pages; " + TOO_MANY, "Split it."),
    "died": ("{name} takes too much memory to read, or breaks the PDF reader.", "Print it to a new PDF and give that."),
    "slow": ("{name} takes too long to read.", "Print it to a new PDF and give that."),
}


@dataclass(frozen=True, slots=True)
class Printed:
    """The pages of a file, the title and author of its properties, and what was odd."""

    pages: tuple[Page, ...]
    title: str = ""
    author: str = ""
    problems: tuple[str, ...] = ()


def read_printed(data: bytes, name: str) -> Printed:
    """What stands on the pages of a PDF called `name`.

    Raises:
        SourceError: broken, locked, with too many pages, or too costly to read.
    """
    command = [sys.executable, "-P", "-m", "rag.readers.pdf_process"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=MAX_SECONDS + GRACE, check=False)
    except subprocess.TimeoutExpired as error:
        raise _failure("slow", name) from error
    if done.returncode:
        raise _failure("died", name)
    return _unpacked(json.loads(done.stdout), name)


def pages_of(data: bytes) -> dict[str, Any]:
    """What stands on the pages, JSON-ready: `failed` and `detail`, or pages, title, author and problems."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD
        return {"failed": "locked" if locked else "broken"}
    count = len(document)
    if count > MAX_PAGES:
        return {"failed": "too many", "detail": f"{count:,}"}
    pages, problems = _pages(document, count)
    if not pages:
        return {"failed": "no page"}
    facts = {key: str(document.get_metadata_value(key.title()) or "") for key in ("title", "author")}
    return {"pages": [astuple(page) for page in pages], "problems": problems, **facts}


def _pages(document: Any, count: int) -> tuple[list[Page], list[str]]:
    """All pages, or those that could be read in time, and what was left out."""
    pages: list[Page] = []
    problems: list[str] = []
    stop = time.monotonic() + MAX_SECONDS
    for index in range(count):
        page = read_page(document, index)
        if page is None:
            problems.append(f"Page {index + 1} is broken and was left out.")
        else:
            pages.append(page)
        if time.monotonic() > stop and index + 1 < count:
            problems.append(f"{INCOMPLETE} {index + 1} of {count} pages were read, in {MAX_SECONDS:.0f} seconds.")
            break
    return pages, problems


def _unpacked(answer: dict[str, Any], name: str) -> Printed:
    if "failed" in answer:
        raise _failure(answer["failed"], name, answer.get("detail", ""))
    pages = [_page(*fields) for fields in answer["pages"]]
    return Printed(tuple(pages), answer["title"], answer["author"], tuple(answer["problems"]))


def _page(number: int, width: float, height: float, lines: Sequence[Sequence[Any]]) -> Page:
    return Page(number, width, height, tuple(Line(*fields) for fields in lines))


def _failure(kind: str, name: str, detail: str = "") -> SourceError:
    message, remedy = FAILURES[kind]
    return SourceError(message.format(name=name, detail=detail), remedy)


def main() -> None:
    """Answer for the PDF on standard input."""
    data = sys.stdin.buffer.read()
    _limit(MEMORY + 4 * len(data))
    json.dump(pages_of(data), sys.stdout)


def _limit(size: int) -> None:
    """Take no more memory than `size` bytes, where the system can hold a process to that; never dump a core."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
