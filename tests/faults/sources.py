"""The files that the killed processes ingest: two pages of papers, the second with newer versions, and a full text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from library_helpers import many_papers

from faults.documents import markdown
from faults.formats import ABSTRACT_A, TITLE_A
from rag.papers import Paper

DAY = date(2026, 11, 21)
HEAD = "Daily Papers\n\nbyAK and the research community\n\nDec 15\n\n"
FIRST, SECOND, NEWER = 32, 24, 8  # papers of the first page, of the second, and first ones that the second has anew


def papers() -> tuple[list[Paper], list[Paper]]:
    """The papers of the two pages, with ids and titles of their own; `NEWER` of them are in both."""
    made = [replace(one, n_authors=2, organisation=None, published=DAY) for one in many_papers(FIRST + SECOND - NEWER)]
    newer = [replace(one, abstract=f"{one.abstract} It was revised later.") for one in made[:NEWER]]
    return made[:FIRST], [*newer, *made[FIRST:]]


def page(listed: list[Paper]) -> str:
    """Papers as a Daily Papers page saved as text."""
    entries = (f"{one.title}\n\n{one.abstract}\n\n  • 2 authors\n·\nNov 21, 2026\n\n" for one in listed)
    return HEAD + "".join(entries)


def write_sources(folder: Path) -> list[Path]:
    """Both pages and the full text as files, in the order in which they are ingested."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "first.txt": page(papers()[0]).encode(),
        "second.txt": page(papers()[1]).encode(),
        "whole.md": markdown(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def versions() -> dict[str, list[str]]:
    """Title -> its abstracts in the order in which they were published."""
    found: dict[str, list[str]] = {TITLE_A: [ABSTRACT_A]}
    for listed in papers():
        for one in listed:
            found.setdefault(one.title, []).append(one.abstract)
    return found
