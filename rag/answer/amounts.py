"""Which amount a question asks for, and whether a sentence states it: a count of something, or a measure.

A number beside other words is no answer: "How many layers ...?" wants a number of layers, and
"What accuracy ...?" a value, not by how much it rose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rag.numbers import stated_numbers
from rag.terms import TERM_PATTERN, terms

_ENDS = (
    r"(?=\s+(?:(?:in|of|on|to|by|for|per|with|from|at|among|across)\b(?!-)|"
    r"do|does|did|is|are|was|were|has|have|had|can|could|will|would|it|they|the|a|an|this|that|there|and|must|should)\b"
    r"|[?,.;:]|$)"
)
_CLAUSE = r"(?:^|[,.;:?]\s*|\b(?:and|or|so)\s+)(?:(?:on|in|by|to|with|at|from|for|across|over|of|about|using)\s+)*"
_COUNT = re.compile(
    _CLAUSE
    + r"how many\s+(?!(?:times|per|of|in|for|on|to|at|does|do|did|are|were|is)\b)(?P<noun>(?:[\w-]+\s+){0,4}?[\w-]+)"
    + _ENDS,
    re.I,
)
_METRICS = (
    r"accurac(?:y|ies)|score|recall(?:@\d+)?|pass@\d+|hits@\d+|f1|bleu|chrf\+*|rouge(?:-\w)?|wer|"
    r"word error rate|error rate|perplexity|ppl|(?-i:mAP|MAP|AP)|miou|iou|psnr|ssim|fid|auc|ndcg(?:@\d+)?|mrr(?:@\d+)?|"
    r"latency|throughput|speed-?up|share|fraction|percentage|number|ratio"
)
# Words with other meanings too: "What precision does it use?" asks for no score.
_MANIFOLD = (
    r"(?:precision|factor|weights)(?=\s+(?:of|on|at)\b|\s+(?:do|does|did)\b.{1,80}\b(?:reach|achiev|attain|obtain|report))|"
    r"(?<=\bby what )factor|(?<=\bis the )(?:precision|factor)"
)
_CHANGED = (
    r"(?:\s+(?:score|rate|factor|improvement|gain|increase|reduction|decrease|drop|loss|boost|saving|advantage)s?)?"
)
_SIZES = (
    r"size|rate|length|width|(?<!\bat what )depth|height|dimension(?:ality)?|resolution|threshold|temperature|"
    r"coefficient|capacity"
)
_VERB = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|must|may|might)\b"
_MEASURE = re.compile(
    r"\bwhat\s+(?:(?:is|are|was|were)\s+)?(?:(?:the|its|their)\s+)?"
    rf"(?P<noun>(?:(?!{_VERB})[\w@+.'’-]+\s+){{0,4}}?(?:(?:{_METRICS}){_CHANGED}|(?:{_SIZES})|{_MANIFOLD}))(?:{_ENDS}|(?=\s*\())",
    re.I,
)
_AMOUNT = re.compile(
    rf"{_CLAUSE}how (?:much|many)\b|\bby how\b|\bperce?a?nta?ge\b|\bhow (?:large|big|small) (?:is|are|was|were)\b", re.I
)
# Of these any value will do: what is measured is said elsewhere in the question.
_GENERIC = frozenset(
    term
    for word in "score share fraction percentage number ratio factor rate speedup speed overall average exact".split()
    for term in terms(word)
)
_ABSOLUTE = re.compile(
    r"\b(?:accurac|score|precision|recall|pass@|hits@|f1|bleu|chrf|rouge|wer\b|error rate|perplexity|miou|iou|psnr|"
    r"ssim|fid|auc|ndcg|mrr)",
    re.I,
)
_CHANGE = (
    r"\b(?:improv|increas|gain|reduc|decreas|drop|high|low|better|worse|faster|slower|fewer|less|more|smaller|larger|"
    r"speed|boost|sav|lift|rais|outperform|surpass|beat|exceed|above|below|over\b|relative|absolute|fraction|share|"
    r"percent|loss|lose|lost|ahead|advantage|margin|cheap|short)"
)
_RELATIVE = re.compile(
    r"(?<![\d.,])\d[\d.,]{0,15}\s*(?:\\?%|percent\w*|x|times|points?|pp)?\s*(?:\w{1,20}\s+){0,3}?(?:improv|increas|gain|reduc|decreas|drop|higher|lower|"
    r"better|worse|faster|slower|fewer|less\b|more\b|smaller|larger|speed|boost|saving|lift)|"
    r"\b(?:by|of)\s+(?:up\s+to\s+|about\s+|over\s+|approximately\s+)?[\d.]+\s*(?:\\?%|percent|points?|x\b|times)|[+±]\d",
    re.I,
)
# "Catnap 2.0", "Catnap 2", "Catnap 7B": part of a name.
_VERSION = re.compile(
    r"\b([A-Z][A-Za-z]{0,20}[a-z][A-Za-z]{0,20})[\s-](?:\d(?:\.\d)?(?:[\s-]\d+(?:\.\d+)?[BMK])?|\d+(?:\.\d+)?[BMK])\b(?!\s*(?:\\?%|x\b|times|points|percent))"
)
# Amounts without a number, or with the question's own ("all 10 of the 10 tasks").
_IN_WORDS = re.compile(
    r"\borders? of magnitude\b|\b(?:dozens|hundreds|thousands|millions|billions|trillions) of\b|\bnone of the\b|"
    r"\bzero(?![\w-]|\s+shot)|\b(?:needs?|requir\w+|with|has|have|adds?|adding|incurs?|incurring|introduc\w+|uses?|using)\s+no\s|"
    r"\ball\s+(?:of\s+)?(?:the\s+)?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|"
    r"\bboth\s+(?:of\s+)?(?:the\s+)?[a-z]+s\b(?!\s+and\b)",
    re.I,
)
_SIZE = re.compile(r"\d(?:\.\d+)?\s?[MBT]\b|\b(?:million|billion|trillion)s?\b")
_WORD = re.compile(TERM_PATTERN)
_BEFORE = 6  # words before a counted noun among which its number stands
_NOT_COUNTING = re.compile(r"\s(?:in(?! the number)|on|at|over|for|with|by|and|to|than|from)\s|[,;:()]\s", re.I)
_COUNTED_BEHIND = re.compile(
    r"\s?(?:(?:count|number|size)\w*\s)?(?:\(|:|=|of|from|between|to|ranging from)\s?(?:[^\s]+\s?){1,3}"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """What is asked for: `words` in the question's own words, from `start` to `end`.

    `anchors` are the terms one of which a sentence must be about to state it; none for "how much".
    """

    kind: Literal["count", "measure", "amount"]
    words: str
    start: int
    end: int
    anchors: tuple[str, ...]


def amounts_asked(question: str) -> tuple[Amount, ...]:
    """The counts ("how many layers"), measures ("what accuracy") and other amounts a question asks for."""
    found = [Amount("count", m["noun"], *m.span("noun"), terms(m["noun"])) for m in _COUNT.finditer(question)]
    for match in _MEASURE.finditer(question):
        telling = tuple(term for term in terms(match["noun"]) if term not in _GENERIC)
        found.append(Amount("measure", match["noun"], *match.span("noun"), telling))
    if not found and (other := _AMOUNT.search(question)):
        found.append(Amount("amount", other[0].strip(" ,.;:?"), *other.span(), ()))
    return tuple(found)


def wants_value(question: str, amount: Amount) -> bool:
    """Whether a measure's value is wanted, and not by how much it changed."""
    return amount.kind == "measure" and bool(_ABSOLUTE.search(amount.words)) and not re.search(_CHANGE, question, re.I)


def states_number(sentence: str, question: str) -> bool:
    """Whether the sentence gives a number that is neither the question's own nor part of a name, or an
    amount in words ("an order of magnitude")."""
    return bool(_IN_WORDS.search(sentence) or _new_numbers(sentence, question))


def states_value(sentence: str, question: str) -> bool:
    """Whether the sentence gives such a number that is no mere change ("12 % better")."""
    return bool(_new_numbers(_RELATIVE.sub(" ", sentence), question))


def counts(sentence: str, noun: str, question: str) -> bool | None:
    """Whether a number counts the term `noun` in the sentence; None where the noun does not occur."""
    words = list(_WORD.finditer(sentence))
    places = [i for i, word in enumerate(words) if noun in terms(word[0])]
    if not places:
        return None
    for i in places:
        before = _NOT_COUNTING.split(sentence[words[max(0, i - _BEFORE)].start() : words[i].start()])[-1]
        after = _COUNTED_BEHIND.match(sentence, words[i].end())
        counted = f"{before} {after[0] if after else ''}"
        if states_number(counted, question) or re.search(r"\b(?:one|single)\s+(?:\w+\s+)?$", before, re.I):
            return True
    return "paramet" in noun and bool(_SIZE.search(sentence))


def _new_numbers(text: str, question: str) -> frozenset[str]:
    asked = question.lower()
    plain = _VERSION.sub(lambda found: found[0] if found[1].lower() in asked else " ", text)
    return stated_numbers(plain) - stated_numbers(question)
