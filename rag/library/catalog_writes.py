"""What changes the catalog; each function runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from rag.errors import LibraryError
from rag.library.catalog import IN_LIST, PASSAGE, Catalog
from rag.library.codec import belong, pack, pack_parts, text_key
from rag.library.filtering import date_number
from rag.library.records import IndexState, Record, SourceEntry
from rag.papers import Paper, normalised_title


def next_generation(catalog: Catalog) -> int:
    """Count one write."""
    generation = catalog.generation + 1
    set_meta(catalog, "generation", str(generation))
    return generation


def set_meta(catalog: Catalog, key: str, value: str) -> None:
    """Set a value of the table `meta`."""
    catalog.write("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, value)])


def put_records(catalog: Catalog, records: Sequence[Record], generation: int, dimension: int) -> None:
    """Put papers with passages and embeddings in place of what there was under their ids."""
    set_meta(catalog, "dimension", str(dimension))
    ids = [(record.paper.paper_id,) for record in records]
    catalog.write("DELETE FROM passages WHERE paper_id = ?", ids)  # embeddings follow
    catalog.write("DELETE FROM deleted WHERE paper_id = ?", ids)
    changed = ", ".join(f"{name} = excluded.{name}" for name in PAPER_COLUMNS[1:])
    catalog.write(
        f"INSERT INTO papers ({', '.join(PAPER_COLUMNS)}) VALUES ({', '.join('?' * len(PAPER_COLUMNS))}) "
        f"ON CONFLICT (paper_id) DO UPDATE SET {changed}",  # never REPLACE: it would delete the paper's entries
        [_paper_row(record.paper, generation) for record in records],
    )
    passages = [passage for record in records for passage in record.passages]
    catalog.write(
        f"INSERT INTO passages ({PASSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [astuple(p) for p in passages]
    )
    catalog.write("DELETE FROM bodies WHERE paper_id = ?", ids)
    bodies = [(r.paper.paper_id, r.body.text, pack_parts(r.body.parts)) for r in records if r.body]
    catalog.write("INSERT INTO bodies VALUES (?, ?, ?)", bodies)
    catalog.write("INSERT INTO embeddings VALUES (?, ?, ?, ?, ?, ?)", _embedding_rows(records))


def put_entries(catalog: Catalog, entries: Iterable[tuple[str, SourceEntry]]) -> None:
    """Note which file lists which paper (paper_id, entry).

    The same content under another name is the same source. Another content under a known name is a
    new version of it, whose entries take the place of the old ones.
    """
    names: dict[tuple[str, str], str] = {}
    for paper_id, entry in entries:
        key = (entry.source, entry.sha256)
        if key not in names:
            names[key] = _source_name(catalog, *key)
        catalog.write(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
            [(names[key], entry.line, paper_id, entry.content_hash)],
        )


def delete_papers(catalog: Catalog, paper_ids: Iterable[str], generation: int) -> None:
    """Delete papers with all that belongs to them, and remember that for the indexes."""
    ids = [(paper_id,) for paper_id in paper_ids]
    catalog.write("DELETE FROM papers WHERE paper_id = ?", ids)
    catalog.write("INSERT OR REPLACE INTO deleted VALUES (?, ?)", [(paper_id, generation) for (paper_id,) in ids])


def put_index_state(catalog: Catalog, state: IndexState) -> None:
    """Publish a build of an index."""
    row = (state.name, state.build, state.generation, json.dumps(state.manifest))
    catalog.write("INSERT OR REPLACE INTO indexes VALUES (?, ?, ?, ?)", [row])


def changed_since(catalog: Catalog, generation: int) -> tuple[list[str], list[str]]:
    """(ids of papers written, ids of papers deleted) after `generation`."""
    written = catalog.rows("SELECT paper_id FROM papers WHERE generation > ? ORDER BY paper_id", (generation,))
    deleted = catalog.rows("SELECT paper_id FROM deleted WHERE generation > ? ORDER BY paper_id", (generation,))
    return [row[0] for row in written], [row[0] for row in deleted]


def check_record(record: Record, dimension: int) -> None:
    """Refuse what could not be found again.

    Raises:
        LibraryError: passages that are no slices of the abstract or full text, embeddings that do not fit
            them, or a full text that is not the one the paper names.
    """
    paper, body = record.paper, record.body
    if paper.body_hash != (body.content_hash if body else None):
        raise LibraryError(f"The full text of {paper.title!r} is not the one that the paper names.")
    source = {True: body.text if body else "", False: paper.abstract}
    wrong = [p.passage_id for p in record.passages if source[p.in_body][p.start : p.end] != p.text]
    if wrong or any(p.paper_id != paper.paper_id for p in record.passages):
        raise LibraryError(f"Passages of {paper.title!r} are not slices of its text: {wrong}.")
    if len(record.passages) != len(record.encoded):
        raise LibraryError(f"{paper.title!r} has {len(record.passages)} passages but {len(record.encoded)} embeddings.")
    for encoded in record.encoded:
        fits = encoded.vector.shape == (dimension,) and belong(encoded)
        if not fits or not np.isfinite(encoded.vector).all() or not np.isfinite(encoded.tokens).all():
            raise LibraryError(f"An embedding of {paper.title!r} is not a finite vector of {dimension} numbers.")


PAPER_COLUMNS = (
    "paper_id",
    "title",
    "title_key",
    "abstract",
    "published",
    "year_inferred",
    "n_authors",
    "organisation",
    "comments",
    "authors",
    "arxiv_id",
    "doi",
    "url",
    "upvotes",
    "body_hash",
    "from_document",
    "date_of",
    "content_hash",
    "generation",
)


def _paper_row(paper: Paper, generation: int) -> tuple[Any, ...]:
    return (
        paper.paper_id,
        paper.title,
        normalised_title(paper.title),
        paper.abstract,
        date_number(paper.published),
        int(paper.year_inferred),
        paper.n_authors,
        paper.organisation,
        paper.comments,
        json.dumps(paper.authors, ensure_ascii=False),
        paper.arxiv_id,
        paper.doi,
        paper.url,
        paper.upvotes,
        paper.body_hash,
        int(paper.from_document),
        paper.date_of,
        paper.content_hash,
        generation,
    )


def _embedding_rows(records: Sequence[Record]) -> Iterable[tuple[Any, ...]]:
    for record in records:
        for passage, encoded in zip(record.passages, record.encoded, strict=True):
            yield passage.passage_id, text_key(record.paper.title, passage.text), *pack(encoded)


def _source_name(catalog: Catalog, name: str, sha256: str) -> str:
    known = catalog.rows("SELECT name FROM sources WHERE sha256 = ? ORDER BY name = ? DESC", (sha256, name))
    if known:
        return str(known[0][0])
    catalog.write("DELETE FROM sources WHERE name = ?", [(name,)])  # its entries follow
    catalog.write("INSERT INTO sources VALUES (?, ?)", [(name, sha256)])
    return name


def known_entries(catalog: Catalog, sha256s: Iterable[str]) -> dict[tuple[str, int], tuple[str, str]]:
    """(sha256 of the file, line) -> (paper_id, content hash of the entry), as noted before."""
    rows = catalog.rows(
        "SELECT s.sha256, e.line, e.paper_id, e.content_hash FROM entries e JOIN sources s ON s.name = e.source "
        f"WHERE s.sha256 {IN_LIST}",
        (json.dumps(list(sha256s)),),
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def set_fingerprint(catalog: Catalog, fingerprint: str) -> None:
    """Say by what the embeddings are made."""
    set_meta(catalog, "fingerprint", fingerprint)


def forget_indexes(catalog: Catalog) -> None:
    """Have both indexes built anew: generation -1 is behind everything."""
    catalog.write("UPDATE indexes SET generation = ?, manifest = '{}'", [(-1,)])
