"""Swapped roles: "X causes Y" becomes "Y causes X", "X is larger than Y" becomes "Y is larger than X"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from eval.edits.text import MARKER, Change, alternatives
from eval.edits.verbs import BASES, THIRD, is_plural, past, third

# Verbs whose sentence, turned round, could be meant: cause, influence, order, part and whole.
_TURNABLE = (
    "accelerate accompany activate affect aggravate alter attenuate block boost bring cause change compose control "
    "convert create damage decrease define delay determine disrupt downregulate drive eliminate enable encode "
    "encompass encourage enhance entail exacerbate exceed explain facilitate follow foster generate "
    "govern guide harm hinder impact impair impede imply improve include increase indicate induce influence "
    "inform "
    "inhibit initiate involve limit mediate mitigate modify modulate motivate outperform overcome precede predict "
    "prevent "
    "produce promote protect raise reduce regulate replace represent require restrict shape "
    "stabilize stimulate strengthen suggest support suppress surpass threaten trigger undermine upregulate "
    "weaken worsen yield contain constitute characterize target reveal affect lower maintain kill treat"
).split()
_WITH_PARTICLE = (
    "lead to|contribute to|result in|result from|depend on|rely on|stem from|originate from|derive from|bind to|"
    "correspond to|respond to|react to|belong to|differ from|arise from|evolve from|convert to|act on"
).split("|")
_PARTICIPLES = {past(verb): verb for verb in _TURNABLE} | {
    "driven": "drive",
    "written": "write",
    "made": "make",
    "followed": "follow",
    "known": "know",
    "built": "build",
    "given": "give",
}
_ADVERB = r"(?:(?:\w+ly|also|often|then|still) )?"
_MODAL = r"(?:can|may|might|could|will|would|should|must)"
_NO_SUBJECT = re.compile(
    r"^(?:it|they|this|these|that|those|he|she|we|you|i|there|which|who|what|how|here|one|some|to|if|when|while|by|"
    r"because|although|as|for|in|on|at|his|her|their|its|such|the following|from|with|according)\b",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"\b(?:which|that|who|is|are|was|were|has|have|had|be|been|can|may|might|could|will|would|should|must|not|than|"
    r"do|does|did|if|when|whether|how|why|because|while|it|they|he|she|we|you|us|them|him|i|me)\b",
    re.IGNORECASE,
)
_OBJECT_END = re.compile(
    r"[,.;:()!?]|\s(?:which|that|who|where|by|because|when|while|through|via|thereby|so|if|but|during|after|before|as|"
    r"without|using|leading|resulting|such|including|to|in|from|for|at|within|among|on|rather|is|are|was|were|can|may|"
    r"has|have|and (?:\w+ly )?(?:can|may|is|are|\w+s (?:the|an?|its|their)|leads?|results?))\b"
)
_FINITE = frozenset("is are was were can may has have".split())
_THAN = re.compile(r"\b(?:than|compared (?:to|with)) (?=[A-Za-z])(?!in |just |ever |expected|it |usual|other |half )")
# What is left behind by the object: the rest of a list, a name's abbreviation.
_CARRIES_ON = re.compile(r"\s?\(|(?:,[^,.]*)+,? (?:and|or) |\s(?:such as|including|due)\b")
_WITH_INFINITIVE = re.compile(r"\b(?:cause|help|enable|require|encourage|motivate|lead|force)(?:s|d|ed)?$")
_LONGEST = 9  # words of a part that still moves as a whole

KeepsCapital = Callable[[str], bool]


def swapped_roles(claim: str, keeps_capital: KeepsCapital, rng: Random) -> Change | None:
    """The claim with the two sides of its verb, passive, comparison or "from ... to" exchanged.

    `keeps_capital` says whether a word is a name. None where neither side can move as a whole: a
    pronoun, a clause, or more than nine words.
    """
    found: dict[str, str] = {}
    for form, text in (*_actives(claim), *_passives(claim), *_comparisons(claim), *_alternatives(claim)):
        found.setdefault(form, text)
    if not found:
        return None
    form = rng.choice(sorted(found))
    return Change(form, _capitals(claim, found[form], keeps_capital))


def _actives(claim: str) -> Iterator[tuple[str, str]]:
    """X causes Y; X can lead to Y."""
    for verb, ending, tense, pattern in _active_patterns():
        for match in pattern.finditer(claim):
            parts = _sides(claim, match.start(), match.end())
            if parts is None or not (match[1] or _agrees(claim[slice(*parts[0])], tense)):
                continue
            inflected = verb if is_plural(claim[slice(*parts[1])]) else third(verb)
            changes = tense != "past" and not match[1]
            yield "active", _exchanged(claim, parts, f"{match[2]}{inflected}{ending}" if changes else match[0])


@cache
def _active_patterns() -> tuple[tuple[str, str, str, re.Pattern[str]], ...]:
    """For each verb and tense: the verb, its particle, the tense, and where it stands before an object."""
    found = []
    for phrase in (*_TURNABLE, *_WITH_PARTICLE):
        verb, _, particle = phrase.partition(" ")
        ending = f" {particle}" if particle else ""
        for tense, form in (("base", verb), ("third", third(verb)), ("past", past(verb))):
            modal = rf"(?:{_MODAL} )" if tense == "base" else "(?!)"
            pattern = re.compile(rf"(?<=[\w)\]'’] )({modal})?({_ADVERB}){form}{ending}(?= )")
            found.append((verb, ending, tense, pattern))
    return tuple(found)


def _agrees(subject: str, tense: str) -> bool:
    """Whether what stands before a verb can be its subject, and not an adjective or another verb."""
    if tense == "past":
        return subject.rsplit(" ", 1)[-1] not in BASES
    return is_plural(subject) == (tense == "base")


def _passives(claim: str) -> Iterator[tuple[str, str]]:
    """X is caused by Y."""
    pattern = rf"\b(is|are|was|were) ({_ADVERB})({alternatives(_PARTICIPLES)}) by(?= )"
    for match in re.finditer(pattern, claim):
        parts = _sides(claim, match.start(), match.end())
        if parts is not None:
            present = match[1] in {"is", "are"}
            plural = is_plural(claim[slice(*parts[1])])
            copula = ("are" if plural else "is") if present else ("were" if plural else "was")
            yield "passive", _exchanged(claim, parts, f"{copula} {match[2]}{match[3]} by")


def _comparisons(claim: str) -> Iterator[tuple[str, str]]:
    """X has a lower rate than Y; X is more common than Y."""
    for match in _THAN.finditer(claim):
        start = _clause_start(claim, match.start())
        verb = re.search(
            r"\b(?:is|are|was|were|has|have|had|can|may|show(?:s|ed)?|tends?|drink|provides?|offers?|gives?|produces?|"
            r"receives?|experience[sd]?|performs?|grows?|becomes?|costs?|needs?|requires?|contains?|lasts?|uses?|"
            r"spend|earn|causes?|makes?|takes?|induces?|leads? to|leads?|exhibit(?:s|ed)?)\b",
            claim[start : match.start()],
        )
        if verb is None:
            continue
        subject = (start, start + len(claim[start : start + verb.start()].rstrip()))
        end = re.compile(r"[,.;:()!?]|\s(?:which|because|when|while|but|and|is|are|was|were|does|do|did)\b").search(
            claim, match.end()
        )
        other = (match.end(), end.start() if end else len(claim))
        if _movable(claim[slice(*subject)]) and _movable(claim[slice(*other)]):
            yield "comparison", _exchanged(claim, (subject, other), claim[subject[1] : other[0]].strip())


def _alternatives(claim: str) -> Iterator[tuple[str, str]]:
    """From X to Y; X rather than Y; X, not Y."""
    one = r"((?:[A-Za-z][\w-]*)(?: [a-z][\w-]*)?)"
    for match in re.finditer(
        rf"\bfrom {one} (?:in)?to {one}(?=[.,;]| (?:in|and|by|via|through|during|with)\b|$)", claim
    ):
        parts = (match.span(1), match.span(2))
        yield "from_to", _exchanged(claim, parts, claim[match.end(1) : match.start(2)].strip())
    for match in re.finditer(r"([A-Za-z][\w-]*) (?:rather than|instead of|and not) ([A-Za-z][\w-]*)(?=[.,;]|$)", claim):
        parts = (match.span(1), match.span(2))
        yield "rather_than", _exchanged(claim, parts, claim[match.end(1) : match.start(2)].strip())


Parts = tuple[tuple[int, int], tuple[int, int]]


def _sides(claim: str, verb_start: int, verb_end: int) -> Parts | None:
    """The subject and the object around a verb, if both move as a whole."""
    start = _clause_start(claim, verb_start)
    end = _OBJECT_END.search(claim, verb_end + 1)
    subject = (start, start + len(claim[start:verb_start].rstrip()))
    if end and end[0].strip() in _FINITE:
        return None  # a clause of its own: "suggests the virus has"
    stop = end.start() if end else len(claim)
    other = (verb_end + 1, verb_end + 1 + len(claim[verb_end + 1 : stop].rstrip()))
    if _CARRIES_ON.match(claim[other[1] :]) or (
        _WITH_INFINITIVE.search(claim[:verb_end]) and claim[other[1] :].startswith(" to ")
    ):
        return None
    if _movable(claim[slice(*subject)]) and _movable(claim[slice(*other)]):
        return subject, other
    return None


def _clause_start(claim: str, at: int) -> int:
    """Where the clause before `at` begins: after the last stop, comma, "that" or "because"."""
    starts = [
        found.end()
        for found in re.finditer(
            r"(?:[.,;:!?*•]|\b(?:that|because|since|although|while|whereas|but|if|as))\s+", claim[:at]
        )
    ]
    start = starts[-1] if starts else 0
    return start + len(claim[start:at]) - len(claim[start:at].lstrip(" *•-\"'"))


def _movable(part: str) -> bool:
    words = part.split()
    return (
        0 < len(words) <= _LONGEST
        and not _NO_SUBJECT.match(part)
        and not _BROKEN.search(part)
        and not MARKER.search(part)
        and part.count("(") == part.count(")")
        and part.count('"') % 2 == 0
        and part.count("'") % 2 == 0
        and not re.search(
            r"(?:\b(?:a|an|the|of|and|or|to|in|with|from|for|by|on|at|not|more|most|also|used|due)|ing|ly)$",
            part,
            re.IGNORECASE,
        )
        and not re.match(r"\w+(?:ly|ing)\b", part)
        and not any(word in THIRD for word in words)
        and not re.match(r"(?:and|or|of|into|to|from|by|with|in|on|at|for|not|more|less|only|all|both|either)\b", part)
        and not re.fullmatch(r"\W*\d[\d.,%]*\W*", part)
    )


def _exchanged(claim: str, parts: Parts, middle: str) -> str:
    (a, b), (c, d) = parts
    moved = re.sub(r"^(The|A|An|This|These)\b", lambda found: found[0].lower(), claim[a:b])
    return f"{claim[:a]}{claim[c:d]} {middle} {moved}{claim[d:]}"


def _capitals(before: str, after: str, keeps_capital: KeepsCapital) -> str:
    """The first word's capital given to the new first word, the old one's taken unless it is a name."""
    old = re.match(r"\W*([A-Z][\w-]*)", before)
    if old is None or after.startswith(before[: old.end()]):
        return after
    head = old.start(1)
    if re.fullmatch(r"[A-Z][a-z]*(?:-[a-z]+)*", old[1]) and not keeps_capital(old[1].split("-")[0]):
        lowered = old[1][0].lower() + old[1][1:]
        after = after[:head] + re.sub(rf"(?<![\w-]){old[1]}(?![\w-])", lowered, after[head:], count=1)
    if re.match(r"[a-z]+(?:[\s,]|-[a-z])", after[head:]):
        after = after[:head] + after[head].upper() + after[head + 1 :]
    return after
