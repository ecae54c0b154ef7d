"""JUnit XML, as CI systems show it: a case for each gated or exact metric and one for each question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eval.metrics.correctness import is_correct
from eval.rows import Row
from eval.runs.verdicts import Verdict

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite

# What XML 1.0 cannot hold, even escaped.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(rows: Sequence[Row], verdicts: Sequence[Verdict]) -> str:
    """The document; a wrong answer is a failure, a question that failed is an error."""
    from junitparser import JUnitXml

    document: Any = JUnitXml("paperchat eval")
    document.add_testsuite(_suite("gate", [_metric_case(verdict) for verdict in verdicts]))
    document.add_testsuite(_suite("questions", [_question_case(row) for row in rows]))
    document.update_statistics()
    content: bytes = document.tostring()
    return content.decode()


def _suite(name: str, cases: list[TestCase]) -> TestSuite:
    from junitparser import TestSuite

    suite = TestSuite(name)
    suite.add_testcases(cases)
    return suite


def _metric_case(verdict: Verdict) -> TestCase:
    from junitparser import Failure, TestCase

    case = TestCase(verdict.name, classname=f"gate.{verdict.kind}")
    if not verdict.ok:
        case.result = [Failure(_shown(f"{verdict.title}: {verdict.reason}"))]
    return case


def _question_case(row: Row) -> TestCase:
    from junitparser import Error, Failure, Skipped, TestCase

    case = TestCase(_shown(row.gold.qid), classname=_shown(f"questions.{row.gold.type}"))
    if row.answer is not None:
        case.time = round(float((row.answer.get("timings_ms") or {}).get("total", 0.0)) / 1000, 3)
    right = is_correct(row)
    if row.fault is not None:
        case.result = [Error(_shown(f"{row.fault.message} {row.fault.remedy}".strip()), row.fault.type)]
    elif right is None:
        case.result = [Skipped("the question set does not say what is right")]
    elif not right:
        failure = Failure(_shown(f"{row.outcome}: {row.gold.question}"))
        failure.text = _shown(f"{row.text}\n\nWanted: {_wanted(row)}")
        case.result = [failure]
    return case


def _wanted(row: Row) -> str:
    if not row.gold.answerable:
        return "a refusal, or an answer that says what the papers do not hold"
    return row.gold.gold_answer or ", ".join(row.gold.must_include)


def _shown(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
