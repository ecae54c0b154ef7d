"""Which attribute of a paper a question asks for: fields of the listing, facts that no listing has,
and details that an abstract must name before it can be said to give them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIELDS = {
    "published": r"\bwhen (?:was|were|did|is)\b.*\b(?:publi\w+|released?|come out|appear\w*|listed|posted|"
    r"submitted|introduced|proposed)\b"
    r"|\b(?:publication|release|listing) date\b|\bdate of publication\b|\b(?:what|which) (?:date|day|month|"
    r"year)\b.*\b(?:publi\w+|releas\w+|appear\w*|listed|from|out)\b"
    r"|\bhow (?:old|recent) is\b|\bwhat is the date of\b|\bwhen did\b.*\bcome out\b",
    "n_authors": r"\bhow many (?:people |co-?)?(?:authors?|wrote|co-?authored|signed)\b|\b(?:number|"
    r"count) of (?:co-?)?authors\b|\bauthor count\b",
    "organisation": r"\b(?:which|what|whose) (?:organi[sz]ation|company|lab|laboratory|institution|institute|"
    r"group|team|university)\b"
    r"|\bwho (?:published|released|made|developed|built|is behind)\b|\b(?:which|what) (?:organi[sz]ation|company)\b",
}
_AUTHORS = r"(?:the |its |their |these )?(?:\w+ )?authors?(?: of .{1,60}?)?"
_THE_PAPER = r"(?:does|do|did|has|have|are|were|is)\b.{0,20}\b(?:it|paper|article|manuscript|there in (?:it|the))\b"
_NEVER_LISTED = {
    "author names": r"\bwho (?:is|are|was|were) the (?:\w+ )?(?:authors?|researchers?|people)\b|\b(?:first|last|"
    r"lead|senior|corresponding|main) author\b"
    r"|\bwho (?:wrote|authored|co-?authored)\b|\bauthors?['’]? names?\b|\bnames? of the authors?\b|"
    r"\bname the authors\b|\bwhich researchers? (?:wrote|proposed)\b"
    r"|\be-?mail\b.*\bauthors?\b|\bcontact the authors?\b",
    "author affiliations": r"\baffiliations?\b.{0,60}\bauthors?\b|\bauthors?['’]*s?\s+affiliat\w+|"
    r"\bauthors?\b.{0,20}\baffiliated\b|\bwhere (?:do|does|did) (?:they|(?:the|its|their) authors?|he|she) work\b|"
    rf"\b(?:country|countries|city|cities|nationality|where)\b.{{0,40}}{_AUTHORS}\s+(?:all |originally |mostly )?"
    r"(?:come |hail |came )?(?:from|based|live|located|work)\b|"
    rf"\bwhere (?:are|were|do|did) {_AUTHORS}\s+(?:come |hail )?(?:from|based|live|located|work)\b|"
    r"\bnationalit(?:y|ies)\b.*\bauthors?\b",
    "citation counts": r"\bhow many (?:citations|times (?:has|was|is)\b.*\bcited)\b|\bhow often\b.*\bcited\b|"
    r"\bcitation counts?\b|\bnumber of citations\b|\bh-index\b",
    "venues": r"\b(?:which|what) (?:venue|conference|journal)\b|\b(?:accepted|"
    r"presented|appear(?:ed)?) (?:at|to|in) (?:(?:which|what)\b|an? (?:\w+ )?(?:venue|conference|journal|workshop)\b)"
    r"|\bwhere was (?:it|this|the paper|.{1,80}) (?:published|accepted|presented)\b|\bpeer[- ]reviewed\s*(?:\?|$)|"
    r"\bbest paper award\b",
    "identifiers": r"\b(?:arxiv|doi|isbn)\b.{0,20}\b(?:id|identifier|number|link|url)\b|"
    r"\bwhat(?: is|['’]s) (?:the|its) (?:arxiv|doi|isbn)\b",
    "upvotes, stars or downloads": r"\bup-?votes?\b|\bgithub stars?\b|\bhow many (?:likes|stars|downloads|forks)\b|"
    rf"\bhow many views {_THE_PAPER}",
    "figures, tables, sections or page counts": r"\b(?:figure|fig\.|table|section|appendix|equation|theorem|lemma)"
    r"\s+(?:\d+|[A-Z])\b|\bhow many pages\b|"
    rf"\bhow many (?:figures|tables|sections) {_THE_PAPER}|"
    r"\b(?:which|what) pages?\b|\bpage count\b|"
    r"\bin the (?:appendix|supplement\w*)\b",
    "funding": r"\bwho (?:funded|financed|sponsored|paid for)\b|\bfunding (?:source|agency|agencies)\b|"
    r"\bwhich grants?\b|\backnowledge?ments?\b",
}
# Details that abstracts seldom give, as a question names them, and the words by which a text gives
# one (those of the question where none stand here). Only a text with such a word answers.
_TIME = r"\b(?:milli)?seconds?\b|\bminutes?\b|\bhours?\b|\bdays?\b|\bweeks?\b|\bmonths?\b|\d\s?ms\b"
_DETAILS = {
    r"learning rates?": "",
    r"batch sizes?": "",
    r"weight decay": "",
    r"warm-?up": "",
    r"optimi[sz]ers?": r"\boptimi[sz]ers?\b|\badam\w*|\bsgd\b|"
    r"\blion\b|\bmuon\b|\bshampoo\b|\badafactor\b|\brmsprop\b|\blbfgs\b",
    r"training steps?": r"\bsteps?\b|\biterations?\b|\bupdates\b",
    r"(?:training )?epochs?": r"\bepochs?\b",
    r"random seeds?": "",
    r"dropout(?: rate)?": r"\bdropout",
    r"hyper-?parameters?": "",
    r"context (?:window|length|size)": r"context (?:window|length|size)|\b\d+k\b|\d tokens|context of",
    r"vocabulary size": "",
    r"hidden (?:size|dimension)": "",
    r"embedding (?:dimension\w*|size)": r"\bdimension|\bdim\b|embedding size",
    r"attention heads?": "",
    r"(?:transformer |number of |how many )layers?": r"\blayers?\b",
    r"training time": "",
    r"(?:training|inference) cost": r"\bcost|\bcheap",
    r"gpu[- ]?(?:hours?|days?)": r"\bgpu[- ]?(?:hours?|days?)",
    r"how long(?= (?:did|does|do|was|is|will|would)\b.*\b(?:take|train\w*|run|last|need))": _TIME,
    r"(?:which|what|kind of|type of|how many) (?:\w+ )?(?:hardware|gpus?|tpus?|accelerators?|machines?)": (
        r"\b[gtc]pus?\b|\bhardware\b|\bmachines?\b|\bdevices?\b|\bphones?\b|\bfpgas?\b|\b[AHV]\d{2,3}s?\b|"
        r"\brtx\b|\bnvidia\b|\braspberry\b"
    ),
    r"in (?:milliseconds|ms|seconds|minutes|hours|days)": _TIME,
    r"in (?:bytes|megabytes|gigabytes|mb|gb)": r"\b(?:[mgkt]?b|(?:mega|giga|kilo|tera)?bytes?)\b",
    r"licen[sc]es?": r"licen[sc]|\bapache\b|\bmit\b|\bcc[- ]by|\bgpl",
    r"temperature": "",
    r"beam size": "",
    r"chunk size": "",
    r"p-?values?": "",
    r"standard deviations?": "",
    r"confidence intervals?": "",
    r"inter-annotator agreement": "",
    r"(?:which|what) tokeni[sz]er": r"\btokeni[sz]er|\bbpe\b|byte-pair|sentencepiece|wordpiece|unigram|byte-level",
    r"(?:which|what) (?:programming|deep learning|software) (?:language|framework|library)": (
        r"\bpython|\bc\+\+|\bjava\b|\bjavascript|\brust\b|\bjulia\b|\bpytorch|\btensorflow|\bjax\b|\bcuda\b|\btriton\b|\bhaskell|\blua\b|"
        r"\bprogramming"
    ),
    r"loss function": r"\bloss\b|\bobjective",
    r"carbon footprint|co2 emissions?": r"\bcarbon\b|\bco2\b|\bemissions?\b",
    r"lines of code": "",
    r"(?:monetary |financial )?budget (?:in|of)|dollars?|price": r"\$|\bdollars?\b|\busd\b|\bbudget\b|\bprice",
    r"annotators?": "",
    r"train(?:ing)?[- ]test split": "",
}


# A detail is asked for behind one of these, and not where it is a circumstance: "at inference cost".
_REQUEST = re.compile(
    r"\b(?:what|which|who|how (?:many|much|long|large|high|big)|number of|name|list|give|state|report)\b[^.;?]*$", re.I
)
_CIRCUMSTANCE = re.compile(
    r"\b(?:at|without|reduc\w+|lower\w*|cut\w*|sav\w+|decreas\w+|increas\w+|minimi[sz]\w+|improv\w+|speed\w*)\s+"
    r"(?:(?:the|its|any|both|no|extra|additional)\s+)*$",
    re.I,
)
_ASKING = re.compile(r"^(?:which|what|kind of|type of|how many|in)\s+", re.I)
# Nouns whose instances a text seldom calls by them: "What field ...?" is answered by "neuroscience".
_SHELL = frozenset(
    "kind kinds sort sorts type types form forms way ways manner means method methods approach approaches technique "
    "techniques strategy strategies mechanism idea ideas trick insight insights principle concept criterion criteria "
    "measure quantity device tool tools component components part parts piece element elements aspect aspects factor "
    "factors feature features property properties characteristic term terms ingredient ingredients step steps stage "
    "stages problem problems issue issues limitation limitations drawback drawbacks challenge challenges weakness "
    "reason reasons explanation cause causes effect effects impact result results finding findings conclusion evidence "
    "source sources material field fields area areas domain domains topic topics subject task tasks model models "
    "system paper papers work works study studies survey surveys share fraction proportion percentage number amount "
    "level degree extent rate ratio score value values gain gains lift improvement improvements advantage advantages "
    "benefit benefits difference differences role purpose goal goals alternative alternatives choice option options "
    "design change changes solution remedy thing things one ones group groups team lab organisation organization "
    "company university institution date day month year name names word words claim claims question questions "
    "assumption assumptions condition conditions requirement role animal species place person people others two three "
    "four five modification modifications setting settings case cases example examples object objects family families "
    "innovation innovations contribution contributions objective objectives signal signals information unit "
    "units".split()
)
_THING = re.compile(
    r"\b(?:what|which)\s+(?P<thing>(?:[\w-]+\s+){0,3}?[\w-]+)(?=\s+(?:do|does|did|is|are|was|were|has|have|had|can|"
    r"could|will|would|should|must|may)\b)",
    re.I,
)


def thing_asked(question: str) -> tuple[int, int] | None:
    """Where the noun phrase of "which <thing> does ..." stands.

    None where texts seldom call such a thing by its noun, or where it is one of the details.
    """
    for match in _THING.finditer(question):
        words = match["thing"].split()
        detail = any(re.search(rf"\b(?:{pattern})", match[0], re.I) for pattern in _DETAILS)
        if not detail and not _SHELL.intersection(word.lower() for word in words) and words[-1].islower():
            return match.span("thing")
    return None


def fields_asked(question: str) -> tuple[str, ...]:
    """Fields of the listing (`published`, `n_authors`, `organisation`) that the question asks for."""
    return tuple(name for name, pattern in _FIELDS.items() if re.search(pattern, question, re.I))


# Kinds of `never_listed` that a full text may well give.
IN_FULL_TEXT = frozenset(
    {"author affiliations", "venues", "figures, tables, sections or page counts", "funding", "author names"}
)


def never_listed(question: str) -> str | None:
    """The kind of fact asked for that a listing hardly ever shows, in words; None if there is none."""
    return next((name for name, pattern in _NEVER_LISTED.items() if re.search(pattern, question, re.I)), None)


def _requested(pattern: str, question: str) -> str | None:
    """The question's words for a detail that it asks for; None where it does not, or only names a circumstance."""
    for match in re.finditer(rf"\b(?:{pattern})s?\b(?!(?<=\b[mg]b|\bms)\s+(?-i:[A-Z]))", question, re.I):
        if _REQUEST.search(question[: match.end()]) and not _CIRCUMSTANCE.search(question[: match.start()]):
            return match[0]
    return None


def missing_details(question: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Details asked for by name ("learning rate") that none of the texts gives, as the question words them;
    of "how long does it take" the "time taken"."""
    asked = [(pattern, words) for pattern in _DETAILS if (words := _requested(pattern, question))]
    body = "\n".join(texts)
    return tuple(
        dict.fromkeys(
            "time taken" if words.lower() == "how long" else _ASKING.sub("", words)
            for pattern, words in asked
            if not re.search(_DETAILS[pattern] or rf"\b(?:{pattern})", body, re.I)
        )
    )
