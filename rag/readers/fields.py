"""What single fields of bibliographic records hold, made clean: texts, days, names, addresses, numbers.

Records come from many programs, so every function takes whatever a field holds and gives None, or an
empty text, where it makes no sense of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import date
from urllib.parse import unquote, urlsplit

from rag.papers import DOI, DateOf, arxiv_id_in, whole_doi
from rag.readers.text import ESCAPES, INVISIBLE, OTHER_BREAKS, SURROGATE

MAX_URL = 2000
MAX_DIGITS = 9  # of a count

# Only the elements that publishers put into abstracts: "p < 0.05 and q > 2" is no markup.
MARKUP = re.compile(
    r"</?(?:(?:jats|mml|m|ns\d):[a-z-]{1,30}|p|i|b|u|em|strong|sub|sup|br|hr|span|div|sec|title|italic|bold|inf|"
    r"ul|ol|li|a|math|mi|mo|mn|mrow|msub|msup|tt|code|h[1-6]|abstracttext|scp|sc)(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
BLOCK = re.compile(r"</(?:jats:)?(?:p|sec|title|div|li|h[1-6])>|<br\s?/?>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
ABSTRACT_HEAD = re.compile(r"abstract\s?(?:[:.—–-]|\n)\s*", re.IGNORECASE)
NO_ABSTRACT = {"no abstract", "no abstract available", "abstract not available", "n/a", "na", "none", "null", "nan"}

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMERIC_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?!\d)")
COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)")
YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
MONTH_NAME = re.compile(rf"\b({'|'.join(MONTHS)})[a-z]{{0,6}}\b", re.IGNORECASE)
DAY_NUMBER = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?(?!\d)")
MAX_DATE = 60  # characters

ARXIV_HOSTS = ("arxiv.org", "ar5iv.org", "alphaxiv.org")
ARXIV_DOI = "10.48550/arxiv."


def text_of(value: object) -> str:
    """A field's text without markup, entities and invisible characters, in Unicode's composed form.

    Line breaks within a paragraph become spaces; paragraphs are parted by one blank line.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    text = _without_markup(value)
    if "&" in text and ENTITY.search(text):
        text = _without_markup(ENTITY.sub(_unescaped, text))
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", _without_invisible(text.replace("\r", "\n")))
        if "\n" in text:
            paragraphs = (" ".join(paragraph.split()) for paragraph in PARAGRAPH.split(text))
            return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return " ".join(text.split())


def line_of(value: object) -> str:
    """A field's text as one line."""
    text = text_of(value)
    return " ".join(text.split()) if "\n" in text else text


def abstract_of(value: object) -> str:
    """A field's text as an abstract: without the word "Abstract" before it; empty where it only says that
    there is none."""
    text = text_of(value)
    head = ABSTRACT_HEAD.match(text)
    text = text[head.end() :] if head else text
    return "" if text.strip("[]().! ").lower() in NO_ABSTRACT else text


def _without_invisible(text: str) -> str:
    return SURROGATE.sub("", INVISIBLE.sub("", OTHER_BREAKS.sub(" ", ESCAPES.sub("", text))))


def _without_markup(text: str) -> str:
    return MARKUP.sub("", BLOCK.sub("\n\n", text)) if "<" in text else text


def _unescaped(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def day_of(value: object) -> date | None:
    """The day of `dated_of`."""
    found = dated_of(value)
    return found[0] if found else None


def dated_of(value: object) -> tuple[date, DateOf] | None:
    """The day that a field names, or the first of its month or year where it names no more, and which of these.

    A day that could be two ("03/04/2023") is only as good as its year.
    """
    text = _date_text(value)
    if found := NUMERIC_DAY.match(text) or COMPACT_DAY.fullmatch(text):
        return _dated(int(found[1]), int(found[2]), int(found[3] or 0))
    if found := YEAR_LAST.match(text):
        one, two, year = int(found[1]), int(found[2]), int(found[3])
        if one > 12 or one == two:
            return _dated(year, two, one)
        return _dated(year, one, two) if two > 12 else _dated(year)
    year_found, month_found = YEAR.search(text), MONTH_NAME.search(text)
    if year_found is None:
        return None
    if month_found is None:
        return _dated(int(year_found[1]))
    rest = text[: year_found.start()] + " " + text[year_found.end() :]
    number = DAY_NUMBER.search(rest)
    return _dated(int(year_found[1]), MONTHS.index(month_found[1].lower()) + 1, int(number[1]) if number else 0)


def _date_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return line_of(value)[:MAX_DATE].rstrip("/") if isinstance(value, str | int) else ""


def _dated(year: int, month: int = 0, day: int = 0) -> tuple[date, DateOf] | None:
    """As much as is a date; None where not even the year is one."""
    parts: tuple[tuple[int, int, DateOf], ...] = ((month, day, "day"), (month, 1, "month"), (1, 1, "year"))
    for a_month, a_day, known in parts:
        try:
            return date(year, a_month, a_day), known
        except ValueError:
            continue
    return None


def count_of(value: object) -> int | None:
    """A number of things, such as upvotes."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= MAX_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 10**MAX_DIGITS else None


def url_of(value: object) -> str | None:
    """A web address, where it is one, its scheme in small letters."""
    text = line_of(value) if isinstance(value, str) else ""
    scheme, colon, rest = text.partition(":")
    return f"{scheme.lower()}{colon}{rest}" if _host(text) and len(text) <= MAX_URL and " " not in text else None


def doi_of(value: object) -> str | None:
    """A DOI that a field is as a whole, bare, with a prefix, or as an address."""
    return whole_doi(unquote(line_of(value)[:MAX_URL])) if isinstance(value, str) else None


def arxiv_of(*values: object) -> str | None:
    """The arXiv id in fields that hold one if anything: bare, "arXiv:…", arXiv's DOI, an address of arXiv or
    of the Hugging Face page of a paper. Other DOIs hold none, whatever they look like."""
    for value in values:
        text = line_of(value) if isinstance(value, str | float) else ""
        if "://" in text and not _of_arxiv(text):
            continue
        without = DOI.sub(_arxiv_part, unquote(text[:MAX_URL]))
        marked = re.sub(r"(?i)\barxiv[.:]", " ", without)
        if found := arxiv_id_in(marked.removesuffix(".pdf")):
            return found
    return None


def _arxiv_part(doi: re.Match[str]) -> str:
    """What an arXiv DOI has for an id; nothing of any other."""
    return f" {doi[1][len(ARXIV_DOI) :]}" if doi[1].lower().startswith(ARXIV_DOI) else " "


def _of_arxiv(url: str) -> bool:
    host = _host(url)
    return (
        host.endswith(ARXIV_HOSTS)
        or (host.endswith("doi.org") and "arxiv" in url.lower())
        or (host.endswith("huggingface.co") and "/papers/" in url)
    )


def _host(url: str) -> str:
    """The host of a web address in small letters; empty for anything else."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
