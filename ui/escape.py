"""The one place where text becomes HTML. Whatever papers, questions and answers contain shows as it is."""

from __future__ import annotations

import html
from urllib.parse import quote

from rag.papers import Paper

NAMED = 3  # authors by name; of more, the first ones
MAX_TITLE = 300  # characters; a longer one is a damaged listing and would fill the page

# Beyond HTML's own: what a template or a formula renderer downstream would read as code, so that
# no later change of component can bring it to life.
_MARKUP = {ord(character): f"&#{ord(character)};" for character in "{}$`\\"}
# Controls, direction overrides that reorder a line, and lone surrogates, which no encoder accepts.
_HARMFUL = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
} | dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")


def escaped(text: str) -> str:
    """`text` as HTML that shows exactly it, in an element or in a quoted attribute."""
    return html.escape(text.translate(_HARMFUL), quote=True).translate(_MARKUP)


def title_html(paper: Paper) -> str:
    """A paper's title, escaped, on one line and cut where it cannot be a title any more."""
    return escaped(shortened(paper.title, MAX_TITLE))


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def day(paper: Paper) -> str:
    """A paper's date as answers write it: `August 14, 2021`."""
    return paper.dated_in_words or "undated"


def paper_line(paper: Paper) -> str:
    """Date, authors and organisation of a paper as escaped text."""
    authors = f"{paper.n_authors} author{'' if paper.n_authors == 1 else 's'}" if paper.n_authors else ""
    if paper.authors:
        more = " et al." if len(paper.authors) > NAMED else ""
        authors = shortened(", ".join(paper.authors[:NAMED]), MAX_TITLE) + more
    dated = day(paper) + (" (year inferred)" if paper.published and paper.year_inferred else "")
    return " · ".join(escaped(part) for part in (dated, paper.organisation or "", authors) if part)


def paper_links(paper: Paper) -> str:
    """Links to where the paper stands, made of its identifiers alone: an address in a listing is not trusted."""
    known = []
    if paper.arxiv_id:
        known.append((f"arXiv:{paper.arxiv_id}", f"https://arxiv.org/abs/{quote(paper.arxiv_id)}"))
    if paper.doi:
        known.append((f"doi:{paper.doi}", f"https://doi.org/{quote(paper.doi)}"))
    return " ".join(
        f'<a class="pc-link" href="{escaped(address)}" target="_blank" rel="noopener noreferrer">{escaped(name)}</a>'
        for name, address in known
    )
