"""Wrong names: an entity of the claim becomes another of the same shape from the same file."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from random import Random

from eval.edits.kinds import kind_of, listed, same_thing, synonyms
from eval.edits.text import Change, Span, alternatives, applied, is_headline, outside_markers

_CODE = r"[A-Za-z]*(?:[A-Z][a-z]*[A-Z0-9]|[A-Z]{2,})[A-Za-z0-9]*(?:[-/][A-Z0-9][A-Za-z0-9]*)*"
_NAME_WORD = rf"(?:U\.[SK]\.|{_CODE}|[A-Z][a-zà-ÿ]+(?:[-'’][A-Z][a-zà-ÿ]+)*)"
_NAME = re.compile(rf"(?<![\w'’.-]){_NAME_WORD}(?: (?:(?:of|de|van|von|the) )?{_NAME_WORD})*(?![\w-])")
_CODE_ONLY = re.compile(_CODE)
_QUOTED = re.compile(r"(?<!\w)['\"“‘][^'\"“”‘’]{2,80}['\"”’](?!\w)")
# Capitalised without naming anything.
_PLAIN = frozenset(
    "I A An The This That These Those It He She They We You His Her Their Its Our Your My If In On At As And But Or "
    "So For From To By With Not No Yes Some Many Most All Both Each Every One Two Three Other Another There Here When "
    "While Where Why How What Who Which Then Thus However Although Because Since After Before During Title Abstract "
    "BACKGROUND METHODS RESULTS CONCLUSIONS OBJECTIVE FINDINGS INTRODUCTION CONCLUSION DESIGN Additionally Overall "
    "Furthermore Moreover Finally First Second Third Also Such More Less Mr Mrs Dr St Ms PM AM OK".split()
)


@dataclass(frozen=True, slots=True)
class Name:
    """A capitalised name in a text, the words around it (lower-cased), and where it stands."""

    text: str
    start: int
    end: int
    before: str = ""
    after: str = ""

    @property
    def shape(self) -> tuple[str, ...]:
        """What another name must share to fit: the kind where it is known; else, for acronyms and
        codes, whether digits stand in them; for other single words the words before and after.
        Other names of several words fit nowhere else."""
        kind = kind_of(self.text)
        if kind:
            return (kind,)
        if _CODE_ONLY.fullmatch(self.text):
            return "code", "digits" if any(c.isdigit() for c in self.text) else ""
        return "name", self.text if " " in self.text else "", self.before, self.after


def names(text: str) -> list[Name]:
    """The names in running text: acronyms and codes anywhere, other capitalised words within sentences."""
    found = []
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    for match in _NAME.finditer(text):
        start, end = match.span()
        words = match[0].split()
        opens = _opens_sentence(text, start)
        while words and (words[0] in _PLAIN or (opens and len(words) > 1 and words[0].lower() in _OPENERS)):
            start += len(words.pop(0)) + 1
            opens = False
        while words and words[-1] in _PLAIN:
            end -= len(words.pop()) + 1
        if not words or words[0] in {"of", "de", "van", "von", "the"} or not outside_markers(text, start, end):
            continue
        if opens and len(words) == 1 and not _CODE_ONLY.fullmatch(words[0]):
            continue  # a capital that only opens the sentence
        numbered = re.match(r" \d", text[end:])  # "Covid 19"
        if (
            not numbered
            and not any(a < start < b for a, b in quoted)
            and not (text[start - 1 : start] == "(" and text[end:].lstrip()[:1] == ")")
        ):
            before = re.search(r"([\w'-]+)\s$|$", text[max(0, start - 30) : start])
            after = re.match(r"\s?([\w-]+|[,.;])|", text[end : end + 30])
            found.append(Name(text[start:end], start, end, _word(before), _word(after)))
    return found


def _word(found: re.Match[str] | None) -> str:
    return (found[1] or "").lower() if found else ""


_OPENERS = frozenset(
    "according unlike like under through within without despite regarding given using modern early recent current "
    "several various former today throughout between among famous historically".split()
)


class Gazetteer:
    """The names of many texts by what fits in their place, and the words that are no names."""

    def __init__(self, texts: Iterable[str]) -> None:
        shapes: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        capitals: Counter[str] = Counter()
        plain: set[str] = set()
        for text in texts:
            plain.update(re.findall(r"(?<![\w-])[a-z][a-z]+", text))
            if is_headline(text):
                continue
            for name in names(text):
                shapes[name.shape][name.text] += 1
                capitals.update(name.text.split())
        self._shapes = {shape: sorted(found) for shape, found in shapes.items()}
        self._names = frozenset(word for word in capitals if word.lower() not in plain)

    def like(self, name: Name, rng: Random, forbidden: str) -> str | None:
        """Another name that fits where `name` stands and does not occur in `forbidden`, or None.

        One of the texts is preferred to one that is only known in general.
        """
        known = forbidden.lower()
        for pool in (self._shapes.get(name.shape, []), listed(name.shape[0])):
            others = [other for other in pool if _alike(other, name.text) and not _shares(other, known)]
            if name.shape[0] == "name":
                others = [other for other in others if all(self.is_name(w) for w in other.split() if w[0].isupper())]
            if others:
                return rng.choice(others)
        return None

    def is_name(self, word: str) -> bool:
        """Whether a word stands capitalised within sentences and never in small letters."""
        return word in self._names or kind_of(word) is not None


def wrong_name(claim: str, context: str, question: str, gazetteer: Gazetteer, rng: Random) -> Change | None:
    """The claim with one of its names, everywhere it stands, changed to another of the same shape.

    The new name occurs neither in the context nor in the question. Names that the context has are
    preferred. None for headlines, whose capitals name nothing.
    """
    if is_headline(claim):
        return None
    found = _names_of_claim(claim, gazetteer)
    stated = [name for name in found if name.text.lower() in context.lower()]
    for name in rng.sample(stated or found, len(stated or found)):
        new = gazetteer.like(name, rng, f"{context}\n{question}\n{claim}")
        if new is not None:
            changed = applied(claim, Span(name.shape[0], name.start, name.end, new))
            pattern = rf"(?<![\w-])(?:{alternatives(synonyms(name.text))})(?![\w-])"
            return Change(changed.form, re.sub(pattern, partial(_unless_longer, new=new), changed.text))
    return None


def _unless_longer(match: re.Match[str], *, new: str) -> str:
    """`new`, or what stands there when it is the end of a longer name ("Northern Ireland")."""
    longer = re.search(r"[a-z,;] [A-Z][a-z]+ $", match.string[: match.start()])
    return match[0] if longer else new


def _names_of_claim(claim: str, gazetteer: Gazetteer) -> list[Name]:
    """Its names, and a first word that other sentences show to be one."""
    found = names(claim)
    opening = re.match(r"\W*([A-Z][a-zà-ÿ]+)(?=\s|'s)", claim)
    if not opening or opening[1] in _PLAIN or not gazetteer.is_name(opening[1]):
        return found
    if all(name.start > opening.end(1) for name in found):
        after = re.match(r"\s([\w-]+)", claim[opening.end(1) :])
        found.insert(0, Name(opening[1], opening.start(1), opening.end(1), "", _word(after)))
    return found


def _shares(name: str, known: str) -> bool:
    """Whether a text has the name or any telling word of it."""
    return any(re.search(rf"\b{re.escape(word.lower())}\b", known) for word in name.split() if len(word) > 3) or (
        name.lower() in known
    )


def _alike(name: str, other: str) -> bool:
    """Whether it is another thing, plural if the other is, of about its length where it is a code."""
    code = _CODE_ONLY.fullmatch(name) and _CODE_ONLY.fullmatch(other) and kind_of(name) is None
    return (
        not same_thing(name, other)
        and name.lower() != other.lower()
        and name.endswith("s") == other.endswith("s")
        and (not code or (abs(len(name) - len(other)) <= 3 and ("-" in name) == ("-" in other)))
    )


def _opens_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \"'“‘(*")
    return not before or before[-1] in ".!?:;\n•-–|" or text[at - 1] == "\n"
