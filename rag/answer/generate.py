"""An answer from a language model: streamed sentence by sentence, each checked before it is shown."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import date

from rag.answer.answer import Citation, TextDelta
from rag.answer.composer import Composer
from rag.answer.context import Context
from rag.answer.draft import Draft
from rag.answer.prompts import answer_messages
from rag.answer.verify import Grounding, Verifier
from rag.errors import EndpointError
from rag.models.interfaces import Generator as TextGenerator
from rag.models.interfaces import Piece
from rag.papers import Paper

CHARS_PER_TOKEN = 20  # an endpoint that ignores max_tokens is stopped here


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
) -> Generator[TextDelta, None, Draft]:
    """Answer from `context`; yields checked text, returns the draft whose text is all of it.

    A sentence appears once it is complete and checked. Nothing is shown before the first
    supported one: without any, or when the model says that the papers do not answer, the draft is
    a refusal that names the `nearest` papers. `replace_unsupported` (small models) gets the short
    prompt, and a quote in place of each unsupported sentence: the next of `quotes` (what the
    answerer without a model would say, best first) or, without any, the nearest in the passages.

    Closing the iterator closes the model's stream.

    Raises:
        EndpointError: the endpoint failed, or the model wrote nothing.
        ModelError: the local model cannot be used.
    """
    messages = answer_messages(question, context.text, today, compact=replace_unsupported)
    writer = Composer(Verifier(question, context, grounder), context, replace_unsupported, quotes)
    pieces = generator.stream(messages, max_tokens=max_tokens)
    try:
        yield from writer.read(pieces, max_tokens * CHARS_PER_TOKEN)
    finally:
        close_stream(pieces)
    if not writer.wrote:
        message = f"The model {generator.model} wrote no answer."
        remedy = "Raise PAPERCHAT_ANSWER_TOKENS." if writer.thought else "Ask again, or choose another model."
        raise EndpointError(message, remedy)
    draft = writer.draft(generator.model, nearest)
    if draft.outcome == "refused":
        yield TextDelta(draft.text)
    return draft


def close_stream(pieces: Iterator[Piece]) -> None:
    """Stop a model that may still be writing."""
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
