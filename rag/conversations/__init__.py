"""Conversations that are kept on this machine, in one SQLite file: found again, renamed, deleted, linked to."""

from __future__ import annotations

from rag.conversations.records import StoredTurn, Summary
from rag.conversations.store import CONVERSATIONS, ConversationStore
from rag.conversations.titles import title_of

__all__ = ["CONVERSATIONS", "ConversationStore", "StoredTurn", "Summary", "title_of"]
