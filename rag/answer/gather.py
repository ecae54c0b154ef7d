"""The evidence for a question: the best papers' sentences, and how each covers the question's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

from rag.answer.alignment import Idf, Word, coverage, telling_words, word_matches
from rag.answer.evidence import EvidenceSentence, evidence_sentences
from rag.answer.names import spelled_out
from rag.answer.question import Question
from rag.answer.ranking.resembling import SHORTEST, meant
from rag.answer.retrieve import RankedPaper, Retrieval
from rag.library.library import Library
from rag.models.interfaces import Vector
from rag.papers import Paper, Passage
from rag.terms import terms

MISSPELT = 85  # rapidfuzz ratio from which an unknown word is a known one misspelt


@dataclass(frozen=True, slots=True)
class PaperEvidence:
    """One paper's sentences; `matches` (n_words,) is how the whole paper covers each word,
    `sentence_matches` (n_sentences, n_words) how each sentence does."""

    ranked: RankedPaper
    sentences: tuple[EvidenceSentence, ...]
    matches: Vector
    sentence_matches: Vector
    passages: tuple[Passage, ...] = ()  # that the sentences are of

    @property
    def paper(self) -> Paper:
        """The paper itself."""
        return self.ranked.paper

    @property
    def text(self) -> str:
        """Title, abstract and what was found of the full text, where a name may be mentioned."""
        return _text(self.paper, self.passages)

    @property
    def read(self) -> str:
        """What was read of the paper, as the beginning of a sentence that denies something of it."""
        title = f"“{self.paper.title}”"
        if any(passage.in_body for passage in self.passages):
            return f"The abstract of {title} and the nearest passages of its full text do"
        return f"The abstract of {title} does"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The question's telling words and the papers' evidence for them, papers in rank order."""

    words: tuple[Word, ...]
    papers: tuple[PaperEvidence, ...]

    def coverage(self, paper: PaperEvidence) -> float:
        """How much of the question the paper covers, in [0, 1]."""
        return coverage(self.words, paper.matches)


def gather(question: Question, retrieval: Retrieval, papers: Sequence[RankedPaper], library: Library) -> Evidence:
    """Read the papers' sentences and align each with the question's words."""
    idf = Idf(library.document_frequencies, library.n_documents)
    words = tuple(
        telling_words(question.query, retrieval.encoded, idf, focus=question.focus, inherited=question.inherited)
    )
    abstracts = library.passages([ranked.paper.paper_id for ranked in papers], in_body=False)
    passages = {r.paper.paper_id: (*abstracts.get(r.paper.paper_id, ()), *r.in_body) for r in papers}
    stored = library.encoded([p.passage_id for group in passages.values() for p in group])
    found = []
    for ranked in papers:
        own = passages[ranked.paper.paper_id]
        sentences = evidence_sentences(ranked.paper, own, stored)
        text = _text(ranked.paper, own)
        known = _corrected(words, text) | _in_title(words, ranked.paper)
        title = frozenset(terms(ranked.paper.title))
        by_sentence = [_match(words, retrieval, known, s.terms | _acronyms(words, s.text), s.tokens) for s in sentences]
        whole = title.union(_acronyms(words, text), *(s.terms for s in sentences))
        tokens = np.concatenate(
            [stored[p.passage_id].tokens for p in own if p.passage_id in stored] or [np.zeros((0, 0), np.float32)]
        )
        matrix = np.array(by_sentence, dtype=np.float32).reshape(len(sentences), len(words))
        found.append(PaperEvidence(ranked, sentences, _match(words, retrieval, known, whole, tokens), matrix, own))
    return Evidence(words, tuple(found))


def _text(paper: Paper, passages: Sequence[Passage]) -> str:
    read = (passage.text for passage in passages if passage.in_body)
    return "\n".join((paper.title, paper.abstract, ", ".join(paper.authors), *read))


def _match(
    words: Sequence[Word], retrieval: Retrieval, known: dict[str, str], found: frozenset[str], tokens: Vector
) -> Vector:
    """Word matches, where a misspelt word counts as the word that was meant."""
    meant = found | {word for word, term in known.items() if term in found}
    return word_matches(words, retrieval.encoded.tokens, meant, tokens)


def _acronyms(words: Sequence[Word], text: str) -> frozenset[str]:
    """Terms of the question's acronyms ("LLMs") that the text spells out ("large language models")."""
    return frozenset(word.term for word in words if spelled_out(text, word.text))


def _corrected(words: Sequence[Word], text: str) -> dict[str, str]:
    """Unknown plain words of the question -> the text's term that they most likely misspell."""
    unknown = [word for word in words if word.unknown and word.text.islower() and len(word.text) >= 5]
    if not unknown:
        return {}
    vocabulary = set(re.findall(r"[a-z]{4,}", text.lower()))
    found = {}
    for word in unknown:
        best = process.extractOne(word.text, vocabulary, scorer=fuzz.ratio, score_cutoff=MISSPELT)
        if best and (cut := terms(best[0])):
            found[word.term] = cut[0]
    return found


def _in_title(words: Sequence[Word], paper: Paper) -> dict[str, str]:
    """Unknown words of the question, names too -> the term of the paper's title that they are but for a slip."""
    meant_by = {
        word.term: meant(word.text, paper.title) for word in words if word.unknown and len(word.text) >= SHORTEST
    }
    return {term: terms(other)[0] for term, other in meant_by.items() if terms(other)}
