"""Question sets: who asks what, which papers hold the answer, and the strings that a right answer must hold.

Read from our JSONL, from a BEIR folder, or from ragas records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from eval.formats.beir import CORPUS, QUERIES, Collection, Document, read_collection
from eval.formats.jsonl import UniqueIds, bad_line, read_jsonl, validated
from rag.answer.answer import Answer, Turn
from rag.errors import SourceError
from rag.papers import normalised_title

_DATA = Path(__file__).parent / "data"
BUNDLED = {name: _DATA / f"questions_{name}.jsonl" for name in ("dev", "more", "fresh", "followups")}


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
    gold_answer: str = ""
    gold_sentences: tuple[str, ...] = ()


class RagasQuestion(BaseModel):
    """The part of a ragas record that asks, and says what the answer should be."""

    qid: str | None = None
    user_input: str
    reference: str | None = None
    reference_contexts: tuple[str, ...] | None = None

    def gold(self, line: int) -> GoldQuestion:
        """As a question; without a `qid` the line of the file names it."""
        return GoldQuestion(
            qid=self.qid or f"ragas-{line}",
            question=self.user_input,
            history=(),
            answerable=True,
            type="ragas",
            gold_titles=(),
            must_include=(),
            must_not_include=(),
            gold_answer=self.reference or "",
            gold_sentences=self.reference_contexts or (),
        )


_OURS = TypeAdapter(GoldQuestion)
_RAGAS = TypeAdapter(RagasQuestion)


def question_path(name_or_path: str | Path) -> Path:
    """The file of a bundled set by its name (`dev`, `more`), else the path itself."""
    return BUNDLED.get(str(name_or_path)) or Path(name_or_path)


def question_set(name_or_path: str | Path, qrels: str = "test") -> list[GoldQuestion]:
    """A bundled set by its name, or `read_questions` of a path.

    Raises:
        SourceError: as `read_questions`.
    """
    path = question_path(name_or_path)
    if not path.exists():
        raise SourceError(
            f"Cannot read {path}: there is no such file or folder.",
            f"Give a file, a BEIR folder, or one of: {', '.join(BUNDLED)}.",
        )
    return read_questions(path, qrels)


def read_questions(path: Path, qrels: str = "test") -> list[GoldQuestion]:
    """Read a question set: our JSONL or ragas records by the keys of the first row, or a BEIR folder.

    Of a BEIR folder come the queries to which `qrels/{qrels}.tsv` names a relevant document;
    the titles of these documents are the gold ones, ids where a document has no title.

    Raises:
        SourceError: the file is missing or empty, or a row is malformed (names file, line and reason).
    """
    if path.is_dir():
        return _of_collection(read_collection(path, qrels), path)
    questions: list[GoldQuestion] = []
    seen = UniqueIds(path, "the qid")
    ragas = False
    for number, row in read_jsonl(path):
        if not questions:
            ragas = _is_ragas(row, path)
        question = validated(_RAGAS, row, path, number).gold(number) if ragas else _ours(row, path, number)
        check_question(question, path, number)
        seen.add(number, question.qid)
        questions.append(question)
    if not questions:
        raise SourceError(f"{path} holds no questions.", "Give a question set: JSONL, a row a question.")
    return questions


def check_question(question: GoldQuestion, path: Path, line: int) -> None:
    """Refuse what has the right type and makes no sense: it would be scored as something else.

    Raises:
        SourceError: a text is blank, or a string to include matches every answer.
    """
    for name in ("qid", "question"):
        if not getattr(question, name).strip():
            raise bad_line(path, line, f"{name} is blank")
    if not all(normalised_title(title) for title in question.gold_titles):
        raise bad_line(path, line, "gold_titles holds a blank title")
    if not all(sentence.strip() for sentence in question.gold_sentences):
        raise bad_line(path, line, "gold_sentences holds a blank sentence")
    for name in ("must_include", "must_not_include"):
        if not all(option.strip() for group in getattr(question, name) for option in group.split("|")):
            raise bad_line(path, line, f"{name} holds a blank string, which every answer includes")


def includes_all(answer: Answer, wanted: Sequence[str]) -> bool:
    """Whether every string occurs in the answer's text or its cited titles."""
    return text_includes(" ".join((answer.answer, *(c.paper.title for c in answer.citations))), wanted)


def text_includes(text: str, wanted: Sequence[str]) -> bool:
    """Whether every string occurs in `text`, of alternatives split by `|` any, after normalising
    `\\%` to `%`, `Ntimes` and `Nx` to `N times`, case and white space."""
    normal = normalised(text)
    return all(any(normalised(option) in normal for option in group.split("|")) for group in wanted)


def normalised(text: str) -> str:
    """The matching rule's normal form."""
    text = text.replace("\\%", "%").lower()
    text = re.sub(r"(?<=\d)\s*(?:times|x)(?![a-z])", " times", text)
    return " ".join(text.split())


def _is_ragas(row: dict[str, Any], path: Path) -> bool:
    if "_id" in row and "text" in row:
        raise SourceError(f"{path} is one file of a BEIR folder.", f"Give the folder with {CORPUS} and {QUERIES}.")
    return "user_input" in row and "question" not in row


def _ours(row: dict[str, Any], path: Path, line: int) -> GoldQuestion:
    present = {key: value for key, value in row.items() if value is not None}
    return validated(_OURS, {"history": [], "must_not_include": []} | present, path, line)


def _of_collection(collection: Collection, folder: Path) -> list[GoldQuestion]:
    found = []
    for query, text in collection.queries.items():
        judged = collection.qrels.get(query, {})
        relevant = [collection.documents[document] for document, relevance in judged.items() if relevance > 0]
        if relevant:
            found.append(_of_query(query, text, relevant))
    if not found:
        raise SourceError(f"The judgements of {folder} call no document relevant.", "Choose other qrels.")
    return found


def _of_query(query: str, text: str, relevant: Sequence[Document]) -> GoldQuestion:
    titles = (document.title if normalised_title(document.title) else document.doc_id for document in relevant)
    return GoldQuestion(
        qid=query,
        question=text,
        history=(),
        answerable=True,
        type="beir",
        gold_titles=tuple(dict.fromkeys(titles)),
        must_include=(),
        must_not_include=(),
    )
