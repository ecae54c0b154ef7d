"""Questions about several papers: what is asked of each, and one ranking in which each side has its place.

A search with a whole question finds the papers that its sides share words with, and the other side's only far
behind. One more search for each side, with what the sides have in common before it, finds both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rag.answer.kinds import shape_of
from rag.answer.question import Question
from rag.answer.retrieve import RankedPaper, Retrieval
from rag.chunking import sentences
from rag.terms import content_words

MOST = 3  # sub-questions by rules: each is one more search
FIRST = 5  # papers among which the best of each side is

_AND = r"(?:and|but|while|whereas|or)"
_BORDER = rf"(?:[,;:]\s+(?:{_AND}\s+)?|\s(?:-+|–|—)\s+|\s{_AND}\s+)"
_PIECE = r"[^,;:.?!]{3,80}?"  # of one clause

_ONE = re.compile(r"\b(?:one|the first)\b(?!-|\s+(?:of|or|another)\b)", re.I)
_OF_PAPERS = re.compile(
    r"\b(?:papers?|works?|study|studies|articles?|approach(?:es)?|methods?)\b|\bthe\s+other\b", re.I
)
_ANOTHER = re.compile(
    rf"{_BORDER}(?=(?:one|another|the\s+other|(?:the|a)\s+(?:second|third)|the\s+latter)\b(?!\s+(?:of|or)\b))", re.I
)
_ASKS = r"(?:how|what|why|which|when|where|who)\b"
_FIRST_ASKED = re.compile(rf"(?:^|(?<=[,;:]\s)){_ASKS}", re.I)
_THEN_ASKED = re.compile(rf"{_BORDER}(?={_ASKS})", re.I)
# "..., and what do they use?" asks more of the same papers.
_OF_THE_SAME = re.compile(
    r"\b(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would)\s+"
    r"(?:it|they|its|their|this|that|these|those|each|both|he|she|i|we|you)\b",
    re.I,
)
# Of few words and no preposition: "the dense diffusion one", but not "the facets into one"; "the first one" may be an
# author.
_THE = r"the\s+(?!first\b|last\b|best\b)"
_WORD = r"(?!(?:in|into|on|of|to|by|for|with|at|as|from|and|or)\b)[\w/-]+\s+"
_WORK = r"(?:paper|work|study|article|approach|method)\b"
_ANOTHER_ONE = re.compile(rf"\b{_THE}(?:{_WORD}){{0,4}}?one\b", re.I)
# "the approach" alone is the one that was spoken of.
_ANOTHER_PAPER = re.compile(
    rf"\bthe\s+other\b|\b{_THE}(?:(?:{_WORD}){{1,4}}?{_WORK}|{_WORK}\s+(?:on|about|for|with|from|by|using|that|which)\b)",
    re.I,
)
_PARALLEL = re.compile(
    rf"\b(?P<first>(?P<word>in|for|about|on|by|with|from|of|to|at|as)\s+{_PIECE}),?\s+(?:and|or|versus|vs\.?|against)\s+"
    r"(?P<second>(?P=word)\s+[^,;:.?!]{3,})",
    re.I,
)
_THE_ONE = re.compile(
    rf"\b(?P<first>{_THE}(?:{_WORD}){{0,4}}?(?:one\b|{_WORK}){_PIECE})\s+and\s+"
    rf"(?P<second>{_THE}(?:{_WORD}){{0,4}}?(?:one|other)\b.*)",
    re.I,
)


def sides(text: str) -> tuple[str, ...]:
    """A sub-question for each side of `text`, in its own words: what stands before the sides, then the side.

    At most `MOST`; none where the question has one side, asks for several things of the same papers, or only lists
    names ("how do X and Y ..."), which are found as it is. `text` must be clean, as a question understood is.
    """
    several = shape_of(text, "content") != "single"
    before = ""
    for sentence in sentences(text):
        for rule in _RULES:
            head, found = rule(sentence.text, several)
            asked = dict.fromkeys(" ".join(f"{before} {head} {side}".split()).strip(" ,;:") for side in found)
            if len(asked) > 1 and all(content_words(side) for side in found):
                return tuple(asked)[:MOST]
        before = f"{before} {sentence.text}"
    return ()


_Sides = tuple[str, Sequence[str]]  # what stands before them, and each
_Rule = Callable[[str, bool], _Sides]  # of a sentence, and whether the question speaks of several papers


def _one_and_another(sentence: str, several: bool) -> _Sides:
    """Two papers, one for X and one for Y."""
    first = _ONE.search(sentence) if _OF_PAPERS.search(sentence) else None
    return _cut(sentence, first.start(), list(_ANOTHER.finditer(sentence, first.end()))) if first else ("", ())


def _asked_in_turn(sentence: str, several: bool) -> _Sides:
    """How does the X one do it, and how the Y one? The further ones must ask about other papers."""
    first = _FIRST_ASKED.search(sentence)
    if not first:
        return "", ()
    borders = list(_THEN_ASKED.finditer(sentence, first.end()))
    ends = [*(border.start() for border in borders), len(sentence)]
    # Of one model "the large one" is a size; where something stands before that both have in common, it is another.
    others = (_ANOTHER_PAPER, _ANOTHER_ONE) if first.start() else (_ANOTHER_PAPER,)
    kept = []
    for border, end in zip(borders, ends[1:], strict=True):
        asked = sentence[border.end() : end]
        of_another = several or any(pattern.search(asked) for pattern in others)
        if content_words(asked) and not _OF_THE_SAME.search(asked) and of_another:
            kept.append(border)
    return _cut(sentence, first.start(), kept)


def _cut(sentence: str, start: int, borders: Sequence[re.Match[str]]) -> _Sides:
    starts = [start, *(border.end() for border in borders)]
    ends = [*(border.start() for border in borders), len(sentence)]
    return sentence[:start], [sentence[a:b] for a, b in zip(starts, ends, strict=True)]


def _side_by_side(sentence: str, several: bool) -> _Sides:
    """About X and about Y; the work on X and the one on Y. Of one paper, "on GLUE and on MTEB" are two results."""
    for pattern in (_PARALLEL, _THE_ONE) if several else ():
        if match := pattern.search(sentence):
            return sentence[: match.start()], (match["first"], match["second"])
    return "", ()


_RULES: tuple[_Rule, ...] = (_one_and_another, _side_by_side, _asked_in_turn)


def sides_of(question: Question) -> tuple[str, ...]:
    """The sides of what is asked in the question's own words; none of one about a known paper, or about the list."""
    return sides(question.own) if has_room(question) else ()


def has_room(question: Question) -> bool:
    """Whether several papers can be asked about: not in a follow-up about one, nor where a topic is missing."""
    return not question.subject and bool(question.topic) and question.intent in ("content", "list")


def together(whole: Retrieval, parts: Sequence[Retrieval]) -> Retrieval:
    """One ranking: each paper has the best of its scores for the whole question and for its parts.

    The first of each of up to four parts is among the first five papers. What a paper has by its part beyond
    its score for the whole question is `side` in its scores; all else there is said of the whole question, but for
    the cosine of a paper that only a part found.
    """
    best = {ranked.paper.paper_id: ranked for ranked in whole.papers}
    for ranked in (ranked for part in parts for ranked in part.papers):
        known = best.get(ranked.paper.paper_id)
        if known is None:
            own = {name: value for name, value in ranked.scores.items() if name == "dense"}  # by which it is near
            best[ranked.paper.paper_id] = replace(ranked, scores={**own, "side": ranked.score, "score": ranked.score})
        elif ranked.score > known.score:
            best[ranked.paper.paper_id] = _lifted(known, ranked.score)
    firsts = {part.papers[0].paper.paper_id for part in parts if part.papers}
    papers = _brought_forward(sorted(best.values(), key=_order), firsts)
    in_order = tuple(replace(ranked, rank=rank) for rank, ranked in enumerate(papers, 1))
    return replace(whole, papers=in_order, sides=tuple(part.query_used for part in parts))


def _brought_forward(papers: Sequence[RankedPaper], firsts: Collection[str]) -> list[RankedPaper]:
    """The papers, with those of `firsts` that would rank behind the first five lifted to just within them."""
    wanted = [ranked for ranked in papers if ranked.paper.paper_id in firsts][:FIRST]
    others = [ranked for ranked in papers if all(ranked is not one for one in wanted)]
    room = FIRST - len(wanted)
    least = max((ranked.score for ranked in others[room:]), default=0.0)
    lifted = [_lifted(ranked, max(ranked.score, least)) for ranked in wanted]
    return [*sorted([*lifted, *others[:room]], key=_order), *others[room:]]


def _lifted(ranked: RankedPaper, score: float) -> RankedPaper:
    if score == ranked.score:
        return ranked
    side = ranked.scores.get("side", 0.0) + score - ranked.score
    return replace(ranked, score=score, scores={**ranked.scores, "side": side, "score": score})


def _order(ranked: RankedPaper) -> tuple[float, str]:
    return -ranked.score, ranked.paper.paper_id
