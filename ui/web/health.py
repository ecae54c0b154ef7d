"""Whether the server is well, and what it has counted: for whoever watches over it."""

from __future__ import annotations

import secrets
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from rag.errors import PaperchatError
from ui.services import Services
from ui.web.metrics import METRICS


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok", "loading", "failing"]
    instance: str = Field(description="Another one after each start.")
    papers: int
    version: str


def health(services: Services) -> APIRouter:
    """/healthz and /metrics."""
    router = APIRouter(tags=["operation"])
    instance, release = secrets.token_hex(8), version("paperchat")

    @router.get("/healthz", responses={503: {"model": Health, "description": "No question can be answered"}})
    def healthz() -> Response:
        """Whether questions can be answered; open to everyone. An empty library is well, and has no papers."""
        status, papers = _state(services)
        told = Health(status=status, instance=instance, papers=papers, version=release)
        return JSONResponse(told.model_dump(), 503 if status == "failing" else 200)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Questions, failures, latencies and queues, in Prometheus's text format."""
        return Response(METRICS.text(services.turnstiles), media_type=CONTENT_TYPE_LATEST)

    return router


def _state(services: Services) -> tuple[Literal["ok", "loading", "failing"], int]:
    warmup = services.warmup
    if not warmup.done():
        return "loading", 0
    try:
        papers = services.shelf.count()
    except PaperchatError:
        return "failing", 0
    return ("failing" if papers and warmup.problem else "ok"), papers
