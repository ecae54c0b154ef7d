"""Reader of Word documents (DOCX): headings make sections, tables become lines of text."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from typing import Any

from rag.errors import SourceError
from rag.readers.blocks import Block, clean, heading_block, text_block
from rag.readers.document import Document, authors_in, entry, sane_title
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

MAX_UNPACKED = 100_000_000
MAX_MEMBERS = 10_000
MAX_MARKS = 2_000_000  # "<" in its XML; half are elements, of which the dearest take 10 µs each
MAX_DEPTH = 20  # of tables and content controls within each other
CONTENT = "word/document.xml"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"  # a byte order mark, spaces, or the first byte of a wide "<"
TWICE = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", f"{W}moveFrom")
SPACES = {f"{W}tab", f"{W}br", f"{W}cr", f"{W}p"}


def recognises(raw: Raw) -> bool:
    """Whether it is a ZIP archive with a Word document's content, or the beginning of one."""
    if not raw.data.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(raw.data)) as archive:
            return CONTENT in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return raw.suffix == ".docx" or CONTENT.encode() in raw.data


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The one paper of a document, and what was odd.

    Raises:
        SourceError: broken, locked, or too large when unpacked.
    """
    _check_size(raw)
    try:
        found = _document(raw.data)
    except Exception as error:  # python-docx raises whatever its parts raise on damaged ones
        remedy = "Open it in a word processor and save it again; was the download cut off?"
        raise SourceError(f"{raw.name} is a broken or locked Word document.", remedy) from error
    one, odd = entry(found, raw.name)
    return [one], odd


def _check_size(raw: Raw) -> None:
    """Refuse what would unpack to too much, by the archive's own list: no more than that is ever unpacked.

    Then refuse what has too many elements: a parser takes time and memory for each, however small they pack.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw.data)) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > MAX_UNPACKED or len(members) > MAX_MEMBERS:
                large = f"{raw.name} unpacks to {unpacked:,} bytes in {len(members):,} parts"
                raise SourceError(f"{large}; at most {MAX_UNPACKED:,} in {MAX_MEMBERS:,} are read.", "Split it.")
            marks = sum(_marks(archive.read(member)) for member in members)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError):
        return  # which opening it will say better
    if marks > MAX_MARKS:
        raise SourceError(f"{raw.name} has {marks:,} XML tags; at most {MAX_MARKS:,} are read.", "Split it.")


def _marks(data: bytes) -> int:
    """How many tags a part has if it is XML, whatever it is called."""
    return data.count(b"<") if data[:64].lstrip(BEFORE_XML)[:1] in (b"<", b"") else 0


def _document(data: bytes) -> Document:
    """What python-docx has of the document; its parser follows no entity."""
    import docx

    document = docx.Document(io.BytesIO(data))
    content: Any = document.element.body
    for element in [one for tag in TWICE for one in content.iter(tag)]:
        element.getparent().remove(element)
    styles = {style.style_id: (style.name or "").lower() for style in document.styles if style.style_id}
    blocks: list[Block] = []
    title = ""
    for block, style in _blocks(content, styles, MAX_DEPTH):
        if style == "title" and not title:
            title = block.text
        elif block.text and not style.startswith("toc"):
            blocks.append(block)
    properties = document.core_properties
    known = sane_title(properties.title or "")
    shown = {block.text for block in blocks[:10]}
    return Document(
        blocks,
        title=title or (known if known in shown or not blocks or not blocks[0].heading else ""),
        authors=authors_in(clean(properties.author or "")),
    )


def _blocks(parent: Any, styles: dict[str, str], depth: int) -> Iterator[tuple[Block, str]]:
    """Paragraphs and tables in their order, each with its style's name."""
    for element in parent:
        if not len(element):  # an empty paragraph
            continue
        if element.tag == f"{W}p":
            style = styles.get(_attribute(element, "pPr", "pStyle"), "")
            heading = style.startswith("heading") or _attribute(element, "pPr", "outlineLvl") in set("012345678")
            text = _text(element)
            yield (heading_block(text) if heading else text_block(text)), style
        elif element.tag == f"{W}tbl":
            yield Block("\n".join(filter(None, map(_row, element.findall(f"{W}tr"))))), ""
        elif element.tag == f"{W}sdt" and depth > 0:
            for content in element.iter(f"{W}sdtContent"):
                yield from _blocks(content, styles, depth - 1)
                break


def _attribute(element: Any, *path: str) -> str:
    found = element.find("/".join(f"{W}{step}" for step in path))
    return "" if found is None else str(found.get(f"{W}val", ""))


def _row(row: Any) -> str:
    cells = [clean(_text(cell)) for cell in row.findall(f"{W}tc")]
    return " | ".join(cell for cell in cells if cell)


def _text(paragraph: Any) -> str:
    """The text of a paragraph, or of all paragraphs in a table's cell."""
    pieces = []
    for element in paragraph.iter():
        if element.tag == f"{W}t":
            pieces.append(element.text or "")
        elif element.tag in SPACES:
            pieces.append(" ")
        elif element.tag == f"{W}noBreakHyphen":
            pieces.append("-")
    return "".join(pieces)
