"""Full texts: passages that know page and section, and the listings and documents that are one paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder, open_library

from rag.answer.quotes import heading
from rag.chunking import chunk
from rag.ingest import IngestReport, ingest, ingest_readings, rebuild
from rag.library.library import Library
from rag.papers import Body, DateOf, Paper, Part, arxiv_id_in, doi_in, paper_id_for, with_body
from rag.readers import Entry, Problem, Raw, SourceReading, read_raw

FERNS = "We study how ferns grow on old walls. Ferns grow faster on walls that face north, by 12% a year."
SHIPS = "Ships need less fuel with a new paint. The paint reduces drag by 40% in all our trials at sea."
TITLE = "How Ferns Grow on Old Walls"
EMBEDDER = HashEmbedder()


def body_of(*parts: tuple[str, str | None, int | None]) -> Body:
    """A full text of (text, section, page)."""
    marks, text = [], ""
    for words, section, page in parts:
        marks.append(Part(len(text), section, page))
        text += words
    return Body(text, tuple(marks))


BODY = body_of(
    ("Walls are old. Many ferns like them, as the first ", "1 Introduction", 1),
    ("surveys of 1890 found. We look closer. ", "1 Introduction", 2),
    ("We counted 310 ferns on 24 walls. Each was measured twice.", "2 Methods", 2),
)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return open_library(tmp_path / "library", "hash-1+chunker-test")


def read(library: Library, *entries: Entry, name: str = "one.txt") -> IngestReport:
    reading = SourceReading(name, f"sha-{name}-{hash(entries)}", entries, ())
    return ingest_readings([reading], library, EMBEDDER)


def document(body: Body = BODY, abstract: str = "", title: str = TITLE, **fields: object) -> Entry:
    paper = Paper(paper_id_for(title), title, abstract, from_document=True, **fields)  # type: ignore[arg-type]
    return Entry(with_body(paper, body), 1, body)


def listing(abstract: str = FERNS, title: str = TITLE, **fields: object) -> Entry:
    return Entry(Paper(paper_id_for(title), title, abstract, **fields), 1)  # type: ignore[arg-type]


def test_passages_of_a_full_text_know_their_page_and_section() -> None:
    paper = with_body(Paper("ferns", TITLE, FERNS), BODY)
    passages = [p for p in chunk(paper, EMBEDDER.count_tokens, body=BODY) if p.in_body]
    assert [(p.section, p.page) for p in passages] == [("1 Introduction", 1), ("1 Introduction", 2), ("2 Methods", 2)]
    assert passages[0].text == "Walls are old. Many ferns like them, as the first surveys of 1890 found."
    assert passages[1].text == "We look closer."
    assert passages[2].text == "We counted 310 ferns on 24 walls. Each was measured twice."


TEXTS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["One two three. ", "A b, c d? ", "word ", "\n", "Fig. 2 shows 3.5. "]), max_size=30),
        st.sampled_from([None, "1 Introduction", "2 Methods"]),
        st.one_of(st.none(), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=6,
)


@given(parts=TEXTS)
def test_passages_of_any_full_text_are_slices_and_cover_it(
    parts: list[tuple[list[str], str | None, int | None]],
) -> None:
    body = body_of(*(("".join(words), section, page) for words, section, page in parts))
    passages = chunk(Paper("x", "X", FERNS), EMBEDDER.count_tokens, 8, body=body)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    own = [p for p in passages if p.in_body]
    assert all(body.text[p.start : p.end] == p.text and p.text.strip() for p in own)
    assert all(one.start < other.start for one, other in pairwise(own))
    starts = [part.start for part in body.parts]
    for passage in own:  # page and section are those of the part in which the passage begins
        at = max(i for i, start in enumerate(starts) if start <= passage.start)
        assert (passage.section, passage.page) == (body.parts[at].section, body.parts[at].page)
    covered = {i for p in own for i in range(p.start, p.end)}
    assert all(i in covered or body.text[i].isspace() for i in range(len(body.text)))


def test_a_document_and_the_listing_of_its_paper_become_one_whichever_comes_first(tmp_path: Path) -> None:
    listed = listing(published=date(2024, 5, 1), organisation="Kyutai")
    found = document(abstract=FERNS.replace("faster", "fas- ter"), published=date(2023, 1, 1))
    stored = []
    for number, entries in enumerate(((listed, found), (found, listed))):
        library = open_library(tmp_path / str(number), "hash-1+chunker-test")
        outcomes = [row.outcome for entry in entries for row in read(library, entry, name=f"{entry.body is None}").rows]
        assert outcomes == ["added", "updated"]
        (paper,) = library.find()
        stored.append(paper)
        assert library.body(paper.paper_id) == BODY
        assert library.verify().ok
        assert [p.in_body for p in library.passages([paper.paper_id])[paper.paper_id]] == [False, True, True, True]
        assert not any(p.in_body for p in library.passages([paper.paper_id], in_body=False)[paper.paper_id])
    assert stored[0] == stored[1]
    assert (stored[0].abstract, stored[0].published, stored[0].from_document) == (FERNS, date(2024, 5, 1), False)


def test_a_document_without_a_found_abstract_is_recognised_by_a_long_title_only(library: Library) -> None:
    read(library, listing(), listing(SHIPS, "Ships"))
    read(library, document(), document(title="Ships"), name="documents")
    papers = {paper.paper_id: paper for paper in library.find()}
    assert len(papers) == 3  # "Ships" may be the title of anything
    assert papers[paper_id_for(TITLE)].abstract == FERNS
    assert papers[paper_id_for(TITLE)].body_hash == BODY.content_hash


@pytest.mark.parametrize("identity", [{"arxiv_id": "2401.00001"}, {"doi": "10.1000/ferns"}])
def test_an_arxiv_id_or_a_doi_names_a_paper_whatever_its_title_says(library: Library, identity: dict[str, str]) -> None:
    read(library, listing(**identity))
    report = read(library, listing(SHIPS, "Quite another title", **identity), name="two.txt")
    assert [row.outcome for row in report.rows] == ["updated"]
    (paper,) = library.find()
    assert (paper.title, paper.abstract, paper.paper_id) == ("Quite another title", SHIPS, paper_id_for(TITLE))


def test_two_arxiv_ids_are_two_papers_even_of_one_title_and_abstract(library: Library) -> None:
    one, other = listing(arxiv_id="2401.00001"), listing(arxiv_id="2402.00002")
    report = read(library, one, other)
    assert [row.outcome for row in report.rows] == ["added", "added"]
    assert len({row.paper_id for row in report.rows}) == 2
    again = read(library, other, one, name="again.txt")
    assert [row.outcome for row in again.rows] == ["unchanged", "unchanged"]


def test_what_a_listing_learns_later_keeps_the_full_text_and_its_vectors(library: Library) -> None:
    read(library, document(abstract=FERNS))
    before = EMBEDDER.encoded_texts
    report = read(library, listing(doi="10.1000/ferns", authors=("Ada Fern", "Bo Wall")), name="two.txt")
    assert report.rows[0].reason == "changed: authors, doi"
    (paper,) = library.find()
    assert library.body(paper.paper_id) == BODY
    assert EMBEDDER.encoded_texts == before
    rebuild(library, EMBEDDER)
    assert library.body(paper.paper_id) == BODY
    assert library.verify().ok


def test_a_corrected_full_text_takes_the_place_of_the_old_one(library: Library) -> None:
    read(library, document(abstract=FERNS))
    older = ("Walls are very old, and many ferns of all kinds like them. ", "1 Introduction", 1)
    newer = body_of(older, ("We counted 311 ferns.", "2 Methods", 2))
    report = read(library, document(newer, FERNS), name="two.pdf")
    assert report.rows[0].reason == "changed: full text"
    (paper,) = library.find()
    assert library.body(paper.paper_id) == newer
    hits = library.nearest_vectors(EMBEDDER.encode([f"{TITLE}\nWe counted 311 ferns."])[0].vector, 1)
    assert library.passages_by_id([hits[0].passage_id])[hits[0].passage_id].page == 2


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ((date(2023, 9, 21), "day"), (date(2023, 1, 1), "year"), "2023-09-21"),
        ((date(2023, 1, 1), "year"), (date(2023, 9, 21), "day"), "2023-09-21"),
        ((date(2023, 9, 1), "month"), (date(2023, 1, 1), "year"), "2023-09"),
        ((date(2023, 9, 21), "day"), (date(2024, 1, 1), "year"), "2024"),
        ((date(2023, 9, 21), "day"), (date(2023, 9, 22), "day"), "2023-09-22"),
    ],
)
def test_a_date_that_says_less_never_takes_the_place_of_one_that_says_more(
    library: Library, first: tuple[date, DateOf], second: tuple[date, DateOf], kept: str
) -> None:
    read(library, listing(published=first[0], date_of=first[1]))
    read(library, listing(published=second[0], date_of=second[1]), name="two.txt")
    (paper,) = library.find()
    assert paper.dated == kept


def test_a_date_is_told_as_far_as_it_is_known() -> None:
    paper = Paper("x", "X", "", date(2023, 9, 1))
    assert [replace(paper, date_of=of).dated_in_words for of in ("day", "month", "year")] == [
        "September 1, 2023",
        "September 2023",
        "2023",
    ]
    assert heading(replace(paper, date_of="year")) == "“X” (2023)"
    assert replace(paper, published=None).dated_in_words == ""


def test_half_a_surrogate_pair_anywhere_is_a_failed_row(library: Library) -> None:
    section = document(body_of(("Text.", "1 \ud800", 1)))
    author = listing(authors=("A\udc00",))
    assert [row.outcome for row in read(library, section, author, listing(SHIPS, "Ships")).rows] == [
        "failed",
        "failed",
        "added",
    ]


def test_the_hash_of_a_paper_without_newer_fields_is_what_older_libraries_hold() -> None:
    old = "cb95432e34dcb0dc"  # begins the hash that the first schema's code gave this paper
    plain = Paper("x", "A title", "An abstract.", date(2024, 1, 2), True, 3, "Org", 4)
    assert plain.content_hash[:16] == old
    assert replace(plain, doi="10.1000/x").content_hash != plain.content_hash


@pytest.mark.parametrize(
    ("text", "arxiv", "doi"),
    [
        ("arXiv:2309.12345v2 [cs.CL] 21 Sep 2023", "2309.12345", None),
        ("https://arxiv.org/abs/cs.CL/0701001v1", "cs.CL/0701001", None),
        ("https://arxiv.org/pdf/2401.00001.pdf", "2401.00001", None),
        ("doi: 10.18653/V1/2020.acl-main.1.", None, "10.18653/v1/2020.acl-main.1"),
        ("https://doi.org/10.1000/xyz(123)", None, "10.1000/xyz(123)"),
        ("(see doi:10.1000/xyz).", None, "10.1000/xyz"),
        ("costs 1234.5678 euro... 12345.67890", None, None),
        ("version 2.0, page 10.1", None, None),
    ],
)
def test_arxiv_ids_and_dois_are_found_in_text_and_addresses(text: str, arxiv: str | None, doi: str | None) -> None:
    assert doi_in(text) == doi
    assert arxiv_id_in(text) == arxiv


def test_a_blocked_paper_is_told_and_stays_out_and_the_next_goes_in(library: Library) -> None:
    read(library, listing(doi="10.1000/ferns"))
    library.delete([paper_id_for(TITLE)], block=True, reason="withdrawn")
    report = read(library, listing(), listing(SHIPS, "Another", doi="10.1000/ferns"), listing(SHIPS, "Ships"))
    assert [row.outcome for row in report.rows] == ["blocked", "blocked", "added"]
    assert "withdrawn" in report.rows[0].reason
    assert [paper.title for paper in library.find()] == ["Ships"]


def test_a_known_document_is_not_read_again_and_a_removed_one_is(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "ferns.docx"
    docx = Document()
    docx.add_heading(TITLE, 0)
    docx.add_heading("Abstract", 1)
    docx.add_paragraph(FERNS)
    docx.add_heading("1 Methods", 1)
    docx.add_paragraph("We counted 310 ferns on 24 walls. Each was measured twice, in spring and in autumn.")
    docx.save(str(path))
    (added,) = ingest([path], library, EMBEDDER).rows
    assert (added.item, added.outcome) == (TITLE, "added")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rag.gathering.read_raw", None)  # nobody reads
        (known,) = ingest([path], library, EMBEDDER).rows
    assert (known.item, known.outcome, known.paper_id) == (TITLE, "unchanged", added.paper_id)
    library.delete([added.paper_id])
    assert [row.outcome for row in ingest([path], library, EMBEDDER).rows] == ["added"]


def test_a_file_over_the_limit_is_refused_unread(library: Library, tmp_path: Path) -> None:
    (tmp_path / "large.pdf").write_bytes(b"%PDF-1.7" + bytes(2000))
    (row,) = ingest([tmp_path / "large.pdf"], library, EMBEDDER, most_bytes=1000).rows
    assert row.outcome == "failed"
    assert "PAPERCHAT_MAX_FILE_MB" in row.reason


def test_a_title_that_comes_back_after_its_paper_was_renamed_is_a_paper_of_its_own(library: Library) -> None:
    read(library, listing(title="Fern Growth", arxiv_id="2301.00001"))
    read(library, listing(title="On the Growth of Ferns", arxiv_id="2301.00001"), name="two.txt")
    (row,) = read(library, listing(SHIPS, "Fern Growth"), name="three.txt").rows
    assert row.outcome == "added"
    assert {(p.title, p.abstract, p.arxiv_id) for p in library.find()} == {
        ("On the Growth of Ferns", FERNS, "2301.00001"),
        ("Fern Growth", SHIPS, None),
    }


SUPPLEMENT = "Supplementary Material"
ISSUE = "Introduction to the Special Issue"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (listing("", "Editorial", doi="10.1000/a", authors=("A. B",)), listing("", "Editorial", doi="10.1000/b")),
        (listing("", "Preface", authors=("A. B",)), listing("", "Preface", authors=("C. D",))),
        (listing("", ISSUE, doi="10.1000/a"), listing("", ISSUE, doi="10.1000/b")),
        (listing("", TITLE, published=date(1999, 1, 1)), listing("", TITLE, published=date(2020, 1, 1))),
        (listing("", TITLE, authors=("Ann Bee",)), listing("", TITLE, authors=("Cay Dee",))),
        (document(abstract=FERNS, title=SUPPLEMENT), document(abstract=SHIPS, title=SUPPLEMENT)),
        (document(abstract=FERNS, doi="10.5281/x"), document(abstract=SHIPS, title="Paint", doi="10.5281/x")),
        (listing(doi="10.1000/a", arxiv_id="2301.00001"), listing(SHIPS, "B", doi="10.1000/a", arxiv_id="2301.00002")),
        (listing("", "Обзор методов Large Language Models"), listing("", "Введение Large Language Models")),
    ],
)
def test_what_only_looks_like_one_paper_stays_two(library: Library, one: Entry, other: Entry) -> None:
    rows = [*read(library, one).rows, *read(library, other, name="two.txt").rows]
    assert [row.outcome for row in rows] == ["added", "added"]
    assert len(library.find()) == 2
    assert {row.outcome for e in (one, other) for row in read(library, e, name=f"{id(e)}").rows} == {"unchanged"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (listing("", "Editorial", authors=("A. B",), published=date(2020, 1, 1)),) * 2,
        (listing(doi="10.48550/x"), listing(FERNS.replace("12%", "12 %"), doi="10.1000/journal")),
        (document(abstract=SHIPS, authors=("Ada Fern",)), listing(authors=("A. Fern", "B. Wall"))),
    ],
)
def test_what_is_one_paper_in_other_words_becomes_one(library: Library, one: Entry, other: Entry) -> None:
    read(library, one)
    read(library, other, name="two.txt")
    assert len(library.find()) == 1


def test_a_web_page_of_a_few_words_does_not_take_the_place_of_a_full_text(library: Library) -> None:
    read(library, document(abstract=FERNS, doi="10.1000/ferns"), name="ferns.pdf")
    landing = document(body_of(("Access through your institution.", None, None)), FERNS, doi="10.1000/ferns")
    (row,) = read(library, landing, name="ferns.html").rows
    assert row.outcome == "unchanged"
    (paper,) = library.find()
    assert library.body(paper.paper_id) == BODY


def test_a_document_that_was_read_in_part_is_read_again(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(b"%PDF-1.7 a stand-in")
    cut = body_of(("Walls are old. ", "1 Introduction", 1))
    sha256, unread = Raw("long.pdf", path.read_bytes()).sha256, Problem(1, "Incomplete: page 2 was not read.")
    readings = [
        SourceReading("long.pdf", sha256, (document(cut, FERNS),), (unread,)),
        SourceReading("long.pdf", sha256, (document(abstract=FERNS),), ()),
    ]
    monkeypatch.setattr("rag.gathering.read_raw", lambda *_, **__: readings.pop(0))
    assert [ingest([path], library, EMBEDDER).rows[0].outcome for _ in range(3)] == ["added", "updated", "unchanged"]
    assert library.body(library.find()[0].paper_id) == BODY


def test_what_was_read_before_an_interruption_is_stored(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("rag.gathering.GROUP_BYTES", 300)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        text = f"title,abstract\nPaper number {number} on ferns,{FERNS} {number}\n"
        (folder / f"{number}.csv").write_text(text + " " * 200, "utf-8")
    real, seen = read_raw, []

    def stopping(raw: Raw, *, shown: str) -> SourceReading:
        seen.append(raw.name)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return real(raw, shown=shown)

    monkeypatch.setattr("rag.gathering.read_raw", stopping)
    with pytest.raises(KeyboardInterrupt):
        ingest([folder], library, EMBEDDER)
    assert len(library.find()) == 4
    assert library.verify().ok
