"""What a question takes for granted, and the sentence of a paper that denies it.

"Why does X need Y" takes it that X needs Y; "without Y" denies that. Each claim is held against
one sentence at a time: most of its words, the last one among them, must stand under a denial there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.answer.names import mentions, names
from rag.answer.polarity import is_negated, negated
from rag.terms import content_words

_AUX = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|must|should|will|would)"
_CLAIMS = (
    # "Why does X need Y (to ...)?", "How does X use Y?"
    re.compile(rf"\b(?:why|how come|for what reason|how)\s+{_AUX}\b(?P<claim>[^?.;]*)", re.I),
    re.compile(r"\b(?:since|given that|because|considering that|now that|as)\s+(?P<claim>[^,?;]*),", re.I),
    # "X needs Y. How much ...?"
    re.compile(r"^(?P<claim>[^?.!]+)[.!]\s+(?=(?:\w+\W+){1,12}.*\?)", re.I),
)
_NEEDED = re.compile(r"\bwhy\s+(?:is|are|was|were)\s+(?P<claim>[^?.;]*?)\s+(?:needed|required|necessary)\b", re.I)
_WHY = re.compile(r"why|how come|for what reason", re.I)
_WHETHER = re.compile(rf"^\s*{_AUX}\b(?P<claim>[^?.;]*)", re.I)
_VERB = re.compile(
    r"\b(?:needs?|needed|requires?d?|requiring|relies|rely|depends? (?:up)?on|uses?|used|using|employs?|"
    r"have to|has to|must|had to|always|replaces?d?|modif\w+|updates?d?|chang\w+|retrain\w*|trains?|fine-?tunes?|"
    r"alters?)\b",
    re.I,
)
_BY_SOMEONE = re.compile(r"\s[\w-]+\s+by\s.*")  # "masks drawn by hand": what is denied are masks
_PREPOSITION = re.compile(
    r"\s(?:to|for|than|in|on|at|when|while|during|from|of|with|without|instead|and|or|if|because)\s", re.I
)
# Beyond plain negation: what is avoided, or kept as it was, is denied too.
_AVOIDS = re.compile(
    r"\b(?:free of|avoid\w*|eliminat\w*|obviat\w*|circumvent\w*|bypass\w*|independent of|instead of|rather than|"
    r"replac\w+|remov\w+|omit\w*|dispens\w+ with)\b",
    re.I,
)
_KEEPS = re.compile(r"\b(?:frozen|freez\w+|fixed|unchanged|retain\w*|preserv\w*|keep\w*|intact|untouched)\b", re.I)
_FREE = re.compile(r"\b([a-z]+)[- ]free\b", re.I)  # "gradient-free"
_VERB_NO = re.compile(r"\b(\w+)\s+no\b(?!\s+(?:doubt|matter))", re.I)  # "imposes no cost"
_CHANGES = re.compile(r"\b(?:modif|updat|chang|alter|retrain|train|fine-?tun|replac|rewrit|adapt|touch)\w*", re.I)
_WORDS = re.compile(r"[^\W_]+")
_SCOPE_END = re.compile(
    r"[,;:.](?!\d)|\b(?:with|by|using|via|through|from|while|and|but)\b|(?<!\bneed )(?<!\bhaving )\bto\b", re.I
)
_OTHER = (
    r"(?:existing|previous|prior|earlier|conventional|traditional|standard|current|typical|other|others|most|many|some)"
)
# What such a sentence denies, it denies of other work.
_OF_OTHERS = re.compile(
    rf"^\W*(?:[\w-]+\W+){{0,6}}?{_OTHER}\b|\b(?:they|these|such) (?:\w+ )?(?:often|usually|typically)\b|"
    r"^\W*(?:although|though|while|whereas|despite)\b",
    re.I,
)
_CONTRAST = re.compile(
    r"\b(?:unlike|in contrast to|as opposed to)\b[^,;]*(?:,\s*(?:which|that|who)\b[^,;]*)?[,;]|"
    rf"\b(?:although|though|while|whereas|even if)\b[^,;]*\b{_OTHER}\b[^,;]*[,;]|"
    rf",\s*(?:while|whereas|although|though)\b[^,;]*\b{_OTHER}\b[^,;]*",
    re.I,
)
_OWN = re.compile(r"\b(?:we|our|ours|this (?:paper|work|method|approach|model)|the proposed)\b|^\W*(?:it|this)\b", re.I)
_STAGES = frozenset("stage stages step steps phase phases process procedure procedures".split())  # say nothing
_SCOPE = 6  # words after such a cue
DENIED = 0.6  # share of a claim's words that one sentence must deny


@dataclass(frozen=True, slots=True)
class Denial:
    """The words of the question that the sentence at `position` denies; `asked` when it asks whether they hold."""

    words: str
    position: int
    asked: bool = False


def denied(question: str, sentences: Sequence[str], weights: Mapping[str, float]) -> Denial | None:
    """The first claim that a question takes for granted, or asks about, and a sentence denies; or None.

    `weights` say how telling a term of the question is.
    """
    named = names(question)
    own = [_CONTRAST.sub(" ", sentence) if _is_own(sentence, named) else "" for sentence in sentences]
    for start, end in _claims(question):
        claim = question[start:end]
        words = _telling(question, start, start + len(_BY_SOMEONE.sub("", claim)))
        total = sum(weights.get(term, 1.0) for _, _, term in words)
        for position, sentence in enumerate(own if words else ()):
            under = _denied_terms(sentence, changes=bool(_CHANGES.search(claim)))
            found = [term for _, _, term in words if term in under]
            if words[-1][2] in under and sum(weights.get(term, 1.0) for term in found) >= DENIED * total:
                return Denial(claim.strip(), position, bool(_WHETHER.match(question)))
    return None


def _is_own(sentence: str, named: Sequence[str]) -> bool:
    """Whether a sentence speaks of the paper's work, and not only of what others do."""
    if not _OF_OTHERS.search(sentence):
        return True
    return bool(_OWN.search(sentence)) or any(mentions(sentence, name) for name in named)


def _claims(question: str) -> list[tuple[int, int]]:
    """Where each thing taken for granted stands: what follows its verb, up to a preposition.

    A verb of change belongs to it: "updates the weights". Of a "why" the whole is taken for granted.
    """
    found = [match.span("claim") for match in _NEEDED.finditer(question)]
    for pattern in (*_CLAIMS, _WHETHER):
        for match in pattern.finditer(question):
            start, last = match.span("claim")
            verb = _VERB.search(question, start, last)
            if verb:
                start = verb.start() if _CHANGES.match(verb[0]) else verb.end()
            elif not _WHY.match(match[0]):
                continue
            cut = _PREPOSITION.search(question, (verb.end() if verb else start) + 1, last)
            found.append((start, cut.start() if cut else last))
    return found


def _telling(question: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """The words of a claim that may be denied: no names, none that the question denies itself."""
    spans = [(m.start(), m.end()) for name in names(question) for m in re.finditer(re.escape(name), question)]
    change = _CHANGES.match(question[start:end].lstrip())
    own = (*negated(question), *(() if change else _scopes(_AVOIDS, question)))
    return [
        (first, last, term)
        for first, last, term in content_words(question)
        if start <= first < end
        and question[first:last].lower() not in _STAGES
        and not any(a <= first < b for a, b in spans)
        and not is_negated(own, first, last)
        and not _CHANGES.fullmatch(question[first:last])
    ]


def _denied_terms(sentence: str, *, changes: bool) -> frozenset[str]:
    """The terms of a sentence that stand under a denial; `changes` tells that "kept" would be one."""
    spans = [*negated(sentence), *_scopes(_AVOIDS, sentence)]
    if changes:
        spans += _scopes(_KEEPS, sentence)
    spans += [match.span(1) for cue in (_FREE, _VERB_NO) for match in cue.finditer(sentence)]
    return frozenset(term for first, last, term in content_words(sentence) if is_negated(tuple(spans), first, last))


def _scopes(cue: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """From each cue to the end of the words that it governs."""
    found = []
    for match in cue.finditer(text):
        stop = _SCOPE_END.search(text, match.end())
        words = list(_WORDS.finditer(text, match.end(), stop.start() if stop else len(text)))[:_SCOPE]
        found.append((match.start(), words[-1].end() if words else match.end()))
    return found
