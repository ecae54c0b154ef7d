"""Sources into the library: read, recognise what is the same paper, cut, embed what is new, store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag.chunking import CHUNKER_VERSION
from rag.embedding import Progress, ahead, batches, records, told
from rag.gathering import INCOMPLETE, groups
from rag.library.identity import storable
from rag.library.library import Library
from rag.library.records import Record, SourceEntry
from rag.library.token_codec import TOKENS_VERSION
from rag.library.writer import Writer
from rag.models.interfaces import Embedder
from rag.papers import Body, Paper
from rag.placing import Drafts, IngestRow
from rag.readers import MAX_BYTES, SourceReading

__all__ = ["IngestReport", "IngestRow", "IngestWarning", "ingest", "ingest_readings", "library_fingerprint", "rebuild"]

MEND = "Correct the file and add it again."


@dataclass(frozen=True, slots=True)
class IngestWarning:
    """Something odd that a reader met in a file; `line` counts from 1."""

    source: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """A row for each listing of a paper, in the order read, and what was odd about the files.

    After a file's papers come those of its items that cannot be taken as one, each a failure.
    """

    rows: tuple[IngestRow, ...]
    warnings: tuple[IngestWarning, ...] = ()


def library_fingerprint(embedder: Embedder) -> str:
    """What makes the library's embeddings: give it to `Library.open`."""
    return f"{embedder.fingerprint}+chunker-{CHUNKER_VERSION}+tokens-{TOKENS_VERSION}"


def ingest(
    paths: Iterable[Path],
    library: Library,
    embedder: Embedder,
    *,
    progress: Progress | None = None,
    most_bytes: int = MAX_BYTES,
) -> IngestReport:
    """Put all papers that `paths` (files, folders) list into `library`.

    What is there and unchanged is neither embedded nor written. A file or paper that fails gets a row
    and the rest goes on; a file of more than `most_bytes` is not read. Papers are stored in batches; after
    an interruption the next run goes on from the last. `progress` is called with (papers stored, papers
    to store).

    Raises:
        LibraryLockedError: another process is writing.
        LibraryError: the library cannot be written.
        ModelError: the embedder cannot be used.
    """
    rows: list[IngestRow] = []
    warnings: list[IngestWarning] = []
    with _Session(library, embedder, progress, MEND) as session:
        for group in groups(paths, library, most_bytes):
            rows += [*group.failed, *group.known, *session.store(group.readings)]
            warnings += _warnings(group.readings)
    return IngestReport(tuple(rows), tuple(warnings))


def ingest_readings(
    readings: Sequence[SourceReading], library: Library, embedder: Embedder, *, progress: Progress | None = None
) -> IngestReport:
    """`ingest` for what has been read already, mostly from the network; raises the same.

    What cannot be taken as a paper is told without advice: nobody here can correct what others serve.
    """
    with _Session(library, embedder, progress) as session:
        return IngestReport(tuple(session.store(readings)), tuple(_warnings(readings)))


def rebuild(library: Library, embedder: Embedder, *, progress: Progress | None = None) -> int:
    """Cut and embed every paper of `library` anew, for `paperchat library rebuild`; returns how many.

    Open the library without a fingerprint for this. It stays as it was until all is embedded, also
    when the process is killed. Embeddings already made by this very embedder are kept.

    Raises:
        LibraryLockedError: another process is writing.
        ModelError: the embedder cannot be used.
    """
    fingerprint = library_fingerprint(embedder)
    with library.write() as writer:
        known = library if library.fingerprint == fingerprint else None
        papers = library.find()

        def embedded(batch: Sequence[Paper]) -> list[Record]:
            return records(batch, embedder, _bodies(batch, library), known)

        with closing(ahead(embedded, batches(papers))) as made:
            writer.replace_all(told(made, len(papers), progress), fingerprint)
    return len(papers)


def _warnings(readings: Sequence[SourceReading]) -> list[IngestWarning]:
    odd = [(reading.name, problem) for reading in readings for problem in reading.problems if not problem.lost]
    return [IngestWarning(name, problem.line, problem.message) for name, problem in odd]


def _lost(reading: SourceReading, remedy: str) -> list[IngestRow]:
    """What a file lists that cannot be taken as a paper. It is told in every run, until the file is mended."""
    return [
        IngestRow(
            reading.name if problem.line is None else f"line {problem.line}",
            reading.name,
            "failed",
            f"{problem.message} {remedy}".rstrip(),
        )
        for problem in reading.problems
        if problem.lost
    ]


class _Session:
    """One write session for all groups of a run, begun when there is something to write.

    `remedy` is what to do about an item that cannot be taken as a paper, if there is anything.
    """

    def __init__(self, library: Library, embedder: Embedder, progress: Progress | None, remedy: str = "") -> None:
        self._library, self._embedder, self._progress, self._remedy = library, embedder, progress, remedy
        self._writer: Writer | None = None
        self._done = 0
        self._open = ExitStack()

    def __enter__(self) -> _Session:
        self._open.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._open.__exit__(*error)

    def store(self, readings: Sequence[SourceReading]) -> list[IngestRow]:
        """Put what was read into the library; a row for each listing."""
        plan = _plan(readings, self._library, self._remedy)
        if plan.drafts.changed() or plan.drafts.listed():
            if self._writer is None:
                self._writer = self._open.enter_context(self._library.write())
                plan = _plan(readings, self._library, self._remedy)  # again: nobody else writes from here on
            before = self._done
            self._done += len(plan.drafts.changed())
            _store(plan.drafts, self._library, self._embedder, self._writer, self._told_from(before))
        return plan.rows

    def _told_from(self, before: int) -> Progress | None:
        """Progress that counts the groups before, too."""
        progress = self._progress
        return None if progress is None else lambda done, of: progress(before + done, before + of)


@dataclass(frozen=True, slots=True)
class _Plan:
    rows: list[IngestRow]
    drafts: Drafts


def _plan(readings: Sequence[SourceReading], library: Library, remedy: str) -> _Plan:
    """What is to be done, looking only: every listing gets its row and finds its paper."""
    known = library.known_entries({reading.sha256 for reading in readings})
    blocks = library.block_list
    plan = _Plan([], Drafts([listed for reading in readings for listed in reading.entries], library))
    for reading in readings:
        for listed in reading.entries:
            whole = not any(problem.message.startswith("Incomplete:") for problem in reading.problems)
            content = listed.paper.content_hash if whole else INCOMPLETE
            entry = SourceEntry(reading.name, reading.sha256, listed.line, content)
            if not storable(listed.paper, listed.body):
                reason = f"line {listed.line}: its text holds half a surrogate pair, which is no Unicode"
                plan.rows.append(IngestRow(repr(listed.paper.title)[1:-1], reading.name, "failed", reason))
                continue
            if why := blocks.why(listed.paper):
                plan.rows.append(IngestRow(listed.paper.title, reading.name, "blocked", why))
                continue
            at = known.get((entry.sha256, entry.line))
            if at is not None and at[1] == entry.content_hash:
                plan.rows.append(IngestRow(listed.paper.title, reading.name, "unchanged", paper_id=at[0]))
                continue
            outcome, reason, paper_id = plan.drafts.place(listed, entry)
            plan.rows.append(IngestRow(listed.paper.title, reading.name, outcome, reason, paper_id))
        plan.rows.extend(_lost(reading, remedy))
    return plan


def _store(drafts: Drafts, library: Library, embedder: Embedder, writer: Writer, progress: Progress | None) -> None:
    changed = {draft.paper.paper_id: draft for draft in drafts.changed()}

    def embedded(batch: Sequence[Paper]) -> list[Record]:
        read = {paper.paper_id: body for paper in batch if (body := changed[paper.paper_id].body)}
        made = records(batch, embedder, {**_bodies(batch, library), **read}, library)
        return [replace(record, entries=changed[record.paper.paper_id].entries) for record in made]

    with closing(ahead(embedded, batches([draft.paper for draft in changed.values()]))) as made:
        for stored in told(made, len(changed), progress):
            writer.upsert(stored)
    writer.add_entries(drafts.listed())


def _bodies(papers: Sequence[Paper], library: Library) -> dict[str, Body]:
    """The stored full texts that these papers are known to have."""
    having = [paper.paper_id for paper in papers if paper.body_hash]
    return {paper_id: body for paper_id in having if (body := library.body(paper_id))}
