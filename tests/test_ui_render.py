"""The page's HTML: everything from papers, questions and models is text; markers lead to their evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from unicodedata import category

import pytest
from answer_helpers import shared_rows
from hypothesis import given
from hypothesis import strategies as st
from ui_helpers import (
    ABSTRACT,
    PAPER,
    Reading,
    answered,
    assert_harmless,
    citation,
    everywhere,
    finished,
    found,
)

from rag.answer.answer import Confidence, Searched, Sentence
from rag.answer.explained import LEVELS, REFUSALS
from rag.papers import Filters
from ui.answer_html import answer_html, confidence_html
from ui.conversation import ChatTurn
from ui.escape import escaped, paper_line, title_html
from ui.evidence_html import abstract_html, evidence_html
from ui.turns_html import conversation_html, filters_text

HOSTILE = [
    "<script>window.hit=1</script><img src=x onerror=window.hit=1>",
    "\"><svg/onload=alert(4)> ' onmouseover='alert(1)",
    "[click](javascript:alert(3)) ![x](http://evil.example/x.png) <http://evil.example>",
    "last <EOS> token, <3%, $x^2$, $$\\frac{1}{2}$$, a | b, **bold**, `code`, ${1+1}, {{title}}, &lt;b&gt;, C:\\n",
    "<!-- --><![CDATA[x]]></details></div><base href=//evil.example>",
    "\x1b[31mred\x00\x07 \u202egnitaroved \ud800 tail",
]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf"]) | st.sampled_from("<>&\"'`${}\\[]1\n- "))


def _attack_texts() -> list[str]:
    rows = shared_rows("attacks_dev.jsonl")
    return [text for row in rows for text in (row.get("payload"), row.get("probe_question")) if text]


def _everything(turns: list[ChatTurn]) -> str:
    return conversation_html(turns, waiting="<b>", problem="<b>") + evidence_html(turns)


@given(TEXTS)
def test_escaped_text_reads_back_as_it_was(text: str) -> None:
    assert Reading(f"<p>{escaped(text)}</p>").text == text
    assert Reading(f'<p title="{escaped(text)}"></p>').tags == [("p", {"title": text})]


def test_nothing_is_left_that_a_template_or_a_formula_renderer_would_read() -> None:
    assert not set("{}$`\\<>\"'") & set(escaped("${x} {{y}} $z$ `w` \\frac <a b=\"c\" d='e'>"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    for turns in [everywhere(text), *([turn] for turn in everywhere(text))]:
        reading = assert_harmless(_everything(turns))
        assert "script" not in {tag for tag, _ in reading.tags}
        _everything(turns).encode("utf-8")  # a lone surrogate would fail


def test_attacks_of_the_shared_set_stay_text() -> None:
    for text in _attack_texts():
        for turn in everywhere(text):
            assert_harmless(_everything([turn]))
        shown = Reading(abstract_html(replace(PAPER, abstract=text), ())).text
        for original, character in zip(text, shown, strict=True):
            assert character == original or (character == "\N{REPLACEMENT CHARACTER}" and category(original)[0] == "C")


@given(TEXTS)
def test_whatever_is_asked_or_answered_the_page_stays_whole(text: str) -> None:
    assert_harmless(_everything(everywhere(text)))


@given(TEXTS)
def test_an_answer_shows_every_character_except_its_layout(text: str) -> None:
    def solid(shown: str) -> str:
        return "".join(shown.split())

    bullets_gone = "\n".join(line.removeprefix("- ") for line in text.split("\n"))
    assert solid(Reading(answer_html(finished(answered(text)))).text) == solid(bullets_gone)


def test_the_abstract_is_shown_to_the_character_with_its_quotes_marked() -> None:
    quotes = ["Indexes are 99% smaller than <EOS> ones.", "It costs $5, or $10 | **more**."]
    reading = Reading(abstract_html(PAPER, [citation(1, PAPER, quote) for quote in reversed(quotes)]))
    assert reading.text == ABSTRACT
    assert reading.texts("mark") == quotes


def test_overlapping_quotes_become_one_mark() -> None:
    citations = [citation(1, PAPER, "Indexes are 99% smaller"), citation(1, PAPER, "99% smaller than <EOS> ones.")]
    reading = Reading(abstract_html(PAPER, citations))
    assert reading.text == ABSTRACT
    assert reading.texts("mark") == ["Indexes are 99% smaller than <EOS> ones."]


def test_every_chip_leads_to_an_entry_and_ids_are_unique_over_turns() -> None:
    other = replace(PAPER, paper_id="slow-y", title="Slow Y")
    cited = (citation(1, PAPER, "We study X."), citation(2, other, "We study X."), citation(1, PAPER, "It costs $5"))
    turns = [finished(answered("One [1]. Two [2]. One again [1]. Not ours [7].", cited), n) for n in (1, 2)]
    chat, evidence = Reading(conversation_html(turns)), Reading(evidence_html(turns))
    links = [attributes["href"] for tag, attributes in chat.tags if tag == "a"]
    ids = [attributes["id"] for tag, attributes in evidence.tags if "id" in attributes]
    assert links == [f"#evidence-{turn}-{n}" for turn in (1, 2) for n in (1, 2, 1)]
    assert sorted(ids) == sorted({link.removeprefix("#") for link in links if link})
    assert chat.texts("a") == ["1", "2", "1"] * 2
    assert "[7]" in chat.text
    assert "[1]" not in chat.text


def test_while_text_streams_its_markers_are_chips_already() -> None:
    reading = Reading(conversation_html([ChatTurn(1, "What?", text="It is so [1]. And")]))
    assert reading.texts("span", "pc-chip") == ["1"]
    assert [attributes["aria-busy"] for tag, attributes in reading.tags if tag == "article"] == ["true"]


def test_paragraphs_and_lists() -> None:
    reading = Reading(answer_html(finished(answered("Two of 237:\n- “A” [1]\n- B\n\nSecond\nline"))))
    assert [tag for tag, _ in reading.tags] == ["p", "ul", "li", "li", "p", "br"]
    assert reading.texts("li") == ["“A” [1]", "B"]


def test_unsupported_sentences_are_marked_with_the_reason() -> None:
    sentences = (
        Sentence("It is fast [1].", (1,), 1.0, supported=True),
        Sentence("It is free [1].", (1,), 0.1, supported=False, note="“free” is in no passage"),
    )
    answer = answered("It is fast [1]. It is free [1].", (citation(1, PAPER, "We study X."),), sentences=sentences)
    reading = Reading(conversation_html([finished(answer)]))
    assert "".join(reading.texts("span", "pc-unsupported")) == "It is free1."
    notes = {attributes.get("title") for _, attributes in reading.tags if attributes.get("class") == "pc-unsupported"}
    assert notes == {"Not supported: “free” is in no passage"}
    assert any("dotted underline" in note for note in reading.texts("p", "pc-note"))


def test_the_search_is_shown_only_where_it_is_not_what_was_typed() -> None:
    same = ChatTurn(1, " What? ", searched=Searched("What?", Filters(), ()))
    assert Reading(conversation_html([same])).texts("p", "pc-searched") == []
    filters = Filters(published_from=date(2024, 5, 1), organisation="Kyutai", min_authors=2, max_authors=2)
    other = ChatTurn(1, "And then?", searched=Searched("And then? (about X)", filters, ()))
    assert Reading(conversation_html([other])).texts("p", "pc-searched") == [
        "Searched for: And then? (about X)",
        "Only papers published since May 1, 2024, by Kyutai, with 2 authors",
    ]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (Filters(published_from=date(2024, 1, 1), published_to=date(2024, 12, 31)), "from January 1, 2024 to December"),
        (Filters(published_from=date(2024, 1, 1), published_to=date(2024, 1, 1)), "published on January 1, 2024"),
        (Filters(published_to=date(2024, 1, 1)), "published until January 1, 2024"),
        (Filters(max_authors=1), "with 1 author at most"),
        (Filters(min_authors=3), "with 3 authors or more"),
        (Filters(paper_ids=("a", "b")), "among 2 chosen"),
    ],
)
def test_filters_in_words(filters: Filters, words: str) -> None:
    assert words in filters_text(filters)


def test_scores_are_shown_as_numbers_and_as_bars_within_bounds() -> None:
    other = replace(PAPER, paper_id="slow-y", title="Slow Y")
    passages = (found(PAPER, dense=0.44, words=10.0, fused=1.0, rerank=1.2, words_rank=1.0), found(other, words=20.0))
    answer = answered("So [1].", (citation(1, PAPER, "We study X."),), passages=passages)
    reading = Reading(evidence_html([finished(answer)]))
    bars = [attributes["value"] for tag, attributes in reading.tags if tag == "meter"]
    assert reading.texts("dt") == ["dense", "words", "fused", "rerank"]
    assert reading.texts("dd") == ["0.44", "10.00", "1.00", "1.20"]
    assert bars == ["0.440", "0.500", "1.000", "1.000"]
    assert reading.texts("details", "pc-others")[0].startswith("Also found, not cited (1)Slow Y")


def test_a_refusal_says_why_and_names_the_nearest_papers() -> None:
    answer = answered("Not answered.", outcome="refused", reason="No paper mentions “France”.", nearest=(PAPER,))
    reading = Reading(evidence_html([finished(answer)]))
    assert reading.texts("p", "pc-reason") == ["No paper mentions “France”."]
    assert reading.texts("span", "pc-paper") == ["Fast X"]
    assert reading.texts("p", "pc-abstract") == [ABSTRACT]


@pytest.mark.parametrize("level", LEVELS)
def test_how_sure_an_answer_is_stands_there_in_words_without_a_number(level: Confidence) -> None:
    for answer, words in [
        (answered("So.", confidence=level, signals={"confidence": 0.8134}), LEVELS[level]),
        (answered("No.", confidence=level, outcome="refused", signals={"confidence": 0.8134}), REFUSALS[level]),
    ]:
        reading = Reading(confidence_html(answer))
        assert reading.text == words
        assert reading.texts("p", f"pc-{level}") == [words]
        assert "813" not in Reading(evidence_html([finished(answer)])).text


def test_how_an_answer_was_decided_is_told_in_words_and_folded() -> None:
    signals = {"coverage": 0.95, "agreement": 1.0, "paper_margin": 0.3, "citations_moved": 2.0, "confidence": 0.9}
    answer = answered("So [1].", (citation(1, PAPER, "We study X."),), confidence="high", signals=signals)
    reading = Reading(evidence_html([finished(replace(answer, route="The question asks for a number."))]))
    folded = [attributes for tag, attributes in reading.tags if attributes.get("class") == "pc-decision"]
    assert [("open" in attributes) for attributes in folded] == [False]
    assert reading.texts("summary")[-1] == "How this was decided"
    assert reading.texts("li") == [
        "Well supported.",
        "Answered from the papers.",
        "Because.",
        "The question asks for a number.",
        "The papers found speak of everything that the question names.",
        "The search by meaning, the search by words and the reranker agree on the paper.",
        "No other paper comes close to the question.",
        "2 citations were moved to the papers that say it.",
    ]


def test_a_refusal_is_decided_in_words_too() -> None:
    answer = answered("No.", outcome="refused", reason="No paper mentions “France”.", confidence="high")
    reading = Reading(evidence_html([finished(answer)]))
    assert reading.texts("li") == ["Not in these papers.", "Not answered.", "No paper mentions “France”."]


def test_problems_and_stops_are_sentences_in_the_chat() -> None:
    turns = [ChatTurn(1, "A?", problem="The endpoint is down. Try later."), ChatTurn(2, "B?", text="So", stopped=True)]
    reading = Reading(conversation_html(turns))
    assert reading.texts("p", "pc-problem") == ["The endpoint is down. Try later."]
    assert reading.texts("p", "pc-note") == ["Stopped."]


def test_a_title_as_long_as_a_book_is_cut_and_a_paper_says_what_is_known_of_it() -> None:
    assert len(title_html(replace(PAPER, title="A" * 200_000))) <= 300
    assert paper_line(PAPER) == "August 19, 2021 · Kyutai · 2 authors"
    bare = replace(PAPER, published=None, organisation=None, n_authors=None)
    assert paper_line(bare) == "undated"
    assert paper_line(replace(PAPER, year_inferred=True)).startswith("August 19, 2021 (year inferred)")
