"""The answer as it grows from a model's sentences: held back, checked, numbered, given out once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.answer.answer import Citation, Outcome, Sentence, TextDelta
from rag.answer.attribution import Quote
from rag.answer.context import Context
from rag.answer.draft import Draft, refusal
from rag.answer.markers import Taken, is_reference, take_markers
from rag.answer.plaintext import Cut, SentenceCutter, ThinkFilter
from rag.answer.prompts import CANNOT_ANSWER
from rag.answer.verify import ABSENCE, Checked, Verifier
from rag.models.interfaces import Piece
from rag.papers import Paper

UNSUPPORTED_MARK = "[unsupported]"
LENGTH, CANCELLED = "length", "cancelled"  # finish reasons of a text that may end within a sentence
BESIDE = "quoted beside the model's text"
QUOTED = "quoted instead of an unsupported sentence"
UNGROUNDED = "Nothing that the model wrote could be found in the papers."
QUOTED_INSTEAD = f"{UNGROUNDED} Their own sentences stand here instead."
SURE = 0.85  # support that a small model's sentence needs; of those below, most are beside the point
MOST_REPEATS = 2  # the same sentence again: small models loop

_CANNOT = re.compile(
    r"\bi (?:can ?not|can['’]t|am unable to|could not) (?:answer|find (?:an|the) answer)\b", re.IGNORECASE
)
_ECHO = re.compile(r"(?:question|title|passage|date)\s*:|.*\?$", re.IGNORECASE | re.DOTALL)  # of the prompt
_PLEASANTRY = re.compile(r"(?:sure|certainly|of course|okay|ok|great question)\b[^.!:]*[.!:]?", re.IGNORECASE)
_END = re.compile(r"[.!?:;…]+$")


class Composer:
    """Builds the answer from the stream; what it gives out is never taken back."""

    def __init__(self, verifier: Verifier, context: Context, replacing: bool, quotes: Sequence[Citation]) -> None:
        self._verifier = verifier
        self._quotes = [Quote(c.paper, c.quote, c.start, c.end, c.support, c.passage) for c in quotes]
        self._given = bool(quotes)
        self._titles = {name: passage.paper.title for name, passage in context.by_id.items()}
        self._shown = context.text
        self._replacing = replacing
        self._pending: list[tuple[str, Checked]] = []
        self._numbers: dict[str, int] = {}
        self._citations: dict[tuple[str, bool, int], Citation] = {}
        self._sentences: list[Sentence] = []
        self._seen: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._usage: dict[str, int] = {}
        self._text = self._lead = self._quoted = ""
        self._refused = self._ended = self._instead = False
        self.wrote = self.thought = False

    def read(self, pieces: Iterator[Piece], most_chars: int) -> Iterator[TextDelta]:
        """Take the stream in; stops early where nothing more is wanted of it."""
        thinking, cutter, finish, chars = ThinkFilter(), SentenceCutter(), None, 0
        for piece in pieces:
            finish, chars = piece.finish_reason or finish, chars + len(piece.text)
            self._usage = piece.usage or self._usage
            text, forget = thinking.feed(piece.text)
            if forget:
                cutter.forget()
                self._forget()
            yield from self._take(cutter.feed(text))
            if self._ended or chars > most_chars:
                finish = finish or LENGTH
                break
        self.thought = thinking.thought
        if not self._ended:
            last = cutter.feed(thinking.finish()) + cutter.finish()
            if finish in (LENGTH, CANCELLED) and last and (self._sentences or self._pending or len(last) > 1):
                self._counts["cut_short"] += 1
                last = last[:-1] if not _END.search(last[-1].text) else last
            yield from self._take(last)
        if any(checked.quotes for _, checked in self._pending):
            yield from self._release()
        elif finish != CANCELLED:
            yield from self._quotes_instead()
        if self._replacing and self._text and finish != CANCELLED:
            yield from self._quotes_left(BESIDE)

    def _quotes_instead(self) -> Iterator[TextDelta]:
        """What the papers say, where nothing that the model wrote can be shown: a hidden order silences nobody.

        Not where the model said that they do not answer.
        """
        absent = self._refused or any(checked.note == ABSENCE for _, checked in self._pending)
        if not self.wrote or self._text or (absent and not self._replacing) or not self._quotes:
            return
        self._counts["unsupported"] += sum(not checked.supported for _, checked in self._pending)
        self._pending.clear()
        yield from self._quotes_left(QUOTED)
        self._instead = True

    def _quotes_left(self, note: str) -> Iterator[TextDelta]:
        """The quotes that the answer does not hold yet. What a small model writes, or that it finds nothing,
        says little about what the papers answer."""
        while (quote := self._unshown_quote()) is not None:
            self._pending.append((" ", self._quoting(quote, "", note)))
            yield from self._release()

    def _forget(self) -> None:
        """What was held back was thinking: the answer may well say it again."""
        for _, checked in self._pending:
            self._seen.pop(_letters(checked.claim), None)
        self._pending.clear()
        self.wrote = bool(self._text)

    def draft(self, model: str, nearest: Sequence[Paper]) -> Draft:
        """The finished answer, or a refusal when nothing was shown."""
        self._counts["unsupported"] += sum(not checked.supported for _, checked in self._pending)
        signals = {name: float(n) for name, n in sorted(self._counts.items()) if n}
        if not self._text:
            said = self._refused or not self._counts["unsupported"] + self._counts["dropped"]
            reason = "The model found no answer in the passages." if said else UNGROUNDED
            draft = refusal(reason, nearest, signals)
            return Draft(
                draft.text, "refused", reason, nearest=draft.nearest, model=model, signals=signals, usage=self._usage
            )
        outcome, reason = self._outcome()
        citations = tuple(self._citations.values())
        sentences = tuple(self._sentences)
        return Draft(self._text, outcome, reason, sentences, citations, model=model, signals=signals, usage=self._usage)

    def _outcome(self) -> tuple[Outcome, str]:
        total, wrong = len(self._sentences), sum(not sentence.supported for sentence in self._sentences)
        if self._instead:
            return "answered", QUOTED_INSTEAD
        if wrong:
            return "partial", f"{wrong} of {total} sentences could not be found in the papers."
        if self._counts["neutral"] or self._refused:
            return "partial", "The papers answer a part of the question."
        return "answered", "Every sentence is supported by the papers it cites."

    def _take(self, cuts: Sequence[Cut]) -> Iterator[TextDelta]:
        for cut in cuts:
            if self._ended:
                return
            self.wrote = True
            self._lead += cut.lead
            if is_reference(cut.text):
                self._counts["reference_lists_removed"] += 1
                self._ended = True
            elif _CANNOT.search(cut.text) or _letters(CANNOT_ANSWER) in _letters(cut.text):
                self._refused = self._ended = True
                self._pending.clear()
            else:
                yield from self._sentence(cut)

    def _sentence(self, cut: Cut) -> Iterator[TextDelta]:
        taken = take_markers(cut.text, self._titles, self._shown)
        self._counts["markers_removed"] += taken.unknown
        self._counts["author_years_removed"] += taken.author_years + bool(taken.stranger)
        self._counts["links_removed"] += taken.links
        self._counts["markup_removed"] += taken.markup
        letters = _letters(taken.claim)
        talk = taken.claim.endswith(":") or _PLEASANTRY.fullmatch(taken.claim) or _ECHO.match(taken.claim)
        if not letters or (talk and not taken.ids):
            return
        self._seen[letters] += 1
        if self._seen[letters] > 1:
            self._counts["repeats_removed"] += 1
            self._ended = self._seen[letters] > MOST_REPEATS
            return
        checked = self._checked(taken)
        if checked is not None:
            lead, self._lead = _lead(self._lead), ""
            self._pending.append((lead, _as_item(checked) if cut.bullet else checked))
            if self._text or (checked.quotes and (checked.cited_itself or self._replacing)):
                yield from self._release()

    def _checked(self, taken: Taken) -> Checked | None:
        """The sentence after its check, or a quote instead of it; None when nothing is left."""
        checked = self._verifier.check(taken)
        self._counts[checked.change] += bool(checked.change)
        if not self._replacing or (checked.supported and checked.support >= SURE):
            self._quoted = ""
            return checked
        quote = self._next_quote(taken)
        if quote is None:
            self._counts["dropped"] += 1
            return None
        return self._quoting(quote, taken.claim)

    def _quoting(self, quote: Quote, claim: str, note: str = QUOTED) -> Checked:
        """A sentence that quotes, in place of `claim` or beside what the model wrote."""
        self._seen[quote.text] += 1
        self._counts["replaced"] += note == QUOTED
        again, self._quoted = self._quoted == quote.paper.paper_id, quote.paper.paper_id
        text = f"It also reports: “{quote.text}”" if again else f"“{quote.paper.title}” reports: “{quote.text}”"
        return Checked(text, claim, (quote,), 1.0, True, note, cited_itself=True)

    def _next_quote(self, taken: Taken) -> Quote | None:
        """A quote that has not been given yet."""
        if not self._given:
            quote = self._verifier.nearest_quote(taken)
            return None if quote is None or self._seen[quote.text] else quote
        return self._unshown_quote()

    def _unshown_quote(self) -> Quote | None:
        """The best of the quotes given that the answer does not hold yet."""
        shown = {(citation.paper.paper_id, citation.start) for citation in self._citations.values()}
        while self._quotes:
            quote = self._quotes.pop(0)
            if (quote.paper.paper_id, quote.start) not in shown:
                return quote
        return None

    def _release(self) -> Iterator[TextDelta]:
        pending, self._pending = self._pending, []
        for lead, checked in pending:
            numbers = tuple(dict.fromkeys(self._cite(quote) for quote in checked.quotes))
            text = _with_markers(checked.text, numbers, checked.supported)
            self._counts["unsupported"] += not checked.supported
            self._counts["neutral"] += checked.neutral
            self._sentences.append(Sentence(text, numbers, checked.support, checked.supported, checked.note))
            delta = (lead if self._text else "") + text
            self._text += delta
            yield TextDelta(delta)

    def _cite(self, quote: Quote) -> int:
        """The number of the quote's paper, given at its first appearance."""
        paper = quote.paper
        n = self._numbers.setdefault(paper.paper_id, len(self._numbers) + 1)
        citation = Citation(n, paper, quote.text, quote.start, quote.end, quote.support, quote.passage)
        self._citations.setdefault((paper.paper_id, quote.passage is not None, quote.start), citation)
        return n


def _as_item(checked: Checked) -> Checked:
    return checked if checked.text.startswith("“") else replace(checked, text="- " + checked.text)


def _with_markers(text: str, numbers: Sequence[int], supported: bool) -> str:
    """Markers before the full stop, where a reader and a sentence splitter expect them."""
    marks = "".join(f"[{n}]" for n in numbers) if supported else UNSUPPORTED_MARK
    if not marks:
        return text
    end = _END.search(text)
    body, stop = (text[: end.start()], end[0]) if end else (text, "")
    return f"{body} {marks}{stop}"


def _lead(leads: str) -> str:
    """What stands before a sentence: the line breaks of those left out before it, or a space."""
    return "\n" * min(2, leads.count("\n")) or " "


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
