"""Readers of bibliographic records: what they get out of each format, and what they do with broken ones."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import string
import time
from datetime import date
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import soon

from rag.errors import SourceError
from rag.export import bibtex_of
from rag.papers import Paper, paper_id_for
from rag.readers import (
    Entry,
    Problem,
    arxiv_atom,
    bibtex,
    csl,
    hf_api,
    hf_html,
    hf_listing,
    json_table,
    openalex,
    read_raw,
    ris,
    semantic_scholar,
    table,
    zotero_rdf,
)
from rag.readers.fields import abstract_of, arxiv_of, count_of, dated_of, day_of, doi_of, line_of, text_of, url_of
from rag.readers.latex import plain
from rag.readers.oddities import Oddities
from rag.readers.records import authors_of
from rag.readers.source import Raw
from tests.listing_helpers import FIRST as LISTED
from tests.listing_helpers import HEAD, TODAY
from tests.record_samples import (
    BETWEEN,
    BROKEN,
    FIRST_ABSTRACT,
    FIRST_AUTHORS,
    FIRST_TITLE,
    HF,
    SAMPLES,
    SECOND_ABSTRACT,
    SECOND_TITLE,
    page,
)

IN_ORDER: tuple[ModuleType, ...] = (
    hf_html,
    hf_api,
    semantic_scholar,
    openalex,
    csl,
    json_table,
    zotero_rdf,
    bibtex,
    ris,
    table,
)
READS = {
    "bibtex": bibtex,
    "ris": ris,
    "csv": table,
    "zotero csv": table,
    "zotero rdf": zotero_rdf,
    "csl": csl,
    "semantic scholar": semantic_scholar,
    "semantic scholar bulk": semantic_scholar,
    "openalex": openalex,
    "hf api": hf_api,
    "hf html": hf_html,
    "json": json_table,
    "jsonl": json_table,
}
FORMATS = sorted(SAMPLES)


def reader_of(text: str, name: str = "file") -> ModuleType | None:
    raw = Raw(name, text.encode("utf-8", "surrogatepass"))
    return next((reader for reader in IN_ORDER if reader.recognises(raw)), None)


def read(reader: ModuleType, text: str, name: str = "file") -> tuple[list[Entry], list[Problem]]:
    entries, problems = reader.read(Raw(name, text.encode("utf-8", "surrogatepass")), today=TODAY)
    return entries, problems


def row(**cells: str) -> Paper:
    """The paper of a table with one row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, cells)
    writer.writeheader()
    writer.writerow(cells)
    entries, _ = read(table, out.getvalue())
    return entries[0].paper


# --- What the formats give ---


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_two_papers(kind: str) -> None:
    name, text = SAMPLES[kind]
    (first, second), problems = read(READS[kind], text, name)
    assert problems == []
    assert [first.paper.title, second.paper.title] == [FIRST_TITLE, SECOND_TITLE]
    assert [first.paper.abstract, second.paper.abstract] == [FIRST_ABSTRACT, SECOND_ABSTRACT]
    assert first.paper.arxiv_id == "2309.12345"
    assert second.paper.authors == ("Jane Doe",)
    whole = kind not in ("json", "jsonl")  # whose samples show the year alone, and an author list in one text
    assert first.paper.published == (date(2023, 9, 21) if whole else date(2023, 1, 1))
    assert second.paper.published == (date(2024, 2, 1) if whole else date(2024, 1, 1))
    if whole:
        assert first.paper.authors == FIRST_AUTHORS
    assert first.paper.n_authors == 3
    if not kind.startswith("hf"):
        assert [first.paper.doi, second.paper.doi] == [None, "10.1000/abc_1"]  # arXiv's own is the arXiv id
    assert 1 <= first.line <= second.line <= text.count("\n") + 1


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_told_by_what_it_holds_and_not_by_its_name(kind: str) -> None:
    name, text = SAMPLES[kind]
    assert reader_of(text, name) is READS[kind]
    assert reader_of(text, "download") is READS[kind]
    assert reader_of("\ufeff" + text.lstrip("\ufeff").replace("\n", "\r\n"), "copy.txt") is READS[kind]
    assert kind == "hf html" or not hf_listing.recognises(Raw(name, text.encode()))  # which comes after it


@pytest.mark.parametrize(
    "text",
    [
        HEAD + LISTED,
        "# Notes\n\nA [link](x), and\n\n```bibtex\n@article{a, title = {Not mine}}\n```\n",
        "Title, abstract and authors are what a paper begins with.\nThe rest, as they say, follows.",
        "[1] A reference list, 2023.\n[2] Another, 2024.\n",
        "@dataclass(frozen=True)\nclass A:\n    x = 1\n",
        "<html><body><h1>Papers</h1><p>Nothing of the hub's.</p></body></html>",
        "{curly} braces begin a template",
        "Date\tMean\n2023\t1\n",
        "\x00\x01\x02\x03" * 100,
        "",
    ],
)
def test_other_files_are_left_to_other_readers(text: str) -> None:
    assert reader_of(text, "file.txt") is None


@pytest.mark.parametrize("kind", FORMATS)
def test_a_bad_record_is_said_with_its_line_and_the_others_survive(kind: str) -> None:
    name, text = BETWEEN[kind]
    assert reader_of(text, name) is READS[kind]
    entries, problems = read(READS[kind], text, name)
    assert [entry.paper.title for entry in entries] == [FIRST_TITLE, SECOND_TITLE]
    assert [entry.paper.abstract for entry in entries] == [FIRST_ABSTRACT, SECOND_ABSTRACT]
    assert [problem.lost for problem in problems] == [True]
    assert entries[0].line <= (problems[0].line or 0) <= entries[1].line


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_file_of_broken_records_only_says_of_each_where_it_is(kind: str) -> None:
    name, text = BROKEN[kind]
    reading = read_raw(Raw(name, text.encode()), today=TODAY)
    assert reading.entries == ()
    assert reading.problems
    assert all(problem.lost and problem.line for problem in reading.problems)
    with pytest.raises(SourceError, match="empty"):
        read_raw(Raw(name, b"\n"), today=TODAY)


def test_an_oddity_of_a_record_that_was_taken_costs_nothing() -> None:
    odd = "title,abstract,date\nLate,Text.,2031-01-01\nBad day,Text.,soon\nBare,,2020-01-01\n"
    unended = "TY  - JOUR\nTI  - No end\nAB  - Text.\n"
    for reader, text in ((table, odd), (ris, unended)):
        entries, problems = read(reader, text)
        assert entries
        assert problems
        assert not any(problem.lost for problem in problems)


def test_a_record_of_ris_without_its_beginning_is_said_and_the_next_survives() -> None:
    lost = "TI  - Lost\nAB  - Its first line is gone.\nER  -\n"
    kept = "TY  - JOUR\nTI  - Kept\nAB  - Text.\nER  -\n"
    entries, problems = read(ris, f"{kept}\n{lost}\n{kept}")
    assert [entry.paper.title for entry in entries] == ["Kept", "Kept"]
    assert [(problem.line, problem.lost) for problem in problems] == [(6, True)]
    assert "beginning" in problems[0].message
    headless = lost.removesuffix("ER  -\n")
    for text, line in ((f"{headless}{kept}", 1), (f"{kept}\n{headless}", 6)):
        entries, problems = read(ris, text)
        assert [entry.paper.title for entry in entries] == ["Kept"]
        assert [(problem.line, problem.lost) for problem in problems] == [(line, True)]
    assert read(ris, f"{kept}ER  -\n\nER  -\n")[1] == []  # an end that ends nothing


def test_the_hub_says_more_of_a_paper_than_others() -> None:
    (entry, other), _ = read(hf_api, SAMPLES["hf api"][1])
    assert (entry.paper.organisation, entry.paper.comments, entry.paper.upvotes) == ("Kyutai", 3, 42)
    assert (other.paper.organisation, other.paper.comments, other.paper.upvotes) == (None, 0, 0)
    assert entry.paper.url == "https://huggingface.co/papers/2309.12345"


def test_an_answer_of_the_hub_may_be_an_empty_day_but_no_error_page() -> None:
    assert hf_api.read_bytes(b" []\n", "2024-01-01").entries == ()
    assert len(hf_api.read_bytes(json.dumps(HF).encode(), "2024-01-02", today=TODAY).entries) == 2
    for wrong in (b'{"error":"Rate limited"}', b"<html>502</html>", b"", b"[1, 2]", b'[{"sha": "x"}]', b"%PDF-1.4"):
        with pytest.raises(SourceError):
            hf_api.read_bytes(wrong, "2024-01-03")


def test_a_cut_answer_of_the_hub_says_so_and_keeps_what_is_whole() -> None:
    reading = hf_api.read_bytes(json.dumps(HF).encode()[:-40], "2024-01-02", today=TODAY)
    assert [entry.paper.title for entry in reading.entries] == [FIRST_TITLE]
    assert "cut off" in reading.problems[0].message


def test_a_page_without_its_data_gives_what_it_shows() -> None:
    shown = "".join(
        f'<article><a href="/papers/{n}"><img></a><label><div class="leading-none">{n[-1]}</div></label>'
        f'<h3><a href="https://huggingface.co/papers/{n}">A Title\n &amp; {n}</a></h3></article>\n'
        for n in ("2309.00001", "2309.00002", "2309.00003")
    )
    text = f"<html><head><title>Daily Papers</title></head><body>\n{shown}</body></html>"
    assert reader_of(text) is hf_html
    entries, problems = read(hf_html, text)
    assert [(e.paper.title, e.paper.arxiv_id, e.paper.upvotes) for e in entries][1:] == [
        ("A Title & 2309.00002", "2309.00002", 2),
        ("A Title & 2309.00003", "2309.00003", 3),
    ]
    assert len(problems) == 1
    assert "no abstract" in problems[0].message


def test_a_page_whose_data_are_cut_gives_the_papers_before_the_cut() -> None:
    text = page(HF)
    end = text.index("Small Models") + 5
    entries, problems = read(
        hf_html, text[:end] + '"></div></body></html>'.replace('">', '" data-target="DailyPapers">')
    )
    assert [entry.paper.title for entry in entries] == [FIRST_TITLE]
    assert "cut off" in problems[0].message


def test_records_of_arxivs_own_collection_are_read() -> None:
    record = {
        "id": "0704.0001", "submitter": "P", "authors": "C. Bal\\'azs, E. L. Berger",
        "title": "A\n  title in two lines",
        "comments": "37 pages", "doi": "10.1103/PhysRevD.76.013009", "abstract": "  A calculation.\nTwo lines.\n",
        "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}], "update_date": "2008-11-26",
        "authors_parsed": [["Balázs", "C.", ""], ["Berger", "E. L.", "Jr."]],
    }  # fmt: skip
    (entry,), _ = read(json_table, json.dumps(record))
    paper = entry.paper
    assert (paper.arxiv_id, paper.title, paper.abstract) == (
        "0704.0001",
        "A title in two lines",
        "A calculation. Two lines.",
    )
    assert (paper.authors, paper.published) == (("C. Balázs", "E. L. Berger Jr."), date(2007, 4, 2))
    assert paper.comments is None


def test_a_subtitle_of_biblatex_belongs_to_the_title() -> None:
    (entry,), _ = read(
        bibtex, "@article{a,\n title = {Sorting}, subtitle = {A Study}, title = {Sorted}, date = {2023-05/2023-06}}"
    )
    assert (entry.paper.title, entry.paper.published) == ("Sorting: A Study", date(2023, 5, 1))
    entries, problems = read(bibtex, "@misc{a, title={One}}\n@misc{a, title={Another of the same key}}")
    assert [entry.paper.title for entry in entries] == ["One", "Another of the same key"]
    assert len(problems) == 1


def test_notes_and_journals_that_stand_beside_the_papers_of_zotero_are_neither_papers_nor_lost_ones() -> None:
    name, text = SAMPLES["zotero rdf"]
    beside = (
        '<bib:Journal rdf:about="urn:issn:0028-0836"><dc:identifier>DOI 10.1000/ABC_1</dc:identifier>'
        "<dc:title>Nature</dc:title></bib:Journal><!-- a comment -->"
        '<bib:Memo rdf:about="#item_9"><rdf:value>Read this.</rdf:value></bib:Memo></rdf:RDF>'
    )
    entries, problems = read(zotero_rdf, text.replace("</rdf:RDF>", beside), name)
    assert [entry.paper.title for entry in entries] == [FIRST_TITLE, SECOND_TITLE]
    assert problems == []


def test_a_citation_list_holds_its_papers_one_deeper() -> None:
    text = json.dumps(
        {"offset": 0, "data": [{"isInfluential": True, "citingPaper": {"paperId": "x", "title": "Citing"}}]}
    )
    assert reader_of(text) is semantic_scholar
    assert [entry.paper.title for entry in read(semantic_scholar, text)[0]] == ["Citing"]


# --- Damage ---


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_anywhere_keeps_what_is_whole_and_raises_nothing_unexpected(kind: str) -> None:
    name, text = SAMPLES[kind]
    kept = set()
    for end in range(0, len(text), max(1, len(text) // 60)):
        raw = Raw(name, text[:end].encode())
        for reader in IN_ORDER:
            if reader.recognises(raw):
                try:
                    entries, _ = reader.read(raw, today=TODAY)
                except SourceError:
                    entries = []
                kept.add(len(entries))
                assert all(entry.paper.title for entry in entries)
                break
    late = Raw(name, text[: int(len(text) * 0.93)].encode())
    if kind not in ("hf html",):  # whose data are one attribute, cut with its closing quotation mark
        entries, _ = READS[kind].read(late, today=TODAY)
        assert entries[0].paper.abstract == FIRST_ABSTRACT


def test_a_cut_list_is_said_to_be_cut() -> None:
    for kind in ("csl", "openalex", "semantic scholar", "json"):
        name, text = SAMPLES[kind]
        _, problems = read(READS[kind], text.rstrip()[: -len(text) // 5], name)
        assert any("cut off" in problem.message for problem in problems), kind


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(FORMATS),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.text(st.sampled_from("{}[]\"\\',;:<>@&$%\n\t TYER-x\x00é"), max_size=8),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_a_damaged_file_raises_nothing_but_a_source_error_and_gives_clean_papers(
    kind: str, edits: list[tuple[float, int, str]]
) -> None:
    name, text = SAMPLES[kind]
    for where, length, put in edits:
        at = int(where * len(text))
        text = text[:at] + put + text[at + length :]
    for reader in (READS[kind], reader_of(text, name)):
        try:
            entries, _ = read(reader, text, name) if reader else ([], [])
        except SourceError:
            continue
        for entry in entries:
            assert 0 < len(entry.paper.title) <= 500
            assert "\n" not in entry.paper.title
            assert entry.line >= 1
            assert not any(ord(c) < 32 and c != "\n" for c in entry.paper.title + entry.paper.abstract)


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (json_table, "[" * 300_000),
        (json_table, '{"data":' * 40_000),
        (json_table, '[{"title":"x"},' + '{"title":' * 30_000),
        (json_table, '{"title":"x","a":1}\n' + '{"title"\n' * 30_000),
        (json_table, '[{"title":"x","year":' + "9" * 300_000 + "}]"),
        (bibtex, "@article{a, title={x}, author={" + "a and " * 20_000 + "}}"),
        (bibtex, "@article{a, title={" + "\\(" * 60_000 + "}}"),
        (bibtex, "@article{a, title={" + "\\'{" * 20_000 + "}" * 20_000 + "}}"),
        (bibtex, "@article{a," * 8_000),
        (ris, "TY  - JOUR\n" * 10_000),
        (ris, "TY  - JOUR\nTI  - x\n" + "line\n" * 60_000),
        (table, "title,abstract\n" + '"a"b,c\n' * 10_000),
        (table, "title,abstract\n" + 'a,"' + "x\n" * 100_000),
        (table, "title,authors\n" + "x," + " et al" * 20_000),
        (hf_html, '<div data-target="DailyPapers" data-props="' + "{&quot;" * 40_000),
        (hf_html, '<div data-target="DailyPapers">' + "<" * 300_000),
        (zotero_rdf, '<rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/">' + "<bib:Article>" * 25_000),
    ],
    ids=range(17),
)
def test_hostile_files_end_soon(reader: ModuleType, text: str) -> None:
    with soon(2, time.process_time):
        raw = Raw("file", text.encode())
        for other in IN_ORDER:
            other.recognises(raw)
        with contextlib.suppress(SourceError):
            reader.read(raw, today=TODAY)


def test_reading_takes_time_in_proportion_to_the_rows() -> None:
    def seconds(rows: int) -> float:
        line = f'"{FIRST_ABSTRACT}","Doe, Jane; Müller, Jörg",2023-09-21\n'
        text = "title,abstract,authors,date\n" + "".join(f"A title of number {n},{line}" for n in range(rows))
        started = time.process_time()
        entries, problems = read(table, text)
        assert (len(entries), problems) == (rows, [])
        return time.process_time() - started

    assert seconds(8_000) < 32 * max(seconds(1_000), 0.02)  # eight times as many; in the square of them it is 64


def test_entities_of_a_file_are_neither_fetched_nor_multiplied() -> None:
    bomb = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "boom"}">' for n in range(12))
    for declared in (bomb, '<!ENTITY file SYSTEM "file:///etc/passwd">', '<!ENTITY % far SYSTEM "http://127.0.0.1/x">'):
        text = SAMPLES["zotero rdf"][1].replace("?>", f"?><!DOCTYPE r [{declared}]>", 1)
        with pytest.raises(SourceError, match="entities"):
            read(zotero_rdf, text.replace("Small Models", "Small &a11; &file; Models"))


def test_many_broken_records_are_counted_and_not_listed_one_by_one() -> None:
    lines = ['{"title": "Good", "abstract": "Kept."}'] + ['{"broken'] * 300 + ['{"abstract": "No title."}'] * 10
    entries, problems = read(json_table, "\n".join(lines))
    assert len(entries) == 1
    assert len(problems) < 60
    assert "260 more" in problems[-1].message
    assert problems[-1].lost


def test_records_that_are_lost_and_oddities_of_others_are_counted_apart() -> None:
    odd = Oddities()
    for line in range(1, 61):
        odd.say(line, "odd")
        odd.say(100 + line, "gone", lost=True)
    told = [(problem.line, problem.message, problem.lost) for problem in odd.problems()]
    assert [sum(lost for *_, lost in told), len(told)] == [51, 102]
    assert told[-2:] == [
        (51, "10 more such problems from this line on.", False),
        (151, "10 more such problems from this line on.", True),
    ]


def test_what_is_true_of_many_records_is_said_once() -> None:
    text = "title,abstract,date\n" + "".join(f"Title {n},,soon\n" for n in range(40)) + "Later,Text.,2031-01-01\n"
    entries, problems = read(table, text)
    assert len(entries) == 41
    assert entries[-1].paper.published is None
    said = {problem.message: problem.line for problem in problems}
    assert sorted(said.values()) == [2, 2, 42]
    assert any(message.startswith("40 records") and "no abstract" in message for message in said)


# --- What is written is what is read ---

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Cn", "Co")), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), mark=st.sampled_from(",;\t|"))
def test_a_table_that_the_csv_module_writes_is_read_as_it_was(rows: list[tuple[str, str]], mark: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writerows([("Title", "Abstract"), *rows])
    entries, _ = read(table, out.getvalue())
    expected = [(line_of(title), abstract_of(text)) for title, text in rows if line_of(title)]
    assert [(entry.paper.title, entry.paper.abstract) for entry in entries] == expected


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), indent=st.sampled_from([None, 2]))
def test_json_is_read_as_it_was_written_in_any_of_its_layouts(rows: list[tuple[str, str]], indent: int | None) -> None:
    records = [{"title": title, "abstract": text} for title, text in rows]
    expected = [(line_of(title), abstract_of(text)) for title, text in rows if line_of(title)]
    for text in (
        json.dumps(records, indent=indent),
        json.dumps({"total": 1, "data": records}, indent=indent, ensure_ascii=False),
        "\n".join(json.dumps(record) for record in records),
    ):
        try:
            entries, _ = read(json_table, text)
        except SourceError:
            entries = []
        assert [(entry.paper.title, entry.paper.abstract) for entry in entries] == expected


@settings(max_examples=40, deadline=None)
@given(text=st.lists(st.text(string.ascii_letters + ".,", min_size=1, max_size=6), max_size=30).map(" ".join))
def test_an_index_of_words_gives_back_the_text(text: str) -> None:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(text.split()):
        index.setdefault(word, []).append(place)
    assert openalex.words_in_order(index) == text


@settings(max_examples=40, deadline=None)
@given(
    title=st.text(string.ascii_letters + " äéøßŁçñ&%_#$éα≤-:'", min_size=1, max_size=60).filter(
        lambda t: any(map(str.isalnum, t))
    ),
    authors=st.lists(
        st.sampled_from(["Jörg Müller", "Łukasz Kaiser", "Jan van der Berg", "Ada Lovelace"]), unique=True
    ),
    month=st.integers(1, 12),
)
def test_our_own_bibtex_is_read_as_it_was_written(title: str, authors: list[str], month: int) -> None:
    title = line_of(plain(title))
    paper = Paper(
        paper_id_for(title),
        title,
        "",
        date(2023, month, 1),
        authors=tuple(authors),
        arxiv_id="2309.12345",
        doi="10.1000/a",
    )
    (entry,), _ = read(bibtex, bibtex_of([paper]))
    got = entry.paper
    assert got.title.split() == title.split()
    assert (got.authors, got.published) == (paper.authors, paper.published)
    assert (got.arxiv_id, got.doi) == ("2309.12345", "10.1000/a")


# --- Fields ---


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2023-09-21", date(2023, 9, 21)),
        ("2023-09-21T17:59:59.000Z", date(2023, 9, 21)),
        ("2023/9/1", date(2023, 9, 1)),
        ("2023///", date(2023, 1, 1)),
        ("2023/09//", date(2023, 9, 1)),
        ("2023/09/21/Autumn", date(2023, 9, 21)),
        ("20230921", date(2023, 9, 21)),
        ("2023-09", date(2023, 9, 1)),
        (2023, date(2023, 1, 1)),
        (2023.0, date(2023, 1, 1)),
        ("21 Sep 2023", date(2023, 9, 21)),
        ("September 21st, 2023", date(2023, 9, 21)),
        ("2023 Sep-Oct", date(2023, 9, 1)),
        ("Mon, 2 Apr 2007 19:18:42 GMT", date(2007, 4, 2)),
        ("21.09.2023", date(2023, 9, 21)),
        ("09/21/2023", date(2023, 9, 21)),
        ("03/04/2023", date(2023, 1, 1)),
        ("2023-02-31", date(2023, 2, 1)),
        ("(2023, to appear)", date(2023, 1, 1)),
        ("c2023", date(2023, 1, 1)),
        ("in press", None),
        ("", None),
        ("0000-00-00", None),
        (None, None),
        (True, None),
        ([2023], None),
        (float("nan"), None),
    ],
)
def test_dates_as_programs_write_them(value: object, day: date | None) -> None:
    assert day_of(value) == day


@pytest.mark.parametrize(
    ("value", "known"),
    [("2023-09-21", "day"), ("2023-09", "month"), ("Sep 2023", "month"), (2023, "year"), ("03/04/2023", "year")],
)
def test_how_much_of_a_date_is_known_is_kept(value: object, known: str) -> None:
    dated = dated_of(value)
    assert dated is not None
    assert dated[1] == known


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Doe, Jane; Smith, John", ["Jane Doe", "John Smith"]),
        ("Jane Doe and John Smith", ["Jane Doe", "John Smith"]),
        ("Jane Doe, John Smith and Li Wei", ["Jane Doe", "John Smith", "Li Wei"]),
        ("Jane Doe, John Smith", ["Jane Doe", "John Smith"]),
        ("Doe, Jane", ["Jane Doe"]),
        ("Doe, Jr., Jane", ["Jane Doe Jr."]),
        ("Doe J, Smith AB, Li W", ["Doe J", "Smith AB", "Li W"]),
        ("['Jane Doe', \"John O'Hara\"]", ["Jane Doe", "John O'Hara"]),
        ("Jane Doe|John Smith", ["Jane Doe", "John Smith"]),
        (["Doe, Jane", {"name": "John Smith"}, {"given": "Li", "family": "Wei"}], ["Jane Doe", "John Smith", "Li Wei"]),
        ([["Wei", "Li", "Jr."], 7, None, {}, {"literal": "OpenAI"}], ["Li Wei Jr.", "7", "OpenAI"]),
        ("", []),
        (None, []),
        ({"name": "x"}, []),
    ],
)
def test_author_names_as_programs_write_them(value: object, names: list[str]) -> None:
    assert authors_of(value) == (tuple(names), True)


@pytest.mark.parametrize("value", ["Jane Doe et al.", "Jane Doe and others", ["Jane Doe", "others"], "Jane Doe, et al"])
def test_a_list_of_authors_that_is_not_complete_gives_no_count(value: object) -> None:
    assert authors_of(value) == (("Jane Doe",), False)
    assert authors_of(["A"] * 6001)[1] is False


def test_ids_and_addresses_are_found_however_they_are_written() -> None:
    for text in (
        "2309.12345",
        "arXiv:2309.12345v3 [cs.CL]",
        "10.48550/arXiv.2309.12345",
        "https://arxiv.org/pdf/2309.12345v1.pdf",
    ):
        assert arxiv_of(text) == "2309.12345"
    assert arxiv_of("https://huggingface.co/papers/2309.12345") == "2309.12345"
    assert arxiv_of("hep-th/9901001v2") == "hep-th/9901001"
    assert arxiv_of("https://example.org/2309.12345", None, 7, "http://[") is None
    for text in ("10.1000/ABC", "doi:10.1000/abc", "https://doi.org/10.1000/abc", "http://dx.doi.org/10.1000%2Fabc"):
        assert doi_of(text) == "10.1000/abc"
    old = "10.1002/(SICI)1097-0258(19980815)17:15<1661::AID-SIM968>3.0.CO;2-2"
    assert doi_of(old) == old.lower()
    assert doi_of("10.1000/abc, 10.1000/def") is None  # neither of two, and no part of one
    assert url_of("javascript:alert(1)") is None
    assert url_of("https://example.org/a b") is None
    assert url_of(" https://example.org/a ") == "https://example.org/a"
    assert [count_of(value) for value in (3, "4", True, -1, 2.5, 10**12, "9" * 5000, None)] == [3, 4, *[None] * 6]


@pytest.mark.parametrize(
    "text",
    [
        "10.1093/bioinformatics/1234567",
        "https://doi.org/10.1093/math/0701001",
        "doi:10.1000/2309.12345",
        "10.1000%2F2309.12345",
        "bioinformatics/1234567",
        "not-math/0701001",
        "https://example.org/arxiv/0701001",
    ],
)
def test_what_only_looks_like_an_arxiv_id_is_none(text: str) -> None:
    assert arxiv_of(text) is None
    assert row(title="A title", doi=text).arxiv_id is None


def test_an_arxiv_id_is_found_in_arxivs_own_doi_and_beside_another() -> None:
    assert arxiv_of("https://doi.org/10.48550%2FarXiv.hep-th/9901001") == "hep-th/9901001"
    assert arxiv_of("doi:10.1000/2309.12345, arXiv:2309.54321v2") == "2309.54321"


def test_a_feed_gives_a_doi_whole() -> None:
    old = "10.1002/(SICI)1097-4571(199806)49:8&lt;693::AID-ASI4&gt;3.0.CO;2-O"
    feed = f"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/2309.12345v1</id>
        <title>A title</title><doi xmlns="http://arxiv.org/schemas/atom">{old}</doi></entry></feed>"""
    (entry,), _ = read(arxiv_atom, feed)
    assert entry.paper.doi == "10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o"


def test_markup_goes_and_mathematics_stays() -> None:
    assert text_of("<jats:title>Abstract</jats:title><jats:p>A <i>b</i>&amp;c.</jats:p>") == "Abstract\n\nA b&c."
    assert abstract_of("<jats:title>Abstract</jats:title><jats:p>A <i>b</i>&amp;c.</jats:p>") == "A b&c."
    assert abstract_of("Abstract: We sort.") == "We sort."
    assert abstract_of("Abstract interpretation is old.") == "Abstract interpretation is old."
    assert text_of("&lt;p&gt;Twice.&lt;/p&gt;") == "Twice."
    assert text_of("if a < b and c > d, p<0.05") == "if a < b and c > d, p<0.05"
    assert text_of("AT&T; R&D &unknown;") == "AT&T; R&D &unknown;"
    assert abstract_of("No abstract available.") == ""
    assert text_of("a\u202eb\ud800c\x00d\x1b[31m") == "abcd"
    assert text_of("e\u0301") == "é"
    assert text_of({"a": 1}) == text_of(True) == text_of(None) == ""


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (
            r"Sch{\"o}lkopf, \'Etienne, {\L}ukasz, \c{c}a, na\"{\i}ve, \v S, \r{a}",
            "Schölkopf, Étienne, Łukasz, ça, naïve, Š, å",
        ),
        (r"\o re, \ss{}, \ae, \OE uvre", "øre, ß, æ, Œuvre"),
        (r"50\% of $x^2_{a}$ \& \_ \# \$", "50% of $x^2_{a}$ & _ # $"),
        (r"\emph{An} {BERT} \textbf{model}~2 --- ``quoted''", "An BERT model 2 — “quoted”"),
        (r"as shown by \citep[see][]{foo2020} here", "as shown by  here"),
        (r"\LaTeX{} and \method works", "LaTeX and method works"),
        (r"\alpha-helix \( a+b \)", r"α-helix \( a+b \)"),
        ("nothing 100% special", "nothing 100% special"),
        ("costs $5 or 6", "costs $5 or 6"),
        ("\\", "\\"),
    ],
)
def test_latex_in_fields_becomes_the_text_that_it_stands_for(latex: str, text: str) -> None:
    assert plain(latex) == text


def test_a_record_names_its_columns_in_many_ways() -> None:
    paper = row(
        **{" Paper Title ": "A", "ABSTRACT_TEXT": "B.", "Author(s)": "Doe, J.", "Publication Year": "2020", "DOI": ""}
    )
    assert (paper.title, paper.abstract, paper.published) == ("A", "B.", date(2020, 1, 1))
    assert row(Title="A", Summary="B", id="2309.12345").arxiv_id == "2309.12345"
    assert row(Title="A", Summary="B", id="1234").arxiv_id is None
    assert row(Title="A" * 600, Summary="B").title == "A" * 500


def test_a_title_that_begins_as_a_ris_record_makes_no_page_one() -> None:
    assert reader_of("TY  - JOUR\nTI  - A title\nER  - \n") is ris
    assert reader_of("TY - JOUR \r\nTI - A title\r\nER - \r\n") is ris
    assert reader_of("TY  - A Record To Spoil\n\nIt has an abstract.\n") is not ris


def test_the_scheme_of_an_address_is_in_small_letters_and_no_other_than_the_webs() -> None:
    assert url_of("HTTPS://Example.org/A") == "https://Example.org/A"
    assert url_of("javascript:alert(1)") is None
    assert url_of("httpx://example.org") is None
