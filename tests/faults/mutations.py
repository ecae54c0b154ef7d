"""Ways to spoil a valid file: strategies for hypothesis that know where its parts begin, so that damage goes deep."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from faults.documents import unzipped, zipped

PLACES = re.compile(rb"[\n,:;{}\[\]<>\"'()=|#*/-]|\b\w")
LONG = 8_000
KINDS = ["cut", "double", "swap", "insert", "replace", "end"]
NASTY = [
    *(b"", b"\0", b"\n", b"\r\n\r\n", b"\t", b'"', b"'", b"{", b"}", b"[[[[", b"]]]]", b"<", b">", b"</", b";", b","),
    *(b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;", b"<script>alert(1)</script>", b"<![CDATA["),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
        b"\xf3\xa0\x81\x81",
        b"\x1b[31m",
        b"\xc2\x9b",
        b"\x1b[",
    ),
    *(b"-1", b"0", b"1e999", b"NaN", b"-Infinity", b"99999999999999999999", b"null", b"true", b"0000-00-00"),
    *(b"9999-99-99", b"2308.99999v99", b"10.1000/", b"../../etc/passwd", b"%s%n", b"&#x0;", b"&lol9;"),
    *(b"@", b"@comment{", b"@string{x = y}", b"\\", b"\\\\\\", b"$", b"\\input{x}", b"TY  - ", b"ER  - ", b"AB  - "),
    *(b"---", b"===", b"```", b"# ", b"> > > ", b"endobj", b"endstream", b"stream\n", b"1 0 R", b"<< ", b" >>"),
    *(b"\xc2\x9b", b"\x1b[", b"/Kids", b"/Length 999999999", b"/Filter /FlateDecode", b"%%EOF"),
    *(one * LONG for one in (b"a", b"(", b"[", b"{", b"\\", b"<a>", b" ", b"\n", b"*_", b"\xcc\x81", b"- ", b"and ")),
    *(one * LONG for one in (b'"a",', b"9", b"&amp;", b"1 0 R ", b"A. ", b"- \n")),
]


@st.composite
def spoilt(draw: st.DrawFn, data: bytes, other: bytes = b"") -> bytes:
    """`data` after a few cuts, doublings, swaps and insertions, mostly where a part of it begins."""
    payloads = st.one_of(st.sampled_from(NASTY), st.binary(max_size=12), st.sampled_from([other, data]))
    for _ in range(draw(st.integers(1, 5))):
        kind, start = draw(st.sampled_from(KINDS)), draw(st.integers(0, len(data)))
        if draw(st.integers(0, 3)):
            found = PLACES.search(data, start)
            start = found.start() if found else start
        end = len(data) if kind == "end" else min(len(data), start + draw(st.sampled_from([1, 2, 8, 40, 300])))
        data = _edited(data, kind, start, end, draw(payloads) if kind in ("insert", "replace") else b"")
    return data


def _edited(data: bytes, kind: str, start: int, end: int, payload: bytes) -> bytes:
    before, part, after = data[:start], data[start:end], data[end:]
    made = {
        "cut": before + after,
        "end": before,
        "double": before + part + part + after,
        "swap": after[: len(part)] + before + part + after[len(part) :],
        "insert": before + payload + part + after,
        "replace": before + payload + after,
    }
    return made[kind]


WORDS = st.one_of(
    st.sampled_from([one.decode("utf-8", "replace") for one in NASTY]),
    st.text(st.characters(exclude_categories=[]), max_size=30),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def spoilt_value(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with some of what is in it left out, exchanged or doubled; sometimes another value altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from(_paths(value) or [()]))
        if not at:
            return draw(VALUES)
        inside = value
        for key in at[:-1]:
            inside = inside[key]
        _change(inside, at[-1], draw(st.sampled_from(["drop", "exchange", "wrap", "double"])), draw(VALUES))
    return value


def _change(inside: Any, key: Any, how: str, other: Any) -> None:
    if how == "drop":
        del inside[key]
    elif how == "wrap":
        inside[key] = [inside[key]]
    elif how == "double" and isinstance(inside, dict):
        inside[f"{key}2"] = inside[key]
    else:
        inside[key] = other


def _paths(value: Any) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in children for path in ((key,), *((key, *rest) for rest in _paths(child)))]


@st.composite
def spoilt_archive(draw: st.DrawFn, data: bytes) -> bytes:
    """A ZIP archive, one of whose members is spoilt, missing or doubled; sometimes the archive itself."""
    if draw(st.integers(0, 3)) == 0:
        return draw(spoilt(data))
    members = unzipped(data)
    name = draw(st.sampled_from(sorted(members)))
    how = draw(st.sampled_from(["spoil", "spoil", "spoil", "drop", "move"]))
    if how == "spoil":
        members[name] = draw(spoilt(members[name]))
    else:
        part = members.pop(name)
        if how == "move":
            members["../" + name] = part
    return zipped(members)
