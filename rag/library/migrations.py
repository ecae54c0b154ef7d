"""The schema of the catalog as a list of named steps: only ever append to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rag.errors import LibraryError
from rag.papers import normalised_title

APPLICATION_ID = 0x50_43_48_54  # "PCHT": tells our file from any other SQLite file

FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE papers (
    paper_id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    abstract TEXT NOT NULL,
    published INTEGER,
    year_inferred INTEGER NOT NULL,
    n_authors INTEGER,
    organisation TEXT,
    comments INTEGER,
    content_hash TEXT NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX papers_by_title ON papers (title_key);
CREATE INDEX papers_by_date ON papers (published);
CREATE INDEX papers_by_organisation ON papers (organisation) WHERE organisation IS NOT NULL;
CREATE INDEX papers_by_generation ON papers (generation);
CREATE TABLE deleted (paper_id TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE passages (
    passage_id TEXT PRIMARY KEY,
    paper_id TEXT NOT NULL REFERENCES papers ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    UNIQUE (paper_id, ordinal)
);
CREATE TABLE embeddings (
    passage_id TEXT PRIMARY KEY REFERENCES passages ON DELETE CASCADE,
    text_key TEXT NOT NULL,
    vector BLOB NOT NULL,
    levels BLOB NOT NULL,
    scales BLOB NOT NULL,
    spans BLOB NOT NULL
);
CREATE INDEX embeddings_by_text ON embeddings (text_key);
CREATE TABLE sources (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    source TEXT NOT NULL REFERENCES sources ON DELETE CASCADE,
    line INTEGER NOT NULL,
    paper_id TEXT NOT NULL REFERENCES papers ON DELETE CASCADE,
    content_hash TEXT NOT NULL,
    PRIMARY KEY (source, line)
) WITHOUT ROWID;
CREATE INDEX entries_by_paper ON entries (paper_id);
CREATE TABLE indexes (
    name TEXT PRIMARY KEY,
    build INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    manifest TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', '0');
"""

SOURCES = """
ALTER TABLE papers ADD COLUMN authors TEXT NOT NULL DEFAULT '[]';
ALTER TABLE papers ADD COLUMN arxiv_id TEXT;
ALTER TABLE papers ADD COLUMN doi TEXT;
ALTER TABLE papers ADD COLUMN url TEXT;
ALTER TABLE papers ADD COLUMN upvotes INTEGER;
ALTER TABLE papers ADD COLUMN body_hash TEXT;
ALTER TABLE papers ADD COLUMN from_document INTEGER NOT NULL DEFAULT 0;
CREATE INDEX papers_by_arxiv_id ON papers (arxiv_id) WHERE arxiv_id IS NOT NULL;
CREATE INDEX papers_by_doi ON papers (doi) WHERE doi IS NOT NULL;
ALTER TABLE passages ADD COLUMN in_body INTEGER NOT NULL DEFAULT 0;
ALTER TABLE passages ADD COLUMN section TEXT;
ALTER TABLE passages ADD COLUMN page INTEGER;
CREATE TABLE bodies (
    paper_id TEXT PRIMARY KEY REFERENCES papers ON DELETE CASCADE,
    text TEXT NOT NULL,
    parts TEXT NOT NULL
);
CREATE TABLE blocked (
    kind TEXT NOT NULL CHECK (kind IN ('paper_id', 'arxiv_id', 'doi', 'title')),
    key TEXT NOT NULL,
    title TEXT NOT NULL,
    reason TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE links (
    paper_id TEXT NOT NULL REFERENCES papers ON DELETE CASCADE,
    other_id TEXT NOT NULL REFERENCES papers ON DELETE CASCADE,
    likeness REAL NOT NULL,
    PRIMARY KEY (paper_id, other_id)
) WITHOUT ROWID;
CREATE INDEX links_by_other ON links (other_id)
"""

PRECISION = "ALTER TABLE papers ADD COLUMN date_of TEXT NOT NULL DEFAULT 'day'"

MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("0001-first", FIRST),
    ("0002-sources", SOURCES),
    ("0003-date-precision", PRECISION),
    ("0004-titles-in-all-letters", "UPDATE papers SET title_key = normalised_title(title)"),
)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to the newest version in one transaction.

    Raises:
        LibraryError: the file belongs to a newer paperchat.
    """
    applied = _applied(connection, path)
    if [name for name, _ in MIGRATIONS] == applied:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        applied = _applied(connection, path)  # another process may have been faster
        connection.create_function("normalised_title", 1, normalised_title, deterministic=True)
        for name, script in MIGRATIONS[len(applied) :]:
            for statement in script.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?)", (name,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not ours; an empty one becomes ours.

    Raises:
        LibraryError: it is another program's.
    """
    tables = _tables(connection)  # first: another process may be making it ours just now
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise LibraryError(
            f"{path} is an SQLite file of another program.", "Choose another folder with PAPERCHAT_HOME."
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _applied(connection: sqlite3.Connection, path: Path) -> list[str]:
    if "migrations" not in _tables(connection):
        return []
    applied = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name")]
    if applied != [name for name, _ in MIGRATIONS][: len(applied)]:
        raise LibraryError(
            f"{path} was written by a newer paperchat (schema {applied[-1]}).",
            "Update paperchat, or choose another folder with PAPERCHAT_HOME.",
        )
    return applied
