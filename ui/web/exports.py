"""A conversation as a file to keep: for its owner, and for whoever has its link."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from rag.conversations import ConversationStore, StoredTurn
from rag.export_conversation import conversation_bibtex, conversation_json, conversation_markdown
from ui.web.models import ErrorOut

Form = Literal["md", "json", "bib"]
FORMS: dict[Form, tuple[str, Callable[[str, Sequence[StoredTurn]], str]]] = {
    "md": ("text/markdown", conversation_markdown),
    "json": ("application/json", conversation_json),
    "bib": ("application/x-bibtex", lambda _, turns: conversation_bibtex(turns)),
}
NAME_CHARS = 60


def exports(store: ConversationStore) -> APIRouter:
    """/export/{conversation_id}.md, .json and .bib."""
    router = APIRouter(tags=["conversations"])

    failures: dict[int | str, dict[str, Any]] = {404: _failure("No such conversation"), 422: _failure("No such form")}

    @router.get("/export/{conversation_id}.{form}", responses=failures, summary="Export a conversation")
    def export(conversation_id: str, form: Form) -> Response:
        """The whole conversation as Markdown or JSON, or its citations as BibTeX."""
        summary, turns = store.load(conversation_id)
        media_type, written = FORMS[form]
        text = written(summary.title, turns)
        headers = {"content-disposition": _attachment(summary.title, form)}
        return Response(text.encode("utf-8", "replace"), media_type=f"{media_type}; charset=utf-8", headers=headers)

    return router


def _failure(description: str) -> dict[str, Any]:
    return {"model": ErrorOut, "description": description}


def _attachment(title: str, form: Form) -> str:
    """A file to be kept, never to be shown: what a paper says is no page of ours."""
    name = " ".join(re.findall(r"\w+", title))[:NAME_CHARS] or "conversation"
    plain = name.encode("ascii", "ignore").decode().strip() or "conversation"
    return f"attachment; filename=\"{plain}.{form}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'))}.{form}"
