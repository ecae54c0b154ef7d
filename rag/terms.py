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
_WORD = re.compile(TERM_PATTERN)
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


# Words that carry a question but not its subject.
_FUNCTION_WORDS = frozenset(
    term
    for word in (
        "what which how does do did done who whom whose when where why paper papers work works article study studies "
        "collection library here there any some one ones give given name tell me about according would could can "
        "should "
        "may might much many far i you we they he she it its them their you your us our want get got use used "
        "using have has had "
        "been being were am also too very really so than from up out into over under between both each other another "
        "exactly actually please say says said call called let somebody someone something anything thing things "
        "make made "
        "just still even more most less least own same such s t re ve ll"
    ).split()
    for term in terms(word)
)


def content_words(text: str) -> list[tuple[int, int, str]]:
    """The words of `text` that carry its subject: first and past-the-last character, and term."""
    found = ((m.start(), m.end(), terms(m[0])) for m in _WORD.finditer(text))
    return [(start, end, cut[0]) for start, end, cut in found if cut and cut[0] not in _FUNCTION_WORDS]
