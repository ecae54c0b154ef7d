"""Intervals and tests: against scipy, exact enumeration, hand-worked cases, and their own error rates."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import gold, row
from scipy import stats

from eval.metrics.figures import Metric, Part
from eval.metrics.resampling import Ratio, interval, randomisation, resampled_ratios
from eval.metrics.statistics import compare, compare_parts, detectable, figure, holm, mcnemar, parts, with_holm
from eval.rows import Row
from rag.errors import SourceError

Parts = dict[str, Part]


def by_qid(values: Sequence[Part | float | None]) -> Callable[[Row], Part | None]:
    """A part for question i: the i-th value (a plain number counts as one question)."""
    return lambda of: _part(values[int(of.gold.qid)])


def _part(value: Part | float | None) -> Part | None:
    return value if value is None or isinstance(value, Part) else Part(float(value))


def metric(values: Sequence[Part | float | None], **fields: Any) -> Metric:
    return Metric("m", "M", "G", by_qid(values), **fields)


def rows(n: int) -> list[Row]:
    return [row(asked=gold(str(i))) for i in range(n)]


def of_parts(values: Sequence[Part | float | None]) -> Parts:
    return {str(i): part for i, value in enumerate(values) if (part := _part(value)) is not None}


YES_NO = metric([], binary=True)
PLAIN = metric([])
LESS = metric([], binary=True, higher_is_better=False)


# --- figures ------------------------------------------------------------------------------------


def test_a_figure_is_the_ratio_of_sums_and_counts_the_eligible() -> None:
    found = figure(metric([Part(1, 3), None, Part(2, 2)]), rows(3))
    assert (found.value, found.n) == (0.6, 2)


def test_no_eligible_question_makes_no_figure() -> None:
    for values in ([], [None, None], [Part(0, 0), Part(0, 0)]):
        found = figure(metric(values), rows(len(values)))
        assert (found.value, found.low, found.high, found.n, found.detectable) == (None, None, None, 0, None)


def test_one_question_has_a_value_but_no_interval_from_resampling() -> None:
    found = figure(metric([0.4]), rows(1))
    assert (found.value, found.low, found.high, found.n, found.detectable) == (0.4, None, None, 1, None)


def test_the_interval_is_scipys_percentile_bootstrap_of_a_mean() -> None:
    data = np.random.default_rng(0).gamma(2.0, size=80)
    found = figure(metric(list(data)), rows(80), resamples=10_000)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
    width = theirs.high - theirs.low
    assert found.value == pytest.approx(data.mean())
    assert found.low == pytest.approx(theirs.low, abs=0.04 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.04 * width)


def test_a_ratio_of_sums_is_resampled_by_question_and_not_by_sentence() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 9, size=60)
    totals = np.where(rng.random(60) < 0.5, counts, 0)  # whole answers are right or wrong together
    found = figure(metric([Part(t, c) for t, c in zip(totals, counts, strict=True)]), rows(60))
    theirs = stats.bootstrap(
        (totals, counts),
        lambda t, c, axis: t.sum(axis=axis) / c.sum(axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert found.low == pytest.approx(theirs.low, abs=0.01)
    assert found.high == pytest.approx(theirs.high, abs=0.01)
    by_sentence = stats.binomtest(int(totals.sum()), int(counts.sum())).proportion_ci(method="wilson")
    assert found.high - found.low > 1.5 * (by_sentence.high - by_sentence.low)  # type: ignore[operator]


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for trial in range(200):
        ratio = Ratio((rng.random(100) < 0.7).astype(float), np.ones(100))
        low, high = interval(resampled_ratios(ratio, 1000, trial))
        hits += bool(low is not None and high is not None and low <= 0.7 <= high)
    assert 0.90 <= hits / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(0).random(30))
    one = figure(metric(values), rows(30), resamples=500, seed=3)
    assert figure(metric(values), rows(30), resamples=500, seed=3) == one
    assert figure(metric(values), rows(30), resamples=500, seed=4).low != one.low
    monkeypatch.setattr("eval.metrics.resampling._CHUNK", 97)
    assert figure(metric(values), rows(30), resamples=500, seed=3) == one


@pytest.mark.parametrize(("value", "n"), [(1.0, 45), (0.0, 45), (1.0, 1)])
def test_a_yes_no_metric_on_which_all_agree_has_wilsons_interval(value: float, n: int) -> None:
    found = figure(metric([value] * n, binary=True), rows(n))
    assert found.low is not None
    assert found.high is not None
    edge = 1 / (1 + stats.norm.ppf(0.975) ** 2 / n)  # Wilson at n of n
    assert (found.low, found.high) == pytest.approx((edge, 1.0) if value else (0.0, 1 - edge))
    assert found.detectable is None


@pytest.mark.parametrize("part", [Part(5, 5), Part(0, 5)])
def test_a_share_on_which_all_agree_counts_questions_and_not_sentences_in_its_interval(part: Part) -> None:
    found = figure(metric([part] * 4 + [Part(0, 0)]), rows(5))
    wilson = stats.binomtest(4 if part.total else 0, 4).proportion_ci(method="wilson")
    assert found.low == pytest.approx(wilson.low)
    assert found.high == pytest.approx(wilson.high)


def test_a_value_that_is_no_share_has_no_wilson_interval() -> None:
    found = figure(metric([1.0] * 4, share=False), rows(4))
    assert (found.low, found.high) == (1.0, 1.0)


def test_a_resample_without_anything_to_count_is_left_out() -> None:
    found = figure(metric([Part(1, 2), Part(0, 0), Part(0, 0)]), rows(3))
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 3)


def test_resamples_that_all_have_nothing_to_count_give_no_interval() -> None:
    assert interval(np.array([np.nan, np.nan])) == (None, None)


def test_a_question_that_stands_twice_in_a_run_is_refused() -> None:
    with pytest.raises(SourceError, match="question 0 twice"):
        parts(metric([1.0]), [*rows(1), *rows(1)])


# --- differences --------------------------------------------------------------------------------


def test_identical_runs_do_not_differ() -> None:
    for kind in (YES_NO, PLAIN):
        same = of_parts([1.0, 0.0, 1.0] * 10)
        found = compare_parts(kind, same, same, resamples=500)
        assert (found.delta, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
        assert (found.better, found.worse, found.detectable) == ((), (), None)


def test_the_difference_is_b_minus_a_and_its_interval_scipys() -> None:
    rng = np.random.default_rng(6)
    a = rng.random(70)
    b = a + rng.normal(0.1, 0.3, size=70)
    found = compare_parts(PLAIN, of_parts(list(a)), of_parts(list(b)))
    theirs = stats.bootstrap((b - a,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
    assert found.delta == pytest.approx((b - a).mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert found.test == "randomisation"
    assert found.detectable == pytest.approx(detectable(float(np.std(b - a, ddof=1)), 70))


def ratio(values: Sequence[Part]) -> Ratio:
    return Ratio(np.array([p.total for p in values], float), np.array([p.count for p in values], float))


PARTS = st.integers(0, 3).flatmap(lambda count: st.builds(Part, st.integers(0, count), st.just(count)))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=7))
def test_few_questions_are_swapped_in_every_way(pairs: list[tuple[Part, Part]]) -> None:
    def apart(chosen: Sequence[tuple[Part, Part]]) -> float:
        sides = [[pair[side] for pair in chosen] for side in (0, 1)]
        counts = [sum(part.count for part in side) for side in sides]
        if not all(counts):
            return math.inf
        left, right = (sum(p.total for p in side) / count for side, count in zip(sides, counts, strict=True))
        return abs(left - right)

    observed = apart(pairs)
    if math.isinf(observed):
        return
    swapped = [
        apart([(b, a) if swap else (a, b) for (a, b), swap in zip(pairs, swaps, strict=True)])
        for swaps in itertools.product((False, True), repeat=len(pairs))
    ]
    exact = sum(value >= observed - 1e-12 for value in swapped) / len(swapped)
    assert randomisation(ratio([a for a, _ in pairs]), ratio([b for _, b in pairs])) == pytest.approx(exact)


def test_drawn_swaps_agree_with_all_of_them_and_with_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    a, b = rng.random(12), rng.random(12) + 0.15
    sides = Ratio(a, np.ones(12)), Ratio(b, np.ones(12))
    exact = randomisation(*sides)
    theirs = stats.permutation_test(
        (b, a), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), permutation_type="samples", vectorized=True
    )
    assert exact == pytest.approx(theirs.pvalue)
    monkeypatch.setattr("eval.metrics.resampling._EXACT", 0)
    assert randomisation(*sides, resamples=20_000) == pytest.approx(exact, abs=0.015)


def test_a_drawn_p_is_never_nothing() -> None:
    one, other = Ratio(np.zeros(50), np.ones(50)), Ratio(np.ones(50), np.ones(50))
    assert randomisation(one, other, resamples=999) == pytest.approx(1 / 1000)


def test_runs_that_do_not_differ_are_found_to_differ_as_often_as_allowed() -> None:
    rng = np.random.default_rng(9)
    pvalues = []
    for trial in range(300):
        counts = rng.integers(1, 6, size=40).astype(float)
        a, b = (Ratio(rng.binomial(counts.astype(int), 0.6).astype(float), counts) for _ in range(2))
        pvalues.append(randomisation(a, b, 500, trial))
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.09
    assert np.mean(np.array(pvalues) <= 0.5) == pytest.approx(0.5, abs=0.1)


def test_a_yes_no_metric_takes_mcnemars_exact_test() -> None:
    # Nine questions won, two lost, the rest alike: twice the chance of at most two heads in eleven.
    a, b = [0.0] * 9 + [1.0] * 2 + [1.0] * 19, [1.0] * 9 + [0.0] * 2 + [1.0] * 19
    found = compare_parts(YES_NO, of_parts(a), of_parts(b))
    assert found.test == "McNemar exact"
    assert found.p == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert (len(found.better), len(found.worse)) == (9, 2)


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_counts_every_way_in_which_discordant_pairs_could_fall(gains: int, losses: int) -> None:
    n = gains + losses
    chance = [math.comb(n, k) / 2**n for k in range(n + 1)]
    expected = sum(p for p in chance if p <= chance[gains] * (1 + 1e-9))
    assert mcnemar(gains, losses) == pytest.approx(min(1.0, expected))


def test_better_and_worse_follow_the_direction_of_the_metric() -> None:
    a, b = of_parts([0.0, 1.0, 0.0, 0.0]), of_parts([1.0, 0.0, 1.0, 0.0])
    up, down = compare_parts(YES_NO, a, b), compare_parts(LESS, a, b)
    assert (up.better, up.worse) == (("0", "2"), ("1",)) == (down.worse, down.better)
    assert (up.delta, down.higher_is_better) == (0.25, False)


def test_a_question_eligible_in_one_run_only_stays_in_that_runs_figure() -> None:
    """Refused by b, answered by a: the figures compared are the runs' own."""
    a, b = [1.0, 0.0, 1.0, 0.0], [1.0, None, 1.0, 0.0]
    found = compare_parts(YES_NO, of_parts(a), of_parts(b))
    assert (found.a, found.b, found.n) == (0.5, pytest.approx(2 / 3), 4)
    assert found.test == "randomisation"
    assert found.p is not None


def test_rows_are_paired_by_qid_and_strangers_left_out_and_counted() -> None:
    asked = metric([1.0, 0.0, 1.0, 1.0])
    found = compare(asked, rows(3)[::-1], rows(4)[1:], resamples=200)
    assert (found.n, found.unpaired, found.a, found.b, found.delta) == (2, 2, 0.5, 0.5, 0.0)
    assert compare(asked, rows(3), rows(3)[::-1], resamples=200) == compare(asked, rows(3), rows(3), resamples=200)


def test_nothing_to_compare_is_said_and_not_computed() -> None:
    for a, b in (([], []), ([1.0], [None]), ([None], [1.0])):
        found = compare_parts(PLAIN, of_parts(a), of_parts(b))
        assert (found.delta, found.low, found.high, found.p, found.test) == (None, None, None, None, "none")


def test_one_pair_has_a_difference_without_interval_and_proves_nothing() -> None:
    found = compare_parts(PLAIN, of_parts([0.0]), of_parts([1.0]))
    assert (found.delta, found.low, found.high, found.p, found.n) == (1.0, None, None, 1.0, 1)


def test_a_difference_is_plain_json() -> None:
    found = with_holm([compare_parts(YES_NO, of_parts([0.0, 1.0, 0.0]), of_parts([1.0, 1.0, 0.0]), resamples=100)])[0]
    said = json.loads(json.dumps(found.as_dict()))
    assert said["delta"] == round(1 / 3, 6)
    assert said["better"] == ["0"]
    assert {"name", "title", "group", "a", "b", "low", "high", "p", "p_holm", "test", "n", "higher_is_better"} <= set(
        said
    )


# --- many tests, and how much can be found ------------------------------------------------------


def test_holm_worked_by_hand() -> None:
    # .01 * 4; .02 * 3; .03 * 2 is no less than that; .5 * 1.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_exactly_what_its_procedure_rejects(pvalues: list[float]) -> None:
    corrected = holm(pvalues)
    assert all(p <= c <= 1.0 for p, c in zip(pvalues, corrected, strict=True))
    for level in (0.05, 0.2):
        rejected, order = set(), sorted(range(len(pvalues)), key=lambda i: pvalues[i])
        for rank, index in enumerate(order):
            if pvalues[index] * (len(pvalues) - rank) > level:
                break
            rejected.add(index)
        assert {i for i, c in enumerate(corrected) if c <= level} == rejected


def test_holm_passes_over_metrics_that_have_no_test() -> None:
    none = compare_parts(PLAIN, {}, {})
    some = compare_parts(YES_NO, of_parts([0.0] * 8), of_parts([1.0] * 8), resamples=100)
    found = with_holm([none, some, some])
    assert [d.p_holm for d in found] == [None, pytest.approx(2 * 2 / 2**8), pytest.approx(2 * 2 / 2**8)]


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(12)
    n, sd = 80, 0.4
    smallest = detectable(sd, n)
    assert smallest is not None
    drawn = rng.normal(smallest, sd, size=(4000, n))
    found = np.mean(stats.ttest_1samp(drawn, 0.0, axis=1).pvalue <= 0.05)
    assert found == pytest.approx(0.80, abs=0.03)


def test_the_detectable_difference_is_in_the_figures_unit_and_halves_with_four_times_the_questions() -> None:
    values = [Part(t, c) for t, c in [(1, 2), (0, 2), (2, 2), (1, 2)] * 10]
    few, many = figure(metric(values), rows(40)), figure(metric(values * 4), rows(160))
    assert few.detectable == pytest.approx(2 * many.detectable, rel=0.02)  # type: ignore[operator]
    shares = [part.total / part.count for part in values]
    assert few.detectable == pytest.approx(detectable(float(np.std(shares, ddof=1)), 40))
    assert detectable(0.4, 1) is detectable(0.0, 50) is None
