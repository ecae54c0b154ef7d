"""One conversation as a tab shows it: what was asked, what came of it, and what it is limited to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rag.answer.answer import Answer, Event, Finished, Searched, TextDelta, Turn
from rag.conversations import StoredTurn, Summary
from rag.feedback import Feedback
from rag.papers import Filters

REMEMBERED = 6  # turns that a follow-up may refer to
INTERRUPTED = "paperchat ended before this answer was complete. Press Retry to ask again."


@dataclass(slots=True)
class ChatTurn:
    """One question and what has come of it so far; `number` counts from 1 within the conversation.

    `filters` stand in place of those found in the question, `within` narrows them. A question `as_typed` is searched
    in these words alone. `waiting` is how many are to be answered before. `cancelled` tells whoever is
    writing that nobody reads on; it is set once.
    """

    number: int
    question: str
    filters: Filters | None = None
    within: Filters = field(default_factory=Filters)
    as_typed: bool = False
    asked_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    waiting: int | None = None
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

    def stored(self) -> StoredTurn:
        """The turn as it is kept."""
        return StoredTurn(
            self.number,
            self.question,
            self.asked_at,
            self.text,
            self.answer,
            self.problem or "",
            self.stopped,
            self.filters,
            self.within,
            self.as_typed,
        )

    @classmethod
    def of(cls, kept: StoredTurn) -> ChatTurn:
        """A kept turn, to be shown again; one that never ended says so."""
        ended = kept.answer is not None or kept.stopped or kept.problem
        problem = kept.problem or (None if ended else INTERRUPTED)
        return cls(
            kept.number,
            kept.question,
            kept.filters,
            kept.within,
            kept.as_typed,
            kept.asked_at,
            text=kept.text,
            answer=kept.answer,
            problem=problem,
            stopped=kept.stopped,
        )


@dataclass(slots=True)
class Conversation:
    """All turns, oldest first. It has an `id` once something was asked; `owner` is whose it is.

    `scope` limits the questions to come; `editing` is the number of the turn that the next question
    replaces, with all after it; `judging` the turn that the person is saying more about. `kept` are the
    turns (by `asked_at`, which tells them apart) that are on record; `problem` says why others are not.
    """

    turns: list[ChatTurn] = field(default_factory=list)
    id: str | None = None
    owner: str = ""
    title: str = ""
    scope: Filters = field(default_factory=Filters)
    scope_title: str = ""  # of the paper, where it is one
    editing: int | None = None
    judging: ChatTurn | None = None
    kept: list[str] = field(default_factory=list)
    problem: str = ""

    @classmethod
    def of(cls, summary: Summary, turns: Sequence[StoredTurn]) -> Conversation:
        """A kept conversation, to be gone on with."""
        return cls(
            [ChatTurn.of(turn) for turn in turns],
            summary.conversation_id,
            summary.owner,
            summary.title,
            kept=[turn.asked_at for turn in turns],
        )

    @property
    def running(self) -> bool:
        """Whether an answer is being written."""
        return bool(self.turns) and self.turns[-1].running

    def begin(self, question: str, filters: Filters | None = None, *, as_typed: bool = False) -> ChatTurn:
        """A new turn, at the end."""
        turn = ChatTurn(self.turns[-1].number + 1 if self.turns else 1, question, filters, as_typed=as_typed)
        self.turns.append(turn)
        return turn

    def turn(self, number: object) -> ChatTurn | None:
        """The turn of this number; what a browser sends may be anything."""
        return next((turn for turn in self.turns if str(turn.number) == str(number)), None)

    def drop(self, first: int) -> None:
        """Forget the turns from this number on."""
        self.stop()
        self.turns = [turn for turn in self.turns if turn.number < first]
        self.judging = self.editing = None

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
