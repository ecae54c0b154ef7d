"""Whether a page can be made a tree in some seconds: looked at before that is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag.errors import SourceError
from rag.readers.source import Raw

MAX_BYTES = 20_000_000
MAX_MARKS = 1_000_000  # "<" in its source; scripts have some too
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 2000  # of one element: a tree takes time by their square
LESS = "Save the article alone."


def check_size(raw: Raw) -> None:
    """Look at a page's bytes.

    Raises:
        SourceError: it is too large, or has too many tags.
    """
    if len(raw.data) > MAX_BYTES:
        raise SourceError(f"{raw.name} has {len(raw.data):,} bytes; of a page at most {MAX_BYTES:,} are read.", LESS)
    if (marks := raw.data.count(b"<")) > MAX_MARKS:
        raise SourceError(f"{raw.name} has {marks:,} tags; of a page at most {MAX_MARKS:,} are read.", LESS)


def check_elements(data: bytes, name: str) -> int:
    """How many elements a page in UTF-8 has, by the same parser but without a tree.

    Raises:
        SourceError: it has too many, or one of them too many attributes.
        LxmlError: it is nothing that can be parsed.
    """
    from lxml.etree import HTMLParser, fromstring

    # lxml takes any object with these methods, which its types do not say.
    parser: Any = HTMLParser(encoding="utf-8", no_network=True, target=_Counter(name))
    return int(fromstring(data, parser=parser))


class _Counter:
    def __init__(self, name: str) -> None:
        self._name, self._elements = name, 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise SourceError(f"{self._name} has over {MAX_ELEMENTS:,} elements.", LESS)
        if len(attributes) > MAX_ATTRIBUTES:
            raise SourceError(f"{self._name} has over {MAX_ATTRIBUTES:,} attributes in one element.", LESS)

    def end(self, tag: str) -> None:
        """Nothing; lxml asks for it."""

    def close(self) -> int:
        return self._elements
