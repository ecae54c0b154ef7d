"""An answer's text as HTML: paragraphs and lists, markers as chips, unsupported sentences marked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

from rag.answer.answer import Answer
from rag.answer.explained import level_in_words
from rag.papers import Paper
from ui.conversation import ChatTurn
from ui.escape import MAX_TITLE, day, escaped, shortened

_MARKER = re.compile(r" ?\[(\d+)\]")
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_ITEM = "- "
NO_SUPPORT = "no cited paper supports this sentence"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of an answer that are shown in a special way, and a note on why."""

    start: int
    end: int
    css_class: str
    note: str = ""


def answer_html(turn: ChatTurn) -> str:
    """The text of a turn so far."""
    return _AnswerText(turn).html()


def confidence_html(answer: Answer) -> str:
    """How sure the answer is, in words and by a colour beside them."""
    return f'<p class="pc-note pc-confidence pc-{answer.confidence}">{level_in_words(answer)}</p>'


def evidence_id(turn: int, n: int) -> str:
    """The id of a marker's entry in the evidence, unique in the page."""
    return f"evidence-{turn}-{n}"


class _AnswerText:
    """Works on slices of the text by offset, so that spans found in the whole text hold in each part."""

    def __init__(self, turn: ChatTurn) -> None:
        self.turn = turn
        self.text = turn.text
        self.cited = {c.n: c.paper for c in turn.answer.citations} if turn.answer else {}
        self.spans = [*_unsupported(turn), *_titles(turn.text, self.cited.values())]

    def html(self) -> str:
        blocks, start = [], 0
        for gap in [*_BLANK_LINES.finditer(self.text), None]:
            end = gap.start() if gap else len(self.text)
            blocks.append(self._block(start, end))
            start = gap.end() if gap else end
        return "".join(blocks)

    def _block(self, start: int, end: int) -> str:
        """Lines between two blank ones; runs of lines that begin with "- " become lists."""
        lines = []
        for line in self.text[start:end].split("\n"):
            first = start + (len(_ITEM) if line.startswith(_ITEM) else 0)
            start += len(line)
            if self.text[first:start].strip():
                lines.append((line.startswith(_ITEM), self._inline(first, start)))
            start += 1
        parts = []
        for is_item, run in groupby(lines, key=lambda pair: pair[0]):
            shown = [html for _, html in run]
            parts.append(
                "<ul>" + "".join(f"<li>{html}</li>" for html in shown) + "</ul>"
                if is_item
                else f"<p>{'<br>'.join(shown)}</p>"
            )
        return "".join(parts)

    def _inline(self, start: int, end: int) -> str:
        """Characters `start:end`. Spans may overlap, so each piece between two bounds carries all of its own."""
        bounds = {cut for span in self.spans for cut in (span.start, span.end) if start < cut < end}
        parts = []
        for low, high in pairwise(sorted({start, end} | bounds)):
            piece = self._with_chips(self.text[low:high])
            over = [span for span in self.spans if span.start <= low and high <= span.end]
            if over:
                classes = " ".join(span.css_class for span in over)
                note = next((f' title="{escaped(span.note)}"' for span in over if span.note), "")
                piece = f'<span class="{classes}"{note}>{piece}</span>'
            parts.append(piece)
        return "".join(parts)

    def _with_chips(self, text: str) -> str:
        """Brackets around a number that is no marker of the finished answer stay as they are."""
        parts, done = [], 0
        for marker in _MARKER.finditer(text):
            n = int(marker[1])
            if self.turn.answer is None or n in self.cited:
                parts += [escaped(text[done : marker.start()]), self._chip(n)]
                done = marker.end()
        return "".join([*parts, escaped(text[done:])])

    def _chip(self, n: int) -> str:
        """A small link to the marker's entry in the evidence, which is there once the answer is."""
        if n not in self.cited:
            return f'<span class="pc-chip">{n}</span>'
        paper = self.cited[n]
        label = escaped(f"{shortened(paper.title, MAX_TITLE)} ({day(paper.published)})")
        return (
            f'<a class="pc-chip" href="#{evidence_id(self.turn.number, n)}" title="{label}" '
            f'aria-label="Source {n}: {label}">{n}</a>'
        )


def _unsupported(turn: ChatTurn) -> list[Span]:
    spans, done = [], 0
    for sentence in turn.answer.sentences if turn.answer else ():
        at = turn.text.find(sentence.text, done)
        if at < 0:
            continue
        done = at + len(sentence.text)
        if not sentence.supported:
            spans.append(Span(at, done, "pc-unsupported", f"Not supported: {sentence.note or NO_SUPPORT}"))
    return spans


def _titles(text: str, papers: Iterable[Paper]) -> list[Span]:
    """Where cited papers are named in quotation marks."""
    titles = {f"“{paper.title}”" for paper in papers}
    return [Span(at.start(), at.end(), "pc-title") for title in titles for at in re.finditer(re.escape(title), text)]
