"""Questions into English for the search, and verified English answers into the question's language."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rag.answer.answer import Sentence, TextDelta
from rag.answer.composer import UNSUPPORTED_MARK
from rag.answer.context import escape, unescape
from rag.answer.draft import Draft
from rag.answer.faithful import QUOTED, asks_the_same, is_faithful
from rag.answer.generate import CHARS_PER_TOKEN
from rag.answer.plaintext import ThinkFilter
from rag.answer.prompts import TO_ENGLISH_SYSTEM, TRANSLATE_SYSTEM
from rag.chunking import sentences
from rag.errors import EndpointError, ModelError
from rag.models.interfaces import Generator as TextGenerator
from rag.models.interfaces import Message, close_stream

LONGEST_QUESTION = 2.5  # times the question's length; scripts that write a word in two characters get the slack
QUESTION_SLACK = 200
SPARE_TOKENS = 400  # on top of one token a character, which no script exceeds by much

_NUMBERED = re.compile(r"\W{0,3}(\d{1,3})[*_\s]{0,2}[.:)\]|][*_]{0,2}\s*(\S.*)")  # "1: ...", "**1.** ...", "(1) ..."
_LABEL = re.compile(r"^\W{0,2}(?:english|question|translation|english question)\s*:\s*", re.IGNORECASE)
_MARKS = re.compile(rf"\s*((?:\[\d+\]|{re.escape(UNSUPPORTED_MARK)})+)\s*([.!?:;…]*)$")
_END = re.compile(r"[.!?:;…。！？؟।]+$")
_QUOTES = "\"'“”‘’„«»` "


def needs_model(language: str) -> Draft:
    """The answer to a question in another language where no language model can translate."""
    reason = f"The question seems to be in {language}, and only a language model can translate it."
    remedy = "Please ask in English, or set OPENAI_BASE_URL or OPENAI_API_KEY to connect a model."
    return Draft(f"{reason} {remedy}", "refused", reason, signals={"other_language": 1.0})


def to_english(question: str, language: str, generator: TextGenerator, cancelled: threading.Event | None = None) -> str:
    """The question in English, to search with; the question itself once `cancelled` is set.

    Raises:
        EndpointError: the endpoint failed, or the model wrote no translation that keeps the
            question's names and numbers.
        ModelError: the local model cannot be used.
    """
    system = TO_ENGLISH_SYSTEM.format(language=language)
    messages = [Message("system", system), Message("user", escape(" ".join(question.split())))]
    longest = int(LONGEST_QUESTION * len(question)) + QUESTION_SLACK
    written = list(_lines(messages, generator, SPARE_TOKENS + longest, cancelled, {}))
    if cancelled is not None and cancelled.is_set():
        return question
    english = _LABEL.sub("", unescape(written[0])).strip(_QUOTES) if len(written) == 1 else ""
    if not 0 < len(english) <= longest or not asks_the_same(english, question):
        raise EndpointError(
            f"The model {generator.model} did not translate the question from {language}.",
            "Ask in English, or choose another model.",
        )
    return english


def translate(
    draft: Draft, language: str, generator: TextGenerator, cancelled: threading.Event | None = None
) -> Generator[TextDelta, None, Draft]:
    """The draft's text in `language` (an English name), given out sentence by sentence.

    A sentence whose translation does not keep its numbers, names and quoted text stays in English;
    markers are never shown to the model. Citations and outcome stay as they are. The draft's
    signals count `translated` and `left_in_english`. When the model fails or `cancelled` is set,
    the rest stays in English, and the reason says so.
    """
    parts = _parts(draft)
    writer = _Writer(parts, language, _subjects(draft))
    usage: dict[str, int] = {}
    fault = ""
    lines = "\n".join(f"{part.number}: {escape(' '.join(part.claim.split()))}" for part in parts if part.number)
    if lines:
        messages = [Message("system", TRANSLATE_SYSTEM.format(language=language)), Message("user", lines)]
        try:
            for line in _lines(messages, generator, SPARE_TOKENS + 2 * len(lines), cancelled, usage):
                if numbered := _NUMBERED.match(line):
                    yield from writer.take(int(numbered[1]), unescape(numbered[2]).strip())
        except (EndpointError, ModelError) as error:
            fault = f"The translation into {language} stopped: {error.message}"
    yield from writer.rest()
    return writer.draft(draft, generator.model, usage, fault)


def _lines(
    messages: Sequence[Message],
    generator: TextGenerator,
    max_tokens: int,
    cancelled: threading.Event | None,
    usage: dict[str, int],
) -> Iterator[str]:
    """Each whole line that the model writes, thinking and empty ones left out; its usage is put into `usage`."""
    thinking, rest, chars, finish = ThinkFilter(), "", 0, None
    pieces = generator.stream(messages, max_tokens=max_tokens, cancelled=cancelled)
    try:
        for piece in pieces:
            usage.update(piece.usage or {})
            chars, finish = chars + len(piece.text), piece.finish_reason or finish
            text, forget = thinking.feed(piece.text)
            *whole, rest = (text if forget else rest + text).split("\n")
            yield from (line.strip() for line in whole if line.strip())
            if chars > max_tokens * CHARS_PER_TOKEN:
                finish = "length"
                break
    finally:
        close_stream(pieces)
    rest += thinking.finish()
    if rest.strip() and finish != "length":  # a line that was cut off is no translation
        yield rest.strip()


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence of the draft's text behind `lead` and `bullet`; one without a `number` stays in English."""

    lead: str
    bullet: str
    text: str
    sentence: Sentence | None
    number: int

    @property
    def claim(self) -> str:
        """The sentence without its markers."""
        return _MARKS.sub(r"\2", self.text)

    def with_markers(self, line: str) -> str:
        """A translation with this sentence's markers before its full stop."""
        marks = _MARKS.search(self.text)
        if marks is None:
            return line
        end = _END.search(line)
        body, stop = (line[: end.start()], end[0]) if end else (line, "")
        return f"{body} {marks[1]}{stop}"


def _parts(draft: Draft) -> list[_Part]:
    """The draft's sentences, and those of its text that stand between them, in order."""
    found: list[_Part] = []
    at = 0
    for start, end, sentence in _spans(draft):
        bullet = "- " if draft.text.startswith("- ", start, end) else ""
        part = _Part(draft.text[at:start], bullet, draft.text[start + len(bullet) : end], sentence, len(found) + 1)
        says = re.search(r"[^\W\d_]", QUOTED.sub("", part.claim))
        found.append(part if says else replace(part, number=0))
        at = end
    return found


def _spans(draft: Draft) -> list[tuple[int, int, Sentence | None]]:
    spans: list[tuple[int, int, Sentence | None]] = []
    at = 0
    for sentence in draft.sentences:
        start = draft.text.index(sentence.text, at)
        spans += _loose(draft.text, at, start)
        at = start + len(sentence.text)
        spans.append((start, at, sentence))
    return spans + _loose(draft.text, at, len(draft.text))


def _loose(text: str, start: int, end: int) -> list[tuple[int, int, Sentence | None]]:
    spans = sentences(text[start:end])
    return [(start + span.start, start + span.end, None) for span in spans if re.search(r"\w", span.text)]


def _subjects(draft: Draft) -> set[str]:
    """One-word names of the papers that the draft names: "Moshi: a speech-text foundation model"."""
    papers = [*(citation.paper for citation in draft.citations), *draft.nearest]
    heads = (paper.title.split(":") for paper in papers)
    return {head.strip() for head, *rest in heads if rest and len(head.split()) == 1}


class _Writer:
    """Gives the parts out in their order, each once: translated where that is faithful, else in English."""

    def __init__(self, parts: Sequence[_Part], language: str, subjects: set[str]) -> None:
        self._parts = parts
        self._language = language
        self._subjects = subjects
        self._index = {part.number: i for i, part in enumerate(parts) if part.number}
        self._sentences: list[Sentence] = []
        self._text = ""
        self._at = self._translated = self._left = 0

    def take(self, number: int, line: str) -> Iterator[TextDelta]:
        """A translation and all that stands before it; a number that is unknown, or was there before, is ignored."""
        index = self._index.get(number, -1)
        if index < self._at:
            return
        yield from self._in_english(index)
        part = self._parts[index]
        if not is_faithful(line, part.claim, self._language, self._subjects):
            yield from self._in_english(index + 1)
            return
        self._translated += 1
        yield self._give(part, part.with_markers(line))

    def rest(self) -> Iterator[TextDelta]:
        """Whatever has no translation."""
        yield from self._in_english(len(self._parts))

    def _in_english(self, end: int) -> Iterator[TextDelta]:
        for part in self._parts[self._at : end]:
            self._left += bool(part.number)
            yield self._give(part, part.text)

    def _give(self, part: _Part, text: str) -> TextDelta:
        self._at += 1
        if part.sentence is not None:
            self._sentences.append(replace(part.sentence, text=part.bullet + text))
        delta = f"{part.lead}{part.bullet}{text}"
        self._text += delta
        return TextDelta(delta)

    def draft(self, draft: Draft, model: str, usage: Mapping[str, int], fault: str) -> Draft:
        """The draft as it was given out."""
        counts = {"translated": float(self._translated), "left_in_english": float(self._left)}
        left = f"{self._left} of {self._left + self._translated} sentences stay in English." if self._left else ""
        return replace(
            draft,
            text=self._text,
            sentences=tuple(self._sentences),
            reason=" ".join(part for part in (draft.reason, fault, left) if part),
            model=draft.model or model,
            signals={**draft.signals, **counts},
            usage={name: draft.usage.get(name, 0) + usage.get(name, 0) for name in {**draft.usage, **usage}},
        )
