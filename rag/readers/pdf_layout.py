"""Pages of a PDF as they are read: columns in order, without running heads and feet, page and line numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from rag.readers.pdf_lines import Line, Page

MARGIN = 0.12  # of the page's height, above and below, where running heads and feet stand
MIDDLE = (0.35, 0.65)  # of the page's width: where a gap between two columns can be
PAGE_NUMBER = re.compile(r"\W*(?:page\s+)?(?:[0-9]{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/)\s*[0-9]{1,4})?\W*", re.I)
LEADERS = re.compile(r"(?:\s?\.){6}\s?[0-9ivxlc]*\s*$")  # of a table of contents


def body_size(pages: Iterable[Page]) -> float:
    """The size of type in which most characters are set."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def without_margins(pages: Sequence[Page]) -> list[Page]:
    """Pages without running heads and feet, page numbers, line numbers and what is printed upwards."""
    pages = [replace(page, lines=_without_line_numbers(page.lines)) for page in map(_upright, pages)]
    seen: Counter[tuple[str, int]] = Counter()
    for page in pages:
        seen.update({_pattern(line) for line in page.lines if _in_margin(line, page)})
    running = {pattern for pattern, count in seen.items() if count >= 2}
    numbered = {page.number: _numbered_rows(page) for page in pages}

    def stays(line: Line, page: Page) -> bool:
        if LEADERS.search(line.text):
            return False
        if not _in_margin(line, page):
            return True
        return _pattern(line) not in running and round(line.y / 2) not in numbered[page.number]

    return [replace(page, lines=tuple(line for line in page.lines if stays(line, page))) for page in pages]


def in_reading_order(page: Page) -> Page:
    """The page with its lines as they are read, where the file draws them in another order."""
    gutter = _gutter(page)
    if gutter is None:
        rises = sum(after.y < before.y - 2 * before.size for before, after in pairwise(page.lines))
        disordered = rises > max(3, len(page.lines) // 4)
        return replace(page, lines=tuple(_rows(page.lines))) if disordered else page
    sides = [_side(line, gutter) for line in page.lines]
    turns = sum(one == 1 and other == -1 for one, other in pairwise(side for side in sides if side))
    if turns <= 3 and not _rises_in_columns(page.lines, sides):
        return page
    ordered: list[Line] = []
    bands: list[list[Line]] = [[], []]
    for line in _rows(page.lines):
        side = _side(line, gutter)
        if side:
            bands[side > 0].append(line)
        else:
            ordered += [*bands[0], *bands[1], line]
            bands = [[], []]
    return replace(page, lines=(*ordered, *bands[0], *bands[1]))


def _upright(page: Page) -> Page:
    """Without rotated lines, unless the whole page is."""
    lines = tuple(line for line in page.lines if line.upright)
    return replace(page, lines=lines) if 2 * len(lines) >= len(page.lines) else page


def _numbered_rows(page: Page) -> set[int]:
    """Heights at which a number stands alone, in steps of 2 points: what else stands there is a running head."""
    heights = [round(line.y / 2) for line in page.lines if PAGE_NUMBER.fullmatch(line.text)]
    return {height + step for height in heights for step in (-1, 0, 1)}


def _pattern(line: Line) -> tuple[str, int]:
    """The words without their numbers, and the height at which they stand."""
    return re.sub(r"[0-9]+|\b[ivxlc]+\b", "#", " ".join(line.text.lower().split())), round(line.y / 4)


def _in_margin(line: Line, page: Page) -> bool:
    return line.y < MARGIN * page.height or line.y > (1 - MARGIN) * page.height


def _without_line_numbers(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Without columns of numbers, as manuscripts and axes have."""
    edges = Counter(round(line.right / 4) for line in lines if line.text.strip().isdecimal())
    return tuple(line for line in lines if not (line.text.strip().isdecimal() and edges[round(line.right / 4)] >= 10))


def _gutter(page: Page) -> float | None:
    """Where a page of two columns is divided: hardly any line crosses it, and both sides have many."""
    wide = [line for line in page.lines if line.right - line.left > 0.15 * page.width]
    if len(wide) < 8:
        return None
    places = [page.width * (MIDDLE[0] + (MIDDLE[1] - MIDDLE[0]) * step / 30) for step in range(31)]

    def crossing(at: float) -> int:
        return sum(line.left < at < line.right for line in wide)

    fewest = min(map(crossing, places))
    best = [at for at in places if crossing(at) == fewest]
    at = best[len(best) // 2]
    left, right = sum(line.right <= at for line in wide), sum(line.left >= at for line in wide)
    return at if min(left, right) >= 4 and fewest <= 0.4 * len(wide) else None


def _side(line: Line, gutter: float) -> int:
    return -1 if line.right <= gutter else 1 if line.left >= gutter else 0


def _rises_in_columns(lines: Sequence[Line], sides: Sequence[int]) -> bool:
    rises = sum(
        one == other and after.y < before.y - 2 * before.size
        for (before, one), (after, other) in pairwise(zip(lines, sides, strict=True))
    )
    return rises > max(3, len(lines) // 4)


def _rows(lines: Sequence[Line]) -> list[Line]:
    """From top to bottom; lines of nearly one height from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.y):
        if rows and line.y - rows[-1][0].y < 0.4 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]
