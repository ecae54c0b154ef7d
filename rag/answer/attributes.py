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
    r"|\bhow (?:old|recent) is\b",
    "n_authors": r"\bhow many (?:people |co-?)?(?:authors?|wrote|co-?authored)\b|\b(?:number|"
    r"count) of (?:co-?)?authors\b|\bauthor count\b",
    "organisation": r"\b(?:which|what|whose) (?:organi[sz]ation|company|lab|laboratory|institution|institute|"
    r"group|team|university)\b"
    r"|\bwho (?:published|released|made|developed|built|is behind)\b|\b(?:which|what) (?:organi[sz]ation|company)\b",
}
_NEVER_LISTED = {
    "author names": r"\bwho (?:is|are|was|were) the (?:\w+ )?(?:authors?|researchers?|people)\b|\b(?:first|last|"
    r"lead|senior|corresponding|main) author\b"
    r"|\bwho (?:wrote|authored|co-?authored)\b|\bauthors?['’]? names?\b|\bnames? of the authors?\b|"
    r"\bname the authors\b|\bwhich researchers? (?:wrote|proposed)\b"
    r"|\be-?mail\b.*\bauthors?\b|\bcontact the authors?\b",
    "author affiliations": r"\baffiliat\w+\b|\bwhere (?:do|does|did) (?:they|the authors?|he|she) work\b",
    "citation counts": r"\bhow many (?:citations|times (?:has|was|is)\b.*\bcited)\b|\bhow often\b.*\bcited\b|"
    r"\bcitation counts?\b|\bnumber of citations\b|\bh-index\b",
    "venues": r"\b(?:which|what) (?:venue|conference|journal)\b|\b(?:accepted|"
    r"presented|appear(?:ed)?) (?:at|to|in) (?:a |which |what )"
    r"|\bwhere was (?:it|this|the paper|.{1,80}) (?:published|accepted|presented)\b|\bpeer[- ]review\w*\b|"
    r"\bbest paper award\b",
    "identifiers": r"\b(?:arxiv|doi|isbn)\b.{0,20}\b(?:id|identifier|number|link|url|of|for)\b|\bwhat is the doi\b",
    "upvotes, stars or downloads": r"\bup-?votes?\b|\bgithub stars?\b|\bhow many (?:likes|stars|downloads|views|"
    r"forks)\b",
}
# Details that abstracts seldom give; a question for one is answered only where its words stand together.
_DETAILS = (
    "learning rate; batch size; weight decay; warm-?up; optimi[sz]er; training steps?; training epochs?; "
    "epochs?; random seeds?; dropout(?: rate)?; hyper-?parameters?; context (?:window|length|size); "
    "vocabulary size; hidden (?:size|dimension); embedding dimensions?; attention heads?; transformer "
    "layers?; number of layers; how many layers; training time; training cost; gpu hours?; gpu-hours?; "
    "inference cost; licen[sc]es?; temperature; beam size; chunk size; p-?values?; standard deviation; "
    "confidence interval; inter-annotator agreement; loss function; carbon footprint; budget; dollars?; "
    "annotators?; train(?:ing)?[- ]test split"
).split("; ")
_SYNONYMS = {
    r"licen[sc]es?": r"licen[sc]|apache|\bmit\b|cc[- ]by|\bgpl",
    r"context (?:window|length|size)": r"context (?:window|length|size)|\b\d+k\b|\d tokens|context of",
    r"gpu hours?": r"gpu[- ]?hours?|gpu[- ]days?",
    r"gpu-hours?": r"gpu[- ]?hours?|gpu[- ]days?",
    r"transformer layers?": r"layers?",
    r"number of layers": r"\d+[- ]layers?|layers?",
    r"how many layers": r"\d+[- ]layers?|layers?",
    r"training steps?": r"\bsteps?\b|iterations?",
    r"dollars?": r"\$|dollars?|usd",
    r"training cost": r"cost",
    r"inference cost": r"cost|cheaper",
    r"loss function": r"\bloss\b|objective",
    r"embedding dimensions?": r"dimension|\bdim\b|embedding size",
}


def fields_asked(question: str) -> tuple[str, ...]:
    """Fields of the listing (`published`, `n_authors`, `organisation`) that the question asks for."""
    return tuple(name for name, pattern in _FIELDS.items() if re.search(pattern, question, re.I))


def never_listed(question: str) -> str | None:
    """The kind of fact asked for that no listing ever shows, in words; None if there is none."""
    return next((name for name, pattern in _NEVER_LISTED.items() if re.search(pattern, question, re.I)), None)


def missing_details(question: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Details asked for by name ("learning rate") that none of the texts mentions."""
    asked = [(pattern, match[0]) for pattern in _DETAILS if (match := re.search(rf"\b{pattern}\b", question, re.I))]
    body = "\n".join(texts)
    return tuple(
        dict.fromkeys(
            words for pattern, words in asked if not re.search(_SYNONYMS.get(pattern, rf"\b{pattern}"), body, re.I)
        )
    )
