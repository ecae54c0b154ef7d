"""Question sets, BEIR folders, TREC files and ragas records are read strictly, and what is written is read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.formats.beir import read_collection, read_corpus, read_queries
from eval.formats.jsonl import read_jsonl, write_jsonl, write_lines
from eval.formats.trec import read_qrels, read_run, write_run
from eval.questions import BUNDLED, GoldQuestion, includes_all, question_set, read_questions, text_includes
from eval.rows import Fault, Retrieved, Row, SentenceMeasure
from eval.runs.ragas import ragas_records, read_ragas, rows_from_ragas
from rag.answer.answer import Answer
from rag.errors import SourceError
from rag.papers import Filters

OURS = {
    "qid": "q1",
    "question": "How much smaller?",
    "history": [],
    "answerable": True,
    "type": "factoid_number",
    "gold_titles": ["TILDEv2"],
    "must_include": ["99%"],
}
RAGAS = {"user_input": "How much smaller?", "response": "99%.", "retrieved_contexts": ["99% smaller."]}
same_folder = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def jsonl(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def beir(folder: Path, **changed: Sequence[Any]) -> Path:
    """A folder of two papers and two queries; the second query has no relevant document."""
    papers = [
        {"_id": "d1", "title": "TILDEv2", "text": "Indexes."},
        {"_id": "Geneva Durben", "title": "", "text": "Tapirs."},
    ]
    queries = [{"_id": "q1", "text": "Whose indexes?"}, {"_id": "q2", "text": "Who likes cats?"}]
    judged = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\tGeneva Durben\t1", "q2\td1\t0"]
    jsonl(folder / "corpus.jsonl", *changed.get("corpus", papers))
    jsonl(folder / "queries.jsonl", *changed.get("queries", queries))
    lines(folder / "qrels" / "test.tsv", *changed.get("qrels", judged))
    return folder


class TestJsonl:
    def test_only_a_line_feed_ends_a_line(self, tmp_path: Path) -> None:
        rows = [{"text": "a\u2028b\x85c\x0bd\re"}, {"text": "é"}]
        assert list(read_jsonl(jsonl(tmp_path / "a.jsonl", *rows))) == [(1, rows[0]), (2, rows[1])]

    def test_a_byte_order_mark_carriage_returns_blank_lines_and_a_missing_last_line_feed_are_borne(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "a.jsonl"
        file.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n{"a": 2}')
        assert list(read_jsonl(file)) == [(1, {"a": 1}), (4, {"a": 2})]

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (b"{'a': 1}", "no JSON: .* at character 2"),
            (b'{"a": 1} {"a": 2}', "no JSON: Extra data at character 10"),
            (b'{"a": 1', "no JSON"),
            (b"[1]", "no JSON object"),
            (b"null", "no JSON object"),
            (b'{"a": NaN}', "NaN is no JSON number"),
            (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
            (b'{"a": "\\uD800"}', "half of a surrogate pair"),
            (b'{"a": "caf\xe9"}', "not UTF-8 at byte 11"),
            (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
            (b'\xef\xbb\xbf{"a": 1}', "no JSON"),
        ],
    )
    def test_a_malformed_line_names_file_line_and_reason(self, tmp_path: Path, raw: bytes, reason: str) -> None:
        file = tmp_path / "a.jsonl"
        file.write_bytes(b'{"ok": "\\ud83d\\ude00"}\n' + raw + b"\n")
        with pytest.raises(SourceError, match=rf"a\.jsonl, line 2: {reason}") as caught:
            list(read_jsonl(file))
        assert caught.value.remedy == "Mend or remove the line."

    @pytest.mark.parametrize("name", ["absent.jsonl", ".", "nul\0.jsonl"])
    def test_a_file_that_cannot_be_opened_is_a_clear_error(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(SourceError, match=r"Cannot read .*\."):
            list(read_jsonl(tmp_path / name))

    @same_folder
    @given(rows=st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.none(), max_size=3)))
    def test_what_is_written_is_read_back(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        write_jsonl(tmp_path / "a.jsonl", rows)
        assert [row for _, row in read_jsonl(tmp_path / "a.jsonl")] == rows

    def test_a_failure_while_writing_leaves_the_old_file_and_no_other(self, tmp_path: Path) -> None:
        file = jsonl(tmp_path / "out" / "a.jsonl", {"old": 1})
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_jsonl(file, [{"new": 1}, {"new": float("nan")}])
        assert list(read_jsonl(file)) == [(1, {"old": 1})]
        assert list(file.parent.iterdir()) == [file]

    def test_a_folder_that_is_missing_is_a_clear_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"Cannot write .*a\.txt: No such file"):
            write_lines(tmp_path / "absent" / "a.txt", ["x"])


class TestOurQuestions:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"question": 7}, "question must be text"),
            ({"question": " "}, "question is blank"),
            ({"qid": ""}, "qid is blank"),
            ({"gold_titles": "TILDEv2"}, "gold_titles must be a list"),
            ({"gold_titles": ["--"]}, "gold_titles holds a blank title"),
            ({"gold_sentences": [" "]}, "gold_sentences holds a blank sentence"),
            ({"must_include": ["99%|"]}, "must_include holds a blank string, which every answer includes"),
            ({"must_not_include": [""]}, "must_not_include holds a blank string"),
            ({"answerable": "perhaps"}, "answerable must be true or false"),
            ({"history": [{"role": "system", "content": "x"}]}, "history.0.role must be 'user' or 'assistant'"),
            ({"history": ["hello"]}, "history.0 must be an object"),
            ({"history": [{"role": "user"}]}, "history.0.content is missing"),
            ({"answerable": None, "type": None, "gold_titles": None, "must_include": None}, "; and 1 more"),
        ],
    )
    def test_a_row_that_makes_no_sense_names_line_and_field(
        self, tmp_path: Path, changes: Mapping[str, object], reason: str
    ) -> None:
        file = jsonl(tmp_path / "q.jsonl", OURS, OURS | {"qid": "q2"} | changes)
        with pytest.raises(SourceError, match=rf"q\.jsonl, line 2: .*{reason}".replace("|]", r"\|]")):
            read_questions(file)

    def test_a_qid_that_occurs_twice_names_both_lines(self, tmp_path: Path) -> None:
        file = jsonl(tmp_path / "q.jsonl", OURS, OURS | {"qid": "q2"}, OURS)
        with pytest.raises(SourceError, match=r"q\.jsonl, line 3: the qid 'q1' is already in line 1"):
            read_questions(file)

    def test_an_empty_set_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="holds no questions"):
            read_questions(lines(tmp_path / "q.jsonl", "", " "))

    def test_optional_keys_may_be_missing_null_or_unknown(self, tmp_path: Path) -> None:
        row = {key: value for key, value in OURS.items() if key != "history"}
        (question,) = read_questions(jsonl(tmp_path / "q.jsonl", row | {"gold_answer": None, "note": "mine"}))
        assert question == GoldQuestion(
            "q1", "How much smaller?", (), True, "factoid_number", ("TILDEv2",), ("99%",), ()
        )

    def test_bundled_sets_have_names_and_a_path_is_a_path(self, tmp_path: Path) -> None:
        assert question_set("dev") == read_questions(BUNDLED["dev"])
        assert len(question_set("more")) == 180
        assert question_set(str(jsonl(tmp_path / "dev", OURS)))[0].qid == "q1"
        with pytest.raises(SourceError, match="Cannot read devv"):
            question_set("devv")

    @given(text=st.text(max_size=30), wanted=st.lists(st.text(min_size=1, max_size=5), max_size=3))
    def test_the_matching_rule_is_one_for_answers_and_for_texts(self, text: str, wanted: list[str]) -> None:
        answer = Answer("q", "q", Filters(), text, "answered", "", "quotes")
        assert text_includes(text, wanted) == includes_all(answer, wanted)

    def test_text_includes_a_group_when_any_alternative_stands_there(self) -> None:
        assert text_includes("It is 40x faster.", ["50 times|40 times", "FASTER"])
        assert not text_includes("It is 40x faster.", ["50 times", "faster"])


class TestBeir:
    def test_a_folder_gives_the_queries_that_have_relevant_documents(self, tmp_path: Path) -> None:
        (question,) = read_questions(beir(tmp_path))
        assert (question.qid, question.question, question.type) == ("q1", "Whose indexes?", "beir")
        assert question.gold_titles == ("TILDEv2", "Geneva Durben")  # the id where there is no title
        assert question.answerable
        assert question.must_include == ()

    def test_other_judgements_are_chosen_by_name(self, tmp_path: Path) -> None:
        lines(beir(tmp_path) / "qrels" / "train.tsv", "query-id\tcorpus-id\tscore", "q2\td1\t1")
        assert [question.qid for question in question_set(tmp_path, qrels="train")] == ["q2"]
        with pytest.raises(SourceError, match=r"no judgements 'dev' .* Choose one of: test, train\."):
            read_questions(tmp_path, qrels="dev")

    def test_one_file_of_a_folder_is_told_from_a_question_set(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="is one file of a BEIR folder"):
            read_questions(beir(tmp_path) / "queries.jsonl")

    @pytest.mark.parametrize(
        ("file", "rows", "reason"),
        [
            ("corpus", [{"_id": "d1", "text": "x"}, {"_id": 2, "text": "x"}], r"corpus\.jsonl, line 2: _id must be te"),
            ("corpus", [{"_id": "d1"}], r"corpus\.jsonl, line 1: text is missing"),
            ("corpus", [{"_id": "d1", "text": ""}] * 2, r"line 2: the document 'd1' is already in line 1"),
            ("corpus", [], r"corpus\.jsonl holds no document"),
            ("queries", [{"_id": "q1", "text": " "}], r"queries\.jsonl, line 1: text is blank"),
            ("queries", [{"_id": "q1", "text": "x"}], r"judges the query 'q2', which queries\.jsonl does not have"),
            ("qrels", ["q1\td7\t1"], r"calls the document 'd7' relevant, which corpus\.jsonl does not have"),
            ("qrels", ["q1\td7\t0"], r"call no document relevant"),
        ],
    )
    def test_a_wrong_folder_names_file_and_reason(
        self, tmp_path: Path, file: str, rows: list[Any], reason: str
    ) -> None:
        with pytest.raises(SourceError, match=reason):
            read_questions(beir(tmp_path, **{file: rows}))

    def test_a_folder_without_its_files_says_which_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"Cannot read .*corpus\.jsonl"):
            read_questions(tmp_path)

    def test_documents_and_queries_are_read_in_their_order(self, tmp_path: Path) -> None:
        collection = read_collection(beir(tmp_path))
        assert list(collection.documents) == list(read_corpus(tmp_path / "corpus.jsonl")) == ["d1", "Geneva Durben"]
        assert collection.queries == read_queries(tmp_path / "queries.jsonl")
        assert collection.qrels == {"q1": {"d1": 2, "Geneva Durben": 1}, "q2": {"d1": 0}}


class TestTrec:
    @pytest.mark.parametrize(
        "rows",
        [
            ["query-id\tcorpus-id\tscore", "q1\ta\t1", "q1\tb\t-1"],
            ["q1\ta\t1", "q1\tb\t-1"],
            ["q1 0 a 1", "q1  0\tb -1 "],
        ],
    )
    def test_qrels_are_read_in_both_forms(self, tmp_path: Path, rows: list[str]) -> None:
        assert read_qrels(lines(tmp_path / "qrels", *rows)) == {"q1": {"a": 1, "b": -1}}

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("q1\ta\t2", r"line 3: the judgement of 'q1' 'a' is already in line 2"),
            ("q1\tb", r"line 3: not three columns"),
            ("q1\t\t1", r"line 3: not three columns"),
            ("q1\tb\t1.5", r"line 3: the relevance '1.5' is no whole number"),
            ("q1\tb\t100", r"line 3: the relevance 100 is above 15"),
        ],
    )
    def test_a_malformed_judgement_names_line_and_reason(self, tmp_path: Path, row: str, reason: str) -> None:
        file = lines(tmp_path / "test.tsv", "query-id\tcorpus-id\tscore", "q1\ta\t1", row)
        with pytest.raises(SourceError, match=reason):
            read_qrels(file)

    @pytest.mark.parametrize("row", ["q1 0 a", "q1 0 a 1 x", "word"])
    def test_trec_judgements_have_four_columns(self, tmp_path: Path, row: str) -> None:
        with pytest.raises(SourceError, match=r"qrels, line 1: \d columns? where qrels have 4"):
            read_qrels(lines(tmp_path / "qrels", row))

    def test_a_file_without_judgements_or_rankings_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="holds no judgement"):
            read_qrels(lines(tmp_path / "qrels", "query-id\tcorpus-id\tscore"))
        with pytest.raises(SourceError, match="ranks no document"):
            read_run(lines(tmp_path / "run"))

    def test_a_run_is_read_and_the_ids_of_other_systems_as_they_stand(self, tmp_path: Path) -> None:
        file = lines(tmp_path / "run", "q1 Q0 a%20b 1 2.5 bm25", "q1\tQ0\tc\u00a0d\t2\t-1e-3\tbm25")
        assert read_run(file) == {"q1": {"a%20b": 2.5, "c\u00a0d": -0.001}}

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("q1 Q0 a 2 1.0 x", r"line 2: the ranking of 'q1' 'a' is already in line 1"),
            ("q1 Q0 b c 2 1.0 x", r"line 2: 7 columns where a run has 6"),
            ("q1 Q0 b 2 high x", r"line 2: the score 'high' is no number"),
            ("q1 Q0 b 2 nan x", r"line 2: the score nan is not finite"),
            ("q1 Q0 b two 1.0 x", r"line 2: the rank 'two' is no whole number"),
        ],
    )
    def test_a_malformed_ranking_names_line_and_reason(self, tmp_path: Path, row: str, reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            read_run(lines(tmp_path / "run", "q1 Q0 a 1 2.0 x", row))

    def test_a_run_file_has_six_columns_and_our_tag(self, tmp_path: Path) -> None:
        write_run(tmp_path / "run.trec", {"q 1": [("a", 0.5), ("50%", 0.25)]})
        written = (tmp_path / "run.trec").read_text(encoding="utf-8")
        assert written == "q%201 Q0 a 1 0.5 paperchat\nq%201 Q0 50%25 2 0.25 paperchat\n"

    def test_scores_that_do_not_fall_are_lowered_so_that_sorting_restores_the_ranks(self, tmp_path: Path) -> None:
        write_run(tmp_path / "run", {"q": [("a", 0.5), ("b", 0.5), ("c", 0.9), ("d", 0.1)]})
        scores = read_run(tmp_path / "run")["q"]
        assert sorted(scores, key=lambda key: -np.float32(scores[key])) == ["a", "b", "c", "d"]
        assert scores["c"] == pytest.approx(0.5, abs=1e-6)
        assert scores["d"] == pytest.approx(0.1)

    @pytest.mark.parametrize(("ranking", "reason"), [([("", 1.0)], "id is empty"), ([("a", float("nan"))], "finite")])
    def test_what_cannot_be_written_is_refused_and_no_file_is_left(
        self, tmp_path: Path, ranking: list[tuple[str, float]], reason: str
    ) -> None:
        folder = tmp_path / "out"
        folder.mkdir()
        with pytest.raises(ValueError, match=reason):
            write_run(folder / "run", {"q": ranking})
        assert list(folder.iterdir()) == []

    names = st.text(min_size=1, max_size=8)
    rankings = st.dictionaries(
        names,
        st.lists(st.tuples(names, st.floats(-1e6, 1e6)), min_size=1, max_size=12, unique_by=lambda ranked: ranked[0]),
        min_size=1,
        max_size=4,
    )

    @same_folder
    @given(written=rankings)
    def test_any_ids_come_back_in_their_order_under_single_precision(
        self, tmp_path: Path, written: dict[str, list[tuple[str, float]]]
    ) -> None:
        write_run(tmp_path / "run", written)
        run = read_run(tmp_path / "run")
        assert list(run) == list(written)
        for query, ranking in written.items():
            single = [np.float32(run[query][document]) for document, _ in ranking]
            assert all(above > below for above, below in pairwise(single))


def gold(**changes: Any) -> GoldQuestion:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in (OURS | changes).items()}
    return GoldQuestion(**fields, must_not_include=())


def measured(text: str, contexts: Sequence[str]) -> tuple[SentenceMeasure, ...]:
    """A stand-in for the grounding: 1 for a text that stands in a context."""
    return (SentenceMeasure(text=text, worthy=True, context=float(any(text in context for context in contexts))),)


class TestRagas:
    def test_records_are_questions_too(self, tmp_path: Path) -> None:
        rows = [
            {"user_input": "Who?", "reference": "TILDE.", "reference_contexts": ["TILDE did."], "rubrics": {}},
            {"user_input": "When?", "reference": None, "qid": "mine"},
        ]
        first, second = read_questions(jsonl(tmp_path / "r.jsonl", *rows))
        assert (first.qid, first.question, first.type, first.answerable) == ("ragas-1", "Who?", "ragas", True)
        assert (first.gold_answer, first.gold_sentences, first.gold_titles) == ("TILDE.", ("TILDE did.",), ())
        assert (second.qid, second.gold_answer) == ("mine", "")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"user_input": [{"type": "human", "content": "Who?"}]}, "user_input must be text"),
            ({"user_input": "\n"}, "question is blank"),
            ({"response": None}, "response must be text"),
            ({"retrieved_contexts": "text"}, "retrieved_contexts must be a list"),
            ({"retrieved_contexts": None}, "retrieved_contexts must be a list"),
            ({"qid": "q1"}, "the qid 'q1' is already in line 1"),
        ],
    )
    def test_a_malformed_record_names_line_and_reason(
        self, tmp_path: Path, changes: Mapping[str, object], reason: str
    ) -> None:
        file = jsonl(tmp_path / "r.jsonl", RAGAS | {"qid": "q1"}, RAGAS | changes)
        with pytest.raises(SourceError, match=rf"r\.jsonl, line 2: {reason}"):
            read_ragas(file)

    def test_a_record_needs_an_answer_and_its_contexts(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"response is missing; retrieved_contexts is missing"):
            read_ragas(jsonl(tmp_path / "r.jsonl", {"user_input": "Who?"}))
        with pytest.raises(SourceError, match="holds no records"):
            read_ragas(lines(tmp_path / "r.jsonl"))

    def test_another_systems_answers_become_rows_without_citations(self, tmp_path: Path) -> None:
        records = read_ragas(jsonl(tmp_path / "r.jsonl", RAGAS | {"reference": "99%"}, RAGAS | {"response": " "}))
        answered, silent = rows_from_ragas(records, measured)
        assert (answered.outcome, answered.text, answered.citations, answered.confidence) == (
            "answered",
            "99%.",
            None,
            None,
        )
        assert answered.gold.gold_answer == "99%"
        assert [(item.title, item.text) for item in answered.retrieved] == [("", "99% smaller.")]
        assert answered.sentences[0].context == 0.0
        assert silent.refused
        assert Row.model_validate_json(answered.model_dump_json()) == answered

    def test_our_rows_go_out_with_the_passages_that_the_answer_could_draw_on(self) -> None:
        found = (
            Retrieved(paper_id="a", title="A", score=0.9, text="In the context."),
            Retrieved(paper_id="b", title="B", score=0.8, text="Too long.", left_out="no room"),
            Retrieved(paper_id="c", title="C", score=0.7),
        )
        asked = gold(gold_answer="99 %", gold_sentences=["99% smaller."])
        answered = Row(gold=asked, answer={"answer": "99% [1].", "outcome": "answered"}, retrieved=found)
        failed = Row(gold=gold(qid="q2"), fault=Fault(type="EndpointError", message="no answer"))
        assert ragas_records([answered, failed]) == [
            {
                "qid": "q1",
                "user_input": "How much smaller?",
                "response": "99% [1].",
                "refused": False,
                "retrieved_contexts": ["In the context."],
                "reference": "99 %",
                "reference_contexts": ["99% smaller."],
            },
            {
                "qid": "q2",
                "user_input": "How much smaller?",
                "response": "",
                "refused": False,
                "retrieved_contexts": [],
            },
        ]

    def test_a_refusal_and_a_quote_come_back_as_what_they_are(self, tmp_path: Path) -> None:
        said = SentenceMeasure(text="It is 99% smaller.", worthy=True, markers=(1,))
        framed = {"answer": "“Title” (May 2024): “It is 99% smaller.” [1]", "outcome": "answered"}
        found = (Retrieved(paper_id="a", title="A", score=0.9, text="A passage."),)
        whole = {"a": "A passage. It is 99% smaller."}
        quoted = Row(gold=gold(), answer=framed, sentences=(said,), retrieved=found, abstracts=whole)
        refused = Row(gold=gold(qid="q2"), answer={"answer": "The papers do not answer that.", "outcome": "refused"})
        write_jsonl(tmp_path / "out.jsonl", ragas_records([quoted, refused]))
        one, other = rows_from_ragas(read_ragas(tmp_path / "out.jsonl"), measured)
        assert (one.text, one.outcome) == ("It is 99% smaller.", "answered")
        assert [item.text for item in one.retrieved] == ["A passage. It is 99% smaller."]
        assert (other.outcome, other.sentences) == ("refused", ())

    def test_what_goes_out_comes_in_again(self, tmp_path: Path) -> None:
        rows = list(rows_from_ragas(read_ragas(jsonl(tmp_path / "r.jsonl", RAGAS, RAGAS)), measured))
        write_jsonl(tmp_path / "out.jsonl", ragas_records(rows))
        assert list(rows_from_ragas(read_ragas(tmp_path / "out.jsonl"), measured)) == rows
