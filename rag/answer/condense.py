"""A follow-up made self-contained by a language model, with the raw question to fall back on."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from rag.answer.answer import Turn
from rag.answer.context import unescape
from rag.answer.history import recent
from rag.answer.names import mentions, names
from rag.answer.plaintext import whole_text
from rag.answer.prompts import condense_messages
from rag.errors import EndpointError, ModelError
from rag.models.interfaces import Generator as TextGenerator
from rag.terms import NUMBER, terms

LONGEST = 300
MAX_TOKENS = 120
MOST_NEW_TERMS = 0.34  # of the rewritten question's words; more is an answer or an invention

_PREFIX = re.compile(r"^(?:(?:rewritten|standalone|self-contained|last)\s+)?question\s*:\s*", re.IGNORECASE)
_LEAKED = re.compile(r"\[\s*(?:\d+|p[0-9a-f]{3,6})\s*\]|【|</?\w+|<\||```|\bhttps?://", re.IGNORECASE)
_CORRECTS = re.compile(r"\b(?:no|not|instead|rather|meant)\b", re.IGNORECASE)
_QUOTES = "\"'“”‘’` "


def condense(
    question: str,
    history: Sequence[Turn],
    generator: TextGenerator,
    *,
    cancelled: threading.Event | None = None,
) -> str:
    """`question` with what it refers to in the last turns of `history` written in.

    The raw question comes back when there is no history, when the model fails or is `cancelled`, and
    when what it writes is no such question: empty, several lines, too long, with markers, without
    a name or number that was asked about, or full of words that nobody in the conversation used.
    """
    turns = recent(history)
    if not turns:
        return question
    try:
        messages = condense_messages(question, turns)
        written = whole_text(generator.stream(messages, max_tokens=MAX_TOKENS, cancelled=cancelled))
    except (EndpointError, ModelError):
        return question
    lines = [line for line in unescape(written).strip().splitlines() if line.strip()]
    if len(lines) != 1:
        return question
    rewritten = _PREFIX.sub("", lines[0].strip(_QUOTES)).strip(_QUOTES)
    return rewritten if _is_sound(rewritten, question, turns) else question


def _is_sound(rewritten: str, question: str, turns: Sequence[Turn]) -> bool:
    if not rewritten or len(rewritten) > LONGEST or _LEAKED.search(rewritten) or _drops(rewritten, question):
        return False
    said = set(terms(" ".join([question, *(turn.content for turn in turns)])))
    used = set(terms(rewritten))
    return bool(used) and len(used - said) <= MOST_NEW_TERMS * len(used)


def _drops(rewritten: str, question: str) -> bool:
    """Whether a name or number of the question is gone; "not X, Y" rightly drops one."""
    if _CORRECTS.search(question):
        return False
    asked = (*names(question), *NUMBER.findall(question))
    return not all(mentions(rewritten, name) for name in asked)
