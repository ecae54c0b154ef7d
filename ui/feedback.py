"""What happens when someone says whether an answer helped: it is put on record, with a note if there is one."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.answer.answer import Answer
from rag.errors import PaperchatError
from rag.feedback import Verdict, judged
from ui.conversation import ChatTurn, Conversation
from ui.escape import escaped, shortened
from ui.services import Services
from ui.session import Session
from ui.view import Views

ABOUT_CHARS = 80  # of the question, to say which answer is meant
VERDICTS: dict[str, Verdict] = {"helpful": "helpful", "not_helpful": "not_helpful"}
Update = tuple[Any, ...]


class Judging:
    """The event handlers of the thumbs and of the panel that asks for more.

    Every handler returns the earlier turns, the latest, the panel, what it is about, the note, the
    right paper and whether the papers hold no answer.
    """

    def __init__(self, services: Services, views: Views) -> None:
        self._store = services.feedback
        self._views = views

    def thumb(self, session: Session, event: gr.EventData) -> Update:
        """Keep a verdict at once, and open the panel for more; a click on an answer that is gone is nothing."""
        pressed: Any = event._data  # comes from the browser: anything may be in it
        number, verdict = (pressed.get("turn"), pressed.get("verdict")) if isinstance(pressed, dict) else (None, None)
        turn = session.conversation.turn(number)
        if turn is None or turn.answer is None or not isinstance(verdict, str) or verdict not in VERDICTS:
            return (gr.skip(),) * 7
        self._keep(session.conversation, turn, VERDICTS[verdict])
        session.conversation.judging = turn
        return self._opened(session, turn)

    def send(self, session: Session, note: str, right_paper: str | None, unanswerable: bool) -> Update:
        """Keep the verdict again with what was added, and close the panel; it stays open when that fails."""
        conversation = session.conversation
        turn = conversation.judging
        if turn is not None and turn.feedback is not None:
            said = {"note": note or "", "right_paper": right_paper or "", "unanswerable": unanswerable}
            self._keep(conversation, turn, turn.feedback.verdict, **said)
            if turn.feedback_problem:
                return (*self._views.turns(session), *(gr.skip(),) * 5)
        return self.close(session)

    def close(self, session: Session) -> Update:
        """Close the panel; the verdict stays."""
        session.conversation.judging = None
        return (*self._views.turns(session), gr.update(visible=False), *(gr.skip(),) * 4)

    def _keep(self, conversation: Conversation, turn: ChatTurn, verdict: Verdict, **said: Any) -> None:
        assert turn.answer is not None
        history = conversation.history(before=turn)
        about = conversation.id or ""
        entry = judged(turn.question.strip(), history, turn.answer, verdict, conversation=about, **said)
        try:
            self._store.append(entry)
        except PaperchatError as error:
            turn.feedback_problem = str(error)
        else:
            turn.feedback, turn.feedback_problem = entry, ""

    def _opened(self, session: Session, turn: ChatTurn) -> Update:
        """The panel asks only what can be answered: a helpful answer had the right paper."""
        assert turn.answer is not None
        entry, unhelpful = turn.feedback, turn.feedback is not None and turn.feedback.verdict == "not_helpful"
        return (
            *self._views.turns(session),
            gr.update(visible=entry is not None),
            f'<p class="pc-note">On “{escaped(shortened(turn.question, ABOUT_CHARS))}”</p>',
            gr.update(value="", placeholder="What was wrong or missing?" if unhelpful else "What was good about it?"),
            gr.update(value=None, choices=_papers(turn.answer), visible=unhelpful),
            gr.update(value=False, visible=unhelpful and not turn.answer.refused),
        )


def _papers(answer: Answer) -> list[str]:
    """Titles of the papers that were found, best first: one of them may be the right one."""
    found = [passage.paper for passage in (*answer.passages, *answer.left_out)]
    return list(dict.fromkeys(paper.title for paper in (*found, *answer.nearest)))
