"""Scoring, comparing and gating runs: computed from rows alone, paired by question, and able to fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from library_helpers import HashEmbedder
from metric_rows import citation, failed, gold, row, sentence
from run_folders import contents, manifest, run_folder

import eval.runs.exchange
import eval.runs.score
from eval.metrics.figures import Metric, Part
from eval.metrics.retrieval_files import score_files
from eval.metrics.statistics import compare_parts
from eval.questions import read_questions
from eval.rows import Retrieved, Row
from eval.runs.compare import compare_runs
from eval.runs.exchange import export, import_ragas
from eval.runs.folder import MANIFEST, ROWS, RunFolder
from eval.runs.gate import BASELINE, POLICY, gate, read_baseline, read_policy, save_baseline
from eval.runs.junit import junit_xml
from eval.runs.score import METRICS, latency, load_run, report, score, summarise, tokens
from eval.runs.verdicts import exact_verdicts, gated_verdict
from rag.answer.answer import Turn
from rag.errors import SettingsError, SourceError
from rag.settings import Settings

FEW = 300  # resamples
ABSTRACT = {"tildev2:": "We propose TILDEv2. Indexes are 99\\% smaller."}


def good(n: int = 24, wrong: Sequence[int] = ()) -> list[Row]:
    """Answers with one sentence each, faithful and rightly cited but for those `wrong`."""
    return [
        row(
            "They are 99% smaller [1]." if i not in wrong else "They are 10% smaller [1].",
            asked=gold(f"q{i:02}"),
            sentences=(sentence() if i not in wrong else sentence(0.1, cited=0.1, alone=(0.1,)),),
            citations=[citation()],
            abstracts=ABSTRACT,
        )
        for i in range(n)
    ]


def refused(one: Row) -> Row:
    return one.model_copy(
        update={
            "answer": {
                "answer": "The papers do not answer that.",
                "outcome": "refused",
                "citations": [],
                "signals": {},
            },
            "sentences": (),
        }
    )


# --- scoring -----------------------------------------------------------------------------------


def test_scoring_needs_nothing_but_rows_and_manifest_and_gives_the_same_again(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", good())
    summary = score(folder.path, FEW)
    first = contents(folder.path)
    assert set(first) == {MANIFEST, ROWS, "summary.json", "run.trec", "junit.xml", "report.html"}
    assert json.loads(first["summary.json"]) == summary
    for name in set(first) - {MANIFEST, ROWS}:
        folder.file(name).unlink()
    score(folder.path, FEW)
    assert contents(folder.path) == first


def test_a_summary_has_every_metric_and_what_is_not_eligible_is_no_zero(tmp_path: Path) -> None:
    summary = summarise(manifest(), good(), FEW)
    assert {metric.name for metric in METRICS} <= set(summary["figures"])
    assert summary["figures"]["faithfulness"]["value"] == 1.0
    assert summary["figures"]["refusal_recall"] == summary["figures"]["refusal_recall"] | {"value": None, "n": 0}
    assert summary["figures"]["refusal_recall"]["low"] is None


def test_metric_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_rows_in_another_order_give_the_same_values() -> None:
    rows = [*good(10, wrong=[2]), refused(row("x", asked=gold("u", answerable=False))), failed(gold("f"))]
    one, other = summarise(manifest(), rows, FEW), summarise(manifest(), rows[::-1], FEW)
    for name, figure in one["figures"].items():
        assert other["figures"][name]["value"] == pytest.approx(figure["value"])
    assert one["by_type"] == other["by_type"]


def test_types_and_turns_are_counted_apart() -> None:
    first, second = gold("a", type="number"), gold("b", type="why", history=(Turn("user", "x"), Turn("assistant", "y")))
    third = gold("c", type="why", answerable=False)
    rows = [
        row("99% smaller", asked=first),
        row("no idea", asked=second),
        refused(row("x", asked=third)),
    ]
    summary = summarise(manifest(), rows, FEW)
    assert {name: (own["n"], own["right"]) for name, own in summary["by_type"].items()} == {
        "number": (1, [1, 1]),
        "why": (2, [1, 2]),
    }
    assert (summary["by_turn"]["1"]["n"], summary["by_turn"]["1"]["right"]) == (2, 1.0)
    assert (summary["by_turn"]["2"]["n"], summary["by_turn"]["2"]["right"]) == (1, 0.0)


def test_latency_and_tokens_by_hand() -> None:
    def timed(ms: float, used: int, grounding: float | None) -> Row:
        one = row("x", asked=gold(f"q{ms}"), grounding_ms=grounding)
        answer = {**(one.answer or {}), "timings_ms": {"write": ms}, "usage": {"prompt_tokens": used}}
        return one.model_copy(update={"answer": answer})

    rows = [timed(10, 3, None), timed(20, 4, 5.0), timed(40, 0, 7.0), failed(gold("f"))]
    assert latency(rows) == {
        "write": {"p50": 20.0, "p95": 38.0, "n": 3},
        "grounding": {"p50": 6.0, "p95": 6.9, "n": 2},
    }
    assert tokens(rows) == {"prompt_tokens": 7}


@pytest.mark.parametrize(("version", "shown"), [("now", True), ("older", False)])
def test_agreement_with_people_is_shown_only_for_the_grounding_that_measured_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, shown: bool
) -> None:
    known = manifest().grounding if version == "now" else {"version": "0", "threshold": 0.1}
    files = [{"name": "scifact", "n": 3, "auroc": 0.8, "auroc_ci": [0.7, 0.9]}]
    path = tmp_path / "agreement.json"
    path.write_text(json.dumps({"schema": 1, "grounding": dict(known), "files": files}), encoding="utf-8")
    monkeypatch.setattr(eval.runs.score, "AGREEMENT", path)
    monkeypatch.setattr(eval.runs.score, "PERTURBATIONS", tmp_path / "absent.json")
    summary = summarise(manifest(), good(3), FEW)
    assert summary["agreement"] == (files if shown else None)
    assert summary["perturbations"] is None


def test_a_run_measured_by_another_grounding_score_is_not_scored_with_this_ones_threshold(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", good(2), grounding={"version": "0", "threshold": 0.3})
    before = contents(folder.path)
    with pytest.raises(SettingsError, match=r"measured with grounding 0 at threshold 0\.3"):
        score(folder.path, FEW)
    assert contents(folder.path) == before


def test_a_run_without_a_row_and_a_folder_without_a_run_cannot_be_scored(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [])
    with pytest.raises(SourceError, match="holds no row"):
        load_run(folder.path)
    with pytest.raises(SourceError, match="no run folder"):
        score(tmp_path / "absent", FEW)
    assert not (tmp_path / "absent").exists()


def test_an_interrupted_run_can_be_scored_and_says_that_it_is_not_finished(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", good(3), finished=False, questions={"file": "dev.jsonl", "n": 60})
    folder.file(ROWS).open("ab").write(b'{"torn')
    summary = score(folder.path, FEW)
    assert (summary["n"], summary["manifest"]["finished"]) == (3, False)


# --- JUnit -------------------------------------------------------------------------------------


def junit_of(text: str) -> dict[str, Any]:
    return {case.name: case for suite in JUnitXml.fromstring(text.encode()) for case in suite}


def test_junit_has_a_case_for_each_question_and_each_exact_metric() -> None:
    no_truth = gold("open", must_include=(), answerable=True)
    rows = [
        row("99% smaller", asked=gold("right")),
        row("10% smaller", asked=gold("wrong")),
        row("x", asked=no_truth),
        failed(gold("failed")),
        row("Surely yes.", asked=gold("unanswerable", answerable=False)),
    ]
    cases = junit_of(junit_xml(rows, exact_verdicts(METRICS, rows)))
    kinds = {name: [type(result) for result in case.result] for name, case in cases.items()}
    assert kinds == {
        "quote_fidelity": [],
        "right": [],
        "wrong": [Failure],
        "open": [Skipped],
        "failed": [Error],
        "unanswerable": [Failure],
    }
    assert "10% smaller" in cases["wrong"].result[0].text
    assert "99% smaller." in cases["wrong"].result[0].text


@given(st.text())
def test_whatever_an_answer_holds_junit_stays_xml(text: str) -> None:
    document = junit_xml([row(f"{text}\x00\x1b]]>", asked=gold(question=f"{text}?"))], [])
    (case,) = junit_of(document).values()
    assert "\x00" not in document
    assert "]]>" in case.result[0].text


# --- verdicts ----------------------------------------------------------------------------------


def named(name: str) -> Metric:
    return next(metric for metric in METRICS if metric.name == name)


def difference(name: str, before: Sequence[float | None], now: Sequence[float | None]) -> Any:
    def side(values: Sequence[float | None]) -> dict[str, Part]:
        return {f"q{i}": Part(value) for i, value in enumerate(values) if value is not None}

    return compare_parts(named(name), side(before), side(now), 2000)


def test_a_fall_beyond_the_margin_fails_and_within_it_passes() -> None:
    fall = difference("right", [1.0] * 40, [1.0] * 20 + [0.0] * 20)
    assert not gated_verdict(fall, 0.02).ok
    assert gated_verdict(fall, 0.9).ok
    assert "worse by more than the margin" in gated_verdict(fall, 0.02).reason


def test_a_rise_fails_where_lower_is_better() -> None:
    rise = difference("over_refusal", [0.0] * 40, [0.0] * 20 + [1.0] * 20)
    assert not gated_verdict(rise, 0.02).ok
    assert gated_verdict(difference("over_refusal", [1.0] * 40, [0.0] * 40), 0.0).ok


def test_a_small_fall_that_chance_explains_passes() -> None:
    assert gated_verdict(difference("right", [1.0] * 40, [1.0] * 39 + [0.0]), 0.0).ok


def test_an_interval_that_touches_the_margin_passes() -> None:
    fall = difference("right", [1.0] * 4, [0.0] * 4)
    assert (fall.low, fall.high) == (-1.0, -1.0)
    assert gated_verdict(fall, 1.0).ok
    assert not gated_verdict(fall, 0.999).ok


def test_a_metric_that_has_no_question_left_fails_and_one_that_never_had_any_passes() -> None:
    assert not gated_verdict(difference("faithfulness", [1.0] * 3, [None] * 3), 0.5).ok
    assert gated_verdict(difference("faithfulness", [None] * 3, [None] * 3), 0.0).ok


def test_an_exact_metric_below_100_percent_fails_and_names_its_questions() -> None:
    rows = [
        row("x", asked=gold("a"), citations=[citation()], abstracts=ABSTRACT),
        row("x", asked=gold("b"), citations=[citation(start=21)], abstracts=ABSTRACT),
    ]
    (verdict,) = exact_verdicts(METRICS, rows)
    assert (verdict.name, verdict.ok, verdict.value) == ("quote_fidelity", False, 0.5)
    assert verdict.reason == "50.00% where 100 % is due: b"
    assert exact_verdicts(METRICS, [row("x")])[0].ok
    assert not exact_verdicts(METRICS, [row("x")], ["quote_fidelity"])[0].ok


# --- the gate ----------------------------------------------------------------------------------

MARGINS = "[margins]\nfaithfulness = 0.01\nright = 0.02\nover_refusal = 0.02\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(MARGINS, encoding="utf-8")
    return path


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    folder = run_folder(tmp_path / "before", good())
    return save_baseline(folder.path, tmp_path / "baseline.json")


def gated(tmp_path: Path, rows: Sequence[Row], baseline: Path, policy: Path, **fields: Any) -> dict[str, Any]:
    return gate(run_folder(tmp_path / "now", rows, **fields).path, baseline, policy, 2000)


def failures(found: dict[str, Any]) -> set[str]:
    return {verdict["name"] for verdict in found["verdicts"] if not verdict["ok"]}


def test_the_same_answers_pass_their_own_baseline(tmp_path: Path, baseline: Path, policy: Path) -> None:
    found = gated(tmp_path, good(), baseline, policy)
    assert found["ok"]
    assert [verdict["name"] for verdict in found["verdicts"]] == [
        "quote_fidelity",
        "faithfulness",
        "right",
        "over_refusal",
    ]
    assert found["notes"] == []


def test_worse_answers_fail_and_the_right_metrics_say_so(tmp_path: Path, baseline: Path, policy: Path) -> None:
    found = gated(tmp_path, good(wrong=range(12)), baseline, policy)
    assert failures(found) == {"faithfulness", "right"}
    verdicts = {verdict["name"]: verdict for verdict in found["verdicts"]}
    assert verdicts["right"]["delta"] == pytest.approx(-0.5)
    assert verdicts["right"]["p"] <= verdicts["right"]["p_holm"] < 0.05
    cases = junit_of(RunFolder(tmp_path / "now").file("junit.xml").read_text(encoding="utf-8"))
    assert [type(result) for result in cases["right"].result] == [Failure]
    assert cases["over_refusal"].result == []


def test_better_answers_pass(tmp_path: Path, policy: Path) -> None:
    before = save_baseline(run_folder(tmp_path / "before", good(wrong=range(12))).path, tmp_path / "b.json")
    assert gated(tmp_path, good(), before, policy)["ok"]


def test_refusing_everything_does_not_pass_as_faithful(tmp_path: Path, baseline: Path, policy: Path) -> None:
    found = gated(tmp_path, [refused(one) for one in good()], baseline, policy)
    assert failures(found) == {"quote_fidelity", "faithfulness", "right", "over_refusal"}


def test_a_quote_that_is_not_verbatim_fails_whatever_the_baseline_was(tmp_path: Path, policy: Path) -> None:
    rows = good()
    bent = rows[3].model_copy(update={"abstracts": {"tildev2:": "Something else altogether."}})
    rows[3] = bent
    before = save_baseline(run_folder(tmp_path / "before", rows).path, tmp_path / "b.json")
    assert failures(gated(tmp_path, rows, before, policy)) == {"quote_fidelity"}


def test_quotes_that_are_gone_altogether_fail(tmp_path: Path, baseline: Path, policy: Path) -> None:
    rows = good()
    for one in rows:
        assert one.citations
        one.citations[0]["quote"] = ""
    assert failures(gated(tmp_path, rows, baseline, policy)) == {"quote_fidelity"}


def test_rounding_in_the_baseline_is_no_difference(tmp_path: Path, policy: Path) -> None:
    papers = tuple(Retrieved(paper_id=f"p{j}", title=f"Paper {j}", score=1 / (1 + j)) for j in range(6))
    rows = [row(asked=gold(f"q{i}", gold_titles=("Paper 1",)), contexts=("t",)) for i in range(8)]
    rows = [one.model_copy(update={"retrieved": papers}) for one in rows]
    before = save_baseline(run_folder(tmp_path / "before", rows).path, tmp_path / "b.json")
    policy.write_text('[margins]\n"paper_ndcg@10" = 0\n', encoding="utf-8")  # 0.63092975..., stored as 0.63093
    (_, verdict) = gated(tmp_path, rows, before, policy)["verdicts"]
    assert (verdict["ok"], verdict["delta"], verdict["p"]) == (True, 0.0, 1.0)


def test_rows_in_another_order_are_paired_by_question(tmp_path: Path, baseline: Path, policy: Path) -> None:
    assert gated(tmp_path, good()[::-1], baseline, policy)["ok"]


def test_what_differs_from_the_baseline_is_noted(tmp_path: Path, baseline: Path, policy: Path) -> None:
    hashes = {**manifest().hashes, "prompts": "new", "models": "new"}
    found = gated(tmp_path, good(), baseline, policy, hashes=hashes, answerer="local")
    assert found["notes"] == ["Other than in the baseline: answerer, prompts, models."]


def test_a_missing_baseline_says_how_to_make_one(tmp_path: Path, policy: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no baseline .*--save-baseline"):
        gated(tmp_path, good(2), tmp_path / "absent.json", policy)


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', '{"schema": 1, "parts": {"right": {"q": [1]}}}'])
def test_a_damaged_baseline_is_a_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match="is damaged"):
        read_baseline(path)


def test_a_baseline_of_another_version_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"schema": 2}', encoding="utf-8")
    with pytest.raises(SettingsError, match="another version"):
        read_baseline(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hashes": {**manifest().hashes, "questions": "other"}}, "different questions"),
        ({"finished": False}, "not finished"),
        ({"finished": False, "questions": {"file": "dev.jsonl", "n": 25}}, r"not finished \(24 of 25 questions\)"),
        ({"grounding": {"version": "0", "threshold": 0.1}}, "measured with grounding 0"),
    ],
)
def test_runs_that_cannot_be_held_against_the_baseline_are_refused(
    tmp_path: Path, baseline: Path, policy: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        gated(tmp_path, good(), baseline, policy, **fields)


def test_fewer_questions_than_the_baseline_are_other_questions(tmp_path: Path, baseline: Path, policy: Path) -> None:
    with pytest.raises(SettingsError, match="different questions"):
        gated(tmp_path, good(10), baseline, policy)


def test_an_unfinished_run_becomes_no_baseline(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", good(3), finished=False)
    with pytest.raises(SettingsError, match="not finished"):
        save_baseline(folder.path, tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


def test_a_stored_baseline_has_the_parts_of_every_metric(tmp_path: Path, baseline: Path) -> None:
    stored = read_baseline(baseline)
    assert set(stored.parts) == {metric.name for metric in METRICS}
    assert stored.parts["right"]["q00"] == Part(1.0, 1.0)
    assert stored.n == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not one table"),
        ("[margins]\n", "not one table"),
        ("[margin]\nright = 0.1\n", "not one table"),
        ("[margins]\nright = 0.1\n[more]\nx = 1\n", "not one table"),
        ("[margins]\nright = -0.1\n", "margin of right"),
        ('[margins]\nright = "1"\n', "margin of right"),
        ("[margins]\nright = nan\n", "margin of right"),
        ("[margins]\nright = true\n", "margin of right"),
        ("[margins\n", "no TOML"),
    ],
)
def test_a_malformed_policy_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        read_policy(path)


def test_a_policy_with_an_unknown_metric_or_one_that_the_baseline_lacks_is_refused(
    tmp_path: Path, baseline: Path, policy: Path
) -> None:
    run = run_folder(tmp_path / "now", good()).path
    policy.write_text("[margins]\nfaithfullness = 0.1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="unknown metric: faithfullness"):
        gate(run, baseline, policy, FEW)
    policy.write_text(MARGINS, encoding="utf-8")
    stored = json.loads(baseline.read_text(encoding="utf-8"))
    del stored["parts"]["right"]
    baseline.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(SettingsError, match="has no right"):
        gate(run, baseline, policy, FEW)


def test_the_bundled_policy_names_metrics_that_exist() -> None:
    assert set(read_policy(POLICY)) <= {metric.name for metric in METRICS}


def test_the_bundled_baseline_is_of_the_bundled_questions() -> None:
    stored = read_baseline(BASELINE)
    questions = read_questions(Path(eval.__file__).parent / "data" / "questions_dev.jsonl")
    assert {qid for parts in stored.parts.values() for qid in parts} == {question.qid for question in questions}
    assert set(read_policy(POLICY)) <= set(stored.parts)


# --- comparing two runs ------------------------------------------------------------------------


def test_a_comparison_pairs_questions_and_corrects_its_tests(tmp_path: Path) -> None:
    a = run_folder(tmp_path / "a", good(wrong=range(12)))
    b = run_folder(tmp_path / "b", good()[::-1])
    found = compare_runs(a.path, b.path, tmp_path / "page.html", FEW)
    by_name = {one["name"]: one for one in found["differences"]}
    assert found["n"] == 24
    assert (by_name["right"]["a"], by_name["right"]["b"], by_name["right"]["delta"]) == (0.5, 1.0, 0.5)
    assert by_name["right"]["test"] == "McNemar exact"
    assert all(one["p"] is None or one["p"] <= one["p_holm"] <= 1 for one in found["differences"])
    assert by_name["refusal_recall"]["delta"] is None
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.dumps(found)


def test_questions_that_one_run_lacks_are_left_out_and_counted(tmp_path: Path) -> None:
    a, b = run_folder(tmp_path / "a", good(10)), run_folder(tmp_path / "b", good(14))
    found = compare_runs(a.path, b.path, resamples=FEW)
    assert found["n"] == 10
    assert {one["unpaired"] for one in found["differences"]} == {4}


def test_runs_of_different_questions_are_not_compared(tmp_path: Path) -> None:
    a = run_folder(tmp_path / "a", good(3))
    other = [one.model_copy(update={"gold": replace(one.gold, question="Something else?")}) for one in good(3)]
    b = run_folder(tmp_path / "b", other)
    with pytest.raises(SettingsError, match="different questions"):
        compare_runs(a.path, b.path, resamples=FEW)
    imported = run_folder(tmp_path / "i", good(3), hashes={**manifest().hashes, "questions": "of the same text"})
    assert compare_runs(a.path, imported.path, resamples=FEW)["n"] == 3
    c = run_folder(tmp_path / "c", [row("x", asked=gold("else"))])
    with pytest.raises(SettingsError, match="no question in common"):
        compare_runs(a.path, c.path, resamples=FEW)


def test_a_finished_run_that_lost_rows_is_not_scored(tmp_path: Path) -> None:
    cut = run_folder(tmp_path / "cut", good(3), questions={"file": "dev.jsonl", "n": 60})
    with pytest.raises(SourceError, match="holds 3 of the 60 rows of a finished run"):
        eval.runs.score.score(cut.path)


# --- other tools' files ------------------------------------------------------------------------


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setattr(eval.runs.exchange, "load_embedder", lambda settings: HashEmbedder())
    return Settings(_env_file=None, home=tmp_path / "home")


RAGAS = [
    {"user_input": "How long?", "response": "It takes two weeks.", "retrieved_contexts": ["It takes two weeks."],
     "reference": "It takes two weeks."},
    {"user_input": "How big?", "response": "Zebras juggle pineapples.", "retrieved_contexts": ["The index is small."]},
    {"user_input": "Who?", "response": " ", "retrieved_contexts": []},
]  # fmt: skip


def ragas_file(tmp_path: Path, rows: Sequence[object] = RAGAS) -> Path:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_another_systems_answers_become_a_run_that_is_scored_where_it_applies(
    tmp_path: Path, words_only: Settings
) -> None:
    folder = import_ragas(words_only, ragas_file(tmp_path), tmp_path / "run")
    known, rows = load_run(folder.path)
    assert (known.system, known.finished, known.answerer, known.questions["n"]) == ("imported", True, "answers", 3)
    first, second, third = rows
    assert first.sentences[0].context > 0.9 > 0.3 > second.sentences[0].context
    assert first.similarity == pytest.approx(1.0)
    assert second.similarity is None
    assert third.refused
    figures = score(folder.path, FEW)["figures"]
    assert figures["faithfulness"]["n"] == 2
    assert figures["citation_recall"]["n"] == figures["quote_fidelity"]["n"] == figures["paper_hit@5"]["n"] == 0


def test_an_import_overwrites_no_run(tmp_path: Path, words_only: Settings) -> None:
    folder = import_ragas(words_only, ragas_file(tmp_path), tmp_path / "run")
    before = contents(folder.path)
    with pytest.raises(SettingsError, match="not empty"):
        import_ragas(words_only, ragas_file(tmp_path), tmp_path / "run")
    assert contents(folder.path) == before


def test_a_malformed_record_is_named_and_makes_no_run(tmp_path: Path, words_only: Settings) -> None:
    with pytest.raises(SourceError, match=r"answers\.jsonl, line 2: response is missing"):
        import_ragas(words_only, ragas_file(tmp_path, [RAGAS[0], {"user_input": "x"}]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_exported_run_can_be_imported_again_with_the_same_answers(tmp_path: Path, words_only: Settings) -> None:
    rows = [row(f"Answer {i}.", asked=gold(f"q{i}"), contexts=("One text.", "Another.")) for i in range(3)]
    folder = run_folder(tmp_path / "run", rows)
    assert export(folder.path, "ragas", tmp_path / "out.jsonl") == 3
    again = import_ragas(words_only, tmp_path / "out.jsonl", tmp_path / "again").rows()
    assert [(one.gold.qid, one.text) for one in again] == [(one.gold.qid, one.text) for one in rows]
    assert [found.text for found in again[0].retrieved] == ["One text.", "Another."]


@pytest.mark.parametrize("name", [ROWS, MANIFEST])
def test_nothing_is_written_over_what_a_run_is_computed_from(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path / "run", good(3))
    before, out = contents(folder.path), folder.file(name)
    for write in (
        lambda: export(folder.path, "ragas", out),
        lambda: export(folder.path, "trec", out),
        lambda: report(folder.path, out),
        lambda: compare_runs(folder.path, folder.path, out, FEW),
        lambda: save_baseline(folder.path, out),
    ):
        with pytest.raises(SettingsError, match="belongs to a run"):
            write()
    assert contents(folder.path) == before


def test_an_exported_trec_run_scores_as_the_run_itself(tmp_path: Path) -> None:
    rows = []
    for i in range(4):
        papers = [Retrieved(paper_id=f"p{j}", title=f"Paper {j}", score=1 / (1 + j)) for j in range(6)]
        rows.append(
            row("x", asked=gold(f"q{i}", gold_titles=(f"Paper {i}",))).model_copy(update={"retrieved": tuple(papers)})
        )
    folder = run_folder(tmp_path / "run", rows)
    export(folder.path, "trec", tmp_path / "out.trec")
    assert len((tmp_path / "out.trec").read_text().splitlines()) == 24
    (tmp_path / "qrels").write_text("".join(f"q{i} 0 p{i} 1\n" for i in range(4)), encoding="utf-8")
    found = score_files(tmp_path / "qrels", tmp_path / "out.trec", FEW)
    summary = score(folder.path, FEW)
    for name, values in found["figures"].items():
        assert values["value"] == pytest.approx(summary["figures"][f"paper_{name}"]["value"])
    assert found["figures"]["mrr@10"]["value"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["counts"]["queries"] == 4


def test_the_trec_file_of_a_scored_run_ranks_as_the_rows_do(tmp_path: Path) -> None:
    papers = tuple(Retrieved(paper_id=f"p {j}", title=f"P{j}", score=0.5) for j in range(3))
    folder = run_folder(tmp_path / "run", [row("x").model_copy(update={"retrieved": papers})])
    score(folder.path, FEW)
    lines = [line.split() for line in folder.file("run.trec").read_text().splitlines()]
    assert [line[2] for line in lines] == ["p%200", "p%201", "p%202"]
    assert all(float(one[4]) > float(other[4]) for one, other in pairwise(lines))
