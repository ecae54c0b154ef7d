"""Papers found, each with why it stands where it stands: words, arms of the search, close reading, best passage."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from rag.answer.answer import place_in_words
from rag.answer.explained_ranking import (
    Composition,
    changes,
    compositions,
    other_words,
    places,
    ranks_by,
    subject_words,
    telling_sentence,
)
from rag.answer.ranking.naming import COINED_BONUS
from rag.answer.retrieve import RERANK_WEIGHT
from rag.show import console, heading, one_line

if TYPE_CHECKING:
    from rag.answer.retrieve import RankedPaper, Retrieval

WIDEST = 100  # characters of a line; longer ones are hard to read
LABEL = 9  # characters of the names beside the lines
INDENT = 5
QUOTED = 320  # characters of the best passage
BESIDE = "besides"  # words that are searched too, but carry no subject
UNBROKEN = "\N{NO-BREAK SPACE}"
# Score -> the arm of the search that gave it, and what the score is.
ARMS = {
    "dense": ("vectors", "cosine {:.3f}"),
    "words": ("words", "BM25 {:.1f}"),
    "feedback": ("feedback", "cosine {:.3f}"),
}
NAMED = f"up to {COINED_BONUS:g} where the question names the paper, or what it alone mentions"
BEST = "the best of those for the whole question and for each side: "


@dataclass(frozen=True, slots=True)
class _Table:
    """All that is known of the papers found, by their ids; `made_of` nothing where sides were searched for too."""

    query: str
    made_of: Mapping[str, Composition]
    read: Mapping[str, int]
    weighed: Mapping[str, int]
    full_text: Callable[[str], str]


def show_explained(found: Retrieval, question: str, k: int, full_text: Callable[[str], str]) -> None:
    """The first `k` papers with what each part of the search said of them, and how the final score came about.

    `found` holds all papers that were read closely (see `compositions`); `full_text` gives that of a paper by its
    id. Lines are wrapped in a pipe too, for they are for people; programs read --json.
    """
    out = console()
    ranks = ranks_by(found, "rerank"), ranks_by(found, "linear")
    table = _Table(found.query_used, {} if found.sides else compositions(found), *ranks, full_text)
    for label, said in _searched(found, question, table).items():
        _field(out, label, said, indent=0)
    if not found.papers:
        out.print("\nNo paper was found.")
    for ranked in found.papers[:k]:
        out.print()
        _lines(out, Text(f"{ranked.rank:3}. ", "bold cyan"), heading(ranked.paper).plain, "bold")
        for label, said in _explained(ranked, table).items():
            _field(out, label, said)


def _searched(found: Retrieval, question: str, table: _Table) -> dict[str, str]:
    """The query as it was searched, what was changed in it, the terms it was cut into, and how scores are made."""
    subject = [f"{word}{_stem(word, term)}" for term, word in subject_words(found.query_used).items()]
    beside = ", ".join(other_words(found.query_used).values())
    said = {
        "Asked": question if found.query_used != question else "",
        "Searched": found.query_used,
        "Changed": "; ".join(changes(question, found.query_used)),
        "Sides": "; ".join(f"“{side}”" for side in found.sides),
        "Only": f"papers {found.filters.in_words()}" if found.filters else "",
        "Words": f"{', '.join(subject) or 'none'}{f'; {BESIDE}: {beside}' if beside else ''}",
        "Score": f"{BEST if found.sides else ''}{_rule(table)}; + {NAMED}" if found.papers else "",
    }
    return {label: one_line(text) for label, text in said.items() if text}


def _rule(table: _Table) -> str:
    """How a final score is made."""
    if not table.read:
        return "fused"
    of = f"{len(table.read)} papers" if len(table.read) > 1 else "one paper"
    closely = "weighed" if table.weighed else "close reading"
    return (
        f"{RERANK_WEIGHT:g} × {closely} + {1 - RERANK_WEIGHT:g} × fused, each scaled to 0–1 over the {of} read closely"
    )


def _stem(word: str, term: str) -> str:
    return "" if word.lower() == term else f" ({term})"


def _explained(ranked: RankedPaper, table: _Table) -> dict[str, str]:
    """Why this paper stands here, a text for each label."""
    paper_id, body = ranked.paper.paper_id, ""
    if ranked.paper.body_hash is not None:
        body = table.full_text(paper_id)
    words = places(subject_words(table.query), ranked.paper, body)
    beside = places(other_words(table.query), ranked.paper, body)
    beside.pop("missing", None)
    told = {**words, BESIDE: tuple(dict.fromkeys(word for those in beside.values() for word in those))}
    quote = textwrap.shorten(one_line(telling_sentence(table.query, ranked.passage)), QUOTED, placeholder=" …")
    said = {
        "Score": _sum(ranked.score, table.made_of[paper_id]) if table.made_of else _by_side(ranked),
        "Words": "; ".join(f"{place}: {one_line(', '.join(those))}" for place, those in told.items() if those),
        "Found": _unbroken(_arms(ranked.scores)),
        "Read": _unbroken(_reading(ranked, table)),
        "Passage": f"“{quote}” ({one_line(place_in_words(ranked.passage))})" if quote else "none: it has no abstract",
    }
    return {label: text for label, text in said.items() if text}


def _sum(score: float, made_of: Composition) -> str:
    parts = []
    if made_of.reranked is not None:
        parts.append(f"{RERANK_WEIGHT:g} × {made_of.reranked:.3f}")
    weight = "" if made_of.fused_weight == 1 else f"{made_of.fused_weight:g} × "
    parts.append(f"{weight}{made_of.fused:.3f}")
    if made_of.bonus:
        parts.append(f"{made_of.bonus:.3f} (named)")
    return f"{score:.3f} = {' + '.join(parts)}"


def _by_side(ranked: RankedPaper) -> str:
    side = ranked.scores.get("side", 0.0)
    return f"{ranked.score:.3f} = {ranked.score - side:.3f} (whole question) + {side:.3f} (its side)"


def _arms(scores: Mapping[str, float]) -> Iterable[str]:
    """What each arm of the search said, and both together."""
    for name, (arm, form) in ARMS.items():
        if f"{name}_rank" in scores:
            yield f"{arm} {_ranked(scores.get(f'{name}_rank'))}{form.format(scores[name])}"
        else:
            yield f"{arm} did not find it"
    if "resembling" in scores:
        yield f"title has {scores['resembling']:.0%} of the question but for a slip"
    if "fused" in scores:  # else only a search for one side found it
        yield f"fused {_ranked(scores.get('fused_rank'))}{scores['fused']:.3f}"


def _reading(ranked: RankedPaper, table: _Table) -> Iterable[str]:
    """What the close reading said; nothing of a paper that was not read so."""
    scores, paper_id = ranked.scores, ranked.paper.paper_id
    if "rerank" not in scores:
        return
    measure = "MaxSim " if "linear" in scores else ""
    yield f"close reading {_ranked(table.read[paper_id])}{measure}{scores['rerank']:.3f}"
    if "linear" in scores:
        yield f"whole abstract cosine {scores['whole']:.3f}"
        yield f"words side by side {scores['sequence']:.0%}"
        yield f"weighed {_ranked(table.weighed[paper_id])}{scores['linear']:.2f}"


def _ranked(rank: float | None) -> str:
    return "" if rank is None else f"rank {rank:.0f}, "


def _unbroken(parts: Iterable[str]) -> str:
    """Parts in a row, between which alone a line may end."""
    return "; ".join(part.replace(" ", UNBROKEN) for part in parts)


def _field(out: Console, label: str, text: str, indent: int = INDENT) -> None:
    _lines(out, Text.assemble(" " * indent, (f"{label:<{LABEL}}", "dim")), text)


def _lines(out: Console, before: Text, text: str, style: str = "") -> None:
    """Text wrapped between words beside what stands before it; a word longer than a line is left whole."""
    room = max(20, min(out.width, WIDEST) - len(before))
    if any(len(part) > room for part in text.split(" ")):
        text = text.replace(UNBROKEN, " ")
    for line in textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False):
        out.print(Text.assemble(before, (line.replace(UNBROKEN, " "), style)), soft_wrap=True)
        before = Text(" " * len(before))
