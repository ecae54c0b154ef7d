"""`python -m eval.devset`: how the product does on a question set, as JSON and as a Markdown table.

Nothing here is tuned or cached: each question goes through `Paperchat.ask` as a user's would.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from eval.questions import GoldQuestion, includes_all, read_questions
from rag.answer.answer import Answer
from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from rag.papers import normalised_title

BUNDLED = Path(__file__).parent / "data" / "questions_dev.jsonl"
TOP = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One question and what came of it."""

    gold: GoldQuestion
    answer: Answer

    @property
    def right(self) -> bool:
        """Answered, with every string that a right answer must hold and none that it must not."""
        wrong = any(includes_all(self.answer, [text]) for text in self.gold.must_not_include)
        return not self.answer.refused and not wrong and includes_all(self.answer, self.gold.must_include)

    @property
    def found(self) -> bool:
        """A gold paper among the first five retrieved (or cited, where records answered)."""
        papers = [p.paper for p in self.answer.passages[:TOP]] or [c.paper for c in self.answer.citations]
        return any(self.is_gold(paper.title) for paper in papers)

    def is_gold(self, title: str) -> bool:
        """Whether a title is one of the gold ones."""
        return normalised_title(title) in {normalised_title(gold) for gold in self.gold.gold_titles}


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of `n` questions with its 95 % interval (Wilson); not eligible (None) when n is 0."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


def run(questions: Sequence[GoldQuestion], engine: Paperchat, answerer: Any = "quotes") -> list[Row]:
    """Ask every question with its history."""
    return [Row(gold, engine.ask(gold.question, gold.history, answerer=answerer)) for gold in questions]


def figures(rows: Sequence[Row]) -> list[Figure]:
    """The shares that the README states."""
    can = [row for row in rows if row.gold.answerable]
    cannot = [row for row in rows if not row.gold.answerable]
    answered = [row for row in can if row.answer.citations]
    quotes = [citation for row in rows for citation in row.answer.citations]
    return [
        _share("gold paper among the first 5", [r.found for r in can]),
        _share("every must-include in the answer", [r.right for r in can]),
        _share("answerable refused (lower is better)", [r.answer.refused for r in can]),
        _share("answerable partial or corrected", [r.answer.outcome in ("partial", "corrected") for r in can]),
        _share("unanswerable refused", [r.answer.refused for r in cannot]),
        _share("unanswerable refused, partial or corrected", [r.answer.outcome != "answered" for r in cannot]),
        _share("answers that cite gold papers only", [_all_gold(r) for r in answered]),
        _share("quotes verbatim at their offsets", [c.paper.abstract[c.start : c.end] == c.quote for c in quotes]),
    ]


def by_type(rows: Sequence[Row]) -> dict[str, str]:
    """Right answers (or refusals, where that is right) of each type of question."""
    types: dict[str, list[bool]] = {}
    for row in rows:
        types.setdefault(row.gold.type, []).append(row.right if row.gold.answerable else row.answer.refused)
    return {name: f"{sum(good)}/{len(good)}" for name, good in sorted(types.items())}


def _all_gold(row: Row) -> bool:
    return all(row.is_gold(citation.paper.title) for citation in row.answer.citations)


def _share(name: str, values: Sequence[bool]) -> Figure:
    if not values:
        return Figure(name, None, None, None, 0)
    interval = binomtest(sum(values), len(values)).proportion_ci(method="wilson")
    return Figure(name, sum(values) / len(values), float(interval.low), float(interval.high), len(values))


def _percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))] if ordered else 0.0


def _print_table(found: Sequence[Figure], rows: Sequence[Row], out: Callable[[str], None] = print) -> None:
    out("| | share | 95 % interval | n |\n|---|---|---|---|")
    for figure in found:
        if figure.value is None or figure.low is None or figure.high is None:
            out(f"| {figure.name} | not eligible | | 0 |")
        else:
            out(f"| {figure.name} | {figure.value:.1%} | {figure.low:.1%} to {figure.high:.1%} | {figure.n} |")
    words = [len(row.answer.answer.split()) for row in rows if not row.answer.refused]
    totals = [row.answer.timings_ms["total"] for row in rows]
    out(f"\nWords an answer: median {_percentile(words, 50):.0f}, 90th percentile {_percentile(words, 90):.0f}.")
    out(f"Milliseconds an answer: median {_percentile(totals, 50):.0f}, 95th percentile {_percentile(totals, 95):.0f}.")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; exit code 0, or that of the error it printed."""
    parser = argparse.ArgumentParser(prog="python -m eval.devset", description=__doc__)
    parser.add_argument("questions", nargs="?", type=Path, default=BUNDLED, help="JSONL (default: the bundled)")
    parser.add_argument("--answerer", choices=("quotes", "openai", "local"), default="quotes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(argv)
    try:
        questions = read_questions(options.questions)
        engine = Paperchat()
        engine.retrieve("warm up the models before the clock runs", k=1)
        rows = run(questions, engine, options.answerer)
    except PaperchatError as error:
        print(f"eval.devset: {error}", file=sys.stderr)
        return error.exit_code
    found = figures(rows)
    if options.json:
        shares = {f.name: {"value": f.value, "low": f.low, "high": f.high, "n": f.n} for f in found}
        print(json.dumps({"figures": shares, "by_type": by_type(rows)}, indent=2))
    else:
        _print_table(found, rows)
        print("\n" + ", ".join(f"{name} {share}" for name, share in by_type(rows).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
