"""Words of a question that no paper has, replaced by the word of the papers that they misspell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from rapidfuzz import process
from rapidfuzz.distance import OSA

from rag.answer.alignment import Idf
from rag.answer.question import Question
from rag.answer.ranking.resembling import LONG
from rag.models.interfaces import Embedder
from rag.terms import terms

SHORTEST = 4  # letters; shorter words have too many neighbours
SHORT, COMMON = 4, 5  # so short a word is only mended to one that the papers have this often
_PLAIN = re.compile(rf"(?<![\w-])[a-z]{{{SHORTEST},}}(?![\w-])")


class Speller:
    """Corrects plain lower-case words towards a vocabulary; names are left alone."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = Counter(word for text in texts for word in re.findall(r"[a-z]{4,}", text.lower()))
        self._by_initial: dict[str, list[str]] = {}
        self._common: dict[str, list[str]] = {}
        for word, count in words.most_common():
            self._by_initial.setdefault(word[0], []).append(word)
            if count >= COMMON:
                self._common.setdefault(word[0], []).append(word)

    def correct(self, text: str, known: Callable[[str], bool]) -> str:
        """`text` with each word that is not `known` replaced where one word of the vocabulary,
        with the same first letter, is a slip or two away; the most frequent such word."""

        def mend(match: re.Match[str]) -> str:
            word = match[0]
            if known(word):
                return word
            slips = 1 if len(word) < LONG else 2
            among = (self._common if len(word) <= SHORT else self._by_initial).get(word[0], [])
            near = process.extractOne(word, among, scorer=OSA.distance, score_cutoff=slips)
            return near[0] if near else word

        return _PLAIN.sub(mend, text)


def respelled(question: Question, speller: Speller, idf: Idf, embedder: Embedder) -> Question:
    """The question with its own words (not what it inherits) corrected for the search.

    A word that the papers have, or that is common enough to be one token of the embedder, is right.
    """
    own, inherited = question.query[: question.focus], question.query[question.focus :]

    def known(word: str) -> bool:
        cut = terms(word)
        return not cut or idf(cut[0])[1] > 0 or embedder.count_tokens([word])[0] == 1

    mended = speller.correct(own, known)
    return replace(question, query=mended + inherited, focus=len(mended)) if mended != own else question
