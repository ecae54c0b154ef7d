"""The view of the map: drawn when somebody opens it, never before."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.atlas import Atlas, load, refresh
from rag.errors import LibraryEmptyError, PaperchatError
from rag.papers import Paper
from ui.conversation import Conversation
from ui.map_figures import map_figure, papers_over_time
from ui.map_html import heading_html, note_html, over_time_html, topics_html
from ui.session import Session
from ui.updates import updating

if TYPE_CHECKING:
    from ui.services import Services

LOADING = "The library is being opened. The map follows by itself."
COMPUTING = "The map is being drawn, for the library has changed. This takes some seconds."
EMPTY = "There are no papers on the map yet. Add some in the library, then open the map again."
FAILED = "The map could not be drawn. Run `paperchat doctor` for the reason."
POLL_S = 0.2
AT_ONCE = 2  # maps that are drawn at the same time; more wait their turn
# Which colours to draw in only the browser knows.
IS_DARK = "(session, dark) => [session, document.body.classList.contains('dark')]"

log = logging.getLogger(__name__)
Update = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class MapView:
    """The components of the view, and what draws them."""

    drawing: Drawing
    session: gr.State
    dark: gr.Checkbox
    outputs: tuple[gr.components.Component, ...]  # heading, map, topics, heading, papers over time


def map_view(services: Services, session: gr.State) -> MapView:
    """Build the view in the column that is open."""
    dark = gr.Checkbox(visible=False)
    heading = gr.HTML(note_html(LOADING), elem_id="pc-map-heading", apply_default_css=False)
    places = gr.Plot(visible=False, show_label=False, container=False, elem_id="pc-map-places")
    topics = gr.HTML("", elem_id="pc-map-topics", apply_default_css=False)
    over_time = gr.HTML("", elem_id="pc-map-over-time", apply_default_css=False)
    bars = gr.Plot(visible=False, show_label=False, container=False, elem_id="pc-map-bars")
    return MapView(Drawing(services), session, dark, (heading, places, topics, over_time, bars))


def wire_map(view: MapView, opened: gr.Button) -> None:
    """Draw the map whenever `opened` is pressed."""
    opened.click(
        updating(view.drawing.opened),
        [view.session, view.dark],
        list(view.outputs),
        js=IS_DARK,
        concurrency_limit=AT_ONCE,
        concurrency_id="map",
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )


class Drawing:
    """The event handler; shared by all tabs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # A picture equal to the last would not be drawn again, not even where it was drawn while hidden, and too small.
        self._drawn = itertools.count(1)

    async def opened(self, session: Session, dark: bool) -> AsyncIterator[Update]:
        """The map of the library as it is now, with what the last answer cites; meanwhile, or instead, why not."""
        if not self._services.warmup.done():
            yield _only(note_html(LOADING))
        while not self._services.warmup.done():
            await asyncio.sleep(POLL_S)
        try:
            library = await asyncio.to_thread(lambda: self._services.engine.library)
            if await asyncio.to_thread(load, library) is None:
                yield _only(note_html(COMPUTING))
            atlas = await asyncio.to_thread(refresh, library)
            papers = {paper.paper_id: paper for paper in await asyncio.to_thread(library.find)}
            yield await asyncio.to_thread(self._view, atlas, papers, cited(session.conversation), dark)
        except LibraryEmptyError:
            yield _only(note_html(EMPTY))
        except PaperchatError as error:
            yield _only(note_html(str(error), problem=True))
        except Exception:
            log.exception("The map could not be drawn")
            yield _only(note_html(FAILED, problem=True))

    def _view(self, atlas: Atlas, papers: Mapping[str, Paper], lit: Mapping[str, int], dark: bool) -> Update:
        if not atlas.points:
            return _only(note_html(EMPTY))
        places = map_figure(atlas, papers, lit, dark).update_layout(datarevision=next(self._drawn))
        bars = papers_over_time(papers.values(), atlas, dark).update_layout(datarevision=next(self._drawn))
        return (
            heading_html(atlas, papers, lit),
            gr.update(value=places, visible=True),
            topics_html(atlas, papers),
            over_time_html(papers),
            gr.update(value=bars, visible=True),
        )


def cited(conversation: Conversation) -> dict[str, int]:
    """Paper id -> its first marker in the last answer that cites anything; the one that stands in the chat."""
    for turn in reversed(conversation.turns):
        if turn.answer and turn.answer.citations:
            markers = sorted((citation.n, citation.paper.paper_id) for citation in turn.answer.citations)
            return {paper_id: n for n, paper_id in reversed(markers)}
    return {}


def _only(heading: str) -> Update:
    """A sentence in place of everything else."""
    return (heading, gr.update(visible=False), "", "", gr.update(visible=False))
