"""The map of the library: each paper's place in the plane, and the topics. Computed once, stored beside the papers."""

from rag.atlas.records import Atlas, Point, Topic
from rag.atlas.store import load, refresh

__all__ = ["Atlas", "Point", "Topic", "load", "refresh"]
