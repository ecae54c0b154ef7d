"""The evidence beside the chat: for each marker its paper and the quote in its abstract, then why these papers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from rag.answer.answer import Answer, Citation
from rag.papers import Paper
from ui.answer_html import evidence_id
from ui.conversation import ChatTurn
from ui.escape import escaped, paper_line, paper_links, shortened
from ui.math_html import math_or_text, title_with_math
from ui.why_html import why_html

KEPT_OPEN = 4  # more sources than this come folded
EXPLAINED = 8  # latest turns that say why; of older ones only the cited sources stay in the page
NOTHING_YET = (
    "The papers behind an answer appear here, each with the sentence that the answer rests on, "
    "and with why they were chosen."
)


def evidence_html(turns: Sequence[ChatTurn]) -> str:
    """The latest turn's evidence, and that of earlier turns folded below."""
    if not turns:
        return f'<h2>Evidence</h2><p class="pc-note">{NOTHING_YET}</p>'
    *earlier, latest = turns
    folded = "".join(
        f'<details class="pc-earlier"><summary>{escaped(shortened(turn.question, 120))}</summary>'
        f"{_of(turn, explained=turn.number > latest.number - EXPLAINED)}</details>"
        for turn in reversed(earlier)
        if turn.answer
    )
    heading = '<h3 class="pc-earlier-heading">Earlier questions</h3>' if folded else ""
    return f"<h2>Evidence</h2>{_of(latest)}{heading}{folded}"


def about_button(paper: Paper) -> str:
    """Asks about one paper only from now on."""
    label = escaped(f"Ask about this paper: {shortened(paper.title, 120)}")
    return (
        f'<button type="button" class="pc-action" data-act="about" data-paper="{escaped(paper.paper_id)}" '
        f'aria-label="{label}">Ask about this paper</button>'
    )


def paper_html(paper: Paper) -> str:
    """Title, date and what else the listing says of a paper."""
    return (
        f'<span class="pc-heading"><span class="pc-paper">{title_with_math(paper)}</span>'
        f'<span class="pc-meta">{paper_line(paper)}</span></span>'
    )


def abstract_html(paper: Paper, citations: Sequence[Citation]) -> str:
    """The whole abstract, with the sentences cited from it marked."""
    return _marked(paper.abstract, [(c.start, c.end) for c in citations if c.passage is None])


def full_text_html(citations: Sequence[Citation]) -> str:
    """The passages of the full text that are cited, under their page and section, with the cited sentences marked."""
    shown = []
    cited = sorted((c for c in citations if c.passage is not None), key=_place)
    for _, group in groupby(cited, key=lambda c: c.passage and c.passage.passage_id):
        own = list(group)
        if passage := own[0].passage:
            marked = _marked(passage.text, [(c.start - passage.start, c.end - passage.start) for c in own])
            where = f'<span class="pc-meta pc-where">{escaped(own[0].where[:1].upper() + own[0].where[1:])}</span>'
            before = "… " if _begins_within(passage.text) else ""
            shown.append(f'{where}<p class="pc-abstract">{before}{marked}</p>')
    return "".join(shown)


def _begins_within(text: str) -> bool:
    """Whether a text begins in the middle of a sentence: with a small letter, but no name like “mRNA”, or a comma."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return word[:1] in {",", ";", ":", ")"} or (word[:1].islower() and word.islower())


def _place(citation: Citation) -> int:
    return citation.passage.ordinal if citation.passage else -1


def _marked(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """A text with stretches of it marked; touching or overlapping ones become one mark."""
    parts, done = [], 0
    for start, end in _merged(ranges):
        parts.append(math_or_text(text[done:start]))
        parts.append(f"<mark>{math_or_text(text[start:end])}</mark>")
        done = end
    return "".join([*parts, math_or_text(text[done:])])


def _of(turn: ChatTurn, *, explained: bool = True) -> str:
    if turn.answer is None:
        found = turn.searched.passages if turn.searched else ()
        note = f"{len(found)} paper{'' if len(found) == 1 else 's'} found" if found else ""
        return f'<p class="pc-note">{note}</p>{"".join(_brief(passage.paper) for passage in found)}'
    shown = _refusal(turn.answer) if turn.answer.refused else _sources(turn.number, turn.answer)
    return shown + (why_html(turn.answer) if explained else "")


def _sources(turn: int, answer: Answer) -> str:
    """A card for each marker, in the order of the markers, then what was found and not cited."""
    cards = [list(group) for _, group in groupby(sorted(answer.citations, key=attrgetter("n")), key=attrgetter("n"))]
    shown = "".join(_card(turn, citations, is_open=len(cards) <= KEPT_OPEN) for citations in cards)
    cited = {citation.paper.paper_id for citation in answer.citations}
    others = [passage.paper for passage in answer.passages if passage.paper.paper_id not in cited]
    return shown + _others(others)


def _card(turn: int, citations: Sequence[Citation], *, is_open: bool) -> str:
    first = citations[0]
    return (
        f'<details class="pc-source" id="{evidence_id(turn, first.n)}"{" open" if is_open else ""}>'
        f'<summary><span class="pc-n">{first.n}</span>{paper_html(first.paper)}</summary>'
        f"{_said(first.paper, citations)}{_ways_on(first.paper)}</details>"
    )


def _ways_on(paper: Paper) -> str:
    return f"{about_button(paper)}{paper_links(paper)}"


def _said(paper: Paper, citations: Sequence[Citation]) -> str:
    """The abstract and the cited passages; where only the full text is cited, its passages and the abstract folded."""
    full_text = full_text_html(citations)
    abstract = f'<p class="pc-abstract">{abstract_html(paper, citations)}</p>'
    if not full_text or any(citation.passage is None for citation in citations):
        return abstract + full_text
    if not paper.abstract.strip():  # a document in which none was found
        return full_text
    return f'{full_text}<details class="pc-folded"><summary>Abstract</summary>{abstract}</details>'


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _others(papers: Sequence[Paper]) -> str:
    if not papers:
        return ""
    return (
        f'<details class="pc-others"><summary>Also found, not cited ({len(papers)})</summary>'
        f"{''.join(_brief(paper) for paper in papers)}</details>"
    )


def _brief(paper: Paper) -> str:
    return f'<div class="pc-brief">{paper_html(paper)}</div>'


def _refusal(answer: Answer) -> str:
    """What is missing, and the papers that come nearest, folded."""
    nearest = "".join(
        f'<details class="pc-source"><summary>{paper_html(paper)}</summary>'
        f'<p class="pc-abstract">{math_or_text(paper.abstract)}</p>{_ways_on(paper)}</details>'
        for paper in answer.nearest
    )
    heading = "<h3>Nearest papers</h3>" if nearest else ""
    return f'<p class="pc-reason">{escaped(answer.reason)}</p>{heading}{nearest}'
