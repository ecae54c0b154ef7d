"""Questions that the library's records answer, not similarity: counts, lists, latest, dates, author counts."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from datetime import date

from rag.answer.answer import Citation, Outcome, Sentence
from rag.answer.attributes import fields_asked, never_listed
from rag.answer.authors import headline, identified_by, papers_by, written_by
from rag.answer.draft import Draft, refusal
from rag.answer.gather import Evidence, PaperEvidence
from rag.answer.question import Question
from rag.chunking import sentences
from rag.library.library import Library
from rag.papers import Filters, Paper
from rag.terms import terms

SHOWN = 10  # papers in an answer that lists papers
COUNTED = 5  # papers shown beside a count
IDENTIFIED = 0.62  # coverage of the words that name a paper from which it counts as found
AS_WELL = 0.1  # coverage of these words by which a paper may be behind the best and yet be meant, where it ranks first
# Notes of sentences that no passage has to support.
FROM_RECORD, FROM_COUNT = "from the listing's record", "counted in the library's records"
_MENTION_POOL = 5000
_RECORD_WORDS = frozenset(
    term
    for word in (
        "publish published publication release released date day month year author authors listing list number "
        "wrote write written arxiv doi isbn id identifier "
        "organisation organization "
        "company lab group team institution institute come out appear appeared old recent exact exactly many "
        "titled entitled behind people signed person paper"
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
        if papers := papers_by(stranger, question.filters, library):
            return _list(headline(stranger, papers, library.count(Filters())), papers[:SHOWN])
        known = ", ".join(library.organisations()) or "none"
        only = f"Few listings give author names, and here only these organisations: {known}."
        return refusal(f"No paper is listed under “{stranger}”. {only}")
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
        return _none(question)
    return _listed(question, papers[:SHOWN], total, library.count(Filters()))


def from_record(question: Question, evidence: Evidence) -> Draft | None:
    """Answer "when was X published", "how many authors", "which organisation" from X's own record."""
    fields = (*fields_asked(question.asked), *_RECORDED.get(never_listed(question.asked) or "", ()))
    if not fields or not evidence.papers or question.shape == "compare":
        return None
    lead = _lead(question, evidence)
    if lead is None:
        return None
    known = [text for name in fields if (text := _FIELD_TEXTS[name](lead.paper))]
    unknown = [_FIELD_NAMES[name] for name in fields if not _FIELD_TEXTS[name](lead.paper)]
    if not known and not fields_asked(question.asked):
        return None  # that no listing gives it is said elsewhere
    if not known:
        return refusal(f"The listing shows no {' and no '.join(unknown)} for “{lead.paper.title}”.")
    text = f"“{lead.paper.title}” {' and '.join(known)} [1]."
    reason = f"The listing shows no {' and no '.join(unknown)}." if unknown else ""
    sentence = Sentence(text, (1,), 1.0, True, FROM_RECORD)
    outcome: Outcome = "partial" if unknown else "answered"
    why = reason or "Answered from the paper's record in the listing."
    return Draft(f"{text} {reason}".strip(), outcome, why, (sentence,), (_citation(1, lead.paper),))


def _lead(question: Question, evidence: Evidence) -> PaperEvidence | None:
    """The paper whose record is asked for: the one a follow-up refers to, or the best named; None if none is."""
    if question.subject and not question.elsewhere:
        referred = [paper for paper in evidence.papers if paper.paper.title == question.subject]
        if referred:
            return referred[0]
    found = {id(paper): _identifies(question, evidence, paper) for paper in evidence.papers}
    best = max(found.values())
    lead = next(paper for paper in evidence.papers if found[id(paper)] >= best - AS_WELL)  # the first in rank order
    return lead if found[id(lead)] >= IDENTIFIED else None


def _published(paper: Paper) -> str | None:
    if not paper.published:
        return None
    note = " (the listing prints no year; it was inferred from the page)" if paper.year_inferred else ""
    return f"was published {'on' if paper.date_of == 'day' else 'in'} {paper.dated_in_words}{note}"


def _authors(paper: Paper) -> str | None:
    return None if paper.n_authors is None else f"lists {paper.n_authors} {_authors_noun(paper.n_authors)}"


def _organisation(paper: Paper) -> str | None:
    return f"is listed under the organisation {paper.organisation}" if paper.organisation else None


_FIELD_TEXTS: dict[str, Callable[[Paper], str | None]] = {
    "published": _published,
    "n_authors": _authors,
    "organisation": _organisation,
    "author names": written_by,
    "identifiers": identified_by,
}
# Facts that few listings give -> the fields that have them.
_RECORDED = {"author names": ("author names",), "identifiers": ("identifiers",)}
_FIELD_NAMES = {"published": "publication date", "n_authors": "number of authors", "organisation": "organisation"}
_FIELD_NAMES |= {name: name for name in _RECORDED}


def _identifies(question: Question, evidence: Evidence, paper: PaperEvidence) -> float:
    """How well a paper's text covers the question's own words that name it, those of the record left out."""
    named = [
        (word.weight, float(match))
        for word, match in zip(evidence.words, paper.matches, strict=True)
        if word.term not in _RECORD_WORDS and word.start < question.focus
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
    papers = papers[:COUNTED] if question.intent == "count" else papers
    if total > len(papers) and question.intent in ("count", "list"):
        heading += " The newest is:" if len(papers) == 1 else f" The {len(papers)} newest:"
    return _list(heading, papers)


def _list(heading: str, papers: Sequence[Paper]) -> Draft:
    """A heading that counts, and a line for each paper shown."""
    lines = [f"- “{paper.title}” ({paper.dated_in_words or 'no date'}) [{n}]" for n, paper in enumerate(papers, 1)]
    markers = tuple(range(1, len(papers) + 1))
    counted = Sentence(heading, markers, 1.0, True, FROM_COUNT)
    listed = tuple(Sentence(line, (n,), 1.0, True, FROM_RECORD) for n, line in enumerate(lines, 1))
    citations = tuple(_citation(n, paper) for n, paper in enumerate(papers, 1))
    text = "\n".join((heading, *lines))
    return Draft(text, "answered", "Answered from the library's records.", (counted, *listed), citations)


def _headline(question: Question, papers: Sequence[Paper], total: int, everything: int) -> str:
    described = _described(question)
    if question.intent in ("latest", "oldest"):
        kind = "newest" if question.intent == "latest" else "oldest"
        what = f"The {kind} paper" if len(papers) == 1 else f"The {len(papers)} {kind} papers"
        return f"{what} {described or 'in the library'}:"
    noun = "paper" if total == 1 else "papers"
    if not described:
        return f"The library holds {total} {noun}."
    return f"The library holds {total} {noun} {described} (of {everything} in all)."


def _none(question: Question) -> Draft:
    """A refusal that needs no words before it: to "how many", this is the answer."""
    described = _described(question)
    reason = f"The library holds no paper {described}." if described else "The library holds no such paper."
    return Draft(reason, "refused", reason)


def _described(question: Question) -> str:
    """The filters and topic as they follow "papers": "with 9 authors published in 2023 and mentioning “noise”"."""
    filters, parts = question.filters, []
    authors = _authors_described(filters.min_authors, filters.max_authors)
    if period := _period_described(filters.published_from, filters.published_to):
        parts.append(period)
    if filters.organisation:
        parts.append(f"listed under {filters.organisation}")
    if filters.paper_ids is not None:
        parts.append("among those chosen")
    if question.topic:
        parts.append(f"mentioning “{question.topic}”")
    return " ".join(filter(None, (authors, " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))))))


def _period_described(first: date | None, last: date | None) -> str:
    if first and last:
        if first == last:
            return f"published on {_day(first)}"
        if first.day == 1 and last == _end_of_month(last):
            if (first.year, first.month) == (last.year, last.month):
                return f"published in {first:%B} {first.year}"
            if (first.month, last.month) == (1, 12):
                return "published " + (
                    f"in {first.year}" if first.year == last.year else f"from {first.year} to {last.year}"
                )
        return f"published from {_day(first)} to {_day(last)}"
    if first:
        return f"published since {first.year if (first.month, first.day) == (1, 1) else _day(first)}"
    if last:
        return f"published up to {f'the end of {last.year}' if (last.month, last.day) == (12, 31) else _day(last)}"
    return ""


def _end_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _authors_described(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return ""
    if low is not None and high is not None:
        return f"with {low} {_authors_noun(low)}" if low == high else f"with {low} to {high} authors"
    bound, words = (low, "at least") if low is not None else (high or 0, "at most")
    return f"with {words} {bound} {_authors_noun(bound)}"


def _authors_noun(n: int) -> str:
    return "author" if n == 1 else "authors"


def _citation(n: int, paper: Paper) -> Citation:
    """The record is the evidence; the abstract's first sentence shows which paper it is."""
    first = next(iter(sentences(paper.abstract)), None)
    return Citation(n, paper, first.text if first else "", first.start if first else 0, first.end if first else 0, 1.0)


def _day(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"
