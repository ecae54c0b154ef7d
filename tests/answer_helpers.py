"""What the tests of answers share: evidence made by hand, checks that hold for every answer, the shared questions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from rag.answer.alignment import Word
from rag.answer.answer import Answer, Event, Finished, TextDelta
from rag.answer.evidence import EvidenceSentence
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.question import Question, understand
from rag.answer.retrieve import RankedPaper
from rag.chunking import sentences
from rag.papers import Paper, Passage
from rag.terms import terms

SHARED_QA = Path(__file__).parents[2] / "shared" / "qa"
TODAY = date(2026, 11, 21)
NO_TOKENS = np.zeros((0, 0), dtype=np.float32)
CITED = re.compile(r"\[(\d+)\]")


def question(text: str, **fields: Any) -> Question:
    """A question understood on a fixed day."""
    return understand(text, today=TODAY, **fields)


def words(*pairs: tuple[str, float]) -> tuple[Word, ...]:
    """Telling words by hand."""
    return tuple(Word(text, 0, terms(text)[0], weight, (0,), False) for text, weight in pairs)


def paper_evidence(
    paper: Paper, sentence_matches: Sequence[Sequence[float]], *, rank: int = 1, score: float = 1.0, dense: float = 0.5
) -> PaperEvidence:
    """One paper whose sentences match the question's words as given; the paper matches as its best sentence does."""
    found = tuple(
        EvidenceSentence(paper, i, span.text, span.start, span.end, frozenset(terms(span.text)), NO_TOKENS)
        for i, span in enumerate(sentences(paper.abstract))
    )
    assert len(found) == len(sentence_matches), "one row of matches a sentence"
    matrix = np.array(sentence_matches, dtype=np.float32)
    passage = Passage(f"{paper.paper_id}#0", paper.paper_id, 0, paper.abstract, 0, len(paper.abstract))
    ranked = RankedPaper(rank, paper, passage, score, {"dense": dense, "score": score})
    return PaperEvidence(ranked, found, matrix.max(axis=0), matrix)


def evidence(asked: tuple[Word, ...], *papers: PaperEvidence) -> Evidence:
    """Evidence made by hand."""
    return Evidence(asked, papers)


def check_answer(answer: Answer) -> None:
    """What holds for every answer, whoever wrote it."""
    for citation in answer.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
        assert 0.0 <= citation.support <= 1.0
    numbers = {citation.n: citation.paper.paper_id for citation in answer.citations}
    assert len(set(numbers.values())) == len(numbers), "one marker, one paper"
    own = " ".join(sentence.text for sentence in answer.sentences)
    for citation in answer.citations:
        own = own.replace(citation.quote, "“”")  # an abstract may have brackets of its own
    first_seen = list(dict.fromkeys(int(n) for n in CITED.findall(own)))
    assert first_seen == list(range(1, len(numbers) + 1)) == sorted(numbers)
    for sentence in answer.sentences:
        assert set(sentence.markers) <= set(numbers)
        assert sentence.text in answer.answer
    assert answer.reason or answer.outcome == "answered"
    assert answer.answer.strip()
    if answer.refused:
        assert not answer.citations
    else:
        assert answer.citations
    json.dumps(answer.as_dict())


def last_answer(events: Sequence[Event]) -> Answer:
    """The answer of a stream, whose deltas are the answer's text."""
    *before, last = events
    assert isinstance(last, Finished)
    deltas = [event.text for event in before if isinstance(event, TextDelta)]
    assert "".join(deltas) == last.answer.answer
    return last.answer


def shared_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file of ../shared/qa, cut at line feeds only; without the folder a test fails."""
    path = SHARED_QA / name
    assert path.is_file(), f"{path} is absent: this test needs the shared folder beside the checkout"
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()]
