"""What the tests of the library share: papers, a cheap embedder without a model, and libraries made of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from rag.library.library import Library
from rag.library.records import Record, SourceEntry
from rag.models.interfaces import Encoded
from rag.papers import Paper, Passage, paper_id_for

DIMENSION = 64
WORDS = re.compile(r"\S+")


class HashEmbedder:
    """Unit vectors from hashed words: equal words, equal vectors; counts the texts it encodes."""

    dimension = DIMENSION
    max_tokens = 256

    def __init__(self, fingerprint: str = "hash-1") -> None:
        self.fingerprint = fingerprint
        self.encoded_texts = 0

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """A row a word, and their normalised mean."""
        self.encoded_texts += len(texts)
        return [self._one(text) for text in texts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words."""
        return [len(text.split()) for text in texts]

    def _one(self, text: str) -> Encoded:
        found = list(WORDS.finditer(text)) or [re.compile("").match(text)]
        tokens = np.stack([_word(match.group().lower() + self.fingerprint) for match in found if match])
        mean = tokens.mean(axis=0)
        spans = np.array([match.span() for match in found if match], dtype=np.int32)
        return Encoded((mean / np.linalg.norm(mean)).astype(np.float32), tokens, spans)


def _word(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "replace")).digest()[:8], "little")
    vector = np.random.default_rng(seed).normal(size=DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def paper(title: str, abstract: str, **fields: object) -> Paper:
    """A paper under the id of its title."""
    return replace(Paper(paper_id_for(title), title, abstract), **fields)  # type: ignore[arg-type]


def record(one: Paper, embedder: HashEmbedder, entries: Sequence[SourceEntry] = ()) -> Record:
    """A paper with one passage a sentence."""
    spans = [match.span() for match in re.finditer(r"[^.]+\.?\s*", one.abstract)]
    passages = [
        Passage(f"{one.paper_id}#{n}", one.paper_id, n, one.abstract[start:end], start, end)
        for n, (start, end) in enumerate(spans)
    ]
    return Record(one, passages, embedder.encode([f"{one.title}\n{p.text}" for p in passages]), entries)


def fill(library: Library, papers: Sequence[Paper], embedder: HashEmbedder | None = None) -> None:
    """Store papers in one write session."""
    embedder = embedder or HashEmbedder()
    with library.write() as writer:
        writer.upsert([record(one, embedder) for one in papers])


def open_library(folder: Path, fingerprint: str = "hash-1") -> Library:
    """A library for `HashEmbedder`."""
    return Library.open(folder, fingerprint)


TOPICS = "retrieval quantization attention diffusion compression speech robots proteins memory alignment".split()


def many_papers(n: int, seed: int = 0) -> list[Paper]:
    """`n` different papers of two sentences, with dates, organisations and author counts, or without."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        words = [str(word) for word in rng.choice(TOPICS, size=4)]
        made.append(
            paper(
                f"Paper {i} on {words[0]} and {words[1]}",
                f"We study {words[2]} number{i} with {words[3]}. It is better than baseline{i} by {i} points.",
                published=None if i % 7 == 0 else date(2015 + i % 10, 1 + i % 12, 1 + i % 28),
                n_authors=None if i % 5 == 0 else 1 + i % 9,
                organisation=f"Org {i % 4}" if i % 3 == 0 else None,
            )
        )
    return made
