"""Which words of a text are negated, and which words have an opposite: "increases" and "decreases".

Coverage cannot see that "X does not cause Y" contradicts "X causes Y": the words are the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CUE = re.compile(
    r"\b(?:not|never|no|cannot|without|neither|nor|none|nobody|nothing|unable|unlikely|absence|hardly|"
    r"lack(?:s|ed|ing)?|fail(?:s|ed)?)\b|n['’]t\b",
    re.IGNORECASE,
)
# "No, it rises" answers a question and negates nothing that follows.
_NOT_ONLY = re.compile(r"\bnot (?:only|just|merely|necessarily)\b|\bno (?:doubt|matter)\b|\bno(?=,)", re.IGNORECASE)
# A decimal point ends nothing; "nor" begins a negation of its own.
_CLAUSE_END = re.compile(
    r"[;:!?]|(?<![0-9\s])\.|\.(?![0-9])|,? \b(?:but|however|although|while|whereas|though|because|since|nor)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SCOPE = 7  # words after a cue that it negates, at most to the end of its clause

_VERBS = (
    "increase decrease|raise lower|rise fall|grow shrink|improve worsen|enhance impair|boost reduce|strengthen weaken|"
    "accelerate slow|activate inhibit|promote prevent|stimulate suppress|cause prevent|induce inhibit|gain lose|"
    "win lose|succeed fail|allow prevent|enable disable|include exclude|accept reject|confirm refute|"
    "support contradict|add remove|expand contract|outperform underperform|protect harm|help hurt|facilitate hinder|"
    "encourage discourage|upregulate downregulate|benefit harm|maximize minimize|extend shorten|widen narrow|"
    "alleviate aggravate|decline increase|drop rise|reduce increase|attenuate amplify|mitigate worsen|degrade improve|"
    "eliminate create|avoid cause|open close|start stop|begin end|appear disappear|attract repel|destroy create|"
    "damage protect|limit expand|deteriorate improve|diminish increase|lessen increase|hamper help|block allow"
)
_OTHERS = (
    "high low|higher lower|highest lowest|large small|larger smaller|largest smallest|more less|fewer more|most least|"
    "greater lesser|greatest least|better worse|best worst|good bad|strong weak|stronger weaker|fast slow|"
    "faster slower|long short|longer shorter|early late|earlier later|older newer|positive negative|"
    "positively negatively|effective ineffective|efficient inefficient|possible impossible|likely unlikely|"
    "safe dangerous|similar different|same different|significant insignificant|significantly insignificantly|"
    "important unimportant|necessary unnecessary|sufficient insufficient|able unable|capable incapable|many few|"
    "often rarely|always never|frequently rarely|common rare|up down|above below|before after|within outside|"
    "inside outside|present absent|presence absence|true false|correct incorrect|accurate inaccurate|"
    "complete incomplete|easy difficult|easier harder|simple complex|cheap expensive|cheaper costlier|active inactive|"
    "stable unstable|beneficial harmful|useful useless|known unknown|all none|every no|both neither|with without|"
    "maximum minimum|major minor|upper lower|local global|single multiple|direct indirect|dependent independent|"
    "linear nonlinear|supervised unsupervised|sensitive insensitive|resistant susceptible|superior inferior|"
    "adequate inadequate|consistent inconsistent|severe mild|acute chronic|young old|older younger|male female|"
    "men women|males females|decrease increase|reduction increase|decline growth|improvement deterioration|"
    "benefit harm|advantage disadvantage|success failure|gain loss|excess deficiency|strength weakness|rise drop|"
    "majority minority|sparse dense|explicit implicit|open closed|first last"
)
_IRREGULAR = {
    "rise": "rose risen", "fall": "fell fallen", "grow": "grew grown", "shrink": "shrank shrunk", "lose": "lost lost",
    "win": "won won", "begin": "began begun", "hurt": "hurt hurt",
}  # fmt: skip


@lru_cache(maxsize=4096)
def negated(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of characters that stand under a negation; where two overlap they undo each other."""
    spans = []
    harmless = [m.span() for m in _NOT_ONLY.finditer(text)]
    for cue in _CUE.finditer(text):
        if any(start <= cue.start() < end for start, end in harmless):
            continue
        stop = _CLAUSE_END.search(text, cue.end())
        words = list(_WORD.finditer(text, cue.end(), stop.start() if stop else len(text)))[:_SCOPE]
        spans.append((cue.start(), words[-1].end() if words else cue.end()))
    return tuple(spans)


def is_negated(spans: tuple[tuple[int, int], ...], start: int, end: int) -> bool:
    """Whether an odd number of negations stand over the characters from `start` to `end`."""
    return sum(first <= start and end <= last for first, last in spans) % 2 == 1


@lru_cache(maxsize=4096)
def opposites(text: str) -> tuple[tuple[int, int, str], ...]:
    """Each word of `text` that has an opposite: its first and past-the-last character, and the opposite."""
    found = ((m.start(), m.end(), _opposites().get(m[0].lower())) for m in re.finditer(r"[A-Za-z]+", text))
    return tuple((start, end, other) for start, end, other in found if other)


@lru_cache(maxsize=1)
def _opposites() -> dict[str, str]:
    table: dict[str, str] = {}
    for pair in _OTHERS.split("|"):
        one, other = pair.split()
        table.setdefault(one, other)
        table.setdefault(other, one)
    for pair in _VERBS.split("|"):
        one, other = pair.split()
        for a, b in zip(_inflected(one), _inflected(other), strict=True):
            table.setdefault(a, b)
            table.setdefault(b, a)
    return table


def _inflected(verb: str) -> tuple[str, str, str, str, str]:
    """Base, third person, -ing, past, participle."""
    stem = verb.removesuffix("e")
    third = verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh")) else "s")
    regular = f"{stem}ed"
    if verb in ("stop", "drop", "win", "begin", "repel"):
        stem, regular = verb + verb[-1], f"{verb}{verb[-1]}ed"
    if verb.endswith("fy"):
        third, regular = f"{verb[:-1]}ies", f"{verb[:-1]}ied"
    past, participle = _IRREGULAR.get(verb, f"{regular} {regular}").split()
    return verb, third, f"{stem}ing", past, participle
