"""The evidence beside the chat: for each marker its paper, the quote in its abstract, and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from rag.answer.answer import Answer, Citation, RetrievedPassage
from rag.answer.explained import decision_in_words, level_in_words
from rag.papers import Paper
from ui.answer_html import evidence_id
from ui.conversation import ChatTurn
from ui.escape import escaped, paper_line, shortened, title_html

KEPT_OPEN = 4  # more sources than this come folded
EARLIER = 8  # turns whose evidence stays in the page
# Name of a score -> what it is.
SCORES = {
    "dense": "Similarity of meaning: cosine between the question's embedding and the passage's",
    "words": "Shared words: BM25, bar relative to the best paper found",
    "fused": "Meaning and words together, each scaled to 0–1",
    "rerank": "The reranker's second look at question and passage, word by word",
}


def evidence_html(turns: Sequence[ChatTurn]) -> str:
    """The latest turn's evidence, and that of earlier turns folded below."""
    if not turns:
        return (
            '<h2>Evidence</h2><p class="pc-note">The papers behind an answer appear here, each with the sentence '
            "that the answer rests on and with the scores that brought it up.</p>"
        )
    *earlier, latest = turns[-EARLIER:]
    folded = "".join(
        f'<details class="pc-earlier"><summary>{escaped(shortened(turn.question, 120))}</summary>{_of(turn)}</details>'
        for turn in reversed(earlier)
        if turn.answer
    )
    heading = '<h3 class="pc-earlier-heading">Earlier questions</h3>' if folded else ""
    return f"<h2>Evidence</h2>{_of(latest)}{heading}{folded}"


def _of(turn: ChatTurn) -> str:
    if turn.answer is None:
        found = turn.searched.passages if turn.searched else ()
        note = f"{len(found)} papers found" if found else ""
        return f'<p class="pc-note">{note}</p>{"".join(_brief(passage) for passage in found)}'
    shown = _refusal(turn.answer) if turn.answer.refused else _sources(turn.number, turn.answer)
    return shown + _decision(turn.answer)


def _sources(turn: int, answer: Answer) -> str:
    """A card for each marker, in the order of the markers, then what was found and not cited."""
    by_paper = {passage.paper.paper_id: passage.scores for passage in (*answer.passages, *answer.left_out)}
    best_words = max((scores.get("words", 0.0) for scores in by_paper.values()), default=0.0)
    cards = [list(group) for _, group in groupby(sorted(answer.citations, key=attrgetter("n")), key=attrgetter("n"))]
    shown = "".join(
        _card(turn, citations, by_paper.get(citations[0].paper.paper_id, {}), best_words, len(cards) <= KEPT_OPEN)
        for citations in cards
    )
    cited = {citation.paper.paper_id for citation in answer.citations}
    others = [passage for passage in answer.passages if passage.paper.paper_id not in cited]
    return shown + _others(others)


def _card(
    turn: int, citations: Sequence[Citation], scores: Mapping[str, float], best_words: float, is_open: bool
) -> str:
    first = citations[0]
    return (
        f'<details class="pc-source" id="{evidence_id(turn, first.n)}"{" open" if is_open else ""}>'
        f'<summary><span class="pc-n">{first.n}</span>{_heading(first.paper)}</summary>'
        f"{_score_bars(scores, best_words)}"
        f'<p class="pc-abstract">{abstract_html(first.paper, citations)}</p></details>'
    )


def _heading(paper: Paper) -> str:
    return (
        f'<span class="pc-heading"><span class="pc-paper">{title_html(paper)}</span>'
        f'<span class="pc-meta">{paper_line(paper)}</span></span>'
    )


def abstract_html(paper: Paper, citations: Sequence[Citation]) -> str:
    """The whole abstract, with the cited sentences marked; touching or overlapping ones become one mark."""
    parts, done = [], 0
    for start, end in _merged([(citation.start, citation.end) for citation in citations]):
        parts.append(escaped(paper.abstract[done:start]))
        parts.append(f"<mark>{escaped(paper.abstract[start:end])}</mark>")
        done = end
    return "".join([*parts, escaped(paper.abstract[done:])])


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _score_bars(scores: Mapping[str, float], best_words: float) -> str:
    """One bar a score, filled as a share of 1; BM25 has no upper bound and is shown against the best."""
    rows = []
    for name, meaning in SCORES.items():
        if name not in scores:
            continue
        value = scores[name]
        share = value / best_words if name == "words" and best_words > 0 else value
        rank = f" · rank {scores[f'{name}_rank']:.0f}" if f"{name}_rank" in scores else ""
        rows.append(
            f'<div title="{escaped(meaning + rank)}"><dt>{name}</dt>'
            f'<dd><meter min="0" max="1" value="{min(max(share, 0.0), 1.0):.3f}" aria-hidden="true"></meter>'
            f"<span>{value:.2f}</span></dd></div>"
        )
    return f'<dl class="pc-scores">{"".join(rows)}</dl>' if rows else ""


def _others(passages: Sequence[RetrievedPassage]) -> str:
    if not passages:
        return ""
    return (
        f'<details class="pc-others"><summary>Also found, not cited ({len(passages)})</summary>'
        f"{''.join(_brief(passage) for passage in passages)}</details>"
    )


def _brief(passage: RetrievedPassage) -> str:
    scores = " · ".join(f"{name} {passage.scores[name]:.2f}" for name in SCORES if name in passage.scores)
    return f'<div class="pc-brief">{_heading(passage.paper)}<span class="pc-meta">{scores}</span></div>'


def _refusal(answer: Answer) -> str:
    """Why there is no answer, and the papers that come nearest, folded."""
    nearest = "".join(
        f'<details class="pc-source"><summary>{_heading(paper)}</summary>'
        f'<p class="pc-abstract">{escaped(paper.abstract)}</p></details>'
        for paper in answer.nearest
    )
    heading = "<h3>Nearest papers</h3>" if nearest else ""
    return f'<p class="pc-reason">{escaped(answer.reason)}</p>{heading}{nearest}'


def _decision(answer: Answer) -> str:
    """How sure the answer is and why, in words, folded: for those who want to know."""
    said = (f"{level_in_words(answer)}.", *decision_in_words(answer))
    return (
        '<details class="pc-decision"><summary>How this was decided</summary>'
        f"<ul>{''.join(f'<li>{escaped(sentence)}</li>' for sentence in said)}</ul></details>"
    )
