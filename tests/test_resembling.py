"""Titles that have a word of the question but for a slip of the keyboard."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, open_library, paper
from tantivy import Index, SchemaBuilder

from rag.answer.ranking.resembling import MOST, RESEMBLING_WEIGHT, lifted, meant, shares, unknown_words
from rag.answer.retrieve import Retriever, Switches
from rag.library.library import Library
from rag.papers import Filters
from rag.terms import TERM_PATTERN, terms

ZIRCONIUM = paper("Squeezed Zirconium: electrodes that last", "They hold long.", published=date(2024, 2, 1))
CATS = paper("Why cats sleep", "Cats sleep because they can.", published=date(2023, 2, 1))
FLASH = paper("Flash Attention for robots", "Robots hold small models.", published=date(2022, 2, 1))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = open_library(tmp_path)
    fill(library, [ZIRCONIUM, CATS, FLASH])
    return library


def test_words_that_some_paper_has_and_short_ones_are_not_looked_for() -> None:
    frequencies = Counter(dict.fromkeys(terms("electrodes sleep"), 3))
    asked = "Do Zirkonium electrodes zap in their Sleap, zirkonium?"
    assert set(unknown_words(asked, frequencies, 9)) == {"zirkonium", "sleap"}
    assert unknown_words("of the", frequencies, 9) == {}


def test_an_unknown_word_counts_by_its_share_of_what_is_asked() -> None:
    """One that no paper has beside one that 9 of 100 have: ln(1 + 100.5/.5) = 5.31 and ln(1 + 91.5/9.5) = 2.37."""
    frequencies = Counter({terms("cells")[0]: 9})
    assert unknown_words("Zirkonium cells", frequencies, 100)["zirkonium"] == pytest.approx(5.31 / 7.68, abs=0.001)
    assert unknown_words("Zirkonium?", frequencies, 100) == {"zirkonium": 1.0}


@pytest.mark.parametrize("word", ["zirkonium", "zircnoium", "ziirconim", "sqeezed", "elektrodes", "squeezedzirconium"])
def test_a_slip_or_two_are_looked_over(word: str) -> None:
    assert meant(word, ZIRCONIUM.title)


@pytest.mark.parametrize(
    ("word", "title"),
    [
        ("gpt-5", "GPT-4 report"),
        ("llama3", "Llama2"),
        ("zinkony", "Zirconium"),
        ("sleap", "Why cats lean far"),
        ("sturdier", "Studies of ships"),
        ("unsupervised", "Supervised learning"),
        ("bidirectional", "Unidirectional flows"),
        ("x", ""),
    ],
)
def test_other_words_and_other_numbers_are_no_slips(word: str, title: str) -> None:
    assert not meant(word, title)


@given(st.text(max_size=30), st.text(max_size=60))
def test_any_text_can_be_compared(word: str, title: str) -> None:
    found = meant(word, title)
    assert found == "" or set(found.split()) <= set(re.findall(TERM_PATTERN, title))


@given(st.text(max_size=200))
def test_unknown_words_are_few_and_together_no_more_than_what_is_asked(asked: str) -> None:
    found = unknown_words(asked, Counter(), 9)
    assert len(found) <= MOST
    assert sum(found.values()) <= 1 + 1e-9


def test_a_title_counts_by_the_words_it_has() -> None:
    like = {"zirkonium": {"z": ZIRCONIUM, "c": CATS}, "sqeezed": {"z": ZIRCONIUM}, "qwertyui": {"c": CATS}}
    assert shares(like, {"zirkonium": 0.5, "sqeezed": 0.25, "qwertyui": 0.25}) == {"z": 0.75}


def test_papers_that_resemble_join_what_was_found() -> None:
    scores = {"cats": {"fused": 0.9, "fused_rank": 1}, "a": {"fused": 0.3, "fused_rank": 2}}
    lifted(scores, {"zirconium": 0.5})
    assert scores["zirconium"] == {"fused": RESEMBLING_WEIGHT / 2, "resembling": 0.5, "fused_rank": 2}
    assert scores["cats"] == {"fused": 0.9, "fused_rank": 1}
    assert scores["a"]["fused_rank"] == 3
    lifted(scores, {"a": 0.25})
    assert scores["a"]["fused"] == pytest.approx(0.3 + RESEMBLING_WEIGHT / 4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_any_text_can_be_searched_for(library: Library, text: str) -> None:
    for query in (text, f"{text} q\u0303-learning \u0939\u093f\u0928\u094d\u0926\u0940"):
        Retriever(library, HashEmbedder(), None).search(query, Filters())


def test_titles_are_found_by_their_letters_among_those_admitted(library: Library) -> None:
    assert next(iter(library.titles_like("zirkonium", 5))) == ZIRCONIUM.paper_id
    assert next(iter(library.titles_like("flashatention", 5))) == FLASH.paper_id
    assert ZIRCONIUM.paper_id not in library.titles_like("zirkonium", 5, Filters(published_to=date(2023, 12, 31)))
    assert library.titles_like("zirkonium", 5, Filters(paper_ids=())) == {}
    assert library.titles_like("\ud800", 5) == {}
    assert len(library.titles_like("attention", 1)) == 1


def test_a_deleted_paper_is_not_found_by_its_letters(library: Library) -> None:
    library.delete([ZIRCONIUM.paper_id])
    assert ZIRCONIUM.paper_id not in library.titles_like("zirkonium", 5)


def test_a_search_finds_the_paper_whose_title_is_misspelt(library: Library) -> None:
    by_words = Switches(dense=False)
    found = Retriever(library, HashEmbedder(), None, by_words).search("Zirkonium", Filters()).papers
    assert [(one.paper.paper_id, one.scores["resembling"]) for one in found] == [(ZIRCONIUM.paper_id, 1.0)]
    without = replace(by_words, resembling=False)
    assert not Retriever(library, HashEmbedder(), None, without).search("Zirkonium", Filters()).papers


def test_the_word_index_of_an_earlier_version_is_built_anew(tmp_path: Path) -> None:
    with closing(open_library(tmp_path)) as library:
        fill(library, [ZIRCONIUM])
    (folder,) = {file.parent for file in tmp_path.rglob("meta.json")}
    shutil.rmtree(folder)
    folder.mkdir()
    Index(SchemaBuilder().add_text_field("paper_id", stored=True).build(), path=str(folder))
    assert list(open_library(tmp_path).titles_like("zirkonium", 5)) == [ZIRCONIUM.paper_id]
