"""The figures of a growing library as one picture, drawn from what `growth` stored: nothing is measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from eval.bench_library.report import MIB, rate
from rag.errors import SourceError

SIZE, DOTS = (9.0, 6.0), 100  # inches, and dots of each: 900 pixels across
# Without what would make equal pictures differ.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": DOTS, "metadata": {"Software": None}, "pil_kwargs": {"optimize": True}},
    "svg": {"metadata": {"Date": None}},
}
# Told apart without colour, too: by the mark of the point, and by light and dark.
LOOKS = (("#1b4f8a", "o"), ("#c8571b", "s"), ("#3f8f5f", "^"), ("#8a8a8a", "D"))
AGAIN = "Measure again: python -m eval.bench_library OUT growth --collection FOLDER."


@dataclass(slots=True)
class Panel:
    """One quantity over the number of papers: lines by what they are called, a value for each size."""

    title: str
    unit: str
    lines: dict[str, list[float]] = field(default_factory=dict)
    log: bool = False


def plotted(grown: Mapping[str, Any]) -> Figure:
    """The growth of a library, as `growth` gives it: a panel for each quantity, papers across in powers of ten.

    Raises:
        SourceError: there are no sizes, or a figure of one is missing.
    """
    sizes, panels = _read(grown)
    with _style():
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        for axes, panel in zip(figure.subplots(2, 3).flat, panels, strict=True):
            _draw(axes, sizes, panel)
    return figure


def write_plot(grown: Mapping[str, Any], place: Path) -> list[Path]:
    """The picture of `plotted` as PNG and as SVG beside each other: `place` with either ending; raises as it."""
    figure = plotted(grown)
    written = []
    for ending, how in FORMATS.items():
        written.append(place.with_suffix(f".{ending}"))
        with _style():
            figure.savefig(written[-1], **how)
    return written


def redraw(stored: Path) -> list[Path]:
    """`write_plot` beside the JSON of a run, from what it says.

    Raises:
        SourceError: it cannot be read, or is not what `growth` writes.
    """
    try:
        grown = json.loads(stored.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{stored} cannot be read: {error}.", AGAIN) from error
    return write_plot(grown, stored)


def _read(grown: Mapping[str, Any]) -> tuple[list[int], list[Panel]]:
    if not isinstance(grown, Mapping):
        raise SourceError("These are no figures of a growing library.", AGAIN)
    stored = grown.get("sizes")
    if not stored:
        raise SourceError("The figures of a growing library name no size.", AGAIN)
    panels = [
        Panel("Ingestion", "papers a second"),
        Panel("Retrieval", "ms a question"),
        Panel("Whole answer by quotes", "ms a question"),
        Panel("Memory, at most", "MiB"),
        Panel("Disk", "MiB", log=True),
        Panel("Start-up to the first answer", "seconds"),
    ]
    sizes = []
    for number, one in enumerate(stored, 1):
        try:
            sizes.append(int(one["papers"]))
            for panel, values in zip(panels, _values(grown, one), strict=True):
                for name, value in values.items():
                    panel.lines.setdefault(name, []).append(value)
        except (KeyError, TypeError, ZeroDivisionError) as error:
            of = f"of {one['papers']:,} papers" if "papers" in one else f"number {number}"
            raise SourceError(f"The size {of} lacks a figure, or has a senseless one: {error}.", AGAIN) from error
    return sizes, panels


def _values(grown: Mapping[str, Any], one: Mapping[str, Any]) -> Sequence[Mapping[str, float]]:
    """What each panel shows of one size."""
    filled, asked, disk = one["filled"], one["asked"], one["disk_bytes"]
    return (
        {"with encoding": rate(grown, one), "without": filled["papers"] / filled["seconds"]},
        {
            "p50": asked["retrieve_ms"]["p50"],
            "p95": asked["retrieve_ms"]["p95"],
            "reranked, p50": asked["reranked_ms"]["p50"],
            "reranked, p95": asked["reranked_ms"]["p95"],
        },
        {name: asked["answer_ms"][name] for name in ("p50", "p95")},
        {"writing": filled["peak_bytes"] / MIB, "asking": asked["peak_bytes"] / MIB},
        {
            "catalog": disk["catalog.sqlite3"] / MIB,
            "vectors": disk["chroma"] / MIB,
            "words": disk["words"] / MIB,
        },
        {"start-up": asked["start_up_s"]},
    )


def _draw(axes: Axes, sizes: Sequence[int], panel: Panel) -> None:
    for (name, values), (colour, mark) in zip(panel.lines.items(), LOOKS, strict=False):
        axes.plot(sizes, values, color=colour, marker=mark, markersize=5, linewidth=1.6, label=name, clip_on=False)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(sizes), [f"{size:,}" for size in sizes])
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    else:
        axes.set_ylim(0, 1.1 * max(max(values) for values in panel.lines.values()))
    axes.set(title=panel.title, xlabel="papers", ylabel=panel.unit)
    if len(panel.lines) > 1:
        axes.legend(frameon=False)


def _style() -> AbstractContextManager[None]:
    """How the picture looks, whatever the user's matplotlibrc says: on white, for print."""
    own = {
        "svg.hashsalt": "growth",
        "svg.fonttype": "none",
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "legend.fontsize": 8.5,
    }
    return style.context(["default", own])
