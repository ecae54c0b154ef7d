"""Whole conversations as files: what another program reads from them is what was said."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pybtex.database import parse_string

from rag.answer.answer import Answer, Citation, Sentence
from rag.conversations import StoredTurn
from rag.export_conversation import conversation_bibtex, conversation_json, conversation_markdown
from rag.papers import Filters, Paper

DEBERTA = Paper("deberta", "DeBERTa: Decoding-enhanced BERT", "The larger model has 48 layers.", date(2020, 6, 5))
MOSHI = Paper("moshi", "Moshi", "It has a latency of 160ms.", date(2024, 9, 17))
HYMBA = Paper("hymba", "Hymba", "It has 128 meta tokens.", date(2024, 11, 20))
AT = "2026-11-21T19:30:00.123456+00:00"


def answered(question: str, *papers: Paper) -> Answer:
    """One sentence for each paper, quoting it."""
    lines = [f"{paper.abstract} [{n}]" for n, paper in enumerate(papers, 1)]
    return Answer(
        question=question,
        query_used=question,
        filters=Filters(),
        answer="\n\n".join(lines),
        outcome="answered" if papers else "refused",
        reason="" if papers else "Nothing was found.",
        answerer="quotes",
        citations=tuple(Citation(n, p, p.abstract, 0, len(p.abstract), 1.0) for n, p in enumerate(papers, 1)),
        sentences=tuple(Sentence(line, (n,), 1.0, True) for n, line in enumerate(lines, 1)),
    )


def turn(number: int, question: str, *papers: Paper) -> StoredTurn:
    answer = answered(question, *papers)
    return StoredTurn(number, question, AT, answer.answer, answer)


TURNS = (
    turn(1, "How many layers?", DEBERTA),
    turn(2, "And the latency?", MOSHI, DEBERTA),
    StoredTurn(3, "And then?", "2026-11-21T20:31:00+01:00", "It has 128", stopped=True),
    StoredTurn(5, "Why?", AT, problem="The endpoint is not reachable. Start it."),
)


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def test_the_markdown_has_every_question_with_its_answer_and_its_own_sources() -> None:
    assert conversation_markdown("Layers & latency", TURNS) == (
        "# Layers \\& latency\n\n"
        "## How many layers?\n\n"
        "Asked on 2026-11-21 at 19:30 UTC.\n\n"
        "The larger model has 48 layers. [1]\n\n"
        "### Sources\n\n"
        "1. **DeBERTa: Decoding-enhanced BERT** (2020-06-05)\n\n"
        "   > “The larger model has 48 layers.”\n\n"
        "### How this was made\n\n"
        "- Plausible, check the quote.\n"
        "- Answered from the papers.\n"
        "- No language model took part.\n\n"
        "## And the latency?\n\n"
        "Asked on 2026-11-21 at 19:30 UTC.\n\n"
        "It has a latency of 160ms. [1]\n\n"
        "The larger model has 48 layers. [2]\n\n"
        "### Sources\n\n"
        "1. **Moshi** (2024-09-17)\n\n"
        "   > “It has a latency of 160ms.”\n\n"
        "2. **DeBERTa: Decoding-enhanced BERT** (2020-06-05)\n\n"
        "   > “The larger model has 48 layers.”\n\n"
        "### How this was made\n\n"
        "- Plausible, check the quote.\n"
        "- Answered from the papers.\n"
        "- No language model took part.\n\n"
        "## And then?\n\n"
        "Asked on 2026-11-21 at 19:31 UTC.\n\n"
        "It has 128\n\n"
        "Stopped before the end.\n\n"
        "## Why?\n\n"
        "Asked on 2026-11-21 at 19:30 UTC.\n\n"
        "The endpoint is not reachable. Start it.\n"
    )


def test_the_headings_of_the_rendered_file_are_the_conversation_its_questions_and_their_parts() -> None:
    headings = re.findall(r"<h(\d)>([^<]*)</h", rendered(conversation_markdown("A title", TURNS)))
    assert headings == [
        ("1", "A title"),
        ("2", "How many layers?"),
        ("3", "Sources"),
        ("3", "How this was made"),
        ("2", "And the latency?"),
        ("3", "Sources"),
        ("3", "How this was made"),
        ("2", "And then?"),
        ("2", "Why?"),
    ]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "# no heading", "[x](javascript:alert(1))", "- no item", "a\n\n# b", "| a |"]
)
def test_nothing_that_somebody_wrote_becomes_markup(text: str) -> None:
    turns = [StoredTurn(1, text, text, text, problem=text), StoredTurn(2, text, AT, problem=text)]
    page = rendered(conversation_markdown(text, turns))
    assert set(re.findall(r"</?([a-z0-9]+)", page)) <= {"h1", "h2", "p", "ul", "li"}
    assert page.count("<h1>") == 1
    assert page.count("<h2>") == 2


def test_a_turn_with_nothing_in_it_and_a_conversation_without_turns_are_said() -> None:
    assert conversation_markdown("T", [StoredTurn(1, "Q", "no time")]) == "# T\n\n## Q\n\nNo answer.\n"
    assert conversation_markdown("T", []) == "# T\n"
    assert json.loads(conversation_json("T", [])) == {"title": "T", "turns": []}
    assert "% Nothing here cites a paper." in conversation_bibtex([TURNS[3]])


def test_the_json_has_each_answer_as_the_terminal_prints_it() -> None:
    told = json.loads(conversation_json("Layers", TURNS))
    assert told["title"] == "Layers"
    assert [row["number"] for row in told["turns"]] == [1, 2, 3, 5]
    assert told["turns"][1]["answer"] == answered("And the latency?", MOSHI, DEBERTA).as_dict()
    assert told["turns"][2] == {
        "number": 3,
        "question": "And then?",
        "asked_at": "2026-11-21T20:31:00+01:00",
        "text": "It has 128",
        "stopped": True,
        "problem": "",
        "answer": None,
    }


def test_every_cited_paper_is_in_the_bibtex_once_in_the_order_of_the_conversation() -> None:
    data = parse_string(conversation_bibtex([*TURNS, turn(6, "Tokens?", DEBERTA, HYMBA)]), "bibtex")
    assert list(data.entries) == ["deberta2020", "moshi2024", "hymba2024"]


PAPERS = st.lists(st.sampled_from([DEBERTA, MOSHI, HYMBA]), unique=True, max_size=3)


@given(st.lists(PAPERS, max_size=4))
@settings(max_examples=40, deadline=None)
def test_the_bibtex_has_exactly_the_papers_that_the_answers_cite(cited: Sequence[Sequence[Paper]]) -> None:
    turns = [turn(n, "Q", *papers) for n, papers in enumerate(cited, 1)]
    wanted = dict.fromkeys(f"{p.paper_id}{p.published:%Y}" for papers in cited for p in papers)
    assert list(parse_string(conversation_bibtex(turns), "bibtex").entries) == list(wanted)


def test_half_a_surrogate_pair_can_be_sent_and_read_as_json() -> None:
    bad = "half \ud800 a pair"
    turns = [StoredTurn(1, bad, AT, bad, replace(answered(bad, MOSHI), reason=bad))]
    told = conversation_json(bad, turns)
    assert json.loads(told.encode())["turns"][0]["answer"]["reason"] == bad
    assert conversation_markdown(bad, turns).encode()
    assert conversation_bibtex(turns).encode()
