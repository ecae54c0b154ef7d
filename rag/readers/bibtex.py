"""Reader of BibTeX and BibLaTeX files."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

from rag.readers.latex import plain
from rag.readers.records import MAX_AUTHORS, Fields, Records, turned
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

if TYPE_CHECKING:
    from bibtexparser.model import Block
    from bibtexparser.model import Entry as BibEntry

SUFFIXES = (".bib", ".bibtex")
ENTRY = re.compile(r"@[a-zA-Z]{2,30}[ \t]{0,9}[{(]\s{0,99}[^\s,{}()=\"']{0,300}\s{0,99},\s{0,99}[\w-]{1,40}\s{0,9}=")
PIECE = re.compile(r'"([^"]*)"|\{([^{}]*)\}|([^\s#"{}]+)')
MAX_NAME = 300  # characters that are taken apart


def recognises(raw: Raw) -> bool:
    """Whether it is text with an entry of BibTeX, and no other text that only shows one."""
    if is_binary(raw.data) or ENTRY.search(raw.text) is None:
        return False
    return raw.suffix in SUFFIXES or raw.text.lstrip().startswith(("@", "%"))


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The entries in their order; entries that share a key are all kept."""
    from bibtexparser.entrypoint import parse_string

    logging.getLogger("bibtexparser.splitter").setLevel(logging.CRITICAL)  # what it says is said as problems
    library = parse_string(raw.text, parse_stack=[])
    strings = {name.lower(): string.value for name, string in library.strings_dict.items()}
    records = Records(today)
    for block in library.blocks:
        entry = _entry(block)
        if entry is not None:
            fields = {field.key.lower(): _value(str(field.value), strings) for field in reversed(entry.fields)}
            records.add((entry.start_line or 0) + 1, _fields(fields))
        elif type(block).__name__ == "ParsingFailedBlock" and "@" in (block.raw or ""):
            records.odd.lose((block.start_line or 0) + 1, "an entry that is not closed or no valid BibTeX was left out")
    return records.result(raw.problems)


def _entry(block: Block) -> BibEntry | None:
    """The entry that a block is, also one that repeats a key or a field."""
    from bibtexparser.model import Entry as BibEntry

    inner = getattr(block, "ignore_error_block", None) or block
    return inner if isinstance(inner, BibEntry) else None


def _value(raw: str, strings: Mapping[str, str]) -> str:
    """A field without its braces or quotes, with the strings that it names put in."""
    raw = raw.strip()
    if raw.startswith("{") and raw.endswith("}"):
        return raw[1:-1]
    if raw.startswith('"') and raw.endswith('"') and '"' not in raw[1:-1]:
        return raw[1:-1]
    return "".join(_pieces(raw, strings))


def _pieces(raw: str, strings: Mapping[str, str]) -> Iterator[str]:
    for quoted, braced, name in PIECE.findall(raw):
        known = strings.get(name.lower()) if name else None
        yield known.strip().strip('{}"') if known else quoted or braced or name


def _fields(field: Mapping[str, str]) -> Fields:
    title, subtitle = plain(field.get("title", "")), plain(field.get("subtitle", ""))
    year, month = field.get("year", "").strip(), field.get("month", "").strip()
    numeric = f"{year}-{month}" if month.isdecimal() else f"{field.get('day', '')} {month} {year}"
    eprint = field.get("eprint", "")
    marked = [field.get(name, "") for name in ("journal", "journaltitle", "note", "number", "volume", "howpublished")]
    return Fields(
        title=f"{title.rstrip(' :')}: {subtitle}" if title and subtitle else title,
        abstract=plain(field.get("abstract", "")),
        authors=list(_names(field.get("author") or field.get("editor") or "")),
        published=(field.get("date"), plain(numeric)),
        arxiv=(field.get("arxivid"), eprint, *(text for text in marked if "arxiv" in text.lower())),
        doi=plain(field.get("doi", "")),
        url=field.get("url", "").replace("\\", "").strip("{}<> "),
    )


def _names(text: str) -> Iterator[str]:
    from bibtexparser.middlewares.names import parse_single_name_into_parts, split_multiple_persons_names

    for name in split_multiple_persons_names(text)[: MAX_AUTHORS + 1]:
        if len(name) > MAX_NAME or name.startswith("{"):
            yield plain(name).replace(",", " ")
        else:
            yield turned(plain(parse_single_name_into_parts(name, strict=False).merge_first_name_first))
