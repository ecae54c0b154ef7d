"""The schema of the kept conversations as a list of steps: only ever append to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rag.errors import PaperchatError

APPLICATION_ID = 0x50_43_43_56  # "PCCV": tells our file from any other SQLite file

FIRST = """
CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    deleted TEXT
);
CREATE INDEX conversations_by_owner ON conversations (owner, updated);
CREATE INDEX conversations_by_deletion ON conversations (deleted) WHERE deleted IS NOT NULL;
CREATE TABLE turns (
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    number INTEGER NOT NULL,
    question TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    text TEXT NOT NULL,
    answer BLOB,
    problem TEXT NOT NULL,
    stopped INTEGER NOT NULL,
    limits TEXT NOT NULL,
    PRIMARY KEY (conversation, number)
);
CREATE VIRTUAL TABLE said USING fts5 (title, turns, tokenize = 'unicode61 remove_diacritics 2');
"""

STEPS: tuple[str, ...] = (FIRST,)  # how many of them a file has had is its `user_version`


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file's schema to the newest version in one transaction; an empty file becomes ours.

    Raises:
        PaperchatError: the file is another program's, or a newer paperchat's.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check_owner(connection, path)
        done = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if done > len(STEPS):
            raise PaperchatError(
                f"{path} was written by a newer paperchat (schema {done}).",
                "Update paperchat, or choose another folder with PAPERCHAT_HOME.",
            )
        for script in STEPS[done:]:
            for statement in script.split(";\n"):
                connection.execute(statement)
        if done < len(STEPS):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException as error:
        roll_back(connection, error)
        raise


def roll_back(connection: sqlite3.Connection, error: BaseException) -> None:
    """Undo the open transaction because of `error`, which stays what is told of also where that fails.

    SQLite has often undone it by itself already, after a full disk say.
    """
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error as also:
            error.add_note(f"It could not be undone: {also}.")


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application_id != APPLICATION_ID:
        raise PaperchatError(
            f"{path} is an SQLite file of another program.", "Move it away, or choose another PAPERCHAT_HOME."
        )
