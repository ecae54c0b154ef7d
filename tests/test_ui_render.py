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

from rag.answer.answer import Citation, Confidence, RetrievedPassage, Searched, Sentence
from rag.answer.draft import refusal
from rag.answer.explained import LEVELS, REFUSALS
from rag.feedback import judged
from rag.papers import Filters, Passage
from ui.answer_html import answer_html, confidence_html
from ui.conversation import ChatTurn
from ui.escape import escaped, paper_line, paper_links, title_html
from ui.evidence_html import abstract_html, evidence_html, full_text_html
from ui.turns_html import conversation_html
from ui.why_html import why_html

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


def _deep(text: str) -> Citation:
    """A citation of the first sentence of a passage of the full text."""
    end = text.index(".") + 1
    passage = Passage(
        "fast-x:9", PAPER.paper_id, 9, text, 100, 100 + len(text), in_body=True, section="3 Results", page=4
    )
    return Citation(1, PAPER, text[:end], 100, 100 + end, 1.0, passage)


def test_where_only_the_full_text_is_cited_the_passage_leads_and_the_abstract_is_folded() -> None:
    deep = _deep("It halves the cost. No more is known.")
    shown = evidence_html([finished(answered("It halves the cost [1].", (deep,)))])
    reading = assert_harmless(shown)
    assert shown.index("<mark>It halves") < shown.index('<details class="pc-folded"><summary>Abstract</summary>')
    assert reading.texts("details", "pc-folded") == [f"Abstract{ABSTRACT}"]
    both = evidence_html([finished(answered("X [1].", (citation(1, PAPER, "We study X."), deep)))])
    assert both.index("<mark>We study X.") < both.index("<mark>It halves")
    assert "pc-folded" not in both


@pytest.mark.parametrize(
    ("text", "begins_within"),
    [
        ("and halves the cost. More.", True),
        (", too. X.", True),
        ("Costs fall. X.", False),
        ("mRNA is short. X.", False),
    ],
)
def test_a_passage_that_begins_within_a_sentence_says_so(text: str, begins_within: bool) -> None:
    (shown,) = Reading(full_text_html([_deep(text)])).texts("p", "pc-abstract")
    assert shown == ("… " if begins_within else "") + text


def test_overlapping_quotes_become_one_mark() -> None:
    citations = [citation(1, PAPER, "Indexes are 99% smaller"), citation(1, PAPER, "99% smaller than <EOS> ones.")]
    reading = Reading(abstract_html(PAPER, citations))
    assert reading.text == ABSTRACT
    assert reading.texts("mark") == ["Indexes are 99% smaller than <EOS> ones."]


def test_formulas_are_drawn_in_answers_and_abstracts_but_never_across_the_border_of_a_quote() -> None:
    paper = replace(PAPER, abstract="It takes $n^2$ steps. So $x and y$ differ by $5.")
    cited = (citation(1, paper, "It takes $n^2$ steps."), citation(1, paper, "and y$ differ"))
    reading = assert_harmless(abstract_html(paper, cited))
    assert reading.text == paper.abstract
    assert reading.texts("mark") == ["It takes $n^2$ steps.", "and y$ differ"]
    assert reading.texts("math") == ["$n^2$"]
    answer = answered("It takes $n^2$ steps [1], or $x[1]$ for $5.", cited)
    reading = assert_harmless(answer_html(finished(answer)))
    assert reading.text == "It takes $n^2$ steps1, or $x1$ for $5."
    assert reading.texts("math") == ["$n^2$"]


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


def test_each_sentence_says_what_it_rests_on_and_an_unsupported_one_why_it_is_marked() -> None:
    sentences = (
        Sentence("“Fast X” is fast [1].", (1,), 1.0, supported=True),
        Sentence("It is\nfree [1].", (1, 9), 0.1, supported=False, note="“free” is in no passage"),
        Sentence("Not in the text.", (), 0.0, supported=False),
        Sentence("Nor is this.", (), 0.0, supported=False),
    )
    text = "“Fast X” is fast [1]. It is\nfree [1]. Nor is this."
    answer = answered(text, (citation(1, PAPER, "We study X."),), sentences=sentences)
    reading = assert_harmless(conversation_html([finished(answer, 3)]))
    said = "Not supported: “free” is in no passage"
    assert reading.texts("span", "pc-sentence") == [
        "“Fast X” is fast1.",
        "It is",
        f"free1.{said}",
        "Nor is this.Not supported: no cited paper supports this sentence",
    ]
    assert reading.texts("span", "pc-title") == ["“Fast X”"]
    assert reading.texts("button", "pc-flag")[0] == reading.texts("span", "pc-spoken")[0] == said
    rests = [(a.get("data-cites"), a.get("data-turn")) for _, a in reading.tags if "pc-sentence" in str(a.get("class"))]
    assert rests == [("1", "3"), ("1", "3"), ("1", "3"), (None, None)]
    assert any("dotted underline" in note for note in reading.texts("p", "pc-note"))


def test_the_search_is_shown_only_where_it_is_not_what_was_typed_and_each_part_can_be_taken_away() -> None:
    same = ChatTurn(1, " What? ", searched=Searched("What?", Filters(), ()))
    assert Reading(conversation_html([same])).texts("p", "pc-searched") == []
    filters = Filters(published_from=date(2024, 5, 1), organisation="Kyutai", min_authors=2, max_authors=2)
    other = ChatTurn(4, "And then?", searched=Searched("And then? (about X)", filters, ()))
    running = Reading(conversation_html([other]))
    assert running.texts("p", "pc-searched") == [
        "Searched for: And then? (about X)×",
        "Only papers published since 2024-05-01× listed under Kyutai× by 2 authors×",
    ]
    assert all("disabled" in away for away in _buttons(running))
    other.stop()
    aways = [away for away in _buttons(Reading(conversation_html([other]))) if away["class"] == "pc-away"]
    assert [(a["data-act"], a.get("data-field"), a["data-turn"]) for a in aways] == [
        ("unrewrite", None, "4"),
        ("unfilter", "published", "4"),
        ("unfilter", "organisation", "4"),
        ("unfilter", "authors", "4"),
    ]
    assert aways[2]["aria-label"] == "Ask without this: listed under Kyutai"
    assert not any("disabled" in away for away in aways)
    assert Reading(conversation_html([other], latest=False)).texts("button", "pc-away") == []


def test_what_can_be_done_with_a_turn_stands_in_one_line() -> None:
    done = finished(answered("So."), 1)
    failed = ChatTurn(2, "B?", problem="Down.")
    running = ChatTurn(3, "C?", text="So far")
    acts = [(b["data-act"], b["data-turn"]) for b in _buttons(Reading(conversation_html([done, failed, running])))]
    assert acts == [("edit", "1"), ("copy", "1"), ("thumb", "1"), ("thumb", "1"), ("edit", "2")]
    acts = [(b["data-act"], b["data-turn"]) for b in _buttons(Reading(conversation_html([done, failed])))]
    assert acts[-2:] == [("edit", "2"), ("retry", "2")]


def test_a_verdict_that_was_given_is_pressed() -> None:
    turn = finished(answered("So."))
    assert turn.answer
    turn.feedback = judged("What?", [], turn.answer, "not_helpful")
    reading = Reading(conversation_html([turn]))
    thumbs = [(b["data-verdict"], b["aria-pressed"]) for b in _buttons(reading) if b["data-act"] == "thumb"]
    assert thumbs == [("helpful", "false"), ("not_helpful", "true")]
    assert "Noted on this machine." in reading.text


@pytest.mark.parametrize(
    ("before", "words"),
    [(None, "Searching"), (0, "Searching"), (1, "1 person is before you."), (2, "2 people are before you.")],
)
def test_who_waits_sees_the_place_in_the_queue(before: int | None, words: str) -> None:
    waiting = Reading(conversation_html([ChatTurn(1, "What?", waiting=before)])).texts("p", "pc-waiting")
    assert waiting[0].startswith(words)


def _buttons(reading: Reading) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in reading.tags if tag == "button"]


def test_scores_are_numbers_and_bars_with_one_scale_a_column() -> None:
    other = replace(PAPER, paper_id="slow-y", title="Slow Y")
    passages = (found(PAPER, dense=0.44, words=10.0, fused=1.0, rerank=1.2, words_rank=1.0), found(other, words=20.0))
    left_out = (replace(found(other, dense=-0.11), left_out="rank 3: only the best 2 papers are used"),)
    answer = answered("So [1].", (citation(1, PAPER, "We study X."),), passages=passages, left_out=left_out)
    reading = assert_harmless(why_html(answer))
    bars = [attributes["value"] for tag, attributes in reading.tags if tag == "progress"]
    assert [reading.texts("th")[:4], reading.texts("th")[4:]] == [
        ["dense", "words", "fused", "rerank"],
        ["1Fast X", "Slow Y", "Slow Y"],
    ]
    assert reading.texts("td") == [
        *"0.44 10.00 1.00 1.20 – 20.00 – –".split(),
        "Left out: only the best 2 papers are used",
        *"-0.11 – – –".split(),
    ]
    assert bars == ["1.000", "0.500", "1.000", "1.000", "1.000", "0.000"]
    assert reading.texts("details", "pc-why")[0].startswith("See why")


def test_columns_are_the_scores_that_there_are_and_what_sums_up_others_stands_for_them() -> None:
    ranks = {"dense_rank": 1, "words_rank": 1, "feedback_rank": 1, "fused_rank": 1}
    arms = {"dense": 0.4, "words": 9.0, "feedback": 0.6, "fused": 1.0, **ranks}
    weighed = {**arms, "rerank": 0.6, "whole": 0.3, "sequence": 0.5, "linear": 2.5, "score": 1.0}
    below = {**weighed, "linear": -0.5}
    reading = assert_harmless(why_html(answered("So.", passages=(found(PAPER, **weighed), found(PAPER, **below)))))
    assert reading.texts("th")[:5] == reading.texts("dt") == ["dense", "words", "feedback", "fused", "weighed"]
    assert reading.texts("td")[:5] == ["0.40", "9.00", "0.60", "1.00", "2.50"]
    assert [a["value"] for tag, a in reading.tags if tag == "progress"][-1] == "0.000", "worse than the average paper"
    assert all(meaning.endswith(".") for meaning in reading.texts("dd"))
    reading = assert_harmless(why_html(answered("So.", passages=(found(PAPER, **arms, rerank=4.2, score=1.0),))))
    assert reading.texts("dt") == ["dense", "words", "feedback", "fused", "rerank"]


def test_many_papers_left_out_stay_short() -> None:
    def left(n: int, reason: str) -> RetrievedPassage:
        return replace(found(replace(PAPER, title=f"P{n}"), dense=0.1), left_out=f"rank {n}: {reason}")

    left_out = tuple(left(n, "not among the best" if n < 40 else "too long") for n in range(6, 51))
    reading = assert_harmless(why_html(answered("So.", left_out=left_out)))
    assert len(reading.texts("th")) == 1 + 10
    assert reading.texts("details", "pc-rest")[0].startswith("35 moreLeft out: not among the bestP16")
    assert reading.texts("li")[-1] == "P50"
    assert len(reading.texts("p", "pc-left")) == 2


def test_the_time_of_each_stage_is_a_bar_of_the_whole() -> None:
    timings = {"understand": 100.0, "retrieve": 300.0, "first_words": 450.0, "write": 1600.0, "total": 2000.0}
    usage = {"prompt_tokens": 1234, "completion_tokens": 56}
    reading = assert_harmless(why_html(replace(answered("So."), timings_ms=timings, usage=usage)))
    assert reading.texts("dt") == ["Understanding", "Searching", "Writing and checking"]
    assert reading.texts("dd") == ["100 ms", "300 ms", "1.6 s"]
    assert [attributes["value"] for tag, attributes in reading.tags if tag == "progress"] == ["0.050", "0.150", "0.800"]
    assert reading.texts("p", "pc-note") == [
        "2.0 s in all, first words after 450 ms",
        "1,234 tokens read by the model, 56 tokens written by it",
    ]


def test_what_there_is_nothing_to_say_about_is_not_there() -> None:
    reading = assert_harmless(why_html(replace(answered("So."), timings_ms={})))
    assert reading.texts("h3") == ["How this was decided"]
    assert "table" not in {tag for tag, _ in reading.tags}


def test_a_refusal_says_why_and_offers_the_nearest_papers() -> None:
    other = replace(PAPER, paper_id="slow-y", title="Slow Y")
    draft = refusal("No paper mentions “France”.", [PAPER, other])
    answer = answered(draft.text, outcome="refused", reason=draft.reason, nearest=draft.nearest)
    evidence = assert_harmless(evidence_html([finished(answer)]))
    assert evidence.texts("p", "pc-reason") == ["No paper mentions “France”."]
    assert evidence.texts("span", "pc-paper") == ["Fast X", "Slow Y"]
    assert evidence.texts("p", "pc-abstract") == [ABSTRACT, ABSTRACT]
    chat = assert_harmless(conversation_html([finished(answer)]))
    said = "The papers in this library do not answer that. No paper mentions “France”."
    assert chat.texts("div", "pc-answer") == [said], "the offer is made by the buttons"
    assert chat.texts("span", "pc-paper") == ["Fast X", "Slow Y"]
    offered = [b["data-paper"] for b in _buttons(chat) if b["data-act"] == "about"]
    assert offered == ["fast-x", "slow-y"]


def test_evidence_of_old_turns_keeps_its_sources_and_drops_the_rest() -> None:
    answer = answered("So [1].", (citation(1, PAPER, "We study X."),), passages=(found(PAPER, dense=0.5),))
    reading = Reading(evidence_html([finished(answer, n) for n in range(1, 31)]))
    assert len(reading.texts("details", "pc-source")) == 30
    assert len(reading.texts("details", "pc-why")) == 8


@pytest.mark.parametrize("level", LEVELS)
def test_how_sure_an_answer_is_stands_there_in_words_without_a_number(level: Confidence) -> None:
    for answer, words in [
        (answered("So.", confidence=level, signals={"confidence": 0.8134}), LEVELS[level]),
        (answered("No.", confidence=level, outcome="refused", signals={"confidence": 0.8134}), REFUSALS[level]),
    ]:
        reading = Reading(confidence_html(answer))
        assert reading.text == words
        assert reading.texts("span", "pc-refused" if answer.refused else f"pc-{level}") == [words]
        assert bool(reading.texts("span", f"pc-{level}")) != answer.refused
        assert "813" not in Reading(evidence_html([finished(answer)])).text


def test_how_an_answer_was_decided_is_told_in_words_and_folded() -> None:
    signals = {"coverage": 0.95, "agreement": 1.0, "paper_margin": 0.3, "citations_moved": 2.0, "confidence": 0.9}
    answer = answered("So [1].", (citation(1, PAPER, "We study X."),), confidence="high", signals=signals)
    reading = Reading(evidence_html([finished(replace(answer, route="The question asks for a number."))]))
    folded = [attributes for tag, attributes in reading.tags if attributes.get("class") == "pc-why"]
    assert [("open" in attributes) for attributes in folded] == [False]
    assert reading.texts("summary")[-1] == "See why"
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


def test_links_lead_where_the_identifiers_say_and_nowhere_else() -> None:
    known = replace(PAPER, arxiv_id="2309.12345", doi='10.1000/x"><script>', url="javascript:alert(1)")
    reading = assert_harmless(paper_links(known))
    links = [dict(attributes) for tag, attributes in reading.tags if tag == "a"]
    assert [link["href"] for link in links] == [
        "https://arxiv.org/abs/2309.12345",
        "https://doi.org/10.1000/x%22%3E%3Cscript%3E",
    ]
    assert all(link["rel"] == "noopener noreferrer" for link in links)
    assert paper_links(PAPER) == ""
