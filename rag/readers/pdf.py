"""Reader of PDF papers: title, abstract, and the text by section and page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from rag.errors import SourceError
from rag.papers import doi_in, normalised_title
from rag.readers.blocks import clean
from rag.readers.document import Document, authors_in, entry, sane_title
from rag.readers.pdf_blocks import blocks
from rag.readers.pdf_layout import body_size, in_reading_order, without_margins
from rag.readers.pdf_lines import Line, Page
from rag.readers.pdf_process import read_printed
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

SIGNATURE = re.compile(rb"(?:\A|[\r\n\0])[ \t]*%PDF-\d")  # not within a line: a paper may write about it
SIGNATURE_WITHIN = 1024  # bytes; some files have a mail's head before it
LEAST_CHARACTERS = 20  # a page; a scan's pages have none
TITLE_WITHIN = 0.6  # of the first page's height
LEAST_TITLE = 8
STAMP = re.compile(
    r"arXiv:\s?(?P<id>[0-9]{4}\.[0-9]{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/[0-9]{7})v[0-9]{1,2}"
    r"\s{1,4}\[[\w.-]{2,20}\]\s{1,4}(?P<date>[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4})"
)


def recognises(raw: Raw) -> bool:
    """Whether it has a PDF's signature near its beginning."""
    return SIGNATURE.search(raw.data[:SIGNATURE_WITHIN]) is not None


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The one paper of a PDF, and what was odd.

    Raises:
        SourceError: broken, locked, without a text layer, or with too many pages.
    """
    printed = read_printed(raw.data, raw.name)
    pages = printed.pages
    if sum(len(line.text) for page in pages for line in page.lines) < LEAST_CHARACTERS * max(1, min(len(pages), 10)):
        remedy = "Run text recognition over it (OCR, e.g. ocrmypdf) and give the result."
        raise SourceError(f"{raw.name} has no text layer: its pages are only images.", remedy)
    first = "\n".join(line.text for line in pages[0].lines)
    size = body_size(pages)
    inside = [in_reading_order(page) for page in without_margins(pages)]
    title, inside[0] = _title(inside[0], size, sane_title(printed.title))
    stamp = STAMP.search(" ".join(first.split()))
    found = Document(
        blocks(inside, size),
        title=title,
        authors=authors_in(clean(printed.author)),
        published=_day(stamp["date"], today) if stamp else None,
        arxiv_id=stamp["id"] if stamp else None,
        doi=_own_doi(first),
        printed=True,
        problems=[Problem(1, message) for message in printed.problems],
    )
    one, odd = entry(found, raw.name)
    return [one], odd


def _title(page: Page, size: float, known: str) -> tuple[str, Page]:
    """The title, and the first page without it and what stands above it.

    It is the largest type in the upper part; the file's own title is taken where the page shows the same words.
    """
    shown = normalised_title(" ".join(line.text for line in page.lines))
    printed, start, end = _largest(page, size)
    if known and (not printed or normalised_title(known) in shown):
        printed = known
    if not printed:
        return "", page
    above = page.lines[:start] if start < 6 else ()
    lines = page.lines[end:] if above or start == 0 else (*page.lines[:start], *page.lines[end:])
    return printed, Page(page.number, page.width, page.height, tuple(lines))


def _largest(page: Page, size: float) -> tuple[str, int, int]:
    """The lines in the largest type of the upper page that have words, with their first and last + 1 index."""
    upper = [(i, line) for i, line in enumerate(page.lines) if line.y < TITLE_WITHIN * page.height]
    for largest in sorted({line.size for _, line in upper if line.size > size + 0.6}, reverse=True)[:5]:
        start = next(i for i, line in upper if line.size == largest)
        end = start + 1
        while end < len(page.lines) and _same_title(page.lines[end - 1], page.lines[end]) and end - start < 6:
            end += 1
        text = _joined(page.lines[start:end])
        if len(text) >= LEAST_TITLE and " " in text:
            return text, start, end
    return _first_bold(upper, page)


def _first_bold(upper: Sequence[tuple[int, Line]], page: Page) -> tuple[str, int, int]:
    """A title in the text's own size: the first bold lines."""
    start = next((i for i, line in upper[:8] if line.bold and len(line.text) >= LEAST_TITLE), None)
    if start is None:
        return "", 0, 0
    end = start + 1
    while end < len(page.lines) and page.lines[end].bold and _same_title(page.lines[end - 1], page.lines[end]):
        end += 1
    return _joined(page.lines[start:end]), start, end


def _same_title(last: Line, line: Line) -> bool:
    return abs(line.size - last.size) <= 0.6 and line.bold == last.bold and abs(line.y - last.y) < 2 * last.size


def _joined(lines: Sequence[Line]) -> str:
    text = ""
    for line in lines:
        text += clean(line.text) + ("" if line.broken else " ")
    return text.strip().rstrip("∗*†‡§¶⋆ ")


def _own_doi(first_page: str) -> str | None:
    """The only DOI above any references: of several, one may be another paper's."""
    above = re.split(r"\n\W{0,9}(?:references|bibliography)\W{0,9}\n", first_page, maxsplit=1, flags=re.I)[0]
    found = {doi_in(word) for word in above.split() if "10." in word} - {None}
    return found.pop() if len(found) == 1 else None


def _day(text: str | None, today: date) -> date | None:
    try:
        day = datetime.strptime(text or "", "%d %b %Y").date()
    except ValueError:
        return None
    return day if day <= today + timedelta(days=1) else None
