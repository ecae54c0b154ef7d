"""What stands beside the pictures of the map, as HTML: what is shown, which papers are lit up, and the topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from rag.atlas import Atlas, Topic
from rag.papers import Paper
from ui.escape import day, escaped, title_html

PAPERS_A_TOPIC = 8  # that its list shows
HEADING = "<h2>Map of the library</h2>"


def note_html(text: str, *, problem: bool = False) -> str:
    """The heading and one sentence: why there is no map (yet)."""
    kind, role = ("pc-problem", "alert") if problem else ("pc-note", "status")
    return f'{HEADING}<p class="{kind}" role="{role}">{escaped(text)}</p>'


def heading_html(atlas: Atlas, papers: Mapping[str, Paper], cited: Mapping[str, int]) -> str:
    """What the picture shows, and the papers that are lit up in it, as text for those who do not see it."""
    lit = [(n, papers[i]) for i, n in sorted(cited.items(), key=lambda item: item[1]) if i in papers]
    off = len(papers) - sum(i in papers for i in atlas.points)
    about = f"{_papers(len(atlas.points))}. Those that stand close together are about the same."
    about += f" {_papers(off)} without text {'is' if off == 1 else 'are'} not on it." if off else ""
    if not lit:
        return f'{HEADING}<p class="pc-note">{about} Papers that an answer cites light up here.</p>'
    rows = "".join(
        f'<li><span class="pc-n">{n}</span><span>{title_html(paper)}, {day(paper)}</span></li>' for n, paper in lit
    )
    return (
        f'{HEADING}<p class="pc-note">{about} Lit up: what the last answer cites.</p>'
        f'<ul class="pc-lit-papers">{rows}</ul>'
    )


def topics_html(atlas: Atlas, papers: Mapping[str, Paper]) -> str:
    """The topics with their words and sizes; each opens to its newest papers."""
    members: dict[int, list[Paper]] = {}
    for paper_id, point in atlas.points.items():
        if paper_id in papers:
            members.setdefault(point.topic, []).append(papers[paper_id])
    rows = (_topic(index, topic, members.get(index, [])) for index, topic in enumerate(atlas.topics))
    return f'<h3>Topics</h3><ul class="pc-topics">{"".join(rows)}</ul>'


def over_time_html(papers: Mapping[str, Paper]) -> str:
    """The heading of the second picture."""
    undated = sum(paper.published is None for paper in papers.values())
    left_out = f"{_papers(undated)} without a date {'is' if undated == 1 else 'are'} left out." if undated else ""
    return f'<h3>Papers over time</h3><p class="pc-note">Coloured by topic. {left_out}</p>'


def _topic(index: int, topic: Topic, members: Sequence[Paper]) -> str:
    words = ", ".join(escaped(word) for word in topic.words) or escaped(topic.name)
    newest = sorted(members, key=lambda paper: (paper.published or date.min, paper.paper_id), reverse=True)
    rows = "".join(
        f'<li>{title_html(paper)} <span class="pc-meta">{day(paper)}</span></li>' for paper in newest[:PAPERS_A_TOPIC]
    )
    more = len(newest) - PAPERS_A_TOPIC
    rest = f'<p class="pc-note">and {more:,} older ones</p>' if more > 0 else ""
    return (
        f'<li><details class="pc-topic"><summary><span class="pc-swatch pc-topic-{index % 8}"></span>'
        f'<span class="pc-topic-words">{words}</span><span class="pc-topic-size">{_papers(topic.size)}</span>'
        f"</summary><ul>{rows}</ul>{rest}</details></li>"
    )


def _papers(n: int) -> str:
    return f"{n:,} paper{'' if n == 1 else 's'}"
