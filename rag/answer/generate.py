"""An answer from a language model: streamed sentence by sentence, each checked before it is shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from datetime import date

from rag.answer.answer import Citation, TextDelta
from rag.answer.attribution import Grounding
from rag.answer.composer import CANCELLED, Composer
from rag.answer.context import Context
from rag.answer.draft import Draft
from rag.answer.prompts import answer_messages
from rag.answer.structured import StructuredReader, response_format
from rag.answer.verify import Verifier
from rag.errors import EndpointError
from rag.models.endpoint_errors import SchemaRefusedError
from rag.models.interfaces import Generator as TextGenerator
from rag.models.interfaces import Message, Piece
from rag.papers import Paper
from rag.settings import Style

CHARS_PER_TOKEN = 20  # an endpoint that ignores max_tokens is stopped here
STOPPED = "Stopped before the answer was complete."


def generate(
    question: str,
    context: Context,
    generator: TextGenerator,
    grounder: Grounding,
    *,
    today: date,
    max_tokens: int,
    replace_unsupported: bool = False,
    quotes: Sequence[Citation] = (),
    nearest: Sequence[Paper] = (),
    style: Style = "standard",
    cancelled: threading.Event | None = None,
) -> Generator[TextDelta, None, Draft]:
    """Answer from `context`; yields checked text, returns the draft whose text is all of it.

    A sentence appears once it is complete and checked. Nothing is shown before the first
    supported one: without any, or when the model says that the papers do not answer, the draft is
    a refusal that names the `nearest` papers. `replace_unsupported` (small models) gets the short
    prompt, and a quote in place of each unsupported sentence: the next of `quotes` (what the
    answerer without a model would say, best first) or, without any, the nearest in the passages.

    Closing the iterator closes the model's stream. Setting `cancelled` does so too, at once; the
    draft then holds what was shown, maybe nothing, and says that it was stopped.

    Raises:
        EndpointError: the endpoint failed, or the model wrote nothing.
        ModelError: the local model cannot be used.
    """
    cancelled = cancelled or threading.Event()
    reader = StructuredReader(bullets=style == "bullets")
    writer = Composer(Verifier(question, context, grounder), context, replace_unsupported, quotes)

    def prompt(structured: bool) -> list[Message]:
        compact = replace_unsupported
        return answer_messages(question, context.text, today, compact=compact, style=style, structured=structured)

    pieces = _pieces(generator, prompt, reader, context.by_id, max_tokens, cancelled)
    try:
        yield from writer.read(pieces, max_tokens * CHARS_PER_TOKEN)
    finally:
        pieces.close()
    draft = writer.draft(generator.model, nearest)
    if cancelled.is_set():
        return _stopped(draft)
    if not writer.wrote:
        message = f"The model {generator.model} wrote no answer."
        thought = writer.thought or reader.thought
        remedy = "Raise PAPERCHAT_ANSWER_TOKENS." if thought else "Ask again, or choose another model."
        raise EndpointError(message, remedy)
    if draft.outcome == "refused":
        yield TextDelta(draft.text)
    return draft


def _pieces(
    generator: TextGenerator,
    prompt: Callable[[bool], list[Message]],
    reader: StructuredReader,
    ids: Iterable[str],
    max_tokens: int,
    cancelled: threading.Event,
) -> Generator[Piece, None, None]:
    """The model's text as plain text: asked for in JSON where it takes a schema, else as it is."""
    refused = not generator.structured
    if not refused:
        try:
            schema = response_format(list(ids))
            yield from reader.read(
                generator.stream(prompt(True), max_tokens=max_tokens, cancelled=cancelled, response_format=schema)
            )
        except SchemaRefusedError:
            refused = True
    if refused:
        yield from generator.stream(prompt(False), max_tokens=max_tokens, cancelled=cancelled)
    if cancelled.is_set():
        yield Piece(finish_reason=CANCELLED)  # so that half a sentence is left out


def _stopped(draft: Draft) -> Draft:
    """What was shown until then; a stop says nothing about what the papers hold."""
    if draft.sentences:
        return replace(draft, outcome="partial", reason=STOPPED)
    return replace(draft, text="", outcome="refused", reason=STOPPED, nearest=())
