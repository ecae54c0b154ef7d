"""One small valid file of every format of records, and the way to put something else between two good ones."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TITLE_A, ABSTRACT_A = "Sparse Rankers at Work", "We introduce a ranker that reaches 41.7 nDCG@10 on one core."
TITLE_B, ABSTRACT_B = "Dense Robots Learn Speech", "We teach 12 robots to speak. They understand 88.1% of all orders."
GOOD = ((TITLE_A, ABSTRACT_A), (TITLE_B, ABSTRACT_B))


@dataclass(frozen=True, slots=True)
class Records:
    """A format of records. `element` is one of them as text, or for JSON as a value; `whole` makes a file of some.

    `garbage` says that anything may stand between two records, followed by this, without harm to them.
    """

    name: str
    file: str
    element: Callable[[str, str], Any]
    whole: Callable[[Sequence[Any]], str]
    json: bool = False
    garbage: str = ""

    def sample(self) -> bytes:
        """A file of two good records."""
        return self.whole([self.element(*one) for one in GOOD]).encode()

    def around(self, bad: Any) -> bytes:
        """The same file with something between the two."""
        first, last = (self.element(*one) for one in GOOD)
        return self.whole([first, bad, last]).encode("utf-8", "surrogatepass")


def _listing(title: str, abstract: str) -> str:
    return f"{title}\n\n{abstract}\n\n  • 3 authors\n·\nAug 30, 2023 2\n\n"


def _page(parts: Sequence[str]) -> str:
    return "Daily Papers\n\nbyAK\n\n" + "".join(parts)


def _bibtex(title: str, abstract: str) -> str:
    key = title.partition(" ")[0].lower()
    return (
        f"@article{{{key}2023,\n  title = {{{{{title}}}}},\n"
        f"  author = {{Ada Lovelace and Meyer, Jo}},\n"
        f"  abstract = {{{abstract.replace('%', chr(92) + '%')}}},\n  year = 2023,\n  month = aug,\n"
        f"  doi = {{10.1000/{key}}},\n  eprint = {{2308.01234}}\n}}\n\n"
    )


def _ris(title: str, abstract: str) -> str:
    fields = f"TI  - {title}\nAU  - Lovelace, Ada\nAB  - {abstract}\nPY  - 2023/08/30/\nDO  - 10.1000/x\n"
    return f"TY  - JOUR\n{fields}ER  - \n\n"


def _row(delimiter: str) -> Callable[[str, str], str]:
    def row(title: str, abstract: str) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerow(
            [title, abstract, "Ada Lovelace; Jo Meyer", "2023-08-30", "10.1000/x"]
        )
        return out.getvalue()

    return row


def _table(delimiter: str) -> Callable[[Sequence[str]], str]:
    head = delimiter.join(("Title", "Abstract", "Authors", "Date", "DOI")) + "\r\n"
    return lambda rows: head + "".join(rows)


def _object(title: str, abstract: str) -> dict[str, Any]:
    return {"title": title, "abstract": abstract, "authors": ["Ada Lovelace"], "year": 2023, "arxiv_id": "2308.01234"}


def _hub(title: str, abstract: str) -> dict[str, Any]:
    paper = {
        "id": "2308.01234", "title": title, "summary": abstract, "authors": [{"name": "Ada Lovelace", "hidden": False}],
        "publishedAt": "2023-08-30T00:00:00.000Z", "upvotes": 7, "discussionId": "64e",
    }  # fmt: skip
    return {"paper": paper, "publishedAt": "2023-08-31T00:00:00.000Z", "numComments": 2, "title": title}


def _scholar(title: str, abstract: str) -> dict[str, Any]:
    return {
        "paperId": "649def34f8be52c8b66281af98ae884c09aef38b", "corpusId": 2314124, "title": title,
        "abstract": abstract, "year": 2023, "publicationDate": "2023-08-30",
        "externalIds": {"ArXiv": "2308.01234", "DOI": "10.1000/x"},
        "authors": [{"authorId": "1", "name": "Ada Lovelace"}],
    }  # fmt: skip


def _openalex(title: str, abstract: str) -> dict[str, Any]:
    places: dict[str, list[int]] = {}
    for at, word in enumerate(abstract.split()):
        places.setdefault(word, []).append(at)
    return {
        "id": "https://openalex.org/W2741809807", "doi": "https://doi.org/10.1000/x", "title": title,
        "display_name": title, "publication_date": "2023-08-30", "publication_year": 2023,
        "authorships": [{"author": {"display_name": "Ada Lovelace"}}], "abstract_inverted_index": places,
    }  # fmt: skip


def _csl(title: str, abstract: str) -> dict[str, Any]:
    return {
        "id": title, "type": "article-journal", "title": title, "abstract": abstract, "DOI": "10.1000/x",
        "author": [{"family": "Lovelace", "given": "Ada"}], "issued": {"date-parts": [[2023, 8, 30]]},
    }  # fmt: skip


def _atom(title: str, abstract: str) -> str:
    return (
        f"<entry><id>http://arxiv.org/abs/2308.01234v1</id><published>2023-08-30T00:00:00Z</published>"
        f"<title>{html.escape(title)}</title><summary>{html.escape(abstract)}</summary>"
        f"<author><name>Ada Lovelace</name></author></entry>\n"
    )


def _feed(entries: Sequence[str]) -> str:
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>ArXiv Query</title>\n'
    )
    return head + "".join(entries) + "</feed>\n"


def _lines(values: Sequence[Any]) -> str:
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in values)


RECORDS = (
    Records(
        "daily papers listing",
        "page.txt",
        _listing,
        lambda parts: "Daily Papers\n\nbyAK\n\n" + "".join(parts),
        garbage="\n\n",
    ),
    Records("BibTeX", "refs.bib", _bibtex, "".join, garbage="\n\n"),
    Records("RIS", "refs.ris", _ris, "".join, garbage="\n\n"),
    Records("CSV", "papers.csv", _row(","), _table(",")),
    Records("TSV", "papers.tsv", _row("\t"), _table("\t")),
    Records("JSONL", "papers.jsonl", _object, _lines, garbage="\n"),
    Records("JSON", "papers.json", _object, json.dumps, json=True),
    Records("daily papers API", "day.json", _hub, json.dumps, json=True),
    Records("Semantic Scholar", "s2.json", _scholar, lambda found: json.dumps({"total": 2, "data": found}), json=True),
    Records("OpenAlex", "works.json", _openalex, lambda found: json.dumps({"meta": {}, "results": found}), json=True),
    Records("CSL JSON", "zotero.json", _csl, json.dumps, json=True),
    Records("arXiv Atom", "query.atom", _atom, _feed),
)
