"""One way to cut text into searchable terms, shared by word search and by grounding.

The analyzer is tantivy's, so the terms counted here are exactly the terms in the index.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

ANALYZER = "paperchat_en"
# Decimals stay whole ("69.32"), everything else splits at punctuation ("encoder-only").
TERM_PATTERN = r"\d+(?:[.,]\d+)+|\w+"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@lru_cache(maxsize=1)
def analyzer() -> TextAnalyzer:
    """Lower-cased, accent-folded, English stop words dropped, Snowball-stemmed."""
    return (
        TextAnalyzerBuilder(Tokenizer.regex(TERM_PATTERN))
        .filter(Filter.remove_long(60))
        .filter(Filter.lowercase())
        .filter(Filter.ascii_fold())
        .filter(Filter.stopword("english"))
        .filter(Filter.stemmer("english"))
        .build()
    )


@lru_cache(maxsize=20_000)
def terms(text: str) -> tuple[str, ...]:
    """The content terms of `text` in order, repeated terms included."""
    # A lone surrogate, which JSON can carry, is no text that tantivy takes.
    return tuple(analyzer().analyze(text.encode("utf-8", "replace").decode("utf-8")))
