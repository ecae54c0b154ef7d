"""What a map is: plain frozen data, and its form as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

VERSION = 1  # of the way in which maps are computed and written; one of another version is computed anew
PLACES = 4  # decimals of a coordinate


class Point(NamedTuple):
    """Where a paper stands, both coordinates from -1 to 1, and the index of its topic."""

    x: float
    y: float
    topic: int


@dataclass(frozen=True, slots=True)
class Topic:
    """Papers that are about the same: the words that tell it from the others, best first, and how many."""

    words: tuple[str, ...]
    size: int

    @property
    def name(self) -> str:
        """Its two best words; what it is called where there is no room for more."""
        return ", ".join(self.words[:2]) or "Other papers"


@dataclass(frozen=True, slots=True)
class Atlas:
    """The map as it was at one generation of the library; topics by size, the largest first.

    `patched` is how many papers were placed on it, or taken off, since it was drawn.
    """

    points: Mapping[str, Point]
    topics: tuple[Topic, ...]
    generation: int
    patched: int = 0

    def as_json(self) -> str:
        """The map as text; `from_json` is the inverse but for the coordinates' rounding."""
        points = {i: [round(p.x, PLACES), round(p.y, PLACES), p.topic] for i, p in self.points.items()}
        topics = [{"words": topic.words, "size": topic.size} for topic in self.topics]
        data = {
            "version": VERSION,
            "generation": self.generation,
            "patched": self.patched,
            "topics": topics,
            "points": points,
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Atlas | None:
        """The map in `text`; None where it is damaged or of another version."""
        try:
            data = json.loads(text)
            if data["version"] != VERSION:
                return None
            topics = tuple(Topic(tuple(map(str, topic["words"])), int(topic["size"])) for topic in data["topics"])
            points = {str(i): _point(row, len(topics)) for i, row in data["points"].items()}
            return cls(points, topics, int(data["generation"]), int(data.get("patched", 0)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return None


def _point(row: Any, topics: int) -> Point:
    x, y, topic = row
    point = Point(float(x), float(y), int(topic))
    if not (math.isfinite(point.x) and math.isfinite(point.y) and 0 <= point.topic < topics):
        raise ValueError(f"no place on a map: {row}")
    return point
