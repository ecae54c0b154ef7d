"""How fast the library is and what it takes, measured."""

from rag import offline as _offline  # noqa: F401  (sets how many threads numpy uses, before it is imported)
