"""The whole way from a question to a grounded, cited answer, as one short readable function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rag.answer.adapted import adapted_settings
from rag.answer.answer import Answer, Event, Finished, Searched, Turn
from rag.answer.condense import condense
from rag.answer.confidence import confidence, level
from rag.answer.draft import Draft, Writing, complete, said
from rag.answer.gather import Evidence, gather
from rag.answer.how import How, how_to_answer
from rag.answer.language import language_of
from rag.answer.question import Question, clean, rewritten, understand
from rag.answer.records import from_listing, from_record
from rag.answer.refusal import hopeless, stands_alone
from rag.answer.resources import Resources
from rag.answer.retrieve import RERANKED, Retrieval, as_context
from rag.answer.scope import NO_SCOPE, leading_up_to, nothing_in
from rag.answer.sides import together
from rag.answer.sides_by_model import sub_questions
from rag.answer.spelling import respelled
from rag.answer.stopwatch import Stopwatch
from rag.answer.topic import still_on_topic
from rag.answer.translation import needs_model, to_english, translate
from rag.answer.write import write
from rag.library.library import Library
from rag.models.interfaces import Embedder
from rag.models.interfaces import Generator as TextGenerator
from rag.papers import Filters
from rag.settings import AnswererName, Settings, Style, load_settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM


class Paperchat:
    """Questions to one library. Safe for threads; models and library open on first use.

    `embedder` and `generator` replace the configured models; a llama-index `LLM` will do as a
    generator. `clock` says what today is ("last month").
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        embedder: Embedder | None = None,
        generator: TextGenerator | LLM | None = None,
        clock: Callable[[], date] = date.today,
    ) -> None:
        self.settings = settings or load_settings()
        self._use = Resources(self.settings, embedder, generator)
        self._clock = clock

    def adapted(self, **changes: Any) -> Paperchat:
        """The same library and models under settings of one's own, e.g. `style="short"`; cheap to make.

        Language models at an endpoint are asked anew for each; the local one is shared while its settings are
        the same. Closing what this returns leaves the shared parts open, and answers under way go on.

        Raises:
            SettingsError: a setting that is unknown, belongs to the server, or has a wrong value; never shows a key.
        """
        other = copy(self)
        other.settings = adapted_settings(self.settings, changes)
        other._use = self._use.adapted(other.settings)
        return other

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        answerer: AnswererName | None = None,
        filters: Filters | None = None,
        within: Filters | None = None,
        style: Style | None = None,
        as_typed: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answer one question, event by event: Searched (if searched), TextDelta..., Finished.

        `answerer` and `style` replace the settings', `filters` those found in the question; whichever they
        are, no paper outside of `within` is looked at. A question `as_typed` is neither respelt nor completed
        from the history. Closing the iterator stops a model that is writing; setting `cancelled` does so from
        another thread.

        Raises:
            QuestionError: the question is empty or too long.
            LibraryEmptyError: nothing has been ingested yet.
            EndpointError, ModelError: the language model failed.
        """
        watch, found = Stopwatch(), None
        how = how_to_answer(self.settings, self._clock(), answerer, style, cancelled)
        with watch.stage("understand"):
            text = clean(question, self.settings.question_chars)
            how = replace(how, language=language_of(text, [t.content for t in history if t.role == "user"]) or "")
            history = () if as_typed else history
            asked = self._understand(text, history, how, filters, within or NO_SCOPE, as_typed=as_typed)
            known = needs_model(how.language) if how.language and not how.multilingual else None
            known = known or nothing_in(within or NO_SCOPE, asked.filters, self._use.library)
            known = known or from_listing(asked, self._use.library)
        if known is None:
            with watch.stage("retrieve"):
                asked, found, evidence = self._search(asked, how)
            yield Searched(asked.query, asked.filters, as_context(found.papers, self.settings.sources)[0])
            known = from_record(asked, evidence) or hopeless(asked, evidence)
        with watch.stage("write"):
            writing = said(known) if known else write(asked, evidence, how, self._use)
            draft = yield from _marking_first_words(self._in_language(writing, how), watch)
        yield Finished(self._finished(text, asked, how, draft, found, watch))

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        answerer: AnswererName | None = None,
        filters: Filters | None = None,
        within: Filters | None = None,
        style: Style | None = None,
    ) -> Answer:
        """Answer one question whole; takes and raises what `stream` does."""
        *_, last = self.stream(question, history, answerer=answerer, filters=filters, within=within, style=style)
        assert isinstance(last, Finished)
        return last.answer

    def retrieve(
        self, question: str, history: Sequence[Turn] = (), *, k: int = 10, within: Filters | None = None
    ) -> Retrieval:
        """The `k` best papers for a question, understood as `quotes` would; raises as `stream` does."""
        how = how_to_answer(self.settings, self._clock(), "quotes")
        asked = self._understand(question, history, how, None, within or NO_SCOPE)
        found = self._found(asked, how, max(k, RERANKED))
        return replace(found, papers=found.papers[:k])

    @property
    def library(self) -> Library:
        """The library; raises LibraryEmptyError when there is nothing in it."""
        return self._use.library

    def close(self) -> None:
        """Let go of the library's files."""
        self._use.close()

    @property
    def embedder(self) -> Embedder:
        """What papers and questions are embedded by."""
        return self._use.embedder

    def opened_library(self, *, make: bool = False) -> Library | None:
        """The library, also while it is empty; None where there is none, unless `make` asks for a new one.

        Raises:
            LibraryError: it is damaged, or was built by another embedder.
        """
        return self._use.opened(make=make)

    def _understand(
        self,
        text: str,
        history: Sequence[Turn],
        how: How,
        filters: Filters | None,
        within: Filters,
        *,
        as_typed: bool = False,
    ) -> Question:
        use, limit = self._use, self.settings.question_chars
        if how.translated:
            text = to_english(text, how.language, use.generator(how.model), how.cancelled)
        asked = understand(
            text,
            () if as_typed else leading_up_to(history, within, use.library),
            today=how.today,
            organisations=use.library.organisations(),
            max_chars=max(limit, len(text)),  # a translation may be longer than what was asked
            titles=use.title,
        )
        if how.answerer == "openai" and history and not how.routed:  # which would cost the speed of quotes
            written = condense(text, history, use.generator("openai"), cancelled=how.cancelled)
            asked = asked if written == text else rewritten(asked, written)
        asked = asked if as_typed else respelled(asked, use.speller, use.idf, use.embedder)
        return replace(asked, filters=(asked.filters if filters is None else filters).narrowed(within))

    def _search(self, asked: Question, how: How) -> tuple[Question, Retrieval, Evidence]:
        """Search as asked; where that finds little, in the context of the last answer's paper too."""
        found, evidence = self._look_up(asked, how)
        for_papers = asked.intent != "content"  # which makes no sense of a single one
        if not for_papers and (again := asked.in_context) and not stands_alone(asked, evidence):
            found_again, evidence_again = self._look_up(again, how)
            lost = hopeless(asked, evidence) is not None
            if hopeless(again, evidence_again) is None and still_on_topic(again, evidence_again, evidence, lost=lost):
                return again, found_again, evidence_again
        return asked, found, evidence

    def _look_up(self, asked: Question, how: How) -> tuple[Retrieval, Evidence]:
        found = self._found(asked, how)
        # Twice the sources: a comparison may need a paper that ranks below the best five.
        return found, gather(asked, found, found.papers[: 2 * self.settings.sources], self._use.library)

    def _found(self, asked: Question, how: How, k: int = RERANKED) -> Retrieval:
        """One search for the whole question, and one for each of the several papers that it asks about."""
        texts = (asked.query, *sub_questions(asked, how, lambda: self._use.generator("openai")))
        whole, *parts = (self._use.retriever.search(text, asked.filters, k) for text in texts)
        return together(whole, parts) if parts else whole

    def _in_language(self, writing: Writing, how: How) -> Writing:
        """What is being written; where the question is not in English, translated once it is complete."""
        if not how.translated:
            return (yield from writing)
        return (yield from translate(complete(writing), how.language, self._use.generator(how.model), how.cancelled))

    def _finished(
        self,
        question: str,
        asked: Question,
        how: How,
        draft: Draft,
        found: Retrieval | None,
        watch: Stopwatch,
    ) -> Answer:
        cited = {citation.paper.paper_id for citation in draft.citations}
        kept, left_out = as_context(found.papers, self.settings.sources, cited) if found else ((), ())
        probability = confidence(draft)
        return Answer(
            question=question,
            query_used=asked.query,
            filters=asked.filters,
            answer=draft.text,
            outcome=draft.outcome,
            reason=draft.reason,
            answerer="quotes" if how.routed and draft.model is None else how.answerer,
            model=draft.model,
            citations=draft.citations,
            passages=kept,
            left_out=left_out,
            sentences=draft.sentences,
            nearest=draft.nearest,
            signals={**draft.signals, "confidence": round(probability, 4)},
            timings_ms=watch.timings_ms,
            usage=draft.usage,
            confidence=level(probability),
            style=how.style,
            route=draft.route,
            language=how.language if draft.signals.get("translated") else "",
        )


def _marking_first_words(writing: Writing, watch: Stopwatch) -> Writing:
    """The writing as it is; the stopwatch learns when its first checked words came."""
    try:
        while True:
            delta = next(writing)
            watch.mark("first_words")
            yield delta
    except StopIteration as done:
        draft: Draft = done.value
        return draft
    finally:
        writing.close()


@lru_cache(maxsize=4)
def _engine(settings: Settings) -> Paperchat:
    return Paperchat(settings)


def ask(
    question: str,
    *,
    history: Sequence[Turn] = (),
    answerer: AnswererName | None = None,
    style: Style | None = None,
    settings: Settings | None = None,
) -> Answer:
    """Answer a question about the papers of the library; models stay loaded between calls.

    Raises:
        PaperchatError: see `Paperchat.stream`.
    """
    return _engine(settings or load_settings()).ask(question, history, answerer=answerer, style=style)
