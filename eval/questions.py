"""Question sets: JSONL rows with gold papers and the strings that a right answer must hold."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.answer.answer import Answer, Turn
from rag.errors import SourceError


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """One row: `must_include` strings all belong in a right answer, alternatives split by `|`."""

    qid: str
    question: str
    history: tuple[Turn, ...]
    answerable: bool
    type: str
    gold_titles: tuple[str, ...]
    must_include: tuple[str, ...]
    must_not_include: tuple[str, ...]


def read_questions(path: Path) -> list[GoldQuestion]:
    """Read a question set.

    Raises:
        SourceError: the file is missing, or a row is malformed (names file, line and reason).
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SourceError(f"Cannot read the questions in {path}: {error.strerror}.", "Check the path.") from error
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            questions.append(_question(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{path}, line {number}: no question row ({error!r}).", "Mend or remove the line."
            ) from error
    return questions


def includes_all(answer: Answer, wanted: Sequence[str]) -> bool:
    """Whether every string occurs in the answer's text or its cited titles, after normalising
    `\\%` to `%`, `Ntimes` and `Nx` to `N times`, case and white space."""
    text = normalised(" ".join((answer.answer, *(citation.paper.title for citation in answer.citations))))
    return all(any(normalised(option) in text for option in group.split("|")) for group in wanted)


def normalised(text: str) -> str:
    """The matching rule's normal form."""
    text = text.replace("\\%", "%").lower()
    text = re.sub(r"(?<=\d)\s*(?:times|x)(?![a-z])", " times", text)
    return " ".join(text.split())


def _question(row: dict[str, object]) -> GoldQuestion:
    history = row.get("history") or []
    if not isinstance(history, list):
        raise TypeError("history is no list")
    return GoldQuestion(
        qid=str(row["qid"]),
        question=str(row["question"]),
        history=tuple(Turn(turn["role"], turn["content"]) for turn in history),
        answerable=bool(row["answerable"]),
        type=str(row["type"]),
        gold_titles=_strings(row["gold_titles"]),
        must_include=_strings(row["must_include"]),
        must_not_include=_strings(row.get("must_not_include") or []),
    )


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return tuple(str(item) for item in value)
