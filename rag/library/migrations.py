"""The schema of the catalog as a list of named steps: only ever append to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rag.errors import LibraryError

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

MIGRATIONS: tuple[tuple[str, str], ...] = (("0001-first", FIRST),)


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
        for name, script in MIGRATIONS[len(applied) :]:
            for statement in script.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?)", (name,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not ours; an empty one becomes ours.

    Raises:
        LibraryError: it is another program's.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if _tables(connection) and application_id != APPLICATION_ID:
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
