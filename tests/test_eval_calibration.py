"""Risk and coverage, calibration error and Brier score, against permutations and plain loops."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import failed, gold, row

from eval.metrics.calibration import BINS, MOST_RISK, Calibration, calibration
from eval.metrics.figures import Figure
from eval.rows import Row

Pairs = Sequence[tuple[float, bool]]
CASES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=6)


def answers(pairs: Pairs) -> list[Row]:
    """Answered questions by confidence and whether they are right."""
    return [
        row("99%" if right else "wrong", asked=gold(f"q{i}"), confidence=confidence)
        for i, (confidence, right) in enumerate(pairs)
    ]


def measured(pairs: Pairs, resamples: int = 20) -> Calibration:
    return calibration(answers(pairs), resamples=resamples)


def values(found: Calibration) -> dict[str, float | None]:
    return {figure.name: figure.value for figure in found.figures}


def named(found: Calibration, name: str) -> Figure:
    return next(figure for figure in found.figures if figure.name == name)


def risks_by_permutation(pairs: Pairs) -> list[float]:
    """The mean risk at each coverage over every order that falls in confidence."""
    orders = [
        order for order in itertools.permutations(pairs) if all(a[0] >= b[0] for a, b in itertools.pairwise(order))
    ]
    curves = [[sum(not right for _, right in order[:k]) / k for k in range(1, len(order) + 1)] for order in orders]
    return [sum(points) / len(points) for points in zip(*curves, strict=True)]


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_curve_is_the_mean_over_every_order_of_equal_confidences(pairs: Pairs) -> None:
    found, expected = measured(pairs), risks_by_permutation(pairs)
    assert [risk for _, risk in found.risk_coverage] == pytest.approx(expected, abs=1e-6)
    assert [coverage for coverage, _ in found.risk_coverage] == pytest.approx(
        [k / len(pairs) for k in range(1, len(pairs) + 1)], abs=1e-6
    )
    assert values(found)["aurc"] == pytest.approx(sum(expected) / len(expected))


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_e_aurc_is_what_the_order_adds_to_the_best_one(pairs: Pairs) -> None:
    best = [(1.0 - i / 100, right) for i, (_, right) in enumerate(sorted(pairs, key=lambda pair: not pair[1]))]
    expected = sum(risks_by_permutation(pairs)) / len(pairs) - sum(risks_by_permutation(best)) / len(pairs)
    assert values(measured(pairs))["e_aurc"] == pytest.approx(max(0.0, expected), abs=1e-9)
    assert values(measured(best))["e_aurc"] == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(pairs: Pairs, random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = measured(pairs), measured(shuffled)
    assert values(one) == pytest.approx(values(other))
    assert one.risk_coverage == other.risk_coverage
    assert one.reliability == other.reliability


def coverage_by_loop(pairs: Pairs) -> float:
    """Every threshold tried in turn."""
    covered = [0.0]
    for threshold, _ in pairs:
        admitted = [right for confidence, right in pairs if confidence >= threshold]
        if sum(not right for right in admitted) / len(admitted) <= MOST_RISK:
            covered.append(len(admitted) / len(pairs))
    return max(covered)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_coverage_at_risk_is_the_best_threshold_that_keeps_to_it(pairs: Pairs) -> None:
    assert values(measured(pairs))["coverage_at_risk"] == pytest.approx(coverage_by_loop(pairs))


def test_coverage_at_risk_worked_by_hand() -> None:
    # One wrong in twenty is 5 % exactly; one more answer below it is wrong too.
    pairs = [(0.9 - i / 100, i != 3) for i in range(20)] + [(0.1, False)]
    assert values(measured(pairs))["coverage_at_risk"] == pytest.approx(20 / 21)
    assert values(measured([(0.5, True), (0.5, False)]))["coverage_at_risk"] == 0.0


def test_a_threshold_takes_all_answers_of_equal_confidence_or_none() -> None:
    # One of the tied ten more would do, at 0.5 wrong of 21 expected; all ten are 5 wrong of 30.
    pairs = [(0.9, True)] * 20 + [(0.5, i % 2 == 0) for i in range(10)]
    assert values(measured(pairs))["coverage_at_risk"] == pytest.approx(20 / 30)


def test_the_best_and_the_worst_order_worked_by_hand() -> None:
    right_first = values(measured([(0.9, True), (0.8, True), (0.2, False), (0.1, False)]))
    wrong_first = values(measured([(0.9, False), (0.8, False), (0.2, True), (0.1, True)]))
    assert right_first["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert right_first["e_aurc"] == pytest.approx(0)
    assert wrong_first["aurc"] == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)
    assert wrong_first["e_aurc"] == pytest.approx((1 + 1 + 1 / 3 + 0) / 4)


def ece_by_loop(pairs: Pairs) -> float:
    """Bins of equal mass, one after another, of distinct confidences."""
    ordered = sorted(pairs, reverse=True)
    size, more = divmod(len(ordered), BINS)
    error, start = 0.0, 0
    for number in range(BINS):
        inside = ordered[start : (start := start + size + (number < more))]
        stated = sum(confidence for confidence, _ in inside)
        error += abs(stated - sum(right for _, right in inside)) / len(ordered)
    return error


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=15, max_size=60, unique_by=lambda p: p[0]))
def test_ece_has_fifteen_bins_of_equal_mass(cases: list[tuple[int, bool]]) -> None:
    pairs = [(thousandths / 1000, right) for thousandths, right in cases]
    found = measured(pairs)
    assert values(found)["ece"] == pytest.approx(ece_by_loop(pairs))
    assert len(found.reliability) == BINS == 15
    assert sum(n for *_, n in found.reliability) == len(pairs)
    assert found.reliability == sorted(found.reliability)
    summed = sum(n * abs(stated - right) for stated, right, n in found.reliability) / len(pairs)
    assert summed == pytest.approx(values(found)["ece"], abs=1e-5)


def test_confidence_that_holds_over_ties_has_no_calibration_error() -> None:
    pairs = [(0.75, i % 4 != 0) for i in range(60)]
    found = values(measured(pairs))
    assert found["ece"] == pytest.approx(0.0, abs=1e-12)
    assert found["brier"] == pytest.approx(0.75 * 0.25)


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_brier_is_the_mean_squared_error(pairs: Pairs) -> None:
    expected = sum((confidence - right) ** 2 for confidence, right in pairs) / len(pairs)
    assert values(measured(pairs))["brier"] == pytest.approx(expected)


def test_intervals_agree_with_resampling_one_by_one() -> None:
    """The vectorised bootstrap, against the same draws each computed as a run of its own."""
    rng = np.random.default_rng(3)
    pairs = [(round(float(c), 1), bool(rng.random() < c)) for c in rng.random(25)]
    resamples = 200
    found = calibration(answers(pairs), resamples=resamples, seed=5)
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    drawn = np.random.default_rng(5).integers(0, 25, size=(resamples, 25), dtype=np.intp)
    singly = [values(measured([ordered[i] for i in index], resamples=1)) for index in drawn]
    for figure in found.figures:
        low, high = np.quantile([single[figure.name] for single in singly], [0.025, 0.975])
        assert (figure.low, figure.high) == pytest.approx((low, high), abs=1e-9), figure.name


def test_the_same_seed_gives_the_same_figures_and_they_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(11)
    pairs = [(float(c), bool(rng.random() < c)) for c in rng.random(120)]
    one, again = (calibration(answers(pairs), resamples=2000, seed=1) for _ in range(2))
    assert one == again
    for name in ("aurc", "brier", "coverage_at_risk"):
        figure = named(one, name)
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high  # type: ignore[operator]
    assert named(one, "aurc").n == 120
    assert not named(one, "aurc").higher_is_better
    assert named(one, "coverage_at_risk").higher_is_better


def test_without_a_confidence_nothing_is_eligible() -> None:
    found = calibration([row(), failed()])
    assert [(f.value, f.low, f.high, f.n) for f in found.figures] == [(None, None, None, 0)] * 5
    assert found.curves() == {"risk_coverage": [], "reliability": []}
    assert calibration([]) == found


def test_one_answer_has_values_but_no_interval() -> None:
    found = measured([(0.8, True)])
    assert values(found) == pytest.approx(
        {"aurc": 0.0, "e_aurc": 0.0, "coverage_at_risk": 1.0, "ece": 0.2, "brier": 0.04}
    )
    assert {figure.low for figure in found.figures} == {None}
    assert found.reliability == [[0.8, 1.0, 1]]


def test_only_answered_questions_known_to_be_right_or_wrong_are_counted() -> None:
    cannot = gold("q9", answerable=False, must_include=())
    rows = [
        row("99%", asked=gold("q1"), confidence=0.9),
        row("No.", "refused", asked=gold("q2"), confidence=0.1),
        failed(gold("q3")),
        row("x", asked=gold("q4", must_include=()), confidence=0.9),
        row("x", asked=gold("q5")),
        row("Half.", "partial", asked=cannot, confidence=0.4),
    ]
    found = calibration(rows, resamples=10)
    assert named(found, "brier").n == 2
    # The partial answer to a question that the papers do not answer is right.
    assert named(found, "brier").value == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert found.risk_coverage == [[0.5, 0.0], [1.0, 0.0]]


def test_the_curves_are_plain_numbers() -> None:
    found = measured([(0.9, True), (0.3, False), (0.3, True)])
    assert json.loads(json.dumps(found.curves())) == found.curves()
    assert all(type(x) in (int, float) and math.isfinite(x) for c in found.curves().values() for p in c for x in p)


def test_all_right_and_all_wrong_behave() -> None:
    for right, worst in ((True, 0.0), (False, 1.0)):
        found = measured([(0.5, right)] * 30)
        assert values(found) == pytest.approx(
            {"aurc": worst, "e_aurc": 0.0, "coverage_at_risk": 1.0 - worst, "ece": 0.5, "brier": 0.25}
        )
