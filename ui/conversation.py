"""What one browser tab has asked and been answered. Plain data; kept in the session, never shared."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rag.answer.answer import Answer, Event, Finished, Searched, TextDelta, Turn
from rag.feedback import Feedback

REMEMBERED = 6  # turns that a follow-up may refer to


@dataclass(slots=True)
class ChatTurn:
    """One question and what has come of it so far; `number` counts from 1 within the conversation.

    `cancelled` tells whoever is writing that nobody reads on; it is set once.
    """

    number: int
    question: str
    searched: Searched | None = None
    text: str = ""
    answer: Answer | None = None
    problem: str | None = None
    stopped: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    feedback: Feedback | None = None
    feedback_problem: str = ""

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self.answer is None and self.problem is None and not self.stopped

    def take(self, event: Event) -> None:
        """Fold the next event of the answer in."""
        if isinstance(event, Searched):
            self.searched = event
        elif isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, Finished):
            self.answer, self.text = event.answer, event.answer.answer

    def fail(self, problem: str) -> None:
        """There will be no answer, and why; of no interest any more once it is stopped."""
        if not self.stopped:
            self.problem = problem

    def stop(self) -> None:
        """The person has seen enough; what has been written stays."""
        if self.running:
            self.stopped = True
            self.cancelled.set()


@dataclass(slots=True)
class Conversation:
    """All turns of one browser tab, oldest first; `judging` is the one that the person is saying more about."""

    turns: list[ChatTurn] = field(default_factory=list)
    asked: int = 0
    judging: ChatTurn | None = None

    @property
    def running(self) -> bool:
        """Whether an answer is being written."""
        return bool(self.turns) and self.turns[-1].running

    def begin(self, question: str) -> ChatTurn:
        """A new turn, at the end."""
        self.asked += 1
        turn = ChatTurn(self.asked, question)
        self.turns.append(turn)
        return turn

    def clear(self) -> None:
        """Forget everything; an answer that is being written goes nowhere."""
        self.stop()
        self.turns = []
        self.judging = None

    def stop(self) -> None:
        """Stop the answer that is being written, if there is one."""
        if self.turns:
            self.turns[-1].stop()

    def history(self, before: ChatTurn | None = None) -> list[Turn]:
        """The answered turns (before `before`) in the form in which the engine takes them, oldest first."""
        history = []
        earlier = [turn for turn in self.turns if turn.answer and (before is None or turn.number < before.number)]
        for turn in earlier[-REMEMBERED:]:
            history += [Turn("user", turn.question), Turn("assistant", turn.text)]
        return history
