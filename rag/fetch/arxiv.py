"""arXiv: papers by id, query or category through its API, and their PDFs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from rag.errors import FetchBusyError, FetchError
from rag.fetch.answers import Fetched
from rag.fetch.client import PoliteClient
from rag.readers.arxiv_atom import Feed, read_feed
from rag.readers.source import Entry, Raw

PAGE = 100
ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v[1-9]\d{0,2})?")
CATEGORY = re.compile(r"[a-z-]{2,20}(?:\.[A-Za-z-]{2,20})?")
FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all|submittedDate):")
PDF = b"%PDF-"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the API: its bytes under a name, and what they list."""

    name: str
    data: bytes
    feed: Feed


@dataclass(frozen=True, slots=True)
class Search:
    """What to ask for: ids, or words and a category, newest first; at most `most` papers."""

    ids: tuple[str, ...] = ()
    query: str = ""
    category: str = ""
    most: int = 100

    def terms(self) -> dict[str, str]:
        """The API's parameters.

        Raises:
            FetchError: an id or a category is none, or nothing is asked for.
        """
        if self.ids:
            return {"id_list": ",".join(checked_id(one) for one in self.ids)}
        if self.category and not CATEGORY.fullmatch(self.category):
            raise FetchError(f"{self.category!r} is no arXiv category.", "Give one like cs.CL.")
        words = self.query.split()
        query = self.query.strip() if FIELD.search(self.query) else " AND ".join(f"all:{word}" for word in words)
        parts = [part for part in (query, self.category and f"cat:{self.category}") if part]
        if not parts:
            raise FetchError("Nothing is asked of arXiv.", "Give --id, --query or --category.")
        joined = " AND ".join(f"({part})" for part in parts) if len(parts) > 1 else parts[0]
        return {"search_query": joined, "sortBy": "submittedDate", "sortOrder": "descending"}


def checked_id(text: str) -> str:
    """An arXiv id, with a version or without; an address or an "arXiv:" before it is dropped.

    Raises:
        FetchError: it is none.
    """
    bare = re.sub(r"^(?:https?://\S+?/(?:abs|pdf|html)/|arxiv:)", "", text.strip(), flags=re.IGNORECASE)
    bare = bare.removesuffix(".pdf")
    if not ID.fullmatch(bare):
        raise FetchError(f"{text!r} is no arXiv id.", "Give one like 2309.12345 or hep-th/9901001.")
    return bare


class Arxiv:
    """Asks arXiv, or a mirror, at `base_url`."""

    def __init__(self, client: PoliteClient, base_url: str, *, today: date | None = None) -> None:
        self._client, self._base = client, base_url.rstrip("/")
        self._today = today or date.today()

    def search(self, search: Search) -> Iterator[Page]:
        """The answers to a search, page by page; an id that arXiv does not know is missing in them.

        Raises:
            FetchError: as `PoliteClient.get`, and for a search that arXiv refuses.
            SourceError: an answer is no feed.
        """
        terms, start = search.terms(), 0
        most = len(search.ids) or search.most
        while start < most:
            size = min(PAGE, most - start)
            page = self._page(terms, start, size)
            yield page
            total = page.feed.total
            if not page.feed.entries or (total is not None and start + size >= total):
                return
            start += size

    def _page(self, terms: dict[str, str], start: int, size: int) -> Page:
        url = f"{self._base}/api/query?{urlencode({**terms, 'start': start, 'max_results': size})}"
        name = f"arxiv-{_slug(next(iter(terms.values())))}-{start}.xml"

        feeds: list[Feed] = []

        def complete(fetched: Fetched) -> None:
            """arXiv sometimes says that there are papers, and lists none."""
            feed = read_feed(Raw(name, fetched.data), today=self._today)
            if not feed.whole or (feed.total is None and not feed.entries):
                raise FetchBusyError("What arXiv sent is no whole feed.", "Try again later.")
            if not feed.entries and feed.total is not None and feed.total > start:
                raise FetchBusyError("arXiv sent an empty page.", "Try again later.")
            feeds.append(feed)

        fetched = self._client.get(url, accept="application/atom+xml", check=complete)
        assert fetched is not None  # nothing was known before
        return Page(name, fetched.data, feeds[-1])

    def pdf(self, versioned: str, folder: Path) -> Path:
        """The PDF of an id with its version, in `folder`; fetched only where it is not there yet.

        Raises:
            FetchError: as `PoliteClient.get`, for what is no PDF, and for a folder that cannot be written.
        """
        checked = checked_id(versioned)
        path = folder / f"{checked.replace('/', '_')}.pdf"
        if path.exists():
            return path

        def complete(fetched: Fetched) -> None:
            if not fetched.data.startswith(PDF):
                raise FetchError(f"arXiv has no PDF of {checked} yet.", "Try again later, or read it on arxiv.org.")

        fetched = self._client.get(f"{self._base}/pdf/{checked}", accept="application/pdf", check=complete)
        assert fetched is not None
        _write(path, fetched.data)
        return path


def missing(ids: Sequence[str], found: Sequence[Entry]) -> list[str]:
    """The ids, of those asked for, that no entry has."""
    have = {entry.paper.arxiv_id for entry in found}
    return [one for one in ids if re.sub(r"v\d+$", "", checked_id(one)) not in have]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text)[:60].strip("-")


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise FetchError(
            f"{path} cannot be written: {error.strerror or error}.", "Make room, or choose another PAPERCHAT_HOME."
        ) from error
