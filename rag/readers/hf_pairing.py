"""Which blocks between two footers are titles, and which abstract belongs to which title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.readers.hf_page import Block

LONG = 250  # characters; the longest title of the four seed pages has 139, the shortest abstract 1358
MAX_PARAGRAPHS = 12

# What each oddity costs; the reading of a section with the least sum wins. Only their order matters:
# a title over an abstract is free, a lone line is rather no paper than a title without abstract.
ABSTRACT_AS_TITLE = {"short": 1.0, "long": 4.0}
TITLE_AS_PARAGRAPH = 2.0
FURTHER_PARAGRAPH = {"short": 2.0, "long": 1.0}
NO_ABSTRACT = 3.0
STRAY = 2.5


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks that belong to one paper; without a title they are stray text that belongs to none."""

    title: Block | None
    paragraphs: tuple[Block, ...]


def pair(blocks: Sequence[Block], *, has_footer: bool) -> list[Group]:
    """Cut the blocks of one section into papers, at the least cost; a footer's paper is always one.

    Two blocks a paper, as in whole pages, cost nothing and need no guess; everything else does.
    """
    costs = [0.0]
    groups: list[Group] = []  # the last group of the cheapest reading of blocks[: i + 1]
    for end in range(1, len(blocks) + 1):
        choices = [
            (costs[start] + _cost(group), group)
            for start in range(max(0, end - 1 - MAX_PARAGRAPHS), end)
            for group in [Group(blocks[start], tuple(blocks[start + 1 : end]))]
        ]
        if end < len(blocks) or not has_footer:
            choices.append((costs[end - 1] + STRAY, Group(None, (blocks[end - 1],))))
        cost, group = min(choices, key=lambda choice: choice[0])
        costs.append(cost)
        groups.append(group)
    return list(_walk_back(groups))[::-1]


def _walk_back(groups: Sequence[Group]) -> Iterator[Group]:
    at = len(groups)
    while at > 0:
        group = groups[at - 1]
        yield group
        at -= len(group.paragraphs) + (group.title is not None)


def _cost(group: Group) -> float:
    assert group.title is not None
    cost = 0.0 if looks_like_title(group.title.text) else ABSTRACT_AS_TITLE[_length(group.title)]
    cost += TITLE_AS_PARAGRAPH * sum(looks_like_title(block.text) for block in group.paragraphs)
    cost += sum(FURTHER_PARAGRAPH[_length(block)] for block in group.paragraphs[1:])
    return cost if group.paragraphs else cost + NO_ABSTRACT


def _length(block: Block) -> str:
    return "long" if len(block.text) > LONG else "short"


def looks_like_title(text: str) -> bool:
    """Titles are short and have no final period; abstracts are long or have one."""
    return len(text) <= LONG and not text.rstrip(")'\"”’ ").endswith((".", ";", ",", ":"))
