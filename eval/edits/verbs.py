"""Enough of English verbs to negate a sentence and to turn it round."""

from __future__ import annotations

import re

_REGULAR = """
accelerate accompany achieve activate address adopt affect aggravate aid allow alter analyze appear attract attenuate
avoid block boost cause change characterize combine compensate complement comprise confer conserve constitute contain
contract contribute control convert correlate cover create damage decrease define degrade delay demonstrate depend
describe detect deteriorate determine develop differ diminish disrupt downregulate drop dominate double earn eliminate
emerge employ enable encode encompass encourage enhance ensure enter entail evolve exacerbate exceed exhibit exist
expand explain expose express facilitate favor feature follow foster function gain generate govern guarantee harm help
host hinder impact impair impede imply improve include increase induce influence inform inhibit initiate inspire
involve impose join justify kill lack last limit link lower maintain mark matter measure mediate migrate mimic
mitigate modify modulate motivate need observe obtain occur offer outperform oppose originate participate perform play
possess precede predict prefer present preserve prevent produce promote protect prove provide raise receive recognize
recommend reduce reflect regulate reject relate release rely remain remove replace represent require resemble resist
respond restrict result retain reveal shape share show slow solve stabilize start stimulate strengthen suffer suggest
support suppress surpass survive sustain target tend threaten transform transmit treat trigger undermine upregulate
use utilize vary want weaken work worsen yield allege believe cite claim collaborate compete compose complete consist
deliver direct display establish estimate experience focus form found happen identify indicate invent live manage
mention open operate own publish record serve stem
""".split()
_IRREGULAR = {
    "be": ("is", "was"),
    "have": ("has", "had"),
    "arise": ("arises", "arose"),
    "become": ("becomes", "became"),
    "begin": ("begins", "began"),
    "bind": ("binds", "bound"),
    "bring": ("brings", "brought"),
    "build": ("builds", "built"),
    "come": ("comes", "came"),
    "cost": ("costs", "cost"),
    "cut": ("cuts", "cut"),
    "do": ("does", "did"),
    "draw": ("draws", "drew"),
    "drink": ("drinks", "drank"),
    "drive": ("drives", "drove"),
    "eat": ("eats", "ate"),
    "fall": ("falls", "fell"),
    "find": ("finds", "found"),
    "get": ("gets", "got"),
    "give": ("gives", "gave"),
    "go": ("goes", "went"),
    "grow": ("grows", "grew"),
    "hold": ("holds", "held"),
    "keep": ("keeps", "kept"),
    "lead": ("leads", "led"),
    "leave": ("leaves", "left"),
    "lie": ("lies", "lay"),
    "lose": ("loses", "lost"),
    "make": ("makes", "made"),
    "mean": ("means", "meant"),
    "meet": ("meets", "met"),
    "overcome": ("overcomes", "overcame"),
    "rise": ("rises", "rose"),
    "say": ("says", "said"),
    "seek": ("seeks", "sought"),
    "sell": ("sells", "sold"),
    "sing": ("sings", "sang"),
    "spread": ("spreads", "spread"),
    "stand": ("stands", "stood"),
    "take": ("takes", "took"),
    "teach": ("teaches", "taught"),
    "undergo": ("undergoes", "underwent"),
    "win": ("wins", "won"),
    "write": ("writes", "wrote"),
}
BASES = tuple(dict.fromkeys([*_REGULAR, *_IRREGULAR]))


def third(base: str) -> str:
    """Third person singular: "causes", "relies", "does"."""
    if base in _IRREGULAR:
        return _IRREGULAR[base][0]
    if re.search(r"(?:s|x|z|ch|sh)$", base):
        return f"{base}es"
    return f"{base[:-1]}ies" if re.search(r"[^aeiou]y$", base) else f"{base}s"


def past(base: str) -> str:
    """Simple past: "caused", "relied", "led"."""
    if base in _IRREGULAR:
        return _IRREGULAR[base][1]
    if base.endswith("e"):
        return f"{base}d"
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ied"
    doubled = {"drop", "stem", "transmit", "control", "prefer", "confer", "occur", "compel", "stop", "plan"}
    return f"{base}{base[-1]}ed" if base in doubled else f"{base}ed"


THIRD = {third(base): base for base in BASES if base != "be"}
PAST = {past(base): base for base in BASES if base != "be" and past(base) != base}


def is_plural(phrase: str) -> bool:
    """Whether a noun phrase is plural, by the last word before its first preposition, or by an "and"."""
    head = re.split(
        r"\s(?:of|in|with|for|on|at|from|to|by|among|along|over|under|via|per|as|during|between|against|within|through|into|than|who|that|which|receiving|treated)\b",
        phrase,
    )[0]
    if re.search(r"\sand\s", head):
        return True
    last = re.sub(r"\W+$", "", head).rsplit(" ", 1)[-1].lower()
    return last in _PLURAL_WORDS or (bool(re.search(r"(?<![sui])s$", last)) and last not in _SINGULAR_IN_S)


_PLURAL_WORDS = frozenset("people children women men mice bacteria criteria data phenomena they we these those".split())
_SINGULAR_IN_S = frozenset(
    "diabetes series species news physics economics politics mathematics genetics ethics sars covid-19s aids rabies "
    "herpes athletics statistics".split()
)
