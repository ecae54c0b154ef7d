"""Reader of any JSON with papers whose names tell what they hold: arrays, wrapped arrays, JSONL.

The last of the readers of JSON: it also says of a broken file where it breaks.
"""

from __future__ import annotations

from datetime import date

from rag.readers.columns import fields_of, is_header
from rag.readers.json_items import JsonItems, first_items, looks_like_json
from rag.readers.records import Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem

SUFFIXES = (".json", ".jsonl", ".ndjson")


def recognises(raw: Raw) -> bool:
    """Whether one of its first records has names that are known, or the file says that it is JSON."""
    return looks_like_json(raw) and (
        raw.suffix in SUFFIXES or any(is_header(map(str, item)) for item in first_items(raw))
    )


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The records in their order."""
    records = Records(today)
    for item in JsonItems(raw.text, records.odd):
        records.add(item.line, fields_of(item.value))
    return records.result(raw.problems)
