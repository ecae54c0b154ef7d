"""Conversations on disk: each belongs to its owner, and whoever was given its id may read it."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from rag.conversations.database import Database
from rag.conversations.packing import TURN_COLUMNS, row_of, storable, turn_of
from rag.conversations.records import StoredTurn, Summary
from rag.conversations.searching import fts_query, searchable
from rag.conversations.titles import given_title
from rag.errors import ConflictError, NotFoundError

CONVERSATIONS = "conversations.sqlite3"  # below PAPERCHAT_HOME
ID_BYTES = 16  # 128 bits: a link cannot be guessed
KEPT_FOR_UNDO = timedelta(hours=1)  # how long a deleted conversation can be brought back
SUMMARY_FIELDS = 6
SNIPPET_WORDS = 14

_SUMMARY = """c.conversation_id, c.owner, c.title, c.created, c.updated,
    (SELECT count(*) FROM turns t WHERE t.conversation = c.number)"""
_VALUES = ", ".join("?" for _ in TURN_COLUMNS.split(","))
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
            return [Summary(*row) for row in self._database.rows(sql, (storable(owner), limit))]
        wanted = fts_query(storable(query))
        if not wanted:
            return []
        # CROSS JOIN: search first; left to itself, SQLite may search anew for each conversation.
        sql = f"""SELECT {_SUMMARY}, snippet(said, 1, '', '', '…', {SNIPPET_WORDS})
            FROM said CROSS JOIN conversations c ON c.number = said.rowid
            WHERE said MATCH ? AND c.owner = ? AND c.deleted IS NULL
            ORDER BY c.updated DESC, c.number DESC LIMIT ?"""
        found = [Summary(*row) for row in self._database.rows(sql, (wanted, storable(owner), limit))]
        return [replace(summary, snippet=" ".join(summary.snippet.split())) for summary in found]

    def load(self, conversation_id: str) -> tuple[Summary, builtins.list[StoredTurn]]:
        """A conversation with its turns in their order, whoever asks: the id is the link to it.

        A turn whose answer cannot be read any more says so in its `problem`.

        Raises:
            NotFoundError: there is none, or it was deleted.
        """
        sql = f"""SELECT {_SUMMARY}, t.{TURN_COLUMNS}
            FROM conversations c LEFT JOIN turns t ON t.conversation = c.number
            WHERE conversation_id = ? AND deleted IS NULL ORDER BY t.number"""
        rows = self._database.rows(sql, (storable(conversation_id),))
        if not rows:
            raise _not_found(conversation_id)
        turns = [row[SUMMARY_FIELDS:] for row in rows]
        return Summary(*rows[0][:SUMMARY_FIELDS]), [turn_of(turn) for turn in turns if turn[0] is not None]

    # --- writing ---------------------------------------------------------------------------------

    def create(self, owner: str, title: str) -> str:
        """Begin an empty conversation and return its id."""
        self._purge()
        with self._database.transaction():
            return self._insert(owner, given_title(storable(title)))[0]

    def save_turn(self, conversation_id: str, owner: str, turn: StoredTurn, known: Sequence[str]) -> None:
        """Keep a turn, in place of what was kept of it before or else as the last of its conversation.

        `known` holds the `asked_at` of all kept turns as the caller knows them, this one among them or not.

        Raises:
            NotFoundError: the owner has no such conversation.
            ConflictError: it holds other turns; nothing is changed.
        """
        row, asked_at = row_of(turn), storable(turn.asked_at)
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            kept, others = self._kept(number), [storable(at) for at in known]
            if list(kept.values()) not in (others, [*others, asked_at]):
                raise _conflict()
            places = [place for place, at in kept.items() if at == asked_at]
            if places != [turn.number] if places else turn.number <= max(kept, default=0):
                raise _conflict()
            for place in places:
                self._database.changed("DELETE FROM turns WHERE conversation = ? AND number = ?", (number, place))
            self._add(number, row)
            self._touch(number)

    def drop_turns(self, conversation_id: str, owner: str, first: int, known: Sequence[str]) -> None:
        """Forget the turns from number `first` on; `known` holds the `asked_at` of all turns that the caller knows.

        Raises:
            NotFoundError: the owner has no such conversation.
            ConflictError: it holds other turns; nothing is changed.
        """
        with self._database.transaction():
            number = self._number(conversation_id, owner)
            if list(self._kept(number).values()) != [storable(asked_at) for asked_at in known]:
                raise _conflict()
            self._database.changed("DELETE FROM turns WHERE conversation = ? AND number >= ?", (number, first))
            self._touch(number)

    def copy_of(self, owner: str, title: str, turns: Sequence[StoredTurn]) -> str:
        """A new conversation of `owner` with these turns: to go on where the original cannot be changed. Its id."""
        rows = [row_of(turn) for turn in turns]
        with self._database.transaction():
            conversation_id, number = self._insert(owner, given_title(storable(title)))
            for row in rows:
                self._add(number, row)
            self._touch(number)
        return conversation_id

    def rename(self, conversation_id: str, owner: str, title: str) -> None:
        """Give a conversation another title; it keeps its place in the list.

        Raises:
            NotFoundError: the owner has no such conversation.
        """
        title = given_title(storable(title))
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
        if not self._database.changed(sql, (storable(conversation_id), storable(owner))):
            raise _not_found(conversation_id)

    # --- inside a transaction --------------------------------------------------------------------

    def _insert(self, owner: str, title: str) -> tuple[str, int]:
        """A new conversation's id and its number in the file."""
        conversation_id, now = secrets.token_urlsafe(ID_BYTES), _now()
        ((number,),) = self._database.rows(
            """INSERT INTO conversations (conversation_id, owner, title, created, updated)
            VALUES (?, ?, ?, ?, ?) RETURNING number""",
            (conversation_id, storable(owner), title, now, now),
        )
        self._database.changed("INSERT INTO said (rowid, title, turns) VALUES (?, ?, '')", (number, title))
        return conversation_id, number

    def _number(self, conversation_id: str, owner: str) -> int:
        sql = f"SELECT number FROM conversations WHERE {_OF_OWNER} AND deleted IS NULL"
        rows = self._database.rows(sql, (storable(conversation_id), storable(owner)))
        if not rows:
            raise _not_found(conversation_id)
        return int(rows[0][0])

    def _kept(self, number: int) -> dict[int, str]:
        """The number of each turn and when it was asked, in their order."""
        sql = "SELECT number, asked_at FROM turns WHERE conversation = ? ORDER BY number"
        return dict(self._database.rows(sql, (number,)))

    def _add(self, number: int, row: tuple[Any, ...]) -> None:
        sql = f"INSERT INTO turns (conversation, {TURN_COLUMNS}) VALUES (?, {_VALUES})"
        self._database.changed(sql, (number, *row))

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


def _conflict() -> ConflictError:
    return ConflictError("This conversation went on in another tab.", "Open it again from the list to see all of it.")


def _not_found(conversation_id: str) -> NotFoundError:
    """The same sentence whether it never was, was deleted, or is somebody else's: an id is not to be guessed."""
    return NotFoundError(
        f"There is no conversation {conversation_id[:40]!r} here.",
        "It may have been deleted. Open another from the list, or begin a new one.",
    )
