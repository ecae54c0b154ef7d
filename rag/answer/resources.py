"""What an answer needs besides the question: library, models, and what is built on them; opened once."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
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
from rag.models.llm import as_generator, context_budget, make_generator
from rag.models.reranker import load_reranker
from rag.papers import normalised_title
from rag.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

SPELLED = 5000  # papers whose words a misspelt question is corrected towards


class Shared:
    """What an engine has in common with those adapted from it: library, embedder, reranker, local models.

    Each is opened when first asked for, by whichever thread comes first.
    """

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self.embedder: Embedder = embedder or load_embedder(settings)
        self.lock = threading.RLock()
        self._folder = settings.library_folder
        self._reranking = settings.reranker
        self._library: Library | None = None
        self._speller: tuple[int, Speller] | None = None
        self._local: dict[tuple[Path | None, int, int], Generator] = {}

    def library(self, *, make: bool = False) -> Library | None:
        """The library, also an empty one; where there is none, None or a new one."""
        with self.lock:
            if self._library is None and (make or self._folder.is_dir()):
                self._library = Library.open(self._folder, library_fingerprint(self.embedder))
            return self._library

    @cached_property
    def reranker(self) -> Reranker | None:
        """The second opinion on what was found, if one is configured."""
        return load_reranker(self._reranking)

    def speller(self, library: Library) -> Speller:
        """Corrects questions towards the words of the newest papers."""
        with self.lock:
            if self._speller is None or self._speller[0] != library.generation:
                papers = library.find(limit=SPELLED)
                self._speller = (library.generation, Speller(f"{p.title} {p.abstract}" for p in papers))
            return self._speller[1]

    def local_model(self, settings: Settings) -> Generator:
        """The local model of these settings: one for all who have the same file and lengths."""
        which = (settings.local_model, context_budget(settings, "local"), settings.answer_tokens)
        with self.lock:
            if which not in self._local:
                self._local[which] = make_generator(settings, "local")
            return self._local[which]

    def close(self) -> None:
        """Let go of the library's files."""
        with self.lock:
            if self._library is not None:
                self._library.close()
                self._library = None


class Resources:
    """What the questions under one set of settings use: the shared parts, and an endpoint client of their own."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder | None = None,
        generator: Generator | LLM | None = None,
        *,
        shared: Shared | None = None,
    ) -> None:
        self.settings = settings
        self._shared = shared or Shared(settings, embedder)
        self._owner = shared is None
        self._given = as_generator(generator) if generator is not None else None
        self._endpoint: Generator | None = None

    def adapted(self, settings: Settings) -> Resources:
        """The same under other settings; closing it leaves what is shared open."""
        return Resources(settings, generator=self._given, shared=self._shared)

    @property
    def embedder(self) -> Embedder:
        """What the library and questions are embedded by."""
        return self._shared.embedder

    @property
    def library(self) -> Library:
        """The library, ready to be searched.

        Raises:
            LibraryEmptyError: there is none yet, or nothing is in it.
            LibraryError: it is damaged, or was built by another embedder.
        """
        library = self._shared.library()
        if library is None or not library.count():
            raise LibraryEmptyError(
                f"The library in {self.settings.library_folder} is empty.",
                "Add papers with `paperchat ingest PATH`, e.g. the seeds/ folder.",
            )
        return library

    def opened(self, *, make: bool = False) -> Library | None:
        """The library, also an empty one; None where there is none, unless it is to be made."""
        return self._shared.library(make=make)

    @property
    def retriever(self) -> Retriever:
        """Hybrid search over the library."""
        return Retriever(self.library, self.embedder, self._shared.reranker)

    @property
    def speller(self) -> Speller:
        """Corrects questions towards the words of the newest papers."""
        return self._shared.speller(self.library)

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
        if self._given is not None:
            return self._given
        if kind == "local":
            return self._shared.local_model(self.settings)
        with self._shared.lock:
            if self._endpoint is None:
                self._endpoint = make_generator(self.settings, "openai")
            return self._endpoint

    def close(self) -> None:
        """Let go of the library's files, unless they are somebody else's; an answer under way goes on."""
        if self._owner:
            self._shared.close()
