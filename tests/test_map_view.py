"""The view of the map: its pictures, what stands beside them, and what it says while there is none."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import fill, many_papers, open_library
from ui_helpers import answered, assert_harmless, citation, finished

from rag.atlas import Atlas, Point, Topic, store
from rag.errors import LibraryEmptyError, LibraryError
from rag.library.library import Library
from rag.papers import Paper
from ui.map_figures import DARK, LIGHT, Colours, map_figure, papers_over_time, plain
from ui.map_html import heading_html, over_time_html, topics_html
from ui.map_view import COMPUTING, EMPTY, FAILED, LOADING, Drawing, cited, map_view, wire_map
from ui.services import Services
from ui.session import Session

STATIC = Path(__file__).parents[1] / "ui" / "static"
PAPERS = {p.paper_id: p for p in many_papers(40)}
TOPICS = (Topic(("dense retrieval", "index"), 30), Topic(("<b>speech</b>", "$x$"), 8), Topic((), 2))
ATLAS = Atlas(
    {i: Point(np.cos(n) / 2, np.sin(n) / 2, 0 if n < 30 else 1 if n < 38 else 2) for n, i in enumerate(PAPERS)},
    TOPICS,
    1,
)
HOSTILE = '<b>x</b><img src=x onerror=window.hit=1> %{x} ${y} $z^2$ &lt;EOS&gt; <3% `a` \\frac | ** "q" <br>'

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009
SIGHT = {
    "all colours": np.eye(3),
    "no red": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]]),
    "no green": np.array([[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "no blue": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}  # fmt: skip


# The pictures


def drawn(figure: Any) -> dict[str, Any]:
    """The figure as the browser gets it."""
    return dict(json.loads(figure.to_json()))


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def oklab(rgb: np.ndarray) -> np.ndarray:
    cones = np.array([[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]])
    axes = np.array([[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]])
    return axes @ np.cbrt(cones @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_topics_stand_out_from_the_ground_and_from_each_other_for_every_eye(colours: Colours) -> None:
    ground = luminance(colours.ground)
    for colour in colours.topics:
        brighter, darker = sorted((luminance(colour), ground), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) >= 3.0, colour
    for sight, matrix in SIGHT.items():
        seen = [oklab(matrix @ linear(colour)) for colour in colours.topics]
        apart = min(float(np.linalg.norm(a - b)) for n, a in enumerate(seen) for b in seen[:n])
        assert apart > 0.1, sight


@pytest.mark.parametrize(("colours", "selector"), [(LIGHT, ":root"), (DARK, ".dark")])
def test_pictures_and_page_use_the_same_colours(colours: Colours, selector: str) -> None:
    def variables(sheet: str) -> dict[str, str]:
        block = re.search(rf"^{re.escape(selector)} {{(.*?)}}", (STATIC / sheet).read_text("utf-8"), re.DOTALL | re.M)
        assert block
        return dict(re.findall(r"--pc-([\w-]+): (#\w+);", block[1]))

    topics = variables("map.css")
    assert tuple(topics[f"topic-{n}"] for n in range(8)) == colours.topics
    page = variables("chat.css")
    assert [page[name] for name in ("ground", "text", "soft", "line", "accent")] == [
        colours.ground, colours.text, colours.soft, colours.line, colours.accent,
    ]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
def test_cited_papers_light_up_with_their_markers_and_the_others_step_back(dark: bool) -> None:
    ids = list(PAPERS)
    *topics, lit = drawn(map_figure(ATLAS, PAPERS, {ids[3]: 2, ids[35]: 1, "gone": 4}, dark))["data"]
    assert lit["text"] == ["2", "1"]
    assert lit["x"] == [pytest.approx(ATLAS.points[ids[3]].x), pytest.approx(ATLAS.points[ids[35]].x)]
    assert lit["marker"]["color"] == (DARK if dark else LIGHT).accent
    assert sum(len(trace["x"]) for trace in topics) == 38
    assert all(trace["marker"]["opacity"] < 0.5 < lit["marker"]["opacity"] for trace in topics)
    assert all(trace["marker"]["size"] < lit["marker"]["size"] for trace in topics)


def test_without_citations_every_paper_that_is_there_is_drawn_once_in_its_topics_colour() -> None:
    some = dict(list(PAPERS.items())[5:])
    *topics, lit = drawn(map_figure(ATLAS, some, {}, dark=False))["data"]
    assert lit["x"] == []
    assert [len(trace["x"]) for trace in topics] == [25, 8, 2]
    assert [trace["marker"]["color"] for trace in topics] == list(LIGHT.topics[:3])
    assert all(trace["marker"]["opacity"] > 0.8 for trace in topics)


def test_a_label_says_title_date_and_topic() -> None:
    paper = replace(next(iter(PAPERS.values())), published=date(2021, 8, 14))
    figure = drawn(map_figure(ATLAS, {paper.paper_id: paper}, {}, dark=False))
    label = html.unescape(figure["data"][0]["hovertext"][0])
    assert label == f"<b>{paper.title}</b><br>August 14, 2021<br>dense retrieval, index"


def test_many_papers_are_drawn_on_a_canvas() -> None:
    papers = {f"p{n}": Paper(f"p{n}", f"Paper {n}", "") for n in range(3001)}
    atlas = Atlas({i: Point(n / 3001, 0.0, 0) for n, i in enumerate(papers)}, (Topic(("word",), 3001),), 1)
    figure = drawn(map_figure(atlas, papers, {"p5": 1}, dark=False))
    assert [trace["type"] for trace in figure["data"]] == ["scattergl", "scatter"]


def test_names_of_topics_do_not_lie_over_each_other() -> None:
    atlas = Atlas({str(n): Point(0.0, 0.0, n) for n in range(8)}, tuple(Topic((f"w{n}",), 1) for n in range(8)), 1)
    names = drawn(map_figure(atlas, {str(n): Paper(str(n), "T", "") for n in range(8)}, {}, dark=False))["layout"]
    heights = sorted(name["y"] for name in names["annotations"])
    assert len(heights) == 8
    assert min(np.diff(heights)) > 0.08


@given(text=st.text(max_size=200) | st.just(HOSTILE))
@settings(max_examples=200)
def test_a_label_shows_any_text_exactly_and_holds_no_markup_of_it(text: str) -> None:
    label = plain(text)
    assert not re.search(r"[<${}`\\]", label.replace("<br>", ""))
    shown = "".join(html.unescape(label.replace("<br>", " ")).split())
    kept = "".join(text.split())
    if kept.isprintable() and len(text) < 200:
        assert shown == kept


@given(dates=st.lists(st.none() | st.dates(date(1990, 1, 1), date(2026, 11, 21)), max_size=40))
@settings(max_examples=40, deadline=None)
def test_every_dated_paper_stands_in_one_bar_of_its_topic(dates: list[date | None]) -> None:
    papers = [Paper(str(n), "T", "", published=when) for n, when in enumerate(dates)]
    atlas = Atlas({p.paper_id: Point(0, 0, n % 3) for n, p in enumerate(papers)}, TOPICS, 1)
    bars = drawn(papers_over_time([*papers, Paper("unknown", "T", "", date(2020, 1, 1))], atlas, dark=True))["data"]
    for topic, bar in enumerate(bars):
        assert sum(bar["y"]) == sum(when is not None and n % 3 == topic for n, when in enumerate(dates))
    dated = [when for when in dates if when]
    if dated:
        first = bars[0]["x"]
        assert first == sorted(set(first))
        assert date.fromisoformat(first[0]) <= min(dated)
        assert date.fromisoformat(first[-1]) <= max(dated)


def test_bars_are_as_wide_as_suits_the_span() -> None:
    def labels(*dates: date) -> list[str]:
        papers = [Paper(str(n), "T", "", when) for n, when in enumerate(dates)]
        atlas = Atlas({p.paper_id: Point(0, 0, 0) for p in papers}, TOPICS[:1], 1)
        return [
            re.split("<br>", text)[1] for text in drawn(papers_over_time(papers, atlas, False))["data"][0]["hovertext"]
        ]

    assert labels(date(2024, 2, 29), date(2025, 12, 1)) == ["February 2024", "December 2025"]
    assert labels(date(2019, 5, 3), date(2025, 12, 1)) == ["April to June 2019", "October to December 2025"]
    assert labels(date(1999, 5, 3), date(2025, 12, 1)) == ["1999", "2025"]


# Beside the pictures


def test_what_stands_beside_the_map_is_text_whatever_the_papers_say() -> None:
    papers = {i: replace(p, title=HOSTILE) for i, p in PAPERS.items()}
    first = next(iter(papers))
    for part in (heading_html(ATLAS, papers, {first: 1}), topics_html(ATLAS, papers), over_time_html(papers)):
        reading = assert_harmless(part)
        if "Lit up" in part or "Topics" in part:
            assert HOSTILE.strip() in reading.text


def test_the_heading_names_the_papers_that_are_lit_up_in_order() -> None:
    one, two = list(PAPERS)[:2]
    text = assert_harmless(heading_html(ATLAS, PAPERS, {one: 2, two: 1, "gone": 3})).text
    assert text.index(PAPERS[two].title) < text.index(PAPERS[one].title)
    assert "40 papers" in text
    assert "Papers that an answer cites light up here." in heading_html(ATLAS, PAPERS, {"gone": 3})


def test_the_heading_counts_the_papers_that_are_not_on_the_map() -> None:
    assert "1 paper without text is not on it." in heading_html(ATLAS, PAPERS | {"new": Paper("new", "T", "")}, {})


def test_topics_show_words_sizes_and_their_newest_papers() -> None:
    text = assert_harmless(topics_html(ATLAS, PAPERS)).text
    assert "dense retrieval, index30 papers" in text
    assert "and 22 older ones" in text
    assert "Other papers2 papers" in text
    first = [p for i, p in PAPERS.items() if ATLAS.points[i].topic == 0]
    newest = max(first, key=lambda p: p.published or date.min)
    assert newest.title in text


def test_lit_up_is_what_the_last_answer_with_citations_cites() -> None:
    session = Session()
    assert cited(session.conversation) == {}
    one, two = list(PAPERS.values())[:2]
    quotes = tuple(citation(n, p, p.abstract[:10]) for n, p in [(1, two), (2, one), (3, two)])
    session.conversation.turns = [
        finished(answered("A [1]", (citation(1, one, one.abstract[:5]),)), 1),
        finished(answered("B [1] [2] [3]", quotes), 2),
        finished(answered("No answer", outcome="refused"), 3),
    ]
    assert cited(session.conversation) == {two.paper_id: 1, one.paper_id: 2}


# When it is opened


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    library = open_library(tmp_path_factory.mktemp("map") / "library")
    fill(library, list(PAPERS.values())[:12])
    yield library
    library.close()


class Engine:
    """Has a library, or says why not."""

    def __init__(self, library: Library | Exception) -> None:
        self._library = library

    @property
    def library(self) -> Library:
        if isinstance(self._library, Exception):
            raise self._library
        return self._library


def services(library: Library | Exception, waits: int = 0) -> Services:
    """Enough of the services; the library is opened after so many looks at it."""
    looks = iter([False] * waits)
    warmup = SimpleNamespace(done=lambda: next(looks, True))
    return cast(Services, SimpleNamespace(engine=Engine(library), warmup=warmup))


def opened(drawing: Drawing, session: Session | None = None) -> list[tuple[Any, ...]]:
    """All that is shown, in order, when somebody opens the map."""

    async def all_of() -> list[tuple[Any, ...]]:
        return [update async for update in drawing.opened(session or Session(), False)]

    return asyncio.run(all_of())


def test_opening_the_map_computes_it_once_and_draws_it_with_the_last_answers_papers(library: Library) -> None:
    drawing = Drawing(services(library, waits=2))
    (library.folder / store.ATLAS).unlink(missing_ok=True)
    session = Session()
    paper = library.find()[0]
    session.conversation.turns = [finished(answered("A [7]", (citation(7, paper, paper.abstract[:9]),)))]
    loading, computing, (heading, places, topics, over_time, bars) = opened(drawing, session)
    assert LOADING in loading[0]
    assert COMPUTING in computing[0]
    assert not loading[1]["visible"]
    assert places["visible"]
    assert bars["visible"]
    assert paper.title in html.unescape(heading)
    assert places["value"].data[-1].text == ("7",)
    assert "Topics" in topics
    assert "over time" in over_time
    again = opened(drawing)
    assert len(again) == 1, "the map is kept"
    assert again[0][1]["value"].to_json() != places["value"].to_json(), "an equal picture would not be drawn again"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (LibraryEmptyError("The library is empty.", "Add papers."), EMPTY),
        (LibraryError("The catalog <x> is damaged.", "Restore it."), "The catalog <x> is damaged. Restore it."),
        (RuntimeError("secret"), FAILED),
    ],
)
def test_a_map_that_cannot_be_drawn_says_so_in_a_sentence(error: Exception, sentence: str) -> None:
    *_, (heading, places, topics, over_time, bars) = opened(Drawing(services(error)))
    reading = assert_harmless(heading)
    assert sentence in reading.text
    assert "secret" not in reading.text
    assert (places["visible"], topics, over_time, bars["visible"]) == (False, "", "", False)


def test_a_library_without_papers_has_a_sentence_in_place_of_a_map(tmp_path: Path) -> None:
    empty = open_library(tmp_path / "library")
    *_, last = opened(Drawing(services(empty)))
    assert EMPTY in last[0]
    empty.close()


def test_the_view_is_drawn_only_when_it_is_opened(library: Library) -> None:
    with gr.Blocks(analytics_enabled=False) as page:
        session = gr.State(Session())
        button = gr.Button("Map")
        with gr.Column(elem_id="pc-map"):
            view = map_view(services(library), session)
        wire_map(view, button)
    config = page.get_config_file()
    assert [target for dependency in config["dependencies"] for target in dependency["targets"]] == [
        (button._id, "click")
    ]
    assert all(dependency["api_visibility"] == "private" for dependency in config["dependencies"])
    plots = [one for one in config["components"] if one["type"] == "plot"]
    assert [plot["props"].get("value") for plot in plots] == [None, None]
