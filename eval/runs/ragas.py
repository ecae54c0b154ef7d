"""ragas records, one JSON object a line: another system's answers in, our own out.

The keys are those of ragas' single-turn samples: `user_input`, `response`, `retrieved_contexts`,
`reference` and `reference_contexts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from eval.formats.jsonl import UniqueIds, read_jsonl, validated
from eval.questions import GoldQuestion, RagasQuestion, check_question
from eval.rows import Retrieved, Row, SentenceMeasure
from rag.errors import SourceError

MeasureText = Callable[[str, Sequence[str]], tuple[SentenceMeasure, ...]]
"""Grounding of an answer's sentences in its contexts."""


class RagasRecord(RagasQuestion):
    """One record. `retrieved_contexts` may be empty, not missing: grounding is measured against it."""

    response: str
    retrieved_contexts: tuple[str, ...]
    refused: bool = False


_RECORD = TypeAdapter(RagasRecord)


def read_ragas(path: Path) -> list[tuple[GoldQuestion, RagasRecord]]:
    """The records of a file, each with the question that it answers.

    Raises:
        SourceError: missing or empty, or a row is malformed or has a qid again (names the line).
    """
    records = []
    seen = UniqueIds(path, "the qid")
    for number, row in read_jsonl(path):
        record = validated(_RECORD, row, path, number)
        gold = record.gold(number)
        check_question(gold, path, number)
        seen.add(number, gold.qid)
        records.append((gold, record))
    if not records:
        raise SourceError(f"{path} holds no records.", "Give ragas records: JSONL, a row an answer.")
    return records


def rows_from_ragas(records: Iterable[tuple[GoldQuestion, RagasRecord]], measure: MeasureText) -> Iterator[Row]:
    """Rows of a system that does not cite in our way: what needs citations, titles or times is not eligible.

    A blank response, or one that the record calls `refused`, is a refusal.
    """
    for gold, record in records:
        outcome = "refused" if record.refused or not record.response.strip() else "answered"
        answer: dict[str, Any] = {"question": gold.question, "answer": record.response, "outcome": outcome}
        contexts = record.retrieved_contexts
        retrieved = tuple(
            Retrieved(paper_id=f"context-{rank}", title="", score=1 / rank, text=text)
            for rank, text in enumerate(contexts, 1)
        )
        sentences = measure(record.response, contexts) if outcome == "answered" else ()
        yield Row(gold=gold, answer=answer, retrieved=retrieved, sentences=sentences)


def ragas_records(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One record a row, with its `qid`; `retrieved_contexts` are what the answer could draw on: the whole
    abstracts, where the row has them, else the passages.

    A question that failed has an empty response. Earlier turns are not in it: a record is one turn.
    """
    return [_record(row) for row in rows]


def _response(row: Row) -> str:
    """What the answer claims, without markers and without the frames that stand around quotes."""
    said = " ".join(sentence.text for sentence in row.sentences)
    return row.text if row.refused or not said else said


def _record(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = {
        "qid": row.gold.qid,
        "user_input": row.gold.question,
        "response": _response(row),
        "refused": row.refused,
        "retrieved_contexts": [
            row.abstracts.get(item.paper_id, item.text)
            for item in row.retrieved
            if item.text is not None and item.left_out is None
        ],
    }
    if row.gold.gold_answer:
        record["reference"] = row.gold.gold_answer
    if row.gold.gold_sentences:
        record["reference_contexts"] = list(row.gold.gold_sentences)
    return record
