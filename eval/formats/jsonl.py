"""JSON Lines, strictly: what is malformed is named by file, line and reason, and nothing is half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.errors import SourceError

T = TypeVar("T")

MEND = "Mend or remove the line."
_REASONS = {
    "missing": "is missing",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dataclass_type": "must be an object",
    "model_type": "must be an object",
}
_SHOWN = 3  # reasons in one message


def bad_line(path: Path, line: int, reason: str) -> SourceError:
    """The error for one malformed line, counted from 1."""
    return SourceError(f"{path}, line {line}: {reason}.", MEND)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers; only a line feed ends a line.

    A byte order mark at the beginning and a carriage return before the line feed are dropped.

    Raises:
        SourceError: the file cannot be opened, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line = _decoded(raw.removesuffix(b"\n").removesuffix(b"\r"), path, number)
                if line.strip():
                    yield number, line
    except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"Cannot read {path}: {reason}.", "Check the path.") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON object of each line, with the line's number; blank lines are passed over.

    Raises:
        SourceError: the file cannot be read, or a line is no JSON object (names file, line, reason).
    """
    for number, line in read_lines(path):
        try:
            row = json.loads(line, parse_constant=_no_constant, object_pairs_hook=_unique_keys)
            _writable(line, row)
        except json.JSONDecodeError as error:
            raise bad_line(path, number, f"no JSON: {error.msg} at character {error.pos + 1}") from error
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise bad_line(path, number, reason) from error
        if not isinstance(row, dict):
            raise bad_line(path, number, "no JSON object")
        yield number, row


def validated(adapter: TypeAdapter[T], row: Mapping[str, Any], path: Path, line: int) -> T:
    """One row as its type.

    Raises:
        SourceError: a field is missing or of the wrong kind.
    """
    try:
        return adapter.validate_python(row)
    except ValidationError as error:
        raise bad_line(path, line, reasons(error)) from error


def reasons(error: ValidationError) -> str:
    """What is wrong with which field, in a few words: "history.0.role must be 'user' or 'assistant'"."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in item["loc"]) or "the row"
        if item["type"] == "literal_error":
            what = f"must be {item['ctx']['expected']}"
        elif item["type"] == "value_error":
            what = str(item["ctx"]["error"])
        else:
            what = _REASONS.get(item["type"], f"is wrong ({item['msg']})")
        found.append(f"{where} {what}")
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


class UniqueIds:
    """Refuses an id (of one or several parts) that occurs twice in a file, naming both lines."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._lines: dict[tuple[str, ...], int] = {}

    def add(self, line: int, *key: str) -> None:
        """Note that `key` stands in `line`.

        Raises:
            SourceError: an earlier line has it.
        """
        first = self._lines.setdefault(key, line)
        if first != line:
            shown = " ".join(repr(part) for part in key)
            raise bad_line(self._path, line, f"{self._name} {shown} is already in line {first}")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, replacing the file only when all of it is on disk.

    Raises:
        SourceError: the file cannot be written.
    """
    write_lines(path, (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows))


def write_lines(path: Path, lines: Iterable[str], mode: int = 0o666) -> None:
    """Write text lines as `write_jsonl` does; a failure leaves the file as it was. `mode` is less the umask.

    Raises:
        SourceError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)  # of a process that died: it would keep its own mode
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(opened, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SourceError(f"Cannot write {path}: {error.strerror}.", "Check the folder and its free space.") from error
    finally:
        draft.unlink(missing_ok=True)


def _decoded(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise bad_line(path, number, f"not UTF-8 at byte {error.start + 1}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return row


def _writable(line: str, row: object) -> None:
    """Half a surrogate pair, which JSON can spell and UTF-8 cannot, would end a run when it is written."""
    if "\\ud" in line.lower():
        try:
            json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair") from None
