"""The line above the question box: what the next question is limited to, and what it replaces."""

from __future__ import annotations

from ui.escape import escaped, shortened
from ui.session import Session

NAMED = 60  # characters of a title


def scope_html(session: Session) -> str:
    """Chips with a button each to do away with it; empty where the next question is free."""
    conversation, chips = session.conversation, []
    if conversation.editing is not None:
        chips.append(_chip("Editing an earlier question", "unedit", "Leave it as it was"))
    if conversation.scope.paper_ids is not None:
        chips.append(_chip(_papers(session), "unscope", "Ask all papers again"))
    period = session.preferences.period
    if period:
        chips.append(f'<span class="pc-limit">Only papers {escaped(period.in_words())} (settings)</span>')
    return f'<div class="pc-limits">{"".join(chips)}</div>' if chips else ""


def _papers(session: Session) -> str:
    ids = session.conversation.scope.paper_ids or ()
    title = session.conversation.scope_title
    if len(ids) == 1 and title:
        return f"Asking only “{shortened(title, NAMED)}”"
    return f"Asking only {len(ids)} chosen paper{'' if len(ids) == 1 else 's'}"


def _chip(text: str, act: str, label: str) -> str:
    label = escaped(label)
    button = f'<button type="button" data-act="{act}" aria-label="{label}" title="{label}">×</button>'
    return f'<span class="pc-limit">{escaped(text)} {button}</span>'
