"""Questions that the library's records answer, not similarity: counts, lists, latest, dates, author counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from rag.answer.answer import Citation, Outcome, Sentence
from rag.answer.attributes import fields_asked
from rag.answer.draft import Draft, refusal
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.question import Question
from rag.chunking import sentences
from rag.library.library import Library
from rag.papers import Filters, Paper
from rag.terms import terms

SHOWN = 10  # papers listed in an answer; the count says how many there are
IDENTIFIED = 0.62  # coverage of the words that name a paper from which it counts as found
_MENTION_POOL = 5000
_RECORD_WORDS = frozenset(
    term
    for word in (
        "publish published publication release released date day month year author authors listing list number "
        "organisation organization "
        "company lab group team institution institute come out appear appeared old recent exact exactly many "
        "titled entitled behind"
    ).split()
    for term in terms(word)
)
_ASKED_COUNT = re.compile(r"\b(\d{1,2}|two|three|four|five|ten)\b(?=\s+(?:latest|newest|most recent|oldest|"
r"earliest|recent))|(?<=latest |newest |recent )\b(\d{1,2}|two|three|four|five|ten)\b", re.I)  # fmt: skip
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_SINGULAR = re.compile(
    r"\b(?:latest|newest|most recent|oldest|earliest)\s+(?:paper|article|publication|work|entry)\b(?!s)", re.I
)
_BY_SOMEONE = re.compile(r"\b(?:by|from|of)\s+((?:[A-Z][\w.&'-]*\s*){1,4})")


def from_listing(question: Question, library: Library) -> Draft | None:
    """Answer a count, list, latest or oldest question; None when it is not one for the records.

    A topic ("how many papers about quantization") counts the papers that mention all its words.
    """
    if question.intent == "content":
        return None
    if stranger := _stranger(question):
        known = ", ".join(library.organisations()) or "none"
        reason = f"No paper is listed under “{stranger}”: listings give no author names, and these organisations "
        f"only: {known}."
        return refusal(reason)
    if question.topic and question.intent == "list":
        return None
    newest_first = question.intent != "oldest"
    if question.topic:
        papers = _mentioning(question.topic, question.filters, library, newest_first)
        if not papers:
            return None
        total = len(papers)
    else:
        papers = library.find(question.filters, newest_first=newest_first, limit=SHOWN)
        total = library.count(question.filters)
    if question.intent in ("latest", "oldest"):
        papers = [paper for paper in papers if paper.published][: _how_many(question.asked)]
    if not papers:
        return refusal(
            f"No paper in the library is {_described(question)}."
            if question.filters
            else "The library has no such paper."
        )
    return _listed(question, papers[:SHOWN], total, library.count(Filters()))


def from_record(question: Question, evidence: Evidence) -> Draft | None:
    """Answer "when was X published", "how many authors", "which organisation" from X's own record."""
    fields = fields_asked(question.asked)
    if not fields or not evidence.papers or question.shape == "compare":
        return None
    lead = max(evidence.papers, key=lambda paper: (_identifies(evidence, paper), -paper.ranked.rank))
    if _identifies(evidence, lead) < IDENTIFIED:
        return None
    known = [text for name in fields if (text := _FIELD_TEXTS[name](lead.paper))]
    unknown = [_FIELD_NAMES[name] for name in fields if not _FIELD_TEXTS[name](lead.paper)]
    if not known:
        return refusal(f"The listing shows no {' and no '.join(unknown)} for “{lead.paper.title}”.")
    text = f"“{lead.paper.title}” {' and '.join(known)} [1]."
    reason = f"The listing shows no {' and no '.join(unknown)}." if unknown else ""
    sentence = Sentence(text, (1,), 1.0, True, "from the listing's record")
    outcome: Outcome = "partial" if unknown else "answered"
    why = reason or "Answered from the paper's record in the listing."
    return Draft(f"{text} {reason}".strip(), outcome, why, (sentence,), (_citation(1, lead.paper),))


def _published(paper: Paper) -> str | None:
    if not paper.published:
        return None
    note = " (the listing prints no year; it was inferred from the page)" if paper.year_inferred else ""
    return f"was published on {_day(paper.published)}{note}"


def _authors(paper: Paper) -> str | None:
    return None if paper.n_authors is None else f"lists {paper.n_authors} author{'s' if paper.n_authors != 1 else ''}"


def _organisation(paper: Paper) -> str | None:
    return f"is listed under the organisation {paper.organisation}" if paper.organisation else None


_FIELD_TEXTS: dict[str, Callable[[Paper], str | None]] = {
    "published": _published,
    "n_authors": _authors,
    "organisation": _organisation,
}
_FIELD_NAMES = {"published": "publication date", "n_authors": "number of authors", "organisation": "organisation"}


def _identifies(evidence: Evidence, paper: PaperEvidence) -> float:
    """How well a paper's text covers the words that name it, those of the record left out."""
    named = [
        (w.weight, float(m)) for w, m in zip(evidence.words, paper.matches, strict=True) if w.term not in _RECORD_WORDS
    ]
    total = sum(weight for weight, _ in named)
    return sum(weight * match for weight, match in named) / total if total else 0.0


def _mentioning(topic: str, filters: Filters, library: Library, newest_first: bool) -> list[Paper]:
    """Papers whose title or abstract has every term of the topic, by date."""
    wanted = set(terms(topic))
    hits = library.match_words(topic, _MENTION_POOL, filters)
    papers = library.papers(list(dict.fromkeys(hit.paper_id for hit in hits))).values()
    found = [paper for paper in papers if wanted <= set(terms(f"{paper.title} {paper.abstract}"))]
    return sorted(found, key=lambda p: ((p.published or date.min), p.paper_id), reverse=newest_first)


def _stranger(question: Question) -> str | None:
    """A name after "by" that is no organisation of the library, when nothing else is asked for."""
    match = _BY_SOMEONE.search(question.asked)
    if not match or question.filters.organisation or question.intent not in ("list", "count", "latest"):
        return None
    rest = set(terms(question.topic)) - set(terms(match[1]))
    return match[1].strip() if question.topic and not rest else None


def _how_many(asked: str) -> int:
    if _SINGULAR.search(asked):
        return 1
    if match := _ASKED_COUNT.search(asked):
        word = (match[1] or match[2]).lower()
        return max(1, min(SHOWN, _NUMBERS.get(word) or int(word)))
    return 5


def _listed(question: Question, papers: Sequence[Paper], total: int, everything: int) -> Draft:
    heading = _headline(question, papers, total, everything)
    lines = [
        f"- “{paper.title}” ({_day(paper.published) if paper.published else 'no date'}) [{n}]"
        for n, paper in enumerate(papers, 1)
    ]
    if question.intent == "count" and total > len(papers):
        heading += f" The newest {len(papers)}:"
    elif question.intent == "list" and total > len(papers):
        heading += f" The first {len(papers)}, newest first:"
    markers = tuple(range(1, len(papers) + 1))
    counted = Sentence(heading, markers, 1.0, True, "counted in the library's records")
    listed = tuple(Sentence(line, (n,), 1.0, True, "from the listing's record") for n, line in enumerate(lines, 1))
    citations = tuple(_citation(n, paper) for n, paper in enumerate(papers, 1))
    text = "\n".join((heading, *lines))
    return Draft(text, "answered", "Answered from the library's records.", (counted, *listed), citations)


def _headline(question: Question, papers: Sequence[Paper], total: int, everything: int) -> str:
    described = _described(question)
    if question.intent in ("latest", "oldest"):
        kind = "newest" if question.intent == "latest" else "oldest"
        what = f"The {kind} paper" if len(papers) == 1 else f"The {len(papers)} {kind} papers"
        return f"{what}{' ' + described if described else ' in the library'}:"
    noun = "paper" if total == 1 else "papers"
    if not described:
        return f"The library holds {total} {noun}."
    verb = "is" if total == 1 else "are"
    return f"{total} of the {everything} papers in the library {verb} {described}."


def _described(question: Question) -> str:
    """The filters and topic in words: "published from 2023-01-01 to 2023-12-31, about “quantization”"."""
    filters, parts = question.filters, []
    first, last = filters.published_from, filters.published_to
    if first and last:
        whole = first.year == last.year and (first.month, first.day, last.month, last.day) == (1, 1, 12, 31)
        parts.append(
            f"published in {first.year}" if whole else f"published from {first.isoformat()} to {last.isoformat()}"
        )
    elif first or last:
        parts.append(
            f"published since {first.isoformat()}" if first else f"published up to {last.isoformat() if last else ''}"
        )
    if filters.organisation:
        parts.append(f"listed under {filters.organisation}")
    if filters.min_authors is not None or filters.max_authors is not None:
        parts.append(_authors_described(filters.min_authors, filters.max_authors))
    if question.topic:
        parts.append(f"mentioning “{question.topic}”")
    return ", ".join(parts)


def _authors_described(low: int | None, high: int | None) -> str:
    if low == high:
        return f"by {low} author{'s' if low != 1 else ''}"
    return f"by at least {low} authors" if high is None else f"by at most {high} authors"


def _citation(n: int, paper: Paper) -> Citation:
    """The record is the evidence; the abstract's first sentence shows which paper it is."""
    first = next(iter(sentences(paper.abstract)), None)
    return Citation(n, paper, first.text if first else "", first.start if first else 0, first.end if first else 0, 1.0)


def _day(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"
