"""The library: the one door to papers, passages, embeddings and both searches.

Threads: everything but a `Writer` may be used from any thread. Three locks, always taken in this order:
`OpenIndexes._lock` (exchanging and mending the opened indexes; not held during a search), the file lock
of a write session (`lock.py`; between processes too), `Catalog._lock` (one SQLite connection; a write
session has its own). Chroma and tantivy searches run without any of ours.

Processes: one writes, any number read. Readers ask the catalog for the published builds at each search
and move over when there are newer ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rag.errors import FingerprintError, LibraryError
from rag.library import blocking, catalog_writes, check, links, naming, removal
from rag.library.blocking import Block, BlockList
from rag.library.browsing import Listing
from rag.library.builds import INDEXES, bring_up_to_date
from rag.library.catalog import CATALOG, Catalog, Identity
from rag.library.nearest import nearest
from rag.library.opened import LOCK_SECONDS, OpenIndexes, writing
from rag.library.records import Hit, LibraryStats, PaperHit
from rag.library.removal import Removed
from rag.library.writer import Writer
from rag.models.interfaces import Encoded, Vector
from rag.papers import Body, Filters, Paper, Passage

NO_FILTERS = Filters()


class Library:
    """A folder of papers. Open it with `Library.open`."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self.folder = folder
        self.fingerprint = catalog.meta("fingerprint") or ""
        self._catalog = catalog
        self._indexes = OpenIndexes(catalog, folder)

    @classmethod
    def open(cls, folder: Path, fingerprint: str | None = None) -> Library:
        """Open the library in `folder`, making an empty one where there is none.

        Indexes that a killed writer left behind the catalog are mended first, unless another process
        is writing. Without a `fingerprint` the library is opened as it was built.

        Args:
            fingerprint: what makes the embeddings (embedder and chunker); an empty library takes it on.

        Raises:
            FingerprintError: it was built by another embedder or chunker.
            LibraryError: it is damaged, of a newer paperchat, or absent while no fingerprint is given.
        """
        if fingerprint is None and not (folder / CATALOG).exists():
            raise LibraryError(f"There is no library in {folder}.", "Make one with `paperchat ingest PATH`.")
        catalog = Catalog(folder)
        try:
            if fingerprint is not None:
                _claim(catalog, fingerprint)
            library = cls(folder, catalog)
            library._indexes.mend_if_free()
        except BaseException:
            catalog.close()
            raise
        return library

    def close(self) -> None:
        """Let go of all files."""
        self._indexes.close()
        self._catalog.close()

    # What is in it

    @property
    def generation(self) -> int:
        """How many writes there have been; equal generation, equal content."""
        return self._catalog.generation

    @property
    def dimension(self) -> int:
        """How many numbers a vector has; 0 while there is none."""
        return self._catalog.dimension

    def stats(self) -> LibraryStats:
        """Counts of everything."""
        return LibraryStats(
            papers=self._catalog.count("papers"),
            passages=self._catalog.count("passages"),
            entries=self._catalog.count("entries"),
            duplicates=self._catalog.count("entries") - self._catalog.count("(SELECT DISTINCT paper_id FROM entries)"),
            sources=self._catalog.count("sources"),
            fingerprint=self._catalog.meta("fingerprint") or "",
            generation=self.generation,
        )

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """The papers of these ids; unknown ids are left out."""
        return self._catalog.papers(ids)

    def papers_titled(self, title_keys: Iterable[str]) -> dict[str, list[Paper]]:
        """Normalised title (`papers.normalised_title`) -> the papers that bear it."""
        return self._catalog.papers_titled(title_keys)

    def find(
        self, filters: Filters = NO_FILTERS, *, newest_first: bool = True, limit: int | None = None
    ) -> list[Paper]:
        """The papers that pass, by date; undated ones last."""
        return self._catalog.find(filters, newest_first, limit)

    def count(self, filters: Filters = NO_FILTERS) -> int:
        """How many papers pass."""
        return self._catalog.count_papers(filters)

    def organisations(self) -> list[str]:
        """All organisations, sorted."""
        sql = "SELECT DISTINCT organisation FROM papers WHERE organisation IS NOT NULL ORDER BY organisation"
        return [row[0] for row in self._catalog.rows(sql)]

    def sources_of(self, paper_id: str) -> list[str]:
        """Names of the files that list a paper, sorted."""
        sql = "SELECT DISTINCT source FROM entries WHERE paper_id = ? ORDER BY source"
        return [row[0] for row in self._catalog.rows(sql, (paper_id,))]

    def versions_of(self, paper_id: str) -> list[Paper]:
        """Papers of other ids that are versions of this one, by their abstracts, the likest first."""
        ids = [other for other, _ in links.versions_of(self._catalog, paper_id)]
        papers = self._catalog.papers(ids)
        return [papers[other] for other in ids if other in papers]

    def known_entries(self, sha256s: Iterable[str]) -> dict[tuple[str, int], tuple[str, str]]:
        """(sha256 of a file, line) -> (paper_id, content hash of the paper as read there), as ingested before."""
        return catalog_writes.known_entries(self._catalog, sha256s)

    def by_author(self, name: str) -> list[Paper]:
        """The papers of which an author's name holds these words, in small or capital letters; newest first."""
        return self._catalog.by_author(name)

    def papers_identified(self, column: Identity, keys: Iterable[str]) -> dict[str, list[Paper]]:
        """arXiv id (without version) or DOI (small letters) -> the papers that bear it."""
        return self._catalog.papers_identified(column, keys)

    def passages(self, paper_ids: Iterable[str], *, in_body: bool = True) -> dict[str, list[Passage]]:
        """Paper id -> its passages in order, those of the full text last, or left out."""
        return self._catalog.passages(paper_ids, in_body=in_body)

    def passages_by_id(self, passage_ids: Iterable[str]) -> dict[str, Passage]:
        """The passages of these ids; unknown ids are left out."""
        return self._catalog.passages_by_id(passage_ids)

    def body(self, paper_id: str) -> Body | None:
        """The full text of a paper; None where only its abstract is known."""
        return self._catalog.bodies([paper_id]).get(paper_id)

    def encoded(self, passage_ids: Iterable[str]) -> dict[str, Encoded]:
        """Passage id -> its embedding; of its tokens those of content words, by their signs."""
        return self._catalog.encoded(passage_ids)

    def directions(self, paper_ids: Iterable[str]) -> dict[str, Vector]:
        """Paper id -> where its passages of title and abstract point together (dim,), of length 1."""
        return self._catalog.directions(paper_ids)

    def encoded_by_text(self, text_keys: Iterable[str]) -> dict[str, Encoded]:
        """`codec.text_key` -> the embedding already made for that title and text."""
        return self._catalog.encoded_by_text(text_keys)

    @property
    def listing(self) -> Listing:
        """The papers as people leaf through them."""
        return Listing(self._catalog, self._indexes)

    # Search

    def nearest_vectors(self, vector: Vector, k: int, filters: Filters = NO_FILTERS) -> list[Hit]:
        """The `k` passages of admitted papers with the highest cosine to `vector` (dim,), best first."""
        self._check_fingerprint()
        if k < 1 or filters.paper_ids == () or not self.dimension:
            return []
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise LibraryError(f"The question's vector is not {self.dimension} finite numbers.")
        return nearest(self._catalog, self._indexes, vector, k, filters)

    def match_words(self, question: str, k: int, filters: Filters = NO_FILTERS) -> list[PaperHit]:
        """The `k` admitted papers with the highest BM25 for the question's terms, best first."""
        self._check_fingerprint()
        if k < 1 or filters.paper_ids == ():
            return []
        found: list[tuple[str, float]] = self._indexes.words(lambda index: index.match(question, k, filters), [])
        present = self._catalog.existing_papers([paper_id for paper_id, _ in found])
        return [PaperHit(*row) for row in found if row[0] in present]

    def titles_like(self, word: str, k: int, filters: Filters = NO_FILTERS) -> dict[str, Paper]:
        """The `k` admitted papers whose titles share most trigrams of letters with a word, best first."""
        if filters.paper_ids == ():
            return {}
        found: list[str] = self._indexes.words(lambda index: index.titles_like(word, k, filters), [])
        return self.papers(found)

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Term (of `rag.terms.terms`) -> how many papers have it in title, abstract, authors or full text."""
        wanted = list(terms)
        return self._indexes.words(lambda index: index.document_frequencies(wanted), dict.fromkeys(wanted, 0))

    @property
    def n_documents(self) -> int:
        """How many papers the word index holds."""
        return self._indexes.words(lambda index: index.n_documents, 0)

    # Writing and mending

    @contextmanager
    def write(self, *, timeout: float = LOCK_SECONDS) -> Iterator[Writer]:
        """A write session. When it ends, also by an exception, searches show what was stored in it.

        Raises:
            LibraryLockedError: another writer is at work and did not finish within `timeout` seconds.
        """
        with writing(self.folder, timeout) as catalog:
            self._check_fingerprint()
            writer = Writer(catalog, self.folder)
            try:
                yield writer
            finally:
                writer.publish()
                self.fingerprint = catalog.meta("fingerprint") or ""

    def remove(self, paper_ids: Iterable[str]) -> Removed:
        """Take papers out; unknown ids are ignored. What is returned can be put back.

        Raises:
            LibraryLockedError: another process is writing.
        """
        with writing(self.folder) as catalog:
            removed = removal.take(catalog, paper_ids)
            bring_up_to_date(catalog, self.folder)
            return removed

    def named(self, text: str) -> list[Paper]:
        """The papers that people call so: by id, arXiv id, DOI or title; several only where they share it."""
        return naming.papers_named(self._catalog, text)

    def delete(self, paper_ids: Iterable[str], *, block: bool = False, reason: str = "") -> list[Paper]:
        """Delete papers for good, no byte of them stays in the library; unknown ids are ignored.

        Args:
            block: refuse them from now on, for this `reason`.

        Returns:
            The papers that are gone.

        Raises:
            LibraryLockedError: another process is writing.
        """
        with writing(self.folder) as catalog:
            gone = list(catalog.papers(paper_ids).values())
            if gone:
                removal.delete_for_good(catalog, self.folder, gone, block=block, reason=reason)
            return gone

    @property
    def blocks(self) -> list[Block]:
        """The block list: every name under which papers are refused."""
        return blocking.blocks(self._catalog)

    @property
    def block_list(self) -> BlockList:
        """The block list as it is now, to ask about papers."""
        return BlockList(self.blocks)

    def block(self, text: str, reason: str = "") -> list[Block]:
        """Refuse papers called so (arXiv id, DOI, title or id) from now on; what is stored stays until deleted.

        A paper that the library has is refused under all its names.

        Raises:
            LibraryLockedError: another process is writing.
        """
        with writing(self.folder) as catalog, catalog.transaction():
            if known := naming.papers_named(catalog, text):
                return blocking.block(catalog, known, reason)
            return blocking.block_name(catalog, text, reason)

    def unblock(self, text: str) -> list[Block]:
        """Let papers of this name in again, by all names blocked with it; returns what was on the list.

        Raises:
            LibraryLockedError: another process is writing.
        """
        with writing(self.folder) as catalog, catalog.transaction():
            return blocking.unblock(catalog, text)

    def put_back(self, removed: Removed) -> int:
        """Put papers back as they were, without embedding; returns how many had not come back already.

        Raises:
            LibraryLockedError: another process is writing.
            LibraryError: the library has been rebuilt since.
        """
        with writing(self.folder) as catalog:
            restored = removal.put_back(catalog, removed)
            bring_up_to_date(catalog, self.folder)
            return restored

    def verify(self) -> check.Report:
        """Look at everything in every store; nothing is changed."""
        return check.verify(self._catalog, self.folder)

    def repair(self) -> check.Report:
        """Build the indexes that `verify` finds wrong anew from the catalog, without embedding; verify again.

        Raises:
            LibraryLockedError: another process is writing.
        """
        with writing(self.folder) as catalog:
            broken = check.verify(catalog, self.folder).broken
            bring_up_to_date(catalog, self.folder, from_scratch=broken)
            return check.verify(catalog, self.folder)

    def rebuild_indexes(self) -> None:
        """Build both indexes anew from the catalog, without embedding; the old ones serve until then."""
        with writing(self.folder) as catalog:
            bring_up_to_date(catalog, self.folder, from_scratch=INDEXES)

    def _check_fingerprint(self) -> None:
        built = self._catalog.meta("fingerprint") or ""
        if built != self.fingerprint:
            raise _foreign(self.folder, built, self.fingerprint)


def _claim(catalog: Catalog, fingerprint: str) -> None:
    """Note the fingerprint of an empty library; compare that of one that holds papers."""
    if catalog.meta("fingerprint") == fingerprint:
        return
    with catalog.transaction():
        if catalog.count("papers"):
            raise _foreign(catalog.path.parent, catalog.meta("fingerprint") or "", fingerprint)
        catalog_writes.set_fingerprint(catalog, fingerprint)
        catalog_writes.forget_indexes(catalog)


def _foreign(folder: Path, built: str, present: str) -> FingerprintError:
    return FingerprintError(
        f"The library {folder} was built with {built}, but it is used with {present}.",
        "Run `paperchat library rebuild`, which embeds all papers anew. "
        "A newer paperchat may embed otherwise than an older one did.",
    )
