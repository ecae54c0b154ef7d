"""Judgements from the browser as questions for the suite: only those that a person confirms."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from eval.formats.jsonl import read_lines, write_lines
from eval.questions import GoldQuestion, read_questions
from rag.errors import SourceError
from rag.feedback import Feedback, FeedbackStore, latest

TYPE = "feedback"
SHOWN_CHARS = 300  # of an answer, where a person is asked to confirm

Confirm = Callable[[Feedback], bool]


def import_feedback(store_path: Path, out_path: Path, confirm: Confirm) -> int:
    """Add what `confirm` accepts to the question set `out_path`; returns how many questions are new.

    What is in the set already is neither asked nor added again. Judgements stay where they are,
    so that what was not confirmed can be confirmed another time.

    Raises:
        SourceError: a file cannot be read or written, or a line of one is malformed.
    """
    known = {question.qid for question in read_questions(out_path)} if out_path.exists() else set()
    waiting = [entry for entry in latest(FeedbackStore(store_path).read()) if entry.id not in known]
    questions = confirmed_questions(waiting, confirm)
    if questions:
        _extend(out_path, questions)
    return len(questions)


def check_confirmed(store_path: Path, ids: Collection[str]) -> None:
    """Check that each of `ids` is a judgement of which a question can be made.

    Raises:
        SourceError: one is not, or the store cannot be read.
    """
    known = {entry.id: entry for entry in latest(FeedbackStore(store_path).read())}
    for key in sorted(ids):
        if key not in known:
            raise SourceError(f"{store_path} holds no judgement {key}.", "Without --yes, each is shown with its id.")
        if as_question(known[key]) is None:
            reason = "does not say what would be right"
            raise SourceError(f"The judgement {key} {reason}.", "Say it in the browser, or leave this one out.")


def confirmed_questions(entries: Iterable[Feedback], confirm: Confirm) -> list[GoldQuestion]:
    """The question of each entry that says what would be right and that `confirm` accepts."""
    usable = [(entry, question) for entry in entries if (question := as_question(entry)) is not None]
    return [question for entry, question in usable if confirm(entry)]


def as_question(entry: Feedback) -> GoldQuestion | None:
    """The question that a judgement makes; None where it does not say what would be right.

    A helpful answer was right to cite what it cites, a helpful refusal was right to refuse. An
    unhelpful one needs the right paper, or the word that the papers hold no answer.
    """
    answerable = not (entry.unanswerable or (entry.verdict == "helpful" and entry.answer["refused"]))
    titles = _gold_titles(entry) if answerable else ()
    if entry.verdict == "not_helpful" and answerable and not titles:
        return None
    return GoldQuestion(
        qid=entry.id,
        question=entry.question,
        history=entry.history,
        answerable=answerable,
        type=TYPE,
        gold_titles=titles,
        must_include=(),
        must_not_include=(),
    )


def described(entry: Feedback) -> str:
    """An entry for the person who confirms it: question, verdict, answer's beginning, note and what was right."""
    answer = " ".join(str(entry.answer["answer"]).split())
    question = as_question(entry)
    lines = [
        f"{entry.id}  {entry.at}",
        f"Question: {entry.question}",
        f"Verdict:  {entry.verdict.replace('_', ' ')}",
        f"Answer:   {answer if len(answer) <= SHOWN_CHARS else answer[:SHOWN_CHARS].rstrip() + '…'}",
        f"Note:     {entry.note}" if entry.note else "",
        f"Right:    {_right(question)}",
    ]
    if earlier := [turn.content for turn in entry.history if turn.role == "user"]:
        lines.insert(1, f"After:    {earlier[-1]}")
    return "\n".join(line for line in lines if line)


def _right(question: GoldQuestion | None) -> str:
    if question is None:
        return "not said, so that no question can be made of it"
    if not question.answerable:
        return "to say that the papers hold no answer"
    return "; ".join(question.gold_titles) or "any answer, no paper is named"


def _gold_titles(entry: Feedback) -> tuple[str, ...]:
    if entry.right_paper:
        return (entry.right_paper,)
    cited = [str(citation["title"]) for citation in entry.answer["citations"]]
    return tuple(dict.fromkeys(cited)) if entry.verdict == "helpful" else ()


def _extend(path: Path, questions: Sequence[GoldQuestion]) -> None:
    """The set with `questions` at its end takes the place of the old one, whole or not at all.

    A new one is for its owner alone, as the judgements are.
    """
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    before = [line for _, line in read_lines(path)] if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    added = (json.dumps(asdict(question), ensure_ascii=False) for question in questions)
    write_lines(path, [*before, *added], mode)
