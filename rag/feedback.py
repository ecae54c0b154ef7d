"""What people thought of answers, kept on this machine: one JSON line for each judgement, only ever appended.

Nobody but the person reads it until they import it (`paperchat eval import-feedback`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import FileLock, Timeout
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from rag.answer.answer import Answer, Turn
from rag.errors import PaperchatError, SourceError

FEEDBACK = "feedback.jsonl"  # below PAPERCHAT_HOME
SCHEMA: Literal[1] = 1
MAX_NOTE = 4000  # characters
MAX_TITLE = 500
LOCK_S = 5.0

Verdict = Literal["helpful", "not_helpful"]


def _contract(answer: dict[str, Any]) -> dict[str, Any]:
    """What is read of a stored answer must be there."""
    cited = answer.get("citations")
    titled = isinstance(cited, list) and all(isinstance(c, dict) and isinstance(c.get("title"), str) for c in cited)
    if not (isinstance(answer.get("answer"), str) and isinstance(answer.get("refused"), bool) and titled):
        raise ValueError("no answer of paperchat's")
    return answer


@dataclass(frozen=True, slots=True)
class Feedback:
    """One judgement of one answer.

    `answer` is the JSON contract of the README (`Answer.as_dict()`), `history` what was said before.
    `right_paper` is the title of the paper that should have been cited, `unanswerable` says that
    the papers hold no answer. `at` is ISO 8601 with a time zone. The `id` is the same whenever the
    same answer was given to the same question in the same conversation.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    at: str
    verdict: Verdict
    question: str
    history: tuple[Turn, ...]
    answer: Annotated[dict[str, Any], AfterValidator(_contract)]
    note: str = ""
    right_paper: str = ""
    unanswerable: bool = False
    schema_version: Literal[1] = SCHEMA


_LINE = TypeAdapter(Feedback)


def judged(
    question: str,
    history: Sequence[Turn],
    answer: Answer,
    verdict: Verdict,
    *,
    note: str = "",
    right_paper: str = "",
    unanswerable: bool = False,
    conversation: str = "",
) -> Feedback:
    """A judgement made now; the note and the title are put on record without surrounding space, and not without end.

    Answers of different conversations are judged apart, be they as equal as two quotes can be.
    """
    said = json.dumps([conversation, question, [[turn.role, turn.content] for turn in history], answer.answer])
    return Feedback(
        id="fb-" + hashlib.sha256(said.encode()).hexdigest()[:12],
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=verdict,
        question=question,
        history=tuple(history),
        answer=answer.as_dict(),
        note=note.strip()[:MAX_NOTE],
        right_paper=" ".join(right_paper.split())[:MAX_TITLE],
        unanswerable=unanswerable,
    )


def latest(entries: Iterable[Feedback]) -> list[Feedback]:
    """The last judgement of each answer, in the order in which the answers were first judged."""
    return list({entry.id: entry for entry in entries}.values())


class FeedbackStore:
    """The file of judgements. Safe for threads and for several processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Feedback) -> None:
        """Write one judgement to the end, and to the disk.

        Raises:
            PaperchatError: the file cannot be written, or another process does not let go of it.
        """
        line = json.dumps(asdict(entry), ensure_ascii=False).encode("utf-8", "replace")  # lone surrogates become "?"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=LOCK_S, thread_local=False):
                self._write(line)
        except Timeout:
            raise PaperchatError(f"Another process holds {self.path}.", "Try again in a moment.") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise PaperchatError(
                f"The feedback cannot be written to {self.path}: {reason}.", "Check free space and permissions."
            ) from error

    def read(self) -> list[Feedback]:
        """Every judgement, oldest first; none where nothing was ever judged.

        Raises:
            SourceError: the file cannot be read, or a line is no judgement (names line and reason).
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SourceError(f"Cannot read {self.path}: {error.strerror}.", "Check its permissions.") from error
        return [self._entry(number, line) for number, line in enumerate(lines, start=1) if line.strip()]

    def _write(self, line: bytes) -> None:
        # 0600: conversations are nobody else's business.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # a machine that died while writing
            file.write((b"\n" if torn else b"") + line + b"\n")
            os.fsync(descriptor)

    def _entry(self, number: int, line: bytes) -> Feedback:
        try:
            return _LINE.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = f"{where}: {first['msg']}" if where else first["msg"]
            raise SourceError(
                f"{self.path}, line {number}: no judgement of an answer ({reason}).", "Mend or remove the line."
            ) from None
