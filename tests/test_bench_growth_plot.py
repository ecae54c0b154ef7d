"""The picture of a growing library: every figure of the stored run is on it, and it is drawn without measuring."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from eval.bench_library.__main__ import main
from eval.bench_library.plot import plotted, redraw, write_plot
from rag.errors import SourceError

MIB = 2**20
GROWN: dict[str, Any] = {
    "encoding": {"papers": 64, "passages": 100, "seconds": 2.0, "cpu_seconds": 2.0},  # 20 ms a passage
    "sizes": [
        {
            "papers": papers,
            "filled": {"papers": papers, "passages": 2 * papers, "seconds": 0.01 * papers, "peak_bytes": 400 * n * MIB},
            "asked": {
                "start_up_s": 1.5 * n,
                "answer_ms": {"p50": 40.0 * n, "p95": 60.0 * n},
                "retrieve_ms": {"p50": 10.0 + n, "p95": 13.0 + n},
                "reranked_ms": {"p50": 26.0 + n, "p95": 31.0 + n},
                "peak_bytes": 500 * n * MIB,
            },
            "disk_bytes": {"catalog.sqlite3": 140 * n * MIB, "chroma": 13 * n * MIB, "words": n * MIB},
        }
        for n, papers in enumerate((1_000, 10_000, 100_000), 1)
    ],
}


def test_each_quantity_has_a_panel_with_the_stored_figures() -> None:
    panels = {axes.get_title(): axes for axes in plotted(GROWN).axes}
    lines = {
        title: {str(line.get_label()): list(line.get_ydata()) for line in axes.get_lines()}
        for title, axes in panels.items()
    }
    assert lines == {
        "Ingestion": {"with encoding": pytest.approx([20.0] * 3), "without": pytest.approx([100.0] * 3)},
        "Retrieval": {
            "p50": [11, 12, 13],
            "p95": [14, 15, 16],
            "reranked, p50": [27, 28, 29],
            "reranked, p95": [32, 33, 34],
        },
        "Whole answer by quotes": {"p50": [40, 80, 120], "p95": [60, 120, 180]},
        "Memory, at most": {"writing": [400, 800, 1200], "asking": [500, 1000, 1500]},
        "Disk": {"catalog": [140, 280, 420], "vectors": [13, 26, 39], "words": [1, 2, 3]},
        "Start-up to the first answer": {"start-up": [1.5, 3.0, 4.5]},
    }
    for title, axes in panels.items():
        assert axes.get_xscale() == "log"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["1,000", "10,000", "100,000"], title
        assert all(list(line.get_xdata()) == [1_000, 10_000, 100_000] for line in axes.get_lines())
        assert axes.get_xlabel() == "papers"
        assert axes.get_ylabel()
        low, high = axes.get_ylim()
        assert all(low <= y <= high for line in axes.get_lines() for y in line.get_ydata()), title
        assert (axes.get_legend() is not None) == (len(lines[title]) > 1)
    units = {title: axes.get_ylabel() for title, axes in panels.items()}
    assert (units["Disk"], units["Memory, at most"], units["Ingestion"]) == ("MiB", "MiB", "papers a second")


def test_both_pictures_are_written_and_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    png, svg = write_plot(GROWN, tmp_path / "growth")
    assert (png.name, svg.name) == ("growth.png", "growth.svg")
    head = png.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert int.from_bytes(head[16:20]) == 900  # pixels across
    assert "Start-up to the first answer" in svg.read_text()  # text stays text
    before = png.read_bytes(), svg.read_bytes()
    write_plot(GROWN, tmp_path / "growth")
    assert (png.read_bytes(), svg.read_bytes()) == before


def without(*path: str | int) -> dict[str, Any]:
    """The figures but for one."""
    grown = copy.deepcopy(GROWN)
    *above, last = path
    place: Any = grown
    for key in above:
        place = place[key]
    del place[last]
    return grown


@pytest.mark.parametrize(
    ("grown", "told"),
    [
        ({"encoding": {}, "sizes": []}, "name no size"),
        (without("sizes"), "name no size"),
        (without("sizes", 1, "papers"), "size number 2 lacks a figure.*'papers'"),
        (without("sizes", 2, "asked", "start_up_s"), "size of 100,000 papers lacks a figure.*'start_up_s'"),
        (without("encoding", "seconds"), "size of 1,000 papers lacks a figure"),
        ([], "no figures of a growing library"),
    ],
)
def test_figures_that_lack_a_size_or_one_of_its_figures_are_refused_in_a_sentence(grown: Any, told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        plotted(grown)
    assert "Measure again" in str(caught.value)


def test_a_stored_run_is_drawn_again_without_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["bench_library", str(tmp_path), *arguments])
        main()

    (tmp_path / "library-growth.json").write_text(json.dumps(GROWN))
    call("plot")
    assert sorted(path.name for path in tmp_path.glob("library-*")) == [
        f"library-growth.{e}" for e in ("json", "png", "svg")
    ]
    with pytest.raises(SystemExit, match="2"):
        call("growth")  # which measures, and needs one
    (tmp_path / "library-growth.json").write_text("{")
    with pytest.raises(SystemExit, match="2"):
        call("plot")
    with pytest.raises(SourceError, match="cannot be read"):
        redraw(tmp_path / "nothing.json")
