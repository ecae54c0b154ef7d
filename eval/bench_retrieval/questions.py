"""Question sets with their history, asked of the configured library: is a gold paper first, are all in the first five.

A question is understood once, as `paperchat retrieve` does it; every system then searches the same text and filters.
"""

from __future__ import annotations

from collections.abc import Sequence

from eval.bench_retrieval.asking import Query, asked
from eval.bench_retrieval.collection import Bench, Measured
from eval.bench_retrieval.figures import summarised
from eval.bench_retrieval.systems import Ranking, systems
from eval.questions import GoldQuestion, question_set
from rag.answer.pipeline import Paperchat
from rag.answer.retrieve import Retrieval
from rag.errors import SourceError
from rag.papers import normalised_title

ALL_AT = 5
MAIN, EVERY = "hit@1", f"all_gold@{ALL_AT}"


def measure_questions(bench: Bench, engine: Paperchat, questions: str, name: str) -> Measured:
    """The figures of every system on the answerable questions that name gold papers.

    Raises:
        SourceError: the file is missing or malformed, or no question names a gold paper.
        LibraryEmptyError: there is nothing in the library.
    """
    every = question_set(questions)
    golden = {one.qid: one for one in every if one.answerable and one.gold_titles}
    if not golden:
        raise SourceError(f"No question of {questions} names a gold paper.", "Give questions with gold_titles.")
    named = systems(engine.library, bench.embedder, bench.reranker, _titles)
    bench.tell(f"{name}: {len(golden)} questions to {len(named)} systems ...")
    queries = {qid: _understood(engine, one) for qid, one in golden.items()}
    with bench.bar(f"{name}: asking") as progress:
        found = asked(named, queries, progress)
    values = {system: _values(golden, one.rankings) for system, one in found.items()}
    figures = {
        "name": name,
        "questions": questions,
        "n": len(golden),
        "n_all_gold": len(next(iter(values.values()))[EVERY]),
        "n_papers": engine.library.count(),
        "systems": summarised(values, found, MAIN),
    }
    return Measured(figures, {})


def _understood(engine: Paperchat, asked: GoldQuestion) -> Query:
    found = engine.retrieve(asked.question, asked.history, k=1)
    return Query(found.query_used, found.filters)


def _titles(found: Retrieval) -> Ranking:
    return [(normalised_title(ranked.paper.title), ranked.score) for ranked in found.papers]


def _values(golden: dict[str, GoldQuestion], rankings: dict[str, Ranking]) -> dict[str, dict[str, float]]:
    """Questions with more gold papers than there are places are not asked for all of them."""
    gold = {qid: {normalised_title(title) for title in one.gold_titles} for qid, one in golden.items()}
    first = {qid: float(bool(gold[qid] & _first(ranking, 1))) for qid, ranking in rankings.items()}
    few = {qid: ranking for qid, ranking in rankings.items() if len(gold[qid]) <= ALL_AT}
    every = {qid: float(gold[qid] <= _first(ranking, ALL_AT)) for qid, ranking in few.items()}
    return {MAIN: first, EVERY: every}


def _first(ranking: Sequence[tuple[str, float]], places: int) -> set[str]:
    return {title for title, _ in ranking[:places]}
