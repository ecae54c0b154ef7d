"""Sources into the library: read, recognise what is the same paper, cut, embed what is new, store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

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
    readings, known, failed = _read(paths, library, most_bytes)
    report = ingest_readings(readings, library, embedder, progress=progress)
    return replace(report, rows=(*failed, *known, *report.rows))


def ingest_readings(
    readings: Sequence[SourceReading], library: Library, embedder: Embedder, *, progress: Progress | None = None
) -> IngestReport:
    """`ingest` for what has been read already, from files or from the network; raises the same."""
    plan = _plan(readings, library)
    if plan.drafts.changed() or plan.drafts.listed():
        with library.write() as writer:
            plan = _plan(readings, library)  # again: nobody else writes from here on
            _store(plan.drafts, library, embedder, writer, progress)
    warnings = [IngestWarning(r.name, problem.line, problem.message) for r in readings for problem in r.problems]
    return IngestReport(tuple(plan.rows), tuple(warnings))


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


def _read(
    paths: Iterable[Path], library: Library, most_bytes: int
) -> tuple[list[SourceReading], list[IngestRow], list[IngestRow]]:
    """What the files hold, rows of documents that are there already, and rows of files that cannot be read."""
    readings: list[SourceReading] = []
    known: list[IngestRow] = []
    failed: list[IngestRow] = []
    for path in find_sources(paths):
        try:
            raw = load(path, most_bytes)
            if row := _known_document(raw, library):
                known.append(row)
            else:
                readings.append(_named_apart(read_raw(raw, shown=str(path)), path, readings))
        except SourceError as error:
            failed.append(IngestRow(str(path), path.name, "failed", str(error)))
    return readings, known, failed


def _known_document(raw: Raw, library: Library) -> IngestRow | None:
    """The row of a document that was read before: it is not read again, which takes seconds."""
    if not is_document(raw):
        return None
    entries = list(library.known_entries({raw.sha256}).values())
    papers = library.papers([entries[0][0]]) if len(entries) == 1 else {}
    return next((IngestRow(p.title, raw.name, "unchanged", paper_id=i) for i, p in papers.items()), None)


def _named_apart(reading: SourceReading, path: Path, others: Sequence[SourceReading]) -> SourceReading:
    """Two files of one name at once are two sources: the second is called by its folder too, or by its path."""
    names = {other.name for other in others if other.sha256 != reading.sha256}
    if reading.name in names:
        reading = replace(reading, name=f"{path.resolve().parent.name}/{path.name}")
    return replace(reading, name=str(path.resolve())) if reading.name in names else reading


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
            entry = SourceEntry(reading.name, reading.sha256, listed.line, listed.paper.content_hash)
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
    """Batches of papers; progress is told when the one before has been dealt with."""
    for start in range(0, len(papers), BATCH):
        if progress:
            progress(start, len(papers))
        yield papers[start : start + BATCH]
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
