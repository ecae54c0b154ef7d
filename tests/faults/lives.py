"""What a child of the nursery does: an ingestion that tells what is stored, and a look at what a kill has left."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from library_helpers import HashEmbedder

import rag.ingest
from faults.reading import read
from faults.sources import versions
from rag import embedding
from rag.errors import PaperchatError
from rag.ingest import ingest, library_fingerprint
from rag.library import writer
from rag.library.catalog import Catalog
from rag.library.library import Library
from rag.library.records import Record

Say = Callable[[Any], None]

# Small steps, so that a short ingestion has many moments: batches, and publishing in the midst of it.
embedding.BATCH = 8
writer.PENDING_PAPERS = 24


def live(say: Say, folder: str, sources: Sequence[str]) -> None:
    """Ingest one source after the other; says [title, abstract] of each paper as soon as it is stored."""
    upsert = writer.Writer.upsert

    def telling(self: writer.Writer, records: Sequence[Record]) -> None:
        upsert(self, records)
        for record in records:
            say([record.paper.title, record.paper.abstract])

    writer.Writer.upsert = telling  # type: ignore[method-assign]  # this process does nothing else
    embedder = HashEmbedder()
    library = Library.open(Path(folder), library_fingerprint(embedder))
    for source in sources:
        failed = [row.reason for row in ingest([Path(source)], library, embedder).rows if row.outcome == "failed"]
        assert not failed, failed
    library.close()


def fail(say: Say, folder: str, sources: Sequence[str]) -> None:
    """As `live`, where an error is expected: says ["error", its type, its text], or ["done"]."""
    try:
        live(say, folder, sources)
        say(["done"])
    except PaperchatError as error:
        say(["error", type(error).__name__, str(error)])


def first(say: Say, folder: str, begin: float, times: int) -> None:
    """Make catalogs at the very moments when others make the same; says what was refused."""
    for turn in range(times):
        time.sleep(max(0.0, begin + 0.02 * turn - time.time()))
        try:
            Catalog(Path(folder) / str(turn)).close()
        except PaperchatError as error:
            say(str(error))


def peek(say: Say, folder: str, stored: Sequence[Sequence[str]]) -> None:
    """Say which of these papers the library lost; or ["error", type, text] where it cannot be read."""
    embedder = HashEmbedder()
    try:
        library = Library.open(Path(folder), library_fingerprint(embedder))
        for message in _lost(library, {title: versions()[title].index(abstract) for title, abstract in stored}):
            say(message)
        library.match_words("retrieval", 5)
        library.nearest_vectors(embedder.encode(["retrieval"])[0].vector, 5)
    except PaperchatError as error:
        say(["error", type(error).__name__, str(error)])


def search(say: Say, folder: str, stored: Sequence[Sequence[str]]) -> None:
    """Say which of these [title, abstract] are lost, or are not found by one of the searches."""
    embedder = HashEmbedder()
    library = Library.open(Path(folder), library_fingerprint(embedder))
    at_least = {title: versions()[title].index(abstract) for title, abstract in stored}
    for message in [*_lost(library, at_least), *_unfound(library, embedder, at_least)]:
        say(message)
    library.close()


def examine(say: Say, folder: str) -> None:
    """Say "whole", "found" or ["error", type, text]: what becomes of a library whose catalog is damaged.

    "found" is damage that `verify` names; "whole" is a library that has all that it should have.
    """
    try:
        library = Library.open(Path(folder), library_fingerprint(HashEmbedder()))
        sound = library.verify().ok
        at_least = {title: len(known) - 1 for title, known in versions().items()}
        lost = _lost(library, at_least)
        say("found" if not sound else lost or "whole")
    except PaperchatError as error:
        say(["error", type(error).__name__, str(error)])


def rebuild(say: Say, folder: str, times: int) -> None:
    """Embed everything anew, so many times, with the embedder that it was built with."""
    for _ in range(times):
        library = Library.open(Path(folder))
        rag.ingest.rebuild(library, HashEmbedder())
        library.close()
    say("done")


def read_file(say: Say, path: str, name: str) -> None:
    """Say the seconds and megabytes that reading a file takes, and how many papers it gave (None: it is refused).

    What a process of the reader's own takes counts too.
    """
    data = Path(path).read_bytes()
    before = _used()
    reading = read(data, name)
    seconds, megabytes = (after - earlier for after, earlier in zip(_used(), before, strict=True))
    say([seconds, megabytes, len(reading.entries) if reading else None])


def _used() -> tuple[float, float]:
    """Seconds of computing and megabytes at most, of this process and the ones that it waited for."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(use.ru_utime + use.ru_stime for use in uses)
    return seconds, sum(use.ru_maxrss for use in uses) / 1024


def look(say: Say, folder: str, stored: Sequence[Sequence[str]], complete: bool = False) -> None:
    """Say what is wrong with a library that should have these [title, abstract], or newer versions of them.

    With `complete` nothing else may be missing either.
    """
    embedder = HashEmbedder()
    library = Library.open(Path(folder), library_fingerprint(embedder))
    at_least: dict[str, int] = {}
    for title, abstract in stored:
        at_least[title] = max(at_least.get(title, 0), versions()[title].index(abstract))
    if complete:
        at_least = {title: len(known) - 1 for title, known in versions().items()}
    for message in [*_lost(library, at_least), *_unfound(library, embedder, at_least), *_unsound(library)]:
        say(message)
    library.close()


def again(say: Say, folder: str, sources: Sequence[str]) -> None:
    """Say how many texts the rest of an ingestion had to embed, and how many papers there were before it."""
    embedder = HashEmbedder()
    library = Library.open(Path(folder), library_fingerprint(embedder))
    before = library.stats().papers
    for source in sources:
        ingest([Path(source)], library, embedder)
    say([before, embedder.encoded_texts])
    library.close()


def _lost(library: Library, at_least: dict[str, int]) -> list[str]:
    found = library.find()
    titles = [paper.title for paper in found]
    wrong = [f"twice: {title}" for title in sorted({title for title in titles if titles.count(title) > 1})]
    abstracts = {paper.title: paper.abstract for paper in found}
    for title, version in at_least.items():
        if abstracts.get(title) not in versions()[title][version:]:
            wrong.append(f"lost: {title} in version {version}; there is {abstracts.get(title)!r}")
    return wrong


def _unfound(library: Library, embedder: HashEmbedder, titles: dict[str, int]) -> list[str]:
    """The papers that one of the searches does not find by their own words, or finds twice."""
    wrong = []
    stored = {paper.title: paper for paper in library.find()}
    for title in titles.keys() & stored.keys():
        paper = stored[title]
        words = [hit.paper_id for hit in library.match_words(f"{title} {paper.abstract}", 5)]
        if words.count(paper.paper_id) != 1:
            wrong.append(f"by words: {title} among {words}")
        for passage in library.passages([paper.paper_id])[paper.paper_id]:
            vector = library.encoded([passage.passage_id])[passage.passage_id].vector
            near = [hit.passage_id for hit in library.nearest_vectors(vector, 5)]
            if near.count(passage.passage_id) != 1:
                wrong.append(f"by vectors: {passage.passage_id} among {near}")
    return wrong


def _unsound(library: Library) -> list[str]:
    return [f"{check.name}: {check.detail}" for check in library.verify().checks if not check.ok]


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task for task in (live, fail, first, peek, search, examine, rebuild, read_file, look, again)
}
