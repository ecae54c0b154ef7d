"""Questions to begin with: ones that the library at hand can answer."""

from __future__ import annotations

import re

from rag.answer.pipeline import Paperchat
from rag.papers import Paper

EXAMPLES = 4
NEWEST = 40  # papers that are looked through for short names
# Questions about the papers of seeds/: paper id -> question.
_SEEDS = {
    "fast-passage-re-ranking-with-contextualized-exact-term-matching-and-efficient-pa-f9e58697": (
        "How much smaller are TILDEv2's indexes?"
    ),
    "hnerv-a-hybrid-neural-representation-for-videos": "What is the difference between HNeRV and NeRV++?",
}
_NAMED = re.compile(r"([A-Z][\w.+-]{2,23}): \S")


def example_questions(engine: Paperchat) -> list[str]:
    """A few questions, each about something that is in the library.

    Raises:
        PaperchatError: the library is empty or cannot be read.
    """
    known = engine.library.papers(_SEEDS)
    newest = engine.library.find(limit=NEWEST)
    years = sorted({paper.published.year for paper in newest if paper.published})
    about = [_SEEDS[paper_id] for paper_id in _SEEDS if paper_id in known]
    about += [question for paper in newest if (question := _about(paper))]
    records = [f"How many papers were published in {years[-1]}?"] if years else []
    return [*about[: EXAMPLES - 2], *records, "What are the latest papers?"][:EXAMPLES]


def _about(paper: Paper) -> str | None:
    """ "VPTQ: Extreme Low-bit ..." is asked about by its name."""
    named = _NAMED.match(paper.title)
    return f"What is {named[1]}?" if named else None
