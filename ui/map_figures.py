"""The two pictures of the map: where the papers stand, and when they came out. Plotly figures, light and dark."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from rag.atlas import Atlas
from rag.papers import Paper
from ui.escape import MAX_TITLE, day, escaped, shortened

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CLEAR = "rgba(0,0,0,0)"
LINE_CHARS = 56  # of a title in a hover label
ON_A_CANVAS = 3000  # more points than this are drawn by WebGL: as SVG each would be an element of the page
LABEL_ROOM = (0.5, 0.085)  # half widths of the map that a topic's name takes up: beside, below
MONTHS_AT_MOST, QUARTERS_AT_MOST = 36, 48
DAY_MS = 86_400_000.0
BUTTONS_AWAY = ["zoom2d", "pan2d", "select2d", "lasso2d", "autoScale2d", "toImage"]


@dataclass(frozen=True, slots=True)
class Colours:
    """What a picture is drawn with; the values of `ui/static/chat.css` and `map.css`, which Plotly cannot read."""

    ground: str
    text: str
    soft: str
    line: str
    accent: str
    topics: tuple[str, ...]


# The topics' colours were searched for: at least 3:1 against the ground, and in every kind of colour vision
# further apart from each other (0.10 in OKLab) than those of the usual colour-blind safe palettes (0.08).
LIGHT = Colours(
    "#fcfbf9", "#23262b", "#646a73", "#e4e0d8", "#1f5f8b",
    ("#1e96e3", "#aa3719", "#898c1f", "#794eb1", "#206d5a", "#d5699a", "#192f95", "#662054"),
)  # fmt: skip
DARK = Colours(
    "#17191c", "#e4e4e1", "#a0a5ac", "#31353b", "#85bbe2",
    ("#409be9", "#be393a", "#9d921b", "#7f51b8", "#197978", "#e58887", "#37dee8", "#dfcb28"),
)  # fmt: skip


def map_figure(atlas: Atlas, papers: Mapping[str, Paper], cited: Mapping[str, int], dark: bool) -> Figure:
    """The papers in the plane, coloured by topic.

    Args:
        papers: by id; those that are not on the map, and places without a paper, are left out.
        cited: paper id -> the marker `[n]` by which an answer cites it; these stand out, the others step back.
    """
    from plotly.graph_objects import Figure, Scatter, Scattergl

    colours = DARK if dark else LIGHT
    shown = {i: point for i, point in atlas.points.items() if i in papers}
    scatter = Scattergl if len(shown) > ON_A_CANVAS else Scatter
    figure = Figure()
    for topic in range(len(atlas.topics)):
        ids = [i for i, point in shown.items() if point.topic == topic and i not in cited]
        marker = {
            "size": _size(len(shown)),
            "color": _colour(colours, topic),
            "opacity": 0.3 if cited else 0.85,
            "line": {"width": 1, "color": colours.ground},
        }
        figure.add_trace(scatter(**_places(atlas, papers, ids), mode="markers", marker=marker))
    lit = sorted((i for i in cited if i in shown), key=lambda i: cited[i], reverse=True)
    figure.add_trace(
        Scatter(
            **_places(atlas, papers, lit),
            mode="markers+text",
            marker={"size": 20, "color": colours.accent, "opacity": 1, "line": {"width": 2, "color": colours.ground}},
            text=[str(cited[i]) for i in lit],
            textfont={"size": 11, "color": colours.ground},
            textposition="middle center",
        )
    )
    axis = {"visible": False, "range": [-1.08, 1.08], "autorange": False}
    figure.update_layout(_layout(colours), xaxis=axis, yaxis=axis, annotations=_names(atlas, shown, colours))
    return figure.update_layout(dragmode="pan", hovermode="closest")


def papers_over_time(papers: Iterable[Paper], atlas: Atlas, dark: bool) -> Figure:
    """How many papers came out when, stacked by topic: by month, quarter or year. Undated ones are left out."""
    from plotly.graph_objects import Bar, Figure

    colours = DARK if dark else LIGHT
    dated = [
        (paper.published, atlas.points[paper.paper_id].topic)
        for paper in papers
        if paper.published and paper.paper_id in atlas.points
    ]
    months = _months_a_bar([when for when, _ in dated])
    counts = Counter((_period(when, months), topic) for when, topic in dated)
    starts = sorted({start for start, _ in counts})
    figure = Figure()
    for topic in range(len(atlas.topics)):
        figure.add_trace(
            Bar(
                x=[start.isoformat() for start in starts],
                y=[counts[start, topic] for start in starts],
                width=months * 30.4 * DAY_MS * 0.86,
                offset=0,
                marker={"color": _colour(colours, topic), "line": {"width": 0}},
                hovertext=[_bar_text(start, months, atlas, topic, counts[start, topic]) for start in starts],
                hoverinfo="text",
            )
        )
    ticks = {"color": colours.soft, "size": 11}
    xaxis = {"type": "date", "showgrid": False, "linecolor": colours.line, "tickfont": ticks, "fixedrange": True}
    yaxis = {"gridcolor": colours.line, "zeroline": False, "tickfont": ticks, "fixedrange": True, "nticks": 5}
    figure.update_layout(_layout(colours), barmode="stack", hovermode="closest", dragmode=False)
    return figure.update_layout(xaxis=xaxis | {"nticks": 8}, yaxis=yaxis | {"tickformat": ",d", "automargin": True})


def plain(text: str, width: int = LINE_CHARS) -> str:
    """Text for a label of Plotly, which reads some HTML: shows exactly `text`, broken into lines."""
    return "<br>".join(escaped(line) for line in textwrap.wrap(shortened(text, MAX_TITLE), width))


def _places(atlas: Atlas, papers: Mapping[str, Paper], ids: Sequence[str]) -> dict[str, Any]:
    def label(i: str) -> str:
        topic = atlas.topics[atlas.points[i].topic]
        return f"<b>{plain(papers[i].title)}</b><br>{day(papers[i])}<br>{plain(topic.name)}"

    return {
        "x": [atlas.points[i].x for i in ids],
        "y": [atlas.points[i].y for i in ids],
        "hovertext": [label(i) for i in ids],
        "hoverinfo": "text",
    }


def _size(n: int) -> int:
    """Diameter of a paper's dot in pixels, smaller where there are many."""
    return 10 if n <= 300 else 7 if n <= 1500 else 4


def _colour(colours: Colours, topic: int) -> str:
    return colours.topics[topic % len(colours.topics)]


def _names(atlas: Atlas, shown: Mapping[str, Any], colours: Colours) -> list[dict[str, Any]]:
    """Each topic's best word in the middle of its papers, moved down where another name stands."""
    middles = []
    for index, topic in enumerate(atlas.topics):
        xs = sorted(point.x for point in shown.values() if point.topic == index)
        ys = sorted(point.y for point in shown.values() if point.topic == index)
        if xs and topic.words:
            middles.append((ys[len(ys) // 2], xs[len(xs) // 2], topic.words[0]))
    placed: list[tuple[float, float]] = []
    names = []
    for y, x, word in sorted(middles, reverse=True):
        while any(abs(x - other) < LABEL_ROOM[0] and abs(y - above) < LABEL_ROOM[1] for other, above in placed):
            y -= LABEL_ROOM[1] / 4
        placed.append((x, y))
        font = {"size": 13, "color": colours.text, "weight": 600}
        names.append({"x": x, "y": y, "text": plain(word), "showarrow": False, "font": font, "captureevents": False})
    return names


def _layout(colours: Colours) -> dict[str, Any]:
    return {
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": colours.text},
        "hoverlabel": {
            "bgcolor": colours.ground,
            "bordercolor": colours.line,
            "font": {"color": colours.text, "size": 13, "family": "system-ui, sans-serif"},
            "align": "left",
        },
        "showlegend": False,
        "uirevision": "kept",  # drawing again leaves the part that somebody has moved to
        "modebar": {
            "remove": BUTTONS_AWAY,
            "bgcolor": CLEAR,
            "color": colours.soft,
            "activecolor": colours.accent,
            "orientation": "v",
        },
    }


def _months_a_bar(dates: Sequence[date]) -> int:
    if not dates:
        return 12
    first, last = min(dates), max(dates)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return 1 if months <= MONTHS_AT_MOST else 3 if months <= 3 * QUARTERS_AT_MOST else 12


def _period(when: date, months: int) -> date:
    """The first day of the month, quarter or year."""
    return date(when.year, (when.month - 1) // months * months + 1, 1)


def _bar_text(start: date, months: int, atlas: Atlas, topic: int, count: int) -> str:
    last = date(start.year, start.month + months - 1, 1)
    when = {1: f"{start:%B %Y}", 3: f"{start:%B} to {last:%B %Y}", 12: f"{start:%Y}"}[months]
    return f"<b>{count} paper{'' if count == 1 else 's'}</b><br>{when}<br>{plain(atlas.topics[topic].name)}"
