"""What kind of answer a question wants: papers or content, one paper or several, a number, a reason, a definition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from rag.answer.attributes import fields_asked
from rag.answer.names import names
from rag.terms import content_words

Intent = Literal["content", "count", "list", "latest", "oldest"]
Shape = Literal["single", "papers", "compare"]
Kind = Literal["number", "date", "which_paper", "definition", "comparison", "how_why", "list", "yes_no", "other"]

PAPERS = r"(?:papers?|articles?|publications?|works|preprints?|studies|entries)"
_WORKS = rf"(?:{PAPERS}|surveys|approaches|methods|techniques|interventions|frameworks)"
_COUNT = re.compile(
    rf"\bhow many (?:of (?:these|the|those) )?(?:different )?(?:[\w-]+ )?{PAPERS}\b|\bnumber of {PAPERS}\b|"
    rf"\bcount (?:of )?(?:the )?{PAPERS}\b",
    re.I,
)
_LATEST = re.compile(r"\b(?:latest|newest|most recent|recent(?:ly)?|what(?:'s| is) new)\b", re.I)
_OLDEST = re.compile(rf"\b(?:oldest|earliest|first published)\b(?=.*\b{PAPERS}\b)", re.I)
_LIST = re.compile(
    rf"\b(?:list|show|give|name|enumerate)\b[^.?]*\b{PAPERS}\b|\b(?:which|what|any|"
    rf"are there(?: any)?)\s+(?:of (?:these|the) )?(?:[\w-]+ ){{0,2}}?{PAPERS}\b",
    re.I,
)
_SEVERAL = re.compile(
    rf"\b(?:two|three|2|3)\s+(?:[\w-]+\s+){{0,6}}?(?:{_WORKS}|models|benchmarks|datasets)\b|"
    rf"\beach (?:one|of (?:the (?:two|three)|these|those|them|both)|{PAPERS})\b|\bone\b.{{0,80}}\bthe other\b|"
    r"\bwhich paper\b.{0,120}\band which\b|\brespectively\b|\bwhat does each\b(?! of the)|\b(?:these|those) two\b|"
    r"\bboth (?:of (?:these|the|those)|frameworks|methods|papers|models|works|approaches)\b|"
    r"\bthe (?:one|work|paper|approach) (?:with|that|using|which|on|about|for)\b.{0,120}\b(?:the|that) (?:one|work|"
    r"paper|approach) (?:with|that|using|which|on|about|for)\b|"
    rf"\bwhich {_WORKS}\b.{{0,80}}\bare about\b.{{0,80}}\band about\b|^\s*both\b|"
    r"\bone (?:paper|work|study|method|approach)?\b[^?]{0,120}\b(?:another|[,;] one)\b|"
    r"\band (?:how (?:do|does|did) |what (?:do|does|did) |for |that of )?the (?:[\w/-]+ ){0,4}(?:one|other)\b|"
    r"\b(?:do|does|did) each(?: one| paper| work)?(?: \w+){1,3}\W*$",
    re.I,
)
_OWN_PARTS = re.compile(
    r"\b(?:which|what) (?:two|three)\b.*\b(?:did|do|does) (?:it|they|the authors)\b|"
    rf"\bof (?:its|the) (?:two|three)\b(?! (?:[\w-]+ ){{0,3}}{_WORKS})",
    re.I,
)
_ONE_PAPER = re.compile(r"\b(?:which|what|any)\s+(?:[\w-]+\s+){0,2}?paper\b", re.I)
_APPROACHES = re.compile(
    r"\b(?:which|what|name|list)\s+(?:[\w-]+ )?(?:approaches|methods|works|techniques|frameworks|models|surveys)\b",
    re.I,
)
_CONTRAST = re.compile(
    r"\bboth\b|\bcompar\w+|\bdiffer\w*|\bversus\b|\bvs\b|\bagainst\b|\band\b|\bbetween\b|\bor\b", re.I
)
_CONTRASTS = re.compile(r"\bboth\b|\bcompar\w+|\bdiffer\w*|\bversus\b|\bvs\b|\beach\b", re.I)
_CONTRAST_WORDS = re.compile(r"\b(?:compar\w+|comparison|contrast|differ\w*|versus|vs)\b", re.I)
_NUMBER = re.compile(
    r"\bhow (?:much|many|far|large|big|fast|long|few|small|often|high|low|deep|accurate)\b|\bby how\b|"
    r"\bwhat (?:[\w-]+ ){0,4}?(?:percentage|percent|share|fraction|score|speed-?up|size|number|rate|length|"
    r"accuracy|latency|"
    r"throughput|lift|gain|improvement|reduction|ratio|factor|cost|savings?|amount|bleu|f1|fid|auc|map|ndcg(?:@\d+)?|mrr(?:@\d+)?)\b|"
    r"\bperce?a?nta?ge\b|\bup to what\b|\bwhat (?:speedup|score|length)\b",
    re.I,
)
_DEFINITION = re.compile(
    r"^\s*(?:what(?: is|'s| are)\b(?! the\b)|define\b|tell me about\b|explain\b|describe\b|summari[sz]e\b|"
    r"give\b.*\bsummary\b|"
    r"what does .* (?:say|propose|do)\W*$|what is the (?:idea|paper|method|approach|abstract)\b)",
    re.I,
)
_HOW_WHY = re.compile(
    r"\b(?:how (?:do|does|did|is|are|can|was|were)|why|what (?:is|are) the reasons?|through what|by what means|"
    r"what (?:explanation|mechanism|causes?|makes?)|in what way)\b",
    re.I,
)
_YES_NO = re.compile(
    r"^\s*(?:(?:and|but|so)\s+)?(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)\b", re.I
)


def intent_of(text: str, *, filtered: bool, topic: str) -> Intent:
    """Whether papers of the library are asked for, and how, or what stands in them."""
    if _COUNT.search(text):
        return "count"
    if _OLDEST.search(text):
        return "oldest"
    if _LATEST.search(text) and re.search(rf"\b{PAPERS}\b|\bnew\b", text, re.I):
        return "latest"
    return "list" if (filtered and not topic) or _LIST.search(text) else "content"


def shape_of(text: str, intent: Intent) -> Shape:
    """Whether one paper answers, several that are compared, or several that are listed."""
    named, own_parts = names(text), _OWN_PARTS.search(text)
    if (_SEVERAL.search(text) and not own_parts) or (len(named) >= 2 and _joined_by_contrast(text, named)):
        return "compare"
    if _ONE_PAPER.search(text):
        return "single"
    return "papers" if intent != "content" or (_APPROACHES.search(text) and not own_parts) else "single"


def kind_of(text: str, intent: Intent, shape: Shape) -> Kind:
    """The kind of answer that is wanted; the first that fits, from the most to the least particular."""
    if shape == "compare":
        return "comparison"
    if _ONE_PAPER.search(text):
        return "which_paper"
    if intent != "content" or shape == "papers":
        return "list"
    if "published" in fields_asked(text):
        return "date"
    if wants_number(text):
        return "number"
    if _DEFINITION.search(text):
        return "definition"
    if _HOW_WHY.search(text):
        return "how_why"
    return "yes_no" if _YES_NO.search(text) else "other"


def wants_number(text: str) -> bool:
    """Whether a quantity is asked for."""
    return bool(_NUMBER.search(text))


def asks_what(text: str) -> bool:
    """Whether something is to be defined or summed up."""
    return bool(_DEFINITION.search(text))


def asks_how(text: str) -> bool:
    """Whether a mechanism or a reason is asked for."""
    return bool(_HOW_WHY.search(text))


def names_only(text: str) -> bool:
    """Whether nothing is said of the things named: "Compare HNeRV and NeRV++", "DeBERTa?"."""
    named = names(text)
    rest = _CONTRAST_WORDS.sub(" ", text)
    for name in named:
        rest = rest.replace(name, " ")
    return bool(named) and not content_words(rest)


def _joined_by_contrast(text: str, named: Sequence[str]) -> bool:
    """ "both HNeRV and NeRV++", "VPTQ vs PV-Tuning": two names with little but a contrast between."""
    for first, second in pairwise(named):
        between = text[text.find(first) + len(first) : text.rfind(second)]
        if _CONTRASTS.search(text) and len(between) <= 40 and _CONTRAST.search(between):
            return True
    return False
