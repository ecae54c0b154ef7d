"""What a judging model means: "**Unsupported.**", `{"supported": false}` and "Yes, they do." are all verdicts."""

from __future__ import annotations

import re

_VERDICT = r"(?:verdict|answer|label|judge?ment)\W+(?:is\W+)?"
_YES = {"yes": True, "true": True, "no": False, "false": False}
_FIELD = re.compile(r"\bsupported\W{1,4}(yes|no|true|false)\b", re.IGNORECASE)
_FIRST = re.compile(rf"\W*(?:(?:final\s+)?{_VERDICT})?(yes|no|true|false)\b", re.IGNORECASE)
_LAST = re.compile(rf"\b{_VERDICT}([^\n]*)", re.IGNORECASE)
# A negation up to three words before, so that "not fully supported" is no support.
_AGAINST = re.compile(
    r"\bunsupported\b|\bcontradict(?:s|ed|ory)?\b"
    r"|(?:\b(?:no|not|never|cannot|hardly|partially|partly|without)|n['’]t)(?:\W+\w+){0,3}?[\W_]+(?:support|entail)(?:ed|s)?\b",
    re.IGNORECASE,
)
_IN_FAVOUR = re.compile(r"\b(?:support|entail)(?:ed|s)?\b", re.IGNORECASE)


def verdict_of(reply: str) -> bool | None:
    """Whether a reply says "supported"; None where it says neither, or both.

    A reply that argues both ways counts by what stands after its last "verdict:" or "answer:".
    """
    said = _said(reply)
    if said is None and (labelled := _LAST.findall(reply)):
        return _said(labelled[-1])
    return said


def _said(text: str) -> bool | None:
    """The verdict that all verdict words of `text` agree on; a bare yes or no where there is none."""
    if field := _FIELD.search(text):
        return _YES[field[1].lower()]
    against = _AGAINST.search(text) is not None
    in_favour = _IN_FAVOUR.search(_AGAINST.sub(" ", text)) is not None
    if against or in_favour:
        return None if against and in_favour else in_favour
    first = _FIRST.match(text)
    return _YES[first[1].lower()] if first else None
