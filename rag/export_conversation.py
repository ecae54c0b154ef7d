"""A whole conversation as a file: Markdown to read, JSON for a program, BibTeX of all that it cites."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rag.conversations.records import StoredTurn
from rag.export import bibtex_of, markdown_blocks, markdown_body, plain_line

STOPPED = "Stopped before the end."
NO_ANSWER = "No answer."


def conversation_markdown(title: str, turns: Sequence[StoredTurn]) -> str:
    """The questions with their answers, the sources numbered within each; nothing in them can become markup."""
    blocks = [f"# {plain_line(title)}"]
    for turn in turns:
        blocks += [f"## {plain_line(turn.question)}", *_asked(turn), *_said(turn)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def conversation_json(title: str, turns: Sequence[StoredTurn]) -> str:
    """`{"title", "turns": [...]}`; an answer is what `ask --json` prints, or null where there is none."""
    told = [
        {
            "number": turn.number,
            "question": turn.question,
            "asked_at": turn.asked_at,
            "text": turn.text,
            "stopped": turn.stopped,
            "problem": turn.problem,
            "answer": turn.answer.as_dict() if turn.answer else None,
        }
        for turn in turns
    ]
    text = json.dumps({"title": title, "turns": told}, ensure_ascii=False, indent=2) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # half a surrogate pair as JSON writes it


def conversation_bibtex(turns: Sequence[StoredTurn]) -> str:
    """Every cited paper once, in the order in which the conversation comes to it."""
    answers = [turn.answer for turn in turns if turn.answer]
    return bibtex_of(c.paper for answer in answers for c in sorted(answer.citations, key=lambda c: c.n))


def _asked(turn: StoredTurn) -> Iterator[str]:
    """When, in words; what is no time is left out."""
    try:
        asked = datetime.fromisoformat(turn.asked_at).astimezone(UTC)
    except (ValueError, OverflowError):
        return
    yield f"Asked on {asked:%Y-%m-%d} at {asked:%H:%M} UTC."


def _said(turn: StoredTurn) -> Iterator[str]:
    """The answer; without a whole one, what had been written and why there is no more."""
    if turn.answer is not None:
        yield from markdown_blocks(turn.answer, "###")
        return
    yield markdown_body(turn.text)
    if turn.stopped:
        yield STOPPED
    elif turn.problem or not turn.text:
        yield plain_line(turn.problem) or NO_ANSWER
