"""Sources into the library: what becomes of each listing, and that nothing is done twice or lost."""

from __future__ import annotations

import itertools
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from library_helpers import HashEmbedder, open_library
from patience import soon

from rag.chunking import embedding_text
from rag.errors import FingerprintError, ModelError
from rag.ingest import MEND, IngestReport, ingest, ingest_readings, library_fingerprint, rebuild
from rag.library.identity import SAME_TEXT, likeness
from rag.library.library import Library
from rag.models.interfaces import Encoded
from rag.papers import Paper, normalised_title
from rag.readers import SourceReading, read_file
from rag.readers.source import Entry
from rag.terms import content_words
from tests.record_samples import BETWEEN, BROKEN, SAMPLES

SEEDS = Path(__file__).parents[1] / "seeds"
FERNS = (
    "We study how ferns grow in the shade of old walls. Ferns are measured every day for a year by three "
    "people with rulers. Growth is 12 cm a year on average, which is twice what was known."
)
SHIPS = (
    "Container ships lose cargo in storms. This paper proposes a lashing scheme that adapts to waves, and "
    "shows in simulation that losses fall by 40% while loading takes no longer than before."
)
HEAD = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community"


def page(folder: Path, name: str, *papers: tuple[str, str, str]) -> Path:
    """A listing page of (title, abstract, date)."""
    entries = [f"{title}\n\n{abstract}\n\n  • 3 authors\n·\n{day}\n\n" for title, abstract, day in papers]
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"{HEAD}\n\nDec 15\n\n{''.join(entries)}".rstrip(), encoding="utf-8")
    return path


@pytest.fixture
def embedder() -> HashEmbedder:
    """Counts what it encodes."""
    return HashEmbedder()


@pytest.fixture
def library(tmp_path: Path, embedder: HashEmbedder) -> Library:
    """Empty."""
    return open_library(tmp_path / "library", library_fingerprint(embedder))


def outcomes(report: IngestReport) -> list[str]:
    return [row.outcome for row in report.rows]


def test_the_seeds_give_237_papers_and_a_second_time_nothing_at_all(library: Library, embedder: HashEmbedder) -> None:
    steps: list[tuple[int, int]] = []

    def told(done: int, total: int) -> None:
        with closing(sqlite3.connect(library.folder / "catalog.sqlite3")) as other:
            assert other.execute("SELECT count(*) FROM papers").fetchone() == (done,), "what is told is stored"
        steps.append((done, total))

    report = ingest([SEEDS], library, embedder, progress=told)
    assert Counter(outcomes(report)) == {"added": 237, "merged": 17}
    stats = library.stats()
    assert (stats.papers, stats.entries, stats.duplicates, stats.sources) == (237, 254, 17, 4)
    assert steps == [(n, 237) for n in (*range(0, 237, 32), 237)]
    assert len(report.warnings) >= 6  # entries without a footer
    assert all(warning.source.endswith(".txt") and warning.message for warning in report.warnings)
    assert library.verify().ok
    twice = [p for p in library.find() if len(library.sources_of(p.paper_id)) == 2]
    assert len(twice) == 17
    assert len([p for p in library.find() if "cMIM" in p.title or "Mutual Information Learning" in p.title]) == 2

    encoded, generation = embedder.encoded_texts, library.generation
    with soon(1):
        again = ingest([SEEDS], library, embedder)
    assert set(outcomes(again)) == {"unchanged"}
    assert len(again.rows) == 254
    assert (embedder.encoded_texts, library.generation, library.stats()) == (encoded, generation, stats)


def test_every_abstract_is_stored_exactly_and_token_spans_point_into_passages(
    library: Library, embedder: HashEmbedder
) -> None:
    ingest([SEEDS], library, embedder)
    entries = [entry.paper for path in sorted(SEEDS.iterdir()) for entry in read_file(path).entries]
    stored = library.papers([one.paper_id for one in entries])
    assert all(stored[one.paper_id].abstract == one.abstract for one in entries)
    for group in library.passages(list(stored)[:20]).values():
        encoded = library.encoded([passage.passage_id for passage in group])
        for passage in group:
            spans = encoded[passage.passage_id].spans
            content = [(start, end) for start, end, _ in content_words(passage.text)]
            words = [match.span() for match in re.finditer(r"\S+", passage.text)]
            wanted = [word for word in words if any(start < word[1] <= end for start, end in content)]
            assert [tuple(span) for span in spans if span[0] >= 0] == wanted
            assert len(wanted) > len(words) / 4
            assert 0 < (spans < 0).all(axis=1).sum() <= len(stored[passage.paper_id].title.split())


def test_the_same_file_under_another_name_or_twice_at_once_changes_no_count(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    papers = ("Ferns on walls", FERNS, "Dec 1"), ("Ships in storms", SHIPS, "Jan 2, 2024")
    one = page(tmp_path / "in", "one.txt", *papers)
    copy = shutil.copy(one, tmp_path / "in" / "copy.txt")
    ingest([one, copy], library, embedder)
    stats = library.stats()
    assert (stats.papers, stats.entries, stats.duplicates, stats.sources) == (2, 2, 0, 1)
    assert set(outcomes(ingest([copy], library, embedder))) == {"unchanged"}
    assert library.stats() == stats


def test_two_files_of_one_name_are_two_sources(tmp_path: Path, library: Library, embedder: HashEmbedder) -> None:
    one = page(tmp_path / "a", "page.txt", ("Ferns on walls", FERNS, "Dec 1"))
    two = page(tmp_path / "b", "page.txt", ("Ferns on walls", FERNS, "Dec 1"), ("Ships in storms", SHIPS, "Dec 2"))
    assert outcomes(ingest([one, two], library, embedder)) == ["added", "merged", "added"]
    assert (library.stats().entries, library.stats().sources) == (3, 2)
    assert library.sources_of("ferns-on-walls") == ["b/page.txt", "page.txt"]


def test_a_corrected_abstract_is_an_update_and_only_it_is_embedded(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    one = page(tmp_path / "in", "page.txt", ("Ferns on walls", FERNS, "Dec 1"), ("Ships in storms", SHIPS, "Dec 2"))
    ingest([one], library, embedder)
    before = embedder.encoded_texts
    corrected = FERNS.replace("12 cm", "21 cm")
    page(tmp_path / "in", "page.txt", ("FERNS on Walls!", corrected, "Dec 1"), ("Ships in storms", SHIPS, "Dec 2"))
    report = ingest([one], library, embedder)
    assert outcomes(report) == ["updated", "unchanged"]
    assert "abstract" in report.rows[0].reason
    assert embedder.encoded_texts == before + 1
    (stored,) = library.papers(["ferns-on-walls"]).values()
    assert (stored.abstract, stored.title) == (corrected, "FERNS on Walls!")
    assert library.match_words("12", 5) == []
    assert [hit.paper_id for hit in library.match_words("21", 5)] == ["ferns-on-walls"]
    assert (library.stats().papers, library.stats().entries, library.stats().sources) == (2, 2, 1)
    assert library.verify().ok


def test_changed_metadata_costs_no_embedding(tmp_path: Path, library: Library, embedder: HashEmbedder) -> None:
    path = page(tmp_path / "in", "page.txt", ("Ferns on walls", FERNS, "Dec 1, 2023"))
    ingest([path], library, embedder)
    before = embedder.encoded_texts
    page(tmp_path / "in", "page.txt", ("Ferns on walls", FERNS, "Dec 2, 2023"))
    assert outcomes(ingest([path], library, embedder)) == ["updated"]
    assert library.find()[0].published == date(2023, 12, 2)
    assert embedder.encoded_texts == before


def test_another_paper_of_the_same_title_stays_another_paper(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    one = page(tmp_path / "in", "one.txt", ("On growth", FERNS, "Dec 1"))
    two = page(tmp_path / "in", "two.txt", ("On growth", SHIPS, "Dec 2"))
    assert outcomes(ingest([one], library, embedder)) == ["added"]
    assert outcomes(ingest([two], library, embedder)) == ["added"]
    assert {paper.abstract for paper in library.find()} == {FERNS, SHIPS}
    corrected = page(tmp_path / "in", "three.txt", ("On growth", SHIPS.replace("40%", "45%"), "Dec 2"))
    report = ingest([corrected], library, embedder)
    assert outcomes(report) == ["updated"]
    assert {paper.abstract for paper in library.find()} == {FERNS, SHIPS.replace("40%", "45%")}
    everything = ingest([one, two, corrected], library, embedder)
    assert set(outcomes(everything)) == {"unchanged"}


def _entry(abstract: str = FERNS, line: int = 1, title: str = "Ferns", **fields: object) -> Entry:
    return Entry(Paper("ferns", title, abstract, **fields), line)  # type: ignore[arg-type]


def _ingest_entries(library: Library, embedder: HashEmbedder, *entries: Entry, name: str = "page.txt") -> IngestReport:
    return ingest_readings([SourceReading(name, f"sha-{hash(entries)}", entries, ())], library, embedder)


def test_what_one_listing_knows_fills_in_what_the_other_does_not(library: Library, embedder: HashEmbedder) -> None:
    printed, inferred = date(2024, 5, 1), date(2025, 5, 1)
    bare = _entry()
    dated = _entry(line=2, published=printed, n_authors=3)
    guessed = _entry(line=3, published=inferred, year_inferred=True, organisation="Kyutai", comments=2)
    report = _ingest_entries(library, embedder, bare, dated, guessed, bare)
    assert outcomes(report) == ["added", "updated", "updated", "merged"]
    (stored,) = library.papers(["ferns"]).values()
    assert stored == Paper("ferns", "Ferns", FERNS, printed, False, 3, "Kyutai", 2)
    again = _ingest_entries(library, embedder, _entry(line=5), name="other.txt")
    assert outcomes(again) == ["unchanged"]
    assert library.papers(["ferns"])["ferns"] == stored
    assert library.sources_of("ferns") == ["other.txt", "page.txt"]


def test_text_that_is_no_unicode_is_one_failed_row_and_the_next_paper_goes_in(
    library: Library, embedder: HashEmbedder
) -> None:
    half = Entry(Paper("x", "Half a \ud800 pair", SHIPS), 4)
    report = _ingest_entries(library, embedder, half, _entry(line=9), _entry("With NUL \0.", 12, "Nul"))
    assert outcomes(report) == ["failed", "added", "added"]
    assert "line 4" in report.rows[0].reason
    report.rows[0].item.encode()
    assert library.papers(["nul"])["nul"].abstract == "With NUL \0."
    assert library.verify().ok


def test_files_that_fail_get_a_row_with_the_reason_and_the_rest_goes_in(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    good = page(tmp_path / "in", "good.txt", ("Ferns on walls", FERNS, "Dec 1"))
    (tmp_path / "in" / "image.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200))
    (tmp_path / "in" / "empty.txt").touch()
    report = ingest([tmp_path / "in", tmp_path / "missing.txt"], library, embedder)
    failed = {row.source: row for row in report.rows if row.outcome == "failed"}
    assert set(failed) == {"image.txt", "empty.txt", "missing.txt"}
    assert all(row.reason and row.source in row.item for row in failed.values())
    assert [row.source for row in report.rows if row.outcome == "added"] == [good.name]
    only_failed = ingest([tmp_path / "missing.txt"], library, embedder)
    assert outcomes(only_failed) == ["failed"]


@pytest.mark.parametrize("kind", sorted(BETWEEN))
def test_a_record_that_is_no_paper_is_a_failed_row_and_the_papers_around_it_go_in(
    kind: str, tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    name, text = BETWEEN[kind]
    (tmp_path / name).write_text(text, encoding="utf-8")
    (problem,) = read_file(tmp_path / name).problems
    report = ingest([tmp_path / name], library, embedder)
    assert outcomes(report) == ["added", "added", "failed"]
    row = report.rows[-1]
    assert (row.item, row.source) == (f"line {problem.line}", name)
    assert row.reason == f"{problem.message} {MEND}"
    assert report.warnings == ()  # it is told once
    again = ingest([tmp_path / name], library, embedder)
    assert outcomes(again) == ["unchanged", "unchanged", "failed"]
    assert again.rows[-1] == row
    (tmp_path / name).write_text(SAMPLES[kind][1], encoding="utf-8")
    assert set(outcomes(ingest([tmp_path / name], library, embedder))) == {"unchanged"}


def test_files_of_nothing_but_broken_records_leave_the_library_as_it_is(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    for kind, (name, text) in BROKEN.items():
        (tmp_path / f"{kind} {name}").write_text(text, encoding="utf-8")
    before = library.generation
    report = ingest(sorted(tmp_path.glob("*.*")), library, embedder)
    assert set(outcomes(report)) == {"failed"}
    assert {row.source for row in report.rows} == {f"{kind} {name}" for kind, (name, _) in BROKEN.items()}
    assert all(row.item.startswith("line ") and row.reason for row in report.rows)
    assert (library.generation, library.stats().papers) == (before, 0)


def test_what_is_odd_about_a_paper_that_was_taken_is_no_failure(
    tmp_path: Path, library: Library, embedder: HashEmbedder
) -> None:
    (tmp_path / "papers.csv").write_text(f'title,abstract,date\nFerns,"{FERNS}",soon\nShips,,2020-01-01\n')
    report = ingest([tmp_path / "papers.csv"], library, embedder)
    assert outcomes(report) == ["added", "added"]
    assert len(report.warnings) == 2


class Stopping(HashEmbedder):
    """Stops at the n-th call, as Ctrl-C or a broken model does."""

    def __init__(self, calls: int, error: BaseException) -> None:
        super().__init__()
        self.calls, self.error = calls, error

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """As the other, until it stops."""
        self.calls -= 1
        if self.calls < 0:
            raise self.error
        return super().encode(texts)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ModelError("gone")])
def test_an_interrupted_ingestion_keeps_finished_batches_and_goes_on_from_there(
    library: Library, embedder: HashEmbedder, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        ingest([SEEDS], library, Stopping(3, error))
    assert library.stats().papers == 96
    assert library.verify().ok  # and searchable
    report = ingest([SEEDS], library, embedder)
    assert Counter(outcomes(report))["added"] == 237 - 96
    assert embedder.encoded_texts < library.stats().passages
    assert (library.stats().papers, library.stats().entries) == (237, 254)


def test_rebuild_embeds_everything_with_the_present_embedder(library: Library, embedder: HashEmbedder) -> None:
    ingest([SEEDS], library, embedder)
    before = library.stats()
    other = HashEmbedder("hash-2")
    with pytest.raises(FingerprintError, match="paperchat library rebuild"):
        Library.open(library.folder, library_fingerprint(other))

    stopping = Stopping(3, KeyboardInterrupt())
    stopping.fingerprint = "hash-2"
    with pytest.raises(KeyboardInterrupt):
        rebuild(Library.open(library.folder), stopping)
    assert library.stats() == before  # a rebuild that stops half-way changes nothing
    assert library.verify().ok

    steps: list[int] = []
    assert rebuild(Library.open(library.folder), other, progress=lambda done, _: steps.append(done)) == 237
    assert steps[-1] == 237
    with pytest.raises(FingerprintError):
        library.match_words("language", 3)  # opened before, for another embedder
    with pytest.raises(FingerprintError), library.write():
        pass
    now = Library.open(library.folder, library_fingerprint(other))
    assert (now.stats().papers, now.stats().entries, now.stats().passages) == (237, 254, before.passages)
    assert now.verify().ok
    (passage,) = now.passages([now.find()[0].paper_id])[now.find()[0].paper_id][:1]
    text, _ = embedding_text(now.find()[0].title, passage.text)
    hit = now.nearest_vectors(other.encode([text])[0].vector, 1)[0]
    assert (hit.passage_id, hit.score) == (passage.passage_id, pytest.approx(1, abs=1e-4))

    encoded = other.encoded_texts
    rebuild(now, other)  # by the same embedder: nothing to embed
    assert other.encoded_texts == encoded
    assert now.verify().ok


def test_rebuild_to_vectors_of_another_length(library: Library, embedder: HashEmbedder) -> None:
    class Short(HashEmbedder):
        def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
            return [
                Encoded(one.vector[:32] / np.linalg.norm(one.vector[:32]), one.tokens[:, :32], one.spans)
                for one in super().encode(texts)
            ]

    ingest([sorted(SEEDS.iterdir())[0]], library, embedder)
    short = Short("short")
    opened = Library.open(library.folder)
    rebuild(opened, short)
    assert opened.dimension == 32
    assert opened.verify().ok
    assert opened.nearest_vectors(short.encode(["language"])[0].vector, 5)


def test_the_threshold_for_one_paper_lies_between_different_papers_and_versions_of_one() -> None:
    """Measured on the seeds; asked only of equal titles, which no two different papers here have."""
    papers = {e.paper.title: e.paper for path in sorted(SEEDS.iterdir()) for e in read_file(path).entries}
    some = list(papers.values())
    assert len({normalised_title(title) for title in papers}) == 237
    for one, other in itertools.pairwise(some):
        assert likeness(one, other) < SAME_TEXT
    for one in some:
        half = Paper(one.paper_id, one.title, one.abstract[: len(one.abstract) // 2])
        typos = Paper(one.paper_id, one.title, one.abstract.replace("e", "3", 20))
        assert min(likeness(one, half), likeness(one, typos)) > SAME_TEXT + 10
