"""The reader's side of the indexes: opened once, exchanged when newer ones are published, mended when damaged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from rag.errors import LibraryError, LibraryLockedError
from rag.library.builds import INDEXES, VECTORS, WORDS, bring_up_to_date, build_folder, check_sizes, is_behind
from rag.library.catalog import Catalog
from rag.library.elsewhere import copied
from rag.library.lock import write_lock
from rag.library.records import IndexDamagedError, IndexState
from rag.library.vectors import VectorIndex
from rag.library.words import WordIndex
from rag.papers import Filters

Result = TypeVar("Result")
Index = TypeVar("Index", VectorIndex, WordIndex)
LOCK_SECONDS = 1.0

log = logging.getLogger(__name__)


class OpenIndexes:
    """The two indexes as this reader has them open; safe for threads.

    `_lock` is held while opening or mending, never during a search. A search that meets a failing
    index tries the newest build, and if that fails too has it built anew from the catalog.
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self._lock = threading.RLock()
        self._vectors: tuple[IndexState, VectorIndex] | None = None
        self._words: tuple[IndexState, WordIndex] | None = None
        self._copies: dict[str, TemporaryDirectory[str]] = {}  # of builds on a disk that takes no writes

    def vectors(self, use: Callable[[VectorIndex], Result], nothing: Result) -> Result:
        """What `use` makes of the vector index; `nothing` when none was built yet."""
        return self._with(VECTORS, self._open_vectors, use, nothing)

    def words(self, use: Callable[[WordIndex], Result], nothing: Result) -> Result:
        """What `use` makes of the word index; `nothing` when none was built yet."""
        return self._with(WORDS, self._open_words, use, nothing)

    def close(self) -> None:
        """Let go of both; searches under way end undisturbed."""
        with self._lock:
            self._vectors = self._words = None
            self._copies.clear()

    def mend_if_free(self) -> None:
        """Bring indexes that a killed writer left behind after the catalog, unless a writer is at work.

        Where that fails, on a full or read-only disk, searches go on with what was published last.

        Raises:
            LibraryError: it failed, and nothing that could be searched has been published.
        """
        if not is_behind(self._catalog):
            return
        try:
            with writing(self._folder, 0) as catalog:
                if is_behind(catalog):
                    log.warning("The indexes of %s are behind its catalog; mending them.", self._folder)
                    bring_up_to_date(catalog, self._folder)
        except LibraryLockedError:
            log.info("The library %s is being written; reading what is published.", self._folder)
        except LibraryError as error:
            states = [self._catalog.index_state(name) for name in INDEXES]
            if not all(state is not None and state.generation >= 0 for state in states):
                raise
            log.warning("The indexes of %s stay behind its catalog; reading what is published: %s", self._folder, error)

    def _with(
        self,
        name: str,
        opened: Callable[[IndexState], Index],
        use: Callable[[Index], Result],
        nothing: Result,
    ) -> Result:
        state = self._state(name)
        if state is None:
            return nothing
        try:
            return use(opened(state))
        except IndexDamagedError:
            pass  # damaged, or replaced while it was being opened
        with self._lock:
            self.close()
            try:
                return use(opened(self._state(name) or state))
            except IndexDamagedError as error:
                self._build_anew(name, error)
            try:
                return use(opened(self._state(name) or state))
            except IndexDamagedError as error:
                raise LibraryError(
                    f"The index {name!r} of {self._folder} cannot be used: {error}.",
                    "Check free space and permissions, then run `paperchat library repair`.",
                ) from error

    def _build_anew(self, name: str, error: IndexDamagedError) -> None:
        log.warning("Building the index %r of %s anew: %s", name, self._folder, error)
        self.close()
        with writing(self._folder, LOCK_SECONDS) as catalog:
            bring_up_to_date(catalog, self._folder, from_scratch=(name,))

    def _state(self, name: str) -> IndexState | None:
        state = self._catalog.index_state(name)
        if state is not None and state.generation < 0:
            self.mend_if_free()  # the embeddings were replaced and the writer killed before the indexes were
            state = self._catalog.index_state(name)
            if state is not None and state.generation < 0:
                raise LibraryLockedError(f"The library {self._folder} is being rebuilt.", "Try again when it is done.")
        return state

    def _open_vectors(self, state: IndexState) -> VectorIndex:
        with self._lock:
            if self._vectors is None or self._vectors[0].build != state.build:
                self._vectors = None
                check_sizes(self._folder, state)
                index = VectorIndex(self._place(state))
                # Chroma loads its files at the first query, and takes missing ones for empty ones:
                # query now, and see that the files were there until it had them.
                index.nearest(np.ones(self._catalog.dimension, dtype=np.float32), 1, Filters())
                check_sizes(self._folder, state)
                self._vectors = (state, index)
            return self._vectors[1]

    def _open_words(self, state: IndexState) -> WordIndex:
        with self._lock:
            known = self._words[0] if self._words else None
            if known is None or known.build != state.build or (WORDS in self._copies and known != state):
                self._words = (state, WordIndex(self._place(state)))
            elif self._words and known != state:
                self._words[1].reload()
                self._words = (state, self._words[1])
            assert self._words
            return self._words[1]

    def _place(self, state: IndexState) -> Path:
        """Where a build can be opened: its own place, or that of a copy."""
        build = build_folder(self._folder, state)
        self._copies.pop(state.name, None)
        if copy := copied(build):
            self._copies[state.name] = copy
            return Path(copy.name)
        return build


@contextmanager
def writing(folder: Path, timeout: float = LOCK_SECONDS) -> Iterator[Catalog]:
    """The write lock, and a connection of the writer's own.

    Raises:
        LibraryLockedError: another writer is at work and did not finish within `timeout` seconds.
    """
    with write_lock(folder, timeout):
        catalog = Catalog(folder)
        try:
            yield catalog
            catalog.checkpoint()
        finally:
            catalog.close()
