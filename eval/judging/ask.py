"""One claim and its documents to a language model, and its verdict back; each is asked once and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.judging.cache import JudgeCache, cache_key
from eval.judging.reply import verdict_of
from rag.answer.answer import RetrievedPassage
from rag.answer.context import Context, pack
from rag.answer.generate import CHARS_PER_TOKEN
from rag.answer.plaintext import ThinkFilter
from rag.answer.prompts import JUDGE_VERSION, judge_messages
from rag.errors import EndpointError
from rag.models.interfaces import Generator, close_stream
from rag.models.tokens import count_tokens
from rag.papers import Paper, Passage

MAX_TOKENS = 1000  # a verdict is one word; some models think first
FAILURES_IN_A_ROW = 3
BARE_WORDS = 3


@dataclass(frozen=True, slots=True)
class Document:
    """A text that a claim is held against."""

    title: str
    text: str


@dataclass(slots=True)
class Tally:
    """How the verdicts came about: asked now, or remembered; without one because the reply was no
    verdict (`unparsable`) or the endpoint `failed`; `cut` where not all documents fitted the prompt."""

    asked: int = 0
    remembered: int = 0
    unparsable: int = 0
    failed: int = 0
    cut: int = 0


class Judge:
    """Asks one model, at temperature 0. `tally` counts what happened."""

    def __init__(self, generator: Generator, cache: JudgeCache, budget_tokens: int) -> None:
        self._generator = generator
        self._cache = cache
        self._budget = budget_tokens
        self._failures = 0
        self.tally = Tally()

    @property
    def model(self) -> str:
        """The model's name as reports show it."""
        return self._generator.model

    def verdict(self, claim: str, documents: Sequence[Document]) -> bool | None:
        """Whether the model finds the claim supported; None without a usable reply.

        Without any document nothing is supported, and nothing is asked.

        Raises:
            EndpointError: the endpoint does not answer at all, or failed three times in a row.
            ModelError: the local model cannot be used.
            SourceError: the cache cannot be used.
        """
        if not documents:
            return False
        context = pack([_passage(i, document) for i, document in enumerate(documents)], self._budget, count_tokens)
        packed = [[passage.paper.title, passage.passage.text] for passage in context.passages]
        self.tally.cut += sum(len(text) for _, text in packed) < sum(len(document.text) for document in documents)
        key = cache_key(JUDGE_VERSION, self.model, claim, packed)
        reply = self._cache.get(key)
        if reply is not None:
            self.tally.remembered += 1
        else:
            reply = self._asked(claim, context)
            if reply is None:
                return None
            self._cache.put(key, self.model, reply)
        found = verdict_of(reply)
        self.tally.unparsable += found is None
        return found

    def _asked(self, claim: str, context: Context) -> str | None:
        """The reply; None for a claim that the endpoint will not judge while it judges others."""
        try:
            reply = self._reply(claim, context)
        except EndpointError as error:
            self._failures += 1
            self.tally.failed += 1
            if error.retryable or not self.tally.asked or self._failures >= FAILURES_IN_A_ROW:
                raise
            return None
        self._failures = 0
        self.tally.asked += 1
        return reply

    def _reply(self, claim: str, context: Context) -> str:
        thinking, text, read = ThinkFilter(), "", 0
        pieces = self._generator.stream(judge_messages(claim, context.text), max_tokens=MAX_TOKENS)
        try:
            for piece in pieces:
                more, forget = thinking.feed(piece.text)
                text = more if forget else text + more
                read += len(piece.text)
                if _is_decided(text) or read > MAX_TOKENS * CHARS_PER_TOKEN:
                    return text
        finally:
            close_stream(pieces)
        return text + thinking.finish()


def _is_decided(text: str) -> bool:
    """Whether the first line is a bare verdict, which the rest explains; a longer one may begin an argument."""
    first_line, _, rest = text.lstrip().partition("\n")
    return bool(rest) and len(first_line.split()) <= BARE_WORDS and verdict_of(first_line) is not None


def _passage(number: int, document: Document) -> RetrievedPassage:
    name = str(number)
    paper = Paper(name, document.title, document.text)
    return RetrievedPassage(paper, Passage(name, name, 0, document.text, 0, len(document.text)), {})
