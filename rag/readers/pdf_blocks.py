"""Lines of PDF pages to headings and paragraphs: joined over columns and pages, broken words made whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from rag.readers.blocks import MAX_SECTION, NUMBERING, Block, clean
from rag.readers.pdf_lines import Line, Page

LINE_SPACING = 1.75  # sizes of the type from line to line; more is space between paragraphs
KNOWN = (
    r"(?:abstract|introduction|(?:related|prior|previous) works?|background|preliminaries|motivation|methods?"
    r"|methodology|materials and methods|(?:our )?approach|experiments?|experimental (?:setup|results)|evaluation"
    r"|results|results and discussion|discussions?|limitations|conclusions?(?: and future work)?|future work|summary"
    r"|acknowledge?ments?|references|bibliography|appendix|appendices|supplementary materials?|key\s?words|index terms"
    r"|ccs concepts|ethics statement|broader impacts?|data availability)"
)
KNOWN_HEADING = re.compile(NUMBERING + KNOWN + r"\s*[:.]?", re.I)
NUMBERED = re.compile(r"(?:[0-9]{1,2}(?:\.[0-9]{1,2}){0,4}|[IVX]{1,5}|[A-H])[.)]?\s+[A-Z“\"'(]")
CAPTION = re.compile(r"(?:figure|fig|table|algorithm|listing)\.?\s*[0-9S]", re.I)
ENDED = re.compile(r"[.!?:;][\"'”’)\]0-9]*$")
WORD = re.compile(r"[^\W\d_]{3}")
DROP_CAPITAL = re.compile(r"^([B-HJ-Z]) ([A-Z]{2,})(?= [a-z])")
LAST_WORD = re.compile(r"[^\W\d_]+$")  # searched in the last LONGEST characters only
LONGEST = 60
LEAST_LETTERS = 0.03  # of a text; a table's row has few
FIRST_WORD = re.compile(r"[^\W\d_]+")
HYPHENATED = re.compile(r"(?<![^\W\d_])[^\W\d_]{1,40}-[^\W\d_]{1,40}")


@dataclass(slots=True)
class Run:
    """Lines that stand together, in one size, with their pages."""

    lines: list[tuple[Line, int]] = field(default_factory=list)
    heading: bool = False

    @property
    def size(self) -> float:
        """The size of the type of its first line, in points."""
        return self.lines[0][0].size

    @property
    def row(self) -> bool:
        """Whether it is a row of a table."""
        return self.lines[0][0].row


def blocks(pages: Sequence[Page], size: float) -> list[Block]:
    """Headings and paragraphs of pages in reading order; `size` is the body's type."""
    spacing = max(LINE_SPACING, 1.3 * _spacing(pages, size))
    runs = [run for run in _flowing(_runs(pages, size, spacing), size) if run.heading or run.row or _is_text(run)]
    words = _words(pages)
    return [block for run in runs if (block := _block(run, words)).text]


def _spacing(pages: Sequence[Page], size: float) -> float:
    """From line to line in the body's type, in sizes of it: 1.2 in print, 2.5 in a manuscript."""
    pairs = [(one, other) for page in pages for one, other in pairwise(page.lines) if abs(one.size - size) <= 0.6]
    gaps = [(other.y - one.y) / max(one.size, 1.0) for one, other in pairs]
    gaps = [gap for gap in gaps if 0.9 < gap < 3.5]
    return median(gaps) if gaps else 1.2


def _runs(pages: Sequence[Page], size: float, spacing: float) -> list[Run]:
    """Lines that belong together: same size, near each other, no indent; headings by themselves."""
    runs: list[Run] = []
    for page in pages:
        for index, line in enumerate(page.lines):
            run = runs[-1] if runs and not runs[-1].row and not line.row else None
            if run and _goes_on(run, line, page.number):
                run.lines.append((line, page.number))
                continue
            near = page.lines[max(0, index - 1) : index + 4]
            heading = _is_heading(line, near[0] if index else None, near[1 if index == 0 else 2 :], size)
            if heading or not (run and not run.heading and _follows(run, line, page.number, spacing)):
                runs.append(Run(heading=heading))
            runs[-1].lines.append((line, page.number))
    return _sure_headings(runs)


def _sure_headings(runs: list[Run]) -> list[Run]:
    """Where headings are numbered, bold lines without a number are none; and no heading has five lines."""
    texts = {id(run): run.lines[0][0].text.strip() for run in runs if run.heading}
    numbered = sum(NUMBERED.match(text) is not None for text in texts.values()) >= 3
    for run in runs:
        if run.heading:
            text = texts[id(run)]
            named = NUMBERED.match(text) or KNOWN_HEADING.fullmatch(text)
            run.heading = len(run.lines) <= 4 and (not numbered or named is not None)
    return runs


def _goes_on(run: Run, line: Line, page: int) -> bool:
    """Whether a line is on the same row as the one before it, or a heading's next line."""
    last, last_page = run.lines[-1]
    down = line.y - last.y
    if page != last_page:
        return False
    if abs(down) < 0.9 * last.size and line.left >= last.left:
        return line.left - last.right < (4 if not run.heading else 1.7) * last.size
    if not run.heading or line.bold != last.bold or abs(line.size - last.size) > 0.6:
        return False
    first = run.lines[0][0]
    hangs = line.bold and line.left > first.left + 2 and NUMBERED.match(first.text.strip()) is not None
    own = NUMBERED.match(line.text) or (KNOWN_HEADING.fullmatch(line.text.strip()) and not hangs)
    return not own and 0 < down < 1.6 * line.size and (line.bold or last.text.isupper() == line.text.isupper())


def _follows(run: Run, line: Line, page: int, spacing: float) -> bool:
    """Whether a line is the next one of a paragraph."""
    last, last_page = run.lines[-1]
    down = line.y - last.y
    if abs(line.size - run.size) > 0.6 or page != last_page or down <= 0 or down > spacing * line.size:
        return False
    if CAPTION.match(line.text) or line.left > last.right:
        return False
    indented = line.left - min(one.left for one, _ in run.lines[-8:]) > 0.7 * line.size
    return not (indented and ENDED.search(last.text))


def _is_heading(line: Line, before: Line | None, after: Sequence[Line], size: float) -> bool:
    """Whether a line is the first of a heading, by its words and its type, and by what stands around it."""
    text = line.text.strip()
    if line.row or len(text) > MAX_SECTION or not WORD.search(text) or CAPTION.match(text):
        return False
    larger = line.size > size + 0.6
    marked = line.bold or larger or text.isupper()
    if KNOWN_HEADING.fullmatch(text):
        alone = before is None or abs(line.y - before.y) > 0.9 * line.size
        return marked or (alone and all(other.y != line.y for other in after[:1]))
    if text.endswith((".", ",", ";")) or not marked or len(text) > 120 or text[:1].islower():
        return False
    if NUMBERED.match(text):
        return True
    near = before is not None and 0 < line.y - before.y < 1.3 * max(line.size, before.size)
    starts = before is None or not near or before.bold != line.bold or abs(before.size - line.size) > 0.4
    return (
        starts
        and not text.endswith(":")
        and (larger or (line.bold and line.size > size - 0.6 and _ends_soon(line, after)))
    )


def _ends_soon(line: Line, after: Sequence[Line]) -> bool:
    """Whether bold type ends within three lines, or there is space below: it is no bold paragraph."""
    last = line
    for other in after:
        if other.bold != line.bold or abs(other.size - line.size) > 0.4 or not 0 <= other.y - last.y < 1.6 * line.size:
            return True
        last = other
    return len(after) < 3


def _flowing(runs: Iterable[Run], size: float) -> list[Run]:
    """Paragraphs joined again that a column's or a page's end, a figure or a footnote interrupts."""
    done: list[Run] = []
    open_run: Run | None = None
    for run in runs:
        if run.heading:
            open_run = None
        elif run.row:
            pass  # a table may stand within a paragraph
        elif abs(run.size - size) <= 0.6:
            if open_run and _continues(open_run, run):
                open_run.lines += run.lines
                open_run = open_run if _is_open(open_run) else None
                continue
            open_run = run if _is_open(run) else open_run if len(run.lines) == 1 else None
        done.append(run)
    return done


def _is_open(run: Run) -> bool:
    last = run.lines[-1][0]
    return last.broken or not ENDED.search(last.text.strip())


def _continues(open_run: Run, run: Run) -> bool:
    """Whether `run` is the rest of an open paragraph: in another column or page, or in small letters."""
    (last, last_page), (first, page) = open_run.lines[-1], run.lines[0]
    elsewhere = page != last_page or first.y < last.y or first.left > last.right
    text = first.text.lstrip()
    if CAPTION.match(text) or not elsewhere:
        return text[:1].islower() and last_page == page
    return text[:1].islower() or (len(run.lines) > 1 and len(open_run.lines) > 1 and page - last_page <= 1)


def _is_text(run: Run) -> bool:
    """Whether it has words: the numbers along an axis have none."""
    text = "".join(line.text for line, _ in run.lines)
    return bool(WORD.search(text)) and sum(map(str.isalpha, text)) >= LEAST_LETTERS * len(text)


def _words(pages: Sequence[Page]) -> Counter[str]:
    """Words of the document in small letters, whole ones and hyphenated ones, with their counts."""
    words: Counter[str] = Counter()
    for page in pages:
        for line in page.lines:
            text = line.text.lower()
            words.update(
                re.findall(r"[^\W\d_]+", text[:-LONGEST] + LAST_WORD.sub("", text[-LONGEST:]) if line.broken else text)
            )
            words.update(HYPHENATED.findall(text))
    return words


def _block(run: Run, words: Counter[str]) -> Block:
    """The lines as one text, with the places where pages begin."""
    text = ""
    pages: list[tuple[int, int | None]] = []
    for index, (line, page) in enumerate(run.lines):
        piece = clean(line.text)
        start = len(text) + 1 if text else 0
        if index and run.lines[index - 1][0].broken:
            joint = _joint(text, piece, words)
            text += joint
            start = len(text) + (0 if joint else len(piece.split(" ", 1)[0]) + 1)
        elif text and piece:
            text += " "
        text += piece
        if not pages or (pages[-1][1] != page and start < len(text)):
            pages.append((start, page))
    if run.lines and run.lines[-1][0].broken:
        text += "-"
    text = DROP_CAPITAL.sub(r"\1\2", text)
    heading = run.heading and len(text) <= MAX_SECTION
    return Block(text, heading=heading, pages=tuple(pages))


def _joint(before: str, after: str, words: Counter[str]) -> str:
    """What stands between two halves of a word broken at a line's end: nothing, or the hyphen that is its own.

    The rest of the document decides where it has the word; else the hyphen is the line's, but for names,
    numbers and words with a second hyphen ("state-of-the-art").
    """
    before = before[-LONGEST:]
    left, right = LAST_WORD.search(before), FIRST_WORD.match(after)
    if not left or not right:
        return "-"
    whole, parted = words[(left[0] + right[0]).lower()], words[f"{left[0]}-{right[0]}".lower()]
    if whole != parted:
        return "" if whole > parted else "-"
    compound = before[: left.start()].endswith("-")
    name = not right[0][0].islower() or (len(left[0]) > 1 and left[0].isupper())
    return "-" if compound or name else ""
