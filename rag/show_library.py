"""What people see of the library's upkeep in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from rag.papers import Paper
from rag.show import console, plain

if TYPE_CHECKING:
    from rag.library.backup import Copied
    from rag.library.blocking import Block
    from rag.library.collecting import Collected
    from rag.library.importing import Imported
    from rag.library.salvage import Salvaged

TAKEN = ("added", "updated", "unchanged", "kept", "blocked", "failed")
UNITS = ("bytes", "kB", "MB", "GB", "TB")
SHOWN = 20


def show_copied(verb: str, done: Copied) -> None:
    """What a backup holds, or what was restored from it."""
    counts = ", ".join(f"{n} {name}" for name, n in done.counts.items() if n or name == "papers")
    _say(f"{verb} {counts}: {done.file} ({size(done.bytes)}).")
    if done.aside:
        _say(f"The damaged library is kept in {done.aside}; delete it when you need it no more.")


def show_exported(file: Path, papers: int) -> None:
    """How much was written."""
    _say(f"Exported {papers} papers: {file} ({size(file.stat().st_size)}).")


def show_imported(done: Imported) -> None:
    """How many papers had which outcome, and every line that failed."""
    if done.embedded:
        _say("The file's vectors are of another embedder; the papers were embedded anew.")
    for failure in done.failures:
        _say(f"failed: line {failure.line}: {failure.item}: {failure.reason}")
    _say(", ".join(f"{done.counts[name]} {name}" for name in TAKEN if done.counts[name]) or "The file lists no paper.")


def show_collected(done: Collected) -> None:
    """What was taken away."""
    counts = {
        "old index builds": done.builds,
        "leftovers": done.leftovers,
        "ids of deleted papers": done.deleted,
        "files without papers": done.sources,
    }
    told = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing"
    _say(f"Removed {told}; freed {size(done.freed)}.")
    if done.damaged:
        _say(f"Damaged catalogs are kept in {done.damaged}; delete them when you need them no more.")


def show_deleted(gone: Sequence[Paper], blocked: bool, missed: Mapping[str, str], files: Sequence[Path]) -> None:
    """The papers that are gone, their fetched files, and the names that no paper, or more than one, has."""
    for paper in gone:
        _say(f"deleted{' and blocked' if blocked else ''}: {paper.title} ({paper.paper_id})")
    for file in files:
        _say(f"deleted: {file}")
    for name, reason in missed.items():
        _say(f"not deleted: {name}: {reason}")


def show_salvaged(done: Salvaged) -> None:
    """What could be read of a damaged catalog, and what is lost."""
    _say(f"The catalog was damaged. {done.saved.get('papers', 0)} papers were saved; the old file is in {done.aside}.")
    if done.lost:
        _say(f"Lost rows: {', '.join(f'{n} {table}' for table, n in done.lost.items())}.")
    gone = [f"lost: {title}" for title in done.titles] + [f"full text lost: {title}" for title in done.without_text]
    for line in gone[:SHOWN]:
        _say(line)
    if gone:
        more = f" ({len(gone) - SHOWN} more)" if len(gone) > SHOWN else ""
        _say(f"Ingest their sources again{more}, or restore a backup.")


def show_blocks(blocks: Sequence[Block]) -> None:
    """A line for each name on the block list."""
    for block in blocks:
        of = f" of “{block.title}”" if block.title and block.kind != "title" else ""
        _say(f"{block.kind:<9}{block.key}{of} {block.why.removeprefix('on the block list ')}")
    if not blocks:
        _say("No paper is blocked.")


def show_still_there(papers: Sequence[Paper]) -> None:
    """That blocking does not delete."""
    for paper in papers:
        _say(f"It is still in the library; to delete it: paperchat library delete {paper.paper_id}")


def show_unblocked(found: Mapping[str, Sequence[Block]]) -> None:
    """Under which names papers are welcome again."""
    for name, blocks in found.items():
        keys = ", ".join(block.key for block in blocks)
        _say(f"no longer blocked: {keys}" if blocks else f"not on the block list: {name}")


def size(n: float) -> str:
    """Bytes as people say them: "39.2 MB"."""
    for unit in UNITS[:-1]:
        if n < 1000:
            return f"{n:.0f} {unit}" if unit in UNITS[:2] else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} {UNITS[-1]}"


def _say(line: str) -> None:
    console().print(Text(plain(line).replace("\n", " ")), soft_wrap=True)
