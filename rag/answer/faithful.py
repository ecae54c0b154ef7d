"""Whether a translated sentence still says what was verified: its numbers, names, quotes and brackets are checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from rag.answer.language import is_written_in, spaced
from rag.answer.names import names
from rag.numbers import quantities, stated_numbers

SHORTEST = 0.2  # times the English sentence's length; Chinese takes a third
LONGEST = 3.0
SLACK = 40  # characters on top, for short sentences
QUOTED = re.compile(r"“([^”]*)”")

_BRACKETS = re.compile(r"\[[^\[\]]*\]")
# What no translation brings in: links, tags, code, terminal sequences, direction overrides.
_FOREIGN = re.compile(
    r"https?://|www\.|<[/\w!]|```|\]\(|[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", re.IGNORECASE
)
_GROUPED = re.compile(r"(?<=\d)[ '’](?=\d{3}(?!\d))")
_ACRONYM = re.compile(r"[A-Z]+s?")
# "Billion" is 10^12 in these, as a billion was once in English.
_LONG_SCALE = frozenset(
    "Catalan Croatian Czech Danish Dutch Finnish French German Hungarian Italian Norwegian Polish Serbian Slovak "
    "Slovenian Spanish Swedish".split()
)
# A scale word without accents, as European languages have it, and what English says for it.
_MILLIONS = re.compile(r"(?<!\bmil )\bmil+[ijy]?[ou]+e?n", re.IGNORECASE), re.compile(r"(?i:million)|\d ?M\b")
_MILLIARDS = re.compile(r"\bmil+[ijy]?ar(?:d|\b)", re.IGNORECASE), re.compile(r"(?i:billion)|\d ?B\b")
_BILLIONS = re.compile(r"\bbil+[ij]?o+e?n", re.IGNORECASE), re.compile(r"(?i:trillion)|\d ?T\b")
_TRILLIONS = re.compile(r"\btril+[ij]?o+e?n", re.IGNORECASE), re.compile(r"(?i:quintillion)")
_SWAPPED = str.maketrans(".,", ",.")
_ARABIC_POINTS = str.maketrans("٫٬", ".,")


def is_faithful(translated: str, english: str, language: str, subjects: Collection[str] = ()) -> bool:
    """Whether `translated` may stand for `english` in `language` (an English name).

    It keeps every number (with the decimal point or comma of its language), every name that its
    letters mark as one, each of `subjects` (what the cited papers are about), all text in “ ” and
    in brackets, and brings in no number, name, link or markup of its own. Meaning is not checked.
    """
    if not SHORTEST * len(english) <= len(translated.strip()) <= LONGEST * len(english) + SLACK:
        return False
    return (
        _numbers_kept(translated, english)
        and _scales_kept(translated, english, language)
        and _names_kept(translated, english, subjects)
        and _verbatim_parts_kept(translated, english)
        and set(_FOREIGN.findall(translated)) <= set(_FOREIGN.findall(english))
        and is_written_in(translated, language)
    )


def asks_the_same(english: str, question: str) -> bool:
    """Whether `english` keeps the numbers and names of a question in another language, and adds none.

    Acronyms are free to change: "KI" is "AI".
    """
    text, source = _plain(english), _plain(question)
    return (
        _numbers_kept(question, english)
        and not _FOREIGN.search(english)
        and all(_stands_for_one_of(name, text) for name in _marked(source) if not _ACRONYM.fullmatch(name))
        and all(_holds(source, name) for name in _marked(text) if not _ACRONYM.fullmatch(name))
    )


def _numbers_kept(translated: str, english: str) -> bool:
    wanted, known = quantities(_plain(english)), stated_numbers(english)
    return any(wanted <= stated <= known for stated in _readings(translated))


def _readings(text: str) -> Iterator[frozenset[str]]:
    """The numbers of a text read with a decimal point, and with a decimal comma."""
    text = _GROUPED.sub("", _plain(text))
    yield quantities(text)
    yield quantities(text.translate(_SWAPPED))


def _scales_kept(translated: str, english: str, language: str) -> bool:
    """Whether no word for a million or more stands for another power of ten: "Billionen" are trillions."""
    pairs = (_MILLIONS, _MILLIARDS, *((_BILLIONS, _TRILLIONS) if language in _LONG_SCALE else ()))
    text = _plain(translated)
    return all(in_english.search(english) or not word.search(text) for word, in_english in pairs)


def _names_kept(translated: str, english: str, subjects: Collection[str]) -> bool:
    text, source = _plain(translated), _plain(english)
    wanted = [*_marked(source), *(_plain(name) for name in subjects if _holds(source, _plain(name)))]
    if not all(_holds(text, name) for name in wanted):
        return False
    own = [part for name in _marked(text) for part in _marked(name.replace("-", " "))]
    digits = set(re.findall(r"\d+", " ".join(_marked(text))))
    return all(_stands_for_one_of(part, source) for part in own) and digits <= set(re.findall(r"\d+", source))


def _marked(text: str) -> tuple[str, ...]:
    """Names that their letters show: inner capitals, or digits beside letters; a capital first letter alone is none."""
    return names(re.sub(r"(?:^|\s)\W*", "\n", text))  # each word begins a line, so that its first capital tells nothing


def _holds(text: str, name: str) -> bool:
    """Whether `name` stands in `text`; languages put endings behind it ("DeBERTassa", "GPT-4'ün")."""
    stem = name[:-1] if re.search(r"[A-Z]s$", name) else name
    behind = "(?![A-Za-z0-9])" if stem[-1].isdigit() else "(?![A-Z0-9])"
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(stem)}{behind}", text) is not None


def _stands_for_one_of(name: str, source: str) -> bool:
    known = {part for word in re.findall(r"\w+(?:[-.+@]\w+)*", source) for part in (word, *word.split("-"))}
    stems = {word[:-1] if re.search(r"[A-Z]s$", word) else word for word in known}
    return any(name == stem or (name.startswith(stem) and _is_ending(name[len(stem) :], stem)) for stem in stems)


def _is_ending(rest: str, stem: str) -> bool:
    return re.fullmatch(r"[a-z]*(?:['’:][a-z]*)?", rest) is not None and not (stem[-1].isdigit() and rest[0].isalpha())


def _verbatim_parts_kept(translated: str, english: str) -> bool:
    kept = " ".join(translated.split())
    quotes_kept = all(" ".join(quote.split()) in kept for quote in QUOTED.findall(english))
    return quotes_kept and _brackets(translated) == _brackets(english)


def _brackets(text: str) -> list[str]:
    return sorted(_BRACKETS.findall(QUOTED.sub("", text)))


def _plain(text: str) -> str:
    """One way of writing: no accents, full-width forms or digits of other scripts, a space where scripts meet."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    digits = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in folded.translate(_ARABIC_POINTS))
    return spaced(digits)
