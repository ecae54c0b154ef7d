"""Tables of a PDF page, read row by row: cells on one baseline become one line of text, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from rag.readers.pdf_layout import gutter, rows_of, side_of
from rag.readers.pdf_lines import Line, Page

CELLS = " | "
ROW_DISTANCE = 3.2  # sizes of the type between neighbouring rows of a table
TOO_NEAR = 0.8  # two rows of numbers nearer than this cannot be told apart
CAPTION_WITHIN = 8  # sizes of the type
SHORT = 60  # characters of a cell; longer ones are prose
LONG_WORDS = 5  # a cell of so many words is prose where another stands beside it
NO_NUMBER = re.compile(r"[^\W\d_]{3}")
CAPTION = re.compile(r"tab(?:le|\.)\s*[0-9IVXS]", re.I)
MOST_CAPTIONS = 20  # of a page
MOST_CELLS = 60  # of a row; more are a drawing's
LEAST_LOST = 3
LEFT_OUT = "A table on page {} was left out: its rows cannot be told apart for sure."
LOST = "Some values of a table on page {} stand in no clear row and may be missing."
Row = list[Line]


def with_rows(page: Page) -> tuple[Page, str]:
    """The page with each row of its tables as one line, and what could not be read of them, if anything.

    A table whose rows stand too near each other to be told apart is left out: a wrong value is worse than none.
    """
    captions = [line for line in page.lines if CAPTION.match(line.text)][:MOST_CAPTIONS]
    rows = _cells(page, captions)
    order = {line: index for index, line in enumerate(page.lines)}
    placed: dict[Line, Line | None] = {}
    left_out = False
    for region in _regions(rows):
        captioned, aligned = _has_caption(region, captions), _is_aligned(region)
        if not captioned and not aligned:
            continue  # formulas stand like this, too
        unsure = captioned and aligned and _is_unsure(region)
        left_out |= unsure
        for row in region:
            whole = None if unsure else _joined(row)
            for cell in row:
                placed[cell] = None
            placed[min(row, key=order.__getitem__)] = whole
    lines = [line for one in page.lines if (line := placed.get(one, one)) is not None]
    problem = LEFT_OUT if left_out else LOST if _has_lost_values(lines, captions) else ""
    return replace(page, lines=tuple(lines)), problem.format(page.number)


def _has_lost_values(lines: Sequence[Line], captions: Sequence[Line]) -> bool:
    """Whether values near a table's caption are in no row: alone they may be taken for a figure's axis."""
    alone = [
        line
        for line in lines
        if not line.row
        and is_number(line.text)
        and any(abs(line.y - caption.y) < CAPTION_WITHIN * line.size for caption in captions)
    ]
    return len(alone) >= LEAST_LOST


def is_number(text: str) -> bool:
    """Whether a cell holds a value rather than words: "41.2", "< 35", "9117±38", "12 ms"."""
    first = next(filter(str.isalnum, text), "")
    return first.isdigit() and not NO_NUMBER.search(text) and sum(map(str.isalpha, text)) * 2 < len(text)


def _cells(page: Page, captions: Sequence[Line]) -> list[Row]:
    """Rows of a page from top to bottom, each within its column unless a table goes over both."""
    rows = rows_of(page.lines)
    middle = gutter(page)
    if middle is None:
        return rows
    both = [_goes_over(row, middle, page, captions) for row in rows]
    parted: list[list[Row]] = [[], []]
    done: list[Row] = []
    for row, over in zip(rows, both, strict=True):
        if over:
            done += [*parted[0], *parted[1], row]
            parted = [[], []]
            continue
        for right in (False, True):
            part = [line for line in row if (side_of(line, middle) > 0) == right]
            parted[right] += [part] if part else []
    return [*done, *parted[0], *parted[1]]


def _goes_over(row: Row, middle: float, page: Page, captions: Sequence[Line]) -> bool:
    """Whether a row of short cells goes over both columns: one crosses, or values stand right of the middle."""
    if any(side_of(line, middle) == 0 for line in row):
        return True
    right = [line for line in row if side_of(line, middle) > 0]
    short = all(line.right - line.left < 0.28 * page.width for line in row)
    left = len(right) < len(row)
    if not (right and left and short and len(row) >= 3):
        return False
    captions = [line for line in page.lines if CAPTION.match(line.text) and abs(line.y - row[0].y) < 0.25 * page.height]
    crossing = any(line.left < middle < line.right for line in captions)
    aside = any(line.left >= middle for line in captions)
    return crossing or (bool(captions) and not aside and is_number(right[0].text))


def _regions(rows: Sequence[Row]) -> list[list[Row]]:
    """Neighbouring rows of cells."""
    regions: list[list[Row]] = []
    last: Row | None = None
    for row in rows:
        if not _is_row(row):
            last = None
            continue
        if last and 0 < row[0].y - last[0].y <= ROW_DISTANCE * max(row[0].size, 1.0):
            regions[-1].append(row)
        else:
            regions.append([row])
        last = row
    return [region for region in regions if len(region) > 1 or _has_value(region[0])]


def _has_caption(region: Sequence[Row], captions: Sequence[Line]) -> bool:
    """Whether a table's caption stands above or below the rows, with a few other lines between."""
    top, bottom, size = region[0][0].y, region[-1][0].y, max(region[0][0].size, 1.0)
    return any(top - CAPTION_WITHIN * size < line.y < bottom + CAPTION_WITHIN * size for line in captions)


def _is_aligned(region: Sequence[Row]) -> bool:
    """Whether there are columns: cells of words or values that stand below each other."""
    cells = [cell for row in region for cell in row]
    plain = sum(is_number(cell.text) or NO_NUMBER.search(cell.text) is not None for cell in cells)
    below = sum(
        any(other.y != cell.y and cell.left < other.right and other.left < cell.right for other in near)
        for index, row in enumerate(region)
        for near in [[other for one in region[max(0, index - 2) : index + 3] for other in one]]
        for cell in row
    )
    several = any(len(row) > 1 for row in region) and len(region) > 1
    return several and plain >= 0.8 * len(cells) and below >= 0.8 * len(cells)


def _is_row(row: Row) -> bool:
    """Whether these are cells: several numbers, or pieces set apart by wide gaps, and no columns of prose."""
    if len(row) == 1:
        words = row[0].text.split()
        return len(row[0].text) < SHORT and len(words) > 1 and all(map(is_number, words[-2:]))
    if (
        len(row) > MOST_CELLS
        or not all(cell.upright for cell in row)
        or any(after.left < before.right - 2 for before, after in pairwise(row))
    ):
        return False
    if not any(after.left - before.right > before.size for before, after in pairwise(row)):
        return False
    prose = sum(len(cell.text.split()) >= LONG_WORDS and len(cell.text) >= SHORT // 2 for cell in row)
    values = any(is_number(cell.text) for cell in row[1:])
    return prose <= 1 and (values or all(len(cell.text) < SHORT for cell in row))


def _has_value(row: Row) -> bool:
    """Whether a value stands behind words."""
    values = any(is_number(cell.text) for cell in row[1:])
    return values and not is_number(row[0].text) and not any(cell.bold for cell in row[:1])


def _is_unsure(region: Sequence[Row]) -> bool:
    """Whether values stand at heights that belong to no row for sure."""

    def values(row: Row) -> list[Line]:
        return [cell for cell in row if is_number(cell.text)]

    return any(
        after[0].y - before[0].y < TOO_NEAR * min(before[0].size, after[0].size)
        and values(before)
        and values(after)
        and abs(before[0].size - after[0].size) <= 0.6
        for before, after in pairwise(region)
    )


def _joined(row: Row) -> Line:
    """One line of a row; pieces that hardly stand apart are of one cell."""
    text = row[0].text.strip()
    for before, after in pairwise(row):
        apart = after.left - before.right > 0.9 * before.size
        text += (CELLS if apart else " ") + after.text.strip()
    first = row[0]
    return replace(first, text=text, right=row[-1].right, broken=False, bold=False, row=True)
