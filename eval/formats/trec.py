"""The files of TREC: runs of six columns, and relevance judgements (qrels), BEIR's three columns too.

An id cannot hold white space in a run file. Ours write it as a URL does (`a%20b`) and are read back
so; the tag in the last column tells them from other systems' files, whose ids are read as they stand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from eval.formats.jsonl import UniqueIds, bad_line, read_lines, write_lines
from rag.errors import SourceError

Qrels = dict[str, dict[str, int]]
"""Relevance by document id, by query id; above 0 is relevant."""
Run = dict[str, dict[str, float]]
"""Score by document id, by query id, in the order of the file."""
Rankings = Mapping[str, Sequence[tuple[str, float]]]
"""Document ids with their scores, best first, by query id."""

TAG = "paperchat"
TOP_GRADE = 15  # a gain of 2^grade - 1 says nothing beyond
_UNSAFE = re.compile(r"[\s%\x00-\x1f\x7f]")
_BLANK = re.compile(r"[ \t]+")


def read_qrels(path: Path) -> Qrels:
    """Judgements: `query iteration document relevance`, or BEIR's three tab-separated columns.

    The first line tells which; BEIR's heading is passed over.

    Raises:
        SourceError: missing, empty, or a line is malformed or judges a pair again (names the line).
    """
    qrels: Qrels = {}
    seen = UniqueIds(path, "the judgement of")
    for number, (query, document, relevance) in _judgements(path):
        seen.add(number, query, document)
        qrels.setdefault(query, {})[document] = _grade(relevance, path, number)
    if not qrels:
        raise SourceError(f"{path} holds no judgement.", "Give a qrels file: query, document and relevance a line.")
    return qrels


def read_run(path: Path) -> Run:
    """A run: `query Q0 document rank score tag`. The score orders it, as in trec_eval; the rank is not used.

    Raises:
        SourceError: missing, empty, or a line is malformed or ranks a document again (names the line).
    """
    run: Run = {}
    seen = UniqueIds(path, "the ranking of")
    for number, line in read_lines(path):
        columns = _BLANK.split(line.strip(" \t"))
        if len(columns) != 6:
            raise bad_line(path, number, f"{len(columns)} columns where a run has 6: query Q0 document rank score tag")
        query, _, document, rank, score, tag = columns
        if not re.fullmatch(r"-?\d+", rank):
            raise bad_line(path, number, f"the rank {rank!r} is no whole number")
        if tag == TAG:
            query, document = unquote(query), unquote(document)
        seen.add(number, query, document)
        run.setdefault(query, {})[document] = _score(score, path, number)
    if not run:
        raise SourceError(f"{path} ranks no document.", "Give a TREC run file.")
    return run


def write_run(path: Path, rankings: Rankings) -> None:
    """Write rankings so that every tool which sorts by score finds the same order.

    trec_eval sorts by score in single precision and breaks ties by id. So a score that is not
    below the one above it is lowered by the smallest step.

    Raises:
        SourceError: the file cannot be written.
        ValueError: an id is empty, or a score is no finite number.
    """
    write_lines(path, (line for query, ranking in rankings.items() for line in _run_lines(query, ranking)))


def _run_lines(query: str, ranking: Sequence[tuple[str, float]]) -> Iterator[str]:
    above = np.float32(np.inf)
    for rank, (document, score) in enumerate(ranking, 1):
        if not math.isfinite(score):
            raise ValueError(f"the score of {document!r} for {query!r} is no finite number")
        above = min(np.float32(score), np.nextafter(above, np.float32(-np.inf)))
        shown = np.format_float_positional(above, unique=True, trim="-")
        yield f"{_escaped(query)} Q0 {_escaped(document)} {rank} {shown} {TAG}"


def _escaped(key: str) -> str:
    if not key:
        raise ValueError("an id is empty")
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), key)


def _judgements(path: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    beir: bool | None = None
    for number, line in read_lines(path):
        heading = False
        if beir is None:
            beir = len(line.split("\t")) == 3
            heading = beir and not _is_grade(line.split("\t")[2])
        if not heading:
            yield number, _beir_columns(line, path, number) if beir else _trec_columns(line, path, number)


def _beir_columns(line: str, path: Path, number: int) -> tuple[str, str, str]:
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) != 3 or not all(columns):
        raise bad_line(path, number, "not three columns, separated by tabs: query-id corpus-id score")
    query, document, relevance = columns
    return query, document, relevance


def _trec_columns(line: str, path: Path, number: int) -> tuple[str, str, str]:
    columns = _BLANK.split(line.strip(" \t"))
    if len(columns) != 4:
        expected = "4 (query iteration document relevance) or 3 separated by tabs (query-id corpus-id score)"
        raise bad_line(path, number, f"{len(columns)} columns where qrels have {expected}")
    query, _, document, relevance = columns
    return query, document, relevance


def _is_grade(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d{1,9}", text.strip()) is not None


def _grade(text: str, path: Path, number: int) -> int:
    if not _is_grade(text):
        raise bad_line(path, number, f"the relevance {text!r} is no whole number")
    if int(text) > TOP_GRADE:
        raise bad_line(path, number, f"the relevance {text} is above {TOP_GRADE}, where a gain of 2^relevance - 1 ends")
    return int(text)


def _score(text: str, path: Path, number: int) -> float:
    try:
        score = float(text)
    except ValueError as error:
        raise bad_line(path, number, f"the score {text!r} is no number") from error
    if not math.isfinite(score):
        raise bad_line(path, number, f"the score {text} is not finite")
    return score
