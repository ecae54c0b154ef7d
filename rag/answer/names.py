"""Names in a question ("TILDEv2", "GPT-5", "MS MARCO") and whether a text mentions them.

A name that no retrieved paper mentions is the plainest sign that the papers do not answer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

_WORD = re.compile(r"[A-Za-z0-9][\w@]*(?:[-.+][\w@]+)*\+*")
# "CLIP-like", "BERT-quality": the name only serves as a comparison.
_COMPARED = re.compile(
    r"-(?:like|type|style|esque|quality|class|size[d]?|scale|level|based|era|ish|sized|family|inspired|only|free|aware|"
    r"(?-i:[a-z]+(?:ed|ing)))$",
    re.I,
)
_AMOUNT = re.compile(r"\d+(?:[.,]\d+)*(?:[kKMBTxX]|[kMG]B|ms|bit|px)")  # "under 6M weights"
_ADJECTIVE = re.compile(r"^[A-Z][a-z]+-[a-z]+$")  # "Pareto-optimal" belongs to no name before it
_GENERIC = {
    "ai",
    "ml",
    "nlp",
    "llm",
    "llms",
    "lm",
    "lms",
    "slm",
    "slms",
    "pdf",
    "ok",
    "i",
    "id",
    "api",
    "apis",
    "url",
    "vs",
    "tv",
    "nn",
    "nns",
}
_MONTHS = set("january february march april may june july august september october november december".split())
_SIMILAR_ENOUGH = 88
_IN_LINK = re.compile(r"[/.@_]$")
_COMPOUND = re.compile(r"\b(auto|multi)(?=[a-z]{5})")  # "autoencoder" stands for two letters in VAE
_STOPS = ".,;:!?()"
# Words that no name consists of: one with a capital inside a question tells that it is in title case.
_PLAIN = frozenset(
    "do does did is are was were has have can could will would should how what which when where why with from into "
    "between without paper papers use uses used using make makes help helps work works need needs".split()
)
_UNCOUNTED = frozenset(
    "a an and are as at be by for from in is it its on or our that the these this to we with".split()
)


@lru_cache(maxsize=4096)
def names(text: str) -> tuple[str, ...]:
    """Names in order: words with inner capitals, digits beside letters, all capitals, or a
    capital that does not merely begin a sentence."""
    found: list[tuple[int, int]] = []
    # In a question that is all capitals they tell nothing.
    shouted = text.isupper() and len(text.split()) > 2 and len(text.lower()) == len(text)
    told = text.lower() if shouted else text
    titled = _is_title_case(text)
    for match in _WORD.finditer(text):
        word = match[0] if any(map(str.isdigit, match[0])) else told[match.start() : match.end()]
        if (
            _COMPARED.search(word)
            or _AMOUNT.fullmatch(word)
            or word.lower() in _GENERIC | _MONTHS
            or re.fullmatch(r"[A-Z]{2}s?", word)
        ):
            continue  # two letters ("RL", "KV") are spelled out in too many ways to be missed
        if _is_name(word, titled or _begins_sentence(text, match.start())):
            if (
                found
                and text[found[-1][1] : match.start()] == " "
                and word[0].isalpha()
                and text[found[-1][0]].isalpha()
                and not _ADJECTIVE.search(word)
            ):
                found[-1] = (found[-1][0], match.end())  # "MS MARCO", "Semantic Volume"
            else:
                found.append(match.span())
    return tuple(dict.fromkeys(text[start:end] for start, end in found))


def _is_name(word: str, first: bool) -> bool:
    letters = re.sub(r"[^A-Za-z]", "", word)
    if not letters:
        return False
    parts = [
        part
        for part in re.split(r"[-.]", word)
        if not re.fullmatch(r"[A-Z]{2}s?|[a-z]+", part) and part.lower() not in _GENERIC
    ]
    if not parts:
        return False  # "masked-LM": nothing but plain words and generic letters
    part_caps = any(re.search(r"[A-Z]", part[1:]) for part in parts)
    mixed = bool(re.search(r"\d", word)) and (letters != letters.lower() or bool(re.fullmatch(r"[a-z]+\d+\w*", word)))
    return part_caps or mixed or (word[0].isupper() and not first and len(letters) > 1)


def _is_title_case(text: str) -> bool:
    """Whether a text is written Like This, so that a capital at the beginning of a word tells nothing."""
    words = [word for word in re.findall(r"[A-Za-z][\w-]*", text)[1:] if len(word) >= 4 or word.lower() in _PLAIN]
    long = [word for word in words if len(word) >= 4]
    plain = any(word[0].isupper() and word.lower() in _PLAIN for word in words)
    return plain and len(long) >= 3 and 4 * sum(word[0].isupper() for word in long) > 3 * len(long)


def _begins_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \"'“‘(")
    return not before or before[-1] in ".?!:;\n"


def mentions(text: str, name: str) -> bool:
    """Whether `text` mentions `name`: spacing, hyphens, case and a plural s aside, as an
    acronym spelled out, or with a slip of spelling (never in its digits)."""
    text, name = _folded(text), _folded(name)
    found = _pattern(name).finditer(text)
    if name.isalpha() and name.isupper():  # ROBOTS are no robots, but may be lower-case in a link
        found = (
            match
            for match in found
            if not match[0].islower() or _IN_LINK.search(text, max(match.start() - 1, 0), match.start())
        )
    return any(found) or spelled_out(text, name) or _misspelled(text, name)


@lru_cache(maxsize=1024)
def _folded(text: str) -> str:
    """Without accents, in Unicode ("Fréchet") or in TeX (`Fr\\'echet`)."""
    if text.isascii() and "\\" not in text:
        return text
    plain = re.sub(r"\\[\"'`^~=.]\{?(?=\w)", "", text)
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str]:
    stem = name[:-1] if re.search(r"[A-Z0-9]s$", name) else name
    parts = re.findall(r"[A-Za-z]+?(?=v\d)|[A-Za-z]+|\d+(?:\.\d+)*|[^\W\d]+", stem)
    body = r"[\s\-_.@+]*".join(re.escape(part) for part in parts)
    digits = "0-9" if re.search(r"\d", stem) else ""  # "Llama" may be "LLaMA2", but "Llama 2" is not "Llama 23"
    return re.compile(rf"(?<![A-Za-z0-9]){body}(?:s|es)?(?![A-Za-z{digits}]|\.\d)", re.I)


def spelled_out(text: str, name: str) -> bool:
    """Whether the words of `text` spell out the acronym `name` (three to six capitals, plural s aside)."""
    stem = name[:-1] if re.search(r"[A-Z]s$", name) else name
    if not re.fullmatch(r"[A-Z]{3,6}", stem):
        return False
    return stem.lower() in initials(text) or stem.lower() in initials(_COMPOUND.sub(r"\1 ", text.lower()))


@lru_cache(maxsize=512)
def initials(text: str) -> str:
    """First letters of the words of `text`, in which an acronym's letters stand in a row.

    A space stands where no acronym goes on: at punctuation, and at a word that none counts.
    """
    return "".join(
        " " if bit[0] in _STOPS or bit in _UNCOUNTED else bit[0]
        for bit in re.findall(r"[a-z]+|[.,;:!?()]", text.lower())
    )


def _misspelled(text: str, name: str) -> bool:
    """Whether words in a row are those of the name, each the same or, if long enough to tell, but for a slip."""
    wanted = _WORD.findall(name)
    if not any(len(word) >= 6 for word in wanted):
        return False
    words = _WORD.findall(text)
    rows = zip(*(words[at:] for at in range(len(wanted))), strict=False)
    return any(all(map(_slipped, row, wanted)) for row in set(rows))


def _slipped(word: str, wanted: str) -> bool:
    if wanted.isupper() and word.islower():
        return False
    if word.lower() == wanted.lower():
        return True
    long = len(wanted) >= 6 and abs(len(word) - len(wanted)) <= 2
    same_beginning = word[:1].lower() == wanted[:1].lower()  # "unsupervised" is no slip for "supervised"
    if not (long and same_beginning and re.findall(r"\d+", word) == re.findall(r"\d+", wanted)):
        return False
    return fuzz.ratio(word.lower(), wanted.lower()) >= _SIMILAR_ENOUGH
