"""What all tabs share: the engine, what is kept, and the queue at each answerer."""

from __future__ import annotations

from dataclasses import dataclass

from rag.answer.pipeline import Paperchat
from rag.conversations import ConversationStore
from rag.feedback import FeedbackStore
from rag.shelf import Shelf
from ui.turnstile import Turnstiles
from ui.warmup import Warmup


@dataclass(frozen=True, slots=True)
class Services:
    """Made once by the server; everything in it is safe for threads."""

    engine: Paperchat
    warmup: Warmup
    shelf: Shelf
    conversations: ConversationStore
    feedback: FeedbackStore
    turnstiles: Turnstiles
