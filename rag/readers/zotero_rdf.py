"""Reader of Zotero's RDF export: bibliographic resources in XML, without files and notes."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from rag.errors import SourceError
from rag.readers.records import Fields, Records
from rag.readers.source import Entry, Raw
from rag.readers.text import Problem, is_binary

if TYPE_CHECKING:
    from lxml.etree import _Element

NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "bib": "http://purl.org/net/biblio#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "z": "http://www.zotero.org/namespaces/export#",
}
BEGINNING = 3000  # characters in which the root stands
NO_PAPERS = {"attachment", "note", "webpage"}
BESIDE = {"Memo", "Journal", "Periodical", "Newspaper", "Series"}  # notes, and what papers stand in: nodes of their own


def recognises(raw: Raw) -> bool:
    """Whether it is XML whose root is RDF with Zotero's names."""
    return not is_binary(raw.data) and all(mark in raw.text[:BEGINNING] for mark in ("<rdf:RDF", NAMES["dc"]))


def read(raw: Raw, *, today: date, year: int | None = None) -> tuple[list[Entry], list[Problem]]:
    """The resources that are papers, in their order.

    Raises:
        SourceError: it is no XML, or declares entities of its own, as Zotero never does.
    """
    from lxml.etree import XMLParser, XMLSyntaxError, fromstring

    if "<!ENTITY" in raw.text:
        raise SourceError(f"{raw.name} declares XML entities of its own.", "Take them out: they are never followed.")
    parser = XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", raw.text)
    try:
        root = fromstring(text.encode("utf-8"), parser=parser)
    except XMLSyntaxError as error:
        raise SourceError(f"{raw.name} is no valid RDF: {error}.", "Export it again.") from error
    records = Records(today)
    if parser.error_log:
        records.odd.lose(parser.error_log[0].line, "this is no valid XML: what could be read was kept")
    for resource in root if root is not None else ():
        if _may_be_paper(resource):
            records.add(resource.sourceline or 1, _fields(resource))
    return records.result(raw.problems)


def _may_be_paper(resource: _Element) -> bool:
    if not isinstance(resource.tag, str):  # a comment
        return False
    namespace, _, name = resource.tag.removeprefix("{").partition("}")
    return namespace == NAMES["bib"] and name not in BESIDE and _first(resource, "z:itemType") not in NO_PAPERS


def _fields(resource: _Element) -> Fields:
    ids = [text for element in resource.findall("dc:identifier", NAMES) for text in map(str, element.itertext())]
    people = [
        {"given": _first(person, "foaf:givenName"), "family": _first(person, "foaf:surname")}
        for person in resource.findall("bib:authors//foaf:Person", NAMES)
    ]
    return Fields(
        title=_first(resource, "dc:title"),
        abstract=_first(resource, "dcterms:abstract"),
        authors=people,
        published=(_first(resource, "dc:date"),),
        arxiv=tuple(text for text in [*ids, _first(resource, "dc:description")] if text and "arxiv" in text.lower()),
        doi=next((text for text in ids if "10." in text and "doi" in text.lower()), None),
        url=next((text.strip() for text in ids if text.strip().startswith("http")), None),
    )


def _first(element: _Element, path: str) -> str | None:
    found = element.find(path, NAMES)
    return None if found is None else "".join(map(str, found.itertext()))
