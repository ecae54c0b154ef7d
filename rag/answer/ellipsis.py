"""Questions that leave out what the one before them said: "and for Llama?", "no, I meant X", "why?", "more detail"."""

from __future__ import annotations

import re

from rapidfuzz import fuzz

from rag.answer.names import names
from rag.answer.referring import content, nothing_named

_FLAGS = re.IGNORECASE | re.ASCII
_PREPOSITIONS = (
    r"(?:for|on|in|with|without|at|by|of|from|to|over|under|against|than|about|using|during|compared (?:with|to))"
)
_OPENING = (
    r"^\W*(?:(?:and|but|or|also|ok(?:ay)?)\b[\s,]*)?(?:(?:what|how)\s+about\b|(?:the\s+)?same(?:\s+(?:question|thing))?"
    r"(?=\s+(?:for|with|on|about)\b)|(?:and|but|or)\b)(?:[\s,]*(?:how\s+(?:many|much)|which(?:\s+ones)?)"
    rf"(?=\s+{_PREPOSITIONS}\b))?"
)
_AND_FOR = re.compile(rf"{_OPENING}[\s,]*(?P<how>{_PREPOSITIONS}\b)?\s*(?P<what>[^?.!;:]{{1,80}}?)\s*[?.!]*$", _FLAGS)
# "And how many has X?" counts what the question before counted.
_HOW_MANY = re.compile(
    r"^\W*(?:(?:and|but|or)\b[\s,]*)?how\s+(?:many|much)\s+(?:has|have|does|do|did|is|are|was|were)\s+"
    r"(?P<what>[^?.!,;]{1,60}?)(?:\s+(?:have|use|need|get))?\s*[?.!]*$",
    _FLAGS,
)
_ALSO = re.compile(r"^\W*(?:and\s+)?(?:what|how)\s+about\s+(?!the\b|its\b|their\b)|^\W*(?:the\s+)?same\b", _FLAGS)
DEFINES = re.compile(
    r"^\s*(?:what|who)(?:['’]s|\s+(?:is|are))\s+(?!(?:the|its|their|this|that|your|new)\b)(?P<what>[^?.!,]+?)\s*[?.!]*$",
    re.I,
)
_CLAUSE = re.compile(
    r"\b(?:what|which|how|who|whose|when|where|why|is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|"
    r"its?|their|they|them|he|she|this|that|these|those|else|same)\b",
    _FLAGS,
)
_MEANT = re.compile(
    r"^\W*(?:(?:no|nope|sorry|wait|actually|oops|hm+)\b[\s,.!–-]*)*(?:i|we)\s+(?:meant?|was\s+asking\s+(?:about|for)|"
    r"am\s+asking\s+(?:about|for)|asked\s+(?:about|for))\s+(?P<what>[^?.!;]{1,120}?)\s*(?:[?.!;]+\s*(?P<rest>.*))?$",
    _FLAGS,
)
_NOT = re.compile(
    r"^\W*(?:(?:no|sorry|actually|wait)\b[\s,.!–-]*)*not\s+(?P<wrong>[^,;?.!]{1,80}?)\s*"
    r"(?:[,;]\s*(?:but\s+|rather\s+)?|\s+but\s+)"
    r"(?P<what>[^?.!;]{1,120}?)\s*(?:[?.!;]+\s*(?P<rest>.*))?$",
    _FLAGS,
)
_NO = re.compile(
    r"^\W*(?:no|nope|sorry|actually)\b[\s,.!–-]+(?P<what>[^?.!;,]{1,100}?)\s*(?:[?.!;]+\s*(?P<rest>.*))?$",
    _FLAGS,
)
_BUT_NOT = re.compile(r"^(?P<what>[^,]+?),?\s+not\s+(?P<wrong>[^,]+)$", _FLAGS)
_WHY = re.compile(
    r"^\W*(?:(?:and|but|so|really|ok(?:ay)?|hm+)\b[\s,?]*)*"
    r"(?P<why>why(?P<not>\s+not)?|how\s+so|how\s+come|for\s+what\s+reason)"
    r"(?:\s+(?:is|was|does|did|would)\s+(?:that|this|it)(?:\s+(?:so|the\s+case|happen|be))?)?\s*[?.!]*$",
    _FLAGS,
)
_MORE = re.compile(
    r"^\W*(?:(?:and|ok(?:ay)?|please|can\s+you|could\s+you)\b[\s,]*)*"
    r"(?:(?:give\s+(?:me\s+)?)?(?:some\s+)?more\s+(?:detail|information|info)s?|tell\s+me\s+more|go\s+on|elaborate|explain(?:\s+(?:more|further|that|it))?|in\s+more\s+detail|what\s+else|more|"
    r"say\s+more)(?:\s+(?:about|on)\s+(?:it|that|this|them))?(?:\s+(?:please|in\s+detail|in\s+more\s+detail))*"
    r"[\s,]*(?:please)?\W*$",
    _FLAGS,
)
_OF_THOSE = re.compile(
    r"\b(?P<some>which|what|how\s+many|any|some|none|one|most|\w+est)\s+of\s+(?:those|these|them)(?P<papers>\s+papers)?\b",
    _FLAGS,
)
_PAPERS = re.compile(
    r"^.*?\bpapers\s+(?:(?:are|were|there|have|been|do\s+you\s+have)\s+)*(?P<which>[^?.!,]+)",
    _FLAGS,
)
_YEAR = r"\b(?:19|20)\d\d\b"
_DESCRIBED = re.compile(r"(?:the|a|an)?\s*(?:[\w.+-]+\s+){0,4}?(?:paper|one|model|method|version|study|work)\b", _FLAGS)
_POLAR = re.compile(
    r"^(?P<aux>do|does|did|is|are|was|were|can|could|will|would|has|have|should)\s+(?P<rest>.+)$", _FLAGS
)
_HOW = re.compile(r"^how\s+(?P<rest>(?:do|does|did|can|could|is|are|was|were|has|have)\s+.+)$", _FLAGS)
FEW_OF_PAPERS = 2  # content words, "papers" among them
_LIKE = 60  # rapidfuzz ratio from which one name is likely given in another's place


def carried_on(question: str, before: str) -> str | None:
    """`before` with what "and for X?", "same question for X" names put in; None if it is no such question."""
    if (gap := _HOW_MANY.match(question)) and names(f"the {gap['what']}"):
        return _put_in(before, gap["what"].strip(), "")
    match = _AND_FOR.match(question)
    if match is None or _CLAUSE.search(match["what"]):
        return None
    what, how = match["what"].strip(), (match["how"] or "").lower()
    if not how and (defined := DEFINES.match(before)) and _ALSO.match(question) and not names(f"the {what}"):
        return before[: defined.start("what")] + what + before[defined.end("what") :]
    return _put_in(before, what, how) if how or names(f"the {what}") or re.search(_YEAR, what) else None


def corrected(question: str, before: str) -> str | None:
    """The question that "no, I meant X", "not X, Y" or "sorry, Y" corrects `before` to, or that it goes on to ask."""
    match = _NOT.match(question) or _MEANT.match(question) or _NO.match(question)
    if match is None:
        return None
    what, wrong = match["what"].strip(), match.groupdict().get("wrong")
    if both := _BUT_NOT.match(what):
        what, wrong = both["what"], both["wrong"]
    named = bool(names(f"the {what}") or re.search(_YEAR, what) or _DESCRIBED.fullmatch(what))
    if (match.re is _NO and not named) or _CLAUSE.match(what):
        return None
    if rest := (match["rest"] or "").strip():
        return _about(rest, what)
    if wrong and wrong.lower() in before.lower():
        return re.sub(re.escape(wrong), lambda _: what, before, count=1, flags=re.I)
    return _put_in(before, what, "")


def narrowed(question: str, before: str) -> str | None:
    """ "Which of those are from 2020?" after a question for papers: "Which of the papers about X are from 2020?"."""
    match, papers = _OF_THOSE.search(question), _PAPERS.search(before)
    if match and not nothing_named(question[: match.start()]):
        return None
    # "These papers" may be all papers here, unless next to nothing is asked of them.
    if match is None or papers is None or (match["papers"] and content(question) > FEW_OF_PAPERS):
        return None
    return f"{question[: match.end('some')]} of the papers {papers['which'].strip()}{question[match.end() :]}"


def reasoned(question: str, before: str) -> str | None:
    """ "Why?", "why not?", "how so?" with the question before: "Why does X work?", "What does X show, and why?"."""
    match = _WHY.match(question)
    if match is None:
        return None
    asks = before.rstrip(" ?.!")
    if polar := _POLAR.match(asks) if match["why"].lower().startswith("why") else None:
        aux = polar["aux"].lower() + ("n't" if match["not"] else "")
        return f"Why {aux.replace('cann', 'can').replace('willn', 'won')} {polar['rest']}?"
    if (how := _HOW.match(asks)) and match["why"].lower() == "why":
        return f"Why {how['rest']}?"
    return f"{asks}, and {' '.join(match['why'].lower().split())}?"


def expanded(question: str, before: str) -> str | None:
    """ "More detail, please" with the question before: "What is X? Tell me more."."""
    return f"{before.removesuffix('Tell me more.').rstrip(' ?.!')}? Tell me more." if _MORE.match(question) else None


def _put_in(before: str, what: str, how: str) -> str:
    """`before` with `what` in the place of what it most likely stands for, else behind it."""
    if how and (phrase := _phrase_after(before, how)):
        return before[: phrase.start("what")] + what + before[phrase.end("what") :]
    if (year := re.search(_YEAR, what)) and (old := re.search(_YEAR, before)):
        return before[: old.start()] + year[0] + before[old.end() :]
    if how in ("", "for", "with", "on", "about", "in") and (name := _replaced(before, what)):
        return _swap(before, name, what)
    asks = before.rstrip(" ?.!")
    return f"{asks} {how or 'for'} {what}?"


def _phrase_after(before: str, how: str) -> re.Match[str] | None:
    """The last "on X" of a question, up to the next preposition or its end."""
    phrase = rf"(?P<what>(?:(?!\b{_PREPOSITIONS}\b)[^?.!,;])+?)"
    pattern = rf"\b{re.escape(how)}\s+{phrase}(?=\s+{_PREPOSITIONS}\b|\s*[?.!,;]|$)"
    return next(iter(reversed(list(re.finditer(pattern, before, _FLAGS)))), None)


def _replaced(before: str, what: str) -> str | None:
    """The name in `before` that `what` stands for: one like it, the last after a preposition, or the first."""
    found = names(before)
    if not found or not (names(f"the {what}") or _DESCRIBED.fullmatch(what)):
        return None
    likest = max(found, key=lambda name: fuzz.ratio(name.lower(), what.lower()))
    if fuzz.ratio(likest.lower(), what.lower()) >= _LIKE:
        return likest
    behind = [n for n in found if re.search(rf"\b{_PREPOSITIONS}\s+(?:the\s+)?{re.escape(n)}", before, _FLAGS)]
    return behind[-1] if behind else found[0]


def _swap(before: str, old: str, new: str) -> str:
    """A name and the noun it belongs to ("the Phenaki paper") replaced by another."""
    noun = r"(?:\s+(?:paper|model|method|article|study))?"
    around = rf"(?:\bthe\s+)?(?<![\w-]){re.escape(old)}(?![\w+]|-\w){noun}"
    if not _DESCRIBED.fullmatch(new):
        around = rf"(?<![\w-]){re.escape(old)}(?![\w+]|-\w)"
    return re.sub(around, lambda _: new, before, count=1)


def _about(rest: str, what: str) -> str:
    """A question with a pronoun, or without any subject, asked of `what`."""
    text, put = re.subn(r"\b(?:it|that one|this one|that)\b", lambda _: what, rest, count=1, flags=re.I)
    if put:
        return text
    text, put = re.subn(r"\b(?:its|their)\s+([\w-]+)", lambda m: f"the {m[1]} of {what}", rest, count=1, flags=re.I)
    if put or names(rest):
        return text
    return f"{rest.rstrip(' ?.!')} in {what}?"
