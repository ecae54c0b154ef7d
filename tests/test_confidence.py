"""How sure an answer is: signals by hand, the calibrated probability, its fit, and the words for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_helpers import evidence, paper_evidence, question, words
from hypothesis import given
from hypothesis import strategies as st
from metric_rows import gold, row
from run_folders import run_folder

from eval.metrics.resampling import Floats
from eval.rows import Row
from eval.trust import calibrate as calibrating
from eval.trust.calibrate import FOLDS, PENALTY, SIGNALS, calibrate, cross_validated, fit, levels
from rag.answer.answer import Answer, Finished, Sentence, TextDelta
from rag.answer.confidence import (
    AGREED,
    COEFFICIENTS,
    HIGH,
    LOW,
    RECORDED,
    REFUSED,
    confidence,
    evidence_signals,
    level,
    logistic,
)
from rag.answer.draft import Draft, refusal
from rag.answer.explained import LEVELS, NO_ANSWER, REFUSALS, decision_in_words, level_in_words, signals_in_words
from rag.answer.generate import STOPPED
from rag.answer.select import Choice
from rag.errors import SourceError
from rag.papers import Filters, Paper
from rag.show import show_answer

SURE = {"factual": 1.0, "said": 1.0, "sentence_margin": 0.6, "one_paper": 1.0}
UNSURE = {"factual": 0.0, "said": 0.2, "sentence_margin": -0.2, "one_paper": 0.0}
TILDE = Paper("tilde", "TILDE", "We study ranking. TILDE makes indexes 99% smaller. It is fast.")
WHALES = Paper("whales", "Whales", "Whales click. Clicks carry meaning.")
ASKED = words(("TILDE", 2.0), ("indexes", 1.0), ("smaller", 1.0))


def draft(signals: dict[str, float], *supported: bool, **fields: Any) -> Draft:
    sentences = tuple(Sentence(f"S{n} [1].", (1,), 1.0, known) for n, known in enumerate(supported or (True,)))
    return Draft("S", fields.pop("outcome", "answered"), "Because.", sentences, signals=signals, **fields)


# --- signals ----------------------------------------------------------------------------------------


def test_the_signals_are_what_the_evidence_shows() -> None:
    lead = paper_evidence(TILDE, [[0, 0, 0], [1, 1, 1], [0, 0, 0.5]], rank=1, dense=0.7)
    other = paper_evidence(WHALES, [[0.2, 0, 0], [0, 0.4, 0]], rank=2, dense=0.3)
    choices = [Choice(lead, lead.sentences[1], 1.05), Choice(lead, lead.sentences[2], 0.2)]
    found = evidence_signals(
        question("How much smaller are TILDE's indexes?"), evidence(ASKED, lead, other), [lead], choices
    )
    assert found == {
        "factual": 1.0,
        "said": 1.0,
        "sentence_margin": 1.0,
        "one_paper": 1.0,
        "number_stated": 1.0,
        "paper_margin": 0.8,  # 1 against (2 * .2 + .4) / 4
        "agreement": 1.0,
    }


def test_words_that_no_quote_speaks_of_and_better_sentences_left_out_count_against_it() -> None:
    lead = paper_evidence(TILDE, [[0.7, 0.2, 0], [1, 1, 1], [0.5, 0.9, 0]])
    other = paper_evidence(WHALES, [[0, 0, 0.1], [0, 0, 0.65]], rank=2)
    choices = [Choice(lead, lead.sentences[2], 0.9), Choice(other, other.sentences[1], 0.3)]
    found = evidence_signals(question("How does TILDE do it?"), evidence(ASKED, lead, other), [lead, other], choices)
    assert found["said"] == 0.6667, "TILDE at .5 is not spoken of"
    assert found["sentence_margin"] == pytest.approx((0.5 * 2 + 0.9) / 4 - 1, abs=1e-4)
    assert found["factual"] == found["one_paper"] == found["number_stated"] == 0.0


def test_a_paper_that_the_rankings_do_not_put_first_has_less_agreement() -> None:
    lead = paper_evidence(TILDE, [[0, 0, 0], [1, 1, 1], [0, 0, 0]], dense=0.2)
    other = paper_evidence(WHALES, [[0, 0, 0], [0, 0, 0]], dense=0.8)
    lead.ranked.scores["words"], other.ranked.scores["words"] = 9.0, 3.0  # type: ignore[index]
    found = evidence_signals(
        question("What is TILDE?"), evidence(ASKED, lead, other), [lead], [Choice(lead, lead.sentences[1], 1.0)]
    )
    assert found["agreement"] == 0.5
    assert found["number_stated"] == 0.0, "no number is asked for"


def test_quotes_of_all_papers_leave_none_to_compare_with() -> None:
    lead = paper_evidence(TILDE, [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    found = evidence_signals(
        question("What is TILDE?"), evidence(ASKED, lead), [lead], [Choice(lead, lead.sentences[0], 0.5)]
    )
    assert found["paper_margin"] == 0.5
    assert evidence_signals(question("What?"), evidence(ASKED, lead), [lead], []) == {}


# --- the probability --------------------------------------------------------------------------------


@given(
    st.fixed_dictionaries({name: st.floats(-1, 2) for name in COEFFICIENTS}), st.sampled_from(SIGNALS), st.floats(0, 1)
)
def test_no_signal_that_speaks_for_an_answer_lowers_its_confidence(
    signals: dict[str, float], name: str, more: float
) -> None:
    before, after = (confidence(draft(s)) for s in (signals, {**signals, name: signals[name] + more}))
    assert 0 <= before <= after <= 1


def test_strong_evidence_gives_high_confidence_and_weak_evidence_low() -> None:
    assert level(confidence(draft(SURE))) == "high"
    assert level(confidence(draft(UNSURE))) == "low"


def test_levels_begin_at_their_bounds() -> None:
    assert [level(p) for p in (1.0, HIGH, HIGH - 1e-9, LOW, LOW - 1e-9, 0.0)] == [
        "high", "high", "medium", "medium", "low", "low",
    ]  # fmt: skip


def test_a_models_text_is_less_sure_without_support_or_when_it_answers_differently_each_time() -> None:
    whole = confidence(draft(SURE, True, True, model="m"))
    assert confidence(draft(SURE, True, False, model="m")) == pytest.approx(whole / 2)
    assert confidence(draft({**SURE, "consistency": AGREED / 2}, True, model="m")) == pytest.approx(whole / 2)
    assert confidence(draft({**SURE, "consistency": 0.9}, True, model="m")) == pytest.approx(whole)


def test_a_yes_without_a_source_is_no_evidence() -> None:
    half = draft(SURE, True, False)
    yes = Sentence("Yes, it does.", (), 1.0, True)
    assert confidence(replace(half, sentences=(yes, *half.sentences))) == confidence(half)


def test_a_model_that_refuses_where_quotes_are_sure_is_not_believed() -> None:
    said_no = draft(SURE, outcome="refused", model="m")
    assert confidence(said_no) == pytest.approx(1 - confidence(draft(SURE)))
    assert level(confidence(said_no)) == "low"
    assert confidence(draft(SURE, outcome="refused")) == REFUSED, "rules that refuse have seen the same quotes"


def test_records_and_refusals_without_evidence_have_the_share_that_was_measured() -> None:
    assert confidence(draft({})) == RECORDED
    assert confidence(refusal("Nothing.")) == REFUSED


@given(st.floats(-800, 800))
def test_the_logistic_function_never_overflows_and_is_symmetric(logit: float) -> None:
    assert logistic(logit) + logistic(-logit) == pytest.approx(1)


# --- the fit ----------------------------------------------------------------------------------------


def sample(n: int, weights: Floats, intercept: float, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    signals = rng.uniform(0, 1, size=(n, len(weights)))
    chance = 1 / (1 + np.exp(-(intercept + signals @ weights)))
    return signals, (rng.uniform(size=n) < chance).astype(np.float64)


def test_the_fit_finds_the_coefficients_that_made_the_data() -> None:
    signals, right = sample(20_000, np.array([3.0, 1.0, 0.0]), -1.0)
    found = fit(signals, right)
    assert found.weights == pytest.approx([3.0, 1.0, 0.0], abs=0.15)
    assert found.intercept == pytest.approx(-1.0, abs=0.1)


def test_the_fit_is_where_the_gradient_vanishes() -> None:
    signals, right = sample(200, np.array([2.0, 1.0]), 0.0)
    found = fit(signals, right)
    spread = signals.std(axis=0)
    residual = np.array([found.probability(s) for s in signals]) - right
    standardised = (signals - signals.mean(axis=0)) / spread
    assert residual.sum() == pytest.approx(0, abs=1e-2)
    assert standardised.T @ residual + PENALTY * found.weights * spread == pytest.approx(0, abs=1e-2)


def test_a_signal_that_speaks_against_or_never_varies_counts_nothing() -> None:
    signals, right = sample(2_000, np.array([-3.0, 2.0]), 0.0)
    found = fit(np.column_stack([signals, np.full(len(signals), 0.7)]), right)
    assert found.weights[0] == found.weights[2] == 0
    assert found.weights[1] > 1


def test_a_question_is_never_judged_by_a_fit_that_has_seen_it() -> None:
    signals, right = sample(100, np.array([2.0]), 0.0)
    qids = [f"q{n}" for n in range(100)]
    before = cross_validated(signals, right, qids)
    flipped = right.copy()
    flipped[7] = 1 - flipped[7]
    after = cross_validated(signals, flipped, qids)
    assert after[7] == before[7]
    assert sum(a != b for a, b in zip(after, before, strict=True)) > 100 - 3 * 100 / FOLDS


def test_levels_count_their_answers_and_those_right() -> None:
    found = levels([0.95, 0.9, 0.7, 0.2], np.array([1.0, 0.0, 1.0, 0.0]))
    assert found == {"high": {"n": 2, "right": 0.5}, "medium": {"n": 1, "right": 1.0}, "low": {"n": 1, "right": 0.0}}


def answered_row(n: int, signals: dict[str, float], right: bool) -> Row:
    made = row("99%." if right else "No.", asked=gold(f"q{n}"))
    return made.model_copy(update={"answer": {**(made.answer or {}), "signals": signals, "model": None}})


def run_rows() -> list[Row]:
    """Right where the quotes say much of the question, stated confidence the same for all; records; refusals."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(80):
        score = float(rng.uniform(0, 1))
        others = {name: float(rng.uniform(0, 1)) for name in SIGNALS if name != "said"}
        right = bool(rng.uniform() < score)
        rows.append(answered_row(n, {**others, "said": score, "confidence": 0.99}, right))
    rows += [answered_row(200 + n, {}, True) for n in range(8)]
    rows += [row("No.", "refused", asked=gold(f"r{n}", answerable=n == 0)) for n in range(8)]
    return rows


def test_runs_are_calibrated_to_what_goes_into_the_code(tmp_path: Path) -> None:
    rows = run_rows()
    run_folder(tmp_path / "a", rows[:50])
    run_folder(tmp_path / "b", rows[50:])
    found = calibrate([tmp_path / "a", tmp_path / "b"], resamples=50)
    json.dumps(found)
    assert set(found["coefficients"]) == set(SIGNALS)
    assert found["coefficients"]["said"] > max(w for n, w in found["coefficients"].items() if n != "said")
    assert found["recorded"] == 0.9
    assert found["refused"] == 0.8, "seven of eight, by Laplace's rule"
    assert found["after"]["ece"][0] < found["before"]["ece"][0]
    assert found["after"]["brier"][0] < found["before"]["brier"][0]
    assert sum(one["n"] for one in found["levels"].values()) == 80


def test_too_few_answers_are_not_fitted(tmp_path: Path) -> None:
    run_folder(tmp_path / "a", run_rows()[:10])
    with pytest.raises(SourceError, match="too few to fit"):
        calibrate([tmp_path / "a"])


def test_the_fit_takes_the_signals_that_the_code_weighs() -> None:
    assert set(calibrating.SIGNALS) == set(COEFFICIENTS)
    assert all(weight >= 0 for weight in COEFFICIENTS.values())


# --- the words --------------------------------------------------------------------------------------


def answer(**fields: Any) -> Answer:
    base = Answer("What?", "What?", Filters(), "It is so [1].", "answered", "The quotes cover it.", "quotes")
    return replace(base, **fields)


@pytest.mark.parametrize("refused", [False, True])
def test_every_level_is_said_in_words_and_refusals_in_their_own(refused: bool) -> None:
    said = {
        level_in_words(answer(confidence=stated, outcome="refused" if refused else "answered")) for stated in LEVELS
    }
    assert said == set((REFUSALS if refused else LEVELS).values())
    assert len(said) == 3
    assert not any(re.search(r"\d", text) for text in said)


def test_a_refusal_that_says_nothing_about_the_papers_has_no_level() -> None:
    for told in (answer(signals={"other_language": 1.0}), answer(reason=STOPPED, answer="")):
        assert level_in_words(replace(told, outcome="refused", confidence="high")) == NO_ANSWER


@given(
    st.dictionaries(st.sampled_from([*COEFFICIENTS, "coverage", "agreement", "consistency", "new"]), st.floats(-1, 1))
)
def test_graded_signals_are_sentences_without_numbers(signals: dict[str, float]) -> None:
    for text in signals_in_words(signals):
        assert re.fullmatch(r"[A-Z][^\d]*\.", text)


def test_counts_are_told_in_the_singular_and_in_the_plural() -> None:
    assert signals_in_words({"citations_moved": 1.0, "markers_removed": 2.0, "links_removed": 0.0}) == [
        "1 citation was moved to the paper that says it.",
        "2 citations of no passage were removed.",
    ]


def test_a_decision_is_told_once_and_in_order() -> None:
    said = decision_in_words(answer(route="The question asks for a number.", signals={"coverage": 0.95}))
    assert said == [
        "Answered from the papers.",
        "The quotes cover it.",
        "The question asks for a number.",
        "The papers found speak of everything that the question names.",
    ]
    again = answer(outcome="partial", answer="Not given: X. It is so [1].", reason="Not given: X.")
    assert decision_in_words(again) == ["Answered in part."]


def test_the_terminal_says_how_sure_an_answer_is_and_why_this_answerer(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(confidence="medium", signals={"confidence": 0.7312}, route="The question asks for a number.")
    show_answer(iter([TextDelta(told.answer), Finished(told)]), "What?")
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == [
        "It is so [1].",
        "Plausible, check the quote. The quotes cover it. The question asks for a number.",
    ]
    assert "0.7" not in out
    assert "73" not in out


def test_the_terminal_gives_the_reason_of_a_refusal_once(capsys: pytest.CaptureFixture[str]) -> None:
    no = refusal("No paper mentions “France”.")
    told = answer(answer=no.text, reason=no.reason, outcome="refused", confidence="high")
    show_answer(iter([TextDelta(told.answer), Finished(told)]), "What?")
    out = capsys.readouterr().out
    assert out.splitlines()[1:] == ["Not in these papers."]
    assert out.count("France") == 1


def test_a_refusal_says_nothing_of_quotes_that_it_does_not_show() -> None:
    told = answer(outcome="refused", signals={"coverage": 0.5, "said": 0.9, "sentence_margin": 0.3, "agreement": 1.0})
    assert decision_in_words(told) == [
        "Not answered.",
        "The quotes cover it.",
        "The papers found speak of only a part of what the question names.",
    ]
