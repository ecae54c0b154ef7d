"""Text to sentences, and papers to passages of whole sentences, by character offsets.

Sentences tile their text: nothing is lost, changed or cleaned. They are the grain of quotes and of
checks, passages the grain of search.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby, pairwise

from sentencex import get_sentence_boundaries

from rag.papers import Body, Paper, Part, Passage

MAX_TOKENS = 220
WINDOW = 256  # of all-MiniLM-L6-v2
SPECIAL_TOKENS = 2
# No tokenizer makes more tokens of a text than its UTF-8 has bytes, so this leaves a passage 54 of 256.
TITLE_BYTES = 199
LEAST_BUDGET = 16  # for windows smaller than a title can be

CHUNKER_VERSION = f"1/sentencex-{version('sentencex')}"

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

# sentencex reads "1)", "(ii)" and "2." in running text as lists, cuts before each marker and then
# nowhere until the paragraph's end; TeX accents (M\"obius) look to it like quotes. Letters do not.
MARKERS = re.compile(
    r"""(?<![^\s(])\(?(?:[0-9]{1,2}|[ivx]{1,4}|[a-hA-H])\)   # 1)  (2)  (iv)  (a)
      | (?<!\S)[0-9]{1,2}\.(?=\s+[a-z])                       # include 1. prompting
      | \\["'`^~=.]                                           # na\"ive
    """,
    re.VERBOSE,
)
# sentencex takes each white space for one byte, and panics at "A ." with another between the two.
SPACES = str.maketrans(dict.fromkeys((chr(c) for c in range(0x80, 0x3001) if chr(c).isspace()), " "))
# Abbreviations that sentencex ends sentences at.
NEVER_LAST = re.compile(r"(?:\b(?:vs|cf|resp|approx)|\be\.g|\bi\.e|\bw\.r\.t)\.\s*$", re.IGNORECASE)
BEFORE_NUMBER = re.compile(r"\b(?:[Ee]qs?|[Ff]igs?|Tabs?|Secs?|Algs?|Thms?|Refs?|Apps?|Nos?|pp?)\.\s*$")
NUMBER = re.compile(r"[0-9(\[]|[A-Z]\b|[A-Z]?[0-9]")
BEFORE_LOWER = re.compile(r"\b(?:max|min|avg|std|acc|incl|gen)\.\s*$", re.IGNORECASE)
LOWER = re.compile(r"[a-z0-9]")
PUNCTUATION = re.compile(r"[,.;:!?)\]}]")
# "diverse NLU tasks.This capability", but not "torch.nn.Linear", "https://x.org/Foo.Bar", "3.5".
GLUED = re.compile(r"[.!?][)\"'\]}]*$")
GLUED_WORD = re.compile(r"(?:^|\s)[\"'(]*(?:[0-9]+(?:\.[0-9]+)?%?|[^\W\d_][\w-]+)[)\"']*[.!?]$")
GLUED_START = re.compile(r"[A-Z][a-z]*[\s,]")
# Ends that sentencex passes over: "(as seen.) Then" and names in capitals that it takes for
# abbreviations ("verifies the scalability of DiST. Codes").
MISSED = re.compile(r"(?<!\betc)(?<!\bal)(?<![.\s]\w)[.!?]\)\s+(?=[A-Z])|(?<=[A-Za-z][A-Z])\.\s+(?=[A-Z][a-z]+\s)")
LOOK_BACK = 80  # characters; longer than any pattern that looks back


@dataclass(frozen=True, slots=True)
class SentenceSpan:
    """A sentence of some text, without white space around it: `source[start:end] == text`."""

    text: str
    start: int
    end: int


def sentence_spans(text: str) -> tuple[Span, ...]:
    """Offsets of the sentences of `text`: they follow each other without gap, none is empty.

    White space belongs to the sentence before it, at the beginning to the first.
    """
    if not text:
        return ()
    masked = MARKERS.sub(lambda found: "X" + "x" * (len(found[0]) - 1), text)
    starts = {part["start_index"] for part in get_sentence_boundaries("en", masked.translate(SPACES))}
    starts = {at for at in starts if not _is_inside_sentence(text, at)}
    starts |= {found.end() for found in MISSED.finditer(text)}
    starts = {_past_space(text, at) for at in starts} - {_past_space(text, 0), len(text)}
    edges = [0, *sorted(starts), len(text)]
    return tuple(pairwise(edges))


def sentences(text: str) -> tuple[SentenceSpan, ...]:
    """The sentences of `text` without the white space around them; empty ones are dropped."""
    trimmed = (_trimmed(text, span) for span in sentence_spans(text))
    return tuple(SentenceSpan(text[start:end], start, end) for start, end in trimmed if start < end)


def embedding_text(paper_title: str, passage_text: str) -> tuple[str, int]:
    """What is embedded for a passage, the title in front, and the length of that prefix in characters.

    A title too long for the embedder's window is cut, so that the passage never is.
    """
    title = paper_title.encode("utf-8", "ignore")[:TITLE_BYTES].decode("utf-8", "ignore")
    prefix = f"{title}\n"
    return prefix + passage_text, len(prefix)


def chunk(
    paper: Paper,
    count_tokens: CountTokens,
    max_tokens: int = MAX_TOKENS,
    *,
    window: int = WINDOW,
    body: Body | None = None,
) -> tuple[Passage, ...]:
    """Whole sentences grouped to at most `max_tokens`, each passage beginning with the last sentence before it.

    With title and special tokens a passage never exceeds `window`. A sentence over `max_tokens` is
    a passage of its own; one over the window is cut between words. A paper without an abstract gives
    one empty passage, so that its title can be found. Behind the abstract's passages come those of the
    `body`, part by part: none reaches over the end of a page or section, but for a sentence that does.
    `count_tokens` counts without special tokens.
    """
    abstract, paper_id, count_tokens = paper.abstract, paper.paper_id, _remembering(count_tokens)
    room = max(LEAST_BUDGET, window - SPECIAL_TOKENS - count_tokens([embedding_text(paper.title, "")[0]])[0])
    budget = min(max_tokens, room)
    spans = _passages(abstract, list(_units(abstract, room, count_tokens)), budget, count_tokens)
    found = [
        Passage(f"{paper_id}#{ordinal}", paper_id, ordinal, abstract[start:end], start, end)
        for ordinal, (start, end) in enumerate(spans or [(0, 0)])
    ]
    if body is not None:
        for ordinal, (part, start, end) in enumerate(_body_spans(body, room, budget, count_tokens), len(found)):
            where = (start, end, True, part.section, part.page)
            found.append(Passage(f"{paper_id}#{ordinal}", paper_id, ordinal, body.text[start:end], *where))
    return tuple(found)


def _remembering(count_tokens: CountTokens) -> CountTokens:
    """`count_tokens` that counts no text twice: sentences are counted when they are cut and when they are grouped."""
    known: dict[str, int] = {}

    def counted(texts: Sequence[str]) -> list[int]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, count_tokens(new), strict=True))
        return [known[text] for text in texts]

    return counted


def _body_spans(body: Body, room: int, budget: int, count_tokens: CountTokens) -> Iterator[tuple[Part, int, int]]:
    for part, units in _by_part(body, room, count_tokens):
        for start, end in _passages(body.text, units, budget, count_tokens):
            yield part, start, end


def _by_part(body: Body, room: int, count_tokens: CountTokens) -> Iterator[tuple[Part, list[Span]]]:
    """Each part of a full text with the sentences that begin in it, in order; parts without any are left out.

    A sentence goes over the end of a page, but never over that of a section.
    """
    for _, group in groupby(enumerate(body.parts), key=lambda item: item[1].section):
        indexed = list(group)
        first, last = indexed[0][1].start, indexed[-1][0] + 1
        end = body.parts[last].start if last < len(body.parts) else len(body.text)
        units = [(first + a, first + b) for a, b in _units(body.text[first:end], room, count_tokens)]
        starts = [part.start for _, part in indexed]
        for number, of_part in groupby(units, key=lambda unit: bisect_right(starts, unit[0]) - 1):
            yield indexed[number][1], list(of_part)


def _is_inside_sentence(text: str, at: int) -> bool:
    """Whether the boundary that sentencex sees at `at` is none."""
    before = text[max(0, at - LOOK_BACK) : at]
    if before[-1:].isspace():
        return bool(
            NEVER_LAST.search(before)
            or (BEFORE_NUMBER.search(before) and NUMBER.match(text, at))
            or (BEFORE_LOWER.search(before) and LOWER.match(text, at))
        )
    if PUNCTUATION.match(text, at):
        return True
    return bool(GLUED.search(before)) and not (GLUED_WORD.search(before) and GLUED_START.match(text, at))


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _trimmed(text: str, span: Span) -> Span:
    start = min(_past_space(text, span[0]), span[1])
    return start, start + len(text[start : span[1]].rstrip())


def _units(text: str, room: int, count_tokens: CountTokens) -> Iterator[Span]:
    """Sentences, and pieces of the sentences that are over `room`."""
    spans = [_trimmed(text, span) for span in sentence_spans(text)]
    spans = [span for span in spans if span[0] < span[1]]
    for span, tokens in zip(spans, count_tokens([text[start:end] for start, end in spans]), strict=True):
        if tokens <= room:
            yield span
        else:
            yield from _pieces(text, span, room, count_tokens)


def _pieces(text: str, span: Span, room: int, count_tokens: CountTokens) -> Iterator[Span]:
    """A stretch of text halved at a word boundary until each piece fits; inside a word only if it must."""
    start, end = _trimmed(text, span)
    if start >= end:
        return
    if end - start == 1 or count_tokens([text[start:end]])[0] <= room:
        yield start, end
        return
    middle = (start + end) // 2
    spaces = [found.start() for found in re.finditer(r"\s", text[start:end])]
    cut = start + min(spaces, key=lambda at: abs(start + at - middle)) if spaces else middle
    yield from _pieces(text, (start, cut), room, count_tokens)
    yield from _pieces(text, (cut, end), room, count_tokens)


def _passages(text: str, units: Sequence[Span], budget: int, count_tokens: CountTokens) -> list[Span]:
    """Units, if any, grouped greedily. Tokens are added up first; where their sum is not the tokens of the
    whole (few tokenizers), the budget shrinks until every group fits."""
    if not units:
        return []
    tokens = count_tokens([text[start:end] for start, end in units])
    for allowed in range(budget, 0, -1):
        groups = _groups(tokens, allowed)
        spans = [(units[first][0], units[last - 1][1]) for first, last in groups]
        counted = count_tokens([text[start:end] for start, end in spans])
        if all(n <= budget or last - first == 1 for n, (first, last) in zip(counted, groups, strict=True)):
            return spans
    return list(units)


def _groups(tokens: Sequence[int], budget: int) -> list[tuple[int, int]]:
    """Slices of as many units as fit; the next slice begins with the last unit if that fits too."""
    groups: list[tuple[int, int]] = []
    first = 0
    while True:
        last, total = first + 1, tokens[first]
        while last < len(tokens) and total + tokens[last] <= budget:
            total += tokens[last]
            last += 1
        groups.append((first, last))
        if last == len(tokens):
            return groups
        first = last - 1 if tokens[last - 1] + tokens[last] <= budget else last
