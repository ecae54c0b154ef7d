"""What was tried, for `make test-faults`: one row a test, written as JSON and as a table when all is done."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ALL = os.environ.get("FAULTS") == "all"  # all moments and seeds, not the sample that `make test` takes
BENCH = Path(__file__).parents[2] / "bench"


@dataclass(slots=True)
class Rows:
    """The rows of this run; `tried` counts kills or inputs."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str, outcome: str, tried: int = 1, **figures: float) -> None:
        """One thing that was tried and went as it should."""
        self.rows.append({"what": what, "tried": tried, "outcome": outcome, **figures})

    def write(self, failed: int, folder: Path = BENCH) -> None:
        """Put it all into `faults.json` and `faults.md`, where all is tried."""
        if not ALL:
            return
        folder.mkdir(exist_ok=True)
        made = {
            "date": datetime.now(UTC).date().isoformat(),
            "python": platform.python_version(),
            "failed": failed,
            "rows": self.rows,
        }
        (folder / "faults.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        (folder / "faults.md").write_text(_table(made), encoding="utf-8")


def _table(made: dict[str, Any]) -> str:
    lines = [
        f"Python {made['python']}, {made['date']}; tests that failed: {made['failed']}.",
        "",
        "| what | tried | outcome | figures |",
        "| --- | ---: | --- | --- |",
    ]
    for row in made["rows"]:
        figures = {key: value for key, value in row.items() if key not in ("what", "tried", "outcome")}
        told = ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in figures.items())
        lines.append(f"| {row['what']} | {row['tried']:,} | {row['outcome']} | {told} |")
    return "\n".join(lines) + "\n"


ROWS = Rows()
