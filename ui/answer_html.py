"""An answer's text as HTML: paragraphs and lists, markers as chips, each sentence with what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

from rag.answer.answer import Answer, Sentence
from rag.answer.explained import level_in_words
from rag.papers import Paper
from ui.conversation import ChatTurn
from ui.escape import MAX_TITLE, day, escaped, shortened
from ui.math_html import math_or_text

_MARKER = re.compile(r" ?\[(\d+)\]")
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_ITEM = "- "
NO_SUPPORT = "no cited paper supports this sentence"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of an answer: one of its sentences, or a paper's title where there is none."""

    start: int
    end: int
    sentence: Sentence | None = None


def answer_html(turn: ChatTurn) -> str:
    """The text of a turn so far. A refusal's offer of papers is left to the buttons below it."""
    return _AnswerText(turn).html()


def confidence_html(answer: Answer) -> str:
    """How sure the answer is, in words and by a mark beside them; a refusal has a mark of its own."""
    kind = "refused" if answer.refused else answer.confidence
    return f'<span class="pc-confidence pc-{kind}">{level_in_words(answer)}</span>'


def evidence_id(turn: int, n: int) -> str:
    """The id of a marker's entry in the evidence, unique in the page."""
    return f"evidence-{turn}-{n}"


class _AnswerText:
    """Works on slices of the text by offset, so that spans found in the whole text hold in each part."""

    def __init__(self, turn: ChatTurn) -> None:
        self.turn = turn
        self.text = turn.text.removesuffix(_offer(turn.answer)) if turn.answer else turn.text
        self.cited = {c.n: c.paper for c in turn.answer.citations} if turn.answer else {}
        self.sentences = _sentences(self.text, turn.answer.sentences if turn.answer else ())
        self.titles = _titles(self.text, self.cited.values())

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
                lines.append((line.startswith(_ITEM), self._line(first, start)))
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

    def _line(self, start: int, end: int) -> str:
        """Characters `start:end`, each sentence in an element of its own; one may go on in the next line."""
        parts, done = [], start
        for span in self.sentences:
            low, high = max(span.start, start), min(span.end, end)
            if low >= high or span.sentence is None:
                continue
            parts += [self._inline(done, low), self._sentence(low, high, span.sentence, is_end=span.end <= end)]
            done = high
        return "".join([*parts, self._inline(done, end)])

    def _sentence(self, start: int, end: int, sentence: Sentence, *, is_end: bool) -> str:
        inner = self._inline(start, end)
        cites = " ".join(str(n) for n in sentence.markers if n in self.cited)
        cites = f' data-cites="{cites}" data-turn="{self.turn.number}"' if cites else ""
        if sentence.supported:
            return f'<span class="pc-sentence"{cites}>{inner}</span>'
        why = f"Not supported: {escaped(sentence.note or NO_SUPPORT)}"
        flag = f'<button type="button" class="pc-flag"><span class="pc-spoken">{why}</span></button>' if is_end else ""
        return f'<span class="pc-sentence pc-unsupported"{cites}>{inner}{flag}</span>'

    def _inline(self, start: int, end: int) -> str:
        """Characters `start:end` with the titles in them."""
        inside = [(max(t.start, start), min(t.end, end)) for t in self.titles if t.start < end and start < t.end]
        bounds = sorted({start, end, *(bound for title in inside for bound in title)})
        parts = []
        for low, high in pairwise(bounds):
            piece = self._with_chips(self.text[low:high])
            is_title = any(first <= low and high <= last for first, last in inside)
            parts.append(f'<span class="pc-title">{piece}</span>' if is_title else piece)
        return "".join(parts)

    def _with_chips(self, text: str) -> str:
        """Brackets around a number that is no marker of the finished answer stay as they are."""
        parts, done = [], 0
        for marker in _MARKER.finditer(text):
            n = int(marker[1])
            if self.turn.answer is None or n in self.cited:
                parts += [math_or_text(text[done : marker.start()]), self._chip(n)]
                done = marker.end()
        return "".join([*parts, math_or_text(text[done:])])

    def _chip(self, n: int) -> str:
        """A small link to the marker's entry in the evidence, which is there once the answer is."""
        if n not in self.cited:
            return f'<span class="pc-chip">{n}</span>'
        paper = self.cited[n]
        label = escaped(f"{shortened(paper.title, MAX_TITLE)} ({day(paper)})")
        return f'<a class="pc-chip" href="#{evidence_id(self.turn.number, n)}" aria-label="Source {n}: {label}">{n}</a>'


def _offer(answer: Answer) -> str:
    """The end of a refusal as rag.answer.draft words it."""
    if not answer.refused or not answer.nearest:
        return ""
    return " Nearest papers: " + "; ".join(f"“{paper.title}”" for paper in answer.nearest) + "."


def _sentences(text: str, sentences: Iterable[Sentence]) -> list[Span]:
    """Where each sentence stands, in order; one that is not in the text is passed over."""
    spans, done = [], 0
    for sentence in sentences:
        at = text.find(sentence.text, done) if sentence.text else -1
        if at >= 0:
            done = at + len(sentence.text)
            spans.append(Span(at, done, sentence))
    return spans


def _titles(text: str, papers: Iterable[Paper]) -> list[Span]:
    """Where cited papers are named in quotation marks."""
    titles = {f"“{paper.title}”" for paper in papers}
    return [Span(at.start(), at.end()) for title in titles for at in re.finditer(re.escape(title), text)]
