"""The readers of documents: PDF, DOCX, HTML, Markdown and plain text."""

from __future__ import annotations

import json
import time
import unicodedata
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from document_helpers import (
    ABSTRACT,
    BODY,
    BOLD,
    LEADING,
    LEFT,
    RIGHT_COLUMN,
    STAMP,
    TODAY,
    Item,
    front,
    lines,
    long_paper,
    pdf,
    read,
    sections,
    two_columns,
    word_document,
    written_pdf,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import soon

from rag.errors import SourceError
from rag.papers import Body
from rag.readers import docx, hf_html, html, html_size, markdown, pdf_process, plain
from rag.readers import pdf as pdf_reader
from rag.readers.blocks import clean, heading_block, text_block
from rag.readers.document import Document, entry
from rag.readers.pdf_process import Printed
from rag.readers.source import Raw

PROSE = (
    "Attention over all pairs of words is dear. These notes gather what is known about sparse patterns, and say "
    "when they help. They were written over a summer by two people who had to know. "
)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDFium within this process: a new one takes half a second."""

    def read_printed(data: bytes, name: str) -> Printed:
        return pdf_process._unpacked(json.loads(json.dumps(pdf_process.pages_of(data))), name)

    monkeypatch.setattr(pdf_reader, "read_printed", read_printed)


def tiles(body: Body) -> None:
    starts = [part.start for part in body.parts]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] < len(body.text)
    assert unicodedata.normalize("NFC", body.text) == body.text
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Co") for one in body.text.replace("\n", ""))


@pytest.mark.usefixtures("in_process")
class TestPdf:
    def test_a_paper_in_one_column(self) -> None:
        found, problems = read(pdf_reader, long_paper(), "paper.pdf")
        assert found.paper.title == "Small Models Answer Questions About Research Papers"
        assert found.paper.abstract == " ".join(ABSTRACT)
        assert found.paper.from_document
        assert found.body is not None
        assert found.paper.body_hash == found.body.content_hash
        tiles(found.body)
        assert not problems

    def test_running_heads_and_page_numbers_are_dropped_and_the_paragraph_goes_on(self) -> None:
        parts = sections(read(pdf_reader, long_paper(), "paper.pdf")[0].body)
        assert [(section, page) for section, page, _ in parts] == [("1 Introduction", n) for n in (1, 2, 3)]
        whole = " ".join(text for _, _, text in parts)
        assert whole == " ".join(
            f"page {p} has line {n} of one long paragraph and" for p in (1, 2, 3) for n in range(20)
        )

    @pytest.mark.parametrize("order", ["by column", "by row", "right first"])
    def test_two_columns_are_read_one_after_the_other(self, order: str) -> None:
        left, right = two_columns()
        drawn = {
            "by column": left + right,
            "by row": sorted(left + right, key=lambda item: item[1]),
            "right first": [item for pair in zip(right, left, strict=False) for item in pair] + left[len(right) :],
        }[order]
        parts = sections(read(pdf_reader, pdf([[*front(), *drawn]]), "two.pdf")[0].body)
        assert [section for section, _, _ in parts] == ["1 Introduction", "2 Results"]
        introduction = " ".join(f"The left column has line {n} of the text and" for n in range(11))
        assert (
            parts[0][2]
            == f"{introduction} a sentence that the left column cannot finish. It ends here in the right one."
        )
        assert parts[1][2].endswith("line 8 of results and a last line that ends.")

    def test_words_broken_at_a_lines_end_are_made_whole(self) -> None:
        text = "A well-known and self-trained model needs no self-/trained teacher, and the perform-/ance of GPT-/4 and"
        text += " of the state-of-the-/art systems stays the same."
        page = [*front(), (LEFT, 260, BOLD, 12, "1 Introduction"), *lines(text.split("/"), y=280)]
        found, _ = read(pdf_reader, pdf([page]), "h.pdf")
        assert found.body is not None
        assert found.body.text == (
            "A well-known and self-trained model needs no self-trained teacher, and the performance of GPT-4 and of "
            "the state-of-the-art systems stays the same."
        )

    def test_references_and_what_follows_are_left_out(self) -> None:
        page = [
            *front(),
            (LEFT, 260, BOLD, 12, "1 Introduction"),
            *lines(["Small models are cheap to run."] * 6, y=280),
        ]
        page += [(LEFT, 400, BOLD, 12, "References"), *lines(["A. Other. A Title of Another Paper. 2020."], y=420)]
        found, _ = read(pdf_reader, pdf([page]), "r.pdf")
        assert found.body is not None
        assert "cheap" in found.body.text
        assert "Another" not in found.body.text

    def test_the_arxiv_stamp_gives_id_and_date(self) -> None:
        page = [*front(), *lines(["Text that follows the abstract of it."], y=300)]
        paper = read(pdf_reader, pdf([page], stamp=STAMP), "s.pdf")[0].paper
        assert (paper.arxiv_id, str(paper.published)) == ("2309.12345", "2023-09-21")
        assert "arXiv" not in paper.title + paper.abstract

    def test_a_doi_counts_only_where_it_is_the_papers_own(self) -> None:
        page = [*front(), *lines(["https://doi.org/10.1000/ABC.7"], y=700)]
        assert read(pdf_reader, pdf([page]), "d.pdf")[0].paper.doi == "10.1000/abc.7"
        page += lines(["See also https://doi.org/10.1000/other."], y=715)
        assert read(pdf_reader, pdf([page]), "d.pdf")[0].paper.doi is None

    @pytest.mark.parametrize(
        ("text", "y", "doi"),
        [
            ("doi: 10.1000/ABC.7", 40, "10.1000/abc.7"),
            ("Digital Object Identifier 10.1109/ACCESS.2020.1", 40, "10.1109/access.2020.1"),
            ("Scientific Data | https://doi.org/10.1000/abc.7", 40, "10.1000/abc.7"),
            ("10.1000/abc.7", 700, None),  # not marked
            ("We measured https://doi.org/10.1000/abc.7 twice.", 300, None),  # within the text
            ("Data and code are at https://doi.org/10.1000/abc.7.", 700, None),
            ("Our programs: https://doi.org/10.5281/zenodo.1234567", 700, None),
            ("https://doi.org/10.6084/m9.figshare.77", 40, None),
            ("doi:10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O", 700, None),  # of which one half is cut
        ],
    )
    def test_a_doi_of_the_first_page_is_the_papers_own_only_where_it_is_marked_so(
        self, text: str, y: float, doi: str | None
    ) -> None:
        page = [*front(), *lines([text], y=y, size=9)]
        assert read(pdf_reader, pdf([page]), "d.pdf")[0].paper.doi == doi

    def test_a_deposit_does_not_hide_the_papers_own_doi(self) -> None:
        page = [*front(), *lines(["https://doi.org/10.5281/zenodo.7", "https://doi.org/10.1000/abc.7"], y=700)]
        assert read(pdf_reader, pdf([page]), "d.pdf")[0].paper.doi == "10.1000/abc.7"

    def test_properties_are_believed_only_where_they_are_sane(self) -> None:
        page = [*front(), *lines(["Text that follows the abstract of it."], y=300)]
        known = "Small Models Answer Questions about Research Papers"
        good = read(pdf_reader, pdf([page], title=known, author="Jane Doe, Richard Roe"), "p.pdf")[0].paper
        assert (good.title, good.authors, good.n_authors) == (known, ("Jane Doe", "Richard Roe"), 2)
        bad = read(pdf_reader, pdf([page], title="Microsoft Word - draft7.docx", author="user"), "p.pdf")[0].paper
        assert bad.title.startswith("Small Models Answer Questions About")
        assert bad.authors == ()

    def test_pages_without_text_are_said_to_be_images(self) -> None:
        with pytest.raises(SourceError, match=r"no text layer.*ocrmypdf"):
            read(pdf_reader, pdf([[], []]), "scan.pdf")

    def test_a_locked_file_says_so(self) -> None:
        with pytest.raises(SourceError, match=r"locked with a password\. Save a copy without"):
            read(pdf_reader, pdf([front()], encrypt="secret"), "locked.pdf")

    def test_cut_off_and_damaged_files_end_well(self) -> None:
        whole = long_paper()
        for data in (whole[: len(whole) // 2], whole[:60], b"%PDF-1.7\n" + bytes(range(256)) * 40):
            with pytest.raises(SourceError, match=r"broken|no page|no text"):
                read(pdf_reader, data, "cut.pdf")

    def test_too_many_pages_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf_process, "MAX_PAGES", 2)
        with pytest.raises(SourceError, match=r"has 3 pages.*Split it"):
            read(pdf_reader, long_paper(3), "long.pdf")

    def test_when_time_is_up_the_pages_read_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf_process, "MAX_SECONDS", -1.0)
        found, problems = read(pdf_reader, long_paper(3), "slow.pdf")
        assert problems.startswith("Incomplete: 1 of 3 pages")
        assert {page for _, page, _ in sections(found.body)} == {1}

    def test_one_endless_word_takes_no_endless_time(self) -> None:
        stream = (
            b"BT /F 10 Tf 50 700 Td " + b"(" + b"a" * 60 + b") Tj " * 1 + (b"(" + b"a" * 60 + b") Tj ") * 800 + b"ET"
        )
        with soon(5):
            read(pdf_reader, written_pdf(stream), "word.pdf")


class TestPdfProcess:
    def test_a_paper_is_read_in_a_process_of_its_own(self) -> None:
        found, _ = read(pdf_reader, long_paper(2), "paper.pdf")
        assert found.paper.title == "Small Models Answer Questions About Research Papers"
        assert [page for _, page, _ in sections(found.body)] == [1, 2]

    def test_a_file_that_unpacks_to_more_than_memory_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bomb = written_pdf(b"BT /F 10 Tf 1 0 0 1 50 700 Tm (hello) Tj ET\n" * 1_500_000, packed=True)
        assert len(bomb) < 300_000
        with pytest.raises(SourceError, match="too much memory"):
            read(pdf_reader, bomb, "bomb.pdf")

    def test_a_file_that_never_ends_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf_process, "MAX_SECONDS", 0.01)
        monkeypatch.setattr(pdf_process, "GRACE", 0.0)
        with pytest.raises(SourceError, match="too long"):
            read(pdf_reader, long_paper(1), "slow.pdf")


class TestDocx:
    PARTS = (
        ("Title", "Rivers of the North"),
        ("Normal", "Jane Doe"),
        ("Heading 1", "Abstract"),
        ("Normal", "We map 312 rivers."),
        ("Heading 1", "Methods"),
        ("Normal", "Each river was walked twice."),
        ("Table", "River|Length/Tana|348 km"),
        ("Heading 1", "References"),
        ("Normal", "Other, A. Another Title. 2020."),
    )

    def test_headings_make_sections_and_tables_lines(self) -> None:
        found, _ = read(docx, word_document(self.PARTS, author="Jane Doe; R. Roe"), "rivers.docx")
        assert (found.paper.title, found.paper.abstract) == ("Rivers of the North", "We map 312 rivers.")
        assert found.paper.authors == ("Jane Doe", "R. Roe")
        text = "Each river was walked twice.\n\nRiver | Length\nTana | 348 km"
        assert sections(found.body) == [("Methods", None, text)]

    def test_without_an_abstract_the_opening_stands_for_it(self) -> None:
        parts = [
            ("Heading 1", "A Short Report"),
            ("Normal", PROSE),
            ("Heading 2", "More"),
            ("Normal", "And more of it."),
        ]
        found, problems = read(docx, word_document(parts), "report.docx")
        assert (found.paper.title, found.paper.abstract) == ("A Short Report", PROSE.strip())
        assert "its opening stands for it" in problems
        assert sections(found.body) == [("More", None, "And more of it.")]

    @pytest.mark.parametrize("keep", [200, 5000, -100])
    def test_a_cut_off_file_is_broken(self, keep: int) -> None:
        with pytest.raises(SourceError, match="broken or locked"):
            read(docx, word_document(self.PARTS)[:keep], "cut.docx")

    def test_other_archives_are_not_taken_for_documents(self) -> None:
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a.txt", "hello")
        assert not docx.recognises(Raw("a.docx", out.getvalue()))

    def test_a_bomb_is_refused_before_it_is_unpacked(self) -> None:
        out = BytesIO(word_document(self.PARTS))
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/media/zeros", bytes(docx.MAX_UNPACKED + 1))
        with soon(1), pytest.raises(SourceError, match="unpacks to"):
            read(docx, out.getvalue(), "bomb.docx")

    @pytest.mark.parametrize("where", ["word/document.xml", "docProps/core.xml"])
    def test_a_small_file_of_countless_elements_is_refused_before_they_are_parsed(self, where: str) -> None:
        source, out = BytesIO(word_document(self.PARTS)), BytesIO()
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                start, end, rest = old.read(name).rpartition(b"</")
                new.writestr(name, start + b"<w:p/>" * (3_000_000 * (name == where)) + end + rest)
        with soon(0.25, time.process_time), pytest.raises(SourceError, match="XML tags"):
            read(docx, out.getvalue(), "many.docx")

    def test_empty_paragraphs_cost_next_to_nothing(self) -> None:
        source, out = BytesIO(word_document(self.PARTS)), BytesIO()
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                data = old.read(name)
                new.writestr(name, data.replace(b"<w:sectPr", b"<w:p/>" * 300_000 + b"<w:sectPr", 1))
        with soon(1.5, time.process_time):
            assert read(docx, out.getvalue(), "empty.docx")[0].paper.title == "Rivers of the North"

    def test_no_file_of_the_machine_comes_in_by_an_entity(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("TOPSECRET")
        source, out = BytesIO(word_document(self.PARTS)), BytesIO()
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                if name == "word/document.xml":
                    start = data.index(b"<w:document")
                    declared = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode()
                    data = data[:start] + declared + data[start:].replace(b"312", b"&x;")
                new.writestr(name, data)
        try:
            found, _ = read(docx, out.getvalue(), "entity.docx")
        except SourceError:
            return
        assert "TOPSECRET" not in found.paper.abstract


class TestHtml:
    ARXIV = """<!DOCTYPE html><html><head><title>[2309.12345] Small Models</title>
        <link rel="canonical" href="http://arxiv.org/abs/2309.12345"/>
        <meta name="citation_title" content="Small Models"/>
        <meta name="citation_author" content="Doe, Jane"/>
        <meta name="citation_author" content="Roe, R. K."/>
        <meta name="citation_date" content="2023/09/21"/>
        <meta name="citation_arxiv_id" content="2309.12345"/></head><body>
        <h1>Title:Small Models</h1><blockquote class="abstract mathjax"><span class="descriptor">Abstract:</span>
        We gain &amp; win with $n=7$.</blockquote><script>alert(1)</script></body></html>"""
    LATEXML = """<!DOCTYPE html><html><head><title>x</title></head><body><article class="ltx_document">
        <h1 class="ltx_title ltx_title_document">A <em>Paper</em></h1><div class="ltx_authors">Jane Doe</div>
        <div class="ltx_abstract"><h6>Abstract</h6><p>We study <math alttext="x^{2}"><mi>x</mi></math>.</p></div>
        <section><h2>1 Introduction</h2><p>Things are <b>many <i>and</i></b> varied.</p></section>
        <section><h2>References</h2><ul><li>Old Paper.</li></ul></section></article></body></html>"""

    def test_a_saved_arxiv_page_is_a_record_without_full_text(self) -> None:
        found, problems = read(html, self.ARXIV, "2309.12345.html")
        paper = found.paper
        assert (paper.title, paper.abstract) == ("Small Models", "We gain & win with $n=7$.")
        assert (paper.authors, str(paper.published)) == (("Jane Doe", "R. K. Roe"), "2023-09-21")
        assert (paper.arxiv_id, paper.url) == ("2309.12345", "http://arxiv.org/abs/2309.12345")
        assert (found.body, paper.from_document, problems) == (None, False, "")

    def test_a_paper_made_by_latexml_keeps_its_sections_and_formulas(self) -> None:
        found, _ = read(html, self.LATEXML, "paper.html")
        assert (found.paper.title, found.paper.abstract) == ("A Paper", "We study $x^{2}$.")
        assert sections(found.body) == [("1 Introduction", None, "Things are many and varied.")]

    def test_of_any_page_the_article_stays_and_menus_and_scripts_go(self) -> None:
        page = f"""<html><head><title>How We Trained It | Lab Blog</title>
            <meta property="article:published_time" content="2024-05-06T10:00:00Z"></head><body><nav><a>Home</a></nav>
            <article><h1>How We Trained It</h1><p>{PROSE}</p><h2>Data</h2><p>{PROSE}</p><p>{PROSE}</p></article>
            <script>var tracker = 1;</script><footer>Cookie notice</footer></body></html>"""
        found, _ = read(html, page, "blog.html")
        assert (found.paper.title, str(found.paper.published)) == ("How We Trained It", "2024-05-06")
        assert found.paper.abstract == PROSE.strip()
        assert [section for section, _, _ in sections(found.body)] == ["Data"]
        assert found.body is not None
        assert not any(word in found.body.text for word in ("tracker", "Cookie", "Home"))

    def test_a_declared_encoding_is_used(self) -> None:
        head = '<meta charset="iso-8859-2"><title>Žluťoučký kůň</title>'
        page = f"<html><head>{head}</head><body><p>{PROSE}</p></body></html>"
        assert read(html, page.encode("iso-8859-2"), "k.html")[0].paper.title == "Žluťoučký kůň"

    def test_a_doi_of_the_head_is_taken_whole_or_not_at_all(self) -> None:
        old = "10.1002/(SICI)1097-4571(199806)49:8&lt;693::AID-ASI4&gt;3.0.CO;2-O"
        for written, doi in (
            (old, "10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o"),
            ("doi:10.1000/X", "10.1000/x"),
            ("10.1000/x and 10.1000/y", None),
        ):
            page = self.ARXIV.replace("</head>", f'<meta name="citation_doi" content="{written}"></head>')
            assert read(html, page, "x.html")[0].paper.doi == doi

    @pytest.mark.parametrize("reader", [html, hf_html])
    @pytest.mark.parametrize("filling", ["<p>a" * 1_100_000, "a" * html_size.MAX_BYTES], ids=["tags", "bytes"])
    def test_a_page_far_too_large_is_refused_before_a_tree_is_built(self, reader: ModuleType, filling: str) -> None:
        page = Raw("x.html", f'<!doctype html><html><body><div data-target="DailyPapers">{filling}'.encode())
        with soon(0.25, time.process_time), pytest.raises(SourceError, match=r"of a page at most .* are read"):
            reader.read(page, today=TODAY)

    @pytest.mark.parametrize("reader", [html, hf_html])
    def test_an_element_of_countless_attributes_is_refused_before_a_tree_is_built(self, reader: ModuleType) -> None:
        attributes = " ".join(f"a{n}=1" for n in range(40_000))
        page = Raw("x.html", f'<!doctype html><body><div data-target="DailyPapers"></div><p {attributes}>x'.encode())
        with soon(0.25, time.process_time), pytest.raises(SourceError, match="attributes"):
            reader.read(page, today=TODAY)

    def test_dates_to_come_are_not_believed(self) -> None:
        page = self.ARXIV.replace("2023/09/21", "2093/09/21")
        assert read(html, page, "x.html")[0].paper.published is None

    @pytest.mark.parametrize(
        "piece", ["<div>", "<p>x ", "<a href=x>y</a> ", "<table><tr><td>x", "a<br>", "<!-- -->", "<"]
    )
    def test_garbage_ends_soon(self, piece: str) -> None:
        with soon(5), suppress(SourceError):
            read(html, "<html><body>" + piece * (200_000 // len(piece)), "garbage.html")


class TestMarkdown:
    NOTES = f"""---
title: "Notes on Sparse Attention"
authors: [Jane Doe, {{name: R. Roe}}]
date: 2024-03-02
doi: https://doi.org/10.1000/ABC.1
---
{PROSE}

## Patterns

Local <b>windows</b> are the *simplest*. A `window` of $k$ tokens costs [little](https://x.org).

| name | cost |
|------|------|
| full | n^2  |

<script>alert(1)</script>

## References

[1] Somebody.
"""

    def test_front_matter_headings_and_tables(self) -> None:
        found, _ = read(markdown, self.NOTES, "notes.md")
        paper = found.paper
        assert (paper.title, paper.abstract) == ("Notes on Sparse Attention", PROSE.strip())
        assert (paper.authors, str(paper.published), paper.doi) == (
            ("Jane Doe", "R. Roe"),
            "2024-03-02",
            "10.1000/abc.1",
        )
        text = "Local windows are the simplest. A window of $k$ tokens costs little.\n\nname | cost\n\nfull | n^2"
        assert sections(found.body) == [("Patterns", None, text)]

    def test_a_doi_of_the_front_matter_is_taken_whole_or_not_at_all(self) -> None:
        of_an_issue = (
            "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O"  # all of it share the part before <
        )
        for written, doi in (
            (of_an_issue, of_an_issue.lower()),
            ("https://doi.org/10.1000/X", "10.1000/x"),
            ("the data are in 10.5281/zenodo.7, the code in 10.5281/zenodo.8", None),
            ("[10.1000/x](https://doi.org/10.1000/x)", None),
        ):
            found, _ = read(markdown, f"---\ntitle: Ferns\ndoi: '{written}'\n---\n\n{PROSE}", "a.md")
            assert found.paper.doi == doi

    def test_the_first_heading_is_the_title_and_an_abstract_section_the_abstract(self) -> None:
        found, problems = read(markdown, f"# A Title\n\nJane\n\n## Abstract\n\nShort.\n\n## One\n\n{PROSE}", "a.md")
        assert (found.paper.title, found.paper.abstract, problems) == ("A Title", "Short.", "")
        assert sections(found.body) == [("One", None, PROSE.strip())]

    @pytest.mark.parametrize("front", ["title: [", "a: &a [*a]", "- x", "title: {a: b}", "date: 9999-99-99"])
    def test_odd_front_matter_does_no_harm(self, front: str) -> None:
        found, _ = read(markdown, f"---\n{front}\n---\n# A Title\n\n{PROSE}", "a.md")
        assert (found.paper.title, found.paper.published) == ("A Title", None)

    @pytest.mark.parametrize(
        "piece", ["[", "*a_ ", "> ", "`a``", "- a\n  ", "|a|b|\n|-|-|\n", "# x\n", "![", "\n", "_a"]
    )
    def test_garbage_ends_soon(self, piece: str) -> None:
        with soon(5), suppress(SourceError):
            read(markdown, "# T\n\n" + piece * (400_000 // len(piece)), "garbage.md")

    def test_without_the_suffix_only_plain_signs_count(self) -> None:
        assert markdown.recognises(Raw("notes", f"# A\n\n{PROSE}\n\n## B\n\n{PROSE}".encode()))
        assert not markdown.recognises(Raw("notes.txt", f"A\n\n{PROSE}".encode()))
        assert not markdown.recognises(Raw("run", b"# a comment\n# another\nset -e\nrm -f x | grep y > z\n" * 20))


class TestPlain:
    def test_title_abstract_and_headings(self) -> None:
        found, _ = read(
            plain, f"A Study of Rivers\n\nAbstract\n{PROSE}\n\n1. Introduction\nRivers\nrun.\n", "rivers.txt"
        )
        assert (found.paper.title, found.paper.abstract) == ("A Study of Rivers", PROSE.strip())
        assert sections(found.body) == [("1. Introduction", None, "Rivers run.")]

    def test_a_text_without_a_title_is_called_by_its_file(self) -> None:
        found, problems = read(plain, f"{PROSE}\n\n{PROSE}", "my_notes.txt")
        assert found.paper.title == "my notes"
        assert "file's name" in problems

    @pytest.mark.parametrize(
        "text",
        [
            "too short.",
            "def f(x):\n    return {x: [1, 2]}\n\nclass A(B):\n    x = f(y) + g(z)\n" * 20,
            "2024-01-01 12:00:01 ERROR [main] 0x7ff3 failed: 17\n" * 50,
            '{"a": [1, 2, 3], "b": "c"}\n' * 50,
            "a,b,c\n1,2,3\n4,5,6\n" * 60,
            "qzjxkvbwqzjxkvbwqzjxkvbw" * 40,
            "xjqz kkvw pqzt bbrt " * 60,
        ],
    )
    def test_what_is_no_prose_is_refused(self, text: str) -> None:
        assert not plain.recognises(Raw("x.txt", text.encode()))

    def test_prose_under_another_suffix_is_not_taken(self) -> None:
        assert plain.recognises(Raw("x", PROSE.encode() * 2))
        assert not plain.recognises(Raw("x.bib", PROSE.encode() * 2))

    def test_scripts_without_spaces_are_prose_too(self) -> None:
        assert plain.recognises(
            Raw("x.txt", ("大型语言模型在许多任务上表现良好。我们研究它们的局限性。" * 10).encode())
        )


class TestDocument:
    def test_a_reference_list_named_in_the_contents_does_not_end_the_text(self) -> None:
        blocks = [heading_block("A Title"), heading_block("References"), text_block("page 9"), heading_block("One"),
                  text_block(PROSE * 5), heading_block("References"), text_block("Other, A. 2020.")]  # fmt: skip
        (found, _) = entry(Document(blocks), "x")
        assert "page 9" not in found.paper.abstract
        assert PROSE.strip() in found.paper.abstract + (found.body.text if found.body else "")

    def test_no_text_is_an_error(self) -> None:
        with pytest.raises(SourceError, match="has no text"):
            entry(Document([heading_block("Only a Heading")]), "x.md")

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.text(max_size=60), st.booleans(), st.integers(1, 3)), max_size=12), st.booleans())
    def test_whatever_the_blocks_parts_tile_and_nothing_is_lost(
        self, drawn: list[tuple[str, bool, int]], printed: bool
    ) -> None:
        blocks = [heading_block(text) if heading else text_block(text, page) for text, heading, page in drawn]
        try:
            found, _ = entry(Document(blocks, title="A Given Title", printed=printed), "x")
        except SourceError:
            assert not any(block.text and not block.heading for block in blocks)
            return
        assert "\n" not in found.paper.title
        if found.body:
            tiles(found.body)
        if not printed and not any(
            word in text.lower() for text, _, _ in drawn for word in ("ref", "abs", "key", "bib")
        ):
            kept = f"{found.paper.abstract}\n\n{found.body.text if found.body else ''}"
            assert all(block.text in kept for block in blocks if not block.heading and block.text != "A Given Title")

    @given(st.text(max_size=80))
    def test_clean_text_stays_as_it_is(self, text: str) -> None:
        once = clean(text)
        assert clean(once) == once

    def test_readers_take_today_for_a_day(self) -> None:
        assert read(markdown, f"---\ndate: {TODAY}\n---\n# T T\n\n{PROSE}", "a.md")[0].paper.published == TODAY


PROSE_LINES = [f"The canal keeps line {n} of the text near the river and the" for n in range(6)]
LISTED = [f"[{n}] A. B. Author{n}. A Title of Another Paper. Journal of Things, 20{n:02}." for n in range(1, 11)]


def table(*columns: float, y: float = 400, rows: int = 5, step: float = 14) -> list[Item]:
    """A table with a caption: a name and a value for each further column; row n holds n1.1, n1.2 and so on."""
    drawn: list[Item] = [(LEFT, y - 20, BODY, 10, "Table 1: Hit rates in percent.")]
    drawn += [(x, y, BODY, 9, text) for x, text in zip(columns, ("Trace", "LRU", "LFU", "Ours"), strict=False)]
    for n in range(1, rows + 1):
        values = (f"{'ABCDEFGH'[n - 1]}lpha", *(f"{n}1.{k}" for k in range(1, len(columns))))
        drawn += [(x, y + step * n, BODY, 9, text) for x, text in zip(columns, values, strict=True)]
    return drawn


def body_text(data: bytes) -> tuple[str, str]:
    """The full text of a PDF, and its problems."""
    found, problems = read(pdf_reader, data, "paper.pdf")
    assert found.body is not None
    return found.body.text, problems


@pytest.mark.usefixtures("in_process")
class TestPdfTables:
    START = (*front(), (LEFT, 260, BOLD, 12, "1 Introduction"), *lines(PROSE_LINES, y=280))

    @pytest.mark.parametrize("gap", [30, 80, 110, 160])
    @pytest.mark.parametrize("by_column", [False, True])
    def test_each_row_is_one_line_with_its_cells_in_order(self, gap: float, by_column: bool) -> None:
        drawn = table(*(LEFT + gap * k for k in range(4)))
        drawn = sorted(drawn, key=lambda item: (item[2:4], item[0])) if by_column else drawn
        text, _ = body_text(pdf([[*self.START, *drawn]]))
        paragraphs = text.replace(" |", "").split("\n\n")
        for n in range(1, 6):
            assert f"{'ABCDEFGH'[n - 1]}lpha {n}1.1 {n}1.2 {n}1.3" in paragraphs

    def test_whole_numbers_in_many_rows_are_no_line_numbers(self) -> None:
        drawn = [(LEFT, 380, BODY, 10, "Table 2: Counts.")]
        drawn += [
            (x, 400 + 14 * n, BODY, 9, text) for n in range(12) for x, text in ((LEFT, "Town"), (300, f"{n + 1}"))
        ]
        text, _ = body_text(pdf([[*self.START, *drawn]]))
        assert [f"Town | {n + 1}" in text.split("\n\n") for n in range(12)] == [True] * 12

    def test_a_table_in_one_of_two_columns_takes_nothing_from_the_other(self) -> None:
        left = [(LEFT, 260, BOLD, 12, "1 Introduction"), *lines([one[:44] for one in PROSE_LINES] * 4, y=280)]
        right = table(*(RIGHT_COLUMN + 60 * k for k in range(4)), y=300 + 1)
        right = [(max(x, RIGHT_COLUMN), y, *rest) for x, y, *rest in right]
        right += lines([one[:44] for one in PROSE_LINES], x=RIGHT_COLUMN, y=440)
        text, _ = body_text(pdf([[*front(), *left, *right]]))
        assert "Alpha | 11.1 | 11.2 | 11.3" in text.split("\n\n")
        assert "line 5 of the text near the The canal keeps line 0" in text

    def test_a_table_whose_rows_cannot_be_told_apart_is_left_out_and_said_to_be(self) -> None:
        text, problems = body_text(pdf([[*self.START, *table(54, 160, 260, 360, step=6)]]))
        assert "A table on page 1 was left out" in problems
        assert "31.2" not in text
        assert "near the river" in text

    def test_a_row_of_a_name_and_many_numbers_stays(self) -> None:
        row = "Nova 10.0 (118) 2455060.02 (118) 2.3 (119) 8000 (118) 1.6 (119) 4.0 (12) 17.3 (8)"
        text, _ = body_text(pdf([[*self.START, *lines([row], y=420)]]))
        assert row in text

    def test_values_near_a_table_that_are_in_no_row_are_said_to_be_missing(self) -> None:
        drawn = [(LEFT, 380, BODY, 10, "Table 3: Values of no column.")]
        drawn += [(LEFT + 70 * n, 396 + 14 * n, BODY, 9, f"{n}7.5") for n in range(4)]
        _, problems = body_text(pdf([[*self.START, *drawn]]))
        assert "values of a table on page 1" in problems


@pytest.mark.usefixtures("in_process")
class TestPdfMargins:
    def test_a_page_of_countless_pieces_is_read_soon(self) -> None:
        line = b"".join(
            b"1 0 0 1 %d %d Tm (%d) Tj " % (20 + 22 * (n % 26), 780 - n // 26 * 5, n % 90) for n in range(4000)
        )
        with soon(3), suppress(SourceError):
            read(pdf_reader, written_pdf(b"BT /F 4 Tf " + line + b"ET"), "pieces.pdf")

    def test_a_sentence_that_the_text_repeats_is_no_running_head(self) -> None:
        pages = []
        for number, name in enumerate("wxyz"):
            own = [f"On page {name * 4} there is line {'abcdefgh'[n % 8] * 3} of it." for n in range(53)]
            for at in ((), (0, -1), (0, -1), (0,))[number]:
                own[at] = "The machines were otherwise idle."
            opening = [*front(), (LEFT, 250, BOLD, 12, "1 Introduction")] if number == 0 else []
            pages.append([*opening, *lines(own[16:] if number == 0 else own, y=(80 + 16 * 12) if number == 0 else 80)])
        text, _ = body_text(pdf(pages))
        assert text.count("The machines were otherwise idle.") == 5

    def test_a_value_alone_in_the_margin_stays_with_its_row(self) -> None:
        page = [*TestPdfTables.START, *table(54, 200, y=640, rows=6)]
        text, _ = body_text(pdf([page]))
        assert "Flpha | 61.1" in text


@pytest.mark.usefixtures("in_process")
class TestReferenceLists:
    def test_an_appendix_behind_the_list_stays(self) -> None:
        page = [*TestPdfTables.START, (LEFT, 380, BOLD, 12, "References"), *lines(LISTED, y=400)]
        page += [(LEFT, 560, BOLD, 12, "A Proof of the Theorem"), *lines(PROSE_LINES, y=580)]
        found, _ = read(pdf_reader, pdf([page]), "r.pdf")
        assert [section for section, _, _ in sections(found.body)] == ["1 Introduction", "A Proof of the Theorem"]
        assert found.body is not None
        assert "Another" not in found.body.text

    def test_a_list_without_a_heading_at_the_end_is_left_out(self) -> None:
        pieces = [" ".join(LISTED[:3]), "Net, and P. Pot, eds.", " ".join(LISTED[3:6]), "Lecture Notes 7.", *LISTED[6:]]
        blocks = [heading_block("1 One"), text_block(PROSE), *map(text_block, pieces)]
        (found, _) = entry(Document(blocks, title="A Title", abstract="Short.", printed=True), "x")
        assert sections(found.body) == [("1 One", None, PROSE.strip())]

    def test_prose_under_that_heading_stays_and_what_follows_it(self) -> None:
        blocks = [heading_block("1 One"), text_block(PROSE), heading_block("6 References"), text_block(PROSE * 2),
                  heading_block("7 Options"), text_block(PROSE)]  # fmt: skip
        (found, _) = entry(Document(blocks, title="A Title", abstract="Short."), "x")
        assert [section for section, _, _ in sections(found.body)] == ["1 One", "6 References", "7 Options"]

    def test_a_list_broken_over_pages_in_the_midst_of_entries_is_a_list(self) -> None:
        rest = "Sciences], Vol. 275. Springer. 352 pages. [20] Ann B. Cee and D. E. Eff. 2004. Sorting. In Proc. ABC. "
        blocks = [heading_block("1 One"), text_block(PROSE), heading_block("References"),
                  text_block(rest + "21–22. [21] Ian Editor. 2007. A Book."), text_block(rest)]  # fmt: skip
        (found, _) = entry(Document(blocks, title="A Title", abstract="Short.", printed=True), "x")
        assert [section for section, _, _ in sections(found.body)] == ["1 One"]

    def test_a_numbered_section_about_keywords_stays(self) -> None:
        page = [*TestPdfTables.START, (LEFT, 380, BOLD, 12, "8 CCS Concepts and User-Defined")]
        page += [(LEFT + 12, 394, BOLD, 12, "Keywords"), *lines(PROSE_LINES, y=412)]
        found, _ = read(pdf_reader, pdf([page]), "k.pdf")
        assert sections(found.body)[-1][0] == "8 CCS Concepts and User-Defined Keywords"


class TestAbstracts:
    def test_keywords_end_the_abstract(self) -> None:
        blocks = [heading_block("Abstract"), text_block("We walk."), text_block("Keywords: walks, rivers"),
                  text_block(PROSE), heading_block("Methods"), text_block(PROSE)]  # fmt: skip
        (found, _) = entry(Document(blocks, title="A Title", printed=True), "x")
        assert found.paper.abstract == "We walk."
        assert found.body is not None
        assert found.body.text.count(PROSE.strip()) == 2
        assert "walks, rivers" not in found.body.text

    def test_a_summary_behind_the_title_is_the_abstract_and_a_byline_is_none(self) -> None:
        text = f"# Why We Moved\n\nBy Petra Lindqvist\n\n## Summary\n\nIt was faster.\n\n## Decisions\n\n{PROSE}"
        found, problems = read(markdown, text, "note.md")
        assert (found.paper.abstract, problems) == ("It was faster.", "")
        assert [section for section, _, _ in sections(found.body)] == ["Decisions"]
        bare, _ = read(markdown, text.replace("## Summary\n\n", ""), "note.md")
        assert bare.paper.abstract.startswith("It was faster")

    @pytest.mark.usefixtures("in_process")
    def test_a_footnote_mark_is_no_part_of_a_title(self) -> None:
        page = [(LEFT, 110, BOLD, 17, "A Title with Forced Linebreaka)"), *front()[2:], *lines(PROSE_LINES, y=260)]
        assert read(pdf_reader, pdf([page]), "t.pdf")[0].paper.title == "A Title with Forced Linebreak"

    def test_headings_of_a_short_web_page_are_kept(self) -> None:
        page = f"""<html><head><meta name="citation_title" content="Moss Sensors at Home"></head><body><nav>Home</nav>
            <h1>Moss Sensors at Home</h1><p>Haruka Sato and Emil Brandt</p><h2>Abstract</h2><p>Moss takes up metals.</p>
            <h2>2 Calibration</h2><p>{PROSE}</p></body></html>"""
        found, _ = read(html, page, "moss.html")
        assert found.paper.abstract == "Moss takes up metals."
        assert [section for section, _, _ in sections(found.body)] == ["2 Calibration"]


def test_a_page_without_text_between_others_is_passed_over() -> None:
    printed = [(LEFT, 80 + LEADING * n, BODY, 10, text) for n, text in enumerate(("A Title", *ABSTRACT * 6))]
    found, _ = read(pdf_reader, pdf([printed, [], printed[1:]]), "a.pdf")
    pages = {page for _, page, _ in sections(found.body)}  # what stands on the first may be the abstract
    assert 3 in pages
    assert 2 not in pages
