"""A PDF page to lines of text with their places and type, as PDFium has them."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

BOLD = ("bold", "black", "heavy", "semibold", "demi", "cmbx", "cmssbx", "sfbx", "nimbusromno9l-medi", "nimbussanl-bold")
MAX_CHARACTERS = 200_000  # of a page; a dense one has 10,000
WIDE_GAP = 1.8  # of the type's size, between words: more than any justified line has
HYPHEN, NO_CHARACTER = 0x02, 0xFFFE
SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or the part of it in one column; points from the page's left and TOP edge.

    `broken` says that a hyphen at its end was taken off, which may or may not belong to the word; `row` that it
    is a row of a table.
    """

    text: str
    left: float
    right: float
    y: float
    size: float
    bold: bool = False
    upright: bool = True
    broken: bool = False
    row: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The lines of a page in the order in which the file draws them."""

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]


def read_page(document: Any, index: int) -> Page | None:
    """The page at `index` (from 0); None where the file is broken there."""
    import pypdfium2

    try:
        page = document[index]
        try:
            width, height = page.get_size()
            left, _, _, top = page.get_bbox()
            text = page.get_textpage()
            try:
                lines = tuple(_Lines(text.raw, left, top).all())
            finally:
                text.close()
        finally:
            page.close()
    except pypdfium2.PdfiumError:
        return None
    return Page(index + 1, width, height, lines)


class _Lines:
    """Characters of one page to lines: PDFium breaks them, and so does a gap as wide as between columns."""

    def __init__(self, page: Any, left: float, top: float) -> None:
        from pypdfium2 import raw

        self.raw, self.page, self.left, self.top = raw, page, left, top
        self.box = [ctypes.c_double() for _ in range(4)]
        self.matrix = raw.FS_MATRIX()
        self.name = ctypes.create_string_buffer(128)
        self.flags = ctypes.c_int()

    def all(self) -> Iterator[Line]:
        """The lines in the file's order."""
        count = min(self.raw.FPDFText_CountChars(self.page), MAX_CHARACTERS)
        codes = [self.raw.FPDFText_GetUnicode(self.page, index) for index in range(max(count, 0))]
        start = 0
        for index, code in enumerate(codes):
            if code in (10, 13):
                yield from self._line(codes, start, index)
                start = index + 1
            elif code == HYPHEN:  # stands for the hyphen and for the line's end
                yield from self._line(codes, start, index + 1)
                start = index + 1
        yield from self._line(codes, start, len(codes))

    def _line(self, codes: list[int], start: int, end: int) -> Iterator[Line]:
        """The parts of a line between wide gaps, or steps back to another column."""
        inked = [at for at in range(start, end) if codes[at] == HYPHEN or (codes[at] > 32 and codes[at] != 160)]
        part = inked[:1]
        for before, after in pairwise(inked):
            if after > before + 1 and self._is_apart(before, after):
                yield from self._part(codes, part)
                part = []
            part.append(after)
        yield from self._part(codes, part)

    def _is_apart(self, before: int, after: int) -> bool:
        gap = self._box(after)[0] - self._box(before)[1]
        return abs(gap) > WIDE_GAP * self._size(before) and self._is_upright(before)

    def _part(self, codes: list[int], inked: list[int]) -> Iterator[Line]:
        """The line that these characters and the spaces between them make; none without text."""
        if not inked:
            return
        first, last = inked[0], inked[-1]
        shown = codes[first : last + 1]
        broken = shown[-1] in (HYPHEN, NO_CHARACTER, 0xAD) or (shown[-1] in (0x2D, 0x2010) and len(shown) > 2)
        text = "".join(map(_character, shown[:-1] if broken else shown))
        if not text.strip():
            return
        spread = [inked[i * (len(inked) - 1) // (SAMPLES - 1)] for i in range(SAMPLES)]
        left, _, bottom, _ = self._box(first)
        right = self._box(last)[1]
        yield Line(
            text,
            left - self.left,
            right - self.left,
            self.top - self._baseline(first, bottom),
            median(map(self._size, spread)),
            bold=sum(map(self._is_bold, spread)) >= SAMPLES - 1,
            upright=sum(map(self._is_upright, spread)) > SAMPLES // 2,
            broken=broken,
        )

    def _baseline(self, at: int, otherwise: float) -> float:
        x, y = self.box[0], self.box[1]
        found = self.raw.FPDFText_GetCharOrigin(self.page, at, ctypes.byref(x), ctypes.byref(y))
        return float(y.value) if found else otherwise

    def _box(self, at: int) -> tuple[float, float, float, float]:
        """Left, right, bottom, top."""
        for one in self.box:
            one.value = 0.0
        self.raw.FPDFText_GetCharBox(self.page, at, *map(ctypes.byref, self.box))
        left, right, bottom, top = (one.value if math.isfinite(one.value) else 0.0 for one in self.box)
        return left, right, bottom, top

    def _is_upright(self, at: int) -> bool:
        return abs(math.sin(self.raw.FPDFText_GetCharAngle(self.page, at))) < 0.1

    def _size(self, at: int) -> float:
        size = float(self.raw.FPDFText_GetFontSize(self.page, at))
        if self.raw.FPDFText_GetMatrix(self.page, at, ctypes.byref(self.matrix)):
            size *= math.hypot(self.matrix.c, self.matrix.d)
        return round(size, 1) if math.isfinite(size) else 0.0

    def _is_bold(self, at: int) -> bool:
        if self.raw.FPDFText_GetFontWeight(self.page, at) >= 600:
            return True
        length = self.raw.FPDFText_GetFontInfo(self.page, at, self.name, len(self.name), ctypes.byref(self.flags))
        name = self.name.value.decode("ascii", "ignore").lower() if 0 < length <= len(self.name) else ""
        return any(mark in name for mark in BOLD)


def _character(code: int) -> str:
    return chr(code) if 31 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "
