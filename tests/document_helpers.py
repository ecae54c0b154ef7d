"""Small documents for tests, made in memory: PDF pages line by line, Word documents, and their reading."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Sequence
from datetime import date
from types import ModuleType
from typing import Any

from rag.papers import Body
from rag.readers.source import Entry, Raw

TODAY = date(2026, 11, 21)
WIDTH, HEIGHT = 612, 792
LEFT, RIGHT_COLUMN, LEADING = 54, 318, 12
Item = tuple[float, float, str, float, str]  # x, y from the top, font, size, text
BODY, BOLD = "Times-Roman", "Times-Bold"
ABSTRACT = (
    "We measure how small language models answer questions",
    "about papers. The best of them reaches 81.5 percent on",
    "our collection, four points above the strongest baseline.",
)
STAMP = "arXiv:2309.12345v2 [cs.CL] 21 Sep 2023"


def read(module: ModuleType, data: bytes | str, name: str) -> tuple[Entry, str]:
    """The only entry that a reader finds, and its problems as lines of text."""
    raw = Raw(name, data.encode() if isinstance(data, str) else data)
    assert module.recognises(raw)
    (entry,), problems = module.read(raw, today=TODAY)
    return entry, "\n".join(problem.message for problem in problems)


def sections(body: Body | None) -> list[tuple[str | None, int | None, str]]:
    """Section, page and text of each part."""
    assert body is not None
    ends = [part.start for part in body.parts[1:]] + [len(body.text)]
    return [(p.section, p.page, body.text[p.start : e].strip()) for p, e in zip(body.parts, ends, strict=True)]


def pdf(pages: Iterable[Sequence[Item]], *, title: str = "", author: str = "", **options: Any) -> bytes:
    """A PDF that draws its items in the order given; `stamp` prints a line upwards on the first page."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    stamp = options.pop("stamp", "")
    canvas = Canvas(out, pagesize=(WIDTH, HEIGHT), **options)
    canvas.setTitle(title or "untitled")
    canvas.setAuthor(author or "anonymous")
    for number, page in enumerate(pages):
        for x, y, font, size, text in page:
            canvas.setFont(font, size)
            canvas.drawString(x, HEIGHT - y, text)
        if stamp and number == 0:
            canvas.rotate(90)
            canvas.setFont(BODY, 20)
            canvas.drawString(250, -30, stamp)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def lines(texts: Iterable[str], *, x: float = LEFT, y: float = 100, font: str = BODY, size: float = 10) -> list[Item]:
    """Lines below each other."""
    return [(x, y + LEADING * number, font, size, text) for number, text in enumerate(texts)]


def front(abstract: Sequence[str] = ABSTRACT) -> list[Item]:
    """Title in two lines, authors and abstract of a first page; they end at 230 points from the top."""
    return [
        (LEFT, 110, BOLD, 17, "Small Models Answer Questions"),
        (LEFT, 130, BOLD, 17, "About Research Papers"),
        (LEFT, 150, BODY, 10, "Jane Doe and Richard Roe"),
        (LEFT, 162, BODY, 10, "Institute of Examples"),
        (LEFT, 185, BOLD, 12, "Abstract"),
        *lines(abstract, y=200),
    ]


def two_columns() -> tuple[list[Item], list[Item]]:
    """The left and the right column of a page: sections 1 and 2, the first going on in the right column."""
    left = [(LEFT, 260.0, BOLD, 12.0, "1 Introduction")]
    left += lines([f"The left column has line {n} of the text and" for n in range(11)], y=275)
    left += lines(["a sentence that the left column can-"], y=275 + 11 * LEADING)
    right = lines(["not finish. It ends here in the right one."], x=RIGHT_COLUMN, y=260)
    right += [(RIGHT_COLUMN, 290.0, BOLD, 12.0, "2 Results")]
    right += lines([f"The right column has line {n} of results and" for n in range(9)], x=RIGHT_COLUMN, y=305)
    right += lines(["a last line that ends."], x=RIGHT_COLUMN, y=305 + 9 * LEADING)
    return left, right


def long_paper(n_pages: int = 3) -> bytes:
    """Pages with a running head, a number at the foot and a paragraph that goes over their ends."""
    pages = []
    for number in range(1, n_pages + 1):
        page: list[Item] = [] if number == 1 else [(LEFT, 40, BODY, 9, "DOE AND ROE: SMALL MODELS")]
        page += front() if number == 1 else []
        start = 260 if number == 1 else 100
        if number == 1:
            page += [(LEFT, start, BOLD, 12, "1 Introduction")]
        page += lines([f"page {number} has line {n} of one long paragraph and" for n in range(20)], y=start + 20)
        page += [(300, 760, BODY, 9, str(number))]
        pages.append(page)
    return pdf(pages)


def written_pdf(stream: bytes, *, packed: bool = False) -> bytes:
    """A PDF of one page with this content stream, written by hand."""
    stream = zlib.compress(stream, 9) if packed else stream
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(stream), b"/Filter/FlateDecode" if packed else b"", stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.5\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer <</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
    return out + end % (table, len(out))


def word_document(parts: Iterable[tuple[str, str]], *, title: str = "", author: str = "") -> bytes:
    """A Word document of (style, text); the style "Table" makes a table of rows by "/" and cells by "|"."""
    import docx

    document = docx.Document()
    document.core_properties.title, document.core_properties.author = title, author
    for style, text in parts:
        if style == "Table":
            rows = [row.split("|") for row in text.split("/")]
            table = document.add_table(len(rows), len(rows[0]))
            for row, cells in zip(table.rows, rows, strict=True):
                for cell, value in zip(row.cells, cells, strict=True):
                    cell.text = value
        else:
            document.add_paragraph(text, style=style)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
