"""The sides of a question told apart by a language model, with the rules' to fall back on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from rag.answer.context import escape, unescape
from rag.answer.how import How
from rag.answer.plaintext import whole_text
from rag.answer.prompts import SIDES_SYSTEM
from rag.answer.question import Question
from rag.answer.sides import has_room, sides_of
from rag.errors import EndpointError, ModelError
from rag.models.interfaces import Generator as TextGenerator
from rag.models.interfaces import Message
from rag.terms import terms

FEWEST, MOST = 2, 4  # lines that are taken
LONGEST = 200
MAX_TOKENS = 200
MOST_NEW_TERMS = 0.25  # of a sub-question's words; more is an answer or an invention

_MARKED = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_LEAKED = re.compile(r"\[\s*(?:\d+|p[0-9a-f]{3,6})\s*\]|【|</?\w+|<\||```|\bhttps?://", re.IGNORECASE)


def sub_questions(question: Question, how: How, generator: Callable[[], TextGenerator]) -> tuple[str, ...]:
    """What to search for beside the whole question: by the model where an endpoint writes the answer.

    It is asked only where the question seems to have several sides; quotes that it may spare us are not held up.
    """
    by_rules = sides_of(question)
    if how.answerer != "openai" or how.routed or not (by_rules or (has_room(question) and question.shape == "compare")):
        return by_rules
    return sides_by_model(question.own, generator(), cancelled=how.cancelled) or by_rules


def sides_by_model(text: str, generator: TextGenerator, *, cancelled: threading.Event | None = None) -> tuple[str, ...]:
    """A sub-question for each side of `text`, two to four of them.

    None when the model fails or is `cancelled`, and when what it writes is no such list: too few lines or too
    many, one too long, said twice, with markers, or full of words that were not asked.
    """
    messages = [Message("system", SIDES_SYSTEM), Message("user", f"Question: {escape(text)}")]
    try:
        written = whole_text(generator.stream(messages, max_tokens=MAX_TOKENS, cancelled=cancelled))
    except (EndpointError, ModelError):
        return ()
    lines = [_MARKED.sub("", line).strip() for line in unescape(written).splitlines() if line.strip()]
    distinct = len({" ".join(terms(line)) for line in lines}) == len(lines)
    sound = FEWEST <= len(lines) <= MOST and distinct and all(_is_sound(line, text) for line in lines)
    return tuple(lines) if sound else ()


def _is_sound(line: str, text: str) -> bool:
    used = set(terms(line))
    if not used or len(line) > LONGEST or _LEAKED.search(line):
        return False
    return len(used - set(terms(text))) <= MOST_NEW_TERMS * len(used)
