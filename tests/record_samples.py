"""The same two papers in every format of records, by hand after the formats' documentation.

`BETWEEN` has the two with a bad record between them, which must not take them with it. `BROKEN` has
nothing but records that cannot be taken as papers.
"""

from __future__ import annotations

import html
import json
import re

FIRST_TITLE = "Attention by Sorting: A Study of Ünïcode"
SECOND_TITLE = "Small Models That Refuse"
FIRST_ABSTRACT = "We sort 3,000 keys and gain 11.1% on the first benchmark (p < 0.05)."
FIRST_AUTHORS = ("Jörg Müller", "OpenAI", "Jan van der Berg")
SECOND_ABSTRACT = "It refuses 22.2% of what it cannot answer."

BIBTEX = r"""% exported by hand
@string{conf = "Proc. of Sorting"}
@article{mueller2023,
  title = {Attention by {Sorting}: A Study of {\"U}n{\"\i}code},
  author = {M{\"u}ller, J{\"o}rg and {OpenAI} and van der Berg, Jan},
  abstract = {We sort 3,000 keys and gain 11.1\% on the first benchmark (p < 0.05).},
  journal = {arXiv preprint arXiv:2309.12345v2}, year = 2023, month = sep, day = 21,
  doi = {10.48550/arXiv.2309.12345}, url = {https://arxiv.org/abs/2309.12345}
}
@@BAD@@
@inproceedings{doe2024,
  title = "Small Models That Refuse", author = "Jane Doe and others", booktitle = conf # ", 2024",
  abstract = "It refuses 22.2\% of what it cannot answer.", date = {2024-02}, doi = "https://doi.org/10.1000/ABC_1",
}
"""
RIS = """TY  - JOUR
TI  - Attention by Sorting: A Study of Ünïcode
AU  - Müller, Jörg
AU  - OpenAI
AU  - van der Berg, Jan
AB  - We sort 3,000 keys and gain 11.1%
on the first benchmark (p < 0.05).
PY  - 2023
DA  - 2023/09/21/
DO  - 10.48550/arXiv.2309.12345
UR  - https://arxiv.org/abs/2309.12345
ER  -

@@BAD@@TY  - CONF
T1  - Small Models That Refuse
A1  - Doe, Jane
N2  - It refuses 22.2% of what it cannot answer.
Y1  - 2024/02//
DO  - 10.1000/ABC_1
ER  -
"""
CSV = """Title,Abstract,Authors,Date,arXiv ID,DOI
Attention by Sorting: A Study of Ünïcode,"We sort 3,000 keys and gain 11.1% on the first benchmark (p < 0.05).",\
"Müller, Jörg; OpenAI; van der Berg, Jan",2023-09-21,2309.12345v2,10.48550/arXiv.2309.12345
@@BAD@@Small Models That Refuse,It refuses 22.2% of what it cannot answer.,"Doe, Jane",2024-02,,10.1000/ABC_1
"""
ZOTERO_CSV = """\ufeff"Key","Item Type","Publication Year","Author","Title","DOI","Url","Abstract Note","Date","Extra"
"AB12","preprint","2023","Müller, Jörg; OpenAI; van der Berg, Jan","Attention by Sorting: A Study of Ünïcode",\
"10.48550/arXiv.2309.12345","https://arxiv.org/abs/2309.12345",\
"We sort 3,000 keys and gain 11.1% on the first benchmark (p < 0.05).","2023-09-21","arXiv:2309.12345 [cs]"
@@BAD@@"CD34","conferencePaper","2024","Doe, Jane","Small Models That Refuse","10.1000/ABC_1","",\
"It refuses 22.2% of what it cannot answer.","2024-02",""
"""
ZOTERO_RDF = """<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:z="http://www.zotero.org/namespaces/export#"
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:bib="http://purl.org/net/biblio#"
 xmlns:foaf="http://xmlns.com/foaf/0.1/" xmlns:dc="http://purl.org/dc/elements/1.1/">
  <bib:Article rdf:about="http://arxiv.org/abs/2309.12345">
    <z:itemType>preprint</z:itemType>
    <bib:authors><rdf:Seq>
      <rdf:li><foaf:Person><foaf:surname>Müller</foaf:surname><foaf:givenName>Jörg</foaf:givenName></foaf:Person></rdf:li>
      <rdf:li><foaf:Person><foaf:surname>OpenAI</foaf:surname></foaf:Person></rdf:li>
      <rdf:li><foaf:Person>
        <foaf:surname>van der Berg</foaf:surname><foaf:givenName>Jan</foaf:givenName>
      </foaf:Person></rdf:li>
    </rdf:Seq></bib:authors>
    <dcterms:abstract>We sort 3,000 keys and gain 11.1% on the first benchmark (p &lt; 0.05).</dcterms:abstract>
    <dc:date>2023-09-21</dc:date>
    <dc:identifier><dcterms:URI><rdf:value>http://arxiv.org/abs/2309.12345</rdf:value></dcterms:URI></dc:identifier>
    <dc:identifier>DOI 10.48550/arXiv.2309.12345</dc:identifier>
    <dc:title>Attention by Sorting: A Study of Ünïcode</dc:title>
  </bib:Article>
  <z:Attachment rdf:about="#item_3"><z:itemType>attachment</z:itemType><dc:title>Full Text PDF</dc:title></z:Attachment>
  @@BAD@@
  <bib:Article rdf:about="#item_2">
    <z:itemType>conferencePaper</z:itemType>
    <bib:authors><rdf:Seq>
      <rdf:li><foaf:Person><foaf:surname>Doe</foaf:surname><foaf:givenName>Jane</foaf:givenName></foaf:Person></rdf:li>
    </rdf:Seq></bib:authors>
    <dcterms:abstract>It refuses 22.2% of what it cannot answer.</dcterms:abstract>
    <dc:date>2024-02</dc:date>
    <dc:identifier>DOI 10.1000/ABC_1</dc:identifier>
    <dc:title>Small Models That Refuse</dc:title>
  </bib:Article>
</rdf:RDF>
"""


def _index(text: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, word in enumerate(text.split()):
        found.setdefault(word, []).append(place)
    return found


ARXIV_DOI, SECOND_DOI = "10.48550/arXiv.2309.12345", "10.1000/ABC_1"
CSL = [
    {
        "id": "1", "type": "article", "title": FIRST_TITLE,
        "abstract": "<jats:p>" + html.escape(FIRST_ABSTRACT) + "</jats:p>",
        "author": [
            {"family": "Müller", "given": "Jörg"}, {"literal": "OpenAI"}, {"family": "van der Berg", "given": "Jan"},
        ],
        "issued": {"date-parts": [["2023", 9, 21]]}, "number": "arXiv:2309.12345", "DOI": ARXIV_DOI,
        "URL": "https://arxiv.org/abs/2309.12345",
    },
    {
        "id": "2", "type": "paper-conference", "title": SECOND_TITLE, "abstract": SECOND_ABSTRACT,
        "author": [{"family": "Doe", "given": "Jane"}], "issued": {"date-parts": [[2024, 2]]}, "DOI": SECOND_DOI,
    },
]  # fmt: skip
SEMANTIC_SCHOLAR = [
    {
        "paperId": "a" * 40, "externalIds": {"ArXiv": "2309.12345", "DOI": ARXIV_DOI, "CorpusId": 1},
        "url": "https://www.semanticscholar.org/paper/" + "a" * 40, "title": FIRST_TITLE, "abstract": FIRST_ABSTRACT,
        "year": 2023, "publicationDate": "2023-09-21", "citationCount": 7,
        "authors": [{"authorId": "1", "name": "Jörg Müller"}, {"name": "OpenAI"}, {"name": "Jan van der Berg"}],
    },
    {
        "paperId": "b" * 40, "externalIds": {"DOI": SECOND_DOI}, "title": SECOND_TITLE, "abstract": SECOND_ABSTRACT,
        "year": 2024, "publicationDate": "2024-02-01", "authors": [{"name": "Jane Doe"}],
    },
]  # fmt: skip
OPENALEX = [
    {
        "id": "https://openalex.org/W1", "doi": "https://doi.org/" + ARXIV_DOI.lower(), "title": FIRST_TITLE,
        "display_name": FIRST_TITLE, "publication_date": "2023-09-21", "publication_year": 2023,
        "authorships": [{"author": {"display_name": name}} for name in FIRST_AUTHORS],
        "primary_location": {"landing_page_url": "https://arxiv.org/abs/2309.12345", "pdf_url": None},
        "abstract_inverted_index": _index(FIRST_ABSTRACT),
    },
    {
        "id": "https://openalex.org/W2", "doi": "https://doi.org/" + SECOND_DOI.lower(), "title": SECOND_TITLE,
        "publication_date": "2024-02-01", "authorships": [{"raw_author_name": "Jane Doe", "author": {}}],
        "primary_location": None, "abstract_inverted_index": _index(SECOND_ABSTRACT),
    },
]  # fmt: skip
HF = [
    {
        "paper": {
            "id": "2309.12345", "title": "Attention by Sorting:\n A Study of Ünïcode", "summary": FIRST_ABSTRACT,
            "authors": [{"_id": "1", "name": name, "hidden": False} for name in FIRST_AUTHORS],
            "publishedAt": "2023-09-21T17:00:00.000Z", "submittedOnDailyAt": "2023-09-25T00:00:00.000Z", "upvotes": 42,
        },
        "publishedAt": "2023-09-24T22:00:00.000Z", "title": FIRST_TITLE, "numComments": 3, "thumbnail": "https://x",
        "submittedBy": {"fullname": "Ada", "name": "ada"}, "organization": {"name": "kyutai", "fullname": "Kyutai"},
    },
    {
        "paper": {
            "id": "2402.00001", "title": SECOND_TITLE, "summary": SECOND_ABSTRACT, "authors": [{"name": "Jane Doe"}],
            "publishedAt": "2024-02-01T00:00:00.000Z", "upvotes": 0,
        },
        "publishedAt": "2024-02-01T00:00:00.000Z", "title": SECOND_TITLE, "numComments": 0,
    },
]  # fmt: skip
PLAIN = [
    {
        "Title": FIRST_TITLE, "summary": FIRST_ABSTRACT, "authors": "Jörg Müller, OpenAI Inc and Jan van der Berg",
        "year": 2023, "arxiv_id": "2309.12345", "doi": ARXIV_DOI, "venue": "ignored",
    },
    {"Title": SECOND_TITLE, "summary": SECOND_ABSTRACT, "authors": ["Jane Doe"], "year": 2024, "doi": SECOND_DOI},
]  # fmt: skip
BAD_JSON = '{"title": "Broken" oops, "x": [1, 2}'


def page(listing: list[object]) -> str:
    """The Daily Papers page of a listing, as a browser saves it."""
    props = html.escape(json.dumps({"periodType": "day", "dateString": "2023-09-25", "dailyPapers": listing}))
    return (
        "<!DOCTYPE html><html><head><title>Daily Papers - Hugging Face</title></head><body>\n<main>\n"
        f'<div class="SVELTE_HYDRATER contents" data-props="{props}" data-target="DailyPapers"></div>\n'
        "</main></body></html>"
    )


def array(records: list[object], bad: str = "", *, indent: int | None = None) -> str:
    """Two records as a JSON array, with something between them."""
    one, two = (json.dumps(record, ensure_ascii=False, indent=indent) for record in records)
    if indent:
        pad = "\n" + " " * indent
        return f"[{pad}" + f",{pad}".join(part.replace("\n", pad) for part in (one, bad, two) if part) + "\n]"
    return "[" + ", ".join(part for part in (one, bad, two) if part) + "]"


def lines(records: list[object], bad: str = "") -> str:
    """Two records on a line each, with something between them."""
    one, two = (json.dumps(record) for record in records)
    return "\n".join(part for part in (one, bad, two) if part) + "\n"


def _with(sample: str, bad: str = "") -> str:
    return sample.replace("@@BAD@@", bad)


SAMPLES: dict[str, tuple[str, str]] = {
    "bibtex": ("refs.bib", _with(BIBTEX)),
    "ris": ("refs.ris", _with(RIS)),
    "csv": ("papers.csv", _with(CSV)),
    "zotero csv": ("zotero.csv", _with(ZOTERO_CSV)),
    "zotero rdf": ("zotero.rdf", _with(ZOTERO_RDF)),
    "csl": ("zotero.json", array(CSL)),
    "semantic scholar": ("s2.json", json.dumps({"total": 2, "offset": 0, "data": SEMANTIC_SCHOLAR})),
    "semantic scholar bulk": ("s2.jsonl", lines(SEMANTIC_SCHOLAR)),
    "openalex": ("works.json", json.dumps({"meta": {"count": 2}, "results": OPENALEX, "group_by": []}, indent=1)),
    "hf api": ("daily.json", array(HF)),
    "hf html": ("Daily Papers.html", page(HF)),
    "json": ("papers.json", array(PLAIN, indent=2)),
    "jsonl": ("papers.jsonl", lines(PLAIN)),
}  # fmt: skip
BETWEEN: dict[str, tuple[str, str]] = {
    "bibtex": ("refs.bib", _with(BIBTEX, "@article{bad, title = {Never closed,\n year = 2020\n")),
    "ris": ("refs.ris", _with(RIS, "TY  - JOUR\nAU  - Nobody\nXX\nER  -\n")),
    "csv": ("papers.csv", _with(CSV, 'Broken,"never closed,Doe,2020,,\n')),
    "zotero csv": ("zotero.csv", _with(ZOTERO_CSV, '"EF56","preprint","2020","No "title","\n')),
    "zotero rdf": ("zotero.rdf", _with(ZOTERO_RDF, "<bib:Article><dc:date>2020</dc:date></bib:Article>")),
    "csl": ("zotero.json", array(CSL, BAD_JSON, indent=2)),
    "semantic scholar": ("s2.json", '{"data": ' + array(SEMANTIC_SCHOLAR, "null") + "}"),
    "semantic scholar bulk": ("s2.jsonl", lines(SEMANTIC_SCHOLAR, BAD_JSON)),
    "openalex": ("works.json", '{"results": ' + array(OPENALEX, BAD_JSON.replace("title", "id")) + "}"),
    "hf api": ("daily.json", array(HF, '{"paper": {"id": "2309.9"}}')),
    "hf html": ("Daily Papers.html", page([HF[0], {"paper": 7}, HF[1]])),
    "json": ("papers.json", array(PLAIN, '["not a record"]')),
    "jsonl": ("papers.jsonl", lines(PLAIN, BAD_JSON)),
}
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/api/x</id>
<entry><id>http://arxiv.org/abs/2405.00001v1</id><title> </title><summary>Nothing names it.</summary></entry>
</feed>
"""
NAMELESS = '{"id": 1, "abstract": "Nothing names it.", "year": 2020}'
BROKEN: dict[str, tuple[str, str]] = {
    "bibtex": ("refs.bib", "@article{bad, author = {Nobody}, year = 2020}\n"),
    "bibtex unclosed": ("open.bib", "@article{bad, title = {Never closed,\n year = 2020\n"),
    "ris": ("refs.ris", "TY  - JOUR\nAU  - Nobody\nER  -\n"),
    "csv": ("papers.csv", CSV.split("\n", 1)[0] + '\nBroken,"never closed,Doe,2020,,\n,A text.,Doe,2020,,\n'),
    "zotero rdf": (
        "zotero.rdf",
        re.sub(r"<dc:title>.*?</dc:title>", "", _with(ZOTERO_RDF)),
    ),
    "atom": ("feed.xml", FEED),
    "json": ("papers.json", f"[{NAMELESS}, 7, {BAD_JSON}]"),
    "jsonl": ("papers.jsonl", f"{NAMELESS}\n{BAD_JSON}\n"),
    "hf api": ("daily.json", '[{"paper": {"id": "2309.9"}}]'),
    "listing": ("page.txt", "Daily Papers\n\nbyAK and the research community\n\n  • 3 authors\n·\nDec 1\n"),
}
