"""What is counted about questions, for Prometheus: never what was asked, or by whom."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rag.answer.answer import Event, Finished, TextDelta
from rag.errors import PaperchatError
from rag.settings import AnswererName
from ui.turnstile import SLOTS, Turnstiles

SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = kept = CollectorRegistry()
        self._questions = Counter(
            "paperchat_questions", "Questions by answerer and how they ended.", ["answerer", "outcome"], registry=kept
        )
        self._errors = Counter("paperchat_errors", "Questions that failed, by type of error.", ["type"], registry=kept)
        self._answering = Gauge("paperchat_answering", "Questions being answered.", ["answerer"], registry=kept)
        self._first = Histogram(
            "paperchat_first_words_seconds", "Until the first words.", ["answerer"], registry=kept, buckets=SECONDS
        )
        self._total = Histogram(
            "paperchat_answer_seconds", "Until the whole answer.", ["answerer"], registry=kept, buckets=SECONDS
        )

    def watched(self, events: Iterator[Event], answerer: AnswererName) -> Generator[Event]:
        """The same events, counted under the answerer that was asked; closing this closes them.

        An answer that nobody waits for any more counts as stopped.
        """
        began, spoken = time.monotonic(), False
        outcome = "stopped"
        self._answering.labels(answerer).inc()
        try:
            with closing(events) if isinstance(events, Generator) else nullcontext():
                for event in events:
                    if isinstance(event, TextDelta) and not spoken:
                        spoken = True
                        self._first.labels(answerer).observe(time.monotonic() - began)
                    elif isinstance(event, Finished):
                        outcome = event.answer.outcome
                        self._total.labels(answerer).observe(time.monotonic() - began)
                    yield event
        except GeneratorExit:
            raise
        except BaseException as error:
            outcome = "failed"
            self._errors.labels(type(error).__name__ if isinstance(error, PaperchatError) else "InternalError").inc()
            raise
        finally:
            self._answering.labels(answerer).dec()
            self._questions.labels(answerer, outcome).inc()

    def text(self, turnstiles: Turnstiles) -> bytes:
        """Everything in Prometheus's text format, with who waits just now."""
        waiting = CollectorRegistry()
        waiting.register(_Waiting(turnstiles))
        return generate_latest(self.registry) + generate_latest(waiting)


class _Waiting(Collector):
    """How many questions wait at each answerer, read when it is asked for."""

    def __init__(self, turnstiles: Turnstiles) -> None:
        self._turnstiles = turnstiles

    def collect(self) -> Iterable[Metric]:
        """One gauge."""
        gauge = GaugeMetricFamily("paperchat_waiting", "Questions waiting for their turn.", labels=["answerer"])
        for answerer in SLOTS:
            gauge.add_metric([answerer], self._turnstiles.of(answerer).waiting)
        return [gauge]


METRICS = Metrics()  # one for the process, as Prometheus reads it
