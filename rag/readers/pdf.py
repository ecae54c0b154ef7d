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
from rag.readers.pdf_tables import with_rows
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

SIGNATURE = re.compile(rb"(?:\A|[\r\n\0])[ \t]*%PDF-\d")  # not within a line: a paper may write about it
SIGNATURE_WITHIN = 1024  # bytes; some files have a mail's head before it
LEAST_CHARACTERS = 20  # a page; a scan's pages have none
REFERENCES = re.compile(r"\W{0,9}(?:references|bibliography)\W{0,9}", re.I)
TITLE_WITHIN = 0.6  # of the first page's height
LEAST_TITLE = 8
MARK = re.compile(r"(?:\bdoi\s?:?\s?|\bdoi\.org/|/doi/|\bdigital object identifier:?\s)(?=10\.[0-9]{4,9}/)", re.I)
OTHERS = re.compile(  # a line that names another thing than the paper; "Scientific Data" is a journal
    r"\b(?:available|archived?|repository|see|supplement\w*|data ?sets?|(?:data|code|software) (?:and|at|are|is))\b",
    re.I,
)
# Where data and programs are deposited: a paper may have such a DOI besides its own.
DEPOSITS = (
    *("10.5281/zenodo", "10.6084/m9.figshare", "10.5061/dryad", "10.7910/dvn", "10.17605/osf", "10.17632/"),
    "10.1594/pangaea",
)
FOOTNOTE_MARK = re.compile(r"(?<=[a-z])[a-z0-9]\)$")  # raised at a title's end: "Linebreaka)"
HEAD, FOOT = 0.2, 0.75  # of the first page's height
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
    rows = [with_rows(page) for page in without_margins(pages)]
    inside = [in_reading_order(page) for page, _ in rows]
    unread = [Problem(1, message) for _, message in rows if message]
    title, inside[0] = _title(inside[0], size, sane_title(printed.title))
    stamp = STAMP.search(" ".join(first.split()))
    found = Document(
        blocks(inside, size),
        title=title,
        authors=authors_in(clean(printed.author)),
        published=_day(stamp["date"], today) if stamp else None,
        arxiv_id=stamp["id"] if stamp else None,
        doi=_own_doi(pages[0]),
        printed=True,
        problems=[*(Problem(1, message) for message in printed.problems), *unread],
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
    text = text.strip().rstrip("∗*†‡§¶⋆ ")
    return FOOTNOTE_MARK.sub("", text) if text.count(")") > text.count("(") else text


def _own_doi(page: Page) -> str | None:
    """The only DOI above any references, if it stands marked as one in the page's head or foot.

    Of several, one may be another paper's; one within the text is what the paper is about, or its data's.
    """
    found: set[str] = set()
    own: set[str] = set()
    for line in page.lines:
        if REFERENCES.fullmatch(line.text):
            break
        printed = {doi for word in line.text.split() if "10." in word and (doi := _printed_doi(word))}
        found |= {doi for doi in printed if not doi.startswith(DEPOSITS)}
        outside = not HEAD * page.height < line.y < FOOT * page.height
        if outside and MARK.search(line.text) and not OTHERS.search(line.text):
            own |= printed
    return found.pop() if len(found) == 1 and found <= own else None


def _printed_doi(word: str) -> str | None:
    """The DOI in a word; none where it has signs at which one in running text ends, so that its end is not known."""
    return None if "<" in word else doi_in(word)


def _day(text: str | None, today: date) -> date | None:
    try:
        day = datetime.strptime(text or "", "%d %b %Y").date()
    except ValueError:
        return None
    return day if day <= today + timedelta(days=1) else None
