"""The conversation as HTML: each question, how it was searched, its answer, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.answer import Answer
from rag.papers import Filters
from ui.answer_html import answer_html, confidence_html
from ui.conversation import ChatTurn
from ui.escape import day, escaped
from ui.feedback_html import feedback_html

MAX_QUESTION = 4000  # characters of a question that are shown
WAITING = "Searching the papers…"
LOADING = "Loading the models; the answer follows by itself…"
WELCOME = (
    "<h2>Ask the papers</h2><p>Every answer is drawn from the papers in the library, and each sentence points to "
    "the one it rests on. What the papers do not say is not answered.</p>"
)


def conversation_html(turns: Sequence[ChatTurn], *, waiting: str = WAITING, problem: str = "") -> str:
    """All turns, or a welcome (and what is wrong, if anything) where there is none.

    `waiting` stands where an answer has not begun.
    """
    if not turns:
        trouble = f'<p class="pc-problem" role="alert">{escaped(problem)}</p>' if problem else ""
        return f'<div class="pc-welcome">{WELCOME}{trouble}</div>'
    return f'<div class="pc-turns" role="log" aria-live="polite">{"".join(_turn(t, waiting) for t in turns)}</div>'


def _turn(turn: ChatTurn, waiting: str) -> str:
    question = turn.question.strip()
    question = question if len(question) <= MAX_QUESTION else question[:MAX_QUESTION] + "…"
    return (
        f'<article class="pc-turn" data-turn="{turn.number}" aria-busy="{str(turn.running).lower()}">'
        f'<div class="pc-question">{escaped(question)}</div>'
        f"{_search_note(turn)}{_body(turn, waiting)}{feedback_html(turn)}</article>"
    )


def _body(turn: ChatTurn, waiting: str) -> str:
    parts = []
    if turn.text:
        parts.append(f'<div class="pc-answer">{answer_html(turn)}</div>')
    elif turn.running:
        parts.append(f'<p class="pc-note pc-waiting">{escaped(waiting)}</p>')
    if turn.problem:
        parts.append(f'<p class="pc-problem" role="alert">{escaped(turn.problem)}</p>')
    if turn.stopped:
        parts.append('<p class="pc-note">Stopped.</p>')
    if turn.answer:
        parts.append(confidence_html(turn.answer))
        parts += [f'<p class="pc-note">{escaped(note)}</p>' for note in _footnotes(turn.answer)]
    return "".join(parts)


def _search_note(turn: ChatTurn) -> str:
    """The query that was searched and the filters, where they are not what was typed."""
    notes = []
    if turn.searched and " ".join(turn.question.split()) != turn.searched.query_used:
        notes.append(f"Searched for: {turn.searched.query_used}")
    filters = turn.answer.filters if turn.answer else turn.searched.filters if turn.searched else None
    if filters:
        notes.append(f"Only papers {filters_text(filters)}")
    return "".join(f'<p class="pc-note pc-searched">{escaped(note)}</p>' for note in notes)


def _footnotes(answer: Answer) -> list[str]:
    """How well it is grounded, who wrote it, and how long that took."""
    reason = "" if answer.reason in answer.answer else answer.reason.rstrip(".")
    if answer.refused:
        return [reason] if reason else []
    writer = f"Written by {answer.model}, checked against the papers" if answer.model else ""
    seconds = f"{answer.timings_ms.get('total', 0.0) / 1000:.1f} s"
    notes = [" · ".join(part for part in (reason, writer, seconds) if part)]
    if any(not sentence.supported for sentence in answer.sentences):
        notes.append("A dotted underline marks a sentence that its sources do not support.")
    return notes


def filters_text(filters: Filters) -> str:
    """Filters in words that continue "only papers": `published since May 1, 2024, by Google`."""
    return ", ".join(part for part in (_dates(filters), *_others(filters)) if part)


def _dates(filters: Filters) -> str:
    first, last = filters.published_from, filters.published_to
    if first and last:
        return f"published on {day(first)}" if first == last else f"published from {day(first)} to {day(last)}"
    return f"published since {day(first)}" if first else f"published until {day(last)}" if last else ""


def _others(filters: Filters) -> list[str]:
    parts = [f"by {filters.organisation}"] if filters.organisation else []
    low, high = filters.min_authors, filters.max_authors
    if low is not None and high is not None:
        parts.append(f"with {low} author{'' if low == 1 else 's'}" if low == high else f"with {low} to {high} authors")
    elif low is not None:
        parts.append(f"with {low} authors or more")
    elif high is not None:
        parts.append(f"with {high} author{'' if high == 1 else 's'} at most")
    if filters.paper_ids is not None:
        parts.append(f"among {len(filters.paper_ids)} chosen")
    return parts
