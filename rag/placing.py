"""Which paper a listing is: one that is known, by arXiv id, DOI or title, or a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rag.library.identity import bears_out, changes, combine, same_work
from rag.library.library import Library
from rag.library.records import SourceEntry
from rag.papers import Body, Paper, normalised_title, paper_id_for, with_id
from rag.readers import Entry

Outcome = Literal["added", "updated", "unchanged", "merged", "failed", "blocked"]
FIELDS_IN_WORDS = {"body_hash": "full text", "n_authors": "number of authors", "published": "date"}
LEAST_SHARE = 0.5  # of the known full text that one in its place must have
NOT_TOLD = {"date_of", "from_document", "year_inferred"}  # fields whose change is no news to a person


@dataclass(frozen=True, slots=True)
class IngestRow:
    """What became of one listing of a paper, or of a file, or an item of a list ("line 7"), that could not be read."""

    item: str
    source: str
    outcome: Outcome
    reason: str = ""
    paper_id: str = ""


@dataclass(slots=True)
class Draft:
    """A paper as it will be stored; `stored` is how the library has it now, `body` a full text read in this run."""

    paper: Paper
    stored: Paper | None = None
    seen: bool = False  # in this run
    entries: list[SourceEntry] = field(default_factory=list)
    body: Body | None = None


class Drafts:
    """The papers that a run may change, found by what identifies them."""

    def __init__(self, entries: Sequence[Entry], library: Library) -> None:
        """Look up every paper that one of `entries` might be."""
        self._library = library
        self._all: list[Draft] = []
        self._by: dict[tuple[str, str], list[Draft]] = {}
        listed = [entry.paper for entry in entries]
        self._taken = set(library.papers({paper_id_for(paper.title) for paper in listed}))
        known = [
            *library.papers_titled({normalised_title(paper.title) for paper in listed}).values(),
            *library.papers_identified("arxiv_id", {p.arxiv_id for p in listed if p.arxiv_id}).values(),
            *library.papers_identified("doi", {p.doi for p in listed if p.doi}).values(),
        ]
        for paper in {paper.paper_id: paper for group in known for paper in group}.values():
            self._add(Draft(paper, stored=paper))

    def place(self, listed: Entry, entry: SourceEntry) -> tuple[Outcome, str, str]:
        """Find the paper of a listing, or make one, and put into it what the listing says.

        Returns:
            What became of it, why (for people), and the paper's id.
        """
        paper = listed.paper
        draft = self._find(paper)
        if draft is None:
            namesakes = self._by.get(("title", normalised_title(paper.title)), [])
            paper_id = self._free_id(paper)
            self._add(Draft(with_id(paper, paper_id), seen=True, entries=[entry], body=listed.body))
            return "added", "same title as another paper, but another abstract" if namesakes else "", paper_id
        if listed.body is not None and not self._is_better(listed.body, draft):
            paper = replace(paper, body_hash=None)
        before, draft.paper = draft.paper, combine(draft.paper, paper)
        if listed.body is not None and draft.paper.body_hash == listed.body.content_hash:
            draft.body = listed.body
        self._index(draft)
        seen, draft.seen = draft.seen, True
        draft.entries.append(entry)
        if differing := changes(before, draft.paper):
            told = [FIELDS_IN_WORDS.get(name, name) for name in differing if name not in NOT_TOLD]
            return "updated", f"changed: {', '.join(told or differing)}", before.paper_id
        return ("merged", "listed more than once", before.paper_id) if seen else ("unchanged", "", before.paper_id)

    def changed(self) -> list[Draft]:
        """Papers that are to be stored, in the order in which they were met."""
        return [draft for draft in self._all if draft.paper != draft.stored]

    def listed(self) -> list[tuple[str, SourceEntry]]:
        """New listings of papers that are stored as they are."""
        unchanged = [draft for draft in self._all if draft.paper == draft.stored]
        return [(draft.paper.paper_id, entry) for draft in unchanged for entry in draft.entries]

    def _find(self, paper: Paper) -> Draft | None:
        if paper.arxiv_id and (group := self._by.get(("arxiv_id", paper.arxiv_id))):
            return group[0]
        of_doi = self._by.get(("doi", paper.doi), []) if paper.doi else []
        if borne_out := next((draft for draft in of_doi if bears_out(draft.paper, paper)), None):
            return borne_out
        namesakes = self._by.get(("title", normalised_title(paper.title)), [])
        alike = [(likeness, draft) for draft in namesakes if (likeness := same_work(draft.paper, paper))]
        return max(alike, key=lambda pair: pair[0])[1] if alike else None

    def _is_better(self, body: Body, draft: Draft) -> bool:
        """Whether a full text may take the place of the one that is known: a web page of a few words may not."""
        if draft.paper.body_hash in (None, body.content_hash):
            return True
        known = draft.body or self._library.body(draft.paper.paper_id)
        if known is None:
            return True
        loses_pages = known.parts[-1].page is not None and body.parts[-1].page is None
        return not loses_pages and len(body.text) >= LEAST_SHARE * len(known.text)

    def _add(self, draft: Draft) -> None:
        self._all.append(draft)
        self._taken.add(draft.paper.paper_id)
        self._index(draft)

    def _index(self, draft: Draft) -> None:
        for identity in _identities(draft.paper):
            group = self._by.setdefault(identity, [])
            if not any(other is draft for other in group):
                group.append(draft)

    def _free_id(self, paper: Paper) -> str:
        """The title's id, or where that is another paper's, one told apart by abstract, arXiv id and DOI."""
        paper_id, names = paper_id_for(paper.title), [paper.abstract, *_other_names(paper)]
        while paper_id in self._taken:
            paper_id = paper_id_for(paper.title, "\0".join(names))
            if self._library.papers([paper_id]):
                self._taken.add(paper_id)
            names.append("")
        return paper_id


def _other_names(paper: Paper) -> Iterator[str]:
    """What tells papers of one title and abstract apart; nothing where neither is known."""
    yield from (name for name in (paper.arxiv_id, paper.doi) if name)


def _identities(paper: Paper) -> Iterator[tuple[str, str]]:
    """What a paper may be recognised by, the surest first."""
    if paper.arxiv_id:
        yield "arxiv_id", paper.arxiv_id
    if paper.doi:
        yield "doi", paper.doi
    yield "title", normalised_title(paper.title)
