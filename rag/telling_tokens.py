"""The tokens of a passage that are stored and compared with questions: those of words that carry a subject.

They are six of ten. The others, stop words, punctuation and marks of the model, are what no question asks for;
that many token vectors can go without harm is what "CRISP: Clustering Multi-Vector Representations for Denoising and
Pruning" found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rag.models.interfaces import Encoded
from rag.terms import content_words

FARTHEST = 65_534  # character of a passage up to which tokens are kept


def telling_tokens(text: str, encoded: Encoded) -> Encoded:
    """`encoded` with the tokens that end in content words of `text` alone; its `vector` is unchanged.

    Where they begin does not matter: some tokenizers count the space before a word as its first piece's.
    """
    words = np.array([(s, e) for s, e, _ in content_words(text) if e <= FARTHEST], dtype=np.int32).reshape(-1, 2)
    ends = encoded.spans[:, 1]
    word_of = np.searchsorted(words[:, 0], ends) - 1
    rows = np.flatnonzero(word_of >= 0)
    rows = rows[ends[rows] <= words[word_of[rows], 1]]
    return replace(encoded, tokens=encoded.tokens[rows], spans=encoded.spans[rows])
