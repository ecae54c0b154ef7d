"""`paperchat bench retrieval`: the product's own search on labelled collections, and without each of its parts."""

from rag import offline as _offline  # noqa: F401  (sets how many threads numpy uses, before it is imported)
