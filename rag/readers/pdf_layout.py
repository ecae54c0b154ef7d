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
EDGE_ROWS = 3  # rows from the edge of a page among which running heads and feet are
APART = 1.5  # sizes of the type from a running head to the text, more than between lines
LEADERS = re.compile(r"(?:\s?\.){6}\s?[0-9ivxlc]*\s*$")  # of a table of contents


def body_size(pages: Iterable[Page]) -> float:
    """The size of type in which most characters are set."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def without_margins(pages: Sequence[Page]) -> list[Page]:
    """Pages without running heads and feet, page numbers, line numbers and what is printed upwards.

    A running head is among the outermost rows of a margin and set apart from the text, or stands on nearly every
    page; a sentence that the text repeats is none.
    """
    pages = [replace(page, lines=_without_line_numbers(page.lines)) for page in map(_upright, pages)]
    edges = {page.number: _edges(page) for page in pages}
    seen = Counter(_pattern(line) for lines in edges.values() for line in lines)
    there = Counter(round(line.y / 4) for page in pages for line in page.lines)
    again = Counter(
        round(line.y / 4)
        for lines in edges.values()
        for line in lines
        if seen[_pattern(line)] >= 2 or PAGE_NUMBER.fullmatch(line.text)
    )
    numbers = {n: [line for line in lines if PAGE_NUMBER.fullmatch(line.text)][:20] for n, lines in edges.items()}
    counted = _counted(pages, edges)

    def is_running(line: Line, page: Page) -> bool:
        if line not in edges[page.number]:
            return False
        apart, height, count = edges[page.number][line], round(line.y / 4), seen[_pattern(line)]
        share = again[height] / there[height]
        if count >= 2 and ((apart and share >= 0.5) or (count >= 4 and share >= 0.8)):
            return True
        near = (other for other in numbers[page.number] if abs(other.y - line.y) <= 3)
        return any(apart or (page.number, other) in counted for other in near)

    def stays(line: Line, page: Page) -> bool:
        return not LEADERS.search(line.text) and not is_running(line, page)

    return [replace(page, lines=tuple(line for line in page.lines if stays(line, page))) for page in pages]


def in_reading_order(page: Page) -> Page:
    """The page with its lines as they are read, where the file draws them in another order."""
    middle = gutter(page)
    if middle is None:
        rises = sum(after.y < before.y - 2 * before.size for before, after in pairwise(page.lines))
        disordered = rises > max(3, len(page.lines) // 4)
        return replace(page, lines=tuple(_rows(page.lines))) if disordered else page
    sides = [side_of(line, middle) for line in page.lines]
    turns = sum(one == 1 and other == -1 for one, other in pairwise(side for side in sides if side))
    if turns <= 3 and not _rises_in_columns(page.lines, sides):
        return page
    ordered: list[Line] = []
    bands: list[list[Line]] = [[], []]
    for line in _rows(page.lines):
        side = side_of(line, middle)
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


def _edges(page: Page) -> dict[Line, bool]:
    """The lines of the outermost rows in the margins, and whether they are set apart from the text."""
    found: dict[Line, bool] = {}
    rows = rows_of(page.lines)
    if not rows:
        return found
    for way in (rows, rows[::-1]):
        group: list[Line] = []
        for row, following in zip(way[:EDGE_ROWS], [*way[1:], None], strict=False):
            if not _in_margin(row[0], page):
                break
            group += row
            if following is None or abs(following[0].y - row[0].y) > APART * max(row[0].size, following[0].size):
                found.update(dict.fromkeys(group, True))
                group = []
        for line in group[: len(way[0])]:
            found.setdefault(line, False)
    return found


def _counted(pages: Sequence[Page], edges: dict[int, dict[Line, bool]]) -> set[tuple[int, Line]]:
    """Numbers in the margins that go up with the pages."""
    numbers = [
        (page.number, line, int(found[0]) - page.number)
        for page in pages
        for line in edges[page.number]
        if PAGE_NUMBER.fullmatch(line.text) and (found := re.search("[0-9]+", line.text))
    ]
    steps = Counter(step for _, _, step in numbers)
    return {(number, line) for number, line, step in numbers if steps[step] >= 2}


def _pattern(line: Line) -> tuple[str, int]:
    """The words without their numbers, and the height at which they stand."""
    return re.sub(r"[0-9]+|\b[ivxlc]+\b", "#", " ".join(line.text.lower().split())), round(line.y / 4)


def _in_margin(line: Line, page: Page) -> bool:
    return line.y < MARGIN * page.height or line.y > (1 - MARGIN) * page.height


def _without_line_numbers(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Without columns of numbers that count beside the text, as manuscripts have; a table's column stays."""
    columns: dict[int, list[Line]] = {}
    for line in lines:
        if line.text.strip().isdecimal():
            columns.setdefault(round(line.right / 4), []).append(line)
    others = [line for line in lines if not line.text.strip().isdecimal()]
    dropped: set[Line] = set()
    for column in columns.values():
        column.sort(key=lambda line: line.y)
        steps = Counter(int(after.text) - int(before.text) for before, after in pairwise(column))
        counting = len(column) >= 10 and max(steps.values()) >= 0.8 * len(column) and steps.most_common(1)[0][0] > 0
        beside = all(o.left > column[0].right for o in others) or all(o.right < column[0].left for o in others)
        if counting and (beside or len(column) >= 25):
            dropped.update(column)
    return tuple(line for line in lines if line not in dropped)


def gutter(page: Page) -> float | None:
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


def side_of(line: Line, middle: float) -> int:
    """-1 left of the gutter, 1 right of it, 0 across."""
    return -1 if line.right <= middle else 1 if line.left >= middle else 0


def _rises_in_columns(lines: Sequence[Line], sides: Sequence[int]) -> bool:
    rises = sum(
        one == other and after.y < before.y - 2 * before.size
        for (before, one), (after, other) in pairwise(zip(lines, sides, strict=True))
    )
    return rises > max(3, len(lines) // 4)


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines of nearly one height, from left to right; the rows from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.y):
        if rows and line.y - rows[-1][0].y < 0.4 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _rows(lines: Sequence[Line]) -> list[Line]:
    return [line for row in rows_of(lines) for line in row]
