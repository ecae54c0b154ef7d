"""Who writes an answer, and how: the settings with what one question asks for instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from typing import Literal

from rag.answer.answer import AnswererKind
from rag.settings import AnswererName, Settings, Style


@dataclass(frozen=True, slots=True)
class How:
    """`routed`: quotes may do where they are sure enough. `multilingual`: the model knows other languages than
    English; `language` is the question's where it is another. Setting `cancelled` stops a model at once."""

    answerer: AnswererKind
    style: Style
    routed: bool
    multilingual: bool
    today: date
    cancelled: threading.Event
    language: str = ""

    @property
    def translated(self) -> bool:
        """Whether question and answer go through the model's translation."""
        return bool(self.language) and self.multilingual

    @property
    def model(self) -> Literal["openai", "local"]:
        """Whose text is wanted where quotes will not do."""
        assert self.answerer != "quotes"
        return self.answerer


def how_to_answer(
    settings: Settings,
    today: date,
    answerer: AnswererName | None = None,
    style: Style | None = None,
    cancelled: threading.Event | None = None,
) -> How:
    """`auto` is the endpoint where there is one, with or without routing as set, else quotes."""
    wanted = settings if answerer is None else settings.model_copy(update={"answerer": answerer})
    kind = wanted.effective_answerer
    return How(
        answerer="openai" if kind == "auto" else kind,
        style=style or settings.style,
        routed=kind == "auto",
        multilingual=kind in ("auto", "openai") or (kind == "local" and settings.local_model is not None),
        today=today,
        cancelled=cancelled or threading.Event(),
    )
