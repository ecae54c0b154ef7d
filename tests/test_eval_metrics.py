"""Each metric of an answer, on rows worked by hand; what does not apply is not eligible, never 0."""

from __future__ import annotations

import itertools
import re
import string
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_rows import ABSTRACT, NO, PAPER, YES, citation, failed, gold, row, sentence

from eval.metrics.answers import ANSWER_METRICS, right_citations
from eval.metrics.correctness import is_correct, is_right, squad_tokens, token_f1
from eval.metrics.figures import Part
from eval.questions import includes_all, text_includes
from eval.rows import Row, SentenceMeasure
from rag.answer.answer import Answer, Citation
from rag.papers import Filters, Paper

METRICS = {metric.name: metric for metric in ANSWER_METRICS}
CANNOT = gold(answerable=False, gold_titles=(), must_include=(), gold_answer="")


def part(name: str, of: Row) -> Part | None:
    return METRICS[name].part(of)


def share(name: str, *rows: Row) -> float:
    """The ratio of sums over rows."""
    parts = [found for each in rows if (found := part(name, each))]
    return sum(p.total for p in parts) / sum(p.count for p in parts)


def uncited(**fields: Any) -> Row:
    """An answer of a system that does not cite."""
    answer = {"answer": "They are 99% smaller.", "outcome": "answered"}
    return Row(
        gold=gold(), answer=answer, sentences=(sentence(markers=(), cited=None, alone=(), without=()),), **fields
    )


# --- the registry -------------------------------------------------------------------------------


def test_names_and_titles_are_unique() -> None:
    assert len(METRICS) == len(ANSWER_METRICS) == len({metric.title for metric in ANSWER_METRICS})


ROWS = [
    row(),
    row("", ""),
    row("The papers do not answer that.", "refused"),
    row("No.", "refused", asked=CANNOT),
    row(asked=CANNOT, outcome="partial"),
    failed(),
    failed(CANNOT),
    uncited(),
    row(
        sentences=(sentence(), sentence(NO)), citations=[citation()], contexts=("Indexes are smaller.",), similarity=0.4
    ),
]


@pytest.mark.parametrize("metric", ANSWER_METRICS, ids=lambda metric: metric.name)
def test_every_part_is_within_bounds_and_yes_no_metrics_are_yes_or_no(metric: Any) -> None:
    for each in ROWS:
        found = metric.part(each)
        if found is not None:
            assert found.count >= 0
            assert found.total >= 0
            assert found.total <= found.count or metric.name == "citations_per_sentence"
            if metric.binary:
                assert (found.total, found.count) in {(0, 1), (1, 1)}


def test_a_failed_answerable_question_is_wrong_and_nothing_else_is_said_of_it() -> None:
    said = {name: found for name in METRICS if (found := part(name, failed())) is not None}
    assert said == {
        "right": Part(0),
        "must_include": Part(0),
        "token_f1": Part(0),
        "refusal_f1": Part(0, 0),
        "failed": Part(1),
    }


def test_a_failed_unanswerable_question_is_a_refusal_that_is_missing() -> None:
    said = {name: found for name in METRICS if (found := part(name, failed(CANNOT))) is not None}
    assert said == {"refusal_recall": Part(0), "refusal_f1": Part(0, 1), "failed": Part(1)}


def test_of_a_refusal_neither_faithfulness_nor_citations_nor_style_are_measured() -> None:
    refused = row("No.", "refused", sentences=(sentence(),), citations=[], contexts=("No.",))
    groups = {metric.group for metric in ANSWER_METRICS if metric.part(refused) is not None}
    assert groups == {"Correctness", "Refusal", "Run"}


# --- faithfulness -------------------------------------------------------------------------------


def test_faithfulness_counts_sentences_over_the_threshold_and_leaves_unworthy_ones_out() -> None:
    answer = row(sentences=(sentence(YES), sentence(NO), sentence(1.0), sentence(0.0, worthy=False)))
    assert part("faithfulness", answer) == Part(2, 3)
    assert part("faithfulness_soft", answer) == Part(pytest.approx(YES + NO + 1.0), 3)
    assert part("faithfulness_strict", answer) == Part(0)


def test_an_answer_is_strictly_faithful_when_each_worthy_sentence_is_supported() -> None:
    assert part("faithfulness_strict", row(sentences=(sentence(), sentence(0.0, worthy=False)))) == Part(1)


def test_an_answer_that_claims_nothing_is_not_eligible_for_faithfulness() -> None:
    answer = row(sentences=(sentence(worthy=False),))
    for name in ("faithfulness", "faithfulness_soft", "faithfulness_strict", "citation_recall"):
        assert part(name, answer) is None


def test_faithfulness_is_over_sentences_and_not_a_mean_over_answers() -> None:
    one, three = row(sentences=(sentence(),)), row(sentences=(sentence(NO),) * 3)
    assert share("faithfulness", one, three) == 0.25


# --- citations ----------------------------------------------------------------------------------


def test_a_sentence_without_citation_counts_against_recall() -> None:
    bare = sentence(markers=(), cited=None, alone=(), without=())
    assert part("citation_recall", row(sentences=(sentence(), bare, sentence(cited=NO)))) == Part(1, 3)


@pytest.mark.parametrize(
    ("cited", "alone", "without", "right"),
    [
        pytest.param(YES, (YES,), (0.0,), [True], id="supports alone"),
        pytest.param(NO, (NO,), (0.0,), [False], id="does not support"),
        pytest.param(YES, (NO, NO), (NO, NO), [True, True], id="only together"),
        pytest.param(YES, (YES, NO), (NO, YES), [True, False], id="the second adds nothing"),
        pytest.param(YES, (YES, YES), (YES, YES), [True, True], id="each would do"),
        pytest.param(YES, (NO, NO, NO), (NO, NO, YES), [True, True, False], id="two of three"),
        pytest.param(NO, (NO, NO), (NO, NO), [False, False], id="not even together"),
    ],
)
def test_citation_precision_is_that_of_alce(
    cited: float, alone: tuple[float, ...], without: tuple[float, ...], right: list[bool]
) -> None:
    markers = tuple(range(1, len(alone) + 1))
    measured = sentence(markers=markers, cited=cited, alone=alone, without=without)
    assert right_citations(measured) == right
    answer = row(sentences=(measured,), citations=[citation(n) for n in markers])
    assert part("citation_precision", answer) == Part(sum(right), len(right))


def alce_score(citations: int, supports: Any) -> tuple[int, list[bool]]:
    """ALCE's own words: recall 1 if all citations together support; a citation is irrelevant if it
    does not support alone and the others support without it; precise if recall is 1 and it is relevant."""
    everything = frozenset(range(citations))
    recall = int(supports(everything))
    irrelevant = [not supports(frozenset({i})) and supports(everything - {i}) for i in everything]
    return recall, [bool(recall) and not each for each in irrelevant]


@given(st.integers(1, 3), st.sets(st.frozensets(st.integers(0, 2), min_size=1)))
def test_recall_and_precision_agree_with_alce_for_all_evidence_of_which_more_is_never_worse(
    citations: int, enough: set[frozenset[int]]
) -> None:
    def supports(chosen: frozenset[int]) -> bool:
        return any(needed <= chosen for needed in enough)

    everything = frozenset(range(citations))
    grade = {True: YES, False: NO}
    measured = sentence(
        markers=tuple(i + 1 for i in range(citations)),
        cited=grade[supports(everything)],
        alone=tuple(grade[supports(frozenset({i}))] for i in range(citations)),
        without=tuple(grade[supports(everything - {i})] for i in range(citations)),
    )
    recall, right = alce_score(citations, supports)
    assert part("citation_recall", row(sentences=(measured,))) == Part(recall, 1)
    assert right_citations(measured) == right


def test_a_marker_that_points_nowhere_is_wrong_wherever_it_stands() -> None:
    known = [citation(1)]
    stray = sentence(markers=(1, 7), alone=(YES, 0.0), without=(0.0, YES))
    assert part("citation_precision", row(sentences=(stray,), citations=known)) == Part(1, 2)
    idle = sentence(markers=(1, 7), worthy=False, cited=None, alone=(), without=())
    assert part("citation_precision", row(sentences=(sentence(), idle), citations=known)) == Part(1, 2)


def test_an_answer_without_any_citation_has_recall_but_no_precision() -> None:
    bare = row(sentences=(sentence(markers=(), cited=None, alone=(), without=()),))
    assert part("citation_recall", bare) == Part(0, 1)
    for name in ("citation_precision", "citation_accuracy_precision", "gold_only", "quote_fidelity"):
        assert part(name, bare) is None
    assert part("citation_accuracy_recall", bare) == Part(0, 1)


def test_a_system_that_does_not_cite_is_not_eligible_for_citation_metrics() -> None:
    assert part("faithfulness", uncited()) == Part(1, 1)
    names = [metric.name for metric in ANSWER_METRICS if metric.group == "Citations"]
    assert [part(name, uncited()) for name in [*names, "citations_per_sentence"]] == [None] * (len(names) + 1)


def test_cited_papers_are_held_against_the_gold_titles_each_paper_once() -> None:
    asked = gold(gold_titles=("TILDEV2 — fast passage re-ranking", "Another: Paper"))
    quotes = [citation(1), citation(1), citation(2, "A Stranger")]
    answer = row(asked=asked, citations=quotes)
    assert part("citation_accuracy_precision", answer) == Part(1, 2)
    assert part("citation_accuracy_recall", answer) == Part(1, 2)
    assert part("gold_only", answer) == Part(0)
    assert part("gold_only", row(asked=asked, citations=quotes[:2])) == Part(1)


def test_without_gold_titles_citation_accuracy_is_not_eligible() -> None:
    answer = row(asked=gold(gold_titles=()), citations=[citation()])
    assert part("citation_accuracy_precision", answer) is part("citation_accuracy_recall", answer) is None


@pytest.mark.parametrize(
    ("changes", "verbatim"),
    [
        ({}, 1),
        ({"start": 19}, 0),
        ({"quote": "Indexes are 98\\% smaller."}, 0),
        ({"start": -5}, 0),
        ({"start": None}, 0),
        ({"end": "45"}, 0),
        ({"paper_id": "another"}, 0),
    ],
)
def test_a_quote_must_stand_in_its_abstract_at_its_offsets(changes: dict[str, object], verbatim: int) -> None:
    quote = citation() | changes
    answer = row(citations=[citation(), quote], abstracts={"tildev2:": ABSTRACT})
    assert part("quote_fidelity", answer) == Part(1 + verbatim, 2)
    assert METRICS["quote_fidelity"].exact


def test_a_negative_offset_that_python_would_take_is_no_offset() -> None:
    quote = citation() | {"start": 20 - len(ABSTRACT), "end": len(ABSTRACT)}
    assert ABSTRACT[quote["start"] : quote["end"]] == quote["quote"]
    assert part("quote_fidelity", row(citations=[quote], abstracts={"tildev2:": ABSTRACT})) == Part(0, 1)


def test_a_citation_of_a_paper_without_abstract_quotes_nothing() -> None:
    assert part("quote_fidelity", row(citations=[citation(quote="", start=0)], abstracts={"tildev2:": ""})) is None


# --- correctness --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome", "right"),
    [
        ("They are 99\\% smaller.", "answered", True),
        ("They are 99 percent smaller.", "answered", False),
        ("They are 99% smaller.", "partial", True),
        ("They are 99% smaller.", "corrected", True),
        ("They are 99% smaller.", "refused", False),
        ("They are 99% smaller, or 98%.", "answered", False),
    ],
)
def test_right_is_answered_with_all_it_must_and_nothing_it_must_not_hold(text: str, outcome: str, right: bool) -> None:
    asked = gold(must_not_include=("98%",))
    assert part("right", row(text, outcome, asked=asked)) == Part(float(right))
    assert is_right(row(text, outcome, asked=asked)) is right


def test_what_must_not_be_said_is_counted_apart() -> None:
    asked = gold(must_not_include=("98%", "97%"))
    assert part("must_not_include", row("99%, not 98%.", asked=asked)) == Part(1)
    assert part("must_include", row("99%, not 98%.", asked=asked)) == Part(1)
    assert part("must_not_include", row("99%.", asked=asked)) == Part(0)
    assert part("must_not_include", row("99%.")) is None


def test_a_cited_title_counts_as_said() -> None:
    asked = gold(must_include=("tildev2",))
    assert part("must_include", row("That one [1].", asked=asked, citations=[citation()])) == Part(1)
    assert part("must_include", row("That one [1].", asked=asked)) == Part(0)


def test_a_question_that_names_no_string_is_not_eligible() -> None:
    assert is_right(row(asked=gold(must_include=()))) is None
    assert is_correct(row(asked=gold(must_include=()))) is None


@pytest.mark.parametrize(
    ("outcome", "correct"), [("refused", True), ("partial", True), ("corrected", True), ("answered", False)]
)
def test_an_unanswerable_question_is_rightly_refused_hedged_or_corrected(outcome: str, correct: bool) -> None:
    assert is_correct(row("No.", outcome, asked=CANNOT)) is correct
    assert is_correct(failed(CANNOT)) is False


@given(
    st.text(alphabet="90%\\ xtims", max_size=12), st.lists(st.sampled_from(["99%", "9x", "0 times", "9|0"]), max_size=2)
)
def test_a_row_is_right_exactly_when_its_answer_includes_all(text: str, wanted: list[str]) -> None:
    paper = Paper("tildev2", PAPER, ABSTRACT)
    answer = Answer("q", "q", Filters(), text, "answered", "", "quotes", citations=(Citation(1, paper, "", 0, 0, 1.0),))
    measured = Row(gold=gold(must_include=tuple(wanted) or ("9",)), answer=answer.as_dict())
    assert is_right(measured) is includes_all(answer, wanted or ["9"])
    assert text_includes(f"{text} {PAPER}", wanted or ["9"]) is is_right(measured)


def squad_script(answer: str, reference: str) -> float:
    """`f1_score` of SQuAD's evaluation script, written down again."""

    def tokens(text: str) -> list[str]:
        text = "".join(char for char in text.lower() if char not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    said, wanted = tokens(answer), tokens(reference)
    same = sum((Counter(said) & Counter(wanted)).values())
    if not said or not wanted:
        return float(said == wanted)
    if same == 0:
        return 0.0
    precision, recall = same / len(said), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


@given(*[st.text(alphabet="aA n.the-%9 \n", max_size=20)] * 2)
def test_token_f1_is_that_of_the_squad_script_on_ascii(answer: str, reference: str) -> None:
    assert token_f1(answer, reference) == pytest.approx(squad_script(answer, reference))
    assert token_f1(answer, reference) == pytest.approx(token_f1(reference, answer))


def test_token_f1_worked_by_hand() -> None:
    # said: they are 99 smaller; wanted: 99 smaller; two of four, two of two.
    assert part("token_f1", row("“They are the 99% smaller” [1].")) == Part(pytest.approx(2 / 3))
    assert squad_tokens("The “TILDEv2”, a 99.5% — cut") == ["tildev2", "995", "cut"]


def test_a_refusal_has_no_token_of_the_reference_whatever_it_says() -> None:
    assert part("token_f1", row("99% smaller.", "refused")) == Part(0.0)


def test_similarity_is_of_answers_that_were_measured() -> None:
    assert part("similarity", row(similarity=0.8)) == Part(0.8)
    assert part("similarity", row()) is None
    assert part("similarity", row("No.", "refused", similarity=0.8)) is None
    assert part("similarity", row(asked=gold(gold_answer=""), similarity=0.8)) is None


# --- refusal ------------------------------------------------------------------------------------


def test_refusal_figures_worked_by_hand() -> None:
    # Refused: 3 of which 2 were due. Due: 4. F1 = 2 * 2 / (2 * 2 + 1 + 2).
    rows = [
        row("No.", "refused", asked=CANNOT),
        row("No.", "refused", asked=CANNOT),
        row("Yes.", "answered", asked=CANNOT),
        row("Half.", "partial", asked=CANNOT),
        row("No.", "refused"),
        row(),
        row("Half.", "corrected"),
    ]
    figures = {name: share(name, *rows) for name in METRICS if METRICS[name].group == "Refusal"}
    assert figures == pytest.approx(
        {
            "refusal_precision": 2 / 3,
            "refusal_recall": 2 / 4,
            "refusal_f1": 4 / 7,
            "over_refusal": 1 / 3,
            "hedged": 1 / 3,
            "wrong_on_unanswerable": 1 / 4,
        }
    )


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_refusal_f1_is_the_harmonic_mean_of_precision_and_recall(cases: list[tuple[bool, bool]]) -> None:
    rows = [row("No.", "refused" if no else "answered", asked=gold() if can else CANNOT) for can, no in cases]
    if any(no and not can for can, no in cases):
        precision, recall = share("refusal_precision", *rows), share("refusal_recall", *rows)
        assert share("refusal_f1", *rows) == pytest.approx(2 * precision * recall / (precision + recall))
    else:
        assert sum(part("refusal_f1", each).total for each in rows) == 0  # type: ignore[union-attr]


# --- style: the degenerate bots -----------------------------------------------------------------

CONTEXTS = ("Indexes are 99% smaller than those of TILDE.", "Decoding with speculative sampling is faster.")


def test_an_answer_that_copies_its_context_repeats_all_of_it() -> None:
    assert part("context_copied", row(" ".join(CONTEXTS), contexts=CONTEXTS)) == Part(1.0)
    assert part("context_copied", row("Cats sleep [1].", contexts=CONTEXTS)) == Part(0.0)
    assert part("context_copied", row("Anything.")) is None


def test_a_repeated_word_of_the_context_counts_as_often_as_it_is_said() -> None:
    assert part("context_copied", row("cats", contexts=("cats cats", "dogs cats"))) == Part(0.25)


def test_a_passage_that_was_left_out_is_no_context() -> None:
    answer = row("cats", contexts=("cats", "dogs"))
    kept, dropped = answer.retrieved
    changed = answer.model_copy(update={"retrieved": (kept, dropped.model_copy(update={"left_out": "budget"}))})
    assert part("context_copied", changed) == Part(1.0)


def test_an_answer_that_repeats_its_question_says_nothing_beyond_it() -> None:
    asked = gold()
    assert part("beyond_question", row(f"{asked.question} [1]", asked=asked)) == Part(0.0)
    assert part("beyond_question", row("Indexes: 99% [unsupported].", asked=asked)) == Part(0.5)
    assert part("beyond_question", row("The of [1].", asked=asked)) == Part(0.0)


def test_bots_are_told_apart_by_the_metric_meant_to_catch_them() -> None:
    """Cite everything and cite nothing, against an answer with the one right citation."""
    known = [citation(n) for n in (1, 2, 3, 4)]
    real = row(sentences=(sentence(),), citations=known)
    everything = sentence(markers=(1, 2, 3, 4), alone=(YES, NO, NO, NO), without=(NO, YES, YES, YES))
    assert share("citation_precision", row(sentences=(everything,), citations=known)) == 0.25
    assert share("citation_recall", row(sentences=(everything,), citations=known)) == 1.0
    assert share("citations_per_sentence", row(sentences=(everything,), citations=known)) == 4.0
    nothing = sentence(markers=(), cited=None, alone=(), without=())
    assert share("citation_recall", row(sentences=(nothing,))) == 0.0
    assert [share(name, real) for name in ("citation_precision", "citation_recall", "citations_per_sentence")] == [
        1
    ] * 3


def test_a_citation_more_never_raises_precision_above_that_of_the_right_ones_alone() -> None:
    scores = itertools.product((YES, NO), repeat=2)
    for first, second in scores:
        both = max(first, second)
        pair = SentenceMeasure(
            text="s", worthy=True, markers=(1, 2), cited=both, alone=(first, second), without=(second, first)
        )
        assert right_citations(pair) == [first >= YES, second >= YES]
