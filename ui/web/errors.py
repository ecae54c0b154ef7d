"""Failures as a program gets them: one object that says what happened and what to do, under the right status."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag import errors
from rag.errors import PaperchatError

log = logging.getLogger(__name__)

# The first that fits: what is more special stands before what is more general.
STATUS: tuple[tuple[type[PaperchatError], int], ...] = (
    (errors.QuestionError, 400),
    (errors.SettingsError, 400),
    (errors.NotFoundError, 404),
    (errors.LibraryEmptyError, 409),
    (errors.LibraryLockedError, 409),
    (errors.LibraryError, 503),
    (errors.ModelError, 503),
    (errors.EndpointBusyError, 503),
    (errors.EndpointError, 502),
)


class InternalError(PaperchatError):
    """A defect of the program: the log has it, whoever asked does not."""


UNEXPECTED = InternalError(
    "Something went wrong inside paperchat.", "The server's log says what; `paperchat doctor` checks the installation."
)


def status_of(error: PaperchatError) -> int:
    """The HTTP status of an expected failure."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def problem(status: int, kind: str, message: str, remedy: str, **headers: str) -> JSONResponse:
    """A refusal that no error of the program stands behind."""
    said = {"type": kind, "message": message, "remedy": remedy, "retryable": False}
    return JSONResponse({"error": said}, status, {name.replace("_", "-"): value for name, value in headers.items()})


def handle_errors(app: FastAPI) -> None:
    """Answer every failure of the application's own routes in this form."""
    app.add_exception_handler(PaperchatError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(_Unexpected)


async def _expected(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PaperchatError)
    return JSONResponse({"error": error.as_dict()}, status_of(error))


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    """Which field is wrong and why; never what was sent, which may be anything."""
    assert isinstance(error, RequestValidationError)
    fields = [(".".join(str(part) for part in one["loc"][1:]) or "the body", one["msg"]) for one in error.errors()]
    told = "; ".join(f"{field}: {message}" for field, message in fields)
    return problem(422, "RequestError", f"The request is wrong: {told}.", "See /docs for what is taken.")


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = "NotFoundError" if error.status_code == 404 else "RequestError"
    return problem(error.status_code, kind, f"{error.detail}.", "See /docs for what is here.", **(error.headers or {}))


class _Unexpected:
    """The last resort, inside the other guards, so that a failure too has their headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("A request failed")
            if not begun:
                await JSONResponse({"error": UNEXPECTED.as_dict()}, 500)(scope, receive, send)
