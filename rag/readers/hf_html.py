"""Reader of Hugging Face's Daily Papers page, of a day, week or month, saved as HTML.

The page carries its data as JSON in an attribute; where that is missing, the papers that it shows are
read: titles, links with the arXiv id, and upvotes, but no abstracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from rag.readers.hf_api import PAGES, from_json
from rag.readers.html_size import check_elements, check_size
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

if TYPE_CHECKING:
    from lxml.html import HtmlElement

DATA = re.compile(r"""data-target\s{0,9}=\s{0,9}["']?(?:Daily|Trending)Papers\b""")
LINK = re.compile(r"""href\s{0,9}=\s{0,9}["']?(?:https://huggingface\.co)?/papers/\d{4}\.\d{4,5}\b""")
PAPER = re.compile(r"(?:https://huggingface\.co)?/papers/(\d{4}\.\d{4,5})(?:v\d+)?(?:[?#]\S*)?")
FEW = 3  # links to papers on any other page


def recognises(raw: Raw) -> bool:
    """Whether it is HTML with the page's data, or with several papers' own entries of such a page."""
    if is_binary(raw.data) or "<" not in raw.text[:200]:
        return False
    return DATA.search(raw.text) is not None or (
        "<article" in raw.text and len(set(LINK.findall(raw.text))) >= FEW and "Daily Papers" in raw.text
    )


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The papers in their order; from the data of the page, or else from what it shows.

    Raises:
        SourceError: the page is too large.
    """
    from lxml.etree import LxmlError
    from lxml.html import HTMLParser, document_fromstring

    check_size(raw)
    data = raw.text.encode("utf-8")
    try:
        check_elements(data, raw.name)
        page = document_fromstring(data, parser=HTMLParser(encoding="utf-8", no_network=True))
    except LxmlError:  # nothing in it but comments
        return [], raw.problems
    for element in page.iter("div"):
        props = element.get("data-props")
        if props and re.fullmatch(r"(?:Daily|Trending)Papers", element.get("data-target", "")):
            entries, problems = from_json(props, today, element.sourceline)
            if entries:
                return entries, [*raw.problems, *problems]
    records = Records(today)
    for line, fields in _shown(page):
        records.add(line, fields)
    return records.result(raw.problems)


def _shown(page: HtmlElement) -> Iterator[tuple[int, Fields]]:
    """The papers as the page shows them, each once."""
    seen: set[str] = set()
    for link in page.iter("a"):
        found = PAPER.fullmatch(link.get("href", ""))
        heading = next(link.iterancestors("h1", "h2", "h3"), None)
        if found is None or found[1] in seen or heading is None:
            continue
        seen.add(found[1])
        yield (
            link.sourceline or 1,
            Fields(
                title=link.text_content(),
                arxiv=(found[1],),
                url=f"{PAGES}{found[1]}",
                upvotes=_upvotes(heading),
            ),
        )


def _upvotes(heading: HtmlElement) -> str | None:
    """The number beside the arrow of the article that a heading belongs to."""
    article = next(heading.iterancestors("article"), None)
    label = None if article is None else next(article.iter("label"), None)
    text = "" if label is None else label.text_content().strip()
    return text if text.isdecimal() else None
