"""One writer at a time, by an operating system's lock that goes with the process that held it."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import LibraryError, LibraryLockedError

LOCK = "write.lock"
HOLDER = "write.lock.json"
COMMAND_CHARS = 200

log = logging.getLogger(__name__)


@contextmanager
def write_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Hold the library's write lock, waiting at most `timeout` seconds for it.

    The lock also excludes other `Library` objects of the same process.

    Raises:
        LibraryLockedError: another writer has it; the message names pid, host, command and start.
    """
    lock = FileLock(folder / LOCK, timeout=timeout, thread_local=False)
    try:
        lock.acquire(poll_interval=0.05)
    except Timeout:
        raise LibraryLockedError(
            f"The library {folder} is being written by {_holder(folder)}.", "Try again when it has finished."
        ) from None
    except OSError as error:
        raise LibraryError(
            f"The library {folder} cannot be written: {error.strerror or error}.", "Check the folder's permissions."
        ) from error
    try:
        _sign(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _sign(folder: Path) -> None:
    """Leave a card for those who wait. Only a courtesy: on a full disk the write itself says what is wrong."""
    card = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv)[:COMMAND_CHARS],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    draft = folder / f"{HOLDER}.{os.getpid()}"
    try:
        draft.write_text(json.dumps(card), encoding="utf-8")
        draft.replace(folder / HOLDER)
    except OSError as error:
        log.warning("The library %s cannot say who is writing it: %s", folder, error)
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _holder(folder: Path) -> str:
    try:
        card = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {card['pid']} on {card['host']} ({card['command']}) since {card['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
