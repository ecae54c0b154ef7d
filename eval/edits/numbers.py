"""Wrong numbers: the statement stays as it is, its figure does not hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from eval.edits.text import Change, Span, alternatives, applied, matched_case, outside_markers

CARDINALS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
).split()
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_FRACTIONS = ("a third", "one third", "one-third", "half", "a quarter", "one quarter", "two thirds", "two-thirds")
_MULTIPLES_OF = {
    "twice": ("three times", "four times", "half"),
    "twofold": ("threefold", "fivefold"),
    "threefold": ("twofold", "tenfold"),
    "doubles": ("triples", "halves"),
    "doubled": ("tripled", "halved"),
    "tripled": ("doubled",),
}
_MONTHS = "january february march april may june july august september october november december".split()
_COMPOUND = r"(?:year|month|week|day|hour|minute|second|mile|fold|point|percent|dollar|dimensional|member)"
_DIGITS = re.compile(
    rf"(?<![\w.,/:'\"$€£-])([$€£]?)(\d{{1,3}}(?:,\d{{3}})+|\d+)(\.\d+)?(?![\w/:'\"]|[.,]\d|-(?!{_COMPOUND})[A-Za-z])"
)
_RANGE_END = re.compile(r"(?<![\w.,/])\d+(?:\.\d+)?\s?(?:[-–]|to|and)\s?$")
_RANGE_START = re.compile(r"\s?(?:[-–]|to)\s?(\d+(?:\.\d+)?)")
_TH = re.compile(r"(?<![\w.-])(\d{1,2})(st|nd|rd|th)\b")
_WORD_NUMBER = re.compile(rf"(?<![\w-])({alternatives(CARDINALS)})(?![\w]|-\w)", re.IGNORECASE)
_THE_ORDINAL = re.compile(
    rf"(?<=\bthe )({alternatives(_ORDINALS)})(?= (?!known|few|two|three)[a-z]+(?<!s)\b)", re.IGNORECASE
)
_FRACTION = re.compile(rf"(?<![\w-])({alternatives(_FRACTIONS)})(?![\w-])", re.IGNORECASE)
_MULTIPLE = re.compile(rf"(?<![\w-])({alternatives(_MULTIPLES_OF)})(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Figure:
    """A number in digits: where it stands, its value, and how many decimals it shows."""

    start: int
    end: int
    value: float
    decimals: int
    commas: bool
    percent: bool
    era: bool

    @property
    def is_year(self) -> bool:
        whole = not self.decimals and not self.commas and not self.percent
        return self.era or (whole and 1500 <= self.value <= 2100)


def wrong_number(claim: str, context: str, rng: Random) -> Change | None:
    """The claim with one of its numbers changed to one that fits its place and does not hold.

    In digits, in words, ordinals, fractions and multiples. A figure in digits becomes a near one,
    one off by a factor, or another figure of the same kind that the context states of something
    else (form `confused`). Digits in names, markers, dates with slashes and list marks stay.
    """
    figures = [*_digit_changes(claim, context, rng), *_word_changes(claim, context, rng)]
    return applied(claim, rng.choice(figures)) if figures else None


def _figures(text: str) -> list[_Figure]:
    found = []
    for match in _DIGITS.finditer(text):
        start, end = match.start(2), match.end()
        listed = not text[:start].strip() and re.match(r"[.)]\s", text[end:])
        named = re.search(r"\bcovid.?$", text[:start], re.IGNORECASE)
        if listed or named or not outside_markers(text, start, end):
            continue
        fraction = match[3] or ""
        value = float(match[2].replace(",", "") + fraction)
        percent = bool(re.match(r"\s?(?:%|percent\b|per cent\b)", text[end:]))
        era = bool(re.match(r"\s?(?:BC|AD|CE|BCE)\b", text[end:]))
        found.append(_Figure(start, end, value, max(len(fraction) - 1, 0), "," in match[2], percent, era))
    return found


def _digit_changes(claim: str, context: str, rng: Random) -> list[Span]:
    stated = {figure.value for figure in [*_figures(claim), *_figures(context)]}
    others = [figure for figure in _figures(context) if figure.value not in {f.value for f in _figures(claim)}]
    spans = []
    for figure in _figures(claim):
        if figure.value == 1 and not figure.percent:
            continue  # what follows is singular
        low, high = _bounds(claim, figure)
        kin = [
            other
            for other in others
            if other.percent == figure.percent
            and other.value != 1
            and other.is_year == figure.is_year
            and low < other.value < high
        ]
        if kin and rng.random() < 1 / 3:
            other = rng.choice(kin)
            spans.append(Span("confused", figure.start, figure.end, context[other.start : other.end]))
            continue
        form, value = _other_value(figure, stated, low, high, rng)
        if value is not None:
            spans.append(Span(form, figure.start, figure.end, _written(value, figure)))
    for match in _TH.finditer(claim):
        number = int(match[1]) + rng.choice((-2, -1, 1, 2))
        if number > 0 and f"{number}{_suffix(number)}" not in context:
            spans.append(Span("ordinal", match.start(), match.end(), f"{number}{_suffix(number)}"))
    return spans


def _bounds(claim: str, figure: _Figure) -> tuple[float, float]:
    """Between which values a figure makes sense where it stands: days of months, ends of ranges, shares."""
    before, after = claim[: figure.start], claim[figure.end :]
    month = re.search(rf"\b(?:{alternatives(_MONTHS)})\s$", before, re.IGNORECASE)
    if (month and figure.value <= 31) or re.match(rf"\s(?:of\s)?(?:{alternatives(_MONTHS)})\b", after, re.IGNORECASE):
        return 0, 29
    low, high = -1.0, 100.0 if figure.percent and figure.value <= 100 else float("inf")
    lower, upper = _RANGE_END.search(before), _RANGE_START.match(after)
    if lower:
        low = max(low, float(re.findall(r"\d+(?:\.\d+)?", lower[0])[0]))
    if upper:
        high = min(high, float(upper[1]))
    return low, high


def _other_value(figure: _Figure, stated: set[float], low: float, high: float, rng: Random) -> tuple[str, float | None]:
    """A near value or one off by a factor that neither text states."""
    value, step = figure.value, 10.0**-figure.decimals
    if figure.is_year:
        near = [value + shift for shift in (-20, -10, -5, -3, -2, -1, 1, 2, 3, 5, 10) if value + shift <= 2025]
        far: list[float] = []
    else:
        spread = max(step, round(value * 0.1, figure.decimals))
        near = [value + sign * factor * spread for sign in (-1, 1) for factor in (1, 2, 3, 4)]
        far = [value * factor for factor in (0.1, 0.5, 2, 3, 10)]
    for form, values in rng.sample([("near", near), ("factor", far)], 2):
        fitting = [round(v, figure.decimals) for v in values]
        fitting = [v for v in fitting if low < v < high and v > 0 and v not in stated and (v != 1 or figure.percent)]
        if fitting:
            return form, rng.choice(fitting)
    return "", None


def _written(value: float, figure: _Figure) -> str:
    return f"{value:,.{figure.decimals}f}" if figure.commas else f"{value:.{figure.decimals}f}"


def _suffix(number: int) -> str:
    if 10 < number % 100 < 14:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _word_changes(claim: str, context: str, rng: Random) -> list[Span]:
    spans = []
    known = context.lower()
    digits = {figure.value for figure in _figures(context)}
    for match in _WORD_NUMBER.finditer(claim):
        at = CARDINALS.index(match[1].lower())
        if at >= CARDINALS.index("hundred"):
            continue
        near = [i for i in range(max(0, at - 3), min(CARDINALS.index("ninety"), at + 3) + 1) if i != at]
        words = [CARDINALS[i] for i in near if not _states(known, digits, i)]
        spans += _choice("word", claim, match, words, rng)
    for match in _THE_ORDINAL.finditer(claim):
        words = [word for word in _ORDINALS[:5] if word != match[1].lower() and f"the {word}" not in known]
        spans += _choice("ordinal", claim, match, words, rng)
    for match in _FRACTION.finditer(claim):
        words = [w for w in ("a third", "half", "a quarter", "two thirds") if w[-4:] not in match[1].lower()]
        words = [word for word in words if word.split()[-1] not in known]
        spans += _choice("fraction", claim, match, words, rng)
    for match in _MULTIPLE.finditer(claim):
        spans += _choice("multiple", claim, match, list(_MULTIPLES_OF[match[1].lower()]), rng)
    return spans


def _states(known: str, digits: set[float], at: int) -> bool:
    """Whether a text states the number whose word is `CARDINALS[at]`."""
    value = at + 2 if at < 19 else (at - 18) * 10 + 20
    return value in digits or bool(re.search(rf"\b{CARDINALS[at]}\b", known))


def _choice(form: str, claim: str, match: re.Match[str], words: list[str], rng: Random) -> list[Span]:
    if not words or not outside_markers(claim, match.start(), match.end()):
        return []
    return [Span(form, match.start(1), match.end(1), matched_case(match[1], rng.choice(words)))]
