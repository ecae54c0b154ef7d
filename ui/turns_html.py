"""The conversation as HTML: each question, how it was searched, its answer, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.answer import Answer
from ui.answer_html import answer_html, confidence_html
from ui.conversation import ChatTurn
from ui.escape import escaped
from ui.evidence_html import about_button, paper_html
from ui.feedback_html import feedback_problem_html, thumbs_html

MAX_QUESTION = 4000  # characters of a question that are shown
WAITING = "Searching the papers…"
LOADING = "Loading the models; the answer follows by itself…"
WELCOME = (
    "<h2>Ask the papers</h2><p>Every answer is drawn from the papers in the library, and each sentence points to "
    "the one it rests on. What the papers do not say is not answered.</p>"
)


def conversation_html(
    turns: Sequence[ChatTurn], *, waiting: str = WAITING, problem: str = "", latest: bool = True
) -> str:
    """All turns, or a welcome (and what is wrong, if anything) where there is none.

    `waiting` stands where an answer has not begun. `latest` says whether the last of `turns` is the
    conversation's: only that one can be asked again, for what follows an answer would go with it.
    """
    if not turns:
        trouble = f'<p class="pc-problem" role="alert">{escaped(problem)}</p>' if problem else ""
        return f'<div class="pc-welcome">{WELCOME}{trouble}</div>'
    *earlier, last = turns
    shown = "".join(_turn(turn, waiting, latest=False) for turn in earlier) + _turn(last, waiting, latest=latest)
    live = ' role="log" aria-live="polite"' if latest else ""
    return f'<div class="pc-turns"{live}>{shown}</div>'


def _turn(turn: ChatTurn, waiting: str, *, latest: bool) -> str:
    question = turn.question.strip()
    question = question if len(question) <= MAX_QUESTION else question[:MAX_QUESTION] + "…"
    edit = "" if turn.running else _action("edit", "Edit", turn)
    return (
        f'<article class="pc-turn" data-turn="{turn.number}" aria-busy="{str(turn.running).lower()}">'
        f'<div class="pc-asked"><div class="pc-question">{escaped(question)}</div>{edit}</div>'
        f"{_search_note(turn, removable=latest)}{_body(turn, waiting)}{_actions(turn, latest=latest)}</article>"
    )


def _body(turn: ChatTurn, waiting: str) -> str:
    parts = []
    if turn.text:
        parts.append(f'<div class="pc-answer">{answer_html(turn)}</div>')
    elif turn.running:
        parts.append(f'<p class="pc-note pc-waiting">{escaped(_place(turn.waiting) or waiting)}</p>')
    if turn.problem:
        parts.append(f'<p class="pc-problem" role="alert">{escaped(turn.problem)}</p>')
    if turn.stopped:
        parts.append('<p class="pc-note">Stopped.</p>')
    if turn.answer:
        parts += [_made(turn.answer), _nearest(turn.answer)]
    return "".join(parts)


def _place(before: int | None) -> str:
    """How many are to be answered first; nothing where it is one's turn."""
    return f"{before} {'person is' if before == 1 else 'people are'} before you." if before else ""


def _actions(turn: ChatTurn, *, latest: bool) -> str:
    """One quiet line under an answer that is done with."""
    if turn.running:
        return ""
    copy = _action("copy", "Copy", turn) if turn.text else ""
    retry = _action("retry", "Retry", turn) if latest else ""
    line = copy + retry + thumbs_html(turn)
    group = f'<div class="pc-actions" role="group" aria-label="About this answer">{line}</div>' if line else ""
    return group + feedback_problem_html(turn)


def _action(act: str, label: str, turn: ChatTurn) -> str:
    return f'<button type="button" class="pc-action" data-act="{act}" data-turn="{turn.number}">{label}</button>'


def _search_note(turn: ChatTurn, *, removable: bool) -> str:
    """The query that was searched and the filters, where they are not what was typed, each to be taken away.

    While the answer is being written the buttons are there, so that nothing moves, but cannot be pressed.
    """
    notes = []
    found = turn.answer or turn.searched
    searched = turn.searched or (turn.answer if turn.answer and turn.answer.passages else None)  # a kept one has both
    if searched and " ".join(turn.question.split()) != searched.query_used:
        undo = _away(turn, "unrewrite", "Search for exactly what I typed") if removable else ""
        notes.append(f'<p class="pc-note pc-searched">Searched for: {escaped(searched.query_used)}{undo}</p>')
    filters = found.filters if found else None
    if filters:
        chips = [
            f'<span class="pc-filter">{escaped(words)}'
            f"{_away(turn, 'unfilter', f'Ask without this: {words}', field) if removable else ''}</span>"
            for field, words in filters.parts_in_words().items()
        ]
        notes.append(f'<p class="pc-note pc-searched">Only papers {" ".join(chips)}</p>')
    return "".join(notes)


def _away(turn: ChatTurn, act: str, label: str, field: str = "") -> str:
    extra = f' data-field="{field}"' if field else ""
    return (
        f'<button type="button" class="pc-away" data-act="{act}" data-turn="{turn.number}"{extra} '
        f'aria-label="{escaped(label)}"{" disabled" if turn.running else ""}>×</button>'
    )


def _made(answer: Answer) -> str:
    """How sure it is, how well it is grounded, who wrote it, and how long that took, in one line."""
    reason = "" if answer.reason in answer.answer else answer.reason.rstrip(".")
    writer = f"Written by {answer.model}, checked against the papers" if answer.model else ""
    seconds = f"{answer.timings_ms.get('total', 0.0) / 1000:.1f} s"
    said = [reason] if answer.refused else [reason, writer, seconds]
    shown = " · ".join([confidence_html(answer), *(escaped(part) for part in said if part)])
    note = f'<p class="pc-note pc-made">{shown}</p>'
    if any(not sentence.supported for sentence in answer.sentences):
        note += '<p class="pc-note">A dotted underline marks a sentence that its sources do not support.</p>'
    return note


def _nearest(answer: Answer) -> str:
    """What to ask instead of a question that the papers do not answer."""
    if not answer.refused or not answer.nearest:
        return ""
    items = "".join(f"<li>{paper_html(paper)}{about_button(paper)}</li>" for paper in answer.nearest)
    return f'<div class="pc-nearest"><h3>Nearest papers</h3><ul>{items}</ul></div>'
