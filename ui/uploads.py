"""Files that a person gives to the page, into the library: one after another, in the background, and then deleted."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradio.utils import get_upload_folder

from rag.errors import PaperchatError
from rag.ingest import IngestReport
from rag.shelf import Shelf

log = logging.getLogger(__name__)

LOOK_S = 0.3  # how often the page is told how far it is
ADDING = "adding-"  # how the names of folders begin in which files are while they are added
NOT_UPLOADED = "These are no files that were uploaded here. Choose them again."
_HASH = re.compile(r"[0-9a-f]{64}")
UNEXPECTED = (
    "Something went wrong inside paperchat while the files were added. The server's log says what; what was "
    "added before is in the library. You can add the files again."
)


def upload_folder() -> Path:
    """Where the server puts what browsers send: each file in a folder named by the hash of its content."""
    return Path(get_upload_folder())


def is_upload(path: str | Path) -> bool:
    """Whether the server gives out this path for an upload. It may be gone: equal files have one place."""
    try:
        file = Path(path).resolve()
        inside = file.parent.parent == upload_folder().resolve() and bool(_HASH.fullmatch(file.parent.name))
        return inside and (file.is_file() or not file.exists())
    except (OSError, ValueError, RuntimeError):  # no path at all
        return False


@dataclass(frozen=True, slots=True)
class Progress:
    """Papers embedded of those to embed; `total` is 0 while files are read. Rate and time left are unknown at first."""

    waiting: bool = False
    done: int = 0
    total: int = 0
    per_second: float | None = None
    left_s: float | None = None


class Upload:
    """Some files on their way. It ends by itself, also when nobody watches it any more.

    Raises:
        ValueError: a file is no upload, and stays where it is.
    """

    def __init__(
        self, shelf: Shelf, files: Sequence[str | Path], turn: threading.Lock, clock: Callable[[], float] | None = None
    ) -> None:
        self._shelf = shelf
        self._folder, self._paths = _taken_over([Path(file) for file in files])
        self._turn = turn
        self._clock = clock or time.monotonic
        self._began: float | None = None
        self._at = (0, 0, 0.0)  # done, total, when
        self._waiting = True
        self._ended = threading.Event()
        self.report: IngestReport | None = None
        self.problem = ""

    async def changes(self) -> AsyncIterator[Progress]:
        """Add the files, telling every moment how far it is; `report` or `problem` says what came of it."""
        threading.Thread(target=self.run, name="paperchat-add", daemon=True).start()
        while not self._ended.is_set():
            yield self.progress()
            await asyncio.to_thread(self._ended.wait, LOOK_S)

    def run(self) -> None:
        """Add the files, when it is their turn, and delete them."""
        try:
            with self._turn:
                self._waiting = False
                self.report = self._shelf.add(self._paths, self._moved)
        except PaperchatError as error:
            self.problem = str(error)
        except Exception:
            log.exception("Files could not be added")
            self.problem = UNEXPECTED
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._ended.set()

    def progress(self) -> Progress:
        """How far it is now. The time left shrinks between the batches, and is never below 0."""
        done, total, when = self._at
        if self._began is None or not done or when <= self._began:
            return Progress(self._waiting, done, total)
        rate = done / (when - self._began)
        return Progress(False, done, total, rate, max((total - done) / rate - (self._clock() - when), 0.0))

    def _moved(self, done: int, total: int) -> None:
        now = self._clock()
        if self._began is None:
            self._began = now
        self._at = (done, total, now)


def _taken_over(files: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The files in a folder of their own, each under a name of its own; the server's upload folder lets go of them.

    It keeps equal files of two people in one place, so whoever is done first must not delete there.
    """
    if not all(is_upload(file) for file in files):
        raise ValueError(NOT_UPLOADED)
    folder = Path(tempfile.mkdtemp(prefix=ADDING, dir=upload_folder()))
    taken: list[Path] = []
    for file in dict.fromkeys(file.resolve() for file in files):
        place = folder / file.name
        for n in range(2, len(files) + 1):
            if place not in taken:
                break
            place = folder / f"{file.stem} ({n}){file.suffix}"
        taken.append(place)
        try:
            file.rename(place)
            file.parent.rmdir()
        except OSError as error:  # gone, which its row will say; or its folder holds another file
            log.debug("%s: %s", file, error)
    return folder, taken
