"""Which papers are about the same, and by which words that is told.

Words are weighed topic against topic, as in "BERTopic: Neural topic modeling with a class-based TF-IDF procedure"
(Grootendorst, 2022), but counted in papers rather than in mentions, for a word that one paper repeats says nothing
of its topic; a title counts as much as an abstract.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.atlas.projection import SEED, Indices
from rag.models.interfaces import Vector
from rag.terms import content_words, terms

MOST_TOPICS = 8  # as many colours as stay apart for every kind of colour vision
WORDS = 5  # words a topic
COMMON = 2.4  # a word in as many papers as so many topics have (titles count beside abstracts) tells none apart
OF_TOPIC = 0.08  # a word in fewer of the topic's papers than this speaks for a few of them only
PAIR = 2.0  # a pair of words says more than a word, and is always rarer
FEW = 4  # in topics of fewer papers a word of one paper will do
ALTERNATIVES = 60  # words looked at for one topic
TRIES = 4  # starts of k-means, of which the best counts

Count = NDArray[np.float64]

# What papers of every field say of themselves; as terms of `rag.terms`, so that all their forms are meant.
_EVERYWHERE = frozenset(
    term
    for word in (
        "model models method approach framework paper work study technique novel new propose introduce present "
        "demonstrate achieve improve outperform result performance experiment evaluation evaluate benchmark baseline "
        "state art sota significant significantly existing previous recent recently however task tasks dataset data "
        "training train trained based show enable challenge challenging address effective effectively efficient high "
        "higher low lower better best large larger small first second third two three one various different several "
        "across provide leverage approach remain additionally furthermore moreover extensive comprehensive code "
        "release available publicly open github project page https http www com strong key critical potential "
        "important simple general despite while further without within allow require lead reveal focus aim find "
        "finding analysis investigate explore develop design capability ability wide range single multiple full "
        "learning learn quality generate generation system process apply application problem solution number set "
        "time step level type form well highly rather thus often can crucial advance progress gap limit limited "
        "limitation compare comparison increase reduce reduction significantly gain ai neural network deep machine "
        "consider relevant cost mean natural language llm llms correct enhance faster accuracy empirical"
    ).split()
    for term in terms(word)
)
_LETTERS = re.compile(r"[^\W\d_]{2}")
_TOGETHER = re.compile(r"[\s-]+(of[\s-]+)?")


def group(vectors: Vector, chosen: Indices) -> Indices:
    """The topic (n,) of unit vectors (n, dim), found among the `chosen`; the largest topic is 0."""
    if not len(vectors):
        return np.zeros(0, dtype=np.intp)
    from sklearn.cluster import KMeans

    known = vectors[chosen]
    distinct = len(np.unique(known.round(5), axis=0))
    k = min(max(round(len(vectors) ** 0.5 / 2), 1), MOST_TOPICS, distinct)
    found: Indices = KMeans(k, n_init=TRIES, random_state=SEED).fit(known).predict(vectors).astype(np.intp)
    sizes = np.bincount(found, minlength=k)
    rank = np.empty(k, dtype=np.intp)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(k)
    return rank[found]


def telling_words(texts: Sequence[tuple[str, str]], topics: Indices, n_topics: int) -> list[tuple[str, ...]]:
    """For each topic, the words and pairs of words that tell it from the others, best first.

    Args:
        texts: title and abstract of each paper; `topics` (n,) are theirs.
    """
    if not texts:
        return [()] * n_topics
    from sklearn.feature_extraction.text import CountVectorizer

    written: dict[str, Counter[str]] = defaultdict(Counter)
    cut = [[*_candidates(title, written), *_candidates(abstract, written)] for title, abstract in texts]
    if not any(cut):
        return [()] * n_topics
    papers = CountVectorizer(analyzer=cut.__getitem__, dtype=np.float64)
    counts = papers.fit_transform(range(len(texts)))
    names = papers.get_feature_names_out()
    weights, shares = _class_weights(counts, topics, n_topics)
    weights *= np.where([" " in name for name in names], PAIR, 1.0)
    common = np.asarray(counts.mean(axis=0)).ravel() > COMMON / n_topics
    words = []
    for topic in range(n_topics):
        size = int((topics == topic).sum())
        floor = max(OF_TOPIC, 1.5 / size) if size >= FEW else 0.0
        usable = np.where((shares[topic] >= floor) & ~common, weights[topic], 0.0)
        best = np.argsort(-usable, kind="stable")[:ALTERNATIVES]
        words.append(_different([str(names[i]) for i in best if usable[i] > 0], written))
    return words


def _candidates(text: str, written: dict[str, Counter[str]]) -> set[str]:
    """The terms and pairs of neighbouring terms of a text; how each is written is counted in `written`."""
    found = set()
    words = content_words(text)
    for i, (start, end, term) in enumerate(words):
        if not _telling(term):
            continue
        spans = [(term, start, end)]
        if i + 1 < len(words):
            after, last, second = words[i + 1]
            if _telling(second) and second != term and _TOGETHER.fullmatch(text[end:after]):
                spans.append((f"{term} {second}", start, last))
        for candidate, first, past in spans:
            found.add(candidate)
            written[candidate][" ".join(text[first:past].split())] += 1
    return found


def _telling(term: str) -> bool:
    return term not in _EVERYWHERE and _LETTERS.search(term) is not None


def _class_weights(counts: Any, topics: Indices, n_topics: int) -> tuple[Count, Count]:
    """How telling each term is of each topic (topics, terms), and the share of the topic's papers that have it.

    The share, times the logarithm of how much larger it is than among all papers.
    """
    members = np.eye(n_topics)[topics]  # (papers, topics)
    share = (counts.T @ members).T / np.maximum(members.sum(axis=0)[:, None], 1.0)
    everywhere = np.asarray(counts.mean(axis=0))
    told = np.log(np.maximum(share, 1e-12) / everywhere) if n_topics > 1 else 1.0
    return share * told, share


def _different(candidates: Sequence[str], written: dict[str, Counter[str]]) -> tuple[str, ...]:
    """The first few candidates of which none repeats another's word, as they are mostly written."""
    chosen: list[str] = []
    used: set[str] = set()
    for candidate in candidates:
        if used.isdisjoint(candidate.split()):
            chosen.append(_as_written(written[candidate]))
            used |= set(candidate.split())
        if len(chosen) == WORDS:
            break
    return tuple(chosen)


def _as_written(forms: Counter[str]) -> str:
    """The commonest form; in lower case unless that is how the word is: `RAG` and `LoRA`, but not `Retrieval`."""
    letters: Counter[str] = Counter()
    for form, count in forms.items():
        letters[form.lower()] += count
    common = min(letters, key=lambda one: (-letters[one], one))
    form = min((one for one in forms if one.lower() == common), key=lambda one: (-forms[one], one))
    return form if any(letter.isupper() for word in re.split(r"[\s-]", form) for letter in word[1:]) else common
