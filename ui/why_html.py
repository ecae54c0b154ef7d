"""Why these papers and this answer: every score on the way, what was left out, the signals, the time of each stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from rag.answer.answer import Answer, RetrievedPassage
from rag.answer.explained import decision_in_words, level_in_words
from ui.escape import escaped
from ui.math_html import title_with_math

# Name of a score -> what stands above its column, and what it is. Ranks show by the order of the rows.
SCORES = {
    "dense": ("dense", "Likeness of meaning: cosine between the question’s embedding and the passage’s."),
    "words": ("words", "Shared words: BM25."),
    "feedback": ("feedback", "Likeness of meaning, once the question was moved towards the first papers found."),
    "fused": ("fused", "Meaning and words together, each scaled to 0–1."),
    "rerank": ("rerank", "The reranker’s second look at question and passage, word by word."),
    "linear": ("weighed", "A second look, word by word and at the whole abstract, with all scores; 0 is the average."),
}
PART_OF = {"rerank": "linear"}  # shown only where nothing sums it up: five columns are what a narrow page holds
DRAWN = 10  # papers left out that are shown with their scores; the rest by title
STAGES = {"understand": "Understanding", "retrieve": "Searching", "write": "Writing and checking"}
MARKS = ("first_words", "total")  # points in time, not stages
TOKENS = {"prompt_tokens": "tokens read by the model", "completion_tokens": "tokens written by it"}
_RANK = re.compile(r"^rank (\d+): ")


def why_html(answer: Answer) -> str:
    """The folded panel of an answer; parts that it has nothing to say about are not there."""
    parts = [_decision(answer), _papers(answer), _times(answer.timings_ms), _tokens(answer.usage)]
    return f'<details class="pc-why"><summary>See why</summary>{"".join(parts)}</details>'


def _decision(answer: Answer) -> str:
    said = (f"{level_in_words(answer)}.", *decision_in_words(answer))
    items = "".join(f"<li>{escaped(sentence)}</li>" for sentence in said)
    return f'<h3>How this was decided</h3><ul class="pc-decision">{items}</ul>'


def _papers(answer: Answer) -> str:
    """The papers retrieved, best first, with a bar a score: each column has one scale, from 0 to its best."""
    found = (*answer.passages, *answer.left_out)
    if not found:
        return ""
    best = _best(found)
    numbers = {citation.paper.paper_id: citation.n for citation in answer.citations}
    rows = [_row(passage, best, numbers.get(passage.paper.paper_id)) for passage in answer.passages]
    for reason, group in _by_reason(answer.left_out[:DRAWN]):
        left = f'<td colspan="{len(best)}" class="pc-left">Left out: {escaped(reason)}</td>'
        rows.append(f"<tbody><tr>{left}</tr></tbody>")
        rows += [_row(passage, best, None) for passage in group]
    told = [SCORES[name] for name in best]
    head = "".join(f'<th scope="col">{heading}</th>' for heading, _ in told)
    legend = "".join(f"<div><dt>{heading}</dt><dd>{meaning}</dd></div>" for heading, meaning in told)
    return (
        f'<h3>Papers found, best first</h3><table class="pc-ranks"><thead><tr>{head}</tr></thead>'
        f"{''.join(rows)}</table>"
        f'{_more(answer.left_out[DRAWN:])}<dl class="pc-legend">{legend}</dl>'
    )


def _best(found: Sequence[RetrievedPassage]) -> dict[str, float]:
    """The best of each score that is shown, in the order of the columns."""
    best = {name: max(had) for name in SCORES if (had := [p.scores[name] for p in found if name in p.scores])}
    return {name: most for name, most in best.items() if PART_OF.get(name) not in best}


def _row(passage: RetrievedPassage, best: Mapping[str, float], n: int | None) -> str:
    """A paper's title over its scores, a column for each that any paper has."""
    marker = f'<span class="pc-n">{n}</span>' if n is not None else ""
    cells = "".join(_cell(passage.scores.get(name), most) for name, most in best.items())
    title = title_with_math(passage.paper)
    heading = f'<th colspan="{len(best)}" scope="rowgroup">{marker}{title}</th>'
    return f"<tbody><tr>{heading}</tr><tr>{cells}</tr></tbody>"


def _cell(value: float | None, best: float) -> str:
    """A number over its bar; a search that did not find the paper gave it none."""
    if value is None:
        return '<td class="pc-none">–</td>'
    return f"<td>{value:.2f}{_bar(value / best if best > 0 else 0.0)}</td>"


def _bar(share: float) -> str:
    return f'<progress max="1" value="{min(max(share, 0.0), 1.0):.3f}" aria-hidden="true"></progress>'


def _more(passages: Sequence[RetrievedPassage]) -> str:
    if not passages:
        return ""
    items = []
    for reason, group in _by_reason(passages):
        titles = "".join(f"<li>{title_with_math(passage.paper)}</li>" for passage in group)
        items.append(f'<p class="pc-left">Left out: {escaped(reason)}</p><ul>{titles}</ul>')
    return f'<details class="pc-rest"><summary>{len(passages)} more</summary>{"".join(items)}</details>'


def _by_reason(passages: Sequence[RetrievedPassage]) -> Iterator[tuple[str, list[RetrievedPassage]]]:
    """Runs of passages that were left out for the same reason; the rank, which differs, shows by their order."""
    for reason, group in groupby(passages, key=lambda passage: _RANK.sub("", passage.left_out or "")):
        yield reason, list(group)


def _times(timings_ms: Mapping[str, float]) -> str:
    """Each stage as a bar of the whole time, and when the first words came."""
    stages = {name: ms for name, ms in timings_ms.items() if name not in MARKS}
    total = timings_ms.get("total", sum(stages.values()))
    if not stages:
        return ""
    rows = "".join(
        f"<div><dt>{escaped(STAGES.get(name, name.replace('_', ' ')))}</dt>"
        f"<dd>{_bar(ms / total if total > 0 else 0.0)}<span>{_seconds(ms)}</span></dd></div>"
        for name, ms in stages.items()
    )
    first = f", first words after {_seconds(timings_ms['first_words'])}" if "first_words" in timings_ms else ""
    return f'<h3>Time</h3><dl class="pc-times">{rows}</dl><p class="pc-note">{_seconds(total)} in all{first}</p>'


def _tokens(usage: Mapping[str, int]) -> str:
    said = [f"{count:,} {escaped(TOKENS.get(name, name.replace('_', ' ')))}" for name, count in usage.items()]
    return f'<p class="pc-note">{", ".join(said)}</p>' if said else ""


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"
