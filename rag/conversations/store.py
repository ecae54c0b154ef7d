"""Conversations on disk: each belongs to its owner, and whoever was given its id may read it."""

from __future__ import annotations

import builtins
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from rag.conversations.database import Database
from rag.conversations.packing import pack, turn_of
from rag.conversations.records import StoredTurn, Summary
from rag.conversations.searching import fts_query, searchable
from rag.conversations.titles import given_title
from rag.errors import NotFoundError

CONVERSATIONS = "conversations.sqlite3"  # below PAPERCHAT_HOME
ID_BYTES = 16  # 128 bits: a link cannot be guessed
KEPT_FOR_UNDO = timedelta(hours=1)  # how long a deleted conversation can be brought back
SUMMARY_FIELDS = 6
SNIPPET_WORDS = 14

_SUMMARY = """c.conversation_id, c.owner, c.title, c.created, c.updated,
    (SELECT count(*) FROM turns t WHERE t.conversation = c.number)"""
_TURN = "number, question, asked_at, text, answer, problem, stopped"
_OF_OWNER = "conversation_id = ? AND owner = ?"


class ConversationStore:
    """Safe for threads and for several processes; every change is on the disk when its method returns.

    All methods raise PaperchatError where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        try:
            self._purge()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # --- reading ---------------------------------------------------------------------------------

    def list(self, owner: str, query: str = "", limit: int = 200) -> list[Summary]:
        """The owner's conversations, latest first; with a query those in which all its words occur.

        A word also finds longer ones that begin with it; case, accents and punctuation do not matter.
        """
        if not query.strip():
            sql = f"""SELECT {_SUMMARY} FROM conversations c WHERE owner = ? AND deleted IS NULL
                ORDER BY updated DESC, number DESC LIMIT ?"""
            return [Summary(*row) for row in self._database.rows(sql, (_storable(owner), limit))]
        wanted = fts_query(_storable(query))
        if not wanted:
            return []
        # CROSS JOIN: search first; left to itself, SQLite may search anew for each conversation.
        sql = f"""SELECT {_SUMMARY}, snippet(said, 1, '', '', '…', {SNIPPET_WORDS})
            FROM said CROSS JOIN conversations c ON c.number = said.rowid
            WHERE said MATCH ? AND c.owner = ? AND c.deleted IS NULL
            ORDER BY c.updated DESC, c.number DESC LIMIT ?"""
        found = [Summary(*row) for row in self._database.rows(sql, (wanted, _storable(owner), limit))]
        return [replace(summary, snippet=" ".join(summary.snippet.split())) for summary in found]

    def load(self, conversation_id: str) -> tuple[Summary, builtins.list[StoredTurn]]:
        """A conversation with its turns in their order, whoever asks: the id is the link to it.

        A turn whose answer cannot be read any more says so in its `problem`.

        Raises:
            NotFoundError: there is none, or it was deleted.
        """
        sql = f"""SELECT {_SUMMARY}, t.number, question, asked_at, text, answer, problem, stopped
            FROM conversations c LEFT JOIN turns t ON t.conversation = c.number
            WHERE conversation_id = ? AND deleted IS NULL ORDER BY t.number"""
        rows = self._database.rows(sql, (_storable(conversation_id),))
        if not rows:
            raise _not_found(conversation_id)
        turns = [row[SUMMARY_FIELDS:] for row in rows]
        return Summary(*rows[0][:SUMMARY_FIELDS]), [turn_of(turn) for turn in turns if turn[0] is not None]

    # --- writing ---------------------------------------------------------------------------------

    def create(self, owner: str, title: str) -> str:
        """Begin an empty conversation and return its id."""
        self._purge()
        with self._database.transaction():
            return self._insert(owner, given_title(_storable(title)))[0]

    def save_turn(self, conversation_id: str, owner: str, turn: StoredTurn) -> None:
        """Keep a turn; one of the same number is replaced.

        Raises:
            NotFoundError: the owner has no such conversation.
        """
        answer = pack(turn.answer) if turn.answer is not None else None
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            values = (
                turn.number,
                _storable(turn.question),
                _storable(turn.asked_at),
                _storable(turn.text),
                answer,
                _storable(turn.problem),
                turn.stopped,
            )
            self._database.changed(
                f"INSERT OR REPLACE INTO turns (conversation, {_TURN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, *values),
            )
            self._touch(number)

    def drop_turns(self, conversation_id: str, owner: str, first: int) -> None:
        """Forget the turns from number `first` on.

        Raises:
            NotFoundError: the owner has no such conversation.
        """
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            self._database.changed("DELETE FROM turns WHERE conversation = ? AND number >= ?", (number, first))
            self._touch(number)

    def fork(self, conversation_id: str, owner: str) -> str:
        """A copy that belongs to `owner`, to go on from somebody else's link; the original stays as it is.

        Raises:
            NotFoundError: there is none, or it was deleted.
        """
        with self._database.transaction():
            where = "conversation_id = ? AND deleted IS NULL"
            originals = self._database.rows(
                f"SELECT number, title FROM conversations WHERE {where}", (_storable(conversation_id),)
            )
            if not originals:
                raise _not_found(conversation_id)
            original, title = originals[0]
            copy, number = self._insert(owner, title)
            self._database.changed(
                f"INSERT INTO turns (conversation, {_TURN}) SELECT ?, {_TURN} FROM turns WHERE conversation = ?",
                (number, original),
            )
            self._touch(number)
        return copy

    def rename(self, conversation_id: str, owner: str, title: str) -> None:
        """Give a conversation another title; it keeps its place in the list.

        Raises:
            NotFoundError: the owner has no such conversation.
        """
        title = given_title(_storable(title))
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            self._database.changed("UPDATE conversations SET title = ? WHERE number = ?", (title, number))
            self._database.changed("UPDATE said SET title = ? WHERE rowid = ?", (title, number))

    def delete(self, conversation_id: str, owner: str) -> None:
        """Take a conversation away, its link included; it can be restored for an hour, then it is overwritten.

        Raises:
            NotFoundError: the owner has no such conversation.
        """
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            self._database.changed("UPDATE conversations SET deleted = ? WHERE number = ?", (_now(), number))
        self._purge()

    def restore(self, conversation_id: str, owner: str) -> None:
        """Bring a deleted conversation back as it was; one that is not deleted stays as it is.

        Raises:
            NotFoundError: the owner has no such conversation, or it is gone for good.
        """
        sql = f"UPDATE conversations SET deleted = NULL WHERE {_OF_OWNER}"
        if not self._database.changed(sql, (_storable(conversation_id), _storable(owner))):
            raise _not_found(conversation_id)

    # --- inside a transaction --------------------------------------------------------------------

    def _insert(self, owner: str, title: str) -> tuple[str, int]:
        """A new conversation's id and its number in the file."""
        conversation_id, now = secrets.token_urlsafe(ID_BYTES), _now()
        ((number,),) = self._database.rows(
            """INSERT INTO conversations (conversation_id, owner, title, created, updated)
            VALUES (?, ?, ?, ?, ?) RETURNING number""",
            (conversation_id, _storable(owner), title, now, now),
        )
        self._database.changed("INSERT INTO said (rowid, title, turns) VALUES (?, ?, '')", (number, title))
        return conversation_id, number

    def _number(self, conversation_id: str, owner: str) -> int:
        sql = f"SELECT number FROM conversations WHERE {_OF_OWNER} AND deleted IS NULL"
        rows = self._database.rows(sql, (_storable(conversation_id), _storable(owner)))
        if not rows:
            raise _not_found(conversation_id)
        return int(rows[0][0])

    def _touch(self, number: int) -> None:
        """The turns have changed: when, and what a search finds."""
        rows = self._database.rows("SELECT question, text FROM turns WHERE conversation = ? ORDER BY number", (number,))
        said = searchable(chain.from_iterable(rows))
        self._database.changed("UPDATE conversations SET updated = ? WHERE number = ?", (_now(), number))
        self._database.changed("UPDATE said SET turns = ? WHERE rowid = ?", (said, number))

    def _purge(self) -> None:
        """Overwrite what was deleted longer ago than it can be restored, in the search's index and the log too."""
        before = (_stamp(datetime.now(UTC) - KEPT_FOR_UNDO),)
        if not self._database.rows("SELECT 1 FROM conversations WHERE deleted < ? LIMIT 1", before):
            return
        with self._database.transaction():
            doomed = "SELECT number FROM conversations WHERE deleted < ?"
            self._database.changed(f"DELETE FROM said WHERE rowid IN ({doomed})", before)
            self._database.changed("DELETE FROM conversations WHERE deleted < ?", before)
            self._database.changed("INSERT INTO said (said) VALUES ('optimize')")  # drops words that nothing holds
        self._database.empty_log()


def _now() -> str:
    return _stamp(datetime.now(UTC))


def _stamp(moment: datetime) -> str:
    """Text that sorts as time does."""
    return moment.isoformat(timespec="microseconds")


def _storable(text: str) -> str:
    """Halves of surrogate pairs, which a browser may send and no file can hold, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _not_found(conversation_id: str) -> NotFoundError:
    """The same sentence whether it never was, was deleted, or is somebody else's: an id is not to be guessed."""
    return NotFoundError(
        f"There is no conversation {conversation_id[:40]!r} here.",
        "It may have been deleted. Open another from the list, or begin a new one.",
    )
