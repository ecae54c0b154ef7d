"""The whole way from a question to a grounded, cited answer, as one short readable function."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.answer import quotes
from rag.answer.answer import Answer, AnswererKind, Event, Finished, Searched, TextDelta, Turn
from rag.answer.condense import condense
from rag.answer.context import pack
from rag.answer.draft import Draft, refusal
from rag.answer.gather import Evidence, gather
from rag.answer.generate import generate
from rag.answer.question import Question, rewritten, understand
from rag.answer.reading import passages_to_read
from rag.answer.records import from_listing, from_record
from rag.answer.refusal import NEAREST, hopeless, judge, stands_alone
from rag.answer.resources import Resources
from rag.answer.retrieve import Retrieval, as_context
from rag.answer.spelling import respelled
from rag.answer.stopwatch import Stopwatch
from rag.library.library import Library
from rag.models.interfaces import Embedder
from rag.models.interfaces import Generator as TextGenerator
from rag.models.llm import context_budget
from rag.models.tokens import count_tokens
from rag.papers import Filters
from rag.settings import Settings, load_settings

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

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        answerer: AnswererKind | None = None,
        filters: Filters | None = None,
    ) -> Iterator[Event]:
        """Answer one question, event by event: Searched (if searched), TextDelta..., Finished.

        `filters` replace those found in the question. Closing the iterator stops a model that
        is writing.

        Raises:
            QuestionError: the question is empty or too long.
            LibraryEmptyError: nothing has been ingested yet.
            EndpointError, ModelError: the language model failed.
        """
        watch, found = Stopwatch(), None
        kind = answerer or self.settings.effective_answerer
        with watch.stage("understand"):
            asked = self._understand(question, history, kind, filters)
            draft = from_listing(asked, self._use.library)
        if draft is None:
            with watch.stage("retrieve"):
                asked, found, evidence = self._search(asked)
            yield Searched(asked.query, asked.filters, as_context(found.papers, self.settings.sources)[0])
            with watch.stage("write"):
                draft = from_record(asked, evidence) or hopeless(asked, evidence)
                draft = draft or (yield from self._write(asked, evidence, kind))
        if draft.model is None:  # a model's text has been streamed as it was written
            yield TextDelta(draft.text)
        yield Finished(self._finished(asked, kind, draft, found, watch))

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        answerer: AnswererKind | None = None,
        filters: Filters | None = None,
    ) -> Answer:
        """Answer one question whole; raises as `stream` does."""
        *_, last = self.stream(question, history, answerer=answerer, filters=filters)
        assert isinstance(last, Finished)
        return last.answer

    def retrieve(self, question: str, history: Sequence[Turn] = (), *, k: int = 10) -> Retrieval:
        """The `k` best papers for a question, understood as `ask` would; raises as `stream` does."""
        asked = self._understand(question, history, "quotes", None)
        return self._use.retriever.search(asked.query, asked.filters, k)

    @property
    def library(self) -> Library:
        """The library; raises LibraryEmptyError when there is nothing in it."""
        return self._use.library

    def close(self) -> None:
        """Let go of the library's files."""
        self._use.close()

    def _understand(
        self, question: str, history: Sequence[Turn], kind: AnswererKind, filters: Filters | None
    ) -> Question:
        use, limit = self._use, self.settings.question_chars
        asked = understand(
            question, history, today=self._clock(), organisations=use.library.organisations(), max_chars=limit
        )
        if kind == "openai" and history:
            written = condense(asked.asked, history, use.generator(kind))
            asked = asked if written == asked.asked else rewritten(asked, written)
        asked = respelled(asked, use.speller, use.idf, use.embedder)
        return asked if filters is None else replace(asked, filters=filters)

    def _search(self, asked: Question) -> tuple[Question, Retrieval, Evidence]:
        """Search as asked; where that finds little, in the context of the last answer's paper too."""
        found, evidence = self._look_up(asked)
        if (again := asked.in_context) and not stands_alone(asked, evidence):
            found_again, evidence_again = self._look_up(again)
            if hopeless(again, evidence_again) is None:
                return again, found_again, evidence_again
        return asked, found, evidence

    def _look_up(self, asked: Question) -> tuple[Retrieval, Evidence]:
        found = self._use.retriever.search(asked.query, asked.filters)
        # Twice the sources: a comparison may need a paper that ranks below the best five.
        return found, gather(asked, found, found.papers[: 2 * self.settings.sources], self._use.library)

    def _write(self, asked: Question, evidence: Evidence, kind: AnswererKind) -> Generator[Event, None, Draft]:
        """Choose sentences and judge them; quote them, or let a model write from their passages."""
        papers = quotes.answering_papers(asked, evidence)
        choices = quotes.select(asked, evidence, papers)
        verdict = judge(asked, evidence, papers, choices)
        nearest = [paper.paper for paper in evidence.papers[:NEAREST]]
        if verdict.outcome == "refused":
            return refusal(verdict.reason, nearest, verdict.signals)
        quoted = quotes.write(asked, choices, verdict)
        if kind == "quotes":
            return quoted
        passages = passages_to_read(choices, evidence, self._use.library, self.settings.sources)
        draft = yield from generate(
            asked.query,
            pack(passages, context_budget(self.settings, kind), count_tokens),
            self._use.generator(kind),
            self._use.grounder,
            today=self._clock(),
            max_tokens=self.settings.answer_tokens,
            replace_unsupported=kind == "local",
            quotes=quoted.citations,
            nearest=nearest,
        )
        return replace(draft, signals={**verdict.signals, **draft.signals})

    def _finished(
        self, asked: Question, kind: AnswererKind, draft: Draft, found: Retrieval | None, watch: Stopwatch
    ) -> Answer:
        cited = {citation.paper.paper_id for citation in draft.citations}
        kept, left_out = as_context(found.papers, self.settings.sources, cited) if found else ((), ())
        return Answer(
            question=asked.asked,
            query_used=asked.query,
            filters=asked.filters,
            answer=draft.text,
            outcome=draft.outcome,
            reason=draft.reason,
            answerer=kind,
            model=draft.model,
            citations=draft.citations,
            passages=kept,
            left_out=left_out,
            sentences=draft.sentences,
            nearest=draft.nearest,
            signals=draft.signals,
            timings_ms=watch.timings_ms,
            usage=draft.usage,
        )


@lru_cache(maxsize=4)
def _engine(settings: Settings) -> Paperchat:
    return Paperchat(settings)


def ask(
    question: str,
    *,
    history: Sequence[Turn] = (),
    answerer: AnswererKind | None = None,
    settings: Settings | None = None,
) -> Answer:
    """Answer a question about the papers of the library; models stay loaded between calls.

    Raises:
        PaperchatError: see `Paperchat.stream`.
    """
    return _engine(settings or load_settings()).ask(question, history, answerer=answerer)
