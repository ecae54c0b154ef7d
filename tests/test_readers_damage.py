"""Daily Papers pages that are odd, damaged or cut: what can be kept is kept, and the rest is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from listing_helpers import FIRST, HEAD, SECOND, TODAY, messages, papers, read

from rag.errors import SourceError
from rag.papers import Paper
from rag.readers import read_file
from rag.readers.text import read_text

SEEDS = Path(__file__).parents[1] / "seeds"


class TestShapes:
    def test_missing_abstract(self) -> None:
        page = HEAD + FIRST + "Only a Title\n\n  • 2 authors\n·\nJan 6, 2020\n\n" + SECOND
        found = papers(page)
        assert [paper.title for paper in found] == ["First Good Paper", "Only a Title", "Second Good Paper"]
        assert found[1].abstract == ""
        assert '21: "Only a Title" has no abstract' in messages(page)

    def test_missing_title(self) -> None:
        abstract = "We study many things at length. " * 30
        found = papers(HEAD + FIRST + abstract + "\n\n  • 2 authors\n·\nJan 6, 2020\n\n" + SECOND)
        assert [paper.abstract for paper in found][1] == abstract.strip()
        assert found[1].title == "Untitled paper (line 21)"
        assert found[2].title == "Second Good Paper"

    def test_missing_authors_line(self) -> None:
        page = HEAD + "A Title\n\nAn abstract.\n\n·\nJan 6, 2020\n\n" + SECOND
        assert papers(page)[0].published == date(2020, 1, 6)
        assert '"A Title" shows neither authors nor organisation' in messages(page)
        assert papers(page)[0].organisation is None

    def test_abstract_of_two_paragraphs(self) -> None:
        page = (
            HEAD + "A Title\n\n" + "It is long. " * 40 + "\n\n" + "And longer. " * 40 + "\n\n  • 2 authors\n\n" + SECOND
        )
        found = papers(page)
        assert len(found) == 2
        assert found[0].abstract == ("It is long. " * 40).strip() + "\n\n" + ("And longer. " * 40).strip()
        assert "an abstract of 2 paragraphs" in messages(page)

    def test_hard_wrapped_abstract(self) -> None:
        abstract = "We propose a method that\nworks in all\ncases."
        page = HEAD + f"A Title on\nTwo Lines\n\n{abstract}\n\n  • 2 authors\n·\nMay 1, 2020\n"
        assert [(paper.title, paper.abstract) for paper in papers(page)] == [("A Title on Two Lines", abstract)]

    def test_page_without_blank_lines(self) -> None:
        page = "".join(line + "\n" for line in (HEAD + FIRST + SECOND).split("\n") if line)
        assert papers(page) == papers(HEAD + FIRST + SECOND)

    def test_furniture_between_papers_is_told_and_hurts_nobody(self) -> None:
        page = HEAD + FIRST + "Load more papers\n\n" + SECOND + "\n\nTerms of service\n"
        assert papers(page) == papers(HEAD + FIRST + SECOND)
        assert '21: Text that belongs to no paper was left out: "Load more papers"' in messages(page)
        assert "Terms of service" in messages(page)

    def test_joined_pages(self) -> None:
        assert papers(HEAD + FIRST + HEAD + SECOND) == papers(HEAD + FIRST + SECOND)

    def test_page_without_head(self) -> None:
        assert papers(FIRST + SECOND) == papers(HEAD + FIRST + SECOND)

    def test_identical_entries_are_all_given(self) -> None:
        assert len(papers(HEAD + FIRST + FIRST + FIRST)) == 3

    def test_many_authors(self) -> None:
        assert papers(HEAD + FIRST.replace("3 authors", "3,295 authors"))[0].n_authors == 3295

    def test_title_of_501_characters_is_cut(self) -> None:
        page = HEAD + FIRST.replace("First Good Paper", "x" * 501) + SECOND
        assert [len(paper.title) for paper in papers(page)] == [500, len("Second Good Paper")]
        assert "a title of 501 characters was cut to 500" in messages(page).lower()
        assert "cut" not in messages(page.replace("x" * 501, "x" * 500))


class TestBytes:
    WHOLE = HEAD + FIRST + SECOND

    @pytest.mark.parametrize(
        "data",
        [
            WHOLE.encode("utf-8-sig"),
            WHOLE.encode("utf-16"),
            WHOLE.replace("\n", "\r\n").encode(),
            WHOLE.replace("\n", "\r").encode(),
            WHOLE.replace("  •", "\u00a0\u00a0•\u00a0").encode(),
            WHOLE.replace("·", "\u00a0·\u00a0").encode(),
            (WHOLE + "\n\n \t \n").encode(),
        ],
        ids=["bom", "utf-16", "crlf", "cr", "nbsp-bullet", "nbsp-dot", "blank-end"],
    )
    def test_harmless_differences(self, data: bytes) -> None:
        assert papers(data) == papers(self.WHOLE)
        assert not read(data).problems

    def test_windows_1252(self) -> None:
        whole = HEAD + FIRST.replace("reaches", "réaches – “so”") + SECOND
        assert papers(whole.encode("cp1252")) == papers(whole)
        assert "page.txt is not clean UTF-8" in messages(whole.encode("cp1252"))

    def test_surrogates(self) -> None:
        halves = HEAD + FIRST.replace("benchmark", "bench\ud800mark \ud83d\ude00") + SECOND
        assert papers(halves)[0].abstract == "It reaches 11.1% on the first benchmark 😀."
        assert "Removed 1 control" in messages(halves)

    @given(st.text(st.characters(exclude_categories=[]), max_size=300))
    def test_nothing_invisible_is_left(self, text: str) -> None:
        try:
            clean, _ = read_text(text.encode("utf-8", "surrogatepass"), "x")
        except SourceError:
            return
        assert not any((ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0 for c in clean)
        assert not set(clean) & set("\u202a\u202e\u2066\u2069\u200b\ufeff\u2028")
        clean.encode("utf-8")

    @given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=200))
    def test_visible_text_is_not_touched(self, text: str) -> None:
        assert read_text(text.encode(), "x") == (text, [])


GARBAGE = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=[]), max_size=60),
        st.sampled_from(["·", "•", "  • 3 authors", "·\nAug 30", "Aug 30", "Feb 31, 2024 9", "\0", "\x1b[31m", "new"]),
        st.sampled_from(["Daily Papers", "slug Name\n·", "It ends here.", "Load more", "x" * 600, "long. " * 99]),
    ),
    max_size=8,
)


def shown(paper: Paper) -> tuple[object, ...]:
    return paper.title, paper.abstract, paper.published, paper.n_authors, paper.comments


@settings(max_examples=400, deadline=None)
@given(GARBAGE)
@example(["Only a title", "Another"])
@example(["slug Name\n·"])
@example(["x\n·\nAug 30", "·"])
def test_garbage_between_entries_never_loses_its_neighbours(garbage: list[str]) -> None:
    page = HEAD + FIRST + "".join(part + "\n\n" for part in garbage) + SECOND
    try:
        found = [shown(paper) for paper in papers(page)]
    except SourceError:
        assert sum(ord(c) < 32 for part in garbage for c in part) > 20
        return
    good = [shown(paper) for paper in papers(HEAD + FIRST + SECOND)]
    assert found[0] == good[0]
    assert found[-1] == good[1]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    for prefix in (b"", HEAD.encode()):
        path.write_bytes(prefix + data)
        try:
            reading = read_file(path, today=TODAY)
        except SourceError:
            continue
        assert all(entry.paper.title for entry in reading.entries)


def test_a_page_cut_at_any_byte_keeps_all_complete_entries() -> None:
    lines = (SEEDS / "003_162ebd3503ba6e1c.txt").read_bytes().split(b"\n")
    data = (
        b"\n".join(lines[:40]) + "\n\nFréchet Möbius\n\nIt has “quotes” é.\n\n  • 3 authors\n·\nAug 3, 2022\n".encode()
    )
    whole = papers(data, year=2025)
    ends = [data.index(paper.abstract.encode()) + len(paper.abstract.encode()) for paper in whole]
    footers = [data.find(b"\n\n", end + 2) for end in ends]
    assert len(whole) > 4
    for cut in range(len(data) + 1):
        found = papers(data[:cut], year=2025)
        complete = sum(0 <= footer <= cut for footer in footers)
        assert found[:complete] == whole[:complete]
        assert len(found) <= complete + 1


def test_a_cut_page_is_kept_and_flagged() -> None:
    page = HEAD + FIRST + "A Paper Cut in the Middle\n\nWe improve recall by 1"
    last = papers(page)[-1]
    assert (last.title, last.abstract, last.published) == ("A Paper Cut in the Middle", "We improve recall by 1", None)
    assert '21: "A Paper Cut in the Middle" has no footer (no authors, no date): the page ends here' in messages(page)
