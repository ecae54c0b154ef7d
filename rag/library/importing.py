"""An exported library taken into another: what is new, what has changed, and what stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import LibraryError
from rag.library.blocking import Block, BlockList
from rag.library.catalog_writes import check_record
from rag.library.identity import combine, same_work, storable
from rag.library.portable import Header
from rag.library.records import Record
from rag.library.sqlite_files import Progress
from rag.library.transfer import BATCH, lines_of
from rag.papers import Body, Paper, normalised_title, paper_id_for, with_id

if TYPE_CHECKING:
    from rag.library.library import Library
    from rag.library.writer import Writer

Taken = Literal["added", "updated", "unchanged", "kept", "blocked", "failed"]
NOTHING = (None, (), "")
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
    anew. What the file says of a paper that the library has under its id takes the place of what was known,
    if it says as much; otherwise it only adds what the library does not know (an older export wipes nothing).
    A paper that the library has under another id stays as it is ("kept"). Blocked papers stay out. A line
    that cannot be read, or that repeats a paper, is a failure, and the others are taken in.

    Raises:
        LibraryError: the file is no exported library, or is cut off (what was read until then is stored).
        LibraryLockedError: another process is writing.
    """
    lines = lines_of(file)
    header = next(lines)[1]
    taking = _Taking(library, embed, header)
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
                    batch, waiting = waiting, []  # a batch that fails is not tried twice
                    done += len(batch)
                    taking.take(batch, writer)
                    if progress:
                        progress(min(done, header.papers), header.papers)
        finally:  # a file that is cut off: what was read until then is stored
            if waiting:
                taking.take(waiting, writer)
    taking.result.failures.sort(key=lambda failure: failure.line)
    return taking.result


class _Taking:
    """One import under way."""

    def __init__(self, library: Library, embed: Embed, header: Header) -> None:
        self._library, self._embed = library, embed
        self._dimension = library.dimension or header.dimension
        self._blocked = library.block_list
        self._lines: dict[str, int] = {}  # paper id -> the line of the file that lists it
        self.result = Imported(embedded=header.fingerprint != library.fingerprint)

    def failed(self, line: int, item: str, reason: str) -> None:
        """Note a line that could not be taken in."""
        self.result.counts["failed"] += 1
        self.result.failures.append(Failure(line, item, reason))

    def take(self, waiting: Sequence[tuple[int, Record]], writer: Writer) -> None:
        """Store what is new or has changed, and where papers are listed."""
        ready, anew, listed = list[Record](), list[Record](), []
        for (number, record), known in zip(waiting, self._known([r.paper for _, r in waiting]), strict=True):
            if reason := self._unfit(record) or self._repeated(number, record.paper.paper_id):
                self.failed(number, record.paper.title, reason)
                continue
            outcome, paper = _standing(record.paper, known, self._blocked)
            if outcome in ("added", "updated") and (reason := self._repeated(number, paper.paper_id)):
                self.failed(number, record.paper.title, reason)
                continue
            self.result.counts[outcome] += 1
            if outcome in ("added", "updated"):
                usable = not self.result.embedded and _same_texts(record.paper, paper)
                (ready if usable else anew).append(self._as(record, paper))
            elif outcome != "blocked":
                listed += [(paper.paper_id, entry) for entry in record.entries]
        writer.upsert([*ready, *self._embedded(anew)])
        if listed:
            writer.add_entries(listed)

    def _as(self, record: Record, paper: Paper) -> Record:
        """The record of a line as that of the paper that is to be stored, with the full text that it names."""
        passages = [
            replace(p, paper_id=paper.paper_id, passage_id=f"{paper.paper_id}#{p.ordinal}") for p in record.passages
        ]
        body = record.body if paper.body_hash == record.paper.body_hash else self._library.body(paper.paper_id)
        return replace(record, paper=paper, passages=passages, body=body)

    def _embedded(self, records: Sequence[Record]) -> list[Record]:
        """The same papers, cut and embedded here."""
        if not records:
            return []
        entries = {record.paper.paper_id: record.entries for record in records}
        bodies = {record.paper.paper_id: record.body for record in records if record.body}
        made = self._embed([record.paper for record in records], bodies)
        return [replace(record, entries=entries[record.paper.paper_id]) for record in made]

    def _repeated(self, line: int, paper_id: str) -> str:
        """Why a line is one too many; empty where it is the first of its paper."""
        first = self._lines.setdefault(paper_id, line)
        return "" if first == line else f"line {first} lists this paper already"

    def _unfit(self, record: Record) -> str:
        """Why a paper cannot be stored; empty where it can."""
        if not storable(record.paper, record.body):
            return "its text holds half a surrogate pair, which is no Unicode"
        try:
            check_record(replace(record, passages=(), encoded=()) if self.result.embedded else record, self._dimension)
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


def _standing(paper: Paper, known: Sequence[Paper], blocked: BlockList) -> tuple[Taken, Paper]:
    """What is to be done with a paper of the file, and the paper as it is in the library then."""
    if blocked.why(paper):
        return "blocked", paper
    same = next((other for other in known if _same(paper, other)), None)
    if same is None:
        taken = any(other.paper_id == paper.paper_id for other in known)
        names = [paper.abstract, *filter(None, (paper.arxiv_id, paper.doi))]
        return "added", with_id(paper, paper_id_for(paper.title, "\0".join(names))) if taken else paper
    if same.paper_id != paper.paper_id:
        return "kept", same
    if same.content_hash == paper.content_hash:
        return "unchanged", same
    merged = combine(same, paper) if _says_as_much(paper, same) else combine(paper, same)
    return ("kept" if merged == same else "updated"), merged


def _says_as_much(paper: Paper, known: Paper) -> bool:
    """Whether a paper of the file shows every field that the library's shows; the full text is kept anyway."""
    names = [field.name for field in fields(Paper) if field.name != "body_hash"]
    return not any(getattr(paper, name) in NOTHING and getattr(known, name) not in NOTHING for name in names)


def _same_texts(one: Paper, other: Paper) -> bool:
    """Whether what is embedded of two papers is the same."""
    return (one.title, one.abstract, one.body_hash) == (other.title, other.abstract, other.body_hash)


def _same(one: Paper, other: Paper) -> bool:
    """Whether two papers of one id, arXiv id, DOI or title are one."""
    for mine, theirs in ((one.arxiv_id, other.arxiv_id), (one.doi, other.doi)):
        if mine and theirs:
            return mine == theirs
    if normalised_title(one.title) != normalised_title(other.title):
        return one.paper_id == other.paper_id  # renamed since: ids come from titles
    return same_work(one, other) > 0
