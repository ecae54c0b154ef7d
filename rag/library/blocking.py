"""The block list: papers that must not come back, by every name that they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rag.library.catalog import Catalog
from rag.library.naming import Kind, names_in, names_of
from rag.papers import Paper, normalised_title

BLOCK = "kind, key, title, reason, since"
NUMBERS = ("arxiv_id", "doi")  # which no two papers share, as they may a title


@dataclass(frozen=True, slots=True)
class Block:
    """One name that is refused. `title` is that of the paper, "" where only the name is known; `since` a day."""

    kind: Kind
    key: str
    title: str
    reason: str
    since: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @property
    def why(self) -> str:
        """Why a paper of this name is refused, in words."""
        told = f": {self.reason}" if self.reason else ""
        return f"on the block list since {self.since}{told}"


class BlockList:
    """The names that are refused, as they were when the list was read."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._by_name: Mapping[tuple[str, str], Block] = {(block.kind, block.key): block for block in blocks}
        self._numbers: dict[tuple[str, Kind], set[str]] = {}  # (folded title of the paper, kind) -> arXiv ids or DOIs
        for block in self._by_name.values():
            if block.kind in NUMBERS and block.title:
                self._numbers.setdefault((normalised_title(block.title), block.kind), set()).add(block.key)

    def why(self, paper: Paper) -> str | None:
        """Why a paper is refused, in words; None where it is welcome.

        A namesake is: one with another arXiv id or DOI than the paper of this title that is refused.
        """
        found = ((kind, self._by_name.get((kind, key))) for kind, key in names_of(paper))
        return next(
            (block.why for kind, block in found if block and (kind in NUMBERS or not self._is_other(paper, block))),
            None,
        )

    def _is_other(self, paper: Paper, block: Block) -> bool:
        """Whether the numbers of a paper contradict those of the one that was blocked with this title or id."""
        title = normalised_title(block.title)
        known = (
            (self._numbers.get((title, "arxiv_id")), paper.arxiv_id),
            (self._numbers.get((title, "doi")), paper.doi),
        )
        return any(numbers and number and number not in numbers for numbers, number in known)


def blocks(catalog: Catalog) -> list[Block]:
    """All names that are refused, those of one paper together."""
    return [Block(*row) for row in catalog.rows(f"SELECT {BLOCK} FROM blocked ORDER BY since, title, kind, key")]


def block(catalog: Catalog, papers: Iterable[Paper], reason: str = "") -> list[Block]:
    """Refuse these papers from now on, by every name; runs inside the caller's transaction."""
    return put(catalog, [Block(kind, key, p.title, reason, _today()) for p in papers for kind, key in names_of(p)])


def block_name(catalog: Catalog, text: str, reason: str = "") -> list[Block]:
    """Refuse papers that are called so: an arXiv id, a DOI, or else a title or id.

    Runs inside the caller's transaction.
    """
    return put(catalog, [Block(kind, key, "", reason, _today()) for kind, key in names_in(text)])


def unblock(catalog: Catalog, text: str) -> list[Block]:
    """Let papers of this name in again, by all names that were blocked with it; returns what was on the list.

    Runs inside the caller's transaction.
    """
    names = {("paper_id", text.strip()), *names_in(text)}
    listed = blocks(catalog)
    titles = {found.title for found in listed if (found.kind, found.key) in names} - {""}
    found = [one for one in listed if (one.kind, one.key) in names or one.title in titles]
    catalog.write("DELETE FROM blocked WHERE kind = ? AND key = ?", [(one.kind, one.key) for one in found])
    return found


def put(catalog: Catalog, made: Sequence[Block]) -> list[Block]:
    """Put names on the list; runs inside the caller's transaction."""
    rows = [(one.kind, one.key, one.title, one.reason, one.since) for one in made]
    catalog.write(f"INSERT OR REPLACE INTO blocked ({BLOCK}) VALUES (?, ?, ?, ?, ?)", rows)
    return list(made)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
