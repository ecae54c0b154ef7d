"""Passages packed for a prompt: within a token budget, fenced as data, each with an opaque id.

Ids and fence are derived from a secret of this process and from the passages packed, so that no
document can know them, while the same passages give the same prompt, whose prefix the model may
have cached.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count as count_up

from rag.answer.answer import RetrievedPassage
from rag.chunking import sentence_spans
from rag.papers import Passage

ID = re.compile(r"p[0-9a-f]{4}")
EXAMPLE_ID = "p0000"  # stands in prompts, never for a passage
LONGEST_TITLE = 300
UNDATED = "undated"
TOO_LONG = "does not fit into the model's context"

_SECRET = secrets.token_bytes(32)
# Tags, chat templates' control tokens (<|im_start|>, [INST]) and text that looks like one of our ids.
_LOOK_ALIKE = re.compile(
    r"<(?=[/|!?A-Za-z<])|(?<=[|A-Za-z\"'/>\d])>|\[(?=/?(?:INST|SYS)\b)|\[(?=\s*p[0-9a-f]{4}\b)|【", re.IGNORECASE
)
_ESCAPES = {"<": "‹", ">": "›", "[": "⁅", "【": "⁅"}
_UNESCAPES = str.maketrans({"‹": "<", "›": ">", "⁅": "["})


@dataclass(frozen=True, slots=True)
class Context:
    """What a model gets to read.

    `text` holds the fenced blocks, `by_id` the passage behind each id in the order of the prompt;
    `tokens` is the size of `text` as counted. `passages` are in order of rank, `left_out` likewise,
    each with the reason.
    """

    text: str
    by_id: Mapping[str, RetrievedPassage]
    passages: tuple[RetrievedPassage, ...]
    left_out: tuple[RetrievedPassage, ...]
    tokens: int


def pack(
    passages: Sequence[RetrievedPassage],
    budget_tokens: int,
    count: Callable[[str], int],
    *,
    secret: bytes = _SECRET,
) -> Context:
    """Pack passages, best first, into at most `budget_tokens` as counted by `count`.

    What does not fit is left out, the lowest ranked first; no sentence is ever cut. The best
    stand at both ends, where models read most attentively ("Long-Context LLMs Meet RAG").
    """
    ranked = list({passage.passage.passage_id: passage for passage in passages}.values())
    names = _Names(ranked, secret)
    fence = next(names)
    ids = [next(names)[:5] for _ in ranked]
    blocks = [_block(passage, name, fence) for passage, name in zip(ranked, ids, strict=True)]
    kept, used = _fitting(blocks, budget_tokens, count)
    if not kept and ranked:
        shorter = _first_sentences(ranked[0], ids[0], fence, budget_tokens, count)
        if shorter is not None:
            ranked[0], blocks[0] = shorter
            kept, used = [0], count(blocks[0])
    order = kept[0::2] + kept[1::2][::-1]
    return Context(
        text="\n\n".join(blocks[i] for i in order),
        by_id={ids[i]: ranked[i] for i in order},
        passages=tuple(ranked[i] for i in kept),
        left_out=tuple(replace(p, left_out=TOO_LONG) for i, p in enumerate(ranked) if i not in kept),
        tokens=used,
    )


def escape(text: str) -> str:
    """Text from outside for a prompt: nothing in it can be read as a fence, a role or one of our ids."""
    return _LOOK_ALIKE.sub(lambda match: _ESCAPES[match[0]], text)


def unescape(text: str) -> str:
    """What the model copied from an escaped passage, as the passage has it."""
    return text.translate(_UNESCAPES)


def _fitting(blocks: Sequence[str], budget: int, count: Callable[[str], int]) -> tuple[list[int], int]:
    kept, used = [], 0
    for i, block in enumerate(blocks):
        size = count(block)
        if used + size <= budget:
            kept.append(i)
            used += size
    return kept, used


def _first_sentences(
    passage: RetrievedPassage, name: str, fence: str, budget: int, count: Callable[[str], int]
) -> tuple[RetrievedPassage, str] | None:
    """The longest beginning of the best passage, in whole sentences, that fits; None when none does."""
    text, start = passage.passage.text, passage.passage.start
    for _, end in reversed(sentence_spans(text)):
        beginning = text[:end].rstrip()
        part: Passage = replace(passage.passage, text=beginning, end=start + len(beginning))
        shorter = replace(passage, passage=part)
        block = _block(shorter, name, fence)
        if count(block) <= budget:
            return shorter, block
    return None


def _block(passage: RetrievedPassage, name: str, fence: str) -> str:
    title = " ".join(passage.paper.title.split())
    title = title if len(title) <= LONGEST_TITLE else title[:LONGEST_TITLE].rstrip() + "…"
    head = f'<passage id="{name}" fence="{fence}">'
    lines = (head, f"Title: {escape(title)}", f"Date: {passage.paper.dated or UNDATED}", escape(passage.passage.text))
    return "\n".join(lines) + f"\n</passage {fence}>"


class _Names:
    """Distinct names `p` + 12 hex digits that occur in none of the passages."""

    def __init__(self, ranked: Sequence[RetrievedPassage], secret: bytes) -> None:
        identity = "\0".join(f"{p.passage.passage_id}\0{p.passage.text}" for p in ranked)
        self._key = hmac.digest(secret, identity.encode("utf-8", "surrogatepass"), hashlib.sha256)
        self._texts = "\n".join(f"{p.paper.title}\n{p.passage.text}" for p in ranked).lower()
        self._seen = {EXAMPLE_ID}
        self._numbers = count_up()

    def __next__(self) -> str:
        while True:
            name = "p" + hmac.digest(self._key, str(next(self._numbers)).encode(), hashlib.sha256).hex()[:12]
            if name[:5] not in self._seen and name[:5] not in self._texts:
                self._seen.add(name[:5])
                return name
