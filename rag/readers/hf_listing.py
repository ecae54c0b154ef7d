"""Reader of Hugging Face Daily Papers pages saved as text.

A page is a head, then for each paper a title, an abstract and a footer (authors or organisation,
a middle dot, a date), set apart by blank lines. Any of the three may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rag.papers import Paper, paper_id_for
from rag.readers import hf_dates
from rag.readers.hf_page import Block, Footer, Section, looks_like_a_page, sections
from rag.readers.hf_pairing import Group, pair
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

MAX_TITLE = 500
SHOWN = 60  # characters of a title or a line quoted in a message


def recognises(raw: Raw) -> bool:
    """Whether it is text with the head of such a page, or with at least one footer and its date."""
    return not is_binary(raw.data) and looks_like_a_page(raw.text)


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The papers of a page in their order, identical ones each time they occur, and what was odd.

    `year` is that of the dates without a printed year; without it the page's printed years tell.
    A text without any paper gives no entries; nothing in a text makes this raise.
    """
    found = sections(raw.text)
    dates = [section.footer.date for section in found if section.footer and section.footer.date]
    page = _Page(today, year if year is not None else hf_dates.page_year(dates, today))
    for section in found:
        page.add(section, last=section is found[-1])
    return page.entries, [*raw.problems, *page.problems]


class _Page:
    """Collects entries and problems section by section."""

    def __init__(self, today: date, year: int | None) -> None:
        self.today = today
        self.year = year
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def add(self, section: Section, *, last: bool) -> None:
        """Take a section's papers; its footer belongs to the one right above it."""
        groups = pair(section.blocks, has_footer=section.footer is not None)
        if not groups and section.footer:
            self._warn(section.footer.line, "a footer with no title and no abstract above it was left out", lost=True)
        for number, group in enumerate(groups, 1):
            footer = section.footer if number == len(groups) else None
            if group.title is None:
                self._warn(group.paragraphs[0].line, f"text that belongs to no paper was left out: {_quoted(group)}")
                continue
            self._add_paper(group.title, group.paragraphs, footer)
            if footer is None:
                cut = last and number == len(groups)
                reason = ": the page ends here and may be cut" if cut else ""
                self._warn(group.title.line, f"{_quoted(group)} has no footer (no authors, no date){reason}")

    def _add_paper(self, block: Block, paragraphs: Sequence[Block], footer: Footer | None) -> None:
        title = " ".join(block.text.split("\n"))
        abstract = "\n\n".join(paragraph.text for paragraph in paragraphs)
        if not paragraphs:
            title, abstract = self._without_abstract(block)
        elif len(paragraphs) > 1:
            self._warn(block.line, f"{_short(title)} has an abstract of {len(paragraphs)} paragraphs")
        if len(title) > MAX_TITLE:
            self._warn(block.line, f"a title of {len(title)} characters was cut to {MAX_TITLE}")
            title = title[:MAX_TITLE].rstrip()
        published, inferred = self._date(footer, title)
        paper = Paper(
            paper_id=paper_id_for(title),
            title=title,
            abstract=abstract,
            published=published,
            year_inferred=inferred,
            n_authors=footer.n_authors if footer else None,
            organisation=footer.organisation if footer else None,
            comments=footer.date.comments if footer and footer.date else None,
        )
        self.entries.append(Entry(paper, block.line))

    def _without_abstract(self, block: Block) -> tuple[str, str]:
        """Title and abstract of a lone block: both in one, an abstract whose title is lost, or a title."""
        first, _, rest = block.text.partition("\n")
        if rest:
            self._warn(block.line, f"no blank line below {_short(first)}: the first line was taken as the title")
            return first.strip(), rest.strip()
        if len(block.text) > MAX_TITLE:
            self._warn(block.line, f"an abstract without a title was kept: {_short(block.text)}")
            return f"Untitled paper (line {block.line})", block.text
        self._warn(block.line, f"{_short(block.text)} has no abstract: only its title can be found")
        return block.text, ""

    def _date(self, footer: Footer | None, title: str) -> tuple[date | None, bool]:
        """When the paper was published, and whether the year is inferred."""
        if footer is None:
            return None, False
        if footer.n_authors is None and footer.organisation is None:
            self._warn(footer.line, f"{_short(title)} shows neither authors nor organisation")
        if footer.date is None:
            self._warn(footer.line, f"{_short(title)} shows no date that can be read")
            return None, False
        if footer.date.rest:
            self._warn(footer.line, f"{_short(footer.date.rest)} after the date of {_short(title)} was left out")
        published, reason = hf_dates.resolve(footer.date, self.year, self.today)
        if reason:
            self._warn(footer.line, f"{_short(title)} is kept without a date: {reason}")
        return published, published is not None and footer.date.year is None

    def _warn(self, line: int, message: str, *, lost: bool = False) -> None:
        self.problems.append(Problem(line, message[0].upper() + message[1:] + ".", lost))


def _quoted(group: Group) -> str:
    return _short((group.title or group.paragraphs[0]).text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line}"' if len(line) <= SHOWN else f'"{line[:SHOWN].rstrip()}…"'
