"""Turns a template into a page: everything escaped, harmful characters shown, numbers written one way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eval.report.worst import astray, weak

# Controls, direction overrides that reorder a line, and lone surrogates, which no encoder accepts.
_HARMFUL = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
} | dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")


def render(template: str, **values: object) -> str:
    """The page of a template in `templates/`; text shows exactly as it is, whatever it holds."""
    environment = Environment(
        loader=PackageLoader("eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        number=number,
        signed=signed,
        span=span,
        milliseconds=milliseconds,
        p_value=p_value,
        moment=moment,
        across=across,
        sentence_case=sentence_case,
    )
    environment.tests.update(weak=weak, astray=astray)
    return environment.get_template(template).render(**values)


def number(value: float | None) -> str:
    """A figure with three decimals; an en dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def span(values: Iterable[float | None]) -> str:
    """From the lowest to the highest of several figures; those that are none do not count."""
    known = sorted(value for value in values if value is not None)
    return " to ".join(dict.fromkeys(number(end) for end in (known[0], known[-1]))) if known else number(None)


def signed(value: float | None) -> str:
    """A difference with its sign, and a true minus."""
    if value is None:
        return "–"
    return f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000"


def p_value(value: float | None) -> str:
    """A p value as papers print it."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def milliseconds(value: float | None) -> str:
    """A time in ms or, from ten seconds on, in s."""
    if value is None:
        return "–"
    return f"{value / 1000:,.1f} s" if value >= 10_000 else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def moment(iso: str) -> str:
    """An ISO time as people write it, in its own zone; any other text as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M} {when:%Z}".strip()


def sentence_case(text: str) -> str:
    """A note as a sentence: its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def across(value: float, low: float = 0.0, high: float = 1.0) -> str:
    """Where a value stands between `low` and `high`, as a percentage of a drawing's width."""
    share = (min(max(value, low), high) - low) / (high - low)
    return f"{100 * share:.2f}%"


def _shown(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.translate(_HARMFUL)
