"""As many papers as wanted, recombined from real abstracts, and embeddings of them that cost next to nothing.

A paper is a real abstract of which half of the sentences come from abstracts on the same subject, with other
numbers in them. Sentences and titles are really encoded, once, each by itself; a passage's token vectors are
those of its sentences one after the other, and its vector is their mean. So texts, vectors and their crowding
are near to real ones, while a hundred thousand papers need no hours of encoding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np

from rag.chunking import sentences
from rag.models.interfaces import Embedder, Encoded, Vector
from rag.papers import Paper, paper_id_for

SOURCES = 600  # real abstracts
SHORTEST, LONGEST = 600, 1800  # characters of an abstract
TITLE_CHARS = 120
ALIKE = 8  # abstracts on the same subject
SERIES = ", part "  # between the real title and what makes it unique
FIRST_DAY = date(2015, 1, 1)
DIGITS = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Source:
    """A real abstract in sentences that hold no line end."""

    title: str
    sentences: tuple[str, ...]


def read_sources(corpus: Path, at_most: int = SOURCES) -> list[Source]:
    """The first usable abstracts of a BEIR corpus (`corpus.jsonl` with title and text)."""
    found = []
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            title = " ".join(row["title"].split())
            if not (SHORTEST <= len(row["text"]) <= LONGEST and 0 < len(title) <= TITLE_CHARS):
                continue
            cut = [" ".join(one.text.split()) for one in sentences(row["text"])]
            whole = [one for one in cut if len(sentences(one)) == 1]
            if len(whole) >= 4:
                found.append(Source(title, tuple(whole)))
            if len(found) == at_most:
                break
    return found


class Recombined:
    """Papers by number, and, as an embedder, the embeddings of their passages.

    `seconds` is what deriving embeddings has taken, so that it can be left out of a measurement.
    """

    def __init__(self, sources: Sequence[Source], embedder: Embedder) -> None:
        self.fingerprint, self.dimension, self.max_tokens = (
            embedder.fingerprint,
            embedder.dimension,
            embedder.max_tokens,
        )
        self.seconds, self.texts = 0.0, 0
        self._sources = sources
        texts = list(dict.fromkeys(_key(text) for one in sources for text in (one.title, *one.sentences)))
        encoded = embedder.encode(texts)
        self._known = {text: _small(one) for text, one in zip(texts, encoded, strict=True)}
        self._counts = dict(zip(texts, embedder.count_tokens(texts), strict=True))
        self._alike = _neighbours(np.stack([self._mean(one) for one in sources]))

    def paper(self, number: int) -> Paper:
        """Paper `number` (from 0), always the same."""
        rng = np.random.default_rng(number)
        own = number % len(self._sources)
        source = self._sources[own]
        chosen = []
        for place, sentence in enumerate(source.sentences):
            if rng.random() < 0.5:
                other = self._sources[int(rng.choice(self._alike[own]))].sentences
                sentence = other[min(place, len(other) - 1)]
            chosen.append(_other_numbers(sentence, rng))
        title = f"{source.title}{SERIES}{number}"
        return Paper(
            paper_id_for(title),
            title,
            "\n".join(dict.fromkeys(chosen)),
            published=FIRST_DAY + timedelta(days=number % 3600),
            n_authors=1 + number % 9,
            organisation=f"Institute {number % 40}" if number % 3 == 0 else None,
        )

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Embeddings put together from those of the sentences."""
        begun = perf_counter()
        found = [self._put_together(text) for text in texts]
        self.seconds += perf_counter() - begun
        self.texts += len(texts)
        return found

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of sentences added up; of other texts, one for four characters."""
        return [
            sum(self._counts.get(_key(line), 1 + len(line) // 4) for line in text.split("\n") if line) for text in texts
        ]

    def _put_together(self, text: str) -> Encoded:
        tokens, spans, at = [], [], 0
        for line in text.split("\n"):
            known = self._known.get(_key(line.partition(SERIES)[0]))
            if known is not None:
                tokens.append(known[0])
                spans.append(np.where(known[1] >= 0, known[1] + at, -1))
            at += len(line) + 1
        if not tokens:
            raise ValueError(f"No sentence of this text was encoded: {text[:80]!r}")
        rows = np.asarray(np.concatenate(tokens)[: self.max_tokens] / 127, dtype=np.float32)
        return Encoded(_unit(rows.mean(axis=0)), rows, np.concatenate(spans)[: self.max_tokens].astype(np.int32))

    def _mean(self, source: Source) -> Vector:
        return _unit(np.concatenate([self._known[_key(one)][0] for one in source.sentences]).astype(np.float32).mean(0))


def _key(text: str) -> str:
    return DIGITS.sub("0", text)


def _other_numbers(text: str, rng: np.random.Generator) -> str:
    """The text with other digits, so that a sentence is seldom the same twice."""
    return DIGITS.sub(lambda _: str(rng.integers(0, 10)), text)


def _small(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
    return np.rint(encoded.tokens * 127).astype(np.int8), encoded.spans


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _neighbours(vectors: Vector) -> np.ndarray:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    return np.argsort(-cosines, axis=1)[:, :ALIKE]
