"""What an earlier conversation holds, within a budget: the titles that answers named, their quotes, the questions.

Only titles are taken from an assistant's message, and only those that the library has: whoever can
write a message into a conversation can invent a title or a quote, and neither becomes a source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rag.answer.answer import Turn

MAX_TURNS = 12
TURN_CHARS = 4_000  # of one message
HISTORY_CHARS = 16_000  # of all messages that are read, the newest first
ASKED_CHARS = 300  # of an earlier question that is written into a new one
NEAREST = "Nearest papers:"  # what follows it in a refusal is an offer, not what "it" stands for

# A title as answers write it: “Title” (October 2022), “Title”: or “Title” was; a quoted sentence has its marker behind.
_TITLE = re.compile(
    r"“(?P<ours>[^“”\n]{3,300})”(?:(?P<sure>\s*\((?:[A-Z][a-z]+ (?:\d{1,2}, )?\d{4}|no date)\)|:)|(?P<marked>\s*\[\d))?"
    r"|(?:\[|\"|\*{1,2})(?P<others>[A-Z0-9$][^\[\]“”\"*\n]{11,300}?)(?:\]|\"|\*{1,2})"
)
_QUOTE = re.compile(r"“([^“”]{20,})”\s*\[\d")

TitleLookup = Callable[[str], str | None]  # a title as written -> the library's title, or None


def as_written(title: str) -> str:
    """The lookup of someone who has no library: every title is taken as it stands."""
    return title


def recent(history: Sequence[Turn]) -> list[Turn]:
    """The last turns, oldest first: at most `MAX_TURNS` of them and `HISTORY_CHARS` characters."""
    kept: list[Turn] = []
    left = HISTORY_CHARS
    for turn in reversed(history[-MAX_TURNS:]):
        content = turn.content[: min(TURN_CHARS, left)]
        left -= len(content)
        if content:
            kept.append(replace(turn, content=content))
    return kept[::-1]


def cited_titles(turns: Sequence[Turn], titles: TitleLookup, *, offered: bool = False) -> tuple[str, ...]:
    """Titles that the last answer which names any of the library's wrote, in order; those that a
    refusal only offers as nearest count if `offered`."""
    for said in _answers(turns):
        found = _known(_written(said if offered else said.split(NEAREST)[0]), titles)
        if found:
            return found
    return ()


def quoted(turns: Sequence[Turn]) -> tuple[str, ...]:
    """The sentences that the last answer quoted, for whoever wants to hear more than those."""
    return next((tuple(_QUOTE.findall(said)) for said in _answers(turns)), ())


def last_asked(turns: Sequence[Turn]) -> int | None:
    """The index of the last question in `turns`, or None."""
    return next((i for i in range(len(turns) - 1, -1, -1) if turns[i].role == "user"), None)


def _answers(turns: Sequence[Turn]) -> Iterable[str]:
    return (turn.content for turn in reversed(turns) if turn.role == "assistant")


def _known(written: Iterable[str], titles: TitleLookup) -> tuple[str, ...]:
    return tuple(dict.fromkeys(title for one in written if (title := titles(one)) is not None))


def _written(said: str) -> Iterable[str]:
    return (title for match in _TITLE.finditer(said) if (title := _title(match)))


def _title(match: re.Match[str]) -> str | None:
    text = (match["ours"] or match["others"]).strip()
    if match["sure"] or (match["ours"] and not match["marked"] and len(text) > 11 and text[0].isupper()):
        return text
    return text if len(text) > 11 and _like_a_title(text) else None


def _like_a_title(text: str) -> bool:
    """A quoted sentence ends like one; a title has mostly capitalised words and no full stop."""
    words = [word for word in re.findall(r"[A-Za-z][\w-]*", text) if len(word) > 3]
    capitals = sum(word[0].isupper() for word in words)
    return bool(words) and not text.rstrip().endswith(".") and capitals / len(words) >= 0.5
