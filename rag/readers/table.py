"""Reader of tables of papers with a header: CSV, TSV, and their kin with ";" or "|"."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from rag.readers.columns import fields_of, is_header
from rag.readers.oddities import Oddities
from rag.readers.records import Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

DELIMITERS = (",", "\t", ";", "|")
MAX_HEADER = 5000  # characters
MAX_RESUMED = 200  # how often reading begins anew behind a broken row


def recognises(raw: Raw) -> bool:
    """Whether it is text whose first line names the columns of papers, with a row below it."""
    if is_binary(raw.data):
        return False
    lines = raw.text.split("\n", 20)[:20]
    found = _header(lines)
    return found is not None and any(found.delimiter in line for line in lines[found.lines :])


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The rows in their order."""
    records = Records(today)
    lines = raw.text.split("\n")
    header = _header(lines[:20])
    if header is None:
        return records.result(raw.problems)
    for number, row in _rows(lines, header, records.odd):
        if len(row) == 1:  # a line of a cell whose quotation marks are lost, rather than a lone title
            records.odd.lose(number, "a line with one cell only was left out")
            continue
        if len(row) > len(header.names) and any(cell.strip() for cell in row[len(header.names) :]):
            records.odd.note(number, "more cells than the header, of which the last were left out")
        records.add(number, fields_of(dict(zip(header.names, row, strict=False))))
    return records.result(raw.problems)


@dataclass(frozen=True, slots=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    lines: int  # above the first row


def _header(lines: Sequence[str]) -> _Header | None:
    """The columns, where the first line names them; above it Excel's "sep=" and blank lines may stand."""
    for at, line in enumerate(lines):
        if not line.strip() or line.lower().startswith("sep="):
            continue
        if len(line) > MAX_HEADER:
            return None
        for delimiter in DELIMITERS:
            names = _cells(line, delimiter) or []
            if is_header(names):
                return _Header(tuple(names), delimiter, at + 1)
        return None
    return None


def _rows(lines: Sequence[str], header: _Header, odd: Oddities) -> Iterator[tuple[int, list[str]]]:
    """Rows with their first line, counted from 1. A row that is broken ends with its line: the next begins anew."""
    at, resumed = header.lines, 0
    while at < len(lines):
        below = (lines[number] + "\n" for number in range(at, len(lines)))
        reader = csv.reader(below, delimiter=header.delimiter, skipinitialspace=True, strict=True)
        start = at
        try:
            for row in reader:
                if row and any(cell.strip() for cell in row):
                    yield start + 1, row
                start = at + reader.line_num
            return
        except csv.Error:
            resumed += 1
        alone = _cells(lines[start], header.delimiter)
        if alone is None or len(alone) != len(header.names):
            odd.lose(start + 1, "a row that is broken, such as by a quotation mark that is not closed, was left out")
        else:
            yield start + 1, alone
        at = start + 1
        if resumed > MAX_RESUMED:
            yield from _line_by_line(lines, at, header, odd)
            return


def _line_by_line(lines: Sequence[str], at: int, header: _Header, odd: Oddities) -> Iterator[tuple[int, list[str]]]:
    """Rows of a file with so many broken ones that quoted line breaks are not to be trusted."""
    for number in range(at, len(lines)):
        row = _cells(lines[number], header.delimiter)
        if row is not None and len(row) == len(header.names):
            yield number + 1, row
        elif lines[number].strip():
            odd.lose(number + 1, "a row that is broken was left out")


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line that stands alone; None where they cannot be told apart."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), None)
    except csv.Error:
        return None
