"""An answer as text that can be kept: JSON from which the same answer comes back, with every score and passage.

`Answer.as_dict` is for programs and leaves things out; this leaves out nothing, but says nothing twice:
each paper stands once, and a passage that is a stretch of its paper's abstract by its offsets alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rag.answer.answer import Answer
from rag.errors import PaperchatError

VERSION = 1  # raised when older programs would misread the text; a new field with a default is no reason
_ANSWER = TypeAdapter(Answer)
_WITH_PAPER = ("citations", "passages", "left_out")


def dump_answer(answer: Answer) -> str:
    """The answer as one line of ASCII."""
    stored = _ANSWER.dump_python(answer, mode="json")
    papers: dict[str, int] = {}  # a paper's JSON -> its place
    for holder in _holders(stored):
        _shorten(holder)
        holder["paper"] = _place(papers, holder["paper"])
    stored["nearest"] = [_place(papers, paper) for paper in stored["nearest"]]
    head = {"version": VERSION, "papers": [json.loads(paper) for paper in papers]}
    return json.dumps({**head, "answer": stored}, separators=(",", ":"))


def load_answer(text: str) -> Answer:
    """The answer that `dump_answer` was given. Fields that this version does not know are passed over.

    Raises:
        PaperchatError: the text is damaged, or a newer paperchat's.
    """
    try:
        kept = json.loads(text)
        if kept["version"] > VERSION:
            raise PaperchatError("The answer was kept by a newer paperchat.", "Update paperchat to see it.")
        stored, papers = kept["answer"], kept["papers"]
        for holder in _holders(stored):
            holder["paper"] = papers[holder["paper"]]
            _lengthen(holder)
        stored["nearest"] = [papers[place] for place in stored.get("nearest", ())]
        return _ANSWER.validate_python(stored)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise _damaged(f"{type(error).__name__}: {error}") from None


def _holders(stored: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of a stored answer that has a paper."""
    for name in _WITH_PAPER:
        yield from stored.get(name, ())


def _place(papers: dict[str, int], paper: dict[str, Any]) -> int:
    return papers.setdefault(json.dumps(paper), len(papers))


def _shorten(holder: dict[str, Any]) -> None:
    passage = holder.get("passage")
    if passage and holder["paper"]["abstract"][passage["start"] : passage["end"]] == passage["text"]:
        del passage["text"]


def _lengthen(holder: dict[str, Any]) -> None:
    passage = holder.get("passage")
    if passage and "text" not in passage:
        passage["text"] = holder["paper"]["abstract"][passage["start"] : passage["end"]]


def _damaged(reason: str) -> PaperchatError:
    return PaperchatError(f"The kept answer cannot be read ({reason}).", "Ask the question again.")
