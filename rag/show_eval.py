"""What `paperchat eval` prints: figures with their intervals, differences, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from rag.batch import print_json
from rag.show import console, plain

Values = Mapping[str, Any]


def put(found: Any, json_output: bool, show: Callable[[], None]) -> None:
    """What a command found: as JSON for a program, else as `show` shows it."""
    if json_output:
        print_json(found)
    else:
        show()


def show_summary(summary: Values) -> None:
    """The figures of a run; beside faithfulness, how far the grounding score agrees with people."""
    table = _table("", "", "95 % interval", "n", "detectable")
    missing = []
    for group, figures in groupby(summary["figures"].values(), key=lambda figure: figure["group"]):
        table.add_row(Text(plain(group), style="bold"))
        for figure in figures:
            if figure["value"] is None:
                missing.append(figure["title"])
            else:
                interval, n = _interval(figure["low"], figure["high"]), str(figure["n"])
                table.add_row(_title(figure), _number(figure["value"]), interval, n, _number(figure["detectable"]))
        if group == "Faithfulness":
            for line in _trust(summary["agreement"]):
                table.add_row(Text(line, style="dim"))
    _print(table)
    _note(f"Not eligible: {'; '.join(missing)}." if missing else "")
    times = summary["latency_ms"]
    _note("; ".join(f"{stage} {ms['p50']:.0f} (p95 {ms['p95']:.0f}) ms" for stage, ms in times.items()))
    _note(", ".join(f"{name} {n}" for name, n in summary["tokens"].items()))
    if length := summary.get("words"):
        _note(f"{length['p50']:.0f} words in the median, 90th percentile {length['p90']:.0f} ({length['n']} answers)")


def show_run(summary: Values, folder: str) -> None:
    """The figures of a run, and where it lies."""
    show_summary(summary)
    asked = summary["manifest"]["questions"]["n"]
    unfinished = "" if summary["manifest"]["finished"] else f" of {asked} (not finished)"
    failed = f", {summary['failed']} failed" if summary["failed"] else ""
    console().print(Text(plain(f"{summary['n']}{unfinished} questions{failed}: {folder}")), soft_wrap=True)


def show_comparison(found: Values, folders: tuple[str, str]) -> None:
    """Every difference of two runs with its interval and its test."""
    table = _table("", "A", "B", "B - A", "95 % interval", "p", "p (Holm)", "n", "detectable")
    known = [d for d in found["differences"] if d["delta"] is not None]
    for group, differences in groupby(known, key=lambda difference: difference["group"]):
        table.add_row(Text(plain(group), style="bold"))
        for d in differences:
            values = (d["a"], d["b"])
            shown = (*map(_number, values), f"{d['delta']:+.3f}", _interval(d["low"], d["high"], signed=True))
            tests = (_p(d["p"]), _p(d["p_holm"]), str(d["n"]), _number(d["detectable"]))
            table.add_row(_title(d), *shown, *tests)
    console().print(Text(plain(f"A: {folders[0]}\nB: {folders[1]}")), soft_wrap=True)
    _print(table)
    missing = [d["title"] for d in found["differences"] if d["delta"] is None]
    _note(f"Not eligible: {'; '.join(missing)}." if missing else "")
    unpaired = max((d["unpaired"] for d in found["differences"]), default=0)
    _note(f"{found['n']} questions in both runs." + (f" {unpaired} left out." if unpaired else ""))


def show_gate(found: Values) -> None:
    """A line for each verdict, failures last."""
    out = console()
    for verdict in sorted(found["verdicts"], key=lambda verdict: not verdict["ok"]):
        mark, style = ("ok", "green") if verdict["ok"] else ("failed", "bold red")
        p = f", p (Holm) {_p(verdict['p_holm'])}" if verdict["p_holm"] is not None else ""
        line = plain(f"{verdict['name']}: {verdict['reason']}{p}, n {verdict['n']}")
        out.print(Text.assemble((f"{mark:<8}", style), line), soft_wrap=True)
    for note in found["notes"]:
        _note(note)
    out.print("The gate is passed." if found["ok"] else "The gate is not passed.")


def show_files(found: Values) -> None:
    """The figures of a run file, and what they leave out."""
    show_table([{"measure": name, **values} for name, values in found["figures"].items()], ("measure", "value", "n"))
    counts = found["counts"]
    _note(
        f"{counts['queries']} queries; {counts['without_relevant']} judged ones without a relevant document and "
        f"{counts['unjudged']} unjudged ones left out; {counts['missing_from_run']} missing from the run count as 0."
    )


def show_agreement(found: Values) -> None:
    """How far the score agrees with people, file by file, and with each of a file's own labels."""
    columns = ("name", "n", "auroc", "auroc_ci", "bacc", "bacc_ci", "threshold", "p95_ms")
    show_table(found["files"], columns)
    raw = [
        {"file": file["name"], "supported against": label, **values}
        for file in found["files"]
        for label, values in file["by_raw"].items()
    ]
    if raw:
        show_table(raw, ("file", "supported against", "n", "auroc", "auroc_ci"))
    _note(f"Grounding score {found['grounding']['version']}, threshold {found['grounding']['threshold']}.")


def show_spoilt(found: Values) -> None:
    """What each edit does to the score, and each bot to the metric that is meant to catch it."""
    if found["perturbations"]:
        show_table(found["perturbations"], ("name", "perturbation", "n", "auroc", "auroc_ci", "drop", "target", "ok"))
    if found["bots"]:
        show_table(found["bots"], ("name", "bot", "metric", "n", "real", "value", "delta", "low", "high", "ok"))
    if found["blind_spots"]:
        _note(f"Blind spots: {'; '.join(found['blind_spots'])}.")


def show_scripted(found: Values) -> None:
    """What became of each kind of scripted answer, and of each form of it."""
    show_table(found["rows"], ("kind", "form", "n", "share", "interval", "target", "ok"))
    left = "; ".join(f"{n} left out: {why}" for why, n in found["left_out"].items())
    _note(f"{found['questions']} questions. {left}".strip())
    for failure in found["failures"]:
        _note(f"{failure['qid']}, {failure['kind']} ({failure['form']}): {failure['how']}")


def show_judged(found: Values) -> None:
    """What the judge finds, and with whom it agrees."""
    if found["run"]:
        run = found["run"]
        show_table([{"": "supported", **run["supported"]}, *_agreed(run)], ("", "value", "low", "high", "n"))
        _note(f"{len(run['disagreements'])} sentences on which the judge and the grounding score differ (see --json).")
    for file in found["files"]:
        console().print(Text(plain(f"{file['name']}: people's labels")))
        rows = [
            {"": f"{rater}, {name}", **(file[rater][name] or {}), "n": file[rater]["n"]}
            for rater in ("judge", "offline")
            for name in ("bacc", "kappa")
        ]
        show_table([*rows, *_agreed(file)], ("", "value", "low", "high", "n"))
    for part in (found["run"], *found["files"]):
        if part:
            _note(
                ", ".join(f"{name} {part[name]}" for name in ("model", "asked", "remembered", "unparsable", "failed"))
            )


def show_table(rows: Sequence[Values], columns: Sequence[str]) -> None:
    """Rows of a JSON answer as a table; a column is left out when no row has it."""
    held = [column for column in columns if any(row.get(column) is not None for row in rows)]
    table = _table(*held)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in held))
    _print(table)


def _agreed(part: Values) -> list[dict[str, Any]]:
    """The judge's agreement with the grounding score, as rows."""
    found = part["with_offline"]
    names = {"agreement": "agrees with the grounding score", "kappa": "kappa with the grounding score"}
    return [{"": title, **(found[name] or {}), "n": found["n"]} for name, title in names.items()]


def _trust(agreement: Sequence[Values] | None) -> Iterable[str]:
    """How far the score behind faithfulness agrees with people."""
    if not agreement:
        yield "  its agreement with people is not known for this version: `paperchat eval validate-metric`"
        return
    for known in agreement:
        if known["auroc"] is not None:
            auroc = f"AUROC {_number(known['auroc'])} {_interval(*(known['auroc_ci'] or (None, None)))}"
            yield f"  agrees with people on {plain(str(known['name']))}: {auroc}, n {known['n']}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=place > 0)
    return table


def _title(figure: Values) -> Text:
    lower = "" if figure["higher_is_better"] else " (lower is better)"
    return Text(plain(f"  {figure['title']}{lower}"))


def _cell(value: Any) -> Text:
    if isinstance(value, float):
        return Text(_number(value))
    if isinstance(value, (list, tuple)):
        return Text(_interval(*value) if len(value) == 2 else ", ".join(map(str, value)))
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text("" if value is None else plain(str(value)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    if low is None or high is None:
        return ""
    return f"[{low:+.3f}, {high:+.3f}]" if signed else f"[{low:.3f}, {high:.3f}]"


def _p(value: float | None) -> str:
    return "" if value is None else "<.001" if value < 0.001 else f"{value:.3f}"


def _print(table: Table) -> None:
    """In a pipe as wide as it needs to be: the next program wants its lines whole."""
    out = console()
    if not out.is_terminal:
        out.width = 400
    out.print(table)


def _note(text: str) -> None:
    if text:
        console().print(Text(plain(text), style="dim"), soft_wrap=True)
