"""Sources into the library: read, recognise what is the same paper, cut, embed what is new, store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from rag.chunking import CHUNKER_VERSION, chunk, embedding_text
from rag.errors import SourceError
from rag.library.codec import text_key
from rag.library.identity import SAME_TEXT, changes, combine, likeness, storable
from rag.library.library import Library
from rag.library.records import Record, SourceEntry
from rag.library.writer import Writer
from rag.models.interfaces import Embedder, Encoded
from rag.papers import Paper, Passage, normalised_title, paper_id_for, with_id
from rag.readers import SourceReading, find_sources, read_file

BATCH = 32  # papers embedded and stored in one transaction: what an interruption can lose
Outcome = Literal["added", "updated", "unchanged", "merged", "failed"]
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


@dataclass(slots=True)
class _Draft:
    """A paper as it will be stored; `stored` is how the library has it now."""

    paper: Paper
    stored: Paper | None = None
    seen: bool = False  # in this run
    entries: list[SourceEntry] = field(default_factory=list)


@dataclass(slots=True)
class _Plan:
    rows: list[IngestRow] = field(default_factory=list)
    drafts: dict[str, list[_Draft]] = field(default_factory=dict)  # by normalised title

    def changed(self) -> list[_Draft]:
        return [draft for group in self.drafts.values() for draft in group if draft.paper != draft.stored]

    def listed(self) -> list[tuple[str, SourceEntry]]:
        """New listings of papers that are stored as they are."""
        unchanged = [draft for group in self.drafts.values() for draft in group if draft.paper == draft.stored]
        return [(draft.paper.paper_id, entry) for draft in unchanged for entry in draft.entries]


def library_fingerprint(embedder: Embedder) -> str:
    """What makes the library's embeddings: give it to `Library.open`."""
    return f"{embedder.fingerprint}+chunker-{CHUNKER_VERSION}"


def ingest(
    paths: Iterable[Path], library: Library, embedder: Embedder, *, progress: Progress | None = None
) -> IngestReport:
    """Put all papers that `paths` (files, folders) list into `library`.

    What is there and unchanged is neither embedded nor written. A file or paper that fails gets a row
    and the rest goes on. Papers are stored in batches; after an interruption the next run goes on from
    the last. `progress` is called with (papers embedded, papers to embed).

    Raises:
        LibraryLockedError: another process is writing.
        LibraryError: the library cannot be written.
        ModelError: the embedder cannot be used.
    """
    readings, failed, warnings = _read(paths)
    plan = _plan(readings, library)
    if plan.changed() or plan.listed():
        with library.write() as writer:
            plan = _plan(readings, library)  # again: nobody else writes from here on
            _store(plan, library, embedder, writer, progress)
    return IngestReport((*failed, *plan.rows), tuple(warnings))


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
        batches = (_records(batch, known, embedder) for batch in _batches(papers, progress))
        writer.replace_all(batches, fingerprint)
    return len(papers)


def _read(paths: Iterable[Path]) -> tuple[list[SourceReading], list[IngestRow], list[IngestWarning]]:
    readings: list[SourceReading] = []
    failed: list[IngestRow] = []
    for path in find_sources(paths):
        try:
            reading = read_file(path)
        except SourceError as error:
            failed.append(IngestRow(str(path), path.name, "failed", str(error)))
            continue
        names = {other.name for other in readings if other.sha256 != reading.sha256}
        if reading.name in names:  # two files of one name at once are two sources
            reading = replace(reading, name=f"{path.resolve().parent.name}/{path.name}")
        if reading.name in names:
            reading = replace(reading, name=str(path.resolve()))
        readings.append(reading)
    warnings = [IngestWarning(r.name, problem.line, problem.message) for r in readings for problem in r.problems]
    return readings, failed, warnings


def _plan(readings: Sequence[SourceReading], library: Library) -> _Plan:
    """What is to be done, looking only: every listing gets its row and finds its paper."""
    plan = _Plan()
    known = library.known_entries({reading.sha256 for reading in readings})
    keys = {normalised_title(entry.paper.title) for reading in readings for entry in reading.entries}
    for key, papers in library.papers_titled(keys).items():
        plan.drafts[key] = [_Draft(paper, stored=paper) for paper in papers]
    for reading in readings:
        for listed in reading.entries:
            entry = SourceEntry(reading.name, reading.sha256, listed.line, listed.paper.content_hash)
            if not storable(listed.paper):
                reason = f"line {listed.line}: its text holds half a surrogate pair, which is no Unicode"
                plan.rows.append(IngestRow(repr(listed.paper.title)[1:-1], reading.name, "failed", reason))
                continue
            at = known.get((entry.sha256, entry.line))
            if at is not None and at[1] == entry.content_hash:
                plan.rows.append(IngestRow(listed.paper.title, reading.name, "unchanged", paper_id=at[0]))
                continue
            outcome, reason, paper_id = _place(plan, listed.paper, entry)
            plan.rows.append(IngestRow(listed.paper.title, reading.name, outcome, reason, paper_id))
    return plan


def _place(plan: _Plan, paper: Paper, entry: SourceEntry) -> tuple[Outcome, str, str]:
    """Find the paper's draft, or make one, and put into it what this listing says."""
    group = plan.drafts.setdefault(normalised_title(paper.title), [])
    best = max(group, key=lambda draft: likeness(draft.paper, paper), default=None)
    if best is None or likeness(best.paper, paper) < SAME_TEXT:
        paper_id = paper_id_for(paper.title, paper.abstract if group else None)
        group.append(_Draft(with_id(paper, paper_id), seen=True, entries=[entry]))
        return "added", "same title as another paper, but another abstract" if len(group) > 1 else "", paper_id
    before, best.paper = best.paper, combine(best.paper, paper)
    seen, best.seen = best.seen, True
    best.entries.append(entry)
    if differing := changes(before, best.paper):
        return "updated", f"changed: {', '.join(differing)}", before.paper_id
    return ("merged", "listed more than once", before.paper_id) if seen else ("unchanged", "", before.paper_id)


def _store(plan: _Plan, library: Library, embedder: Embedder, writer: Writer, progress: Progress | None) -> None:
    drafts = {draft.paper.paper_id: draft for draft in plan.changed()}
    for batch in _batches([draft.paper for draft in drafts.values()], progress):
        records = _records(batch, library, embedder)
        writer.upsert([replace(record, entries=drafts[record.paper.paper_id].entries) for record in records])
    writer.add_entries(plan.listed())


def _batches(papers: Sequence[Paper], progress: Progress | None) -> Iterator[Sequence[Paper]]:
    """Batches of papers; progress is told when the one before has been dealt with."""
    for start in range(0, len(papers), BATCH):
        if progress:
            progress(start, len(papers))
        yield papers[start : start + BATCH]
    if progress and papers:
        progress(len(papers), len(papers))


def _records(papers: Sequence[Paper], known: Library | None, embedder: Embedder) -> list[Record]:
    """Papers with passages and embeddings; texts that `known` has embeddings of are not embedded again."""
    passages = {paper.paper_id: chunk(paper, embedder.count_tokens, window=embedder.max_tokens) for paper in papers}
    pairs = [(paper.title, passage.text) for paper in papers for passage in passages[paper.paper_id]]
    texts = {text_key(*pair): pair for pair in pairs}
    encoded = known.encoded_by_text(texts) if known else {}
    missing = [key for key in texts if key not in encoded]
    encoded |= zip(missing, _embed([texts[key] for key in missing], embedder), strict=True)

    def of(paper: Paper, passage: Passage) -> Encoded:
        return encoded[text_key(paper.title, passage.text)]

    return [Record(p, passages[p.paper_id], [of(p, passage) for passage in passages[p.paper_id]]) for p in papers]


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
