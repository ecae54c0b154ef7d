"""What a scripted model writes, and what it is made of; `eval.trust.script_forms` holds the ways.

Every answer is made from the gold sentences of a question as they stand in the prompt, so that it is
known which of its words are true, and which passage holds them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.context import unescape
from rag.chunking import sentences

_BLOCK = re.compile(r'<passage id="(p[0-9a-f]{4})"[^>]*>\nTitle: ([^\n]*)\nDate: [^\n]*\n(.*?)\n</passage ', re.DOTALL)
END = re.compile(r"[.!?]+$")


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as the prompt shows it."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a script is made of: gold sentences with the passage that holds each, all passages, the whole prompt."""

    gold: tuple[tuple[str, Shown], ...]
    shown: tuple[Shown, ...]
    prompt: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a model, and the ids that it cites."""

    text: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """An answer to be written.

    `false` are the texts in it that no reader may find unmarked; `true` its true sentences, each with
    the title of the paper that holds it.
    """

    kind: str
    form: str
    lines: tuple[Line, ...]
    tail: str = ""
    false: tuple[str, ...] = ()
    true: tuple[tuple[str, str], ...] = ()

    def written(self, structured: bool = False) -> str:
        """The model's output: text with ids in brackets before the full stop, or JSON."""
        if structured:
            lines = [*self.lines, *([Line(self.tail)] if self.tail else [])]
            found = [{"text": line.text, "ids": list(line.ids)} for line in lines]
            return json.dumps({"answerable": True, "sentences": found}, ensure_ascii=False)
        text = " ".join(_marked(line) for line in self.lines)
        return f"{text}\n\n{self.tail}" if self.tail else text


def passages_of(prompt: str) -> tuple[Shown, ...]:
    """The passages of a prompt, as `rag.answer.context` packs them, in their order."""
    return tuple(Shown(name, unescape(title), unescape(text)) for name, title, text in _BLOCK.findall(prompt))


def facts_of(prompt: str, gold: Sequence[str], reference: str = "") -> Facts | None:
    """What can be written from this prompt; None where a gold sentence is not in it."""
    shown = passages_of(prompt)
    found = []
    for sentence in (span.text for text in gold for span in sentences(" ".join(text.split()))):
        said = re.sub(r"^\W*\d{1,2}[.)]\s+", "", sentence)  # a number would make it a list
        holder = next((passage for passage in shown if said in " ".join(passage.text.split())), None)
        if holder is None:
            return None
        found.append((said, holder))
    return Facts(tuple(found), shown, prompt, reference) if found else None


def _marked(line: Line) -> str:
    if not line.ids:
        return line.text
    end = END.search(line.text)
    body, stop = (line.text[: end.start()], end[0]) if end else (line.text, "")
    return f"{body} [{', '.join(line.ids)}]{stop}"
