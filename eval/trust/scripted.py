"""Whether the program catches what a language model gets wrong: `paperchat eval scripted`.

A scripted model stands in for the endpoint. It answers each question perfectly, and wrong in known ways
(`eval.trust.script_forms`); everything else is the program as it is. A perfect answer must pass untouched,
any other must be marked, set right and counted, or refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from scipy.stats import binomtest

from eval.metrics.resampling import LEVEL
from eval.questions import GoldQuestion
from eval.trust.script_forms import FORMS, KINDS, script
from eval.trust.scripts import Script, facts_of, passages_of
from rag.answer.answer import Answer, Sentence
from rag.answer.pipeline import Paperchat
from rag.answer.prompts import CANNOT_ANSWER
from rag.models.interfaces import Generator, Message, Piece
from rag.papers import normalised_title

TARGETS = {"perfect": 1.0, "wrong_number": 0.95, "wrong_citation": 0.95, "uncited": 0.95, "injected": 0.95}
"""The share of each kind that must pass untouched (perfect) or be caught; that of `reworded`, a person's own
words, is only reported: they are often no whole sentences, and the grounding score is what it is."""
PASSING = frozenset({"perfect", "reworded"})
FORMS_EACH = 2  # forms of each kind that a question is answered in
NOT_ASKED = "the model was not asked"
NOT_SHOWN = "a gold sentence is not in the prompt"
SET_RIGHT = (
    "citations_added", "citations_moved", "citations_removed", "markers_removed", "author_years_removed",
    "reference_lists_removed", "links_removed", "markup_removed", "unsupported", "dropped", "replaced",
)  # fmt: skip

_MARKER = re.compile(r"\s*\[(?:\d+|unsupported)\]")

EngineFactory = Callable[[Generator], Paperchat]


@dataclass(frozen=True, slots=True)
class ScriptedResult:
    """One scripted answer and what became of it.

    `ok` says whether a right answer passed untouched, or a wrong one was caught; None where the model
    could not write one, for which `how` gives the reason. Otherwise `how` tells what was done, or why
    that is not enough.
    """

    qid: str
    kind: str
    form: str
    ok: bool | None
    how: str
    written: str = ""
    answer: str = ""


class ScriptedModel:
    """A language model that writes one script. `structured` says whether it writes JSON."""

    model = "scripted"

    def __init__(self, structured: bool = False) -> None:
        self.structured = structured
        self.prompt = ""
        self._script: Script | None = None

    def will_write(self, script: Script | None) -> None:
        """What to write next; without a script, that the papers do not answer."""
        self._script, self.prompt = script, ""

    def stream(self, messages: Sequence[Message], *, max_tokens: int, **options: Any) -> Iterator[Piece]:
        """The script in pieces of a few characters; nothing where the prompt shows no passages."""
        prompt = "\n\n".join(message.content for message in messages)
        if passages_of(prompt):
            self.prompt = prompt
            text = self._script.written(self.structured) if self._script else CANNOT_ANSWER
            for start in range(0, len(text), 7):
                yield Piece(text[start : start + 7])
        yield Piece(finish_reason="stop")


def scripted_run(
    engine_factory: EngineFactory,
    questions: Sequence[GoldQuestion],
    seed: int = 0,
    *,
    structured: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[ScriptedResult]:
    """Ask every question that has gold sentences, and write FORMS_EACH answers of each kind.

    `engine_factory` makes the program around the scripted model. `advance` hears of questions done
    and of all of them.

    Raises:
        PaperchatError: see `Paperchat.stream`.
    """
    model = ScriptedModel(structured)
    engine = engine_factory(model)
    asked = [question for question in questions if question.answerable and question.gold_sentences]
    results: list[ScriptedResult] = []
    for done, question in enumerate(asked, 1):
        results += _of_question(engine, model, question, seed)
        advance(done, len(asked))
    return results


def table(results: Sequence[ScriptedResult]) -> dict[str, Any]:
    """JSON-ready: `rows`, one a kind and one a form of it, with `share` and its 95 % interval; `left_out`
    counts questions by why no answer could be written, `failures` lists every answer that is not `ok`."""
    found = [result for result in results if result.ok is not None]
    rows = []
    for kind in KINDS:
        own = [result for result in found if result.kind == kind]
        rows.append(_row(kind, "", own))
        rows += [_row(kind, form, [result for result in own if result.form == form]) for form in FORMS[kind]]
    return {
        "rows": rows,
        "questions": len({result.qid for result in found}),
        "left_out": dict(Counter(result.how for result in results if result.ok is None)),
        "failures": [asdict(result) for result in found if not result.ok],
    }


def _row(kind: str, form: str, results: Sequence[ScriptedResult]) -> dict[str, Any]:
    n, good = len(results), sum(bool(result.ok) for result in results)
    interval = binomtest(good, n).proportion_ci(LEVEL, method="wilson") if n else None
    target = None if form else TARGETS.get(kind)
    return {
        "kind": kind,
        "form": form,
        "n": n,
        "share": round(good / n, 4) if n else None,
        "interval": [round(float(interval.low), 4), round(float(interval.high), 4)] if interval else None,
        "target": target,
        "ok": None if target is None or not n else good / n >= target,
        "by": dict(Counter(result.how for result in results if result.ok)),
    }


def _of_question(engine: Paperchat, model: ScriptedModel, question: GoldQuestion, seed: int) -> list[ScriptedResult]:
    """All scripts of one question; the first ask only finds out what the prompt shows."""
    model.will_write(None)
    _ask(engine, question)
    if not model.prompt:
        return [ScriptedResult(question.qid, "", "", None, NOT_ASKED)]
    facts = facts_of(model.prompt, question.gold_sentences, question.gold_answer)
    if facts is None:
        return [ScriptedResult(question.qid, "", "", None, NOT_SHOWN)]
    results = []
    for kind in KINDS:
        rng = Random(f"{seed}:{question.qid}:{kind}")
        forms = rng.sample(list(FORMS[kind]), len(FORMS[kind]))
        scripts = [made for form in forms if (made := script(kind, form, facts, rng)) is not None]
        for made in scripts[:FORMS_EACH]:
            model.will_write(made)
            answer = _ask(engine, question)
            ok, how = judged(made, answer, model.prompt)
            written = made.written(model.structured)
            results.append(ScriptedResult(question.qid, kind, made.form, ok, how, written, answer.answer))
    return results


def _ask(engine: Paperchat, question: GoldQuestion) -> Answer:
    return engine.ask(question.question, question.history, answerer="openai")


def judged(made: Script, answer: Answer, prompt: str) -> tuple[bool, str]:
    """Whether the answer is what should become of the script, and how or why not."""
    return _untouched(made, answer, prompt) if made.kind in PASSING else _caught(made, answer)


def _untouched(made: Script, answer: Answer, prompt: str) -> tuple[bool, str]:
    expected = _as_shown(made, prompt)
    if answer.outcome != "answered":
        notes = "; ".join(sentence.note for sentence in answer.sentences if sentence.note)
        return False, f"{answer.outcome}: {notes or answer.reason}"
    if answer.answer != expected:
        return False, "its text or its citations were changed"
    return True, "untouched"


def _as_shown(made: Script, prompt: str) -> str:
    """A perfect script with its ids made numbers, by paper in order of first appearance."""
    titles = {passage.id: passage.title for passage in passages_of(prompt)}
    numbers: dict[str, int] = {}
    lines = []
    for line in made.lines:
        cited = dict.fromkeys(numbers.setdefault(titles[name], len(numbers) + 1) for name in line.ids)
        end = re.search(r"[.!?]+$", line.text)
        body, stop = (line.text[: end.start()], end[0]) if end else (line.text, "")
        lines.append(f"{body} {''.join(f'[{n}]' for n in cited)}{stop}")
    return " ".join(lines)


def _caught(made: Script, answer: Answer) -> tuple[bool, str]:
    """Refused; or nothing false is left unmarked, no sentence cites a wrong paper, and the change is counted."""
    if answer.refused:
        return True, "refused"
    supported = [sentence for sentence in answer.sentences if sentence.supported]
    for false in made.false:
        if any(_said(false) in _said(sentence.text) for sentence in supported):
            return False, f"unmarked: {false}"
    for text, title in made.true:
        for sentence in supported:
            if _said(text) in _said(sentence.text) and _cites_wrongly(sentence, answer, title):
                return False, f"cites another paper: {text}"
    counted = [name for name in SET_RIGHT if answer.signals.get(name)]
    return (True, ", ".join(counted)) if counted else (False, "nothing was counted")


def _cites_wrongly(sentence: Sentence, answer: Answer, title: str) -> bool:
    """Whether a sentence cites nothing, or a paper other than the one that holds it."""
    cited = {normalised_title(c.paper.title) for c in answer.citations if c.n in sentence.markers}
    return cited != {normalised_title(title)}


def _said(text: str) -> str:
    """A text's letters, digits and points, so that 4.7 is not 47; markers are no part of it."""
    return "".join(c for c in _MARKER.sub("", text).casefold() if c.isalnum() or c == ".").strip(".")
