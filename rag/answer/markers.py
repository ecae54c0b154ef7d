"""Citation markers as models write them: our ids are taken, everything else is taken out and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rag.answer.context import ID, unescape

REFERENCE_LIST = re.compile(
    r"^\W*(?:references|sources|bibliography|works cited|citations)\W*(?::|$)|^\W*(?:reference|source)\W*:",
    re.IGNORECASE,
)

# "Zhang, A., & Keller, B. (2019)", "3. A. Zhang and B. Keller", "[^1]: https://…": lines of a list without its heading.
_REFERENCE_ENTRY = re.compile(
    r"^[\W\d]*[A-ZÀ-Ý][\w’'-]+, (?:[A-Z]\.[\s,&-]*)+"
    r"|^\W*\d+\W+(?:[A-Z]\. ?)+[A-ZÀ-Ý][\w’'-]+(?:,| and | & | et al)"
    r"|^\[\^\d+\]:"
)
_GONE = "\x00"  # where something was taken out; no text from a model holds one
_EMPTIED = re.compile(rf"[(\[](?:[\w ]{{1,30}}:)?\s*{_GONE}[\s{_GONE}]*[)\]]")
_BEFORE_STOP = re.compile(rf"\s*{_GONE}[\s{_GONE}]*(?=[.,;:!?](?:\s|$)|$)")
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_ADDRESS = re.compile(r"<?\b(?:https?://|www\.)[^\s<>()\[\]{}\"']+>?", re.IGNORECASE)
# Elements that run or draw something, other tags, and chat templates' control tokens.
_MARKUP = re.compile(
    r"<(script|style|iframe|object|svg)\b.*?(?:</\1\s*>|$)|</?[A-Za-z][\w-]*(?:\s[^<>=]*=[^<>]*|\s*/?)>"
    r"|<\|[^|<>\n]*\|>|\[/?(?:INST|SYS)\]",
    re.IGNORECASE | re.DOTALL,
)
_BRACKETS = re.compile(r"\s*(?:\[{1,2}([^\[\]\n]{1,120})\]{1,2}|【([^】\n]{0,120})】|\(([^()\n]{1,120})\))")
_NOISE = re.compile(
    r"\b(?:passages?|papers?|ids?|sources?|see|and|refs?|cf)\b|\d{4}-\d\d-\d\d|\bundated\b|[\s,;:&|^†#=\"'.–-]",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\^?\s*\d{1,3}(?:\s*[,;–-]\s*\^?\d{1,3})*\s*(?:†.*)?")
_RANGE_FROM_ZERO = re.compile(r"0\s*,\s*\d+")
_NAME = r"[A-ZÀ-Ý][\w’'-]+"
_AUTHORS = rf"{_NAME}(?:(?:,? (?:and|&) |, ){_NAME})*(?:,? et al\.?)?"
_YEAR = r"(?:19|20)\d\d[a-z]?"
_AUTHOR_YEAR = re.compile(rf"(?:e\.g\.,? |see )?{_AUTHORS},? {_YEAR}(?:; {_AUTHORS},? {_YEAR})*")
_NARRATIVE = re.compile(rf"\b{_NAME}(?: et al\.?| (?:and|&) {_NAME})(?:,? \(?{_YEAR}\)?)|\b{_NAME} et al\b")
_BARE = re.compile(rf"(?:\b(?:the |in )?passages? (?:id )?)?\b({ID.pattern})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Taken:
    """A sentence without markers.

    `text` is for people, `claim` the same without titles that replaced an id, `ids` those of ours
    that it cited. `unknown` and `author_years` count the markers taken out that point nowhere, `links`
    and `markup` the addresses and tags taken out that no passage has; `stranger` is an author named in
    the sentence whom no passage names.
    """

    text: str
    claim: str
    ids: tuple[str, ...]
    unknown: int = 0
    author_years: int = 0
    links: int = 0
    markup: int = 0
    stranger: str = ""


def is_reference(sentence: str) -> bool:
    """Whether a list of references begins here."""
    return bool(REFERENCE_LIST.match(sentence) or _REFERENCE_ENTRY.match(sentence))


def take_markers(sentence: str, titles: Mapping[str, str], shown: str) -> Taken:
    """Take the markers out of one sentence; `titles` are those of the known ids, `shown` the passages' text."""
    return _Taker(titles, _plain(shown)).take(sentence)


class _Taker:
    def __init__(self, titles: Mapping[str, str], shown: str) -> None:
        self.titles = titles
        self.shown = shown  # as a reader has it, not as the prompt does
        self.ids: dict[str, None] = {}
        self.unknown = self.author_years = self.links = self.markup = 0

    def take(self, sentence: str) -> Taken:
        text = _ADDRESS.sub(self._address, _LINK.sub(self._link, _MARKUP.sub(self._tag, sentence)))
        text = _BRACKETS.sub(self._bracket, text)
        claim = _tidy(_BARE.sub(lambda match: self._bare(match, _GONE), text))
        text = _tidy(_BARE.sub(lambda match: self._bare(match, "“{}”"), text))
        stranger = next((m[0] for m in _NARRATIVE.finditer(claim) if not self._in_passages(m[0])), "")
        counts = (self.unknown, self.author_years, self.links, self.markup)
        return Taken(text, claim, tuple(self.ids), *counts, stranger)

    def _tag(self, match: re.Match[str]) -> str:
        if self._in_passages(match[0]):
            return match[0]
        self.markup += 1
        return _GONE

    def _address(self, match: re.Match[str]) -> str:
        address = match[0].rstrip(".,;:!?")
        if self._in_passages(address.strip("<>")):
            return match[0]
        self.links += 1
        return _GONE + match[0][len(address) :]

    def _link(self, match: re.Match[str]) -> str:
        if ID.fullmatch(match[2].lower()):
            return f"[{match[2]}]"
        self.links += 1
        return _GONE if match[1] else match[2]

    def _bracket(self, match: re.Match[str]) -> str:
        square, inner = match[3] is None, next((group for group in match.groups() if group is not None), "")
        named = ID.findall(inner.lower())
        known = [name for name in named if name in self.titles]
        rest = _NOISE.sub("", ID.sub("", inner.lower()))
        if named and (not rest or (square and known)):
            self.ids.update(dict.fromkeys(known))
            self.unknown += len(named) - len(known)
            return _GONE
        if match[2] is not None or (square and _NUMBERS.fullmatch(inner) and not _RANGE_FROM_ZERO.fullmatch(inner)):
            self.unknown += 1
            return _GONE
        if _AUTHOR_YEAR.fullmatch(inner.strip()) and not self._in_passages(inner):
            self.author_years += 1
            return _GONE
        return match[0]

    def _bare(self, match: re.Match[str], form: str) -> str:
        name = match[1].lower()
        if name not in self.titles:
            return match[0]
        self.ids[name] = None
        return form.format(self.titles[name])

    def _in_passages(self, name: str) -> bool:
        return _plain(name) in self.shown


def _plain(text: str) -> str:
    return " ".join(unescape(text).casefold().split())


def _tidy(text: str) -> str:
    """The text closed up where something was taken out."""
    text = _BEFORE_STOP.sub("", _EMPTIED.sub(_GONE, unescape(text)))
    return " ".join(text.replace(_GONE, " ").split())
