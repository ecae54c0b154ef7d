"""The library as HTML: what to narrow it by, what is chosen, and the papers.

Gradio puts new HTML into the page by comparing it with the old, place by place. So whatever a person can
change (a ticked box, an opened abstract) is drawn from the program's state, not left to the browser's; and
the controls, whose choices the browser keeps, are drawn in another element each time they must start anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.papers import Paper
from rag.shelf import Order
from ui.browsing import PER_PAGE, Browsing
from ui.escape import escaped, paper_line, paper_links, shortened
from ui.math_html import math_or_text, title_with_math

LOADING = "Loading the library…"
ORDERS: dict[Order, str] = {
    "relevance": "Best match",
    "newest": "Newest first",
    "oldest": "Oldest first",
    "title": "Title",
    "organisation": "Organisation",
}
SECTIONS = 40  # that are listed of one paper
DOCUMENTS = (".pdf", ".docx", ".html", ".htm", ".md", ".markdown")  # names of files that are one paper each
LABELLED = 80  # characters of a title in a button's name
EMPTY = "The library is empty. Drop PDFs, reference lists or saved listings above, and their papers are added."


def controls_html(
    browsing: Browsing,
    organisations: Sequence[tuple[str, int]],
    sources: Sequence[tuple[str, int]],
    years: Sequence[tuple[int, int]],
) -> str:
    """Order, organisation, source and years to choose from, each with its number of papers."""
    orders = [(name, label) for name, label in ORDERS.items() if name != "relevance" or browsing.query]
    dated = [(str(year), f"{year} ({count})") for year, count in reversed(years)]
    fields = [
        _select("order", "Sort", orders, browsing.effective_order),
        _select("organisation", "Organisation", [("", "All"), *_counted(organisations)], browsing.organisation),
        _select("source", "Source", [("", "All"), *_counted(sources)], browsing.source),
        _select("first_year", "From", [("", "Any year"), *dated], browsing.first_year),
        _select("last_year", "To", [("", "Any year"), *dated], browsing.last_year),
    ]
    element = ("div", "section")[browsing.drawn % 2]
    return f'<{element} class="pc-lib-fields">{"".join(fields)}</{element}>'


def _counted(names: Sequence[tuple[str, int]]) -> list[tuple[str, str]]:
    return [(name, f"{shortened(name, LABELLED)} ({count})") for name, count in names]


def _select(name: str, label: str, options: Iterable[tuple[str, str]], chosen: object) -> str:
    drawn = "".join(
        f'<option value="{escaped(value)}"{" selected" if value == str(chosen or "") else ""}>{escaped(text)}</option>'
        for value, text in options
    )
    return (
        f'<label class="pc-lib-field" data-field="{name}"><span>{label}</span>'
        f'<select data-change="{name}">{drawn}</select></label>'
    )


def note_html(browsing: Browsing) -> str:
    """What was done last, with Undo where it can be undone, or why it was not done."""
    problem = f'<p class="pc-problem" role="alert">{escaped(browsing.problem)}</p>' if browsing.problem else ""
    undo = f"{_button('undo', 'Undo')}{_button('close-note', 'Close')}" if browsing.removed else ""
    said = f"{escaped(browsing.note)} {undo}".strip() if browsing.note else ""
    return f'{problem}<p class="pc-lib-note" role="status">{said}</p>' if problem or said else ""


def bar_html(browsing: Browsing) -> str:
    """Which papers are shown of how many, or what can be done with the chosen ones; and the way to other pages."""
    page = browsing.page
    if not page.papers:
        return _picked(browsing.picked) if browsing.picked else ""
    ids = {paper.paper_id for paper in page.papers}
    every = "true" if ids <= browsing.picked.keys() else "mixed" if ids & browsing.picked.keys() else "false"
    box = (
        f'<button type="button" class="pc-lib-box" role="checkbox" aria-checked="{every}" data-act="pick-page" '
        'aria-label="Select all papers on this page" title="Select all on this page"></button>'
    )
    first, last = browsing.offset + 1, browsing.offset + len(page.papers)
    shown = f'<span class="pc-lib-count" role="status">Showing {first:,}–{last:,} of {page.total:,}</span>'
    return f"{box}{_picked(browsing.picked) if browsing.picked else shown}{_pager(browsing)}"


def _picked(picked: Mapping[str, str]) -> str:
    n = len(picked)
    these = "this paper" if n == 1 else f"these {n:,}"
    return (
        f'<span class="pc-lib-picked"><span class="pc-lib-count" role="status">{n:,} selected</span>'
        f'<span class="pc-lib-choices">{_button("ask", f"Ask about {these}", go="chat", css="pc-lib-main")}'
        f"{_button('remove-picked', 'Remove')}{_button('unpick', 'Clear')}</span></span>"
    )


def _pager(browsing: Browsing) -> str:
    if browsing.page.total <= PER_PAGE:
        return ""
    at_end = browsing.offset + PER_PAGE >= browsing.page.total
    # Not `disabled`: the button would lose the focus of whoever pages on by keyboard.
    back = _button("previous", "Previous", off=browsing.offset == 0)
    on = _button("next", "Next", off=at_end)
    return f'<span class="pc-lib-pager" role="group" aria-label="Pages">{back}{on}</span>'


@dataclass(frozen=True, slots=True)
class Details:
    """What an opened paper shows besides its abstract: the files that list it, its other versions, and the
    sections of its full text with their pages."""

    sources: Sequence[str] = ()
    versions: Sequence[Paper] = ()
    sections: Sequence[tuple[str, int | None]] = ()


def papers_html(browsing: Browsing, details: Mapping[str, Details]) -> str:
    """The papers of the page, with the details of each opened one by its id."""
    if not browsing.page.papers:
        if not browsing.narrowed:
            return sentence_html(EMPTY)
        return f'<p class="pc-lib-empty">No paper matches. {_button("clear", "Clear search and filters")}</p>'
    rows = "".join(_row(paper, browsing, details.get(paper.paper_id, Details())) for paper in browsing.page.papers)
    return f'<ul class="pc-lib-list" aria-label="Papers">{rows}</ul>'


def sentence_html(text: str, *, problem: bool = False) -> str:
    """A sentence in place of the papers."""
    return f'<p class="pc-lib-empty{" pc-problem" if problem else ""}" role="status">{escaped(text)}</p>'


def _row(paper: Paper, browsing: Browsing, details: Details) -> str:
    paper_id, name = escaped(paper.paper_id), escaped(f"“{shortened(paper.title, LABELLED)}”")
    is_open, is_picked = paper.paper_id in browsing.opened, paper.paper_id in browsing.picked
    states = f"{' pc-lib-opened' if is_open else ''}{' pc-lib-chosen' if is_picked else ''}"
    return (
        f'<li class="pc-lib-row{states}">'
        f'<button type="button" class="pc-lib-box" role="checkbox" aria-checked="{str(is_picked).lower()}" '
        f'data-act="pick" data-id="{paper_id}" aria-label="Select {name}"></button>'
        f'<div class="pc-lib-text"><button type="button" class="pc-lib-open" data-act="open" data-id="{paper_id}" '
        f'aria-expanded="{str(is_open).lower()}"><span class="pc-paper">{title_with_math(paper)}</span>'
        f'<span class="pc-meta">{paper_line(paper)}</span></button>{_opened(paper, details) if is_open else ""}</div>'
        '<div class="pc-lib-acts">'
        f"{_button('about', 'Ask about this', paper_id, go='chat', label=f'Ask about this: {name}')}"
        f"{_button('remove', 'Remove', paper_id, label=f'Remove {name}')}</div></li>"
    )


def _opened(paper: Paper, details: Details) -> str:
    abstract = math_or_text(paper.abstract) if paper.abstract.strip() else "No abstract is listed."
    notes = [
        "The full text is in the library." if paper.body_hash else "",
        *_origins(paper, details.sources),
        *(f"Another version: “{title_with_math(other)}”, {paper_line(other)}" for other in details.versions),
        paper_links(paper),
    ]
    shown = "".join(f'<p class="pc-note">{note}</p>' for note in notes if note)
    return f'<p class="pc-abstract">{abstract}</p>{shown}{_sections(details.sections)}'


def _origins(paper: Paper, sources: Sequence[str]) -> list[str]:
    """The documents that a paper was read from, and the files that list it."""
    own = [name for name in sources if paper.from_document or (paper.body_hash and name.lower().endswith(DOCUMENTS))]
    listing = [name for name in sources if name not in own]
    named = {"From": own, "Listed in": listing}
    return [f"{words} {escaped(', '.join(names))}" for words, names in named.items() if names]


def _sections(sections: Sequence[tuple[str, int | None]]) -> str:
    """The headings of a full text, each with the page on which it stands."""
    if not sections:
        return ""
    items = [
        escaped(shortened(heading, LABELLED)) + (f" · page {page}" if page is not None else "")
        for heading, page in sections[:SECTIONS]
    ]
    if len(sections) > SECTIONS:
        items.append(f"and {len(sections) - SECTIONS:,} more")
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<p class="pc-note">Sections:</p><ul class="pc-lib-sections" aria-label="Sections">{listed}</ul>'


def _button(
    act: str, text: str, paper_id: str = "", *, go: str = "", label: str = "", css: str = "", off: bool = False
) -> str:
    """A quiet button; `paper_id` and `label` are escaped already."""
    at = f' data-id="{paper_id}"' if paper_id else ""
    leads = f' data-go="{go}"' if go else ""
    named = f' aria-label="{label}"' if label else ""
    dead = ' aria-disabled="true"' if off else ""
    classes = f"pc-textual {css}".strip()
    return f'<button type="button" class="{classes}" data-act="{act}"{at}{leads}{named}{dead}>{text}</button>'
