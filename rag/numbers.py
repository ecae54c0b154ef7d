"""Numbers in text, made comparable: "40times", "40x" and "40 times" state the same 40."""

from __future__ import annotations

import re
from collections import defaultdict

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)")
_PART_OF_A_NAME = re.compile(r"[A-Za-z][-_]\Z")
# Abstracts keep TeX commands whose backslash is lost: `80%sim95%`, `300times-2500times`, `geq 50%`.
_TEX = re.compile(r"(?<![A-Za-z])\\?(?:sim|approx|leq|geq|pm|times)(?=[-.0-9])")
_SPELLED = {
    word: str(value)
    for value, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split(),
        2,
    )
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
    "dozen": "12", "hundred": "100", "thousand": "1000", "million": "million", "billion": "billion",
    "trillion": "trillion", "half": "half", "halved": "half", "halves": "half", "third": "third", "thirds": "third",
    "quarter": "quarter", "quarters": "quarter", "twice": "double", "twofold": "double", "double": "double",
    "doubles": "double", "doubled": "double", "threefold": "triple", "triple": "triple", "triples": "triple",
    "tripled": "triple", "fivefold": "fivefold", "tenfold": "tenfold", "fourth": "4th", "fifth": "5th", "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th",
}  # fmt: skip
_COMPOUND = re.compile(
    r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[- ](one|two|three|four|five|six|seven|eight|nine)\b"
)
_ORDINAL = re.compile(r"\b([0-9]+)(?:st|nd|rd|th)\b")
_WITH_UNIT = re.compile(r"(?<![\w.])([0-9][0-9,]*(?:\.[0-9]+)?)\s*-?\s*(%|°[CF]|[A-Za-zµ]+)")
_UNITS = frozenset(
    "% percent ms s sec min h hr second minute hour day week month year decade century kb mb gb tb microgram "
    "milligram gram kilogram µg mg g kg mm cm m km millimeter centimeter meter kilometer mile inch foot feet yard ml l "
    "milliliter liter gallon hz khz mhz ghz ounce pound ton dollar euro thousand million billion trillion °c °f "
    "calorie joule watt kilowatt megawatt acre hectare".split()
)
_SHORT = {
    "percent": "%", "sec": "s", "second": "s", "minute": "min", "hr": "h", "hour": "h", "feet": "foot",
    "microgram": "µg", "milligram": "mg", "gram": "g", "kilogram": "kg", "millimeter": "mm", "centimeter": "cm",
    "meter": "m", "kilometer": "km", "milliliter": "ml", "liter": "l",
}  # fmt: skip
_LARGE = {"M": "million", "B": "billion"}  # "70B parameters"; a small m is a metre


def quantities(text: str) -> frozenset[str]:
    """The numbers that `text` states in digits, normalised: no thousands separators, sign or trailing zeros.

    Digits inside a name ("GPT-4", "v2", "o1") are no quantity.
    """
    text = _TEX.sub(" ", text)
    found = (match for match in _NUMBER.finditer(text) if not _PART_OF_A_NAME.search(text[: match.start()][-2:]))
    return frozenset(_normal(match[0]) for match in found)


def stated_numbers(text: str) -> frozenset[str]:
    """`quantities` and the numbers that are spelled out, from two on: "twelve", "half", "doubled", "4th"."""
    text = _COMPOUND.sub(lambda found: str(int(_SPELLED[found[1]]) + int(_SPELLED.get(found[2], 1))), text.lower())
    spelled = (_SPELLED[word] for word in re.findall(r"[a-z]+", text) if word in _SPELLED)
    return quantities(text) | frozenset(spelled) | {f"{int(n)}th" for n in _ORDINAL.findall(text)}


def units(text: str) -> dict[str, set[str]]:
    """Each number of `text` that stands before a unit, with its units in the singular and one spelling of each."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for number, unit in _WITH_UNIT.findall(text):
        unit = _LARGE.get(unit, unit.lower())
        unit = unit[:-1] if len(unit) > 3 and unit.endswith("s") else unit
        if unit in _UNITS:
            found[_normal(number)].add(_SHORT.get(unit, unit))
    return dict(found)


def _normal(number: str) -> str:
    whole, _, fraction = number.lstrip("+-").replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
