"""A file that a person gives by its address."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from email.message import Message
from urllib.parse import unquote, urlsplit

from rag.fetch.addresses import shown, without_secrets
from rag.fetch.answers import Fetched
from rag.fetch.client import PoliteClient
from rag.readers import Raw, SourceReading, read_raw

# What a name ends in where the address does not say it; the reader looks at the bytes, not at this.
SUFFIXES = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/x-bibtex": ".bib",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
LONGEST_NAME = 100


def is_url(text: str) -> bool:
    """Whether a person means an address and not a file."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) is not None


def fetch(url: str, client: PoliteClient) -> tuple[bytes, str]:
    """The bytes at an address, and a file name for them.

    Raises:
        FetchError: as `PoliteClient.get`.
    """
    fetched = client.get(url)
    assert fetched is not None  # nothing was known before
    return fetched.data, name_of(fetched)


def read_url(url: str, client: PoliteClient, *, today: date | None = None) -> SourceReading:
    """The papers at an address. A document that is one paper without an address of its own gets this one.

    The address is kept without secrets.

    Raises:
        FetchError: as `PoliteClient.get`.
        SourceError: it holds no paper in a format that is read.
    """
    data, name = fetch(url, client)
    kept = without_secrets(url)
    reading = replace(read_raw(Raw(name, data), shown=shown(url), today=today), name=kept)  # many are an index.html
    if len(reading.entries) != 1 or reading.entries[0].paper.url:
        return reading
    entry = reading.entries[0]
    return replace(reading, entries=(replace(entry, paper=replace(entry.paper, url=kept)),))


def name_of(fetched: Fetched) -> str:
    """What a download is called: as its host says, or as the last part of the address; never a path."""
    header = Message()
    header["content-disposition"] = fetched.disposition.replace("\n", " ").replace("\r", " ")
    parts = urlsplit(fetched.url)
    name = header.get_filename() or unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "download"
    name = re.sub(r"[^\w.()+-]+", "_", name.replace("\\", "/").rpartition("/")[2]).lstrip("._") or "download"
    stem, dot, ending = name.rpartition(".")
    known = SUFFIXES.get(fetched.media_type, "")
    if not (dot and stem and re.fullmatch(r"[A-Za-z]{2,5}", ending)):  # "2309.12345" has no ending
        return name[-LONGEST_NAME:] + known
    return name[-LONGEST_NAME:]
