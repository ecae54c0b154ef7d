"""Question sets are read strictly, and the matching rule is the documented one."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from eval.questions import includes_all, normalised, question_set, read_questions
from rag.answer.answer import Answer, Citation, Outcome
from rag.errors import SourceError
from rag.papers import Filters, Paper

PAPER = Paper("tildev2", "TILDEv2: Fast Passage Re-ranking", "Indexes are 99\\% smaller.", date(2021, 8, 19))
ROW = {
    "qid": "q1",
    "question": "How much smaller?",
    "history": [],
    "answerable": True,
    "type": "factoid_number",
    "gold_titles": [PAPER.title],
    "must_include": ["99%"],
}


def answer(text: str, outcome: Outcome = "answered", *, quote: str = "Indexes are 99\\% smaller.") -> Answer:
    cited = () if outcome == "refused" else (Citation(1, PAPER, quote, 0, len(quote), 1.0),)
    return Answer("q", "q", Filters(), text, outcome, "", "quotes", citations=cited)


@pytest.mark.parametrize(
    ("text", "wanted", "matches"),
    [
        ("It is 99\\% smaller", ["99%"], True),
        ("40times faster", ["40 times"], True),
        ("40x  faster", ["40times"], True),
        ("a 2x4 grid", ["2 times"], True),
        ("nothing", ["99%|nothing"], True),
        ("only one", ["one", "two"], False),
        ("see the title", ["tildev2"], True),
    ],
)
def test_must_include_follows_the_matching_rule(text: str, wanted: list[str], matches: bool) -> None:
    assert includes_all(answer(text), wanted) is matches


def test_normalising_twice_changes_nothing() -> None:
    for text in ("40times and 5\\%  of 2x", "1.6-1.8times", "A  B\nC"):
        assert normalised(normalised(text)) == normalised(text)


def test_rows_are_read_with_their_history(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    history = [{"role": "user", "content": "What is TILDE?\x85"}]
    file.write_text(json.dumps(ROW | {"history": history}, ensure_ascii=False) + "\n\n", encoding="utf-8")
    (row,) = read_questions(file)
    assert row.qid == "q1"
    assert row.history[0].content == "What is TILDE?\x85"


@pytest.mark.parametrize("broken", ["{not json", json.dumps({"qid": "q1"}), json.dumps(ROW | {"must_include": "99%"})])
def test_a_malformed_row_names_file_and_line(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps(ROW) + "\n" + broken + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"q\.jsonl, line 2"):
        read_questions(file)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.jsonl"):
        read_questions(tmp_path / "absent.jsonl")


def test_bundled_sets_have_the_stated_sizes() -> None:
    dev, more = question_set("dev"), question_set("more")
    assert (len(dev), sum(q.answerable for q in dev)) == (60, 45)
    assert (len(more), sum(q.answerable for q in more)) == (180, 135)
    assert len({q.qid for q in (*dev, *more)}) == 240
