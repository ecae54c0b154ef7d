"""What records say of authors and identifiers, where a source gave them: few listings do."""

from __future__ import annotations

from collections.abc import Sequence

from rag.library.library import Library
from rag.papers import Filters, Paper

NAMED = 10  # authors of whom the names are told


def written_by(paper: Paper) -> str | None:
    """ "was written by A, B and C"; None where no names are known."""
    if not paper.authors:
        return None
    if len(paper.authors) > NAMED:
        return f"was written by {', '.join(paper.authors[:NAMED])} and {len(paper.authors) - NAMED} others"
    *most, last = paper.authors
    return f"was written by {', '.join(most)} and {last}" if most else f"was written by {last}"


def identified_by(paper: Paper) -> str | None:
    """ "has the arXiv id ... and the DOI ..."; None where neither is known."""
    known = [f"arXiv id {paper.arxiv_id}" if paper.arxiv_id else "", f"DOI {paper.doi}" if paper.doi else ""]
    return f"has the {' and the '.join(filter(None, known))}" if any(known) else None


def papers_by(name: str, filters: Filters, library: Library) -> list[Paper]:
    """The papers that pass and of which an author is called so, newest first."""
    return [paper for paper in library.by_author(name) if filters.admits(paper)]


def headline(name: str, papers: Sequence[Paper], everything: int) -> str:
    """How a list of somebody's papers begins."""
    return f"The library holds {len(papers)} paper{'' if len(papers) == 1 else 's'} by {name} (of {everything} in all)."
