"""The HTML report of a run and of a comparison: what it says, that it is safe, and that it can be read anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.answers import ANSWER_METRICS
from eval.metrics.statistics import compare, figure, with_holm
from eval.questions import GoldQuestion
from eval.report.page import across, milliseconds, moment, number, p_value, signed, span
from eval.report.plots import reliability, risk_coverage
from eval.report.report import compare_report, run_report, verdict, write_report
from eval.report.worst import complaints, worst
from eval.rows import Fault, Retrieved, Row, SentenceMeasure
from rag.answer.answer import Turn
from rag.errors import SettingsError

THRESHOLD = 0.75
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}&amp;"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """A parsed page: its elements, its text without the style sheet, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._part(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._part(tag)

    def _part(self, tag: str) -> None:
        """Elements stand apart from each other, but for those within a line."""
        if tag != "b":
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def having(self, tag: str, kind: str) -> int:
        return sum(name == tag and kind in (attrs.get("class") or "").split() for name, attrs in self.elements)


def gold(qid: str = "q1", **changes: Any) -> GoldQuestion:
    base: dict[str, Any] = {
        "qid": qid,
        "question": f"What does {qid} gain?",
        "history": (),
        "answerable": True,
        "type": "factoid_number",
        "gold_titles": ("A Paper",),
        "must_include": ("8.7",),
        "must_not_include": (),
        "gold_answer": "8.7 points.",
    }
    return GoldQuestion(**{**base, **changes})


def sentence(text: str = "It gains 8.7 points.", context: float = 0.9, **changes: Any) -> SentenceMeasure:
    base: dict[str, Any] = {"markers": (1,), "cited": context, "alone": (context,), "without": (0.0,)}
    return SentenceMeasure(text=text, worthy=True, context=context, **{**base, **changes})


def row(question: GoldQuestion | None = None, *sentences: SentenceMeasure, **changes: Any) -> Row:
    """A right and grounded answer, but for what is given."""
    question, sentences = question or gold(), sentences or (sentence(),)
    text = " ".join(measure.text for measure in sentences)
    quote = {"n": 1, "paper_id": "p1", "title": "A Paper", "quote": "gains", "start": 3, "end": 8, "support": 1.0}
    answer: dict[str, Any] = {
        "answer": text,
        "outcome": "answered",
        "citations": [quote],
        "signals": {"confidence": 0.8},
        "timings_ms": {"total": 120.0},
        **changes,
    }
    found = (Retrieved(paper_id="p1", title="A Paper", score=0.9, text="It gains 8.7 points."),)
    return Row(
        gold=question, answer=answer, sentences=sentences, retrieved=found, abstracts={"p1": "It gains 8.7 points."}
    )


def refusal(question: GoldQuestion) -> Row:
    text = "None of the papers answers this."
    return Row(gold=question, answer={"answer": text, "outcome": "refused", "citations": []})


def manifest(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "schema": 1,
        "paperchat": "0.1.0",
        "created": "2026-02-03T09:41:12Z",
        "finished": True,
        "system": "paperchat",
        "answerer": "quotes",
        "seed": 0,
        "configuration": {"passages": 5, "openai": {"model": None}},
        "questions": {"file": "questions_dev.jsonl", "n": 1},
        "hashes": {"models": "abc123"},
        "grounding": {"version": "2", "threshold": THRESHOLD},
    }
    return {**base, **changes}


def summary(rows: Sequence[Row], **changes: Any) -> dict[str, Any]:
    figures = {metric.name: figure(metric, rows, resamples=50).as_dict() for metric in ANSWER_METRICS}
    base: dict[str, Any] = {
        "schema": 1,
        "manifest": manifest(),
        "n": len(rows),
        "failed": sum(row.answer is None for row in rows),
        "figures": figures,
        "by_type": {},
        "by_turn": {},
        "latency_ms": {},
        "tokens": {},
        "curves": {"risk_coverage": [], "reliability": []},
        "agreement": None,
    }
    return {**base, **changes}


def differences(a: Sequence[Row], b: Sequence[Row]) -> list[dict[str, Any]]:
    return [d.as_dict() for d in with_holm([compare(metric, a, b, resamples=50) for metric in ANSWER_METRICS])]


def page(rows: Sequence[Row], **changes: Any) -> Page:
    return Page(run_report(summary(rows, **changes), rows))


FULL = {
    "by_type": {
        "factoid_number": {"n": 3, "right": [2, 3], "faithfulness": 0.5, "citation_recall": 1},
        "unans_detail": {"n": 1},
    },
    "by_turn": {"1": {"n": 3, "right": 0.75}, "2": {"n": 1, "right": 0.5}, "10": {"n": 1}},
    "latency_ms": {"retrieve": {"p50": 96.0, "p95": 175.2, "n": 4}, "total": {"p50": 166.0, "p95": 12_345.0, "n": 4}},
    "tokens": {"prompt": 123456},
    "curves": {"risk_coverage": [[0.5, 0.0], [1.0, 0.25]], "reliability": [[0.4, 0.5, 2], [0.9, 1.0, 2]]},
    "agreement": [
        {
            "name": "expertqa",
            "n": 1200,
            "auroc": 0.694,
            "auroc_ci": [0.66, 0.73],
            "bacc": 0.64,
            "bacc_ci": None,
            "by_raw": {"Partial": {"n": 7, "auroc": 0.6, "auroc_ci": None}},
        },
        {"name": "one class", "n": 9, "auroc": None, "auroc_ci": None, "bacc": None, "bacc_ci": None, "by_raw": {}},
    ],
    "perturbations": [
        {
            "name": "scifact",
            "perturbation": "role_swap",
            "n": 200,
            "auroc": 0.58,
            "auroc_ci": [0.55, 0.61],
            "drop": 0.6,
            "target": 0.65,
            "ok": False,
            "blind": True,
        },
        {
            "name": "scifact",
            "perturbation": "direction",
            "n": 0,
            "auroc": None,
            "auroc_ci": None,
            "drop": None,
            "target": None,
            "ok": None,
            "blind": False,
        },
    ],
    "bots": [
        {
            "name": "scifact",
            "bot": "refuse_all",
            "metric": "over_refusal",
            "title": "Answerable questions refused",
            "real": 0.08,
            "value": 1.0,
            "ok": True,
        }
    ],
}


# --- what the page of a run says ----------------------------------------------------------------


def test_a_full_page_is_well_formed_needs_nothing_else_and_its_links_lead_somewhere() -> None:
    html = run_report(summary([row(), refusal(gold("q2"))], **FULL), [row(), refusal(gold("q2"))])
    found = Page(html)
    assert not found.open
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in found.elements}
    assert not re.search(r"https?://", re.sub(r'xmlns(:xlink)?="[^"]*"', "", html))
    assert "@import" not in html
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in found.elements:
        for name in ("href", "xlink:href"):
            if name in attrs:
                assert (attrs[name] or "").removeprefix("#") in ids
        for named in (attrs.get("aria-labelledby") or "").split():
            assert named in ids
    assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(ids)


def test_the_same_run_gives_the_same_page() -> None:
    rows = [row(), refusal(gold("q2"))]
    assert run_report(summary(rows, **FULL), rows) == run_report(summary(rows, **FULL), rows)


def test_every_figure_stands_there_with_its_interval_and_number_of_questions() -> None:
    figures = {
        "hits": {
            "title": "Found among five",
            "group": "Retrieval",
            "value": 0.8125,
            "low": 0.7,
            "high": 0.9011,
            "n": 48,
            "detectable": 0.1,
            "higher_is_better": True,
        },
        "mistakes": {
            "title": "Mistakes",
            "group": "Retrieval",
            "value": None,
            "low": None,
            "high": None,
            "n": 0,
            "detectable": None,
            "higher_is_better": False,
        },
    }
    text = page([row()], figures=figures).text
    assert "Found among five 0.812 0.700 to 0.901 48 ±0.100" in text
    assert "Mistakes lower is better not eligible 0" in text


def test_a_figure_above_one_has_its_number_and_no_bar() -> None:
    one = {"title": "T", "group": "G", "value": 1.4, "low": 1.2, "high": 1.6, "n": 3, "detectable": None}
    found = page([row()], figures={"t": {**one, "higher_is_better": True}})
    assert "1.400 1.200 to 1.600" in found.text
    assert found.having("svg", "chart") == 0


def test_faithfulness_never_stands_without_the_agreement_of_its_score_with_people() -> None:
    known, unknown = page([row()], **FULL).text, page([row()]).text
    assert "expertqa 0.694 0.660 to 0.730 0.640 1200" in known
    assert "against “Partial” 0.600 7" in known
    assert "one class – – 9" in known
    assert "agreement with people: AUROC 0.694" in known
    assert "agreement with people unknown" in unknown
    assert "Agreement with people is not known for this version of the grounding score" in unknown


def test_kinds_turns_times_tokens_and_blind_spots_are_told() -> None:
    text = page([row()], **FULL).text
    assert "factoid number 2 of 3 0.500 1.000 3" in text
    assert "unans detail – – – 1" in text
    assert "Turn 1 n 3 Turn 2 n 1 Turn 10 n 1" in text
    assert "Right answers 0.750 0.500 – –" in text
    assert "total 166 ms 12.3 s 4" in text
    assert "prompt 123,456" in text
    assert "Hardly seen, or seen less than is wanted: role swap (scifact 0.580)." in text
    assert "refuse all scifact Answerable questions refused 0.080 1.000 ✓ yes" in text


def test_the_change_over_turns_is_the_last_less_the_first() -> None:
    text = page([row()], by_turn={"2": {"right": 0.5}, "1": {"right": 0.75}}, by_type={"x": {"n": 1}}).text
    assert "Right answers 0.750 0.500 −0.250" in text


def test_an_unfinished_run_and_failed_questions_are_said_at_the_top() -> None:
    failed = Row(gold=gold(), fault=Fault(type="EndpointError", message="Answered 503.", remedy="Try later."))
    text = page([failed], manifest=manifest(finished=False, questions={"file": "x.jsonl", "n": 60})).text
    assert "This run is not finished: 1 of 60 questions were asked." in text
    assert "1 of 1 questions got no answer because of an error" in text
    assert "failed, EndpointError: Answered 503." in text
    assert "Try later." in text


def test_an_empty_run_is_a_page_too() -> None:
    text = page([]).text
    assert "No answer with anything wrong" in text
    assert "0.000" not in text  # a figure of no question is no zero


def test_the_answers_of_another_system_need_no_citations_and_no_confidence() -> None:
    own = Row(gold=gold(), answer={"answer": "No idea.", "outcome": "answered"}, sentences=(sentence(context=0.1),))
    text = page([own], manifest=manifest(system="imported", answerer="other")).text
    assert "other (imported) on questions_dev.jsonl" in text
    assert "1 of 1 sentence unsupported" in text
    assert "verbatim" not in text.split("with something wrong")[1]


def test_settings_and_hashes_close_the_page() -> None:
    text = page([row()]).text
    assert "grounding score version 2, threshold 0.75" in text
    assert text.endswith("hash of the models abc123 passages 5 openai.model none")


# --- sentences, by support ----------------------------------------------------------------------


def test_each_sentence_is_marked_by_its_support_in_word_and_score_not_by_colour_alone() -> None:
    bad = row(
        None,
        sentence("Sound.", THRESHOLD),
        sentence("Invented.", 0.7499, note="its words are not covered"),
        sentence("Miscited.", 0.9, cited=0.2),
        SentenceMeasure(text="These are they.", worthy=False),
    )
    found = page([bad])
    assert "✓ 0.750 Sound. [1]" in found.text
    assert "✗ 0.750 Invented. [1] Its words are not covered." in found.text
    assert "≈ 0.900 Miscited. [1] The cited passages alone: 0.200." in found.text
    assert "not checked These are they." in found.text
    kinds = ("supported", "astray", "unsupported", "unchecked")
    assert [found.having("li", kind) for kind in kinds] == [2, 2, 2, 2]  # each once, and once in the legend


def test_the_retrieved_papers_tell_where_the_wanted_one_came() -> None:
    found = (
        Retrieved(paper_id="p2", title="Another", score=0.9, text="Text of another."),
        Retrieved(paper_id="p1", title="a paper!", score=0.8, text="Left out text.", left_out="over the budget"),
    )
    bad = row(gold(), sentence("Nothing.")).model_copy(update={"retrieved": found})
    text = page([bad]).text
    assert "2 papers, wanted at place 2" in text
    assert "a paper! 0.800 · wanted · left out: over the budget" in text
    assert "Text of another." in text
    assert "Left out text." not in text


def test_of_many_retrieved_papers_the_first_ten_are_listed_and_the_rest_counted() -> None:
    found = tuple(Retrieved(paper_id=f"p{i}", title=f"Paper {i:02}", score=0.5) for i in range(12))
    text = page(
        [row(gold(gold_titles=("Paper 11",)), sentence("Nothing.")).model_copy(update={"retrieved": found})]
    ).text
    assert "12 papers, wanted at place 12" in text
    assert "Paper 09 0.500 and 2 more" in text
    assert "Paper 10" not in text


def test_what_was_asked_before_and_what_was_wanted_is_told() -> None:
    asked = gold(history=(Turn("user", "Which paper?"), Turn("assistant", "This one.")), must_include=("8.7|8,7", "x"))
    text = page([row(asked, sentence("Nothing."))]).text
    assert "Asked before: Which paper? Answered before: This one." in text
    assert "8.7 points. with “8.7” or “8,7”, “x” from A Paper" in text
    assert "lacks “8.7” or “8,7”, “x”" in text


# --- which answers are the worst, and why -------------------------------------------------------


def told(own: Row) -> list[str]:
    return [complaint.text for complaint in complaints(own, THRESHOLD)]


def test_a_right_and_grounded_answer_and_a_due_refusal_give_no_cause_to_complain() -> None:
    assert told(row()) == []
    assert told(refusal(gold(answerable=False, must_include=()))) == []


@pytest.mark.parametrize(
    ("own", "wrong"),
    [
        (refusal(gold()), ["refused, though a paper answers it"]),
        (row(gold(answerable=False, gold_titles=())), ["answered, though no paper answers it"]),
        (row(None, sentence("Nothing.")), ["lacks “8.7”"]),
        (row(gold(must_not_include=("points",))), ["says what a right answer must not"]),
        (row(None, sentence(context=0.2)), ["1 of 1 sentence unsupported"]),
        (row(None, sentence(markers=(), cited=None, alone=(), without=())), ["1 of 1 sentence uncited"]),
        (row(None, sentence(cited=0.2, alone=(0.2,))), ["1 of 1 sentence not supported by what it cites"]),
        (row(gold(gold_titles=("Other",))), ["cites a paper that is not wanted"]),
        (row().model_copy(update={"abstracts": {"p1": "It loses."}}), ["a quote is not verbatim"]),
        (Row(gold=gold()), ["failed, no answer was recorded"]),
    ],
)
def test_each_mistake_is_named_by_itself(own: Row, wrong: list[str]) -> None:
    assert told(own) == wrong


def test_failures_come_first_then_wrong_answers_then_the_least_supported() -> None:
    half = row(gold("half"), sentence(), sentence("More.", 0.2))
    none = row(gold("none"), sentence(context=0.5))
    lower = row(gold("lower"), sentence(context=0.4))
    wrong = row(gold("wrong"), sentence("Nothing."))
    failed = Row(gold=gold("failed"))
    order = [own.gold.qid for own, _ in worst([row(), half, none, lower, wrong, failed], THRESHOLD)]
    assert order == ["failed", "wrong", "lower", "none", "half"]


def test_equally_bad_answers_keep_the_order_of_the_run() -> None:
    same = [refusal(gold(f"q{i}")) for i in range(9)]
    assert [own for own, _ in worst(same, THRESHOLD)] == same


@pytest.mark.parametrize(
    ("n", "heading", "shown"),
    [
        (1, "The one answer with something wrong", 1),
        (20, "The 20 answers with something wrong", 20),
        (21, "The 20 worst of 21 answers with something wrong", 20),
    ],
)
def test_at_most_twenty_bad_answers_are_shown_and_all_are_counted(n: int, heading: str, shown: int) -> None:
    found = page([refusal(gold(f"q{i}")) for i in range(n)])
    assert heading in found.text
    assert sum(tag == "article" for tag, _ in found.elements) == shown


# --- the page of a comparison -------------------------------------------------------------------


def difference(**changes: Any) -> dict[str, Any]:
    base = {"delta": 0.1, "low": 0.05, "high": 0.2, "p": 0.01, "p_holm": 0.02, "higher_is_better": True}
    return {**base, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "better"),
        ({"higher_is_better": False}, "worse"),
        ({"delta": -0.1, "low": -0.2, "high": -0.05}, "worse"),
        ({"delta": -0.1, "low": -0.2, "high": -0.05, "higher_is_better": False}, "better"),
        ({"p_holm": 0.05}, "no clear difference"),
        ({"p_holm": None}, "better"),
        ({"low": 0.0}, "no clear difference"),
        ({"low": None, "high": None}, "no clear difference"),
        ({"p": None, "p_holm": None}, "no clear difference"),
    ],
)
def test_a_difference_is_clear_only_where_interval_and_corrected_p_both_say_so(
    changes: dict[str, Any], said: str
) -> None:
    assert verdict(difference(**changes)) == said


def test_questions_that_changed_sides_are_listed_with_both_answers() -> None:
    a = [row(gold("same")), row(gold("won"), sentence("A knew nothing.")), row(gold("lost")), row(gold("only in a"))]
    b = [row(gold("lost"), sentence("B knew nothing.")), row(gold("won")), row(gold("same"))]
    html = compare_report(differences(a, b), manifest(), manifest(answerer="local", seed=3), a, b)
    text = Page(html).text
    gained, lost = text.split("Right in A only: 1")
    assert "Right in B only: 1" in gained
    assert "What does won gain? A answered lacks “8.7” A knew nothing. B answered It gains 8.7 points." in gained
    assert "What does lost gain?" in lost
    assert "B knew nothing." in lost
    assert "What does same gain?" not in text
    assert "only in a" not in text


def test_what_differs_in_the_making_is_told_and_only_that() -> None:
    rows = [row()]
    other = manifest(answerer="local", hashes={"models": "def456"}, configuration={"passages": 5})
    made = Page(compare_report(differences(rows, rows), manifest(), other, rows, rows)).text.split("in the making")[-1]
    assert "answerer quotes local" in made
    assert "hash of the models abc123 def456" in made
    assert "openai.model none" in made
    assert "passages" not in made
    same = Page(compare_report(differences(rows, rows), manifest(), manifest(), rows, rows)).text
    assert "Nothing: version, settings, prompts, models, library and questions are the same." in same


def test_the_same_run_twice_shows_no_clear_difference() -> None:
    rows = [row(gold(f"q{i}")) for i in range(4)]
    found = Page(compare_report(differences(rows, rows), manifest(), manifest(), rows, rows))
    assert "metrics shows a clear difference" in found.text
    assert "▲" not in found.text
    assert "▼" not in found.text
    assert not found.open


def test_a_clear_difference_is_said_at_the_top() -> None:
    a = [row(gold(f"q{i}"), sentence("Nothing.", 0.1)) for i in range(30)]
    b = [row(gold(f"q{i}")) for i in range(30)]
    text = Page(compare_report(differences(a, b), manifest(), manifest(), a, b)).text
    assert "Right answers: +1.000, better" in text.split("Questions that changed sides")[0]
    assert "0.000 1.000" in text
    assert "< 0.001" in text


# --- hostile text -------------------------------------------------------------------------------


def hostile_rows(text: str) -> list[Row]:
    asked = gold(text, question=text, type=text, gold_answer=text, gold_titles=(text,), history=(Turn("user", text),))
    bad = row(asked, sentence(text, 0.1, note=text), answer=text, outcome="answered")
    found = (Retrieved(paper_id=text, title=text, score=0.1, text=text, left_out=None),)
    failed = Row(gold=gold("f", question=text), fault=Fault(type=text, message=text, remedy=text))
    return [bad.model_copy(update={"retrieved": found}), failed]


def hostile_page(text: str) -> str:
    rows = hostile_rows(text)
    changes = {**FULL, "by_type": {text: {"n": 1}}, "latency_ms": {text: {"p50": 1, "p95": 2, "n": 1}}}
    changes |= {"tokens": {text: 1}, "agreement": [{**FULL["agreement"][0], "name": text}]}  # type: ignore[index]
    own = manifest(answerer=text, questions={"file": text, "n": 2}, configuration={text: text}, created=text)
    return run_report(summary(rows, **changes, manifest=own), rows)


def test_hostile_text_shows_as_it_is_and_brings_nothing_to_life() -> None:
    found = Page(hostile_page(HOSTILE))
    assert not {"script", "img"} & {tag for tag, _ in found.elements}
    assert not any(name.startswith("on") for _, attrs in found.elements for name in attrs)
    assert found.text.count(HOSTILE) >= 15
    rows = hostile_rows(HOSTILE)
    other = Page(compare_report(differences(rows, rows), manifest(answerer=HOSTILE), manifest(), rows, rows))
    assert not {"script", "img"} & {tag for tag, _ in other.elements}


def test_controls_and_turned_round_text_show_as_replacement_characters() -> None:
    html = hostile_page("a\x00b\x1b[31mc\u202ed\u2066e\x85f")
    assert not re.search("[\x00\x1b\u202e\u2066\x85]", html)
    assert "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31mc" in html


def test_a_lone_surrogate_in_a_setting_does_not_break_the_file(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", run_report(summary([], manifest=manifest(answerer="\ud800")), []))
    assert "\N{REPLACEMENT CHARACTER} on questions_dev.jsonl" in (tmp_path / "report.html").read_text(encoding="utf-8")


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=60))
def test_any_question_and_sentence_can_be_read_back_from_the_page(text: str) -> None:
    own = row(gold(question=text), sentence(text, 0.1))
    found = page([own])
    wanted = " ".join(text.split())
    assert not found.open
    assert f"1. {wanted}".strip() in found.text
    assert f"✗ 0.100 {wanted}".strip() in found.text


# --- plots and numbers --------------------------------------------------------------------------


def test_plots_are_named_for_screen_readers_and_take_their_colours_and_letters_from_the_page() -> None:
    for svg in (reliability([[0.4, 0.5, 2], [0.9, 1.0, 2]]), risk_coverage([[0.5, 0.0], [1.0, 0.25]])):
        assert 'role="img"' in svg
        assert "<title" in svg
        assert "<desc" in svg
        assert not re.search(r"#[0-9a-f]{6}\b|font-family|<style|width=\"\d+pt", svg)
        assert ">100 %</text>" in svg
    assert "confidence 0.90: 100 % of 2 right" in reliability([[0.9, 1.0, 2]])
    assert "At full coverage 25 % are wrong; at most 5 % are wrong up to a coverage of 50 %." in risk_coverage(
        [[0.5, 0.0], [1.0, 0.25]]
    )


def test_a_risk_curve_runs_through_its_points() -> None:
    svg = risk_coverage([[0.25, 0.1], [0.75, 0.15], [1.0, 0.2]])
    line = re.findall(r'd="M ([^"]*)"[^>]*stroke: var\(--accent\)', svg)[-1]
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", line)]
    at = {told: (float(x), float(y)) for x, y, told in re.findall(r'x="([\d.]+)" y="([\d.]+)"[^>]*>(\d+ %)<', svg)}
    width = (at["100 %"][0] - at["25 %"][0]) / 0.75
    height = at["10 %"][1] - at["20 %"][1]  # the upward axis ends at 40 %, its labels are 10 % apart
    assert [x - drawn[-1][0] for x, _ in drawn] == pytest.approx([-0.75 * width, -0.25 * width, 0], abs=0.01)
    assert [y - drawn[-1][1] for _, y in drawn] == pytest.approx([height, height / 2, 0], abs=0.01)


def test_a_plot_is_the_same_each_time_whatever_was_drawn_before() -> None:
    first = risk_coverage([[1.0, 0.25]])
    reliability([[0.9, 1.0, 2]])
    assert risk_coverage([[1.0, 0.25]]) == first


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_drawing_keeps_the_order_of_values_and_stays_within_its_width(a: float, b: float) -> None:
    low, high = sorted((a, b))
    places = [float(across(value, -1, 1).removesuffix("%")) for value in (low, high)]
    assert 0 <= places[0] <= places[1] <= 100


def test_numbers_are_written_one_way() -> None:
    assert [number(0.12345), number(None)] == ["0.123", "–"]
    assert [signed(value) for value in (0.1, -0.1, 0.0, -0.0004, None)] == ["+0.100", "−0.100", "0.000", "0.000", "–"]
    assert [p_value(value) for value in (0.0004, 0.5, None)] == ["< 0.001", "0.500", "–"]
    assert [milliseconds(value) for value in (1.25, 99.6, 1234, 10_000, None)] == [
        "1.2 ms",
        "100 ms",
        "1,234 ms",
        "10.0 s",
        "–",
    ]
    assert [span([0.3, None, 0.1]), span([0.2]), span([None])] == ["0.100 to 0.300", "0.200", "–"]
    assert moment("2026-02-03T09:41:12Z") == "3 February 2026, 09:41 UTC"
    assert moment("yesterday") == "yesterday"


# --- the file -----------------------------------------------------------------------------------


def test_a_report_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "run" / "report.html"
    path.parent.mkdir()
    path.write_text("old", encoding="utf-8")
    write_report(path, "<p>new ✓</p>")
    assert path.read_text(encoding="utf-8") == "<p>new ✓</p>"
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(SettingsError, match="Cannot write"):
        write_report(tmp_path / "report.html", "x")
    assert not list(tmp_path.glob(".report*"))


@pytest.mark.browser
def test_no_screen_scrolls_either_page_sideways_and_nothing_is_fetched(tmp_path: Path, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    rows = hostile_rows("unbroken" * 60)
    (tmp_path / "run.html").write_text(hostile_page("unbroken" * 60), encoding="utf-8")
    compared = compare_report(
        differences(rows, rows[:1]), manifest(answerer="x" * 300), manifest(), [refusal(rows[0].gold)], rows
    )
    (tmp_path / "compare.html").write_text(compared, encoding="utf-8")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        requests: list[str] = []
        complaints: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        for name in ("run.html", "compare.html"):
            tab.goto((tmp_path / name).as_uri())
            for width in (390, 768, 1280):
                tab.set_viewport_size({"width": width, "height": 800})
                assert tab.evaluate("document.documentElement.scrollWidth") == width, name
        browser.close()
    assert [Path(url).name for url in requests] == ["run.html", "compare.html"]
    assert complaints == []
