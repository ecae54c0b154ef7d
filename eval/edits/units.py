"""Wrong units: milliseconds for seconds, a count for a share, billions for millions."""

from __future__ import annotations

import re
from random import Random

from eval.edits.numbers import CARDINALS
from eval.edits.text import Change, Span, alternatives, applied

_UNITS: tuple[tuple[str, ...], ...] = (
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("decade", "century", "millennium"),
    ("ms", "s", "min"),
    ("KB", "MB", "GB", "TB"),
    ("µg", "mg", "g", "kg"),
    ("microgram", "milligram", "gram", "kilogram"),
    ("mm", "cm", "m", "km"),
    ("millimeter", "centimeter", "meter", "kilometer", "mile"),
    ("inch", "foot", "yard", "mile"),
    ("ml", "l"),
    ("mL", "L"),
    ("milliliter", "liter", "gallon"),
    ("Hz", "kHz", "MHz", "GHz"),
    ("ounce", "pound", "kilogram", "ton"),
    ("dollar", "euro"),
    ("thousand", "million", "billion", "trillion"),
    ("°C", "°F"),
    ("calorie", "kilocalorie", "joule"),
    ("watt", "kilowatt", "megawatt"),
    ("acre", "hectare"),
)
_PLURALS = {"foot": "feet", "inch": "inches", "century": "centuries", "millennium": "millennia"}
_UNCHANGED = frozenset("ms s min KB MB GB TB µg mg g kg mm cm m km ml l mL L Hz kHz MHz GHz °C °F".split())
_MAGNITUDES = frozenset(("thousand", "million", "billion", "trillion"))
_NUMBER_BEFORE = rf"(?<![\w.])(?:\d[\d,.]*(?:\s|-)?|(?:{alternatives(CARDINALS)}|several|few)(?:\s|-))"


def wrong_unit(claim: str, context: str, rng: Random) -> Change | None:
    """The claim with the unit after one of its numbers changed to another of the same dimension."""
    spans = [*_unit_changes(claim, rng), *_percent_changes(claim), *_currency_changes(claim, rng)]
    wrong = [span for span in spans if _around(claim, span) not in context]
    return applied(claim, rng.choice(wrong)) if wrong else None


def _unit_changes(claim: str, rng: Random) -> list[Span]:
    spans = []
    for family in _UNITS:
        names = {form: (unit, form != unit) for unit in family for form in (unit, _plural(unit))}
        flags = re.NOFLAG if family[0] in _UNCHANGED or family[0] == "°C" else re.IGNORECASE
        pattern = rf"{_NUMBER_BEFORE}({alternatives(names)})(?![\w/])"
        for match in re.finditer(pattern, claim, flags):
            name = match[1] if match[1] in names else match[1].lower()
            unit, plural = names[name]
            if unit == "s" and claim[match.start(1) - 1] == "0":
                continue  # a decade: "the 1950s"
            near = [new for new in _neighbours(family, unit) if not re.search(rf"\b{_plural(new)}\b", claim)]
            if not near:
                continue
            new = rng.choice(near)
            plural = plural and new not in _UNCHANGED and new not in _MAGNITUDES
            spans.append(Span("unit", match.start(1), match.end(1), _plural(new) if plural else new))
    return spans


def _neighbours(family: tuple[str, ...], unit: str) -> list[str]:
    at = family.index(unit)
    return [family[i] for i in (at - 2, at - 1, at + 1, at + 2) if 0 <= i < len(family)]


def _plural(unit: str) -> str:
    if unit in _UNCHANGED:
        return unit
    return _PLURALS.get(unit, f"{unit}s")


def _percent_changes(claim: str) -> list[Span]:
    """Shares taken for counts, and percentages for factors."""
    spans = []
    counted = r"(the|these|those|all)\b|people\b|women\b|men\b|children\b|[a-z]+s\b|[A-Z][a-z]+s\b"
    for match in re.finditer(rf"(?<=\d)\s?(?:%|percent) of (?={counted})", claim):
        spans.append(Span("percent_count", match.start(), match.end(), " of " if match[1] else " "))
    for match in re.finditer(r"(?<=\bby )(?:\w+ ){0,2}?\d[\d.,]*(\s?(?:%|percent))(?!\w)", claim):
        spans.append(Span("percent_factor", match.start(1), match.end(1), " times"))
    return spans


def _currency_changes(claim: str, rng: Random) -> list[Span]:
    return [
        Span("currency", match.start(), match.end(), rng.choice([sign for sign in "$€£" if sign != match[0]]))
        for match in re.finditer(r"[$€£](?=\d)", claim)
    ]


def _around(claim: str, span: Span) -> str:
    """The changed stretch with the word before it, as it would stand in a text that states it."""
    if re.match(r"[$€£]", span.new):
        return span.new + re.split(r"\s", claim[span.end :])[0]
    before = re.search(r"\S*\s?-?$", claim[: span.start])
    return (before[0] if before else "") + span.new
