"""What is asked of a paper's record, and which details its abstract must give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.attributes import fields_asked, missing_details, never_listed, thing_asked


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("When was Phenaki published?", ("published",)),
        ("What is the publication date of Phenaki?", ("published",)),
        ("How many authors does Phenaki have?", ("n_authors",)),
        ("Which organisation released it, and when was it published?", ("published", "organisation")),
        ("What does Phenaki generate?", ()),
        ("When does training converge?", ()),
    ],
)
def test_fields_of_the_listing(text: str, fields: tuple[str, ...]) -> None:
    assert fields_asked(text) == fields


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Who wrote it?", "author names"),
        ("Which country do its authors come from?", "author affiliations"),
        ("What does Table 2 say?", "figures, tables, sections or page counts"),
        ("Which pages of the proceedings is it on?", "figures, tables, sections or page counts"),
        ("What is proved in the appendix?", "figures, tables, sections or page counts"),
        ("Who funded this?", "funding"),
        ("Where are its authors based?", "author affiliations"),
        ("Which company are the authors affiliated with?", "author affiliations"),
        ("How many tables does the paper contain?", "figures, tables, sections or page counts"),
        ("How many views does the article have?", "upvotes, stars or downloads"),
        ("What is its DOI?", "identifiers"),
        ("Is it peer-reviewed?", "venues"),
        ("Which journal did it appear in?", "venues"),
    ],
)
def test_facts_that_no_listing_has(text: str, kind: str) -> None:
    assert never_listed(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "How do authors cite papers?",
        "How does it position citations in text?",
        "What is an author count?",
        "How are tables parsed?",
        "Which figure of merit is used?",
        "How does it split a text into sections?",
        "Where do the authors get their training data from?",
        "How many tables does the text-to-SQL benchmark contain?",
        "How many views does NAPPER need for reconstruction?",
        "Do emergent abilities appear in a sudden way?",
        "How is the context presented in a prompt for translation?",
        "Which model is trained on arXiv for scientific text?",
        "How do language models help peer review?",
        "How does affiliation bias reviewers?",
    ],
)
def test_a_question_about_such_things_is_not_one_for_them(text: str) -> None:
    assert never_listed(text) is None


@pytest.mark.parametrize(
    ("text", "body", "missing"),
    [
        ("What learning rate is used?", "We tune the learning rates.", ()),
        ("What learning rate is used?", "We tune the model.", ("learning rate",)),
        ("What is the licence?", "released under Apache 2.0", ()),
        ("What batch size and dropout?", "a batch size of 32", ("dropout",)),
        ("What context window does it have?", "up to 32k tokens", ()),
        ("Which optimizer was used?", "trained with AdamW", ()),
        ("Which optimizer was used?", "we optimise the loss", ("optimizer",)),
        ("Which tokenizer does it use?", "trained on 40B tokens", ("tokenizer",)),
        ("Which tokenizer does it use?", "byte-level BPE", ()),
        ("What hardware was it trained on?", "using only 4 A100 GPUs", ()),
        ("How long did it take to train?", "a long training", ("time taken",)),
        ("How long did it take to train?", "trained within three days", ()),
        ("What is its latency in milliseconds?", "1.2x faster", ("milliseconds",)),
        ("What is its latency in milliseconds?", "below 100ms on a CPU", ()),
        ("How good is it?", "", ()),
        ("What does it do in MS MARCO retrieval?", "", ()),
        ("What pass rate does it reach in MBPP?", "", ()),
        ("What is the gain in GBDT training?", "", ()),
        ("Does it add any cost at training time?", "", ()),
        ("How does it reduce inference cost?", "", ()),
        ("Which method reduces training time?", "", ()),
        ("What is the inference cost?", "", ("inference cost",)),
        ("To what context lengths does it stretch?", "", ("context lengths",)),
        ("Who are the annotators?", "", ("annotators",)),
        ("How large is it in MB?", "", ("MB",)),
    ],
)
def test_details_must_stand_in_the_text(text: str, body: str, missing: tuple[str, ...]) -> None:
    assert missing_details(text, [body]) == missing


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("Which speech corpus was LSLM trained on?", "speech corpus"),
        ("Which backbone does it use?", "backbone"),
        ("What kind of encoder does it use?", None),  # an answer need not say "kind"
        ("What field is it inspired by?", None),
        ("What learning rate does it use?", None),  # one of the details
        ("Which BERT does it use?", None),  # a name
        ("How does it work?", None),
    ],
)
def test_the_thing_asked_for(text: str, thing: str | None) -> None:
    span = thing_asked(text)
    assert (text[slice(*span)] if span else None) == thing


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text(text: str, bodies: list[str]) -> None:
    fields_asked(text)
    never_listed(text)
    span = thing_asked(text)
    assert span is None or 0 <= span[0] < span[1] <= len(text)
    assert all(detail in text or detail == "time taken" for detail in missing_details(text, bodies))
