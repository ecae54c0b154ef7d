"""A library as lines of JSON: how an exported paper is written and read again.

The first line says what the file is, then come the block list and a line for each paper with all that is
stored of it, embeddings in base64 as the catalog has them. The last line counts, so that half a file is noticed.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.errors import LibraryError
from rag.library.blocking import Block
from rag.library.codec import pack, unpack_all
from rag.library.records import Record, SourceEntry
from rag.models.interfaces import Encoded
from rag.papers import Body, Paper, Passage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = "paperchat-library"
VERSION = 1
EMBEDDING = ("vector", "levels", "scales", "spans")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself first; embeddings are of use only where the fingerprint is the library's."""

    fingerprint: str
    dimension: int
    papers: int
    version: int = VERSION
    format: str = FORMAT


@dataclass(frozen=True, slots=True)
class _StoredPassage:
    passage_id: str
    start: int
    end: int
    in_body: bool
    section: str | None
    page: int | None
    vector: str
    levels: str
    scales: str
    spans: str


@dataclass(frozen=True, slots=True)
class _Stored:
    paper: Paper
    entries: list[SourceEntry]
    passages: list[_StoredPassage]
    body: Body | None = None


def header_line(header: Header) -> str:
    """The first line."""
    return _json(asdict(header))


def block_line(block: Block) -> str:
    """A name of the block list."""
    return _json({"blocked": block.as_dict()})


def end_line(papers: int) -> str:
    """The last line, after this many papers."""
    return _json({"end": papers})


def record_line(record: Record) -> str:
    """A paper with all that is stored of it."""
    pairs = zip(record.passages, record.encoded, strict=True)
    paper = asdict(record.paper) | {"published": record.paper.published and record.paper.published.isoformat()}
    line: dict[str, Any] = {"paper": paper, "entries": [asdict(entry) for entry in record.entries]}
    if record.body:
        line["body"] = asdict(record.body)
    return _json(line | {"passages": [_passage(passage, encoded) for passage, encoded in pairs]})


def _passage(passage: Passage, encoded: Encoded) -> dict[str, Any]:
    place = {name: getattr(passage, name) for name in ("passage_id", "start", "end", "in_body", "section", "page")}
    return place | {name: b64encode(blob).decode() for name, blob in zip(EMBEDDING, pack(encoded), strict=True)}


def header_of(line: str) -> Header:
    """The header in a file's first line.

    Raises:
        LibraryError: it is no exported library, or one of a newer paperchat.
    """
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise LibraryError("It is no exported library.", "Give a file made by `paperchat library export`.")
    if found.get("version") != VERSION:
        raise LibraryError(f"It is of format version {found.get('version')!r}.", "Update paperchat.")
    header: Header = _checked(Header, found)
    return header


def item_of(line: str) -> Record | Block | int:
    """A paper, a name of the block list, or the number of papers in the last line.

    Raises:
        ValueError: it is none of these; says why.
    """
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    if isinstance(count := found.get("end"), int):
        return count
    if "blocked" in found:
        block: Block = _checked(Block, found["blocked"])
        return block
    stored: _Stored = _checked(_Stored, found)
    passages = tuple(_passages(stored))
    return Record(stored.paper, passages, _encoded(stored.passages), stored.entries, stored.body)


def _passages(stored: _Stored) -> Iterator[Passage]:
    for ordinal, one in enumerate(stored.passages):
        source = stored.body.text if one.in_body and stored.body else stored.paper.abstract
        if not 0 <= one.start <= one.end <= len(source):
            raise ValueError(f"passage {ordinal} lies outside of its text")
        text, place = source[one.start : one.end], (one.in_body, one.section, one.page)
        yield Passage(one.passage_id, stored.paper.paper_id, ordinal, text, one.start, one.end, *place)


def _encoded(passages: Sequence[_StoredPassage]) -> list[Encoded]:
    def blob(encoded: str) -> bytes:
        return b64decode(encoded, validate=True)

    return unpack_all([(blob(p.vector), blob(p.levels), blob(p.scales), blob(p.spans)) for p in passages])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _checked(kind: type, value: Any) -> Any:
    """Plain data as what it should be; pydantic's ValidationError is a ValueError."""
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
