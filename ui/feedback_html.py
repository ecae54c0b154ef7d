"""The quiet words under an answer: did it help, and what was put on record."""

from __future__ import annotations

from ui.conversation import ChatTurn
from ui.escape import escaped

THUMBS = {"helpful": "Helpful", "not_helpful": "Not helpful"}
KEPT = "Noted on this machine."
KEPT_WITH_WORDS = "Noted on this machine, with your words."


def thumbs_html(turn: ChatTurn) -> str:
    """Two buttons for a finished answer, the pressed one marked, and what was kept; nothing without an answer."""
    if turn.answer is None:
        return ""
    given = turn.feedback
    buttons = "".join(
        f'<button type="button" class="pc-action pc-thumb" data-act="thumb" data-turn="{turn.number}" '
        f'data-verdict="{verdict}" aria-pressed="{str(given is not None and given.verdict == verdict).lower()}">'
        f"{label}</button>"
        for verdict, label in THUMBS.items()
    )
    more = given is not None and (given.note or given.right_paper or given.unanswerable)
    return buttons + (f'<span class="pc-note">{KEPT_WITH_WORDS if more else KEPT}</span>' if given else "")


def feedback_problem_html(turn: ChatTurn) -> str:
    """Why a verdict could not be kept, if it could not."""
    return f'<p class="pc-problem" role="alert">{escaped(turn.feedback_problem)}</p>' if turn.feedback_problem else ""
