"""An embedder that remembers: edits of one claim are scored against the same passages many times."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from rag.models.interfaces import Embedder, Encoded

_SIZE = 2000  # texts kept, about 100 MB


class Recent:
    """Keeps the encodings of the texts it saw last; what it returns is the embedder's own."""

    def __init__(self, embedder: Embedder, size: int = _SIZE) -> None:
        self._embedder = embedder
        self._size = size
        self._known: OrderedDict[tuple[str, bool], Encoded] = OrderedDict()
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """As the embedder encodes them."""
        found = {text: self._known.pop((text, query)) for text in dict.fromkeys(texts) if (text, query) in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found |= dict(zip(new, self._embedder.encode(new, query=query), strict=True))
        for text, encoded in found.items():
            self._known[text, query] = encoded
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return [found[text] for text in texts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the embedder counts them."""
        return self._embedder.count_tokens(texts)
