"""What belongs to one browser tab: whose it is, its conversation, and what it has chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.answer.pipeline import Paperchat
from rag.conversations import Summary
from ui.conversation import Conversation
from ui.preferences import Preferences


@dataclass(slots=True)
class Session:
    """`owner` is the person (a log-in name, or a cookie's value); conversations are kept under it.

    `adapted` is the engine with this tab's preferences, None while they are the server's. The list of
    conversations shows those with the words `looking_for`, and offers to restore the one `deleted` last.
    """

    owner: str = ""
    conversation: Conversation = field(default_factory=Conversation)
    preferences: Preferences = field(default_factory=Preferences)
    adapted: Paperchat | None = None
    looking_for: str = ""
    deleted: Summary | None = None

    def end(self) -> None:
        """The tab is gone: nobody reads on."""
        self.conversation.stop()
        if self.adapted:
            self.adapted.close()
            self.adapted = None
