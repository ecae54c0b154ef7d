"""A collection's documents as the papers of a real library, put there as `paperchat ingest` puts papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.formats.beir import CORPUS, Document
from rag.embedding import Progress
from rag.ingest import ingest_readings, library_fingerprint
from rag.library.library import Library
from rag.models.interfaces import Embedder
from rag.papers import Paper, paper_id_for
from rag.readers.source import Entry, SourceReading


@dataclass(frozen=True, slots=True)
class Filled:
    """An open library, and which paper of it each document became; one that is blank or was refused is missing."""

    library: Library
    papers: Mapping[str, str]

    def documents(self) -> dict[str, list[str]]:
        """Paper id -> the documents that are this paper, in the corpus' order: the library merges what is one work."""
        found: dict[str, list[str]] = {}
        for doc_id, paper_id in self.papers.items():
            found.setdefault(paper_id, []).append(doc_id)
        return found


def filled(
    folder: Path,
    documents: Mapping[str, Document],
    sha256: str,
    embedder: Embedder,
    progress: Progress | None = None,
) -> Filled:
    """The library in `folder` with all documents in it; those that are there already cost nothing.

    A document without title and text is left out, as no reader would list it. `sha256` stands for the corpus: the
    library knows its documents by it and by their order.

    Raises:
        LibraryError: the library cannot be written, or holds what another embedder made.
        ModelError: the embedder cannot be used.
    """
    lines = {doc_id: line for line, (doc_id, one) in enumerate(documents.items(), 1) if not is_blank(one)}
    entries = tuple(Entry(_paper(documents[doc_id]), line) for doc_id, line in lines.items())
    library = Library.open(folder, library_fingerprint(embedder))
    try:
        report = ingest_readings([SourceReading(CORPUS, sha256, entries, ())], library, embedder, progress=progress)
    except BaseException:
        library.close()
        raise
    became = zip(lines, report.rows, strict=True)
    return Filled(library, {doc_id: row.paper_id for doc_id, row in became if row.paper_id})


def is_blank(document: Document) -> bool:
    """Whether there is nothing in it that could be found."""
    return not (document.title.strip() or document.text.strip())


def _paper(document: Document) -> Paper:
    return Paper(paper_id_for(document.title), document.title, document.text)
