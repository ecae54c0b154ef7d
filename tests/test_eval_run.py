"""A run: every answer becomes a row, no row is lost, and nothing that is there is overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, paper
from metric_rows import gold, row
from run_folders import PAPERS, contents, manifest, run_folder, small_library

import eval.runs.run
from eval.questions import GoldQuestion
from eval.rows import Row
from eval.runs.folder import MANIFEST, ROWS, RunFolder
from eval.runs.manifest import hash_of_questions, public_settings
from eval.runs.measure import Measurer, claim_of, retrieved
from eval.runs.run import Interrupted, Order, answer_all
from rag.answer.alignment import idf_of
from rag.answer.answer import Answer, Citation, RetrievedPassage, Sentence
from rag.answer.grounding import Support
from rag.answer.pipeline import Paperchat
from rag.answer.verify import ABSENCE
from rag.errors import EndpointBusyError, EndpointError, QuestionError, SettingsError, SourceError
from rag.files import write_whole
from rag.papers import Filters, Paper, Passage
from rag.settings import Settings

TILDE, WHALES, SPARSE = PAPERS


# --- measuring ---------------------------------------------------------------------------------


class Verbatim:
    """A grounding score that a child can check: 1 when one document holds the text, else 0."""

    def __init__(self, idf: object, embedder: object) -> None:
        pass

    def worthy(self, sentence: str) -> bool:
        return sentence != "Yes."

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        found = any(text in document for document in documents)
        return Support(float(found), found, None)


@pytest.fixture
def measurer(monkeypatch: pytest.MonkeyPatch) -> Measurer:
    monkeypatch.setattr("eval.runs.measure.Grounder", Verbatim)
    return Measurer(idf_of([]), HashEmbedder())


def cited(n: int, one: Paper, quote: str) -> Citation:
    start = one.abstract.index(quote)
    return Citation(n, one, quote, start, start + len(quote), 1.0)


def passage_of(one: Paper, score: float, left_out: str | None = None) -> RetrievedPassage:
    text = one.abstract.split(". ")[0] + "."
    found = Passage(f"{one.paper_id}#0", one.paper_id, 0, text, 0, len(text))
    return RetrievedPassage(one, found, {"score": score}, left_out)


SMALLER, CLICKS = (
    "Its index is 99% smaller than before.",
    "Sperm whales encode information in the number of clicks.",
)
ANSWER = Answer(
    question="How much smaller?",
    query_used="How much smaller?",
    filters=Filters(),
    answer="x",
    outcome="answered",
    reason="",
    answerer="quotes",
    citations=(cited(1, TILDE, SMALLER), cited(2, WHALES, CLICKS)),
    passages=(passage_of(TILDE, 0.9), passage_of(WHALES, 0.5)),
    left_out=(passage_of(SPARSE, 0.1, "rank 3"),),
    sentences=(Sentence(f"{SMALLER[:-1]} [1][2].", (1, 2), 1.0, True),),
)


def test_a_sentence_is_measured_against_context_citations_each_alone_and_all_without_each(measurer: Measurer) -> None:
    (measured,) = measurer.row(gold(), ANSWER).sentences
    assert measured.text == SMALLER
    assert (measured.worthy, measured.context, measured.cited) == (True, 1.0, 1.0)
    assert (measured.alone, measured.without) == ((1.0, 0.0), (0.0, 1.0))


def test_the_whole_abstract_of_each_paper_of_the_context_is_evidence_and_is_kept(measurer: Measurer) -> None:
    assert SMALLER not in ANSWER.passages[0].passage.text
    found = measurer.row(gold(), ANSWER)
    assert found.sentences[0].context == 1.0
    assert found.abstracts == {one.paper_id: one.abstract for one in (TILDE, WHALES)}


def test_a_marker_that_points_nowhere_supports_nothing(measurer: Measurer) -> None:
    answer = replace(ANSWER, sentences=(Sentence(f"{SMALLER} [1] [7]", (1, 7), 1.0, True),))
    (measured,) = measurer.row(gold(), answer).sentences
    assert (measured.cited, measured.alone, measured.without) == (1.0, (1.0, 0.0), (0.0, 1.0))
    answer = replace(ANSWER, sentences=(Sentence(f"{SMALLER} [7]", (7,), 1.0, True),))
    (measured,) = measurer.row(gold(), answer).sentences
    assert (measured.context, measured.cited, measured.alone, measured.without) == (1.0, 0.0, (0.0,), (0.0,))


def test_a_sentence_without_markers_has_no_cited_score(measurer: Measurer) -> None:
    answer = replace(ANSWER, sentences=(Sentence("Pigs fly. [unsupported]", (), 0.0, False),))
    (measured,) = measurer.row(gold(), answer).sentences
    assert (measured.text, measured.context, measured.cited, measured.alone) == ("Pigs fly.", 0.0, None, ())


@pytest.mark.parametrize(
    "sentence",
    [
        Sentence("Yes.", (), 1.0, True),
        Sentence("The papers do not state a cost.", (), 1.0, True, ABSENCE),
        Sentence("The library holds 3 papers.", (1,), 1.0, True, "counted in the library's records"),
    ],
)
def test_what_claims_nothing_that_a_passage_could_support_is_not_worthy(measurer: Measurer, sentence: Sentence) -> None:
    (measured,) = measurer.row(gold(), replace(ANSWER, sentences=(sentence,))).sentences
    assert not measured.worthy
    assert (measured.cited, measured.alone) == (None, ())


def test_the_year_of_a_paper_is_evidence_only_for_a_claim_of_that_year(measurer: Measurer) -> None:
    dated = "Published on 24 August 2021."
    answer = replace(ANSWER, sentences=(Sentence(f"{dated} [1]", (1,), 1.0, True),))
    assert measurer.row(gold(), answer).sentences[0].context == 1.0
    answer = replace(ANSWER, sentences=(Sentence("Published on 24 August [1]", (1,), 1.0, True),))
    assert measurer.row(gold(), answer).sentences[0].context == 0.0


QUOTED = f"“{SMALLER}” [1]"


@pytest.mark.parametrize(
    "sentence",
    [
        QUOTED,
        f"“{TILDE.title}” (August 2021): {QUOTED}",
        f"“{TILDE.title}”: {QUOTED}",
        f"“{TILDE.title}” reports: {QUOTED}",
        f"It also reports: {QUOTED}",
        f"- “{TILDE.title}” (August 2021): {QUOTED}",
    ],
)
def test_the_frame_around_a_quote_is_no_claim_where_the_record_confirms_it(sentence: str) -> None:
    assert claim_of(sentence, ANSWER.citations) == SMALLER


@pytest.mark.parametrize(
    "sentence",
    [
        f"“{TILDE.title}” (May 2021): {QUOTED}",
        f"“{WHALES.title}” (August 2021): {QUOTED}",
        f"The best system of all says: {QUOTED}",
        "“Its index is 50% smaller than before.” [1]",
    ],
)
def test_a_frame_or_quote_that_the_record_does_not_confirm_has_to_be_supported(
    sentence: str, measurer: Measurer
) -> None:
    assert claim_of(sentence, ANSWER.citations) == sentence.removesuffix(" [1]")
    answer = replace(ANSWER, sentences=(Sentence(sentence, (1,), 1.0, True),))
    assert measurer.row(gold(), answer).sentences[0].context == 0.0


def test_a_paper_without_a_date_is_framed_without_one() -> None:
    quote = "Memory stays constant."
    assert claim_of(f"“{SPARSE.title}”: “{quote}” [1]", [cited(1, SPARSE, quote)]) == quote


def test_papers_are_kept_in_order_of_rank_whether_in_the_context_or_not() -> None:
    answer = replace(ANSWER, passages=(passage_of(WHALES, 0.5), passage_of(TILDE, 0.9)))
    found = retrieved(answer)
    assert [(one.title, one.score, one.left_out) for one in found] == [
        (TILDE.title, 0.9, None),
        (WHALES.title, 0.5, None),
        (SPARSE.title, 0.1, "rank 3"),
    ]


def test_only_the_first_ten_passages_are_kept_in_full() -> None:
    many = tuple(passage_of(paper(f"Paper {i}", "Text. More."), 1 - i / 100) for i in range(12))
    assert [one.text is not None for one in retrieved(replace(ANSWER, passages=many, left_out=()))] == [
        *[True] * 10,
        *[False] * 2,
    ]


def test_an_answer_from_the_records_has_retrieved_what_it_lists() -> None:
    found = retrieved(replace(ANSWER, passages=(), left_out=()))
    assert [(one.title, one.text) for one in found] == [(TILDE.title, None), (WHALES.title, None)]


def test_similarity_needs_a_reference_and_compares_what_is_said_without_frames(measurer: Measurer) -> None:
    framed = replace(ANSWER, sentences=(Sentence(f"“{TILDE.title}” (August 2021): {QUOTED}", (1,), 1.0, True),))
    assert measurer.row(gold(gold_answer=""), framed).similarity is None
    assert measurer.row(gold(gold_answer=SMALLER), framed).similarity == pytest.approx(1.0)
    assert measurer.row(gold(gold_answer="Cats sleep."), framed).similarity < 0.5  # type: ignore[operator]


def test_a_refusal_has_no_sentences_and_no_grounding_time(measurer: Measurer) -> None:
    found = measurer.row(gold(), replace(ANSWER, outcome="refused", sentences=(), citations=()))
    assert (found.sentences, found.grounding_ms, found.refused) == ((), None, True)


def test_another_systems_sentences_are_measured_against_its_contexts(measurer: Measurer) -> None:
    first, second = measurer.sentences("Cats sleep. Dogs bark.", ["Cats sleep.", "Birds sing."])
    assert (first.text, first.context, first.markers, first.cited) == ("Cats sleep.", 1.0, (), None)
    assert second.context == 0.0


# --- the folder --------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(TEXT, min_size=1, max_size=4))
@settings(max_examples=60)
def test_rows_come_back_as_they_were_written_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    rows = [row(text, asked=gold(f"q{i}", question=text or "?")) for i, text in enumerate(texts)]
    folder.append(rows)
    assert folder.rows() == rows


def test_separators_that_python_takes_for_line_ends_do_not_cut_a_row(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [row("a\u2028b\u0085c\rd\x0be")])
    assert folder.rows()[0].text == "a\u2028b\u0085c\rd\x0be"


def test_wherever_writing_stopped_the_whole_rows_are_kept_and_the_torn_one_is_dropped(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [row(asked=gold("q1")), row("zwei ü", asked=gold("q2"))])
    content = folder.file(ROWS).read_bytes()
    first = content.index(b"\n") + 1
    for end in range(first, len(content)):
        folder.file(ROWS).write_bytes(content[:end])
        assert [one.gold.qid for one in folder.rows()] == ["q1"]
        assert folder.drop_torn_line() == (end > first)
        assert folder.file(ROWS).read_bytes() == content[:first]
    folder.file(ROWS).write_bytes(content)
    assert not folder.drop_torn_line()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no row of a run"),
        ("", "no row of a run"),
        ("{}", "gold is missing"),
        ('{"schema_version": 2}', "schema_version must be 1"),
    ],
)
def test_a_line_that_is_no_row_is_named_with_file_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    folder = run_folder(tmp_path / "run", [row()])
    with folder.file(ROWS).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(SourceError, match=rf"run\.jsonl, line 2: .*{reason}"):
        folder.rows()


def test_a_question_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [row(), row(asked=gold("q2"))])
    folder.append([row()])
    with pytest.raises(SourceError, match=r"line 3: .*'q1' is already in line 1"):
        folder.rows()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, SourceError, "no run folder"),
        ("{", SourceError, "damaged"),
        ('{"schema": 1}', SourceError, "damaged: .*missing"),
        ('{"schema": 2}', SettingsError, "schema 2; this paperchat reads 1"),
        ("[]", SettingsError, "schema None"),
    ],
)
def test_a_missing_damaged_or_foreign_manifest_is_a_clear_error(
    tmp_path: Path, content: str | None, error: type[Exception], message: str
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        RunFolder(tmp_path).manifest()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"answerer": "local"}, "answerer"),
        ({"seed": 7}, "seed"),
        ({"paperchat": "9.9"}, "version of paperchat"),
        ({"questions": {"file": "dev.jsonl", "n": 3}}, "number of questions"),
        ({"grounding": {"version": "0", "threshold": 0.5}}, "grounding"),
        *[({"hashes": {**manifest().hashes, name: "other"}}, name) for name in manifest().hashes],
    ],
)
def test_a_folder_with_another_run_is_refused_by_name_and_nothing_in_it_changes(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    folder = run_folder(tmp_path / "run", [row(), row(asked=gold("q2"))])
    before = contents(folder.path)
    with folder.locked(), pytest.raises(SettingsError, match=f"its .*{named}.* differ"):
        folder.begin(manifest(**changes))
    assert contents(folder.path) == before


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "thesis")
    write_whole(folder.file("thesis.tex"), "years of work")
    with pytest.raises(SettingsError, match=r"not empty \(it holds thesis\.tex\)"), folder.locked():
        folder.begin(manifest())
    assert [path.name for path in folder.path.iterdir()] == ["thesis.tex"]


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(SettingsError, match="written by another process"),
        RunFolder(tmp_path).locked(),
    ):
        pass
    with RunFolder(tmp_path).locked():
        pass


def test_a_run_cannot_be_made_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(SettingsError, match="Cannot write to"), RunFolder(tmp_path / "file").locked():
        pass
    with pytest.raises(SettingsError, match="Cannot write"):
        write_whole(tmp_path / "file" / "page.html", "x")


def test_a_disk_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "summary.json", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eval.runs.folder.os.replace", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        write_whole(tmp_path / "summary.json", "new")
    assert contents(tmp_path) == {"summary.json": b"old"}


# --- asking ------------------------------------------------------------------------------------


def asked(*qids: str) -> list[GoldQuestion]:
    return [gold(qid) for qid in qids]


def failing(*bad: str, error: Exception | None = None) -> Callable[[GoldQuestion], Row]:
    def ask(one: GoldQuestion) -> Row:
        if one.qid in bad:
            raise error or EndpointBusyError("The endpoint is busy.", "Try later.")
        return row(asked=one)

    return ask


def outcomes(folder: RunFolder) -> dict[str, str]:
    return {one.gold.qid: one.outcome for one in folder.rows()}


@pytest.mark.parametrize("bad", [["b"], ["a"], ["a", "b"], ["c", "d"], ["a", "c", "d"]])
def test_a_question_whose_endpoint_fails_is_a_row_with_its_fault_and_the_run_goes_on(
    tmp_path: Path, bad: list[str]
) -> None:
    folder, done = RunFolder(tmp_path), []
    answer_all(folder, asked("a", "b", "c", "d"), failing(*bad), done.append)
    assert outcomes(folder) == {qid: "failed" if qid in bad else "answered" for qid in "abcd"}
    fault = next(one.fault for one in folder.rows() if one.fault)
    assert (fault.type, fault.message, fault.remedy) == ("EndpointBusyError", "The endpoint is busy.", "Try later.")
    assert done == sorted(done)


@pytest.mark.parametrize(
    ("bad", "kept"), [("abc", ""), ("bcd", "a"), ("acde", "ab"), ("cde", "ab")], ids=["start", "second", "after", "end"]
)
def test_an_endpoint_that_fails_three_times_in_a_row_ends_the_run_and_those_are_asked_again(
    tmp_path: Path, bad: str, kept: str
) -> None:
    folder, questions = RunFolder(tmp_path), asked(*"abcde")
    with pytest.raises(EndpointError, match="busy"):
        answer_all(folder, questions, failing(*bad), lambda done: None)
    assert "".join(outcomes(folder)) == kept
    answer_all(folder, [one for one in questions if one.qid not in kept], failing(), lambda done: None)
    assert sorted(outcomes(folder)) == list("abcde")


def test_a_short_run_in_which_all_fails_keeps_its_faults(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    answer_all(folder, asked("a", "b"), failing("a", "b"), lambda done: None)
    assert outcomes(folder) == {"a": "failed", "b": "failed"}


def test_questions_that_cannot_be_asked_do_not_count_as_a_dead_endpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    too_long = QuestionError("The question is too long.", "Shorten it.")
    answer_all(folder, asked("a", "b", "c", "d"), failing("a", "b", "c", error=too_long), lambda done: None)
    assert list(outcomes(folder).values()) == ["failed", "failed", "failed", "answered"]


def test_what_no_question_could_escape_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        answer_all(RunFolder(tmp_path), asked("a", "b"), failing("b", error=SourceError("gone")), lambda done: None)
    assert list(outcomes(RunFolder(tmp_path))) == ["a"]


# --- the whole run, on a library without a model ------------------------------------------------

QUESTIONS = [
    {"qid": "q1", "question": "How much smaller is the index of Tilde?", "gold_titles": [TILDE.title]},
    {"qid": "q2", "question": "What do sperm whales encode in the number of clicks?", "gold_titles": [WHALES.title]},
    {"qid": "q3", "question": "How many papers are there?", "gold_titles": []},
    {"qid": "q4", "question": "Does sparse attention read long documents quickly?", "gold_titles": [SPARSE.title]},
]


@pytest.fixture
def question_file(tmp_path: Path) -> Path:
    rest = {"answerable": True, "type": "t", "must_include": [], "history": []}
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(one | rest) + "\n" for one in QUESTIONS), encoding="utf-8")
    return path


@pytest.fixture
def library(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    embedder = small_library(home)
    monkeypatch.setattr(eval.runs.run, "load_embedder", lambda settings: embedder)
    return Settings(_env_file=None, home=home)


def go(settings: Settings, questions: Path, out: Path, **order: Any) -> tuple[RunFolder, list[str]]:
    told: list[str] = []
    folder = eval.runs.run.run(
        settings, Order(questions=str(questions), out=out, **order), lambda done, total: None, told.append
    )
    return folder, told


def timeless(folder: RunFolder) -> list[str]:
    """The rows without what a clock measured."""
    return [re.sub(r'"timings_ms":\{[^}]*\}|"grounding_ms":[^,}]*', "", one.model_dump_json()) for one in folder.rows()]


def test_a_run_holds_every_question_and_says_what_it_was(
    library: Settings, question_file: Path, tmp_path: Path
) -> None:
    folder, told = go(library, question_file, tmp_path / "run")
    known = folder.manifest()
    assert [one.gold.qid for one in folder.rows()] == ["q1", "q2", "q3", "q4"]
    assert (known.finished, known.answerer, known.questions) == (
        True,
        "quotes",
        {"file": "questions.jsonl", "n": 4},
    )
    assert set(known.hashes) == {"configuration", "prompts", "models", "library", "questions"}
    assert told == []


def test_two_runs_are_equal_but_for_their_times(library: Settings, question_file: Path, tmp_path: Path) -> None:
    one, _ = go(library, question_file, tmp_path / "one")
    other, _ = go(library, question_file, tmp_path / "other")
    assert timeless(one) == timeless(other)
    assert one.manifest().hashes == other.manifest().hashes


def stop_at(monkeypatch: pytest.MonkeyPatch, qid: str) -> None:
    """Ctrl-C while the question `qid` is being answered; for the first one, while the models load."""
    ask = Paperchat.ask
    wanted = next(one["question"] for one in QUESTIONS if one["qid"] == qid)

    def stopped(self: Paperchat, question: str, *rest: Any, **options: Any) -> Answer:
        if question == wanted:
            raise KeyboardInterrupt
        return ask(self, question, *rest, **options)

    monkeypatch.setattr(Paperchat, "ask", stopped)


@pytest.mark.parametrize("qid", ["q1", "q3", "q4"])
def test_a_stopped_run_says_how_to_go_on_and_going_on_ends_as_if_it_had_not_been_stopped(
    library: Settings, question_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qid: str
) -> None:
    out = tmp_path / "a run"
    kept = int(qid[1]) - 1
    with monkeypatch.context() as patch:
        stop_at(patch, qid)
        with pytest.raises(Interrupted, match=f"Stopped after {kept} of 4 questions") as stopped:
            go(library, question_file, out)
    assert stopped.value.exit_code == 130
    assert f"paperchat eval run --questions {question_file} --out '{out}'" in stopped.value.remedy
    assert not RunFolder(out).manifest().finished
    folder, told = go(library, question_file, out)
    whole, _ = go(library, question_file, tmp_path / "whole")
    assert timeless(folder) == timeless(whole)
    assert folder.manifest().finished
    assert told == ([f"{out} holds {kept} of 4 answers; {4 - kept} questions are left."] if kept else [])


def test_going_on_asks_the_question_of_a_torn_row_again_and_says_so(
    library: Settings, question_file: Path, tmp_path: Path
) -> None:
    folder, _ = go(library, question_file, tmp_path / "run")
    whole = timeless(folder)
    content = folder.file(ROWS).read_bytes()
    folder.file(ROWS).write_bytes(content[:-100])
    folder, told = go(library, question_file, tmp_path / "run")
    assert timeless(folder) == whole
    assert "not written to its end" in told[0]


def test_a_first_question_that_cannot_be_asked_is_a_row_like_any_other(
    library: Settings, question_file: Path, tmp_path: Path
) -> None:
    too_long = QUESTIONS[0] | {"question": "Why? " * 2000}
    rest = {"answerable": True, "type": "t", "must_include": []}
    rows = [json.dumps(one | rest) for one in (too_long, QUESTIONS[1])]
    question_file.write_text("\n".join(rows), encoding="utf-8")
    folder, _ = go(library, question_file, tmp_path / "run")
    assert list(outcomes(folder).values()) == ["failed", "answered"]


def test_a_finished_run_is_not_asked_again(
    library: Settings, question_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = go(library, question_file, tmp_path / "run")
    before = contents(folder.path)
    monkeypatch.setattr(Paperchat, "ask", lambda *_, **__: pytest.fail("asked again"))
    again, _ = go(library, question_file, tmp_path / "run")
    assert contents(again.path) == before


@pytest.mark.parametrize("changed", ["questions", "settings", "limit", "library"])
def test_going_on_with_something_else_is_refused_and_overwrites_nothing(
    library: Settings, question_file: Path, tmp_path: Path, changed: str
) -> None:
    folder, _ = go(library, question_file, tmp_path / "run")
    before = contents(folder.path)
    limit = None
    if changed == "questions":
        question_file.write_text(question_file.read_text().replace("clicks?", "sounds?"), encoding="utf-8")
    elif changed == "settings":
        library = library.model_copy(update={"sources": 2})
    elif changed == "limit":
        limit = 2
    else:
        add_a_paper(library.home)
    with pytest.raises(SettingsError, match="holds another run"):
        go(library, question_file, tmp_path / "run", limit=limit)
    assert contents(folder.path) == before


def add_a_paper(home: Path) -> None:
    from library_helpers import fill

    from rag.library.library import Library

    library = Library.open(home / "library")
    fill(library, [paper("One more", "Something new is shown. It works.")])
    library.close()


def test_without_out_a_new_folder_is_made_below_home(library: Settings, question_file: Path) -> None:
    folder = eval.runs.run.run(
        library, Order(questions=str(question_file), limit=1), lambda done, total: None, lambda message: None
    )
    assert folder.path.parent == library.home / "runs"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-quotes", folder.path.name)
    assert len(folder.rows()) == 1


def test_no_secret_and_no_folder_of_this_machine_is_written_down(tmp_path: Path) -> None:
    shown = public_settings(
        Settings(
            _env_file=None,
            home=tmp_path,
            openai_api_key="sk-secret",
            openai_base_url="https://host.example:8443/v1?api-key=sk-secret",
            local_model=tmp_path / "model.gguf",
        )
    )
    assert "secret" not in json.dumps(shown)
    assert str(tmp_path) not in json.dumps(shown)
    assert shown["openai_base_url"] == "https://host.example:8443/v1"
    assert shown["local_model"] == "model.gguf"


def test_the_hash_of_questions_changes_with_anything_that_is_asked_or_wanted() -> None:
    base = hash_of_questions([gold()])
    assert base == hash_of_questions([gold()])
    changed = [gold("q2"), gold(must_include=()), gold(gold_answer="x"), gold(answerable=False), gold(question="x")]
    assert len({base, *(hash_of_questions([one]) for one in changed)}) == 6
