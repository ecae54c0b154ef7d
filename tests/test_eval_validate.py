"""Agreement of the grounding score with people: labelled files, AUROC, balanced accuracy and their intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from library_helpers import HashEmbedder
from scipy.stats import mannwhitneyu

from eval.formats.labelled import LabelledItem, read_labelled
from eval.metrics.auroc import auroc, auroc_interval, balanced_accuracy, balanced_accuracy_interval, scored
from eval.trust.validate import agreement, grounders, remembering_grounders, report, validate_metric
from rag.answer.grounding import GROUNDING_VERSION, SUPPORTED, Support
from rag.errors import SourceError
from rag.terms import terms

SHARED = Path(__file__).parents[2] / "shared" / "grounding"
ROW = {"id": "1", "context": "Cats sleep.", "question": "q", "claim_or_answer": "Cats rest.", "label": 1, "raw": "S"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


# --- files ---------------------------------------------------------------------------------------


def test_a_row_is_read_with_what_it_carries(tmp_path: Path) -> None:
    path = write(tmp_path / "f.jsonl", ROW | {"source": "set", "votes": [1, 0]}, {**ROW, "id": "2", "label": 0})
    first, second = read_labelled(path)
    assert first == LabelledItem("1", "Cats sleep.", "Cats rest.", 1, "q", "S", "set")
    assert (second.label, second.group) == (0, "")


def test_question_and_raw_label_may_be_missing_or_null(tmp_path: Path) -> None:
    bare = {key: ROW[key] for key in ("id", "context", "claim_or_answer", "label")}
    items = read_labelled(write(tmp_path / "f.jsonl", bare, bare | {"id": "2", "question": None, "raw": None}))
    assert [(one.question, one.raw, one.cluster) for one in items] == [("", None, "item 1"), ("", None, "item 2")]


def test_items_of_one_question_are_one_cluster_however_it_is_written() -> None:
    one, two = (LabelledItem(i, "c", "t", 1, question) for i, question in (("1", "Why? "), ("2", "why?")))
    assert one.cluster == two.cluster


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**ROW, "label": 2}, "label must be 1 (supported) or 0, not 2"),
        ({**ROW, "label": True}, "label must be 1"),
        ({**ROW, "label": "1"}, "label must be 1"),
        ({key: value for key, value in ROW.items() if key != "label"}, "label is missing"),
        ({**ROW, "context": None}, "context must be text"),
        ({key: value for key, value in ROW.items() if key != "claim_or_answer"}, "claim_or_answer is missing"),
        ({**ROW, "claim_or_answer": "  "}, "must not be empty"),
        ({**ROW, "id": 7}, "id must be text"),
        ({**ROW, "raw": 1}, "raw must be text"),
        ([1], "no JSON object"),
    ],
)
def test_a_malformed_row_is_named_by_file_line_and_reason(tmp_path: Path, row: object, reason: str) -> None:
    path = write(tmp_path / "labels.jsonl", {**ROW, "id": "another"}, row)
    with pytest.raises(SourceError) as caught:
        read_labelled(path)
    assert str(path) in caught.value.message
    assert "line 2" in caught.value.message
    assert reason in caught.value.message


def test_an_id_twice_no_row_and_no_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2: the id '1' is already in line 1"):
        read_labelled(write(tmp_path / "twice.jsonl", ROW, ROW))
    with pytest.raises(SourceError, match="holds no labelled item"):
        read_labelled(write(tmp_path / "empty.jsonl"))
    with pytest.raises(SourceError, match="Cannot read"):
        read_labelled(tmp_path / "absent.jsonl")


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    row = ROW | {"context": "one\u2028two\u0085three"}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row, ensure_ascii=False).encode() + b"\r\n\r\n")
    assert read_labelled(path)[0].context == "one\u2028two\u0085three"


@pytest.mark.parametrize("name", ["attrbench", "begin_wow", "expertqa", "healthver", "scifact"])
def test_the_shared_files_are_read_whole(name: str) -> None:
    path = SHARED / f"{name}.jsonl"
    assert path.is_file(), f"{path} is absent: this test needs the shared folder beside the checkout"
    assert len(read_labelled(path)) == path.read_bytes().count(b"\n")


# --- AUROC and balanced accuracy ----------------------------------------------------------------------

SCORES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=25)


def both(found: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    assume(len({positive for _, positive in found}) == 2)
    return [score for score, _ in found], [positive for _, positive in found]


@given(SCORES)
def test_auroc_is_the_share_of_pairs_in_order_and_mann_whitney_s_u(found: list[tuple[float, bool]]) -> None:
    scores, positive = both(found)
    high = [s for s, p in zip(scores, positive, strict=True) if p]
    low = [s for s, p in zip(scores, positive, strict=True) if not p]
    brute = sum((a > b) + 0.5 * (a == b) for a in high for b in low) / (len(high) * len(low))
    value = auroc(scored(scores, positive, range(len(scores))))
    assert value == pytest.approx(brute)
    assert value == pytest.approx(mannwhitneyu(high, low).statistic / (len(high) * len(low)))


@given(SCORES)
def test_turning_the_classes_round_turns_auroc_round(found: list[tuple[float, bool]]) -> None:
    scores, positive = both(found)
    value = auroc(scored(scores, positive, range(len(scores))))
    turned = auroc(scored(scores, [not p for p in positive], range(len(scores))))
    assert value is not None
    assert turned == pytest.approx(1 - value)


def test_balanced_accuracy_by_hand() -> None:
    # At .5: two of three positives pass, three of four negatives do not.
    items = scored([0.9, 0.5, 0.1, 0.6, 0.2, 0.3, 0.4], [True] * 3 + [False] * 4, range(7))
    assert balanced_accuracy(items, 0.5) == pytest.approx((2 / 3 + 3 / 4) / 2)


@pytest.mark.parametrize("label", [True, False])
def test_one_class_alone_has_no_figure(label: bool) -> None:
    items = scored([0.1, 0.9], [label] * 2, range(2))
    assert auroc(items) is None
    assert balanced_accuracy(items, 0.5) is None
    assert auroc_interval(items) == balanced_accuracy_interval(items, 0.5) == (None, None)


def test_intervals_are_those_of_a_bootstrap_written_out() -> None:
    draw = np.random.default_rng(3)
    positive = draw.random(120) < 0.5
    scores = np.round(draw.random(120) + 0.3 * positive, 1)
    clusters = draw.integers(0, 40, size=120)
    items = scored(list(scores), list(positive), list(clusters))
    members = [np.flatnonzero(clusters == cluster) for cluster in np.unique(clusters)]
    ranked, right = [], []
    for _ in range(2000):
        kept = np.concatenate([members[i] for i in draw.integers(0, len(members), size=len(members))])
        high, low = scores[kept][positive[kept]], scores[kept][~positive[kept]]
        ranked.append(mannwhitneyu(high, low).statistic / (len(high) * len(low)))
        right.append(((high >= 0.6).mean() + (low < 0.6).mean()) / 2)
    assert auroc_interval(items) == pytest.approx(tuple(np.percentile(ranked, [2.5, 97.5])), abs=0.01)
    assert balanced_accuracy_interval(items, 0.6) == pytest.approx(tuple(np.percentile(right, [2.5, 97.5])), abs=0.01)


def test_items_that_are_alike_make_the_interval_wider() -> None:
    draw = np.random.default_rng(0)
    scores = [float(s) for s in draw.random(40)] * 5
    positive = [bool(p) for p in draw.random(40) < 0.5] * 5
    narrow = auroc_interval(scored(scores, positive, range(200)), 1000)
    wide = auroc_interval(scored(scores, positive, [i % 40 for i in range(200)]), 1000)
    assert wide[0] is not None
    assert narrow[0] is not None
    assert wide[0] < narrow[0] - 0.03


def test_the_same_seed_gives_the_same_interval() -> None:
    items = scored([0.1, 0.4, 0.35, 0.8, 0.7], [False, False, True, True, False], range(5))
    assert auroc_interval(items, 300, 1) == auroc_interval(items, 300, 1)


# --- the figures of a file --------------------------------------------------------------------------------


class Words:
    """A score without a model: the share of a text's words that the documents have; counts what it is made from."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(texts)

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        wanted, known = set(terms(text)), {term for document in documents for term in terms(document)}
        score = len(wanted & known) / len(wanted) if wanted else 1.0
        return Support(score, score >= SUPPORTED, None)


def items(*rows: tuple[int, str | None]) -> list[LabelledItem]:
    return [
        LabelledItem(str(n), f"context {n}", f"claim {n}", label, f"q{n}", raw) for n, (label, raw) in enumerate(rows)
    ]


def test_figures_stand_apart_by_raw_label() -> None:
    labelled = items((1, "Supports"), (1, "Supports"), (0, "Refutes"), (0, "Neutral"), (0, "Neutral"))
    found = agreement("f", labelled, [0.9, 0.8, 0.95, 0.1, 0.2], [1.0, 2.0, 3.0, 4.0, 100.0], 0.75, resamples=200)
    assert (found["name"], found["n"], found["supported"], found["questions"]) == ("f", 5, 2, 5)
    assert found["auroc"] == pytest.approx(4 / 6, abs=1e-4)
    assert found["bacc"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)
    assert (found["by_raw"]["Refutes"]["auroc"], found["by_raw"]["Refutes"]["n"]) == (0.0, 1)
    assert (found["by_raw"]["Neutral"]["auroc"], found["by_raw"]["Neutral"]["n"]) == (1.0, 2)
    assert (found["p50_ms"], found["threshold"]) == (3.0, 0.75)
    assert found["p95_ms"] > 50
    json.dumps(found, allow_nan=False)


def test_a_file_of_one_class_says_so_and_breaks_nothing() -> None:
    found = agreement("f", items((1, "S"), (1, "S")), [0.9, 0.8], [1.0, 1.0], resamples=50)
    assert [found[key] for key in ("auroc", "auroc_ci", "bacc", "bacc_ci")] == [None] * 4
    assert found["by_raw"] == {}


def test_every_item_is_scored_against_its_own_context_with_the_file_s_own_word_weights(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mini.jsonl",
        {"id": "1", "context": "Cats sleep.", "claim_or_answer": "Cats sleep.", "label": 1},
        {"id": "2", "context": "Cats sleep.", "claim_or_answer": "Dogs bark.", "label": 0},
        {"id": "3", "context": "Dogs bark.", "claim_or_answer": "Cats purr.", "label": 0},
    )
    made: list[Words] = []
    told: list[tuple[int, int]] = []

    def words(texts: Iterable[str]) -> Words:
        made.append(Words(texts))
        return made[-1]

    found = validate_metric([path, path], words, resamples=100, advance=lambda *at: told.append(at))
    assert [one.texts for one in made] == [["Cats sleep.", "Dogs bark."]] * 2
    assert [(one["name"], one["n"], one["auroc"], one["bacc"]) for one in found] == [("mini", 3, 1.0, 1.0)] * 2
    assert told == [(n, 6) for n in range(1, 7)]


def test_a_bad_second_file_is_told_before_anything_is_scored(tmp_path: Path) -> None:
    def never(texts: Iterable[str]) -> Words:
        raise AssertionError("scored")

    good, bad = write(tmp_path / "good.jsonl", ROW), write(tmp_path / "bad.jsonl", {"id": "1"})
    with pytest.raises(SourceError, match=r"bad\.jsonl"):
        validate_metric([good, bad], never)


def test_the_report_names_the_score_that_was_measured() -> None:
    assert report([{"name": "f"}]) == {
        "schema": 1,
        "grounding": {"version": GROUNDING_VERSION, "threshold": SUPPORTED},
        "files": [{"name": "f"}],
    }


# --- the product's own score ---------------------------------------------------------------------------------


def test_remembering_changes_no_score() -> None:
    some = read_labelled(SHARED / "begin_wow.jsonl")[:20]
    contexts = [one.context for one in some]
    plain, remembering = grounders(HashEmbedder())(contexts), remembering_grounders(HashEmbedder())(contexts)
    for one in some:
        ours, theirs = (g.text_support(one.claim, [one.context]) for g in (plain, remembering))
        assert ours == theirs


def test_the_score_agrees_with_people_on_dialogue_and_is_above_chance_on_science(tmp_path: Path) -> None:
    """Samples of 30 items: floors well below what the whole files give, so that a broken score is seen."""
    from rag.models.embedder import load_embedder
    from rag.settings import Settings

    paths = []
    for name in ("begin_wow", "scifact"):
        lines = (SHARED / f"{name}.jsonl").read_text(encoding="utf-8").strip("\n").split("\n")
        rows = [json.loads(line) for line in lines]
        draw = Random(5)
        kept = [
            *draw.sample([r for r in rows if r["label"]], 15),
            *draw.sample([r for r in rows if not r["label"]], 15),
        ]
        paths.append(write(tmp_path / f"{name}.jsonl", *kept))
    dialogue, science = validate_metric(paths, grounders(load_embedder(Settings(_env_file=None))), resamples=200)
    assert dialogue["auroc"] > 0.8
    assert science["auroc"] > 0.5
    assert dialogue["by_raw"].keys() == {"Not fully attributable"}
