"""Answers from full texts: the quote stands in the document, and the citation says on which page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from test_full_text import BODY, FERNS, SHIPS, TITLE, body_of, document, listing

from rag.answer.answer import Answer, Finished
from rag.answer.pipeline import Paperchat
from rag.answer.stored import dump_answer, load_answer
from rag.export import to_markdown
from rag.ingest import ingest_readings, library_fingerprint
from rag.library.library import Library
from rag.readers import SourceReading
from rag.settings import Settings
from rag.show import show_answer
from ui.evidence_html import full_text_html

COUNTED = "We counted 310 ferns on 24 walls."
OTHERS = ("Clouds over Cities", "Clouds form over warm cities in the afternoon. Rain follows within two hours.")


@pytest.fixture(scope="module")
def walls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paperchat]:
    """Paperchat on three listed papers, one of them with its full text."""
    engine = Paperchat(Settings(_env_file=None, home=tmp_path_factory.mktemp("walls")))
    library = Library.open(engine.settings.library_folder, library_fingerprint(engine.embedder))
    entries = (listing(), listing(SHIPS, "Paint for Ships"), listing(OTHERS[1], OTHERS[0]))
    documents = SourceReading("ferns.pdf", "sha-2", (document(BODY, FERNS),), ())
    ingest_readings([SourceReading("list.txt", "sha-1", entries, ()), documents], library, engine.embedder)
    library.close()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def answer(walls: Paperchat) -> Answer:
    return walls.ask("How many ferns were counted on the old walls?", answerer="quotes")


def test_a_sentence_of_the_full_text_is_quoted_with_its_page(answer: Answer) -> None:
    assert answer.outcome == "answered"
    (cited,) = [citation for citation in answer.citations if citation.quote == COUNTED]
    assert cited.paper.title == TITLE
    assert cited.where == "page 2, section “2 Methods”"
    assert BODY.text[cited.start : cited.end] == cited.quote
    (told,) = [row for row in answer.as_dict()["citations"] if row["quote"] == COUNTED]
    place = told["in_full_text"]
    assert (place["page"], place["section"]) == (2, "2 Methods")
    assert place["text"][told["start"] - place["start"] : told["end"] - place["start"]] == COUNTED
    assert all(row["in_full_text"] is None for row in answer.as_dict()["citations"] if row["quote"] in FERNS)


def test_every_quote_is_verbatim_in_the_abstract_or_in_its_passage(walls: Paperchat) -> None:
    for question in (
        "Which surveys found ferns?",
        "How much faster do ferns grow on north walls?",
        "What is measured?",
    ):
        for citation in walls.ask(question, answerer="quotes").citations:
            source = BODY.text if citation.passage else citation.paper.abstract
            assert source[citation.start : citation.end] == citation.quote
            if citation.passage:
                at = citation.passage.start
                assert citation.passage.text[citation.start - at : citation.end - at] == citation.quote


def test_the_page_is_told_in_the_terminal_the_export_and_the_browser(
    answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    show_answer(iter([Finished(answer)]), answer.question)
    assert "(page 2, section “2 Methods”)" in " ".join(capsys.readouterr().out.split())
    assert f"> “{COUNTED}” (page 2, section “2 Methods”)" in to_markdown(answer)
    shown = full_text_html(answer.citations)
    assert "Page 2, section “2 Methods”" in shown
    assert f"<mark>{COUNTED}</mark>" in shown


def test_a_kept_answer_comes_back_with_its_pages(answer: Answer) -> None:
    assert load_answer(dump_answer(answer)) == answer


def test_a_paper_is_answered_from_its_abstract_as_before(walls: Paperchat) -> None:
    found = walls.ask("How much does the new paint reduce the drag of ships?", answerer="quotes")
    assert "40%" in found.answer
    assert all(citation.passage is None and not citation.where for citation in found.citations)


def test_a_full_text_whose_words_nobody_lists_is_found_by_them(walls: Paperchat) -> None:
    found = walls.retrieve("surveys of 1890", k=1).papers[0]
    assert found.paper.title == TITLE
    assert [passage.page for passage in found.in_body] == [1, 2, 2]


def test_a_library_without_full_texts_finds_none(engine: Paperchat) -> None:
    assert all(not ranked.in_body for ranked in engine.retrieve("semantic volume", k=5).papers)


def test_a_number_deep_in_a_full_text_is_found_by_its_words(walls: Paperchat, tmp_path: Path) -> None:
    pages = [
        (f"Paragraph {i} tells of ferns, walls and how both grow old together in rain. ", None, i) for i in range(40)
    ]
    pages[23] = ("The learning rate was 3e-4 for all runs. ", None, 23)
    engine = Paperchat(Settings(_env_file=None, home=tmp_path), embedder=walls.embedder)
    library = Library.open(engine.settings.library_folder, library_fingerprint(engine.embedder))
    deep = document(body_of(*pages), FERNS)
    ingest_readings([SourceReading("deep.pdf", "sha", (deep, listing(SHIPS, "Ships")), ())], library, engine.embedder)
    found = engine.ask("What learning rate was used for ferns on old walls?", answerer="quotes")
    library.close()
    engine.close()
    assert found.outcome == "answered"
    assert found.citations[0].quote == "The learning rate was 3e-4 for all runs."
    assert found.citations[0].where == "page 23"


def test_a_refusal_says_what_was_read(walls: Paperchat) -> None:
    found = walls.ask("What batch size was used for How Ferns Grow on Old Walls?", answerer="quotes")
    assert found.outcome in ("refused", "partial")
    assert "and the nearest passages of its full text do not give: batch size" in found.reason


def test_authors_and_identifiers_are_told_where_a_source_gave_them(walls: Paperchat, tmp_path: Path) -> None:
    engine = Paperchat(Settings(_env_file=None, home=tmp_path), embedder=walls.embedder)
    library = Library.open(engine.settings.library_folder, library_fingerprint(engine.embedder))
    known = listing(authors=("Ada Fern", "Bo Wall"), arxiv_id="2401.00001", published=date(2024, 1, 1), date_of="year")
    entries = (known, listing(SHIPS, "Paint for Ships"))
    ingest_readings([SourceReading("list.txt", "sha", entries, ())], library, engine.embedder)
    asked = {
        question: engine.ask(question, answerer="quotes")
        for question in (
            "Who wrote How Ferns Grow on Old Walls?",
            "What is the arXiv id of How Ferns Grow on Old Walls?",
            "Which papers are by Bo Wall?",
            "Who wrote Paint for Ships?",
            "When was How Ferns Grow on Old Walls published?",
        )
    }
    library.close()
    engine.close()
    who, where, by, nobody, when = asked.values()
    assert "was written by Ada Fern and Bo Wall [1]" in who.answer
    assert "has the arXiv id 2401.00001" in where.answer
    assert by.answer.startswith("The library holds 1 paper by Bo Wall (of 2 in all).")
    assert nobody.refused
    assert "give no author names" in nobody.reason
    assert "was published in 2024" in when.answer
