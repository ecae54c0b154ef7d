"""Human-labelled grounding data: claims, the text they rest on, and whether people found them supported by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.formats.jsonl import UniqueIds, bad_line, read_jsonl
from rag.errors import SourceError

_TEXTS = ("id", "context", "claim_or_answer")
_OPTIONAL = ("question", "raw", "split", "source", "field")


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """One claim with the `context` it cites; `label` is 1 where people found it supported, else 0.

    `raw` is the label as the data set words it. `group` is what items of one kind share beyond
    their question (the data set they come from, or a field of study), empty where none is given.
    """

    id: str
    context: str
    claim: str
    label: int
    question: str = ""
    raw: str | None = None
    group: str = ""

    @property
    def cluster(self) -> str:
        """What is drawn as one in a bootstrap: the question, or the item where it states none."""
        return f"question {self.question.strip().lower()}" if self.question.strip() else f"item {self.id}"


def read_labelled(path: Path) -> list[LabelledItem]:
    """Read JSONL rows `{id, context, claim_or_answer, label, question?, raw?, source?, field?, split?}`.

    Other keys are let through, since labelled sets carry their own.

    Raises:
        SourceError: the file cannot be read, holds no row, or a row is malformed or repeats an id
            (names file, line and reason).
    """
    items: list[LabelledItem] = []
    seen = UniqueIds(path, "the id")
    for number, row in read_jsonl(path):
        try:
            item = _item(row)
        except ValueError as error:
            raise bad_line(path, number, str(error)) from error
        seen.add(number, item.id)
        items.append(item)
    if not items:
        raise SourceError(f"{path} holds no labelled item.", "Give a JSONL file with one item a line.")
    return items


def _item(row: dict[str, Any]) -> LabelledItem:
    for key in _TEXTS:
        if not isinstance(row.get(key), str):
            raise ValueError(f"{key} must be text" if key in row else f"{key} is missing")
    for key in _OPTIONAL:
        if not isinstance(row.get(key), str | None):
            raise ValueError(f"{key} must be text")
    if not row["id"].strip() or not row["claim_or_answer"].strip():
        raise ValueError("id and claim_or_answer must not be empty")
    label = row.get("label")
    if isinstance(label, bool) or label not in (0, 1):
        raise ValueError(f"label must be 1 (supported) or 0, not {label!r}" if "label" in row else "label is missing")
    return LabelledItem(
        id=row["id"],
        context=row["context"],
        claim=row["claim_or_answer"],
        label=int(label),
        question=row.get("question") or "",
        raw=row.get("raw"),
        group=row.get("source") or row.get("field") or "",
    )
