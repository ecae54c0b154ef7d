"""The reader of Daily Papers pages, on the four real pages and on damaged ones."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listing_helpers import HEAD, TODAY, messages, papers

from rag.errors import SourceError
from rag.papers import Paper, normalised_title, paper_id_for
from rag.readers import MAX_BYTES, SourceReading, find_sources, read_file

SEEDS = Path(__file__).parents[1] / "seeds"
NO_FOOTER = {
    "Approaching an unknown communication system by latent space exploration and causal inference",
    "BOLT: Bootstrap Long Chain-of-Thought in Language Models without Distillation",
    "Homeomorphism Prior for False Positive and Negative Problem in Medical Image Dense Contrastive Representation "
    "Learning",
    "Fast Controlled Generation from Language Models with Adaptive Weighted Rejection Sampling",
    "Draft-based Approximate Inference for LLMs",
    "Encoder-Decoder Gemma: Improving the Quality-Efficiency Trade-Off via Adaptation",
}


@pytest.fixture(scope="module")
def readings() -> list[SourceReading]:
    return [read_file(path, today=TODAY) for path in find_sources([SEEDS])]


@pytest.fixture(scope="module")
def seed_papers(readings: list[SourceReading]) -> list[Paper]:
    return [entry.paper for reading in readings for entry in reading.entries]


class TestSeeds:
    def test_counts(self, readings: list[SourceReading], seed_papers: list[Paper]) -> None:
        assert [len(reading.entries) for reading in readings] == [42, 57, 76, 79]
        assert len({normalised_title(paper.title) for paper in seed_papers}) == 237
        assert len({paper.paper_id for paper in seed_papers}) == 237
        assert all(paper.paper_id == paper_id_for(paper.title) for paper in seed_papers)
        assert sum(paper.comments is not None for paper in seed_papers) == 56
        assert max(paper.comments or 0 for paper in seed_papers) == 27
        assert sum(paper.year_inferred for paper in seed_papers) == 66
        assert sum(paper.n_authors is None for paper in seed_papers) == 12

    def test_duplicates_are_equal_in_everything(self, seed_papers: list[Paper]) -> None:
        assert len(set(seed_papers)) == 237

    def test_years(self, seed_papers: list[Paper]) -> None:
        unique = set(seed_papers)
        assert Counter(paper.published.year if paper.published else None for paper in unique) == {
            2025: 60, 2024: 73, 2023: 48, 2022: 25, 2021: 12, 2020: 7, 2019: 2, 2017: 2, 2016: 1, 2015: 1, None: 6,
        }  # fmt: skip
        assert all(paper.year_inferred == (paper.published.year == 2025) for paper in unique if paper.published)

    @pytest.mark.parametrize("today", [date(2025, 12, 16), TODAY, date(2040, 1, 1)])
    def test_years_do_not_come_from_the_clock(self, today: date, seed_papers: list[Paper]) -> None:
        again = [entry.paper for path in find_sources([SEEDS]) for entry in read_file(path, today=today).entries]
        assert again == seed_papers

    def test_papers_without_footer(self, readings: list[SourceReading], seed_papers: list[Paper]) -> None:
        bare = [paper for paper in seed_papers if paper.published is None]
        assert {paper.title for paper in bare} == NO_FOOTER
        assert all(paper.n_authors is None and paper.organisation is None for paper in bare)
        problems = [(reading.name[:3], problem.line) for reading in readings for problem in reading.problems]
        assert problems == [("000", 53), ("000", 241), ("001", 357), ("002", 461), ("002", 545), ("003", 205)]

    def test_organisations(self, seed_papers: list[Paper]) -> None:
        shown = {paper.title.split(":")[0][:24]: paper.organisation for paper in seed_papers if paper.organisation}
        assert shown == {
            "The Dragon Hatchling": "Pathway",
            "Configurable Foundation ": "OpenBMB",
            "KaLM-Embedding-V2": "KaLM-Embedding",
            "Sparse Query Attention (": "Reactive AI",
            "ARC-Encoder": "Kyutai",
            "SindBERT, the Sailor": "SindBERT",
        }

    def test_text_is_kept_exactly(self, readings: list[SourceReading]) -> None:
        for path, reading in zip(find_sources([SEEDS]), readings, strict=True):
            source = path.read_text(encoding="utf-8")
            lines = source.split("\n")
            for entry in reading.entries:
                assert lines[entry.line - 1] == entry.paper.title
                assert lines[entry.line + 1] == entry.paper.abstract
            assert reading.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_every_line_of_text_is_used(self, readings: list[SourceReading]) -> None:
        for path, reading in zip(find_sources([SEEDS]), readings, strict=True):
            lines = [line for line in path.read_text(encoding="utf-8").split("\n")[11:] if len(line) > 40]
            used = [text for e in reading.entries for text in (e.paper.title, e.paper.abstract) if len(text) > 40]
            assert sorted(lines) == sorted(used)

    def test_odd_texts_survive(self, seed_papers: list[Paper]) -> None:
        text = "\n".join(paper.abstract for paper in seed_papers)
        for residue in ("<EOS>", "<3%", r"Fr\'echet", r"\n locally-interacting", "O(LL)", "``", "5.7\\% rightarrow"):
            assert residue in text

    def test_known_papers(self, seed_papers: list[Paper]) -> None:
        known = {paper.title: paper for paper in seed_papers}
        hatchling = next(paper for title, paper in known.items() if title.startswith("The Dragon Hatchling"))
        assert (hatchling.published, hatchling.year_inferred, hatchling.comments) == (date(2025, 9, 30), True, 27)
        pointers = known["Pointer Networks"]
        assert (pointers.published, pointers.n_authors, pointers.comments) == (date(2015, 6, 9), 3, None)


class TestDates:
    def page(self, *dates: str) -> str:
        entries = (f"Paper {i}\n\nIt is paper {i}.\n\n  • 2 authors\n·\n{day}\n\n" for i, day in enumerate(dates))
        return HEAD + "".join(entries)

    def published(self, *dates: str, today: date = TODAY, year: int | None = None) -> list[date | None]:
        return [paper.published for paper in papers(self.page(*dates), today=today, year=year)]

    def test_yearless_is_the_year_after_the_last_printed(self) -> None:
        assert self.published("Aug 30 2", "Jan 3, 2021", "Dec 4, 2022 7") == [
            date(2023, 8, 30), date(2021, 1, 3), date(2022, 12, 4),
        ]  # fmt: skip

    def test_without_a_printed_year_nothing_is_inferred(self) -> None:
        assert self.published("Aug 30 2", "Jan 3") == [None, None]
        told = messages(self.page("Aug 30 2"))
        assert "'Aug 30 2' cannot be known" in told
        assert told.startswith("17: ")

    def test_a_year_may_be_given(self) -> None:
        assert self.published("Aug 30 2", "Jan 3, 2021", year=2025) == [date(2025, 8, 30), date(2021, 1, 3)]

    def test_one_poisoned_year_shifts_nothing(self) -> None:
        assert self.published("Aug 30", "Jan 3, 2099", "Dec 4, 2022") == [date(2023, 8, 30), None, date(2022, 12, 4)]
        assert "2099-01-03 is later than today" in messages(self.page("Aug 30", "Jan 3, 2099", "Dec 4, 2022"))

    def test_inferred_year_never_passes_the_clock(self) -> None:
        assert self.published("Aug 30", "Jan 3, 2026") == [date(2026, 8, 30), date(2026, 1, 3)]

    def test_inferred_day_in_the_future_is_not_given(self) -> None:
        assert self.published("Dec 30", "Jan 3, 2025") == [None, date(2025, 1, 3)]

    def test_impossible_days(self) -> None:
        assert self.published("Feb 30, 2024", "Jan 3, 2022", "Feb 29") == [None, date(2022, 1, 3), None]
        assert "no day of the calendar" in messages(self.page("Feb 30, 2024"))

    @pytest.mark.parametrize("text", ["Agu 30, 2024", "2024", "30 Aug 2024", "Aug", "Nov 7, 202"])
    def test_unreadable_dates_are_told_and_hurt_nobody(self, text: str) -> None:
        page = self.page("Jan 3, 2022", text, "Jan 4, 2022")
        assert [paper.published for paper in papers(page)] == [date(2022, 1, 3), None, date(2022, 1, 4)]
        assert [paper.title for paper in papers(page)] == ["Paper 0", "Paper 1", "Paper 2"]
        assert '"Paper 1" shows no date that can be read' in messages(page)
        assert text in messages(page)

    def test_number_after_the_date_is_comments(self) -> None:
        assert [paper.comments for paper in papers(self.page("Aug 30, 2023 12", "Aug 30, 2023", "Aug 3, 2022 x2"))] == [
            12, None, None,
        ]  # fmt: skip
        assert '"x2" after the date' in messages(self.page("Aug 3, 2022 x2"))

    @given(
        st.lists(st.dates(date(2000, 1, 1), date(2035, 12, 31)), min_size=1, max_size=12),
        st.integers(0, 11),
        st.dates(date(2000, 1, 1), date(2035, 12, 31)),
    )
    def test_no_date_is_ever_in_the_future(self, days: list[date], yearless: int, today: date) -> None:
        texts = [f"{day:%b} {day.day}" + ("" if i == yearless else f", {day.year}") for i, day in enumerate(days)]
        for day, found in zip(days, self.published(*texts, today=today), strict=True):
            assert found is None or (found - today).days <= 1
            assert found is None or (found.month, found.day) == (day.month, day.day)


class TestFiles:
    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "is empty"),
            (b" \n\r\n\xef\xbb\xbf", "is empty"),
            (b"\x89PNG\r\n\x1a\n" + bytes(70), "not text"),
            (os.urandom(100_000).replace(b"\xff\xfe", b""), "not text"),
            (b"Dear all,\n\nthe meeting is on\n\nMay 5\n", "no format"),
            (HEAD.encode(), "lists no paper"),
        ],
        ids=["empty", "blank", "png", "random", "letter", "head-only"],
    )
    def test_what_is_no_source(self, tmp_path: Path, data: bytes, says: str) -> None:
        path = tmp_path / "page.txt"
        path.write_bytes(data)
        with pytest.raises(SourceError, match=says) as caught:
            read_file(path)
        assert "page.txt" in caught.value.message
        assert caught.value.remedy

    def test_expected_format_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("Dear all, nothing here.")
        with pytest.raises(SourceError, match="Daily Papers page"):
            read_file(tmp_path / "letter.txt")

    def test_no_regular_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path, says in [
            (tmp_path, "is a folder"),
            (tmp_path / "absent.txt", "does not exist"),
            (tmp_path / "nul\0.txt", "cannot be read"),
            (tmp_path / ("x" * 300), "cannot be read"),
            (tmp_path / "pipe", "no regular file"),
            (Path("/dev/null"), "no regular file"),
            (Path("/proc/self/mem"), "cannot be read"),
        ]:
            with pytest.raises(SourceError, match=says):
                read_file(path)

    def test_too_large_is_refused_unread(self, tmp_path: Path) -> None:
        with (tmp_path / "large.txt").open("wb") as file:
            file.truncate(MAX_BYTES + 1)
        with pytest.raises(SourceError, match="200,000,001 bytes"):
            read_file(tmp_path / "large.txt")

    def test_find_sources(self, tmp_path: Path) -> None:
        inside = tmp_path / "in"
        for name in ("b.txt", "a/c.txt", ".hidden.txt", ".git/config", "a/.x"):
            (inside / name).parent.mkdir(parents=True, exist_ok=True)
            (inside / name).write_text("x")
        (tmp_path / "outside.txt").write_text("x")
        (inside / "leaves.txt").symlink_to(tmp_path / "outside.txt")
        (inside / "stays.txt").symlink_to(inside / "b.txt")
        (inside / "loop").symlink_to(inside / "loop")
        absent = tmp_path / "absent"
        found = find_sources([inside, absent, inside / "b.txt", inside / ".hidden.txt"])
        names = ["a/c.txt", "b.txt", "loop", "stays.txt"]
        assert found == [*(inside / name for name in names), absent, inside / ".hidden.txt"]

    def test_found_seeds(self) -> None:
        assert [path.name[:3] for path in find_sources([SEEDS])] == ["000", "001", "002", "003"]
