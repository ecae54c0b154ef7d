"""JSON in and out: histories, batches of questions, what a search found, and the one way errors are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rag.answer.answer import Turn, dated
from rag.errors import EndpointError, QuestionError, SourceError

if TYPE_CHECKING:
    from rag.answer.retrieve import RankedPaper, Retrieval

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of a batch: a question with its history, or the reason why it is none."""

    line: int
    qid: Any
    question: str
    history: tuple[Turn, ...]
    problem: QuestionError | None = None


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout, at once."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, ensure_ascii=not utf8), flush=True)  # noqa: T201


def read_history(path: Path) -> tuple[Turn, ...]:
    """The conversation so far, from a JSON list of {role, content}; `-` is standard input.

    Raises:
        SourceError: the file cannot be read.
        QuestionError: it holds no such list.
    """
    try:
        with _open(path) as file:
            return parse_history(json.loads(file.read()))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both
        raise QuestionError(f"The history in {path} is not JSON: {error}.", _HISTORY_FORM) from None


def parse_history(value: Any) -> tuple[Turn, ...]:
    """Turns from parsed JSON; nothing at all is an empty history.

    Raises:
        QuestionError: not a list of {role: user or assistant, content: text}.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise QuestionError(f"A history must be a list, not {type(value).__name__}.", _HISTORY_FORM)
    return tuple(_turn(number, item) for number, item in enumerate(value, start=1))


_HISTORY_FORM = 'Give a list like [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}].'


def _turn(number: int, item: Any) -> Turn:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
    if role == "user" and isinstance(content, str):
        return Turn("user", content)
    if role == "assistant" and isinstance(content, str):
        return Turn("assistant", content)
    raise QuestionError(f"Message {number} of the history has no role user or assistant with a text.", _HISTORY_FORM)


def run_batch(path: Path, answer: Callable[[Asked], dict[str, Any]]) -> bool:
    """Answer each line of a JSONL file on stdout, in order; true when every line got an answer.

    A line that is no question, and a question that fails, becomes an object with `qid`, `line` and
    `error`, and the next one follows. What no other question could escape (no library, no model)
    is raised instead.
    """
    complete = True
    for asked in read_batch(path):
        try:
            if asked.problem is not None:
                raise asked.problem
            print_json({"qid": asked.qid, **answer(asked)})
        except (QuestionError, EndpointError) as error:
            complete = False
            print_json({"qid": asked.qid, "line": asked.line, "error": error.as_dict()})
    return complete


def read_batch(path: Path) -> Iterator[Asked]:
    """The questions of a JSONL file, one a line, read as they are needed; blank lines are skipped.

    Raises:
        SourceError: the file cannot be read.
    """
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse_line(number, line)


def _parse_line(number: int, line: bytes) -> Asked:
    qid: Any = None
    try:
        row = json.loads(line.decode("utf-8-sig"))
        if not isinstance(row, dict):
            raise QuestionError(f"Line {number} is not a JSON object.", _LINE_FORM)
        qid = row.get("qid")
        if not isinstance(row.get("question"), str):
            raise QuestionError(f"Line {number} has no text under `question`.", _LINE_FORM)
        return Asked(number, qid, row["question"], parse_history(row.get("history")))
    except QuestionError as error:
        return Asked(number, qid, "", (), error)
    except (ValueError, RecursionError) as error:
        return Asked(number, qid, "", (), QuestionError(f"Line {number} is not JSON: {error}.", _LINE_FORM))


_LINE_FORM = 'Give one object a line, like {"qid": "1", "question": "...", "history": []}.'


def _open(path: Path) -> BinaryIO:
    if path == STDIN:
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from None


def retrieval_dict(question: str, found: Retrieval) -> dict[str, Any]:
    """What `retrieve --json` prints for one question, and HTTP answers, as the README has it."""
    return {
        "question": question,
        "query_used": found.query_used,
        "filters": found.filters.as_dict(),
        "sides": list(found.sides),
        "papers": [_ranked_dict(found.query_used, ranked) for ranked in found.papers],
    }


def _ranked_dict(query: str, ranked: RankedPaper) -> dict[str, Any]:
    from rag.answer.explained_ranking import matching

    words = matching(query, ranked.paper)
    return {
        "rank": ranked.rank,
        "paper_id": ranked.paper.paper_id,
        "title": ranked.paper.title,
        "published": dated(ranked.paper),
        "score": ranked.score,
        "scores": dict(ranked.scores),
        "matched": list(words.matched),
        "missing": list(words.missing),
    }
