"""The quiet line under an answer: did it help, and what was put on record."""

from __future__ import annotations

from ui.conversation import ChatTurn
from ui.escape import escaped

THUMBS = {"helpful": "Helpful", "not_helpful": "Not helpful"}
KEPT = "Noted on this machine."
KEPT_WITH_WORDS = "Noted on this machine, with your words."


def feedback_html(turn: ChatTurn) -> str:
    """Two buttons under a finished answer, the pressed one marked; nothing where there is no answer."""
    if turn.answer is None:
        return ""
    given = turn.feedback
    buttons = "".join(
        f'<button type="button" class="pc-thumb" data-verdict="{verdict}" '
        f'aria-pressed="{str(given is not None and given.verdict == verdict).lower()}">{label}</button>'
        for verdict, label in THUMBS.items()
    )
    more = given is not None and (given.note or given.right_paper or given.unanswerable)
    said = f'<span class="pc-note">{KEPT_WITH_WORDS if more else KEPT}</span>' if given else ""
    trouble = f'<p class="pc-problem" role="alert">{escaped(turn.feedback_problem)}</p>'
    return (
        f'<div class="pc-feedback" role="group" aria-label="Was this answer helpful?">{buttons}{said}</div>'
        f"{trouble if turn.feedback_problem else ''}"
    )
