"""The HTTP API: the page's own functions for programs."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from rag.answer.answer import Answer, Event, Finished, Searched, TextDelta
from rag.errors import PaperchatError
from rag.shelf import Order
from ui.services import Services
from ui.web.errors import UNEXPECTED
from ui.web.metrics import METRICS
from ui.web.models import (
    AnswerOut,
    AskRequest,
    ErrorOut,
    PaperDetails,
    PaperOut,
    PapersOut,
    RetrieveRequest,
    RetrieveResponse,
    searched_dict,
)
from ui.web.streaming import Waiting, in_turn

log = logging.getLogger(__name__)

GONE = 499  # nobody reads it
STREAM = """The answer to a question about the papers, every sentence with its evidence.

With `stream` (the default) the answer comes as server-sent events, each with JSON as its data:

- `waiting` {before}: so many questions are answered first (only when others are)
- `searched` {query_used, filters, papers}: what was searched, and what was found
- `text` {text}: more of the answer, already checked; append it to what came before
- `finished`: the whole answer with its citations, as without `stream`
- `error` {type, message, remedy, retryable}: it failed on the way, and nothing more comes

Closing the connection stops the model.
"""
_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The question cannot be asked"},
    409: {"model": ErrorOut, "description": "The library is empty, or busy"},
    422: {"model": ErrorOut, "description": "The request is malformed"},
    502: {"model": ErrorOut, "description": "The language model's endpoint failed"},
    503: {"model": ErrorOut, "description": "Not possible just now"},
}
_NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut, "description": "No such paper"}}
_EVENTS = {"content": {"text/event-stream": {}}, "description": "The answer"}


def api(services: Services) -> APIRouter:
    """The routes below /api."""
    router = APIRouter(prefix="/api", tags=["papers"])

    @router.post(
        "/ask", response_model=AnswerOut, responses={200: _EVENTS, **_FAILURES}, description=STREAM, summary="Ask"
    )
    async def ask(asked: AskRequest, request: Request) -> Response:
        if not asked.stream:
            return await _whole(_events(services, asked), request)
        events = _events(services, asked)
        first = await anext(events)  # what is wrong from the start still has a status of its own
        return EventSourceResponse(_told(first, events))

    @router.post("/retrieve", responses=_FAILURES, summary="Find papers")
    async def retrieve(asked: RetrieveRequest) -> RetrieveResponse:
        """The best papers for a question, with the scores and ranks that each part of the search gave them."""
        async with services.turnstiles.of("quotes").pass_through():
            found = await run_in_threadpool(
                services.engine.retrieve, asked.question, asked.turns(), k=asked.k, within=asked.within()
            )
        return RetrieveResponse.of(asked.question, found)

    _papers(router, services)

    @router.api_route("/{path:path}", methods=["GET", "POST"], include_in_schema=False)
    def nothing(path: str) -> None:
        raise HTTPException(404, "There is nothing at this address for this method")

    return router


def _papers(router: APIRouter, services: Services) -> None:
    shelf = services.shelf

    @router.get("/papers", responses=_FAILURES, summary="Browse the library")
    def papers(
        query: Annotated[str, Query(max_length=1000, description="Words of title, abstract or organisation.")] = "",
        organisation: Annotated[str | None, Query(description="As the library lists it.")] = None,
        source: Annotated[str | None, Query(description="The file that lists it.")] = None,
        published_from: date | None = None,
        published_to: date | None = None,
        order: Annotated[Order | None, Query(description="Left out: by relevance, or the newest first.")] = None,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> PapersOut:
        """The papers of the library, a part at a time."""
        page = shelf.browse(
            query,
            organisation=organisation,
            source=source,
            published_from=published_from,
            published_to=published_to,
            order=order,
            offset=offset,
            limit=limit,
        )
        return PapersOut(total=page.total, offset=offset, limit=limit, papers=[PaperOut.of(p) for p in page.papers])

    @router.get("/papers/{paper_id}", responses=_FAILURES | _NOT_THERE, summary="One paper")
    def paper(paper_id: str) -> PaperDetails:
        """A paper with its whole abstract, and the sources that list it."""
        found = PaperOut.of(shelf.paper(paper_id))
        return PaperDetails(paper=found, sources=list(shelf.sources_of(paper_id)))


def _events(services: Services, asked: AskRequest) -> AsyncGenerator[Event | Waiting]:
    """The answer in its turn; counted."""
    settings = services.engine.settings
    if asked.answerer:  # "auto" too is what the settings make of it
        settings = settings.model_copy(update={"answerer": asked.answerer})
    kind = settings.effective_answerer

    def start(cancelled: threading.Event) -> Iterator[Event]:
        events = services.engine.stream(
            asked.question,
            asked.turns(),
            answerer=asked.answerer,
            style=asked.style,
            within=asked.within(),
            cancelled=cancelled,
        )
        return METRICS.watched(events, kind)

    return in_turn(services.turnstiles.of(kind), start)


async def _told(first: Event | Waiting, events: AsyncGenerator[Event | Waiting]) -> AsyncGenerator[dict[str, str]]:
    """Each event under its name; a failure is the last of them."""
    async with aclosing(events):
        try:
            yield _event(first)
            async for event in events:
                yield _event(event)
        except PaperchatError as error:
            yield _named("error", error.as_dict())
        except Exception:
            log.exception("A question could not be answered")
            yield _named("error", UNEXPECTED.as_dict())


def _event(event: Event | Waiting) -> dict[str, str]:
    match event:
        case Waiting(before):
            return _named("waiting", {"before": before})
        case Searched():
            return _named("searched", searched_dict(event))
        case TextDelta(text):
            return _named("text", {"text": text})
        case Finished(answer):
            return _named("finished", answer.as_dict())


def _named(name: str, value: dict[str, Any]) -> dict[str, str]:
    return {"event": name, "data": json.dumps(value)}


async def _whole(events: AsyncGenerator[Event | Waiting], request: Request) -> Response:
    """The finished answer; a client that goes away in the meantime stops it."""
    answering = asyncio.create_task(_finished(events))
    leaving = asyncio.create_task(_gone(request.receive))
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(answering.result().as_dict()) if answering.done() else Response(status_code=GONE)
    finally:
        answering.cancel()
        leaving.cancel()


async def _finished(events: AsyncGenerator[Event | Waiting]) -> Answer:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Finished):
                return event.answer
    raise AssertionError("an answer always finishes or fails")


async def _gone(receive: Callable[[], Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
