"""Room for uploads: so many bytes at most lie in the server's folder, and nothing that nobody came back for."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.uploads import ADDING, upload_folder
from ui.web.doors import MIB, UPLOAD, UPLOAD_BYTES
from ui.web.errors import problem

ROOM_BYTES = 1024 * MIB  # of all people's files on their way into the library
KEPT_S = 3600  # an upload that no event picks up; what a broken connection leaves behind too
BLOCK_BYTES = 4096  # what the smallest file takes


class UploadRoom:
    """Refuses uploads for which there is no room; those on their way count as if they had arrived."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != UPLOAD:
            await self._app(scope, receive, send)
            return
        size = int(Headers(scope=scope).get("content-length", UPLOAD_BYTES))  # a number: the doors saw to that
        self._coming += size
        try:
            taken = await asyncio.to_thread(tidied, upload_folder())
            if taken + self._coming > ROOM_BYTES:
                full = "There is no room for more files: too many are on their way into the library."
                refusal = problem(507, "NoRoom", full, "Try again when they have been added.")
                await refusal(scope, receive, send)
                return
            await self._app(scope, receive, send)
        finally:
            self._coming -= size


def tidied(folder: Path) -> int:
    """Delete what is older than `KEPT_S`, but for files that are being added; the bytes that the rest takes."""
    taken, oldest = 0, time.time() - KEPT_S
    for place, _, names in os.walk(folder, topdown=False):
        in_use = Path(place).name.startswith(ADDING)
        for name in names:
            with suppress(FileNotFoundError):  # somebody else was quicker
                taken += _kept(Path(place, name), 0.0 if in_use else oldest)
        if place != str(folder) and not in_use and os.stat(place).st_mtime < oldest:
            with suppress(OSError):  # not empty, or gone
                os.rmdir(place)
    return taken


def _kept(file: Path, oldest: float) -> int:
    """The bytes of a file; 0 when it was old, and is gone now."""
    found = file.lstat()
    if found.st_mtime < oldest:
        file.unlink()
        return 0
    return max(found.st_size, BLOCK_BYTES)
