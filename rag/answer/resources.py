"""What an answer needs besides the question: library, models, and what is built on them; opened once."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from rag.answer.alignment import Idf
from rag.answer.grounding import Grounder
from rag.answer.retrieve import Retriever
from rag.answer.spelling import Speller
from rag.errors import LibraryEmptyError
from rag.ingest import library_fingerprint
from rag.library.library import Library
from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder, Generator, Reranker
from rag.models.llm import as_generator, make_generator
from rag.models.reranker import load_reranker
from rag.papers import normalised_title
from rag.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

SPELLED = 5000  # papers whose words a misspelt question is corrected towards


class Resources:
    """Opened when first asked for, by whichever thread comes first; closed together."""

    def __init__(
        self, settings: Settings, embedder: Embedder | None = None, generator: Generator | LLM | None = None
    ) -> None:
        self.settings = settings
        self.embedder: Embedder = embedder or load_embedder(settings)
        self._given = as_generator(generator) if generator is not None else None
        self._lock = threading.RLock()
        self._library: Library | None = None
        self._speller: tuple[int, Speller] | None = None
        self._generators: dict[str, Generator] = {}

    @property
    def library(self) -> Library:
        """The library, ready to be searched.

        Raises:
            LibraryEmptyError: there is none yet, or nothing is in it.
            LibraryError: it is damaged, or was built by another embedder.
        """
        with self._lock:
            folder = self.settings.library_folder
            if self._library is None and folder.is_dir():
                self._library = Library.open(folder, library_fingerprint(self.embedder))
            if self._library is None or not self._library.count():
                raise LibraryEmptyError(
                    f"The library in {folder} is empty.",
                    "Add papers with `paperchat ingest PATH`, e.g. the seeds/ folder.",
                )
            return self._library

    @cached_property
    def _reranker(self) -> Reranker | None:
        return load_reranker(self.settings.reranker)

    @property
    def retriever(self) -> Retriever:
        """Hybrid search over the library."""
        return Retriever(self.library, self.embedder, self._reranker)

    @property
    def speller(self) -> Speller:
        """Corrects questions towards the words of the newest papers."""
        with self._lock:
            library = self.library
            if self._speller is None or self._speller[0] != library.generation:
                papers = library.find(limit=SPELLED)
                self._speller = (library.generation, Speller(f"{p.title} {p.abstract}" for p in papers))
            return self._speller[1]

    def title(self, written: str) -> str | None:
        """The library's own title for one as somebody wrote it; None where no paper has it."""
        found = self.library.papers_titled([normalised_title(written)]).values()
        return next((paper.title for papers in found for paper in papers), None)

    @property
    def idf(self) -> Idf:
        """Weights of terms in the library."""
        return Idf(self.library.document_frequencies, self.library.n_documents)

    @property
    def grounder(self) -> Grounder:
        """The check of sentences against evidence."""
        return Grounder(self.idf, self.embedder)

    def generator(self, kind: Literal["openai", "local"]) -> Generator:
        """The language model behind an answerer, kept once made.

        Raises:
            SettingsError: no endpoint is configured.
            ModelError: the local model is not installed.
        """
        with self._lock:
            if self._given is not None:
                return self._given
            if kind not in self._generators:
                self._generators[kind] = make_generator(self.settings, kind)
            return self._generators[kind]

    def close(self) -> None:
        """Let go of the library's files."""
        with self._lock:
            if self._library is not None:
                self._library.close()
                self._library = None
