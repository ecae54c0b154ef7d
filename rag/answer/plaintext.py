"""From a model's raw stream to whole sentences: thinking left out, code fences and labels taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.chunking import sentences
from rag.models.interfaces import Piece, close_stream

_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)\s*>", re.IGNORECASE)
_TAG_BEGUN = re.compile(r"<[/a-z\s]{0,14}$", re.IGNORECASE)
# Terminal sequences, invisible characters and halves of surrogate pairs; a sequence that is not complete yet stays.
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b(?!\[|$)|"
    r"[\x00-\x08\x0b-\x1a\x1c\x1d\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SKIPPED_LINE = re.compile(r"\s*(?:```.*|~~~.*|#{1,6}\s.*|[-*_=\s]{3,})$")
_LABEL = re.compile(r"^\W{0,3}(?:final answer|answer|response|assistant)\W{0,2}:\W{0,3}\s*", re.IGNORECASE)
_BULLET = re.compile(r"\s*([-*•+]|\d{1,2}[.)])\s+")
# A citation marker of any style; after a full stop it belongs to the sentence before.
_MARKER = r"(?:\[\s*\^?(?:p[0-9a-f]{4}|\d{1,3})[^\[\]\n]{0,80}\]|【[^】\n]{0,80}】|\(\s*p[0-9a-f]{4}[^()\n]{0,80}\))"
_MARKER_BEHIND = re.compile(rf"([.!?][\"”’]?)((?:\s*{_MARKER})+)(?=\s|$)", re.IGNORECASE)
SENTENCE_END = "\x1e"  # ASCII's record separator: what stands before it is whole, though nothing follows yet
_BREAK = re.compile(rf"[\n{SENTENCE_END}]")
_WORDS_TO_SETTLE = 2
_CHARS_TO_SETTLE = 24


class ThinkFilter:
    """Takes `<think>…</think>` out of a stream, tags split over pieces included.

    Some models' templates open the block themselves, so that only `</think>` is seen: then
    everything before it was thinking ("DeepSeek-R1", issue 352).
    """

    def __init__(self) -> None:
        self.thinking = False
        self.thought = False
        self._held = ""

    def feed(self, piece: str) -> tuple[str, bool]:
        """Text to add, and whether all text before it must be forgotten."""
        self._held += piece
        text, forget = "", False
        while match := _TAG.search(self._held):
            before, self._held = self._held[: match.start()], self._held[match.end() :]
            if not match[1]:
                text += "" if self.thinking else before
                self.thinking = self.thought = True
            elif self.thinking:
                self.thinking = False
            else:
                text, forget, self.thought = "", True, True
        begun = _TAG_BEGUN.search(self._held)
        end = begun.start() if begun else len(self._held)
        text += "" if self.thinking else self._held[:end]
        self._held = self._held[end:]
        return text, forget

    def finish(self) -> str:
        """What was held back in case that it became a tag."""
        held, self._held = self._held, ""
        return "" if self.thinking else held


def whole_text(pieces: Iterator[Piece]) -> str:
    """All that a model writes, thinking left out; the stream is closed whatever happens."""
    thinking, text = ThinkFilter(), ""
    try:
        for piece in pieces:
            more, forget = thinking.feed(piece.text)
            text = more if forget else text + more
    finally:
        close_stream(pieces)
    return text + thinking.finish()


@dataclass(frozen=True, slots=True)
class Cut:
    """One sentence as the model wrote it, what stands between it and the one before, whether it opens a list item."""

    text: str
    lead: str
    bullet: bool = False


class SentenceCutter:
    """Cuts a stream into sentences, each given out at a `SENTENCE_END` or once the next one has clearly begun."""

    def __init__(self) -> None:
        self._rest = ""
        self._lead = ""
        self._at_line_start = True
        self._bullet = False

    def feed(self, text: str) -> list[Cut]:
        """Sentences that this piece has completed."""
        self._rest = without_controls(self._rest + text)
        cuts: list[Cut] = []
        while found := _BREAK.search(self._rest):
            line, self._rest = self._rest[: found.start()], self._rest[found.end() :]
            cuts += self._line(line)
            if found[0] == "\n":
                self._lead, self._at_line_start = self._lead.rstrip(" ") + "\n", True
        texts = self._split(self._rest) if re.search(r"[.!?。]", self._rest) else []
        if len(texts) > 1 and _settled(texts[-1]):
            cuts += self._cuts(texts[:-1])
            self._rest = texts[-1] + self._rest[len(self._rest.rstrip()) :]
        return cuts

    def finish(self) -> list[Cut]:
        """Whatever is left."""
        line, self._rest = self._rest.replace("\x1b", ""), ""
        return self._line(line)

    def forget(self) -> None:
        """Drop what has not been given out."""
        self._rest = ""

    def _line(self, line: str) -> list[Cut]:
        if not line.strip() or (self._at_line_start and _SKIPPED_LINE.match(line)):
            return []
        return self._cuts(self._split(line))

    def _split(self, text: str) -> list[str]:
        """Sentences of one line, its bullet and label left out."""
        if self._at_line_start:
            bullet = _BULLET.match(text)
            self._bullet = bullet is not None
            text = _LABEL.sub("", text[bullet.end() :] if bullet else text)
        return [span.text for span in sentences(_MARKER_BEHIND.sub(r"\2\1", text))]

    def _cuts(self, found: list[str]) -> list[Cut]:
        cuts = []
        for text in found:
            cuts.append(Cut(text, self._lead, self._bullet))
            self._lead, self._at_line_start, self._bullet = " ", False, False
        return cuts


def without_controls(text: str) -> str:
    """`text` without what no reader sees, line breaks and `SENTENCE_END` excepted."""
    return _CONTROL.sub("", text)


def _settled(begun: str) -> bool:
    """Whether enough of the next sentence is there to be sure that the one before has ended."""
    if begun[0] in "[(【" and not re.match(r".[^\])】]*[\])】].", begun):
        return False
    return len(begun.split()) > _WORDS_TO_SETTLE or len(begun) > _CHARS_TO_SETTLE
