"""Sources into the library: read, recognise what is the same paper, cut, embed what is new, store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rag.chunking import CHUNKER_VERSION, chunk, embedding_text
from rag.errors import SourceError
from rag.library.codec import text_key
from rag.library.identity import storable
from rag.library.library import Library
from rag.library.records import Record, SourceEntry
from rag.library.writer import Writer
from rag.models.interfaces import Embedder, Encoded
from rag.papers import Body, Paper
from rag.placing import Drafts, Outcome
from rag.readers import MAX_BYTES, Raw, SourceReading, find_sources, is_document, load, read_raw

GROUP_BYTES = 20_000_000  # of files that are read before what they hold is stored
GROUP_DOCUMENTS = 8  # of those that take long to read
INCOMPLETE = ""  # the content hash of a document that could not be read to its end: it is read again
BATCH = 32  # papers embedded and stored in one transaction: what an interruption can lose
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class IngestRow:
    """What became of one listing of a paper, or of a file that could not be read."""

    item: str
    source: str
    outcome: Outcome
    reason: str = ""
    paper_id: str = ""


@dataclass(frozen=True, slots=True)
class IngestWarning:
    """Something odd that a reader met in a file; `line` counts from 1."""

    source: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """A row for each listing of a paper, in the order read, and what was odd about the files."""

    rows: tuple[IngestRow, ...]
    warnings: tuple[IngestWarning, ...] = ()


def library_fingerprint(embedder: Embedder) -> str:
    """What makes the library's embeddings: give it to `Library.open`."""
    return f"{embedder.fingerprint}+chunker-{CHUNKER_VERSION}"


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
    an interruption the next run goes on from the last. `progress` is called with (papers embedded, papers
    to embed).

    Raises:
        LibraryLockedError: another process is writing.
        LibraryError: the library cannot be written.
        ModelError: the embedder cannot be used.
    """
    rows: list[IngestRow] = []
    warnings: list[IngestWarning] = []
    with _Session(library, embedder, progress) as session:
        for group in _groups(paths, library, most_bytes):
            rows += [*group.failed, *group.known, *session.store(group.readings)]
            warnings += _warnings(group.readings)
    return IngestReport(tuple(rows), tuple(warnings))


def ingest_readings(
    readings: Sequence[SourceReading], library: Library, embedder: Embedder, *, progress: Progress | None = None
) -> IngestReport:
    """`ingest` for what has been read already, from files or from the network; raises the same."""
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
        batches = (records(batch, embedder, _bodies(batch, library), known) for batch in _batches(papers, progress))
        writer.replace_all(batches, fingerprint)
    return len(papers)


@dataclass(slots=True)
class _Group:
    """Some files: what they hold, rows of documents that are there already, and of files that cannot be read."""

    readings: list[SourceReading] = field(default_factory=list)
    known: list[IngestRow] = field(default_factory=list)
    failed: list[IngestRow] = field(default_factory=list)


def _groups(paths: Iterable[Path], library: Library, most_bytes: int) -> Iterator[_Group]:
    """The files in groups, each stored before the next is read: an interruption costs one of them."""
    group, size, names = _Group(), 0, dict[str, str]()
    for path in find_sources(paths):
        try:
            raw = load(path, most_bytes)
            if row := _known_document(raw, library):
                group.known.append(row)
                continue
            group.readings.append(_named_apart(read_raw(raw, shown=str(path)), path, names))
            size += GROUP_BYTES // GROUP_DOCUMENTS if is_document(raw) else len(raw.data)
        except SourceError as error:
            group.failed.append(IngestRow(str(path), path.name, "failed", str(error)))
        if size >= GROUP_BYTES:
            yield group
            group, size = _Group(), 0
    yield group


def _known_document(raw: Raw, library: Library) -> IngestRow | None:
    """The row of a document that was read before, whole: it is not read again, which takes seconds."""
    if not is_document(raw):
        return None
    entries = list(library.known_entries({raw.sha256}).values())
    papers = library.papers([entries[0][0]]) if len(entries) == 1 and entries[0][1] != INCOMPLETE else {}
    return next((IngestRow(p.title, raw.name, "unchanged", paper_id=i) for i, p in papers.items()), None)


def _named_apart(reading: SourceReading, path: Path, names: dict[str, str]) -> SourceReading:
    """Two files of one name at once are two sources: the second is called by its folder too, or by its path."""
    for name in (reading.name, f"{path.resolve().parent.name}/{path.name}", str(path.resolve())):
        if names.setdefault(name, reading.sha256) == reading.sha256:
            return replace(reading, name=name)
    return reading


def _warnings(readings: Sequence[SourceReading]) -> list[IngestWarning]:
    return [IngestWarning(r.name, problem.line, problem.message) for r in readings for problem in r.problems]


class _Session:
    """One write session for all groups of a run, begun when there is something to write."""

    def __init__(self, library: Library, embedder: Embedder, progress: Progress | None) -> None:
        self._library, self._embedder, self._progress = library, embedder, progress
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
        plan = _plan(readings, self._library)
        if plan.drafts.changed() or plan.drafts.listed():
            if self._writer is None:
                self._writer = self._open.enter_context(self._library.write())
                plan = _plan(readings, self._library)  # again: nobody else writes from here on
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


def _plan(readings: Sequence[SourceReading], library: Library) -> _Plan:
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
    return plan


def _store(drafts: Drafts, library: Library, embedder: Embedder, writer: Writer, progress: Progress | None) -> None:
    changed = {draft.paper.paper_id: draft for draft in drafts.changed()}

    def embedded(batch: Sequence[Paper]) -> list[Record]:
        read = {paper.paper_id: body for paper in batch if (body := changed[paper.paper_id].body)}
        made = records(batch, embedder, {**_bodies(batch, library), **read}, library)
        return [replace(record, entries=changed[record.paper.paper_id].entries) for record in made]

    for stored in _ahead(embedded, _batches([draft.paper for draft in changed.values()], progress)):
        writer.upsert(stored)
    writer.add_entries(drafts.listed())


def _ahead(
    make: Callable[[Sequence[Paper]], list[Record]], batches: Iterable[Sequence[Paper]]
) -> Iterator[list[Record]]:
    """What is made of each batch; the next one is made in a thread while the caller stores the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[list[Record]] | None = None
        for batch in batches:
            before, waiting = waiting, pool.submit(make, batch)
            if before is not None:
                yield before.result()
        if waiting is not None:
            yield waiting.result()


def _bodies(papers: Sequence[Paper], library: Library) -> dict[str, Body]:
    """The stored full texts that these papers are known to have."""
    having = [paper.paper_id for paper in papers if paper.body_hash]
    return {paper_id: body for paper_id in having if (body := library.body(paper_id))}


def _batches(papers: Sequence[Paper], progress: Progress | None) -> Iterator[Sequence[Paper]]:
    """Batches of papers, one with a full text alone, which has many passages; progress is told when the one before
    has been dealt with."""
    start = 0
    while start < len(papers):
        if progress:
            progress(start, len(papers))
        end = start + 1
        while end < len(papers) and end - start < BATCH and not (papers[start].body_hash or papers[end].body_hash):
            end += 1
        yield papers[start:end]
        start = end
    if progress and papers:
        progress(len(papers), len(papers))


def records(
    papers: Sequence[Paper], embedder: Embedder, bodies: Mapping[str, Body], known: Library | None
) -> list[Record]:
    """Papers with passages and embeddings; texts that `known` has embeddings of are not embedded again."""
    passages = {
        paper.paper_id: chunk(paper, embedder.count_tokens, window=embedder.max_tokens, body=bodies.get(paper.paper_id))
        for paper in papers
    }
    pairs = [(paper.title, passage.text) for paper in papers for passage in passages[paper.paper_id]]
    texts = {text_key(*pair): pair for pair in pairs}
    encoded = known.encoded_by_text(texts) if known else {}
    missing = [key for key in texts if key not in encoded]
    encoded |= zip(missing, _embed([texts[key] for key in missing], embedder), strict=True)

    def record(paper: Paper) -> Record:
        own = passages[paper.paper_id]
        vectors = [encoded[text_key(paper.title, passage.text)] for passage in own]
        return Record(paper, own, vectors, body=bodies.get(paper.paper_id))

    return [record(paper) for paper in papers]


def _embed(texts: Sequence[tuple[str, str]], embedder: Embedder) -> list[Encoded]:
    """Embeddings of passages under their titles; token spans count from the passage's first character."""
    if not texts:
        return []
    titled = [embedding_text(title, text) for title, text in texts]
    encoded = embedder.encode([text for text, _ in titled])
    return [_rebased(one, prefix) for one, (_, prefix) in zip(encoded, titled, strict=True)]


def _rebased(encoded: Encoded, prefix: int) -> Encoded:
    in_passage = encoded.spans[:, :1] >= prefix
    return replace(encoded, spans=np.where(in_passage, encoded.spans - prefix, -1).astype(np.int32))
