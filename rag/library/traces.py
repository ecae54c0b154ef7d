"""What Chroma leaves in its files beside what it stores, taken out before a build is published.

Its SQLite keeps the bytes of deleted rows. And it writes the vectors' files with room for more, which hold
whatever was in the process's memory: it can be the text of a paper that has just been deleted.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from rag.library.sqlite_files import compact

# hnswlib's header, of which we need the third to fifth field: room and number of vectors, and bytes for each.
HEADER = struct.Struct("<i4Q")
HEADER_VERSION = 1
BYTES_OF_A_LENGTH = 4


def wipe(build: Path, *, deleted: bool) -> None:
    """Take out what belongs to no row of a Chroma folder that nobody has open; `deleted` says that rows were.

    Raises:
        OSError: a file cannot be written.
    """
    if deleted:
        compact(build / "chroma.sqlite3")
    for header in build.glob("*/header.bin"):
        version, _, room, n, size = HEADER.unpack_from(header.read_bytes().ljust(HEADER.size, b"\0"))
        for name, bytes_each in (("data_level0.bin", size), ("length.bin", BYTES_OF_A_LENGTH)):
            file = header.with_name(name)
            if version == HEADER_VERSION and n <= room and file.stat().st_size == room * bytes_each:
                os.truncate(file, n * bytes_each)
                os.truncate(file, room * bytes_each)  # grows by zeros
