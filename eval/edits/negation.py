"""Wrong polarity: what is affirmed becomes denied, or denied affirmed; and opposite directions."""

from __future__ import annotations

import re
from random import Random

from eval.edits.text import Change, Span, alternatives, applied, matched_case, outside_markers
from eval.edits.verbs import BASES, PAST, THIRD, past, third

_SURE = r"certainly|definitely|clearly|probably|likely|also|still|generally|usually|typically|commonly"
_NOT_RELATIVE = r"(?<!\bwhich )(?<!\bthat )(?<!\bwho )(?<!\bwhat )(?<!\bthere )(?<!\bas )(?<!\bhow )(?<!\bto )"
_SUBORDINATE = re.compile(r"\b(?:which|who|whose|where|when|if|because|while|although|what|how|why)\b", re.IGNORECASE)
_BE = r"is|are|was|were|should|must|will|would|could|has been|have been|had been"
_OBJECT = (
    r"(?=(?:the|a|an|its|their|his|her|our|your|to|in|on|from|for|this|these|those|more|less|as|that|[a-z]+s|[A-Z])\b)"
)
_HOLDERS = (
    "patients people children individuals adults women men cells mice participants subjects those someone anyone "
    "treatment treated infected combined proteins students products foods together"
).split()
_AFFIXES = {
    "effective": "ineffective",
    "necessary": "unnecessary",
    "possible": "impossible",
    "common": "uncommon",
    "important": "unimportant",
    "significant": "insignificant",
    "significantly": "insignificantly",
    "safe": "unsafe",
    "related": "unrelated",
    "healthy": "unhealthy",
    "dependent": "independent",
    "sufficient": "insufficient",
    "likely": "unlikely",
    "able": "unable",
    "clear": "unclear",
    "successful": "unsuccessful",
    "legal": "illegal",
    "sensitive": "insensitive",
}
_AFFIRMED = {negative: positive for positive, negative in _AFFIXES.items()}
_OPPOSITES = (
    "increase/decrease increases/decreases increased/decreased increasing/decreasing higher/lower more/less "
    "larger/smaller greater/smaller faster/slower improve/worsen improves/worsens improved/worsened "
    "improving/worsening reduce/increase reduces/increases reduced/increased reducing/increasing "
    "upregulate/downregulate upregulates/downregulates upregulated/downregulated positively/negatively "
    "positive/negative earlier/later longer/shorter above/below stronger/weaker better/worse best/worst most/least "
    "highest/lowest largest/smallest longest/shortest oldest/youngest maximum/minimum promote/inhibit "
    "promotes/inhibits promoted/inhibited promoting/inhibiting activates/inhibits enhance/impair enhances/impairs "
    "enhanced/impaired enhancing/impairing high/low large/small many/few before/after rise/fall rises/falls "
    "gain/loss strengthen/weaken strengthens/weakens early/late easier/harder deeper/shallower raise/lower "
    "raises/lowers facilitate/hinder facilitates/hinders"
)
_OPPOSITE: dict[str, str] = {}
for _pair in _OPPOSITES.split():
    _OPPOSITE.setdefault(_pair.split("/")[0], _pair.split("/")[1])
    _OPPOSITE.setdefault(_pair.split("/")[1], _pair.split("/")[0])


def wrong_polarity(claim: str, rng: Random) -> Change | None:
    """The claim with a negation taken out where it has one, else with one put in.

    Put in as "not" or "never" after an auxiliary, "does not" before a verb, "no" before an object,
    "without" for "with", a negative prefix, or before a quantifier; each way is as likely as another,
    and within one way the first place is taken, which is most often the main clause.
    """
    removed = _removals(claim)
    found = [span for span in removed or _insertions(claim, rng) if outside_markers(claim, span.start, span.end)]
    main = [span for span in found if not _SUBORDINATE.search(re.split(r"[,.;:]\s", claim[: span.start])[-1])]
    first: dict[str, Span] = {}
    for span in sorted(main or found, key=lambda span: span.start):
        first.setdefault(span.form, span)
    return applied(claim, rng.choice([first[form] for form in sorted(first)])) if first else None


def wrong_direction(claim: str, rng: Random) -> Change | None:
    """The claim with a word of direction or degree turned into its opposite."""
    pattern = rf"\b({alternatives(_OPPOSITE)})\b(?!-)"
    found = [match for match in re.finditer(pattern, claim, re.IGNORECASE) if not _idiom(claim, match)]
    if not found:
        return None
    match = rng.choice(found)
    new = matched_case(match[1], _OPPOSITE[match[1].lower()])
    return applied(claim, Span("opposite", match.start(), match.end(), new))


def _idiom(claim: str, match: re.Match[str]) -> bool:
    """Uses in which a word has no opposite: "and more", "more or less", "at least", "most likely"."""
    before, after = claim[: match.start()].lower(), claim[match.end() :].lower()
    if re.match(r"[.,;]? ?(?:or (?:more|less)|and more)\b", after) or re.search(r"\b(?:and|or) $", before):
        return match[1].lower() in {"more", "less", "many"}
    return bool(re.search(r"\b(?:at|what is|once|how|as|no|any|low) $", before) or after.startswith("over"))


def _removals(claim: str) -> list[Span]:
    spans = []
    for match in re.finditer(
        rf"\b(?:({_BE}|can|may|might|has|have|had) not|cannot|can't|won't|(is|are|was|were|has|have|would|should|could)"
        r"n['’]t)\b(?! only| just| yet)",
        claim,
        re.IGNORECASE,
    ):
        kept = match[1] or match[2] or ("will" if match[0].lower().startswith("w") else "can")
        spans.append(Span("not_removed", match.start(), match.end(), matched_case(match[0], kept)))
    pattern = r"\b(do|does|did)(?: not|n['’]t) (?:(\w+ly) )?([a-z]+)\b|\b(fails?|failed) to ([a-z]+)\b"
    for match in re.finditer(pattern, claim, re.IGNORECASE):
        auxiliary, adverb, verb = match[1] or match[4], match[2], match[3] or match[5]
        inflected = _inflected(auxiliary.lower(), verb)
        spans.append(Span("not_removed", match.start(), match.end(), f"{adverb} {inflected}" if adverb else inflected))
    for wrong, right, form in (
        (r"without", "with", "without_removed"),
        (r"no(?= (?!longer|more|one|less|matter|doubt|later)[a-z])", "some", "no_removed"),
        (r"never", "", "never_removed"),
        (r"none of", "all of", "no_removed"),
        (r"(?:lack|absence) of", "presence of", "no_removed"),
        (alternatives(_AFFIRMED), "", "prefix_removed"),
    ):
        for match in re.finditer(rf"\b(?:{wrong})(?!\w)", claim, re.IGNORECASE):
            new = _AFFIRMED[match[0].lower()] if form == "prefix_removed" else right
            spans.append(Span(form, match.start(), match.end(), matched_case(match[0], new)))
    return spans


def _inflected(auxiliary: str, verb: str) -> str:
    if auxiliary in {"does", "fails"}:
        return third(verb)
    return past(verb) if auxiliary in {"did", "failed"} else verb


def _insertions(claim: str, rng: Random) -> list[Span]:
    return [*_after_auxiliary(claim, rng), *_before_verb(claim), *_determiners(claim), *_words(claim)]


def _after_auxiliary(claim: str, rng: Random) -> list[Span]:
    spans = []
    for match in re.finditer(rf"{_NOT_RELATIVE}\b({_BE})\b(?! not|n't|[,.;?])( (?:{_SURE})\b)?", claim):
        two = match[1].split()
        word = "never" if len(two) == 2 and rng.random() < 0.5 else "not"
        new = f"{two[0]} {word} {two[1]}{match[2] or ''}" if len(two) == 2 else f"{match[0]} not"
        spans.append(Span("not", match.start(), match.end(), new))
    for match in re.finditer(r"\b(can|may|might)\b(?! not|[,.;?]| \d)(?! also)", claim):
        spans.append(Span("cannot", match.start(), match.end(), "cannot"))
    for match in re.finditer(r"\b(has|have|had)\b(?= (?:\w+ly )?\w+(?:ed|en|own)\b)(?! been)", claim):
        new = f"{match[1]} {rng.choice(('not', 'never'))}"
        spans.append(Span("not", match.start(), match.end(), new))
    return spans


def _before_verb(claim: str) -> list[Span]:
    """ "does not cause", "did not cause", and "do not cause" after a plural."""
    spans = []
    for match in re.finditer(rf"(?<=[a-z0-9)\]'’\"A-Z] )({alternatives(THIRD)})\b(?! of\b|[.,;:)]|-)", claim):
        before = claim[: match.start()].rstrip().rsplit(" ", 1)[-1].lower()
        if before not in _BEFORE_NOUN and not before.isdigit() and match[1] not in {"has", "does"}:
            spans.append(Span("does_not", match.start(), match.end(), f"does not {THIRD[match[1]]}"))
    for match in re.finditer(rf"(?<=[a-z0-9)A-Z] )({alternatives(PAST)})\b {_OBJECT}", claim):
        before = claim[: match.start()].rstrip().rsplit(" ", 1)[-1].lower()
        if before not in _BEFORE_PARTICIPLE and match[1] not in _OFTEN_PARTICIPLES:
            spans.append(Span("did_not", match.start(1), match.end(1), f"did not {PAST[match[1]]}"))
    plural = rf"(?<=[a-rt-z]s )({alternatives(BASES)})\b (?!of\b|and\b|or\b|is\b|are\b)"
    for match in re.finditer(plural, claim):
        before = claim[: match.start(1)].rstrip().rsplit(" ", 1)[-1].lower()
        verbal = before in THIRD or before in _NO_PLURAL
        if not verbal and match[1] not in {"do", "be", "need", "result", "use", "work", "increase", "decrease", "have"}:
            spans.append(Span("do_not", match.start(1), match.end(1), f"do not {match[1]}"))
    return spans


_BEFORE_NOUN = frozenset(
    "the a an its their his her these those of and or for in on to with by from such as many some all most "
    "different various new other several two three good bad high low key test".split()
)
_NO_PLURAL = frozenset("is was has does this its his thus us always as".split())
_OFTEN_PARTICIPLES = frozenset("had did involved used found provided reported required treated".split())
_BEFORE_PARTICIPLE = frozenset(
    "is are was were be been being has have had not the a an its their his her and or of as by with get gets than when "
    "other if often usually commonly generally widely also only well highly which that who".split()
)


def _determiners(claim: str) -> list[Span]:
    """ "has no effect", "there is no", "without", "not all"."""
    spans = []
    for match in re.finditer(r"\b(has|have|had) (an?|some|several|many|significant) ", claim):
        new = f"{match[1]} no " + ("significant " if match[2] == "significant" else "")
        spans.append(Span("no", match.start(), match.end(), new))
    for match in re.finditer(
        r"\b(there (?:is|are|was|were)) (an?|some|several|many|\d+|two|three) ", claim, re.IGNORECASE
    ):
        spans.append(Span("no", match.start(), match.end(), f"{match[1]} no "))
    for match in re.finditer(rf"\b(?:{alternatives(_HOLDERS)}) (with)(?= [a-z])", claim):
        spans.append(Span("without", match.start(1), match.end(1), "without"))
    for match in re.finditer(r"(?:^|(?<=[.,:] ))(All|Every|Each|all)(?= [a-z])(?! other)", claim):
        new = "not all" if match[1].lower() == "all" else "not every"
        spans.append(Span("quantifier", match.start(), match.end(), matched_case(match[0], new)))
    return spans


def _words(claim: str) -> list[Span]:
    """Negative prefixes: "ineffective"."""
    return [
        Span("prefix", match.start(), match.end(), matched_case(match[0], _AFFIXES[match[0].lower()]))
        for match in re.finditer(rf"\b(?:{alternatives(_AFFIXES)})\b(?!-)", claim, re.IGNORECASE)
    ]
