"""Putting what was asked and answered on record, whatever other tabs do meanwhile."""

from __future__ import annotations

import logging
import threading

from rag.conversations import title_of
from rag.errors import ConflictError, NotFoundError, PaperchatError
from ui.conversation import ChatTurn, Conversation
from ui.services import Services

log = logging.getLogger(__name__)

IN_A_COPY = "This conversation went on elsewhere, or was deleted. What you ask here is kept in a copy."


class Recording:
    """Keeps the turns of all tabs. Where a conversation is somebody else's, went on in another tab or was
    deleted, nothing of it is touched, and this tab goes on in a copy of its own."""

    def __init__(self, services: Services) -> None:
        self._store = services.conversations
        self._lock = threading.Lock()  # the end of a turn and the beginning of the next must not change places

    def keep(self, owner: str, conversation: Conversation, turn: ChatTurn) -> None:
        """Put a turn on record, in place of those from its number on; blocks for some milliseconds.

        The page says where that fails, and goes on.
        """
        with self._lock:
            if turn not in conversation.turns:
                return
            try:
                conversation.problem = self._keep(owner, conversation, turn)
            except PaperchatError as error:
                log.warning("A turn could not be kept: %s", error)
                conversation.problem = f"This conversation is not being kept: {error}"

    def _keep(self, owner: str, conversation: Conversation, turn: ChatTurn) -> str:
        """Returns what there is to say about it."""
        began = conversation.id is None
        if conversation.id is not None and conversation.owner == owner:
            try:
                self._append(conversation.id, owner, conversation, turn)
                return conversation.problem if conversation.problem == IN_A_COPY else ""
            except (ConflictError, NotFoundError):
                log.info("A conversation goes on in a copy")
        asked = [one for one in conversation.turns if one.number <= turn.number]
        title = conversation.title or title_of(asked[0].question)
        conversation.id = self._store.copy_of(owner, title, [one.stored() for one in asked])
        conversation.owner, conversation.title = owner, title
        conversation.kept = [one.asked_at for one in asked]
        return "" if began else IN_A_COPY

    def _append(self, conversation_id: str, owner: str, conversation: Conversation, turn: ChatTurn) -> None:
        shown = {one.asked_at for one in conversation.turns}
        if gone := [at for at in conversation.kept if at not in shown]:  # by a retry or an edit
            first = conversation.kept.index(gone[0]) + 1
            self._store.drop_turns(conversation_id, owner, first, conversation.kept)
            conversation.kept = conversation.kept[: first - 1]
        self._store.save_turn(conversation_id, owner, turn.stored(), conversation.kept)
        if turn.asked_at not in conversation.kept:
            conversation.kept.append(turn.asked_at)
