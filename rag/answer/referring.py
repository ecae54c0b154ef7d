"""Words that point back ("it", "their", "this paper", "the second one") and what is written in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answer.names import mentions, names
from rag.terms import terms

SHORT_NAME = 3  # words that what a paper calls its subject may have to be used as a name
_FLAGS = re.IGNORECASE | re.ASCII  # ASCII: "ſecond" is no ordinal that the table has
_AUX = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might)(?:n['’]t)?"  # of a question
_LEAD = r"(?:(?:and|but|so|also|then|or|ok(?:ay)?|well|yes|right|hm+|thanks|great)\b[\s,.:–-]*)*"
_PREPOSITION = r"(?:on|in|at|by|for|from|to|with|under|over|of|into|than|against|through|via|after|before)"
_WH = rf"(?:{_PREPOSITION}\s+)?(?:how|what|which|when|where|why|who|whose|whom)"
_VERB = (
    r"(?:compare|make|hurt|work|help|mean|cost|change|hold|improve|affect|happen|apply|scale|matter|imply|require|need|"
    r"take|use|run|perform|generali[sz]e|lead|come|look|differ|get|give|go|reduce|increase|save|have|be|lose|speed)\b"
)
# "How many GPUs did they use", "does it": the subject of the first clause has nothing before it to stand for.
_SUBJECT = re.compile(
    rf"^\W*{_LEAD}(?:{_WH}\b(?:(?!\b{_AUX}\b)[^,;.?])*?\s)?\b(?P<aux>{_AUX})\s+"
    rf"(?P<word>it|they|he|she|(?:this|that|these|those)(?=\s+(?:also\s+|still\s+)?{_VERB}))\b",
    _FLAGS,
)
_PRONOUN = re.compile(r"\b(?P<word>it|they|them|he|she|this|that|these|those)\b", _FLAGS)
_OF_A_PAPER = re.compile(
    r"\b(?:publish|author|wrote|written|cite[sd]?\b|propos|introduc|appear|came? out|paper|abstract|title|releas)",
    re.I,
)
_THING = re.compile(r"\b(?P<word>it)\b", _FLAGS)
_CLAUSE_LEVEL = re.compile(r"\b(?:before|after|if|when|until|while|because|that|than|as|and|or|once)\s+$", re.I)
_DUMMY = re.compile(
    r"^\s+(?:is|was|be)?\s*(?:possible|true|known|hard|easy|better|worth|rain|necessary|clear|take)\b", re.I
)
_POSSESSIVE = re.compile(r"\b(?P<word>its|their|his|her)\b", _FLAGS)
_KIND = (
    r"(?P<kind>paper|work|study|article|methods?|models?|approach(?:es)?|authors?|techniques?|frameworks?|"
    r"systems?|benchmarks?|datasets?|results?|findings?|idea|remedy)"
)
_POINTING = re.compile(rf"\b(?:this|that|these|those|the\s+same|said)\s+{_KIND}\b", _FLAGS)
# "The idea behind X" brings its own X; "the method handles" does not.
_DEFINITE = re.compile(
    rf"\bthe\s+{_KIND}\b(?!\s+(?:{_PREPOSITION}|about|behind|between|that|which|where|called|used|“))", _FLAGS
)
_ONE = re.compile(r"\bthe\s+[\w.-]+\s+one\b(?!\s+(?:of|in|on|for|by|from|about|with|that|which|called)\b)", _FLAGS)
_ORDINAL = re.compile(
    r"\bthe\s+(?:(?P<other>other)\s+(?:one|paper|method|model)\b|(?P<place>first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th)\s+"
    r"(?:one|paper|method|model|study|work|approach)|(?P<pair>former|latter)(?:\s+(?:one|paper|method|model))?)\b"
    r"|(?:\b(?:number|paper|no\.)\s*|#)(?P<number>[1-9])\b|\[(?P<marker>[1-9]\d?)\]",
    _FLAGS,
)
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1, "former": 0, "latter": -1}
_DESCRIBED = re.compile(
    r"\bthe\s+(?:one|paper)\s+(?:(?:that\s+is\s+)?(?:called|named|titled|entitled)|about|on|with|from)\s+"
    r"(?P<what>[\w@+.-]+(?:\s+[\w@+.-]+){0,5})",
    _FLAGS,
)
# What may follow "the two" and "these": else they are "the two heads", "these papers here".
_ALONE = rf"(?=\s*(?:[?.!,]|$|(?:{_AUX}|differ|compare|share|use[sd]?|both|do)\b))"
_SEVERAL = re.compile(
    rf"\b(?:(?:the\s+two|these|those|both)(?:\s+(?:two|papers|methods|models|works|approaches))?{_ALONE}|"
    rf"both\s+of\s+(?:them|these|those)|both(?=\s+(?:\w+ly\s+)?(?:use|have|need|do|share|rely)\b)|they|them)\b",
    _FLAGS,
)
# "Which of these works at X" has one verb, "which of these heads is X" a noun before it.
_WHICH_OF = re.compile(
    r"\b(?:(?:which|what|any|each|one|some|none|neither|either)(?:\s+(?:one|paper|method|model))?\s+of\s+(?P<them>them)|"
    r"(?:which|what|any|one|some|none|neither|either)\s+of\s+(?P<these>these|those|the\s+(?:two|three|four|five)))\b"
    rf"(?!\s+(?:papers|methods|models|approaches|studies)\b|\s+(?!{_AUX}\b)[\w-]+s\b.*\b(?:{_AUX}|[\w-]+[^s\W]s)\b)",
    _FLAGS,
)
_WHICH = re.compile(
    rf"^\W*{_LEAD}(?P<which>which)(?:\s+(?:one|paper))?(?=\s+(?:is|was|has|does|did|came|uses?|works)\b)", _FLAGS
)
# Words that carry a question but not its subject; a question of no other words cannot stand alone.
_EMPTY = frozenset(
    term
    for word in (
        "what which how does do did done who whom whose when where why many much far large big long fast old get got "
        "use used using have has had been being were am can could would should may might will there here any some one "
        "tell me us more detail say said make made give given show work works mean go on about also too very really "
        "so than you your we our they them their he she him her its i my please exactly actually just else same other "
        "ok okay no yes thanks thank right"
    ).split()
    for term in terms(word)
)


FEW = 2  # content words before a pronoun, among which none can be what it stands for
MANY = 6  # content words of a question that explains itself


def content(text: str) -> int:
    """How many words of a question carry a subject of its own."""
    return sum(term not in _EMPTY for term in terms(text))


def short_name(title: str) -> str | None:
    """What a paper calls its subject, if that can stand in a sentence like a name: "Phenaki", "Pointer Networks"."""
    head = re.split(r":\s|,\s|\s\(", title)[0].strip()
    return head if 0 < len(head.split()) <= SHORT_NAME and head[:1].isalnum() and head[-1] not in "?!." else None


def called(title: str) -> str:
    """A title as it is written into a sentence: its short name, else itself between quotation marks."""
    return short_name(title) or f"“{title}”"


def joined(titles: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"."""
    spoken = [called(title) for title in titles]
    return " and ".join(filter(None, (", ".join(spoken[:-1]), spoken[-1])))


def pronoun(question: str) -> re.Match[str] | None:
    """A pronoun without a noun of its own question: `word`, and `aux` where it is the subject of an inverted clause."""
    if (match := _SUBJECT.search(question)) and not _DUMMY.match(question[match.end() :]):
        # "What did they test it on": the authors, whom no answer names, and what the paper is about.
        thing = _THING.search(question, match.end()) if match["word"].lower() != "it" else None
        return thing or match
    for match in _PRONOUN.finditer(question):
        before, after = question[: match.start()], question[match.end() :]
        if not nothing_named(before) or (_CLAUSE_LEVEL.search(before) and content(before)):
            return None
        if match["word"].lower() in ("that", "this", "these", "those") and re.match(r"\s+[a-z]", after):
            continue  # "the retriever that encodes", "this paper": no pronoun
        if not _DUMMY.match(after):
            return match
    return None


def possessive(question: str) -> re.Match[str] | None:
    """ "its", "their" without an owner before it."""
    match = _POSSESSIVE.search(question)
    return match if match and nothing_named(question[: match.start()]) and content(question) <= MANY else None


def nothing_named(before: str) -> bool:
    """Whether what stands before a word leaves it nothing to stand for."""
    return not any(name[0].isalpha() for name in names(before)) and content(before) <= FEW


def pointer(question: str) -> re.Match[str] | None:
    """The first pronoun or possessive that points back."""
    found = [match for match in (pronoun(question), possessive(question)) if match]
    return min(found, key=lambda match: match.start("word"), default=None)


def demonstrative(question: str) -> re.Match[str] | None:
    """ "this paper", or "the paper" where the question names nothing that it could be."""
    if match := _POINTING.search(question):
        return match
    return _DEFINITE.search(question) if not names(question) and content(question) <= MANY else None


def one(question: str) -> bool:
    """Whether "the small one" stands for something that was said before."""
    match = _ONE.search(question)
    return match is not None and nothing_named(question[: match.start()])


def ordinal(question: str) -> re.Match[str] | None:
    """ "the second one", "the latter", "number 2", unless the question itself lists what it counts."""
    match = _ORDINAL.search(question)
    return match if match and nothing_named(question[: match.start()]) else None


def place(match: re.Match[str]) -> int:
    """The index that an ordinal chooses, -1 for the last."""
    if match["other"]:
        return 1  # of two; the first was spoken of
    if digits := match["number"] or match["marker"]:
        return int(digits) - 1
    word = (match["place"] or match["pair"]).lower()
    return int(word[0]) - 1 if word[0].isdigit() else _PLACES[word]


def described(question: str, cited: Sequence[str]) -> tuple[tuple[int, int], str] | None:
    """ "the one called FLASH", "the paper about layers": where it stands, and the one cited title that fits it."""
    match = _DESCRIBED.search(question)
    said = list(re.finditer(r"\S+", match["what"])) if match else []
    for last in reversed(said):  # the most words that fit; a verb may follow them
        assert match
        wanted = set(terms(match["what"][: last.end()]))
        fitting = [title for title in cited if wanted and wanted <= set(terms(title))]
        if len(fitting) == 1:
            return (match.start(), match.start("what") + last.end()), fitting[0]
    return None


def several(question: str) -> re.Match[str] | None:
    """ "they", "both", "these two": words for more than one paper, where the question names none."""
    match = _SEVERAL.search(question)
    return match if match and not names(question) and nothing_named(question[: match.start()]) else None


def which_of(question: str, among: Sequence[str]) -> str | None:
    """ "Which of them ...", "which one is ..." with the papers to choose from written in."""
    if (match := _WHICH_OF.search(question)) and nothing_named(question[: match.start()]):
        return question[: match.start(match.lastgroup or 0)] + joined(among) + question[match.end() :]
    if (match := _WHICH.search(question)) and not names(question):
        return f"{question[: match.end('which')]} of {joined(among)}{question[match.end() :]}"
    return None


def in_order_asked(titles: Sequence[str], asked: str) -> tuple[str, ...]:
    """Titles in the order in which a question names them all; else as they are."""
    places = [_place_of(title, asked) for title in titles]
    if any(place < 0 for place in places):
        return tuple(titles)
    return tuple(title for _, title in sorted(zip(places, titles, strict=True)))


def _place_of(title: str, asked: str) -> int:
    name = short_name(title)
    found = next((own for own in names(asked) if name and mentions(name, own)), None)
    return asked.find(found) if found else -1


def put_for(question: str, match: re.Match[str], title: str) -> str | None:
    """`title` in a pronoun's or possessive's place; None where no grammatical sentence comes of it."""
    name = short_name(title) or (f"“{title}”" if _OF_A_PAPER.search(question) else None)
    start, end = match.span("word")
    if name is None or _CLAUSE_LEVEL.search(question[:start]):
        return None
    word = match["word"].lower()
    if word in ("its", "their", "his", "her"):
        return question[:start] + f"{name}'s" + question[end:]
    if word == "it":
        return question[:start] + name + question[end:]
    aux = match.groupdict().get("aux")
    if word in ("they", "he", "she") and aux:
        return question[: match.start("aux")] + _singular(aux) + f" {name}" + question[end:]
    return None


def _singular(aux: str) -> str:
    plural = {"do": "does", "are": "is", "were": "was", "have": "has"}
    stem = re.sub(r"n['’]t$", "", aux, flags=re.I)
    single = plural.get(stem.lower(), stem) + aux[len(stem) :]
    return single.capitalize() if aux[0].isupper() else single
