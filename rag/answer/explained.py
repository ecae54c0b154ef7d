"""How an answer was decided, in words: the level of confidence, and what each signal says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rag.answer.answer import Answer, Confidence, Outcome
from rag.answer.generate import STOPPED

LEVELS: Mapping[Confidence, str] = {
    "high": "Well supported",
    "medium": "Plausible, check the quote",
    "low": "Uncertain, read the source",
}
REFUSALS: Mapping[Confidence, str] = {
    "high": "Not in these papers",
    "medium": "Probably not in these papers",
    "low": "Uncertain, look at the nearest papers",
}
NO_ANSWER = "No answer"  # of a refusal that says nothing about the papers
OUTCOMES: Mapping[Outcome, str] = {
    "answered": "Answered from the papers.",
    "partial": "Answered in part.",
    "corrected": "The papers contradict what the question takes for granted.",
    "refused": "Not answered.",
}


def level_in_words(answer: Answer) -> str:
    """How sure the answer is, without a number."""
    if answer.refused and ("other_language" in answer.signals or answer.reason == STOPPED):
        return NO_ANSWER
    return (REFUSALS if answer.refused else LEVELS)[answer.confidence]


def decision_in_words(answer: Answer) -> list[str]:
    """The outcome, why, who answered and why, and what the signals say; a sentence each."""
    reason = "" if answer.reason in answer.answer else answer.reason
    signals = {name: value for name, value in answer.signals.items() if not (answer.refused and name in _OF_QUOTES)}
    said = [OUTCOMES[answer.outcome], _sentence(reason), answer.route, *signals_in_words(signals)]
    return list(dict.fromkeys(sentence for sentence in said if sentence))


def signals_in_words(signals: Mapping[str, float]) -> list[str]:
    """A sentence for each signal that tells a reader something; counts keep their number."""
    graded = [text for name, say in _GRADED.items() if name in signals and (text := say(signals[name]))]
    counted = [_counted(name, signals[name]) for name in signals if name in _COUNTS and signals[name] >= 1]
    return graded + counted


def _grade(*steps: tuple[float, str]) -> Callable[[float], str]:
    """The text of the first step whose bound a value reaches."""
    return lambda value: next((text for bound, text in steps if value >= bound), "")


_GRADED: Mapping[str, Callable[[float], str]] = {
    "coverage": _grade(
        (0.9, "The papers found speak of everything that the question names."),
        (0.75, "The papers found speak of most of what the question names."),
        (0.0, "The papers found speak of only a part of what the question names."),
    ),
    "said": _grade(
        (0.8, "The quotes speak of nearly all of it."),
        (0.6, "The quotes speak of most of it."),
        (0.0, "The quotes speak of only a part of it."),
    ),
    "sentence_margin": _grade(
        (0.15, "The best quote fits the question far better than what was left out."),
        (0.0, "Other sentences fit the question nearly as well as the best quote."),
        (-1.0, "A sentence that was left out has more of the question's words than the best quote."),
    ),
    "agreement": _grade(
        (1.0, "The search by meaning, the search by words and the reranker agree on the paper."),
        (0.5, "Two of the three rankings agree on the paper."),
        (0.0, "The rankings do not agree on the paper."),
    ),
    "paper_margin": _grade(
        (0.2, "No other paper comes close to the question."),
        (0.08, "Other papers fit the question less well."),
        (-1.0, "Another paper fits the question about as well."),
    ),
    "number_stated": _grade((1.0, "A number is asked for, and the quote states one.")),
    "missing_names": _grade((1.0, "A name in the question stands in none of the papers found.")),
    "samples": lambda n: "" if n else "The model could not be asked again to see whether it agrees with itself.",
    "consistency": _grade(
        (0.7, "Asked again, the model answered the same."),
        (0.45, "Asked again, the model answered much the same."),
        (0.0, "Asked again, the model answered differently."),
    ),
}
# What these say of quotes would puzzle where none is shown.
_OF_QUOTES = frozenset({"said", "sentence_margin", "agreement", "paper_margin", "number_stated"})
# Name of a count -> what was counted, in the singular and in the plural.
_COUNTS: Mapping[str, tuple[str, str]] = {
    "unsupported": ("sentence is marked as unsupported", "sentences are marked as unsupported"),
    "dropped": ("unsupported sentence was left out", "unsupported sentences were left out"),
    "replaced": ("unsupported sentence was replaced by a quote", "unsupported sentences were replaced by quotes"),
    "citations_added": ("missing citation was added", "missing citations were added"),
    "citations_moved": (
        "citation was moved to the paper that says it",
        "citations were moved to the papers that say it",
    ),
    "citations_removed": ("citation was removed, for it did not hold", "citations were removed, for they did not hold"),
    "markers_removed": ("citation of no passage was removed", "citations of no passage were removed"),
    "author_years_removed": ("reference by author and year was removed", "references by author and year were removed"),
    "reference_lists_removed": ("list of references was removed", "lists of references were removed"),
    "links_removed": ("link was removed", "links were removed"),
    "repeats_removed": ("repeated sentence was removed", "repeated sentences were removed"),
    "phrases_left_out": (
        "sentence of the model was left out, for it added nothing that the quotes support",
        "sentences of the model were left out, for they added nothing that the quotes support",
    ),
}


def _counted(name: str, value: float) -> str:
    one, many = _COUNTS[name]
    return f"{value:.0f} {one if value == 1 else many}."


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."
