"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/NAME.tsv`.

The layout is that of "BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information
Retrieval Models".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from eval.formats.jsonl import UniqueIds, bad_line, read_jsonl, validated
from eval.formats.trec import Qrels, read_qrels
from rag.errors import SourceError

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"


class Document(BaseModel):
    """One document of a corpus."""

    doc_id: str = Field(alias="_id", min_length=1)
    title: str = ""
    text: str


class Query(BaseModel):
    """One query."""

    query_id: str = Field(alias="_id", min_length=1)
    text: str


Item = TypeVar("Item", Document, Query)


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder's documents and queries by id, and the judgements of one split."""

    documents: dict[str, Document]
    queries: dict[str, str]
    qrels: Qrels


def read_collection(folder: Path, split: str = "test") -> Collection:
    """Read a BEIR folder with the judgements of `qrels/{split}.tsv`.

    Raises:
        SourceError: a file is missing or malformed (names file, line and reason), or the judgements
            name a query, or a relevant document, that the folder does not have.
    """
    documents = read_corpus(folder / CORPUS)
    queries = read_queries(folder / QUERIES)
    path = _qrels_file(folder, split)
    qrels = read_qrels(path)
    for query, judged in qrels.items():
        if query not in queries:
            raise SourceError(f"{path} judges the query {query!r}, which {QUERIES} does not have.", "Mend either file.")
        for document, relevance in judged.items():
            if relevance > 0 and document not in documents:
                missing = f"calls the document {document!r} relevant, which {CORPUS} does not have"
                raise SourceError(f"{path} {missing}.", "Mend either file.")
    return Collection(documents, queries, qrels)


def read_corpus(path: Path) -> dict[str, Document]:
    """Documents by id, in their order.

    Raises:
        SourceError: missing, empty, or a row is malformed or has an id again.
    """
    return {item.doc_id: item for item in _items(path, TypeAdapter(Document), "document")}


def read_queries(path: Path) -> dict[str, str]:
    """Texts of the queries by id, in their order.

    Raises:
        SourceError: missing, empty, or a row is malformed, blank or has an id again.
    """
    return {item.query_id: item.text for item in _items(path, TypeAdapter(Query), "query")}


def _items(path: Path, adapter: TypeAdapter[Item], name: str) -> Iterator[Item]:
    seen = UniqueIds(path, f"the {name}")
    number = 0
    for number, row in read_jsonl(path):
        item = validated(adapter, row, path, number)
        seen.add(number, row["_id"])
        if isinstance(item, Query) and not item.text.strip():
            raise bad_line(path, number, "text is blank")
        yield item
    if not number:
        raise SourceError(f"{path} holds no {name}.", "Give a BEIR folder.")


def _qrels_file(folder: Path, split: str) -> Path:
    path = folder / QRELS / f"{split}.tsv"
    if path.is_file():
        return path
    there = ", ".join(sorted(file.stem for file in (folder / QRELS).glob("*.tsv"))) or "none"
    raise SourceError(f"{folder} has no judgements {split!r} ({QRELS}/{split}.tsv).", f"Choose one of: {there}.")
