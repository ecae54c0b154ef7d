"""Bytes of a text file to clean text: encodings, line ends, and characters nobody can see."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from rag.errors import SourceError

BINARY_STARTS = (b"\x89PNG", b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"SQLite")
READ = (
    "paperchat reads documents (PDF, DOCX, HTML, Markdown, text), references (BibTeX, RIS, CSV, JSON, Zotero, "
    "Semantic Scholar, OpenAlex, arXiv's feeds) and Daily Papers pages (saved text, HTML, JSON)."
)
SAMPLE = 65536
# Share of control bytes that no text has: random bytes have 11 %, and a small file may be one page
# with some garbage in it, which still has papers to save.
BINARY_SHARE, BINARY_SHARE_SMALL = 0.05, 0.3
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b") | {127})

# Terminal sequences go as a whole ("\x1b[31m", "\x1b]0;title\x07"), or "31m" would stay in the text.
# Of what may follow "[" only what terminals use: never the marks that a format is made of.
ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-9:;?]*[ !]?[@-Z^-z~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[@-_]?")
# Controls, soft hyphens, zero-width spaces, bidi overrides and isolates, tag characters: each hides
# or reorders text. Joiners (U+200C, U+200D) and direction marks are part of real scripts and stay.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
OTHER_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd that the reader met; `line` counts from 1, None where no line is meant.

    `lost`: it cost an item of a list, which could not be taken as a paper.
    """

    line: int | None
    message: str
    lost: bool = False


def read_text(data: bytes, name: str) -> tuple[str, list[Problem]]:
    """Clean text of `data` with "\\n" line ends, and what had to be changed to get it.

    Raises:
        SourceError: `data` is no text at all.
    """
    problems: list[Problem] = []
    text = _decode(data, name, problems)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _without_invisible(text, problems), problems


def _decode(data: bytes, name: str, problems: list[Problem]) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if is_binary(data):
        raise SourceError(f"{name} is not text.", READ)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem(line, f"{name} is not clean UTF-8: the other bytes were read as Windows-1252."))
        return data.decode("utf-8", "paperchat-cp1252")


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text: the signature of a known format, or too many control bytes. UTF-16 counts as text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    head = data[:SAMPLE]
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    share = BINARY_SHARE_SMALL if len(data) < SAMPLE else BINARY_SHARE
    return head.startswith(BINARY_STARTS) or controls > share * len(head)


def _cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read only the bytes that are not UTF-8 as Windows-1252: dumps mix both in one file."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    try:
        surrogate = error.object[error.start : error.start + 3].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        bad = error.object[error.start : error.end]
        return "".join(_cp1252_character(byte) for byte in bad), error.end
    return surrogate, error.start + 3


def _cp1252_character(byte: int) -> str:
    return bytes([byte]).decode("cp1252", "ignore") or chr(byte)


codecs.register_error("paperchat-cp1252", _cp1252)


def _without_invisible(text: str, problems: list[Problem]) -> str:
    patterns = (ESCAPES, INVISIBLE, OTHER_BREAKS, SURROGATE)
    first = min((found.start() for pattern in patterns if (found := pattern.search(text))), default=None)
    if first is None:
        return text
    line = text.count("\n", 0, first) + 1
    text, halves = _without_surrogates(text)
    text, escapes = ESCAPES.subn("", text)
    text, breaks = OTHER_BREAKS.subn(" ", text)
    text, invisible = INVISIBLE.subn("", text)
    if count := halves + escapes + breaks + invisible:
        problems.append(Problem(line, f"Removed {count} control or invisible characters, the first on this line."))
    return text


def _without_surrogates(text: str) -> tuple[str, int]:
    """Halves that belong together become one character, the others are dropped and counted."""
    before = len(SURROGATE.findall(text))
    if not before:
        return text, 0
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return whole, 2 * (len(text) - len(whole)) - before
