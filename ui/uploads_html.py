"""Files on their way into the library, as HTML: how far, how fast, and what became of each listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from rag.ingest import IngestReport, IngestRow, IngestWarning
from rag.placing import Outcome
from ui.escape import escaped, shortened
from ui.uploads import Progress

OUTCOMES: tuple[Outcome, ...] = ("added", "updated", "unchanged", "merged", "blocked", "failed")
MAX_ROWS = 200  # of one file; whoever adds thousands reads the counts
MAX_ITEM = 160  # characters of a title


def progress_html(progress: Progress) -> str:
    """A bar, with the papers done, the rate, and how long it will take."""
    if progress.waiting:
        return '<p class="pc-note" role="status">Other files are being added; yours are next.</p>'
    if not progress.total:
        return '<p class="pc-note" role="status">Reading the files…</p>'
    words = [f"{progress.done:,} of {progress.total:,} papers"]
    if progress.per_second is not None:
        words.append(f"{progress.per_second:.{0 if progress.per_second >= 10 else 1}f} a second")
    if progress.left_s is not None and progress.done < progress.total:
        words.append(f"about {_duration(progress.left_s)} left")
    return (
        '<div class="pc-lib-progress">'
        f'<progress max="{progress.total}" value="{progress.done}" aria-label="Papers added"></progress>'
        f'<p class="pc-note">{" · ".join(words)}</p></div>'
    )


def _duration(seconds: float) -> str:
    return f"{max(round(seconds), 1)} s" if seconds < 60 else f"{round(seconds / 60)} min"


def report_html(report: IngestReport) -> str:
    """What came of the files: counts in a sentence, and a part for each file with a row for each listing."""
    rows = sorted(report.rows, key=attrgetter("source"))
    files = [(source, list(group)) for source, group in groupby(rows, key=attrgetter("source"))]
    drawn = "".join(
        _file(source, group, [warning for warning in report.warnings if warning.source == source])
        for source, group in files
    )
    close = '<button type="button" class="pc-textual" data-act="close-report">Close</button>'
    return (
        f'<div class="pc-lib-report"><p role="status">{_counts(rows) or "Nothing was found in the files"}. {close}</p>'
        f"{drawn}</div>"
    )


def _counts(rows: Sequence[IngestRow]) -> str:
    counts = Counter(row.outcome for row in rows)
    parts = [f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if counts[outcome]]
    return ", ".join(parts)


def _file(source: str, rows: Sequence[IngestRow], warnings: Sequence[IngestWarning]) -> str:
    """A file, folded; open where something failed. Failures stand first, so that no limit hides them."""
    if len(rows) == 1 and _is_file(rows[0]):
        return f'<ul class="pc-lib-file">{_item(rows[0])}</ul>'
    in_order = sorted(rows, key=lambda row: row.outcome != "failed")
    notes = [
        f'<li><span>{escaped(shortened(_placed(warning), MAX_ITEM))}</span><span class="pc-meta">note</span></li>'
        for warning in warnings
    ]
    items = [*map(_item, in_order), *notes]
    more = f"<li><span>and {len(items) - MAX_ROWS:,} more</span></li>" if len(items) > MAX_ROWS else ""
    failed = any(row.outcome == "failed" for row in rows)
    return (
        f'<details class="pc-lib-file"{" open" if failed else ""}><summary><span>{escaped(source)}</span>'
        f'<span class="pc-meta">{_counts(rows)}</span></summary><ul>{"".join(items[:MAX_ROWS])}{more}</ul></details>'
    )


def _item(row: IngestRow) -> str:
    item = shortened(Path(row.item).name if _is_file(row) else row.item, MAX_ITEM)
    # A file's reason names it by its place on the server, which is nobody's business.
    reason = row.reason.replace(row.item, row.source) if _is_file(row) else row.reason
    why = f'<span class="pc-lib-why">{escaped(reason)}</span>' if reason else ""
    failed = ' class="pc-lib-failed"' if row.outcome == "failed" else ""
    return f'<li{failed}><span>{escaped(item)}{why}</span><span class="pc-meta">{row.outcome}</span></li>'


def _is_file(row: IngestRow) -> bool:
    """Whether the row is about a file that could not be read, not about a paper in it."""
    return row.outcome == "failed" and Path(row.item).is_absolute()


def _placed(warning: IngestWarning) -> str:
    return f"line {warning.line}: {warning.message}" if warning.line is not None else warning.message
