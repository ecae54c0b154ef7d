"""The curves of a report as inline SVG: text stays text, and the page's style sheet colours them.

Colours are written as stand-ins that become CSS variables, so that one picture serves light, dark
and print. The same curve always gives the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

_TEXT, _SOFT, _LINE, _ACCENT = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {_TEXT: "var(--text)", _SOFT: "var(--soft)", _LINE: "var(--line)", _ACCENT: "var(--accent)"}
_SIZE = (5.2, 4.1)  # inches of 72 units: narrow, so that letters stay readable on a telephone
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACCEPTED_RISK = 0.05


def reliability(bins: Sequence[Sequence[float]]) -> Markup:
    """How often answers of a stated confidence are right: `bins` are (mean confidence, share right, n), one or more."""
    n = int(sum(size for *_, size in bins))
    told = "; ".join(f"confidence {stated:.2f}: {_percent(right)} of {size:.0f} right" for stated, right, size in bins)
    with _style("reliability"):
        figure, axes = _axes("Confidence stated", "Share right")
        axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "as stated", (0.97, 0.97), (-10, -2), textcoords="offset points", ha="right", va="center", color=_SOFT
        )
        stated = [bin_[0] for bin_ in bins]
        axes.vlines(stated, stated, [bin_[1] for bin_ in bins], color=_ACCENT, linewidth=1, alpha=0.5)
        axes.scatter(
            stated,
            [bin_[1] for bin_ in bins],
            s=[30 + 150 * bin_[2] / n for bin_ in bins],
            color=_ACCENT,
            linewidths=0,
            zorder=3,
            clip_on=False,
        )
        return _inline(figure, "reliability", "Reliability of the stated confidence", f"Of {n} answers. {told}.")


def risk_coverage(curve: Sequence[Sequence[float]]) -> Markup:
    """What share is wrong when only the surest answers are given: `curve` is (coverage, risk), one or more."""
    with _style("risk_coverage"):
        top = _ceiling(max(risk for _, risk in curve))
        figure, axes = _axes("Share of the answers given, surest first", "Share of those wrong", top)
        axes.axhline(_ACCEPTED_RISK, color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "5 % wrong", (1, _ACCEPTED_RISK), (0, 4), textcoords="offset points", ha="right", va="bottom", color=_SOFT
        )
        coverage = [point[0] for point in curve]
        risk = [point[1] for point in curve]
        axes.fill_between(coverage, risk, color=_ACCENT, alpha=0.1, linewidth=0)
        axes.plot(coverage, risk, color=_ACCENT, linewidth=2, clip_on=False, solid_capstyle="round")
        held = [share for share, wrong in curve if wrong <= _ACCEPTED_RISK]
        told = f"At full coverage {_percent(risk[-1])} are wrong"
        most = f"; at most 5 % are wrong up to a coverage of {_percent(max(held))}" if held else ""
        return _inline(figure, "risk-coverage", "Risk against coverage", f"{told}{most}.")


def _style(salt: str) -> AbstractContextManager[None]:
    """How plots look, whatever the user's matplotlibrc says; `salt` makes ids the same each time."""
    own = {
        "svg.hashsalt": salt,
        "svg.fonttype": "none",
        "font.size": 11,
        "text.color": _TEXT,
        "axes.labelcolor": _SOFT,
        "axes.edgecolor": _LINE,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": _LINE,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "xtick.color": _LINE,
        "ytick.color": _LINE,
        "xtick.labelcolor": _SOFT,
        "ytick.labelcolor": _SOFT,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.major.pad": 6,
        "ytick.major.pad": 6,
    }
    return style.context(["default", own])


def _axes(across: str, up: str, top: float = 1.0) -> tuple[Figure, Axes]:
    """An empty plot of shares: 0 to 1 across, 0 to `top` up."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.set(xlim=(0, 1), ylim=(0, top), xlabel=across, ylabel=up)
    axes.set_xticks(_TICKS, [_percent(tick) for tick in _TICKS])
    axes.set_yticks([tick * top for tick in _TICKS], [_percent(tick * top) for tick in _TICKS])
    return figure, axes


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _ceiling(highest: float) -> float:
    """A round number above `highest`, so that a curve of small risks fills its plot."""
    return next((top for top in (0.2, 0.4, 0.6, 0.8) if highest <= 0.95 * top), 1.0)


def _inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an <svg> element: named for screen readers, without size, font or colour of its own."""
    FigureCanvasSVG(figure)
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", written.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    used = set(re.findall(r"#(\w+)[\")]", body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", body)
    body = re.sub(r"font(?:-family)?: [^;\"]*;?\s*", "", body)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, variable)
    head = (
        f'<svg class="plot" {box[0] if box else ""} role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return Markup(head + re.sub(r"\n\s*", "\n", body))
