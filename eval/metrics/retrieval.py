"""Whether the gold papers, and passages that hold the gold sentences, were found, and how far up.

All figures come from ir_measures (trec_eval's definitions). nDCG is that of "Cumulated Gain-Based
Evaluation of IR Techniques" with the gain 2^relevance - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import ir_measures
from ir_measures import RR, R, Success, nDCG

from eval.formats.trec import TOP_GRADE, Qrels, Rankings
from eval.metrics.figures import Metric, Part
from eval.rows import Row
from rag.errors import SourceError
from rag.papers import normalised_title

Ranks = tuple[tuple[int, ...], ...]
"""For each rank the gold items (by number) that are found there and not above."""

_GAINS = {grade: 2**grade - 1 for grade in range(2, TOP_GRADE + 1)}
_NDCG = nDCG(gains=_GAINS) @ 10
MEASURES = {
    "hit@1": Success @ 1,
    "hit@5": Success @ 5,
    "recall@5": R @ 5,
    "recall@10": R @ 10,
    "mrr@10": RR @ 10,
    "ndcg@10": _NDCG,
}
_TITLES = {
    "hit@1": "A gold {} first",
    "hit@5": "A gold {} among the first 5",
    "recall@5": "Share of gold {}s among the first 5",
    "recall@10": "Share of gold {}s among the first 10",
    "mrr@10": "MRR@10 of gold {}s",
    "ndcg@10": "nDCG@10 of gold {}s",
}
_DEPTHS = {name: int(name.partition("@")[2]) for name in MEASURES}
_ALL_AT = 5


def score_run(qrels: Qrels, run: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Each of `MEASURES` for each query that has a relevant document; 0 where the run lacks the query.

    Documents are ordered by score, ties by descending id, as trec_eval does. Queries without a
    relevant document have no figure: `run_counts` counts them.

    Raises:
        SourceError: no query has a relevant document, or the run has none of these queries.
    """
    judged = {query: {d: max(0, r) for d, r in qrels[query].items()} for query in _relevant(qrels)}
    if not judged:
        raise SourceError("The judgements call no document relevant.", "Give other qrels.")
    ranked = {query: _strictly(run[query]) for query in judged if query in run}
    if not ranked:
        raise SourceError("The run has none of the judged queries.", "Check that run and qrels belong together.")
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(judged, 0.0) for name in MEASURES}
    names = {measure: name for name, measure in MEASURES.items()}
    for found in ir_measures.iter_calc(list(names), judged, ranked):
        values[names[found.measure]][found.query_id] = float(found.value)
    return values


def run_counts(qrels: Qrels, run: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """How many queries `score_run` scores, and what it leaves out or counts as 0."""
    relevant = _relevant(qrels)
    return {
        "queries": len(relevant),
        "without_relevant": len(qrels) - len(relevant),
        "missing_from_run": len(relevant - run.keys()),
        "unjudged": len(run.keys() - qrels.keys()),
    }


def run_of(rows: Iterable[Row]) -> Rankings:
    """The papers of each question with their scores, best first, for `eval.formats.trec.write_run`."""
    rankings: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        first = {paper.paper_id: paper.score for paper in reversed(row.retrieved)}
        rankings[row.gold.qid] = [(key, first[key]) for key in dict.fromkeys(p.paper_id for p in row.retrieved)]
    return rankings


def paper_ranks(row: Row) -> tuple[Ranks, int] | None:
    """At which ranks gold papers stand, and how many there are; None where the metrics do not apply.

    They apply to answerable questions with gold papers, unless the question failed before
    anything was searched. Ranks count all that was retrieved, whether or not it had room in the context.
    """
    gold = tuple(dict.fromkeys(normalised_title(title) for title in row.gold.gold_titles))
    if not gold or not _searched(row):
        return None
    titles = [normalised_title(paper.title) for paper in row.retrieved]
    return _ranks([[number for number, wanted in enumerate(gold) if wanted == title] for title in titles]), len(gold)


def passage_ranks(row: Row) -> tuple[Ranks, int] | None:
    """At which ranks passages hold gold sentences (white space apart), and how many sentences there are.

    None as for papers, and where nothing that was retrieved has a text (answers from records).
    """
    gold = tuple(dict.fromkeys(_spaced(sentence) for sentence in row.gold.gold_sentences))
    texts = [None if item.text is None else _spaced(item.text) for item in row.retrieved]
    if not gold or not _searched(row) or (texts and not any(texts)):
        return None
    held = [[number for number, wanted in enumerate(gold) if text and wanted in text] for text in texts]
    return _ranks(held), len(gold)


@lru_cache(maxsize=4096)
def rank_values(ranks: Ranks, n_gold: int) -> dict[str, float]:
    """`MEASURES` for one question, every gold item equally relevant.

    A passage can hold several gold sentences. Each is one relevant document, in following places;
    depth counts passages, so that recall@5 is the share of sentences held by the first five.
    """
    qrels = {"q": {str(item): 1 for item in range(n_gold)}}
    values = {}
    for name, measure in MEASURES.items():
        places: list[str] = []
        for rank, items in enumerate(ranks[: _DEPTHS[name]]):
            places += [str(item) for item in items] or [f"other {rank}"]
        # The cut above is the depth; R has no other use for its cut-off.
        deep = R @ max(1, len(places)) if name.startswith("recall") else measure
        found = ir_measures.iter_calc([deep], qrels, {"q": _places(places)} if places else {})
        values[name] = next((float(value.value) for value in found), 0.0)
    return values


def _part(ranks_of: Callable[[Row], tuple[Ranks, int] | None], name: str) -> Callable[[Row], Part | None]:
    def part(row: Row) -> Part | None:
        found = ranks_of(row)
        return None if found is None else Part(rank_values(*found)[name])

    return part


def _all_gold(row: Row) -> Part | None:
    """Whether all gold papers are among the first five; not asked where there are more than five."""
    found = paper_ranks(row)
    if found is None or found[1] > _ALL_AT:
        return None
    return Part(float(rank_values(*found)[f"recall@{_ALL_AT}"] == 1.0))


def _metrics() -> tuple[Metric, ...]:
    levels = [
        ("paper", "paper", "Retrieval: papers", paper_ranks),
        ("passage", "sentence", "Retrieval: passages", passage_ranks),
    ]
    found = [
        Metric(f"{level}_{name}", title.format(item), group, _part(ranks_of, name), binary=name.startswith("hit"))
        for level, item, group, ranks_of in levels
        for name, title in _TITLES.items()
    ]
    title = f"Every gold paper among the first {_ALL_AT}"
    every = Metric(f"paper_all_gold@{_ALL_AT}", title, found[0].group, _all_gold, binary=True)
    return (*found[:2], every, *found[2:])


RETRIEVAL_METRICS: tuple[Metric, ...] = _metrics()


def _searched(row: Row) -> bool:
    return row.gold.answerable and not (row.fault and not row.retrieved)


def _ranks(found: Sequence[Sequence[int]]) -> Ranks:
    seen: set[int] = set()
    ranks = []
    for items in found:
        ranks.append(tuple(item for item in items if item not in seen))
        seen.update(items)
    return tuple(ranks)


def _relevant(qrels: Qrels) -> set[str]:
    return {query for query, judged in qrels.items() if any(relevance > 0 for relevance in judged.values())}


def _strictly(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores without ties: the providers of ir_measures break them in different ways."""
    by_id = sorted(scores, reverse=True)
    return _places(sorted(by_id, key=lambda document: -scores[document]))


def _places(documents: Sequence[str]) -> dict[str, float]:
    return {document: float(len(documents) - place) for place, document in enumerate(documents)}


def _spaced(text: str) -> str:
    return " ".join(text.split())
