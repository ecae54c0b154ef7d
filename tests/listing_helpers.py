"""Small Daily Papers pages for tests, and their reading without a file."""

from __future__ import annotations

from datetime import date

from rag.papers import Paper
from rag.readers import Raw, SourceReading, hf_listing

TODAY = date(2026, 11, 21)
HEAD = (
    "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\n"
    "byAK and the research community\n\nDec 15\n\n"
)
FIRST = "First Good Paper\n\nIt reaches 11.1% on the first benchmark.\n\n  • 3 authors\n·\nAug 30, 2023 2\n\n"
SECOND = "Second Good Paper\n\nIt reaches 22.2% on the second benchmark.\n\n  • 1 author\n·\nMay 5, 2022\n"


def read(data: str | bytes, *, today: date = TODAY, year: int | None = None) -> SourceReading:
    """Read a page as a file would be, without the file."""
    raw = Raw("page.txt", data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
    entries, problems = hf_listing.read(raw, today=today, year=year)
    return SourceReading("page.txt", "", tuple(entries), tuple(problems))


def papers(data: str | bytes, **options: object) -> list[Paper]:
    return [entry.paper for entry in read(data, **options).entries]  # type: ignore[arg-type]


def messages(data: str | bytes, **options: object) -> str:
    return "\n".join(f"{p.line}: {p.message}" for p in read(data, **options).problems)  # type: ignore[arg-type]
