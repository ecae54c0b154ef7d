"""A write session: batches into the catalog, each one transaction, then the indexes brought after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rag.library import blocking, catalog_writes
from rag.library.blocking import Block
from rag.library.builds import INDEXES, bring_up_to_date
from rag.library.catalog import Catalog
from rag.library.records import Record, SourceEntry

# The indexes are published when this many papers wait for them, or a quarter of what they hold if that
# is more: a crash then leaves little to mend, and a long ingestion copies its vector index few times.
PENDING_PAPERS = 1000


class Writer:
    """What `Library.write()` gives; belongs to one thread."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self._dimension = catalog.dimension
        self._pending = 0

    def upsert(self, records: Sequence[Record]) -> None:
        """Store papers, replacing those of the same ids: all of them or none.

        When this returns the papers are in the catalog for good; searches show them when the
        session ends, or, should the process be killed before, when the library is opened next.

        Raises:
            LibraryError: passages or embeddings that do not fit the paper; disk full.
        """
        if not records:
            return
        self._check(records)
        with self._catalog.transaction():
            generation = catalog_writes.next_generation(self._catalog)
            catalog_writes.put_records(self._catalog, records, generation, self._dimension)
            entries = [(record.paper.paper_id, entry) for record in records for entry in record.entries]
            catalog_writes.put_entries(self._catalog, entries)
        self._written(len(records))

    def add_entries(self, entries: Iterable[tuple[str, SourceEntry]]) -> None:
        """Note where stored papers are listed: (paper_id, entry)."""
        with self._catalog.transaction():
            catalog_writes.put_entries(self._catalog, entries)

    def delete(self, paper_ids: Sequence[str]) -> None:
        """Delete papers from everywhere; unknown ids are ignored."""
        known = list(self._catalog.papers(paper_ids))
        if not known:
            return
        with self._catalog.transaction():
            catalog_writes.delete_papers(self._catalog, known, catalog_writes.next_generation(self._catalog))
        self._written(len(known))

    def block(self, blocks: Sequence[Block]) -> None:
        """Put names on the block list as they are; papers stored under them stay until deleted."""
        with self._catalog.transaction():
            blocking.put(self._catalog, blocks)

    def replace_all(self, batches: Iterable[Sequence[Record]], fingerprint: str) -> None:
        """Put these records in place of all passages and embeddings, in one transaction.

        Until it ends the library is as it was, also for readers and if the process is killed. With the
        fingerprint that it had, searches are served from the old indexes until the new ones are published.
        """
        self._dimension = 0
        same = self._catalog.meta("fingerprint") == fingerprint
        with self._catalog.transaction():
            generation = catalog_writes.next_generation(self._catalog)
            catalog_writes.set_fingerprint(self._catalog, fingerprint)
            for records in batches:
                self._check(records)
                catalog_writes.put_records(self._catalog, records, generation, self._dimension)
            if not same:
                catalog_writes.forget_indexes(self._catalog)
        bring_up_to_date(self._catalog, self._folder, from_scratch=INDEXES)
        self._pending = 0

    def publish(self) -> None:
        """Bring both indexes to what the catalog holds; searches show it from now on."""
        bring_up_to_date(self._catalog, self._folder)
        self._pending = 0

    def _check(self, records: Sequence[Record]) -> None:
        """The first embedding stored says how long all must be."""
        if not self._dimension:
            self._dimension = next((len(encoded.vector) for record in records for encoded in record.encoded), 0)
        for record in records:
            catalog_writes.check_record(record, self._dimension)

    def _written(self, n: int) -> None:
        self._pending += n
        if self._pending >= max(PENDING_PAPERS, self._catalog.count("papers") // 4):
            self.publish()
