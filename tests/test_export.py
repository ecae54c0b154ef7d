"""Answers as files: what another program reads from them is what the answer says."""

from __future__ import annotations

import html
import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pybtex.database import BibliographyData, parse_string
from pylatexenc.latex2text import LatexNodes2Text

from rag.answer.answer import Answer, Citation, Sentence
from rag.errors import SettingsError
from rag.export import export_form, to_bibtex, to_markdown, write_export
from rag.papers import Filters, Paper
from rag.readers import find_sources, read_file

ROOT = Path(__file__).parents[1]
DEBERTA = Paper(
    "deberta",
    "DeBERTa: Decoding-enhanced BERT with Disentangled Attention",
    "The larger model has 48 layers. It is good.",
    date(2020, 6, 5),
    organisation="Microsoft",
)
MOSHI = Paper("moshi", "Moshi: a speech-text foundation model", "It has a latency of 160ms.", date(2024, 9, 17), True)
UNDATED = Paper("undated", "The Undated", "Nothing.")


def cited(paper: Paper, n: int, quote: str | None = None) -> Citation:
    quote = paper.abstract if quote is None else quote
    start = paper.abstract.index(quote)
    return Citation(n, paper, quote, start, start + len(quote), 1.0)


CITATIONS = (
    cited(DEBERTA, 1, "The larger model has 48 layers."),
    cited(DEBERTA, 1, "It is good."),
    cited(MOSHI, 2),
)
ANSWER = Answer(
    question="And the larger one?",
    query_used="How many layers does the larger DeBERTa have?",
    filters=Filters(published_from=date(2020, 1, 1), published_to=date(2020, 12, 31)),
    answer="It has 48 layers [1]. Moshi is something else [2].",
    outcome="partial",
    reason="One of two sentences was found.",
    answerer="openai",
    model="some-model",
    citations=CITATIONS,
    sentences=(Sentence("It has 48 layers [1].", (1,), 0.9, True),),
    nearest=(UNDATED,),
)


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def shown(markdown: str) -> str:
    """What a reader of the rendered file sees, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", rendered(markdown))).split())


def entries(*papers: Paper) -> BibliographyData:
    return parse_string(to_bibtex([cited(paper, n) for n, paper in enumerate(papers, 1)]), "bibtex")


def plain(tex: str) -> str:
    """The text that LaTeX shows; two macros of its base are not known to the decoder."""
    tex = tex.replace(r"\textbraceleft", r"\{").replace(r"\textbraceright", r"\}")
    return readable(LatexNodes2Text(strict_latex_spaces=True).latex_to_text(tex))


def readable(text: str) -> str:
    """What TeX makes of quotes, dashes and look-alikes of ASCII, and accents in any composition."""
    for tex, character in (("ˆ", "^"), ("˜", "~"), ("”", '"'), ("“", '"'), ("''", '"'), ("``", '"')):
        text = text.replace(tex, character)
    return " ".join(text.split())


# --- Markdown ------------------------------------------------------------------------------------


def test_the_markdown_has_question_answer_sources_and_making() -> None:
    assert to_markdown(ANSWER) == (
        "# And the larger one?\n\n"
        "Searched for: How many layers does the larger DeBERTa have?\n\n"
        "Only papers published in 2020.\n\n"
        "It has 48 layers [1]. Moshi is something else [2].\n\n"
        "## Sources\n\n"
        "1. **DeBERTa: Decoding-enhanced BERT with Disentangled Attention** (2020-06-05, listed under Microsoft)\n\n"
        "   > “The larger model has 48 layers.”\n\n"
        "   > “It is good.”\n\n"
        "2. **Moshi: a speech-text foundation model** (2024-09-17, year inferred)\n\n"
        "   > “It has a latency of 160ms.”\n\n"
        "## Nearest papers\n\n"
        "- **The Undated** (undated)\n\n"
        "## How this was made\n\n"
        "- Plausible, check the quote.\n"
        "- Answered in part.\n"
        "- One of two sentences was found.\n"
        "- Written by the model some-model; each sentence, in English, was checked against what it cites.\n"
    )


def test_the_sources_keep_their_numbers_and_quotes_when_rendered() -> None:
    page = rendered(to_markdown(ANSWER))
    assert page.count("<ol>") == 1
    assert page.count("<blockquote>") == 3
    assert page.count("<h2>") == 3


def test_an_answer_without_a_model_says_so_and_a_style_and_a_language_are_named() -> None:
    quoted = to_markdown(replace(ANSWER, model=None, answerer="quotes", filters=Filters(), nearest=()))
    assert "- No language model took part." in quoted
    assert "Only papers" not in quoted
    assert "Nearest" not in quoted
    other = to_markdown(replace(ANSWER, style="plain", language="German"))
    assert "- Style: plain." in other
    assert "- Translated into German; the quotes stand as the papers have them." in other


def test_lists_and_paragraphs_of_an_answer_stay_lists_and_paragraphs() -> None:
    page = rendered(
        to_markdown(replace(ANSWER, answer="Two things.\n\n- one [1]\n- two [unsupported]\n\nThat is all."))
    )
    assert "<p>Two things.</p>\n<ul>\n<li>one [1]</li>\n<li>two [unsupported]</li>\n</ul>\n<p>That is all.</p>" in page


HOSTILE = [
    "<script>alert(1)</script> & <b>bold</b>",
    "[click](javascript:alert(1)) ![x](http://example.org/x.png)",
    "*not* _italic_ `code` ~~gone~~ | a | b |",
    "# no heading",
    "1. no list",
    "- no item",
    "> no quote",
    "=== \\ --- ***",
    "    no code",
    "&lt;b&gt; &amp;",
    "$x^2$ \\(y\\)",
    "[1]: http://example.org",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_becomes_markup(text: str) -> None:
    paper = replace(MOSHI, title=text, abstract=text, organisation=text)
    markdown = to_markdown(
        replace(
            ANSWER,
            question=text,
            query_used=text,
            answer=f"{text}\n{text.lstrip('- ')} [1]",
            citations=(cited(paper, 1),),
            nearest=(paper,),
            reason=text,
            model=text,
        )
    )
    tags = set(re.findall(r"</?([a-z0-9]+)", rendered(markdown)))
    assert tags <= {"h1", "h2", "p", "ol", "ul", "li", "strong", "blockquote"}
    assert shown(markdown).count(" ".join(text.lstrip("- ").split())) >= 7


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z"), include_characters=" \n"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_reader_of_the_rendered_file_sees_what_the_answer_says(text: str) -> None:
    markdown = to_markdown(replace(ANSWER, question=f"Q {text}", answer=f"A {text}", citations=(), nearest=()))
    words = " ".join(text.split())
    assert f"Q {words}".strip() in shown(markdown)
    assert shown(markdown).count(words) >= 2 or not words or words.startswith("- ") or "\n- " in text


def test_what_could_steer_a_terminal_or_reorder_a_line_is_left_out() -> None:
    bad = "a\x1b[2Jb\u202ec\ud800d"
    answer = replace(
        ANSWER, question=bad, answer=bad, citations=(cited(replace(MOSHI, title=bad, organisation=bad), 1),)
    )
    for text in (to_markdown(answer), to_bibtex(answer.citations)):
        assert not re.search("[\x1b\u202e\ud800]", text)


# --- BibTeX --------------------------------------------------------------------------------------


def test_the_entries_are_the_cited_papers_once_each_in_their_order() -> None:
    text = to_bibtex(CITATIONS[::-1])
    data = parse_string(text, "bibtex")
    assert list(data.entries) == ["deberta2020", "moshi2024"]
    entry = data.entries["deberta2020"]
    assert entry.type == "misc"
    assert dict(entry.fields) == {
        "title": "{DeBERTa:} Decoding-enhanced {BERT} with Disentangled Attention",
        "key": "deberta",
        "organization": "Microsoft",
        "year": "2020",
        "month": "June",
    }
    assert "month = jun" in text
    assert text.startswith("% ")


def test_an_undated_paper_has_no_year() -> None:
    data = entries(UNDATED)
    assert dict(data.entries["undated"].fields) == {"title": "The Undated", "key": "undated"}


def test_every_paper_of_the_seeds_comes_back_from_another_parser() -> None:
    papers = list(
        {e.paper.paper_id: e.paper for p in find_sources([ROOT / "seeds"]) for e in read_file(p).entries}.values()
    )
    papers = [replace(paper, abstract=paper.abstract or "x") for paper in papers]
    data = entries(*papers)
    assert len(data.entries) == len(papers) > 200
    for paper, entry in zip(papers, data.entries.values(), strict=True):
        assert plain(entry.fields["title"]) == readable(paper.title)
        assert entry.fields.get("year") == (str(paper.published.year) if paper.published else None)


# Not two dashes or a question mark before a backquote, which TeX joins into other characters.
TITLES = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=126, include_characters="àéîõüçñßøåæÀÉÎÕÜÇÑØÅÆ"),
    min_size=1,
    max_size=40,
).filter(lambda text: text.strip() and not re.search(r"--|[?!<>]`|``|''|,,|<<|>>", text))


@given(TITLES)
@settings(max_examples=300, deadline=None)
def test_a_title_with_any_characters_comes_back_from_another_parser(title: str) -> None:
    data = entries(replace(MOSHI, title=title))
    (entry,) = data.entries.values()
    assert plain(entry.fields["title"]) == readable(title)


def test_a_brace_of_a_title_does_not_swallow_the_rest_of_the_file() -> None:
    data = entries(replace(MOSHI, title="Open { and open {"), DEBERTA)
    assert list(data.entries) == ["open2024", "deberta2020"]


def test_words_that_a_style_would_put_into_lower_case_are_guarded() -> None:
    (entry,) = entries(replace(MOSHI, title="GPT-4 & LLaMA: A 100% Self-Supervised study of xLSTM")).entries.values()
    assert entry.fields["title"] == r"{GPT-4} \& {LLaMA:} A 100\% Self-Supervised study of {xLSTM}"


@pytest.mark.parametrize(
    ("titles", "keys"),
    [
        (["The Scaling of Laws", "Scaling up Again"], ["scalingoflaws2024", "scalingupagain2024"]),
        (["Same Title", "Same title!"], ["sametitle2024-1", "sametitle2024-2"]),
        (["A", "The"], ["a2024", "the2024"]),
        (["注意力", "变换器"], ["paper2024-1", "paper2024-2"]),
        (["L’été à Paris"], ["lete2024"]),
    ],
)
def test_keys_are_unique_and_do_not_depend_on_the_order(titles: Sequence[str], keys: Sequence[str]) -> None:
    papers = [replace(MOSHI, paper_id=f"p{i}", title=title) for i, title in enumerate(titles)]
    assert list(entries(*papers).entries) == list(keys)
    assert list(entries(*reversed(papers)).entries) == list(reversed(keys))


def test_without_citations_the_file_says_so() -> None:
    text = to_bibtex(())
    assert "% Nothing here cites a paper." in text
    assert not parse_string(text, "bibtex").entries


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def test_the_end_of_the_name_decides_the_form(folder: Path) -> None:
    for name in ("a.md", "a.BIB", "a.json"):
        write_export(ANSWER, folder / name)
    assert (folder / "a.md").read_text("utf-8") == to_markdown(ANSWER)
    assert (folder / "a.BIB").read_text("utf-8") == to_bibtex(CITATIONS)
    assert json.loads((folder / "a.json").read_text("utf-8")) == ANSWER.as_dict()
    assert len(list(folder.iterdir())) == 3, "no draft is left behind"


@pytest.mark.parametrize("name", ["answer", "answer.txt", "answer.md.pdf", ".md"])
def test_another_name_is_refused_before_anything_is_written(folder: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"End the name in \.md, \.bib or \.json"):
        write_export(ANSWER, folder / name)
    with pytest.raises(SettingsError):
        export_form(folder / name)
    assert not list(folder.iterdir())


def test_a_file_is_replaced_whole_and_kept_where_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.md"
    path.write_text("old", "utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(SettingsError, match="No space left on device"):
            write_export(ANSWER, path)
    assert path.read_text("utf-8") == "old"
    assert list(folder.iterdir()) == [path]
    write_export(ANSWER, path)
    assert path.read_text("utf-8") == to_markdown(ANSWER)


def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").write_text("x", "utf-8")
    with pytest.raises(SettingsError, match=r"Cannot write .*a\.md: .*Choose another place"):
        write_export(ANSWER, folder / "file" / "a.md")


def test_a_text_that_no_file_can_hold_is_written_all_the_same(folder: Path) -> None:
    write_export(replace(ANSWER, answer="half \ud800 a pair"), folder / "a.json")
    assert "half" in (folder / "a.json").read_text("utf-8")
    assert stat.S_ISREG((folder / "a.json").stat().st_mode)


def test_authors_and_identifiers_of_a_record_are_in_its_bibtex_entry() -> None:
    names = ("Ada Fern", "Bø Wall, Jr., X", "Research and Design Group")
    known = replace(MOSHI, authors=names, arxiv_id="2410.00037", doi="10.48550/arxiv.2410.00037")
    (entry,) = parse_string(to_bibtex([cited(known, 1)]), "bibtex").entries.values()
    people = [LatexNodes2Text().latex_to_text(str(person)) for person in entry.persons["author"]]
    assert len(people) == 3
    assert people[0] == "Fern, Ada"
    assert "Research and Design Group" in people[2]
    assert entry.fields["eprint"] == "2410.00037"
    assert entry.fields["archiveprefix"] == "arXiv"
    assert entry.fields["doi"] == "10.48550/arxiv.2410.00037"
    (odd,) = parse_string(to_bibtex([cited(replace(MOSHI, doi="10.1/a}b"), 1)]), "bibtex").entries.values()
    assert "doi" not in odd.fields


def test_only_papers_without_authors_are_said_to_need_them() -> None:
    known = replace(MOSHI, authors=("Ada Fern",))
    assert not to_bibtex([cited(known, 1)]).startswith("%")
    said = to_bibtex([cited(known, 1), cited(DEBERTA, 2), cited(replace(UNDATED, authors=(" ",)), 3)])
    assert said.startswith("% The sources name no authors of deberta2020, undated: add them before you cite.\n")
