"""`paperchat bench retrieval`: figures by hand and by a second implementation, documents that are one paper, errors."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from conftest import child_environment
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode
from run_folders import PAPERS, small_library
from typer.testing import CliRunner, Result

from eval.bench_library.filling import filled
from eval.bench_library.starter import best_nodes
from eval.bench_retrieval import systems as systems_module
from eval.bench_retrieval.asking import Asked, Query, asked
from eval.bench_retrieval.figures import judged, measured, summarised
from eval.bench_retrieval.report import markdown
from eval.bench_retrieval.systems import System, file_name, parts, variants
from eval.formats.beir import read_collection
from eval.formats.trec import Qrels, read_qrels, read_run
from rag.answer.retrieve import SHIPPED, Switches
from rag.cli import app
from rag.papers import Filters

CORPUS = [
    {"_id": "cats", "title": "Cats", "text": "Cats sleep for sixteen hours a day."},
    {"_id": "cats again", "title": "Cats", "text": "Cats sleep for sixteen hours a day."},
    {"_id": "wild", "title": "Cats", "text": "The lynx hunts hares at night, and nobody has counted its litters."},
    {"_id": "whales", "title": "Whales", "text": "Whales sing in the deep sea, sperm whales click."},
    {"_id": "dogs", "title": "", "text": "Dogs bark at the moon and sleep when it rains."},
    {"_id": "birds", "title": "", "text": "Starlings murmur in winter evenings above the marsh."},
    {"_id": "blank", "title": "", "text": ""},
]
QUERIES = {
    "sleep": "How long do cats sleep?",
    "sing": "whales sing in the sea",
    "hares": "Which lynx hunts hares?",
    "nobody judged": "moon",
    "lost": "the empty one",
}
QRELS = [
    ("sleep", "cats", 2),
    ("sleep", "dogs", 1),
    ("sing", "whales", 1),
    ("hares", "wild", 3),
    ("hares", "cats", 0),
    ("lost", "blank", 1),
    ("nobody judged", "cats", 0),
]


def beir(folder: Path, qrels: Sequence[tuple[str, str, int]] = QRELS, name: str = "test") -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in CORPUS), encoding="utf-8")
    lines = (json.dumps({"_id": key, "text": text}) + "\n" for key, text in QUERIES.items())
    (folder / "queries.jsonl").write_text("".join(lines), encoding="utf-8")
    rows = "".join(f"{query}\t{doc}\t{grade}\n" for query, doc, grade in qrels)
    (folder / "qrels" / f"{name}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}", encoding="utf-8")
    return folder


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> HashEmbedder:
    """No model: words that are equal have equal vectors."""
    made = HashEmbedder()
    monkeypatch.setattr("eval.bench_retrieval.run.load_embedder", lambda settings: made)
    return made


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bench", "retrieval", *map(str, arguments)], catch_exceptions=False)


def as_json(done: Result) -> Any:
    (line,) = done.stdout.splitlines()
    return json.loads(line)


# --- figures -----------------------------------------------------------------------------------


def by_definition(grades: Mapping[str, int], ranking: Sequence[str]) -> dict[str, float]:
    """The definitions with the grade itself as the gain, spelled out without a library."""
    relevant = {doc for doc, grade in grades.items() if grade > 0}
    gain = sum(max(0, grades.get(doc, 0)) / math.log2(rank + 1) for rank, doc in enumerate(ranking[:10], 1))
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:10]
    first = next((rank for rank, doc in enumerate(ranking[:10], 1) if doc in relevant), None)
    return {
        "ndcg@10": gain / sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1)),
        "recall@10": len(relevant & set(ranking[:10])) / len(relevant),
        "recall@100": len(relevant & set(ranking[:100])) / len(relevant),
        "mrr@10": 1 / first if first else 0.0,
    }


def test_figures_worked_by_hand() -> None:
    # grades c 0, b 2, a 3 at ranks 1, 2, 3: 2/log2(3) + 3/2 over 3 + 2/log2(3)
    found = measured({"q": {"a": 3, "b": 2, "c": 0}}, {"q": [("c", 0.9), ("b", 0.5), ("a", 0.5)]})
    assert found["ndcg@10"]["q"] == pytest.approx((2 / math.log2(3) + 1.5) / (3 + 2 / math.log2(3)))
    assert (found["mrr@10"]["q"], found["recall@10"]["q"]) == (0.5, 1.0)


documents = st.integers(0, 130).map(str)
rankings = st.lists(documents, unique=True, max_size=120)
gradings = st.dictionaries(documents, st.integers(-1, 4), min_size=1, max_size=14)


@given(
    queries=st.dictionaries(st.sampled_from("abcd"), st.tuples(gradings, rankings), min_size=1),
    scores=st.sampled_from(["falling", "all the same"]),
)
def test_figures_agree_with_the_definitions(queries: dict[str, Any], scores: str) -> None:
    qrels: Qrels = {query: grades for query, (grades, _) in queries.items()}
    relevant = judged(qrels)
    assert set(relevant) == {query for query, grades in qrels.items() if max(grades.values()) > 0}
    found = measured(
        relevant,
        {
            query: [(doc, -float(rank) if scores == "falling" else 1.0) for rank, doc in enumerate(ranking)]
            for query, (_, ranking) in queries.items()
        },
    )
    for query in relevant:
        expected = by_definition(qrels[query], queries[query][1])
        assert {name: values[query] for name, values in found.items()} == pytest.approx(expected, abs=1e-9)


def took(n: int) -> Asked:
    return Asked(seconds=[0.01] * n)


def test_differences_are_paired_by_query() -> None:
    rng = np.random.default_rng(7)
    plain = dict(enumerate(rng.uniform(0, 0.8, 60).tolist()))
    gains = dict(enumerate(rng.choice([0.0, 0.2, -0.05], 60).tolist()))
    better = {query: value + gains[query] for query, value in plain.items()}
    values = {"min-max": {"ndcg@10": plain}, "default": {"ndcg@10": better}}
    found = summarised(values, {name: took(60) for name in values}, "ndcg@10")  # type: ignore[arg-type]
    against = found["default"]["minus_min_max"]
    assert against["delta"] == pytest.approx(np.mean(list(gains.values())), abs=1e-6)
    assert (against["better"], against["worse"]) == (
        sum(gain > 0 for gain in gains.values()), sum(gain < 0 for gain in gains.values()),
    )  # fmt: skip
    drawn = np.random.default_rng(1).choice(list(gains.values()), (20_000, 60)).mean(axis=1)
    assert [against["low"], against["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.004)
    own = found["default"]["ndcg@10_interval"]
    assert own[1] - own[0] > 2 * (against["high"] - against["low"]), "unpaired, it would be as wide"
    assert found["min-max"]["minus_default"]["delta"] == pytest.approx(-against["delta"], abs=1e-6)
    assert "minus_default" not in found["default"]
    assert "minus_min_max" not in found["min-max"]
    assert found["default"]["p50_ms"] == found["default"]["p95_ms"] == 10.0


def test_what_never_varies_has_no_interval() -> None:
    values = {name: {"hit@1": {"a": 1.0, "b": 1.0}} for name in ("min-max", "default")}
    found = summarised(values, {name: took(2) for name in values}, "hit@1")
    assert found["default"]["hit@1_interval"] is None
    assert found["default"]["minus_min_max"] == {"delta": 0.0, "low": None, "high": None, "better": 0, "worse": 0}


# --- systems -----------------------------------------------------------------------------------


def test_every_switch_is_tried_and_nothing_else_changes_with_it() -> None:
    found = variants()
    switches = {one.name for one in fields(Switches) if isinstance(getattr(SHIPPED, one.name), bool)}
    assert set(parts()) == switches - {"dense", "words"}
    assert found["default"] == SHIPPED
    assert found["default - rerank"] == replace(SHIPPED, rerank=False)
    for name in parts():
        of = found[f"default {'-' if getattr(SHIPPED, name) else '+'} {name}"]
        assert [one.name for one in fields(Switches) if getattr(of, one.name) != getattr(SHIPPED, one.name)] == [name]
        assert not any(getattr(found[arm], name) for arm in ("bm25", "dense", "rrf", "min-max"))
    assert {name: (found[name].dense, found[name].words, found[name].fusion) for name in ("bm25", "dense", "rrf")} == {
        "bm25": (False, True, "min-max"), "dense": (True, False, "min-max"), "rrf": (True, True, "rrf"),
    }  # fmt: skip
    assert len({file_name(name) for name in found}) == len(found)
    assert not any(" " in file_name(name) for name in found)


def test_switches_of_later_are_found_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class More:
        dense: bool = True
        words: bool = True
        fusion: Literal["min-max", "rrf"] = "min-max"
        rerank: bool = True
        spelling: bool = True
        trial: bool = False
        weight: float = 0.5

    monkeypatch.setattr(systems_module, "Switches", More)
    monkeypatch.setattr(systems_module, "SHIPPED", More())
    found: dict[str, Any] = dict(variants())
    assert list(found)[5:] == ["default - rerank", "default - spelling", "default + trial"]
    assert found["default - spelling"] == More(spelling=False)
    assert found["default + trial"] == More(trial=True)
    assert found["min-max"] == More(rerank=False, spelling=False)


def test_systems_take_turns_and_one_that_has_two_names_is_asked_once() -> None:
    log: list[tuple[str, str]] = []

    def system(name: str) -> System:
        return System(
            lambda text, filters: log.append((name, text)) or f"{name} on {text}",  # type: ignore[func-returns-value]
            lambda found: [(found, 1.0)],
        )

    one, other = system("one"), system("other")
    queries = {f"q{n}": Query(f"text {n}", Filters()) for n in range(8)}
    told: list[tuple[int, int]] = []
    found = asked({"a": one, "b": other, "a too": one}, queries, lambda done, total: told.append((done, total)))
    counted = log[-16:]
    assert [text for _, text in counted] == [f"text {n // 2}" for n in range(16)]
    assert [name for name, _ in counted[:4]] == ["one", "other", "other", "one"]
    assert len(log) == 16 + 2 * 5, "and five to warm up"
    assert found["a"] is found["a too"]
    assert found["b"].rankings == {key: [(f"other on {query.text}", 1.0)] for key, query in queries.items()}
    assert len(found["b"].seconds) == 8
    assert told[-1] == (8, 8)


def test_the_starters_documents_come_by_their_best_nodes() -> None:
    def node(doc_id: str, score: float) -> NodeWithScore:
        whose = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=doc_id)}
        return NodeWithScore(node=TextNode(text="", relationships=whose), score=score)

    assert best_nodes([node("a", 0.5), node("b", 0.4), node("a", 0.2)]) == {"a": 0.5, "b": 0.4}


# --- collections -------------------------------------------------------------------------------


def test_documents_that_are_one_paper_are_found_together_and_a_blank_one_never(tmp_path: Path) -> None:
    documents, embedder = read_collection(beir(tmp_path / "zoo")).documents, HashEmbedder()
    made = filled(tmp_path / "library", documents, "a hash", embedder)
    assert made.papers.keys() == documents.keys() - {"blank"}
    together = [whose for whose in made.documents().values() if len(whose) > 1]
    assert together == [["cats", "cats again"]]
    assert made.library.count() == len(documents) - 2
    made.library.close()

    before = embedder.encoded_texts
    again = filled(tmp_path / "library", documents, "a hash", embedder)
    assert again.papers == made.papers
    assert embedder.encoded_texts == before, "what is there is not embedded again"
    again.library.close()


def test_the_command_measures_a_collection(tmp_path: Path, embedder: HashEmbedder) -> None:
    folder, out = beir(tmp_path / "zoo"), tmp_path / "deep" / "out"
    done = bench("--collection", folder, "--json", "--out", out)
    assert done.exit_code == 0, done.stderr
    found = as_json(done)
    assert found == json.loads((out / "retrieval.json").read_text(encoding="utf-8"))
    assert (found["embedder"], found["reranker"], found["questions"]) == ("hash-1", "linear", [])
    (zoo,) = found["collections"]
    expected = {
        "name": "zoo", "qrels": "test", "n_docs": 7, "n_papers": 5, "merged": 1, "refused": 0, "blank": 1,
        "n_queries": 4, "without_relevant": 1,
    }  # fmt: skip
    assert {key: zoo[key] for key in expected} == expected
    assert zoo["index_bytes"] > 0
    assert zoo["peak_bytes"] > 2**20
    assert list(zoo["systems"]) == list(variants())
    qrels = judged(read_qrels(folder / "qrels" / "test.tsv"))
    for system, figures in zoo["systems"].items():
        ranked = read_run(out / f"zoo.{file_name(system)}.run")
        by_query = [by_definition(qrels[query], list(ranked.get(query, {}))) for query in qrels]
        for measure in ("ndcg@10", "recall@10", "recall@100", "mrr@10"):
            assert figures[measure] == pytest.approx(np.mean([one[measure] for one in by_query]), abs=1e-6)
        assert 0 <= figures["p50_ms"] <= figures["p95_ms"]
        assert all("blank" not in ranking for ranking in ranked.values())
        places = list(ranked["sleep"])
        assert places.index("cats again") == places.index("cats") + 1, system
    # by words: cats, their twins, the lynx under the same title, dogs; whales and the lynx first; the blank one never
    two_and_one = (2 + 1 / math.log2(5)) / (2 + 1 / math.log2(3))
    words = zoo["systems"]["bm25"]
    assert words["ndcg@10"] == pytest.approx((two_and_one + 1 + 1 + 0) / 4, abs=1e-6)
    assert (words["recall@10"], words["recall@100"], words["mrr@10"]) == (0.75, 0.75, 0.75)
    assert set(zoo["systems"]["bm25"]["minus_default"]) == {"delta", "low", "high", "better", "worse"}


def test_tables_name_every_system_and_what_became_of_the_documents(tmp_path: Path, embedder: HashEmbedder) -> None:
    done = bench("--collection", beir(tmp_path / "zoo"), "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert done.stdout == (tmp_path / "out" / "retrieval.md").read_text(encoding="utf-8")
    assert "7 documents, 1 merged with others, 1 blank; 4 queries of `test`" in done.stdout
    assert all(f"\n| {system} | " in done.stdout for system in variants())
    widths = {line.count("|") for line in done.stdout.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_libraries_are_kept_by_what_made_them(
    tmp_path: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, keep = beir(tmp_path / "zoo"), tmp_path / "keep"

    def figures() -> Any:
        (zoo,) = as_json(bench("--collection", folder, "--json", "--keep", keep))["collections"]
        return {name: of["ndcg@10"] for name, of in zoo["systems"].items()}, zoo["merged"]

    first, texts = figures(), embedder.encoded_texts
    assert figures() == first
    assert embedder.encoded_texts < 2 * texts, "the second run embeds queries only"
    assert len(list(keep.iterdir())) == 1
    other = HashEmbedder("hash-2")
    monkeypatch.setattr("eval.bench_retrieval.run.load_embedder", lambda settings: other)
    figures()
    assert len(list(keep.iterdir())) == 2
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "more", "title": "", "text": "One document more."}\n')
    figures()
    assert len(list(keep.iterdir())) == 3


def test_what_is_asked_for_and_not_there_is_told(tmp_path: Path, embedder: HashEmbedder) -> None:
    folder = beir(tmp_path / "zoo")
    beir(folder, [("sleep", "cats", 0)], "nothing")
    done = bench("--collection", folder, "--qrels", "train", "--json")
    assert done.exit_code == 1
    assert as_json(done)["error"]["remedy"] == "Choose one of: nothing, test."
    assert "no judgements 'train'" in done.stderr
    done = bench("--collection", folder, "--qrels", "nothing")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "call no document relevant" in done.stderr
    done = bench("--collection", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert str(tmp_path / "nowhere") in done.stderr
    (folder / "queries.jsonl").unlink()
    assert "queries.jsonl" in bench("--collection", folder).stderr
    assert bench("--json").exit_code == 2
    (tmp_path / "file").touch()
    assert bench("--collection", folder, "--out", tmp_path / "file").exit_code == 2


def test_a_bad_collection_does_not_stop_the_others(tmp_path: Path, embedder: HashEmbedder) -> None:
    good = beir(tmp_path / "a" / "zoo")
    twin = beir(tmp_path / "b" / "zoo")
    done = bench("--collection", good, tmp_path / "nowhere", twin, "--json", "--out", tmp_path / "out")
    assert done.exit_code == 3
    first, bad, last = as_json(done)["collections"]
    assert (first["name"], last["name"]) == ("zoo", "zoo-2")
    assert (bad["name"], bad["error"]["type"]) == ("nowhere", "SourceError")
    assert done.stderr.count("nowhere") == 1
    assert (tmp_path / "out" / "zoo-2.default.run").is_file()
    assert "Not measured: Cannot read" in (tmp_path / "out" / "retrieval.md").read_text(encoding="utf-8")
    done = bench("--collection", tmp_path / "nowhere", "--collection", tmp_path / "neither")
    assert done.exit_code == 1


def test_the_starter_is_missed_before_anything_is_embedded(
    tmp_path: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llama_index.embeddings.huggingface", None)
    done = bench("--collection", beir(tmp_path / "zoo"), "--starter")
    assert done.exit_code == 5
    assert "pip install llama-index-embeddings-huggingface" in done.stderr
    assert embedder.encoded_texts == 0


# --- question sets -----------------------------------------------------------------------------


def questions(path: Path) -> Path:
    tilde, whales, sparse = (one.title for one in PAPERS)
    history = [{"role": "user", "content": "What is Tilde?"}, {"role": "assistant", "content": f"“{tilde}” [1]"}]
    rows = [
        {"qid": "q1", "question": "How many clicks do sperm whales encode?", "gold_titles": [whales]},
        {"qid": "q2", "question": "Does it run without a GPU?", "history": history, "gold_titles": [tilde.upper()]},
        {
            "qid": "q3",
            "question": "Which papers are about whales or sparse attention?",
            "gold_titles": [sparse, whales],
        },
        {"qid": "q4", "question": "sparse attention", "gold_titles": [tilde, *(f"no paper {n}" for n in range(5))]},
        {"qid": "q5", "question": "Who won?", "gold_titles": [], "answerable": False},
    ]
    rest = {"answerable": True, "type": "t", "must_include": [], "history": []}
    path.write_text("".join(json.dumps(rest | one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_questions_are_asked_of_the_library_with_their_history(
    tmp_path: Path, home: Path, embedder: HashEmbedder
) -> None:
    small_library(home)
    done = bench("--questions", questions(tmp_path / "mine.jsonl"), "--json", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    (found,) = as_json(done)["questions"]
    assert (found["name"], found["n"], found["n_all_gold"], found["n_papers"]) == ("mine", 4, 3, 3)
    assert list(found["systems"]) == list(variants())
    default, plain = found["systems"]["default"], found["systems"]["min-max"]
    # of q4 no gold paper is first, and six cannot all be among five; without the history q2 names nothing
    assert (plain["hit@1"], plain["all_gold@5"]) == (0.75, 1.0)
    assert default["minus_min_max"]["delta"] == default["hit@1"] - 0.75
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["retrieval.json", "retrieval.md"]
    assert "4 questions to 3 papers; all gold@5 of 3." in (tmp_path / "out" / "retrieval.md").read_text("utf-8")


def test_questions_without_a_library_do_not_stop_a_collection(tmp_path: Path, embedder: HashEmbedder) -> None:
    folder, asked = beir(tmp_path / "zoo"), questions(tmp_path / "mine.jsonl")
    done = bench("--collection", folder, "--questions", asked, "--json")
    assert done.exit_code == 3
    assert as_json(done)["questions"][0]["error"]["type"] == "LibraryEmptyError"
    assert bench("--questions", asked).exit_code == 4
    asked.write_text(asked.read_text().splitlines()[-1] + "\n")
    assert "names a gold paper" in bench("--questions", asked).stderr


def test_the_page_shows_what_has_no_figure() -> None:
    figures = {"hit@1": 1.0, "all_gold@5": None, "p50_ms": 1.0, "p95_ms": 2.0, "hit@1_interval": None}
    found = {"name": "x", "n": 1, "n_all_gold": 0, "n_papers": 9, "systems": {"default": figures}}
    assert "| default | 1.0000 | – |  |  | – | 1.0 | 2.0 |" in markdown({"collections": [], "questions": [found]})


def test_help_waits_for_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['paperchat', 'bench', 'retrieval', '--help']\n"
        "from rag.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'scipy', 'numpy', 'ir_measures', 'eval'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=child_environment(), cwd=tmp_path, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--collection" in done.stdout
