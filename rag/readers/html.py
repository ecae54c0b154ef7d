"""Reader of saved web pages: the article without menus and scripts; pages of papers say more in their head."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from rag.errors import SourceError
from rag.papers import arxiv_id_in
from rag.readers.blocks import Block, clean, heading_block, text_block
from rag.readers.document import Document, entry, names
from rag.readers.fields import doi_of
from rag.readers.html_size import check_elements, check_size
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

HEAD = 4096
BEGINS = re.compile(r"<(?:!doctype\s{1,9}html|html|head|body)\b", re.I)
BEFORE = (("<?xml", ">"), ("<!--", "-->"))  # may stand before it
CHARSET = re.compile(rb"charset\s{0,5}=\s{0,5}[\"']?([\w-]{2,40})", re.I)
MAX_ARTICLE = 20_000  # elements of a page in which the article is looked for: that takes 0.1 ms each
DATE = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})")
LABEL = re.compile(r"^(?:Abstract|Title)\s*:\s*", re.I)
SITE = re.compile(r"\s+[|–—-]\s+[^|–—-]{2,40}$")  # the site's name behind a page's title
ARXIV_TITLE = re.compile(r"^\[[^\]]{6,20}\]\s*")
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
UNREAD = {"script", "style", "noscript", "template", "svg", "nav", "footer", "form", "button", "iframe", "select"}
KNOWN_PARTS = ("ltx_authors", "ltx_abstract", "ltx_title_document")
PARAGRAPHS = {"p", "li", "dd", "dt", "pre", "figcaption", "caption", "blockquote"}
SET_APART = PARAGRAPHS | HEADINGS | {"br", "div", "td", "th", "tr", "section"}


def recognises(raw: Raw) -> bool:
    """Whether it begins as a page does."""
    if is_binary(raw.data):
        return False
    text = raw.text[:HEAD].lstrip()
    for opening, closing in BEFORE:
        while text.startswith(opening) and closing in text:
            text = text.partition(closing)[2].lstrip()
    return BEGINS.match(text) is not None


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The one paper of a page, and what was odd.

    Raises:
        SourceError: no page that can be read, or too large.
    """
    from lxml.etree import LxmlError

    check_size(raw)
    problems = list(raw.problems)
    try:
        page = _decoded(raw).encode("utf-8", "replace")
        elements = check_elements(page, raw.name)
        document = _document(_tree(page), today, whole=elements > MAX_ARTICLE)
    except (LxmlError, ValueError, RecursionError, AssertionError) as error:
        raise SourceError(f"{raw.name} is no HTML that can be read.", "Save the page again.") from error
    document.problems = problems
    one, odd = entry(document, raw.name)
    return [one], odd


def _decoded(raw: Raw) -> str:
    """The page in the encoding that it declares, if it is text in that; otherwise as any text."""
    declared = CHARSET.search(raw.data[:HEAD])
    if declared:
        try:
            return raw.data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeError):
            return raw.text
    return raw.text


def _tree(page: bytes) -> Any:
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    return html.document_fromstring(page, parser=parser)


def _document(tree: Any, today: date, *, whole: bool) -> Document:
    """What the head says of the paper, and the blocks of the article."""
    metas = _metas(tree)
    latexml = tree.xpath("//article[contains(concat(' ', @class, ' '), ' ltx_document ')]")
    abstract = _first(metas, "citation_abstract") or _quoted_abstract(tree)
    of_arxiv = _first(metas, "citation_arxiv_id")
    title = _first(metas, "citation_title", "dc.title")
    if latexml:
        title = title or _own_text(latexml[0].xpath(".//h1[contains(@class, 'ltx_title_document')]"))
        abstract = abstract or _own_text(latexml[0].xpath(".//*[contains(@class, 'ltx_abstract')]//p"))
    record = bool(title and abstract)
    blocks = (
        [] if of_arxiv and record and not latexml else _blocks(tree, latexml[0] if latexml else tree if whole else None)
    )
    return Document(
        blocks,
        title=title or _page_title(tree, metas, blocks),
        abstract=abstract,
        authors=names(metas.get("citation_author", metas.get("dc.creator", []))),
        published=_day(_first(metas, "citation_date", "citation_publication_date", "citation_online_date"), today)
        or _day(_first(metas, "article:published_time", "dc.date", "date"), today),
        arxiv_id=arxiv_id_in(of_arxiv) or _address_id(tree),
        doi=doi_of(_first(metas, "citation_doi", "dc.identifier")),
        url=_address(tree),
        from_record=record and not latexml,
    )


def _metas(tree: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        name, content = meta.get("name") or meta.get("property") or "", clean(meta.get("content") or "")
        if name and content:
            found.setdefault(name.lower(), []).append(content)
    return found


def _first(metas: dict[str, list[str]], *keys: str) -> str:
    return next((metas[key][0] for key in keys if key in metas), "")


def _quoted_abstract(tree: Any) -> str:
    """The abstract of an arXiv page that has it only in its text."""
    found = tree.xpath("//blockquote[contains(concat(' ', @class, ' '), ' abstract ')]")
    return LABEL.sub("", _own_text(found[:1]))


def _own_text(elements: list[Any]) -> str:
    return clean(" ".join(_text(element) for element in elements[:20]))


def _page_title(tree: Any, metas: dict[str, list[str]], blocks: list[Block]) -> str:
    """The title as the page shows it: its only first heading, or what its head says without the site's name."""
    heads = [clean(_text(head)) for head in list(tree.iter("h1"))[:50]]
    heads = [head for head in heads if head]
    if len(heads) == 1:
        return LABEL.sub("", heads[0])
    if any(block.heading for block in blocks[:1]):
        return ""
    title = _first(metas, "og:title") or next((clean(_text(one)) for one in tree.iter("title")), "")
    return ARXIV_TITLE.sub("", SITE.sub("", title))


def _address(tree: Any) -> str | None:
    """The page's own address, if it says one."""
    for link in tree.iter("link"):
        address = (link.get("href") or "").strip()
        if (link.get("rel") or "").lower() == "canonical" and re.match(r"https?://\S{3,1000}$", address):
            return address
    return None


def _address_id(tree: Any) -> str | None:
    address = _address(tree) or ""
    return arxiv_id_in(address) if re.match(r"https?://(?:[\w-]+\.)?(?:arxiv|ar5iv)\.", address) else None


def _day(text: str, today: date) -> date | None:
    found = DATE.match(text)
    try:
        day = date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
    return day if day and day <= today + timedelta(days=1) else None


def _blocks(tree: Any, article: Any) -> list[Block]:
    """The article's headings and paragraphs; where it is not known, it is looked for, or else all is taken."""
    if article is not None:
        return list(_walk(article))
    from trafilatura import bare_extraction

    log = logging.getLogger("trafilatura")
    if not log.handlers:  # or it tells the terminal of every page without an article
        log.addHandler(logging.NullHandler())
    found = bare_extraction(tree, output_format="xml", include_comments=False, with_metadata=False)
    body = getattr(found, "body", None)  # None where no article is found
    blocks = list(_extracted(body)) if body is not None else []
    if not any(not block.heading for block in blocks) or _lost_headings(tree, blocks):
        blocks = list(_walk(tree))
    return blocks if any(not block.heading for block in blocks) else [text_block(_text(tree.find("body")))]


def _lost_headings(tree: Any, blocks: list[Block]) -> bool:
    """Whether an article was found without its headings, though the page has them and little else."""
    if any(block.heading for block in blocks) or tree.find(".//h2") is None:
        return False
    found, whole = (sum(len(block.text) for block in some) for some in (blocks, _walk(tree)))
    return whole <= 1.5 * found


def _extracted(body: Any) -> Iterator[Block]:
    """Blocks of trafilatura's tree."""
    for element in body:
        if element.tag == "head":
            yield heading_block(_text(element))
        elif element.tag == "table":
            for row in element.iter("row"):
                cells = [clean(_text(cell)) for cell in row.iter("cell")]
                yield Block(" | ".join(filter(None, cells)))
        elif element.tag == "list":
            yield from (text_block(_text(item)) for item in element.iter("item"))
        else:
            yield text_block(_text(element))


def _walk(root: Any) -> Iterator[Block]:
    """Headings and paragraphs below an element; what belongs to no paragraph is left out."""
    skipped: set[Any] = set()
    for element in root.iter():
        classes = (element.get("class") or "") if isinstance(element.tag, str) else ""
        unread = not isinstance(element.tag, str) or element.tag in UNREAD
        if unread or element.getparent() in skipped or any(name in classes for name in KNOWN_PARTS):
            skipped.add(element)
        elif element.tag in HEADINGS:
            skipped.add(element)
            yield heading_block(_text(element))
        elif element.tag in PARAGRAPHS:
            skipped.add(element)
            yield text_block(_text(element))
        elif element.tag == "tr":
            skipped.add(element)
            yield Block(" | ".join(filter(None, (clean(_text(cell)) for cell in element.iter("td", "th")))))


def _text(element: Any) -> str:
    """The text of an element; formulas as their TeX, without scripts."""
    from lxml.etree import iterwalk

    if element is None or not len(element):
        return "" if element is None else element.text or ""
    pieces: list[str] = []
    walk = iterwalk(element, events=("start", "end"))
    for event, one in walk:
        if event == "end":
            pieces.append(" " if one.tag in SET_APART else "")
            pieces.append(one.tail or "" if one is not element else "")
        elif one.tag == "math" and one.get("alttext"):
            pieces.append(f"${one.get('alttext')}$")
            walk.skip_subtree()
        elif not isinstance(one.tag, str) or one.tag in UNREAD:
            walk.skip_subtree()
        else:
            pieces.append(one.text or "")
    return "".join(pieces)
