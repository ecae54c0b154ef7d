"""Numbers in text, made comparable: "40times", "40x" and "40 times" state the same 40."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)")
_PART_OF_A_NAME = re.compile(r"[A-Za-z][-_]\Z")
# Abstracts keep TeX commands whose backslash is lost: `80%sim95%`, `300times-2500times`, `geq 50%`.
_TEX = re.compile(r"(?<![A-Za-z])\\?(?:sim|approx|leq|geq|pm|times)(?=[-.0-9])")


def quantities(text: str) -> frozenset[str]:
    """The numbers that `text` states, normalised: no thousands separators, sign or trailing zeros.

    Digits inside a name ("GPT-4", "v2", "o1") are no quantity.
    """
    text = _TEX.sub(" ", text)
    found = (match for match in _NUMBER.finditer(text) if not _PART_OF_A_NAME.search(text[: match.start()][-2:]))
    return frozenset(_normal(match[0]) for match in found)


def _normal(number: str) -> str:
    whole, _, fraction = number.lstrip("+-").replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
