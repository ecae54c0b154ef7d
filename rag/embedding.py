"""Papers to what is stored of them: cut into passages, embedded where they are new, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from rag.chunking import chunk, embedding_text
from rag.library.codec import text_key
from rag.library.library import Library
from rag.library.records import Record
from rag.models.interfaces import Embedder, Encoded
from rag.papers import Body, Paper
from rag.telling_tokens import telling_tokens

BATCH = 32  # papers embedded and stored in one transaction: what an interruption can lose
AHEAD = 2  # batches made at once
Progress = Callable[[int, int], None]


def ahead(
    make: Callable[[Sequence[Paper]], list[Record]], batches: Iterable[Sequence[Paper]]
) -> Generator[list[Record]]:
    """What is made of each batch, in order; the next ones are made in threads while the caller stores those before.

    Two at a time: one is cut into passages while the other is embedded, so that no core waits. Whoever may stop
    before the end closes it, which waits for what is begun.
    """
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[Future[list[Record]]] = deque()
        for batch in batches:
            waiting.append(pool.submit(make, batch))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def told(made: Iterable[list[Record]], papers: int, progress: Progress | None) -> Iterator[list[Record]]:
    """`made`, with progress told once the caller has dealt with a batch: what it counts is stored."""
    done = 0
    if progress and papers:
        progress(done, papers)
    for batch in made:
        yield batch
        done += len(batch)
        if progress:
            progress(done, papers)


def batches(papers: Sequence[Paper]) -> Iterator[Sequence[Paper]]:
    """Batches of papers, one with a full text alone, which has many passages."""
    start = 0
    while start < len(papers):
        end = start + 1
        while end < len(papers) and end - start < BATCH and not (papers[start].body_hash or papers[end].body_hash):
            end += 1
        yield papers[start:end]
        start = end


def records(
    papers: Sequence[Paper], embedder: Embedder, bodies: Mapping[str, Body], known: Library | None
) -> list[Record]:
    """Papers with passages and embeddings; texts that `known` has embeddings of are not embedded again."""
    passages = {
        paper.paper_id: chunk(paper, embedder.count_tokens, window=embedder.max_tokens, body=bodies.get(paper.paper_id))
        for paper in papers
    }
    pairs = [(paper.title, passage.text) for paper in papers for passage in passages[paper.paper_id]]
    texts = {text_key(*pair): pair for pair in pairs}
    encoded = known.encoded_by_text(texts) if known else {}
    missing = [key for key in texts if key not in encoded]
    encoded |= zip(missing, _embed([texts[key] for key in missing], embedder), strict=True)

    def record(paper: Paper) -> Record:
        own = passages[paper.paper_id]
        vectors = [encoded[text_key(paper.title, passage.text)] for passage in own]
        return Record(paper, own, vectors, body=bodies.get(paper.paper_id))

    return [record(paper) for paper in papers]


def _embed(texts: Sequence[tuple[str, str]], embedder: Embedder) -> list[Encoded]:
    """Embeddings of passages under their titles; the spans of their tokens count from the passage's first character."""
    if not texts:
        return []
    titled = [embedding_text(title, text) for title, text in texts]
    encoded = embedder.encode([text for text, _ in titled])
    return [_rebased(telling_tokens(text, one), prefix) for one, (text, prefix) in zip(encoded, titled, strict=True)]


def _rebased(encoded: Encoded, prefix: int) -> Encoded:
    in_passage = encoded.spans[:, :1] >= prefix
    return replace(encoded, spans=np.where(in_passage, encoded.spans - prefix, -1).astype(np.int32))
