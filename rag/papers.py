"""Papers, passages and the filters that select them: plain frozen data, no I/O."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Literal

MAX_SLUG = 80
DateOf = Literal["day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper as a source lists it.

    `abstract` is kept exactly as read; every offset in paperchat counts its characters.
    `published` is None when the source shows no date. `comments` is the small number beside
    a listing's date (most likely the count of comments, never shown as upvotes). `arxiv_id` has no
    version ("2309.12345"), `doi` no prefix and small letters ("10.1000/x"). `body_hash` names the
    full text, None where there is only the abstract. `from_document` says that title and abstract
    were found in a document's text; a record of the same paper knows them better. `date_of` says how
    much of `published` is known: of a month or year it is the first day.
    """

    paper_id: str
    title: str
    abstract: str
    published: date | None = None
    year_inferred: bool = False
    n_authors: int | None = None
    organisation: str | None = None
    comments: int | None = None
    authors: tuple[str, ...] = ()
    arxiv_id: str | None = None
    doi: str | None = None
    url: str | None = None
    upvotes: int | None = None
    body_hash: str | None = None
    from_document: bool = False
    date_of: DateOf = "day"

    @property
    def content_hash(self) -> str:
        """Hash of everything that search or an answer can show; equal hash, nothing to do."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "paper_id"}
        for name, nothing in LATER_FIELDS.items():  # which older libraries hashed without
            if fields[name] == nothing:
                del fields[name]
        return hashlib.sha256(repr(sorted(fields.items())).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def dated(self) -> str:
        """The date in ISO form as far as it is known: "2021-08-14", "2021-08", "2021"; empty without one."""
        if self.published is None:
            return ""
        return self.published.isoformat()[: {"day": 10, "month": 7, "year": 4}[self.date_of]]

    @property
    def dated_in_words(self) -> str:
        """The date as people write it, as far as it is known: "August 14, 2021", "August 2021", "2021"."""
        day = self.published
        if day is None:
            return ""
        if self.date_of == "day":
            return f"{day:%B} {day.day}, {day.year}"
        return f"{day:%B} {day.year}" if self.date_of == "month" else str(day.year)


LATER_FIELDS: dict[str, object] = {
    **dict.fromkeys(("arxiv_id", "doi", "url", "upvotes", "body_hash")),
    "authors": (),
    "from_document": False,
    "date_of": "day",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a full text, from `start` (characters) to the next part: its section's heading, its page."""

    start: int
    section: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The full text of a paper behind its abstract, in parts that follow each other without gap.

    The first part starts at 0; headings stand in `Part.section`, not in `text`. Pages count from 1.
    """

    text: str
    parts: tuple[Part, ...] = (Part(0),)

    @property
    def content_hash(self) -> str:
        """Hash of text and parts."""
        return hashlib.sha256(repr((self.text, self.parts)).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """Whole sentences of one abstract, or of the full text where `in_body`: `source[start:end] == text`, exactly.

    A passage of the full text lies within one section and begins on the page `page`; all of its sentences
    begin there too.
    """

    passage_id: str
    paper_id: str
    ordinal: int
    text: str
    start: int
    end: int
    in_body: bool = False
    section: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which papers may be searched; None means no limit. Dates are inclusive.

    A filter on a field keeps only the papers that show that field: an undated paper never
    passes a date filter.
    """

    published_from: date | None = None
    published_to: date | None = None
    organisation: str | None = None
    min_authors: int | None = None
    max_authors: int | None = None
    paper_ids: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def admits(self, paper: Paper) -> bool:
        """Whether `paper` passes; the oracle that both search arms are tested against."""
        if self.paper_ids is not None and paper.paper_id not in self.paper_ids:
            return False
        if self.organisation is not None and paper.organisation != self.organisation:
            return False
        if not _within(paper.published, self.published_from, self.published_to):
            return False
        return _within(paper.n_authors, self.min_authors, self.max_authors)

    def narrowed(self, other: Filters) -> Filters:
        """What passes both: `admits` is true of a paper where it is of both. Filters that exclude each other
        leave no paper, which `paper_ids=()` says."""
        both = Filters(
            published_from=_both(max, self.published_from, other.published_from),
            published_to=_both(min, self.published_to, other.published_to),
            organisation=other.organisation if self.organisation is None else self.organisation,
            min_authors=_both(max, self.min_authors, other.min_authors),
            max_authors=_both(min, self.max_authors, other.max_authors),
            paper_ids=_common(self.paper_ids, other.paper_ids),
        )
        possible = (
            other.organisation in (None, both.organisation)
            and _ordered(both.published_from, both.published_to)
            and _ordered(both.min_authors, both.max_authors)
        )
        return both if possible else replace(both, paper_ids=())

    def in_words(self) -> str:
        """The filters as people say them: "published in 2023, listed under Kyutai"; empty without any."""
        return ", ".join(self.parts_in_words().values())

    def parts_in_words(self) -> dict[str, str]:
        """The limits that are set, each in words, by a name for it: published, organisation, authors, paper_ids."""
        parts = {
            "published": _period_in_words(self.published_from, self.published_to),
            "organisation": f"listed under {self.organisation}" if self.organisation is not None else "",
            "authors": _authors_in_words(self.min_authors, self.max_authors),
            "paper_ids": _chosen_in_words(self.paper_ids),
        }
        return {name: words for name, words in parts.items() if words}

    def as_dict(self) -> dict[str, Any]:
        """The filters that are set, JSON-ready (dates as ISO text)."""
        return {
            key: value.isoformat() if isinstance(value, date) else list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if value is not None
        }


def _period_in_words(first: date | None, last: date | None) -> str:
    if first and first == last:
        return f"published on {first.isoformat()}"
    if first and last:
        if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31):
            return (
                f"published in {first.year}"
                if first.year == last.year
                else f"published from {first.year} to {last.year}"
            )
        return f"published from {first.isoformat()} to {last.isoformat()}"
    if first:
        return f"published since {first.isoformat()}"
    return f"published up to {last.isoformat()}" if last else ""


def _authors_in_words(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return ""
    if low == high:
        return f"by {low} author{'s' if low != 1 else ''}"
    if low is not None and high is not None:
        return f"by {low} to {high} authors"
    return f"by at least {low} authors" if low is not None else f"by at most {high} authors"


def _chosen_in_words(paper_ids: tuple[str, ...] | None) -> str:
    if paper_ids is None:
        return ""
    n = len(set(paper_ids))
    return f"among {n} chosen paper{'s' if n != 1 else ''}"


def _both(choose: Callable[..., Any], one: Any, other: Any) -> Any:
    """The stricter of two bounds, of which None is none."""
    known = [bound for bound in (one, other) if bound is not None]
    return choose(known) if known else None


def _common(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    allowed = set(other)
    return tuple(paper_id for paper_id in one if paper_id in allowed)


def _ordered(low: Any, high: Any) -> bool:
    return low is None or high is None or low <= high


def _within(value: Any, low: Any, high: Any) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def normalised_title(title: str) -> str:
    """Title for comparing: case, punctuation, accents and spacing folded away."""
    plain = title
    if not title.isascii():  # ASCII has nothing to decompose, and this is called for each paper many times
        plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", plain.lower()))


def paper_id_for(title: str, abstract: str | None = None) -> str:
    """A stable id from the title: a readable slug, with a hash where the slug alone is ambiguous.

    `abstract` is given only for a second, different paper of the same title; its hash then
    keeps the two apart.
    """
    normal = normalised_title(title)
    slug = normal.replace(" ", "-")[:MAX_SLUG].strip("-")
    if abstract is not None:
        return f"{slug}-{_short_hash(normal + chr(0) + abstract)}"
    return slug if slug and len(normal) <= MAX_SLUG else f"{slug}-{_short_hash(normal or title)}".lstrip("-")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


# The archives of the old ids: any other word before "/" and seven digits is not arXiv's.
ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga|"
    "funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph|"
    "q-alg|q-bio|q-fin|quant-ph|solv-int|stat|supr-con"
)
ARXIV_ID = re.compile(
    rf"(?<![\w.])(\d\d(?:0[1-9]|1[0-2])\.\d{{4,5}}|(?<!-)(?:{ARCHIVES})(?:\.[A-Z]{{2}})?/\d{{7}})(?:v\d+)?(?![\w])"
)
WHOLE_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi(?::\s?|\s))?(10\.\d{4,9}/\S+)", re.IGNORECASE)
DOI = re.compile(r"\b(10\.\d{4,9}/[^\s\"<>{}|\\^`]+)", re.IGNORECASE)


def arxiv_id_in(text: str) -> str | None:
    """The first arXiv id in some text or address, without its version; None without one."""
    found = ARXIV_ID.search(text)
    return found[1] if found else None


def whole_doi(text: str) -> str | None:
    """The DOI that a field or an address is as a whole, in small letters; nothing of it is cut ("...<693::AID...")."""
    found = WHOLE_DOI.fullmatch(text.strip())
    return found[1].lower() if found else None


def doi_in(text: str) -> str | None:
    """The first DOI in running text, in small letters, without the punctuation behind it. Of a field: `whole_doi`."""
    found = DOI.search(text)
    if found is None:
        return None
    doi = found[1].rstrip(".,;:]'\"")
    if doi.endswith(")") and doi.count("(") < doi.count(")"):  # the DOI stands in brackets
        doi = doi.rstrip(".,;:)")
    return doi.lower()


def with_body(paper: Paper, body: Body) -> Paper:
    """The same paper, known to have this full text."""
    return replace(paper, body_hash=body.content_hash)


def with_id(paper: Paper, paper_id: str) -> Paper:
    """The same paper under another id."""
    return replace(paper, paper_id=paper_id)
