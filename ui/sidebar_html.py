"""The list of conversations: titles under the day they were last used, each with what can be done to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby

from rag.conversations import Summary
from ui.escape import escaped, shortened

TITLE = 70  # characters
SNIPPET = 240  # what was found may stand at the end of it
FORMS = {"md": "Markdown", "json": "JSON", "bib": "BibTeX"}


def chats_html(
    chats: Sequence[Summary],
    *,
    current: str | None = None,
    today: date,
    query: str = "",
    deleted: Summary | None = None,
    problem: str = "",
) -> str:
    """The conversations, latest first; `current` is the one on show, `deleted` can be had back.

    `data-chat` tells the page which conversation its address should name.
    """
    parts = [f'<p class="pc-problem" role="alert">{escaped(problem)}</p>'] if problem else []
    if deleted:
        parts.append(
            f'<p class="pc-note" role="status">Deleted “{escaped(shortened(deleted.title, 30))}”. '
            f'<button type="button" class="pc-textual" data-act="restore" data-id="{escaped(deleted.conversation_id)}">'
            "Undo</button></p>"
        )
    if not chats and query.strip():
        parts.append('<p class="pc-note">No conversation has these words.</p>')
    for heading, group in groupby(chats, key=lambda chat: _when(chat.updated, today)):
        rows = "".join(_row(chat, chat.conversation_id == current) for chat in group)
        parts.append(f"<h2>{heading}</h2><ul>{rows}</ul>")
    return (
        f'<nav class="pc-chats" aria-label="Conversations" data-chat="{escaped(current or "")}">{"".join(parts)}</nav>'
    )


def _row(chat: Summary, is_current: bool) -> str:
    chat_id, title = escaped(chat.conversation_id), escaped(shortened(chat.title, TITLE))
    snippet = f'<span class="pc-snippet">{escaped(shortened(chat.snippet, SNIPPET))}</span>' if chat.snippet else ""
    exports = "".join(f'<a href="export/{chat_id}.{ending}" download="">{name}</a>' for ending, name in FORMS.items())
    return (
        f'<li class="pc-row{" pc-current" if is_current else ""}">'
        f'<a class="pc-open" href="?chat={chat_id}" data-act="open" data-id="{chat_id}"'
        f"{' aria-current=page' if is_current else ''}>{title}{snippet}</a>"
        f'<details class="pc-more"><summary aria-label="More about “{title}”">⋯</summary><div class="pc-menu">'
        f'<label>Name<input type="text" maxlength="120" value="{escaped(chat.title)}" data-change="rename" '
        f'data-id="{chat_id}"></label>'
        f"<p>Export{exports}</p>"
        f'<p><button type="button" class="pc-textual" data-copy-link="{chat_id}">Copy link</button>'
        f'<button type="button" class="pc-textual" data-act="delete" data-id="{chat_id}">Delete</button></p>'
        "</div></details></li>"
    )


def _when(updated: str, today: date) -> str:
    """The heading under which a conversation stands."""
    days = (today - datetime.fromisoformat(updated).astimezone().date()).days
    if days <= 0:
        return "Today"
    return "Yesterday" if days == 1 else "This week" if days < 7 else "Earlier"
