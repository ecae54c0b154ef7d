"""Answers in JSON: the schema that a model is asked to keep to, and a reader for whatever it writes instead.

The reader turns the stream into plain text with `[id]` markers, one whole sentence at a time, so
that there is one way of checking sentences, however they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import json_repair

from rag.answer.context import ID
from rag.answer.plaintext import SENTENCE_END, ThinkFilter, without_controls
from rag.answer.prompts import CANNOT_ANSWER
from rag.chunking import sentences
from rag.models.interfaces import Piece, close_stream

UNDECIDED_CHARS = 200  # of talk before the JSON; after more it is taken for the answer
FORGET = "</think>"  # tells the reader of the plain text that what came before was no answer
NO_PASSAGE = "0"  # a marker that points nowhere, so that it is removed and counted

_TEXT_KEYS = ("text", "sentence", "claim", "answer", "response", "content")
_ID_KEYS = ("ids", "id", "citations", "passages", "sources")
_KEY = r"""["']?(?:text|sentence|claim|ids?|citations?)["']?\s*:"""
_JSON = re.compile(r"""\{\s*["']?(?:answerable|sentences|text|answer)["']?\s*:""")
# Where nothing but a fence comes before, any key will do.
_JSON_FIRST = re.compile(r"""\s*(?:```\w*\s*)?\[?\s*\{\s*["']\w+["']\s*:""")
_ONLY_JSON = re.compile(r"\s*(?:```\w*\s*)?\{")
_JSON_BEGUN = re.compile(r"""\{\s*["']?\w*["']?\s*$""")
_OBJECT = re.compile(rf"\{{\s*{_KEY}")
_NEXT_OBJECT = re.compile(rf"\}}\s*,?\s*(?=\{{\s*{_KEY})")
_UNANSWERABLE = re.compile(r"""["']?answerable["']?\s*:\s*["']?(?:false|no)\b""", re.IGNORECASE)
_NO_SENTENCES = re.compile(r"""["']?sentences["']?\s*:\s*(?:\[\s*\]|null\b|""|'')""")
_MARKED = re.compile(rf"[\[(【]\s*{ID.pattern}")
_BULLET = re.compile(r"^[-*•]\s+")
_STOP = re.compile(r"[.!?…]+[\"”’')]*$")
_DECODER = json.JSONDecoder(strict=False)  # a line break in a string is no reason to wait for the end


def response_format(ids: Sequence[str]) -> dict[str, Any]:
    """The request's `response_format`: whether the passages answer, and sentences that cite some of `ids`."""
    sentence = _object(text={"type": "string"}, ids={"type": "array", "items": {"type": "string", "enum": list(ids)}})
    schema = _object(answerable={"type": "boolean"}, sentences={"type": "array", "items": sentence})
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _object(**properties: Any) -> dict[str, Any]:
    """The schema of an object with all of these keys and no others, as "strict" endpoints want it."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


class StructuredReader:
    """Reads one stream of JSON, or of plain text where a model ignores the schema.

    `bullets` puts each sentence on a line of its own. `thought` says whether the model wrote a
    thinking block, which is left out.
    """

    def __init__(self, *, bullets: bool = False) -> None:
        self._bullets = bullets
        self._thinking = ThinkFilter()
        self._start()

    @property
    def thought(self) -> bool:
        """Whether there was a thinking block."""
        return self._thinking.thought

    def read(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The stream as plain text; a sentence of JSON comes as soon as its object is complete.

        Closing it closes `pieces`.
        """
        ended = False
        try:
            for piece in pieces:
                text, forget = self._thinking.feed(piece.text)
                if forget:
                    self._start()
                ended = ended or piece.finish_reason is not None
                plain = (FORGET if forget else "") + self._take(text) + (self._finish() if piece.finish_reason else "")
                yield replace(piece, text=plain)
        finally:
            close_stream(pieces)
        if not ended:
            yield Piece(self._finish())

    def _start(self) -> None:
        self._held = ""  # plain text that may become JSON
        self._plain = False
        self._json: _JsonAnswer | None = None

    def _take(self, text: str) -> str:
        if self._json:
            return self._written(self._json.feed(text))
        self._held += text
        found = _JSON.search(self._held)
        if found is None and not self._plain:
            found = _JSON_FIRST.match(self._held)
        if found:
            before, inside = self._held[: found.start()], self._held[found.start() :]
            self._json, self._held = _JsonAnswer(), ""
            return (before if self._plain else "") + self._written(self._json.feed(inside))
        self._plain = self._plain or len(self._held) > UNDECIDED_CHARS or bool(_MARKED.search(self._held))
        if not self._plain:
            return ""
        begun = _JSON_BEGUN.search(self._held)
        end = begun.start() if begun else len(self._held)
        plain, self._held = self._held[:end], self._held[end:]
        return plain

    def _finish(self) -> str:
        plain = self._take(self._thinking.finish())
        held, self._held = self._held, ""
        if not self._json and (self._plain or not _ONLY_JSON.match(held)):
            return plain + held
        last = self._json or _JsonAnswer()
        return plain + self._written(last.feed(held) + last.finish())

    def _written(self, found: list[str]) -> str:
        if not self._bullets:
            return " ".join(found) + " " if found else ""
        return "".join(f"\n- {text}" for text in found)


class _JsonAnswer:
    """Sentences out of JSON as it comes: strictly where it can be, repaired where it must."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0  # what comes before has been given out
        self._given = False

    def feed(self, text: str) -> list[str]:
        """The sentences whose objects are complete."""
        self._text += text
        found: list[str] = []
        while begun := _OBJECT.search(self._text, self._at):
            end = self._end_of(begun.start())
            if end is None:
                break
            found += _refusal(self._text[self._at : begun.start()])
            found += _sentences_in(_repaired(self._text[begun.start() : end]))
            self._at = end
        self._given = self._given or bool(found)
        return [sentence + SENTENCE_END for sentence in found]

    def finish(self) -> list[str]:
        """What is left: an object that was cut off, or JSON of a shape of the model's own."""
        rest, self._at = self._text[self._at :], len(self._text)
        begun = _OBJECT.search(rest)
        found = _refusal(rest[: begun.start()] if begun else rest)
        if begun or not (self._given or found):
            found += _sentences_in(_repaired(rest[begun.start() if begun else 0 :]))
        if not found and _NO_SENTENCES.search(rest):
            found = [CANNOT_ANSWER]
        # The last may have been cut off, which the reader of the plain text has to see.
        return [sentence + SENTENCE_END for sentence in found[:-1]] + found[-1:]

    def _end_of(self, start: int) -> int | None:
        """Where the object ends; None while it is incomplete."""
        try:
            return _DECODER.raw_decode(self._text, start)[1]
        except (ValueError, RecursionError):
            following = _NEXT_OBJECT.search(self._text, start)
            return following.start() + 1 if following else None


def _refusal(between: str) -> list[str]:
    return [CANNOT_ANSWER] if _UNANSWERABLE.search(between) else []


def _repaired(text: str) -> Any:
    """The value that a model most likely meant; None for what is nested beyond reason."""
    try:
        return json_repair.loads(text)
    except RecursionError:
        return None


def _sentences_in(value: Any) -> list[str]:
    """Every sentence in a JSON value of whatever shape, as plain text with its markers."""
    if isinstance(value, str):
        return _marked(value, ())
    if isinstance(value, list):
        return [sentence for item in value for sentence in _sentences_in(item)]
    if not isinstance(value, dict):
        return []
    ids = next((value[key] for key in _ID_KEYS if key in value), None)
    text = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)), None)
    if text is not None:
        return _marked(text, _ids(ids))
    return [sentence for key in value if key not in _ID_KEYS for sentence in _sentences_in(value[key])]


def _ids(value: Any) -> list[str]:
    """The ids in a list, or in a string in place of one."""
    words = re.findall(r"\w+", str(value).lower()) if value else []
    return [word if ID.fullmatch(word) else NO_PASSAGE for word in words]


def _marked(text: str, ids: Sequence[str]) -> list[str]:
    """Each sentence of `text` with a marker for each id."""
    # The tag of a thinking block would be taken for one; `unescape` brings it back.
    text = without_controls(text.replace(SENTENCE_END, " ")).replace("<", "‹")
    text = _BULLET.sub("", " ".join(text.split()))
    marks = "".join(f" [{name}]" for name in ids)
    found = []
    for span in sentences(text):
        stop = _STOP.search(span.text)
        end = stop.start() if stop else len(span.text)
        found.append(span.text[:end] + marks + span.text[end:])
    return found
