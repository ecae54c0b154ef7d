"""From evidence to a draft: the sentences that answer, the verdict on them, and whoever writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.answer import quotes
from rag.answer.confidence import confidence, evidence_signals
from rag.answer.context import Context, pack
from rag.answer.draft import Draft, Writing, refusal, said
from rag.answer.gather import Evidence
from rag.answer.generate import generate
from rag.answer.how import How
from rag.answer.prompts import answer_messages
from rag.answer.question import Question
from rag.answer.reading import passages_to_read
from rag.answer.refusal import NEAREST, judge
from rag.answer.resources import Resources
from rag.answer.routing import phrase, route
from rag.answer.select import Choice
from rag.answer.semantic_volume import sampled_signals
from rag.models.llm import context_budget
from rag.models.tokens import count_tokens


def write(question: Question, evidence: Evidence, how: How, use: Resources) -> Writing:
    """Choose sentences and judge them; quote them, or let a model write from their passages.

    Raises:
        EndpointError, ModelError: the language model failed.
    """
    papers = quotes.answering_papers(question, evidence)
    choices = quotes.select(question, evidence, papers, how.style)
    verdict = judge(question, evidence, papers, choices)
    choices = list(verdict.quotes) or choices
    if verdict.outcome == "refused":
        nearest = [paper.paper for paper in evidence.papers[:NEAREST]]
        return (yield from said(refusal(verdict.reason, nearest, verdict.signals)))
    signals = {**verdict.signals, **evidence_signals(question, evidence, papers, choices)}
    quoted = quotes.write(question, choices, replace(verdict, signals=signals), how.style)
    if how.answerer == "quotes" or verdict.outcome != "answered":  # a model would not leave it at what is there
        return (yield from said(quoted))
    if not how.routed or how.translated:  # a quote stays in English
        return (yield from _by_model(question, evidence, choices, quoted, how, use))
    chosen = route(question, confidence(quoted), how.style)
    if chosen.kind == "quotes":
        generator, grounder = use.generator(how.model), use.grounder
        writing = phrase(question.query, quoted, generator, grounder, today=how.today, cancelled=how.cancelled)
    else:
        writing = _by_model(question, evidence, choices, quoted, how, use)
    return replace((yield from writing), route=chosen.why)


def _by_model(
    question: Question, evidence: Evidence, choices: Sequence[Choice], quoted: Draft, how: How, use: Resources
) -> Writing:
    """A model's text from the passages that the choices stand in, with the signals of the quotes."""
    passages = passages_to_read(choices, evidence, use.settings.sources)
    context = pack(passages, context_budget(use.settings, how.model), count_tokens)
    draft = yield from generate(
        question.query,
        context,
        use.generator(how.model),
        use.grounder,
        today=how.today,
        max_tokens=use.settings.answer_tokens,
        replace_unsupported=how.answerer == "local",
        quotes=quoted.citations,
        nearest=[paper.paper for paper in evidence.papers[:NEAREST]],
        style=how.style,
        cancelled=how.cancelled,
    )
    agreed = _sampled(question, context, how, use) if not how.cancelled.is_set() else {}
    return replace(draft, signals={**quoted.signals, **draft.signals, **agreed})


def _sampled(question: Question, context: Context, how: How, use: Resources) -> dict[str, float]:
    """How far more answers to the same prompt agree; nothing where none are wanted."""
    if not use.settings.samples:
        return {}
    messages = answer_messages(
        question.query, context.text, how.today, compact=how.answerer == "local", style=how.style
    )
    generator, tokens = use.generator(how.model), use.settings.answer_tokens
    return sampled_signals(messages, generator, use.embedder, use.settings.samples, tokens, how.cancelled)
