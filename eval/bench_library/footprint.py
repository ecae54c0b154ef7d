"""How much room a bench took: memory of this process, bytes on the disk."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory that this process has had so far.

    Linux hands `ru_maxrss` of a process down to those that it starts, so its own count is asked first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (own,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status.read_text("utf-8"), re.MULTILINE)
        return int(own) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
