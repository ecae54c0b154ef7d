"""Files of up to a megabyte made to hang, crash or flood a reader: depth, length, repetition, bombs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

from faults.documents import pdf, unzipped, word, zipped
from faults.formats import RECORDS

MEGABYTE = 1_000_000


def hostile() -> Iterator[tuple[str, str, bytes]]:
    """(what it is, file name, content)."""
    yield from _of_json()
    yield from _of_markup()
    yield from _of_text()
    yield from _of_records()
    yield from _of_documents()


def _times(text: str, size: int = MEGABYTE // 2) -> str:
    return text * (size // len(text.encode()))


def _of_json() -> Iterator[tuple[str, str, bytes]]:
    deep = "[" * (MEGABYTE // 2) + "]" * (MEGABYTE // 2)
    yield "lists in lists", "x.json", deep.encode()
    yield "a title of lists in lists", "x.json", f'[{{"title": {deep}, "abstract": "x"}}]'.encode()
    yield "objects in objects", "x.json", ('{"a":' * (MEGABYTE // 5)).encode()
    yield "a number of a million digits", "x.json", f'[{{"title": "A", "year": {"9" * MEGABYTE}}}]'.encode()
    yield "openings of records", "x.json", ("[" + _times('{"title": "A", ')).encode()
    yield "openings of strings", "x.json", ("[" + _times('{"')).encode()
    yield "half a record on each line", "x.jsonl", _times('{"title": "A", "abstract":\n').encode()
    huge = {"id": "https://openalex.org/W1", "title": "A", "abstract_inverted_index": {"a": [10**9], "b": [-5]}}
    yield "a word at the billionth place", "x.json", json.dumps({"results": [huge]}).encode()


def _of_markup() -> Iterator[tuple[str, str, bytes]]:
    yield "divisions in divisions", "x.html", ("<html><body>" + _times("<div>")).encode()
    yield "open paragraphs", "x.html", ("<html><body><article>" + _times("<p>A word ")).encode()
    yield "lists of open quotes", "x.html", ("<html><body>" + _times("<a href='")).encode()
    yield "a million ampersands", "x.html", ("<html><body><p>" + _times("&")).encode()
    yield "comments", "x.html", ("<html>" + _times("<!--")).encode()
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY l0 "lol">{entities}]>'
    feed = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>&l9;</title></entry></feed>'
    yield "a billion laughs", "x.xml", (laughs + feed).encode()
    members = unzipped(word())
    members["word/document.xml"] = laughs.encode() + members["word/document.xml"].replace(b"Sparse", b"&l9;")
    yield "a billion laughs in a Word file", "x.docx", zipped(members)


def _of_text() -> Iterator[tuple[str, str, bytes]]:
    for ending in ("txt", "md"):
        for part in (
            "a",
            "a ",
            "A\n\n",
            "[",
            "![",
            "*a_ ",
            "> ",
            "- ",
            "`",
            "#",
            "|a|b\n",
            "·\n",
            "A. ",
            "1 Introduction\n",
            "<a ",
        ):
            yield f"{part!r} again and again", f"x.{ending}", _times(part).encode()
    yield "front matter without end", "x.md", ("---\n" + _times("a: &a [*a, *a]\n")).encode()
    yield "accents on one letter", "x.txt", ("A title\n\n" + "e" + "\u0301" * (MEGABYTE // 2)).encode()
    yield "a listing of dots", "page.txt", ("Daily Papers\n\n" + _times("·\n\n")).encode()
    yield "a listing of footers", "page.txt", ("Daily Papers\n\n" + _times("  • 3 authors\n·\nAug 30\n\n")).encode()


def _of_records() -> Iterator[tuple[str, str, bytes]]:
    for part in (
        "@article{",
        "@article{a, title = {",
        "{",
        "}",
        '"',
        "@string{a = a # a}\n",
        "@comment",
        "title = {a},\n",
        "\\'{",
        "$",
    ):
        yield f"BibTeX: {part!r} again and again", "x.bib", ("@article{a, title={A},\n" + _times(part)).encode()
    yield "BibTeX: authors", "x.bib", ("@article{a, title={A}, author={" + _times("A and ") + "B}}").encode()
    for part in ("TY  - JOUR\n", "AB  - a\n", "ER  - \n", "AU  - \n", "a\n"):
        yield f"RIS: {part!r} again and again", "x.ris", ("TY  - JOUR\nTI  - A\n" + _times(part)).encode()
    for ending, mark in (("csv", ","), ("tsv", "\t")):
        yield (
            f"{ending}: a row of a million cells",
            f"x.{ending}",
            (f"title{mark}abstract\n" + _times(f"a{mark}")).encode(),
        )
        yield f"{ending}: quotes", f"x.{ending}", (f"title{mark}abstract\n" + _times('"')).encode()
        yield f"{ending}: heads", f"x.{ending}", (_times(f"title{mark}") + "\n" + _times(f"a{mark}")).encode()
    for form in RECORDS:
        element = form.element("A title of some words", "An abstract. It has two sentences.")
        size = len(element if isinstance(element, str) else json.dumps(element))
        yield f"{form.name}: many records", form.file, form.whole([element] * (MEGABYTE // size)).encode()


def _of_documents() -> Iterator[tuple[str, str, bytes]]:
    members = unzipped(word())
    bomb = members["word/document.xml"].replace(b"Sparse", b"a" * 300 * MEGABYTE)
    yield "a Word file of 300 MB in a few kilobytes", "x.docx", zipped(members | {"word/document.xml": bomb})
    yield "a Word file beside 300 MB", "x.docx", zipped(members | {"word/media/a.xml": b"a" * 300 * MEGABYTE})
    deep = members["word/document.xml"].replace(b"<w:tbl>", b"<w:tbl><w:tr><w:tc>" * 20_000)
    yield "tables in tables", "x.docx", zipped(members | {"word/document.xml": deep})
    good = pdf()
    yield "a page tree that bites its tail", "x.pdf", good.replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [2 0 R 2 0 R]")
    yield "a million pages announced", "x.pdf", good.replace(b"/Count 2", b"/Count 1000000")
    yield "one page a hundred thousand times", "x.pdf", good.replace(b"4 0 R 6 0 R", b"4 0 R " * 100_000)
    content = zlib.compress(b"BT /F1 9 Tf 72 700 Td (a) Tj ET\n" * 3_000_000)
    stream = b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    start = good.index(b"5 0 obj") + len(b"5 0 obj\n")
    yield "a page of 100 MB in a few kilobytes", "x.pdf", good[:start] + stream + good[good.index(b"\nendobj", start) :]
    yield "dictionaries in dictionaries", "x.pdf", good.replace(b"/Title (", b"/A " + b"<< /A " * 100_000 + b"/Title (")
    yield "strings in strings", "x.pdf", good.replace(b"/Title (", b"/Title " + b"(" * MEGABYTE)
    yield "objects without end", "x.pdf", b"%PDF-1.4\n" + b"1 0 obj\n<< " * 100_000
    yield "a cross-reference table of a billion", "x.pdf", good.replace(b"0 8", b"0 999999999", 1)
