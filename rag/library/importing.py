"""An exported library taken into another: what is new, what has changed, and what stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import LibraryError
from rag.library.blocking import Block, BlockList
from rag.library.catalog_writes import check_record
from rag.library.identity import same_work, storable
from rag.library.records import Record
from rag.library.sqlite_files import Progress
from rag.library.transfer import BATCH, lines_of
from rag.papers import Body, Paper, normalised_title, paper_id_for, with_id

if TYPE_CHECKING:
    from rag.library.library import Library
    from rag.library.writer import Writer

Taken = Literal["added", "updated", "unchanged", "kept", "blocked", "failed"]
Embed = Callable[[Sequence[Paper], Mapping[str, Body]], list[Record]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A line of the file that could not be taken in, and why."""

    line: int
    item: str
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of the papers of a file; `embedded` says that its embeddings were of another embedder."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    embedded: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **dict(self.counts),
            "embedded": self.embedded,
            "failures": [asdict(failure) for failure in self.failures],
        }


def import_into(library: Library, file: Path, embed: Embed, *, progress: Progress | None = None) -> Imported:
    """Take the papers of an exported file into the library, with their listings and the block list.

    Embeddings of the library's own fingerprint are taken as they are; otherwise `embed` cuts and embeds
    anew. A paper that the library has under its id is replaced where the file says something else of it,
    but never loses a full text; one that it has under another id stays as it is ("kept"). Blocked papers
    stay out. A line that cannot be read is a failure, and the others are taken in.

    Raises:
        LibraryError: the file is no exported library, or is cut off (what was read until then is stored).
        LibraryLockedError: another process is writing.
    """
    lines = lines_of(file)
    header = next(lines)[1]
    taking = _Taking(library, embed if header.fingerprint != library.fingerprint else None, header.dimension)
    done, waiting = 0, list[tuple[int, Record]]()
    with library.write() as writer:
        try:
            for number, item in lines:
                if isinstance(item, Record):
                    waiting.append((number, item))
                elif isinstance(item, Block):
                    writer.block([item])
                else:
                    taking.failed(number, f"line {number}", str(item))
                if len(waiting) == BATCH:
                    done += len(waiting)
                    taking.take(waiting, writer)
                    waiting.clear()
                    if progress:
                        progress(min(done, header.papers), header.papers)
        finally:  # a file that is cut off: what was read until then is stored
            taking.take(waiting, writer)
    taking.result.failures.sort(key=lambda failure: failure.line)
    return taking.result


class _Taking:
    """One import under way."""

    def __init__(self, library: Library, embed: Embed | None, dimension: int) -> None:
        self._library, self._embed = library, embed
        self._dimension = library.dimension or dimension
        self._blocked = library.block_list
        self.result = Imported(embedded=embed is not None)

    def failed(self, line: int, item: str, reason: str) -> None:
        """Note a line that could not be taken in."""
        self.result.counts["failed"] += 1
        self.result.failures.append(Failure(line, item, reason))

    def take(self, waiting: Sequence[tuple[int, Record]], writer: Writer) -> None:
        """Store what is new or has changed, and where papers are listed."""
        records, listed = [], []
        for (number, record), known in zip(waiting, self._known([r.paper for _, r in waiting]), strict=True):
            if reason := self._unfit(record):
                self.failed(number, record.paper.title, reason)
                continue
            outcome, paper_id = _standing(record.paper, known, self._blocked)
            self.result.counts[outcome] += 1
            if outcome in ("added", "updated"):
                records.append(_under(record, paper_id))
            elif outcome != "blocked":
                listed += [(paper_id, entry) for entry in record.entries]
        if self._embed and records:
            entries = {record.paper.paper_id: record.entries for record in records}
            bodies = {record.paper.paper_id: record.body for record in records if record.body}
            anew = self._embed([record.paper for record in records], bodies)
            records = [replace(record, entries=entries[record.paper.paper_id]) for record in anew]
        writer.upsert(records)
        if listed:
            writer.add_entries(listed)

    def _unfit(self, record: Record) -> str:
        """Why a paper cannot be stored; empty where it can."""
        if not storable(record.paper, record.body):
            return "its text holds half a surrogate pair, which is no Unicode"
        try:
            check_record(replace(record, passages=(), encoded=()) if self._embed else record, self._dimension)
        except LibraryError as error:
            return error.message
        return ""

    def _known(self, papers: Sequence[Paper]) -> Iterator[list[Paper]]:
        """For each paper those of the library that it may be; the one of its id first."""
        by_id = self._library.papers(paper.paper_id for paper in papers)
        titled = self._library.papers_titled({normalised_title(paper.title) for paper in papers})
        arxiv = self._library.papers_identified("arxiv_id", {paper.arxiv_id for paper in papers if paper.arxiv_id})
        doi = self._library.papers_identified("doi", {paper.doi for paper in papers if paper.doi})
        for paper in papers:
            own = [by_id[paper.paper_id]] if paper.paper_id in by_id else []
            named = [*arxiv.get(paper.arxiv_id or "", []), *doi.get(paper.doi or "", [])]
            yield [*own, *named, *titled.get(normalised_title(paper.title), [])]


def _standing(paper: Paper, known: Sequence[Paper], blocked: BlockList) -> tuple[Taken, str]:
    """What is to be done with a paper of the file, and the id that it has or gets in the library."""
    if blocked.why(paper):
        return "blocked", ""
    same = next((other for other in known if _same(paper, other)), None)
    if same is None:
        taken = any(other.paper_id == paper.paper_id for other in known)
        names = [paper.abstract, *filter(None, (paper.arxiv_id, paper.doi))]
        return "added", paper_id_for(paper.title, "\0".join(names)) if taken else paper.paper_id
    if same.paper_id != paper.paper_id:
        return "kept", same.paper_id
    if same.content_hash == paper.content_hash:
        return "unchanged", same.paper_id
    return ("kept" if same.body_hash and not paper.body_hash else "updated"), same.paper_id


def _same(one: Paper, other: Paper) -> bool:
    """Whether two papers of one id, arXiv id, DOI or title are one."""
    for mine, theirs in ((one.arxiv_id, other.arxiv_id), (one.doi, other.doi)):
        if mine and theirs:
            return mine == theirs
    if normalised_title(one.title) != normalised_title(other.title):
        return one.paper_id == other.paper_id  # renamed since: ids come from titles
    return same_work(one, other) > 0


def _under(record: Record, paper_id: str) -> Record:
    """The same record under another id."""
    if record.paper.paper_id == paper_id:
        return record
    passages = [replace(p, paper_id=paper_id, passage_id=f"{paper_id}#{p.ordinal}") for p in record.passages]
    return replace(record, paper=with_id(record.paper, paper_id), passages=passages)
